/* What rules see of hits. The twin of fastlog/parsers/measure.py and outcomes.py.
 *
 * Each field that rules compare has a class by its value; what the rules make of a hit, its
 * outcome, follows from the classes. Both are asked for in Python, once: a hit that needs an
 * answer first is put off (fl_rules_count returns 0, `asks` says what is asked), and counted
 * when it is there.
 *
 * Hits that no rule tells apart share a *cell*: section, method, status, and the classes of what
 * else is compared. So a line costs one look for its cell, and one count; what the rules make of
 * it is worked out for a cell, and its hits go to their entries (entries.h), when the run of lines
 * of one second is over. How many rules there are a line does not notice. What cells do not know
 * is counted line by line: hosts, and sketches of durations. A line waits for that until what its
 * host needs is fetched from memory, or the run ends, or the block of which it is (fl_rules_drain).
 *
 * Entries live for a chunk; cells, hosts, targets, classes and outcomes live on, up to `bound`.
 *
 * Over 300 lines, since all of it is one state.
 */
#ifndef FASTLOG_RULES_H
#define FASTLOG_RULES_H

#include "hosts.h"

/* The places of Hit of watch.py. */
enum {
    FL_OF_SECTION, FL_OF_METHOD, FL_OF_STATUS, FL_OF_HOST, FL_OF_SIZE, FL_OF_DURATION, FL_OF_TARGET, FL_FIELDS
};

#define FL_ASKS_OUTCOME FL_FIELDS
#define FL_NO_DURATION (-1)
#define FL_WAITING 16 /* a power of two */
#define FL_ROWS 8 /* a power of two */
#define FL_MOST_GOES (1u << 18)
#define FL_MUCH ((uint64_t)1 << 62)
#define FL_AHEAD 8 /* so many cells before its turn one is fetched */

typedef struct {
    uint16_t *at; /* by the number of a value; the class and 1, 0 where it is not known */
    size_t room;
} fl_classes;

typedef struct {
    uint32_t rule;
    uint8_t kind, counts, sketched, sized;
} fl_rule_step;

typedef struct {
    size_t first, n; /* its steps */
} fl_outcome;

/* Where the hits of a cell go. */
typedef struct {
    uint32_t slot; /* of the rule and the key; of a host the rule */
    uint8_t counts, sketched, sized, by_host;
} fl_goal;

typedef struct {
    fl_mark marks[FL_ROWS]; /* by row, so that seconds may go back some rows */
    fl_watched of;
} fl_slot;

typedef struct {
    uint32_t goal; /* its first one; those that are counted line by line come behind the others */
    uint32_t n, by_line;
} fl_cell;

/* Where a cell is found, and its hits of the run of lines at hand: all that a line needs in one place. */
typedef struct {
    uint64_t first, second; /* what its hits are: see fl_rules_count */
    uint64_t size;          /* of them all, less than FL_MUCH more than that */
    uint32_t hits, cell;    /* cell: its number and 1; 0 where nothing stands */
} fl_spot;

/* Of the hosts of a rule, by place. */
typedef struct {
    fl_mark *at;
    size_t room;
} fl_marks;

/* A hit as rules see it; texts are readable for 16 bytes. */
typedef struct {
    uint32_t section, method; /* places in their tables */
    unsigned status;
    uint32_t host_length, target_length;
    const uint8_t *host, *target;
    uint64_t size;
    int64_t duration; /* in microseconds; FL_NO_DURATION */
} fl_seen;

/* What is counted line by line of a hit. */
typedef struct {
    const uint8_t *host;
    uint64_t hash, size;
    int64_t duration;
    uint32_t host_length, stamp, goal, n;
} fl_waiting;

typedef struct fl_rules {
    uint8_t looked_at[FL_FIELDS], has_hosts;
    uint64_t alike; /* where hits may differ in `first` of a spot without any rule taking notice */
    fl_column size_edges, duration_edges;
    size_t bound;
    fl_classes classes[FL_FIELDS];
    fl_hosts hosts;
    fl_table targets, outcomes;
    fl_outcome *outcome; /* by place in outcomes */
    size_t n_outcomes, outcome_room;
    fl_rule_step *steps;
    size_t n_steps, step_room;

    fl_cell *cells;
    fl_spot *spots; /* by hash */
    size_t n_cells, cell_room, spot_mask;
    uint64_t seed;
    fl_goal *goes; /* of all cells */
    size_t n_goes, goes_room;
    fl_table slot_keys; /* (rule, place): kinds are the rule's */
    fl_slot *slots;     /* by place in slot_keys */
    size_t n_slots, slot_room;
    fl_marks *host_marks; /* by rule; those of the first one are in the hosts */
    size_t host_rules;
    uint32_t first_by_host; /* that rule and 1 */

    int any_by_line; /* whether some cell is not all that a hit is counted by */
    uint32_t *touched; /* spots with hits of the run; room for every cell and one */
    size_t n_touched;
    uint32_t stamp, last_stamp; /* of the row of the run; the greatest that there was */
    fl_entries entries;
    fl_waiting waiting[FL_WAITING]; /* lines whose hosts are being fetched, the oldest at first_waiting */
    size_t first_waiting, n_waiting;

    fl_seen seen; /* the hit at hand */
    int asks;     /* the field whose class is asked for, or FL_ASKS_OUTCOME; -1 */
    size_t asked; /* number of its value */
    int torn;     /* memory ran out within an outcome, which lacks steps: the next chunk asks anew */
} fl_rules;

/* How many edges are at or below a value. */
static inline size_t fl_interval(const fl_column *edges, int64_t value) {
    size_t low = 0, high = edges->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (edges->at[middle] <= value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The class of a value and 1; 0 where it must be asked for. */
static inline uint16_t fl_class(fl_rules *rules, int field, size_t number) {
    const fl_classes *classes = rules->classes + field;
    if (number < classes->room && classes->at[number])
        return classes->at[number];
    rules->asks = field;
    rules->asked = number;
    return 0;
}

/* -- cells ------------------------------------------------------------------------------------ */

/* Forget the cells, of which there are no hits, and the slots. */
static inline void fl_cells_clear(fl_rules *rules) {
    if (rules->n_cells)
        memset(rules->spots, 0, (rules->spot_mask + 1) * sizeof *rules->spots);
    rules->n_cells = rules->n_goes = rules->n_slots = 0;
    rules->any_by_line = 0;
    fl_table_clear(&rules->slot_keys);
}

/* Of what stands in all hits, those of a cell. Places are less than 2^27: each had a line of a chunk of its own. */
static inline uint64_t fl_cell_first(uint64_t section, uint64_t method, uint64_t status) {
    return section << 37 | method << 10 | status;
}

/* Whether some rule tells hits apart by these. Until it is said, all are told. */
static inline void fl_rules_tell(fl_rules *rules, int section, int method, int status) {
    const uint64_t place = ((uint64_t)1 << 27) - 1, any = ((uint64_t)1 << 10) - 1;
    rules->alike = fl_cell_first(section ? 0 : place, method ? 0 : place, status ? 0 : any);
}

static inline size_t fl_cell_hash(const fl_rules *rules, uint64_t first, uint64_t second) {
    return fl_mix(first ^ rules->seed, second ^ rules->seed * 0x9e3779b97f4a7c15u);
}

/* The slot of a step's key. FL_NO_SLOT where there is no memory. */
#define FL_NO_SLOT UINT32_MAX

static inline uint32_t fl_slot_of(fl_rules *rules, const fl_rule_step *step, uint32_t place) {
    const fl_key *key = fl_pair_key(&rules->slot_keys, step->rule, place);
    if (!key)
        return FL_NO_SLOT;
    size_t at = (size_t)(key - rules->slot_keys.keys);
    if (at > rules->n_slots) /* memory ran out behind its key before: the chunk has failed */
        return FL_NO_SLOT;
    if (at == rules->n_slots) {
        if (!fl_reserve((void **)&rules->slots, &rules->slot_room, at + 1, sizeof *rules->slots))
            return FL_NO_SLOT;
        rules->slots[rules->n_slots++] = (fl_slot){.of = {step->rule, step->kind, place}};
    }
    return (uint32_t)at;
}

/* Where the hits of a new cell go, of an outcome: what is counted line by line behind the rest. */
static int fl_cell_goes(fl_rules *rules, fl_cell *cell, const fl_outcome *outcome) {
    const uint32_t places[FL_KINDS] = {0, rules->seen.section, rules->seen.status, rules->seen.method, 0};
    cell->goal = (uint32_t)rules->n_goes;
    /* One more, so that there are some where no line goes anywhere: NULL has no places to count from. */
    if (!fl_reserve((void **)&rules->goes, &rules->goes_room, rules->n_goes + outcome->n + 1, sizeof *rules->goes))
        return 0;
    for (int by_line = 0; by_line < 2; by_line++) {
        for (size_t i = 0; i < outcome->n; i++) {
            const fl_rule_step *step = rules->steps + outcome->first + i;
            int by_host = step->kind == FL_PER_HOST;
            if ((by_host || step->sketched) != by_line)
                continue;
            uint32_t slot = by_host ? step->rule : fl_slot_of(rules, step, places[step->kind]);
            if (slot == FL_NO_SLOT)
                return 0;
            rules->goes[rules->n_goes++] =
                (fl_goal){slot, step->counts, step->sketched, step->sized, (uint8_t)by_host};
            cell->n++;
            cell->by_line += (uint32_t)by_line;
            rules->any_by_line |= by_line;
        }
    }
    return 1;
}

static int fl_rules_flush(fl_rules *rules);

static inline fl_spot *fl_spot_of(fl_spot *spots, size_t mask, size_t hash, uint64_t first, uint64_t second) {
    for (fl_spot *spot;; hash++) {
        spot = spots + (hash & mask);
        if ((spot->first == first && spot->second == second) || !spot->cell)
            return spot;
    }
}

/* Room for more cells; the hits of the run are counted before. 0 where there is no memory. */
static int fl_cells_grow(fl_rules *rules) {
    size_t room = rules->cell_room ? 2 * rules->cell_room : 256;
    fl_cell *cells = (fl_cell *)realloc(rules->cells, room * sizeof *cells);
    if (!cells)
        return 0;
    rules->cells = cells;
    uint32_t *touched = (uint32_t *)realloc(rules->touched, (room + 1) * sizeof *touched);
    if (!touched)
        return 0;
    rules->touched = touched;
    fl_spot *spots = (fl_spot *)calloc(2 * room, sizeof *spots);
    if (!spots || !fl_rules_flush(rules)) {
        free(spots);
        return 0;
    }
    for (size_t i = 0; rules->cell_room && i <= rules->spot_mask; i++) {
        const fl_spot *spot = rules->spots + i;
        if (spot->cell)
            *fl_spot_of(spots, 2 * room - 1, fl_cell_hash(rules, spot->first, spot->second), spot->first,
                        spot->second) = *spot;
    }
    free(rules->spots);
    rules->spots = spots;
    rules->cell_room = room;
    rules->spot_mask = 2 * room - 1;
    return 1;
}

/* A cell for hits of an outcome. 0 where there is no memory. */
static int fl_cell_new(fl_rules *rules, uint64_t first, uint64_t second, const fl_outcome *outcome) {
    if (rules->n_cells == rules->cell_room && !fl_cells_grow(rules))
        return 0;
    fl_cell *cell = rules->cells + rules->n_cells;
    *cell = (fl_cell){0};
    if (!fl_cell_goes(rules, cell, outcome)) {
        rules->torn = 1;
        return 0;
    }
    size_t hash = fl_cell_hash(rules, first, second);
    *fl_spot_of(rules->spots, rules->spot_mask, hash, first, second) =
        (fl_spot){.first = first, .second = second, .cell = (uint32_t)++rules->n_cells};
    return 1;
}

/* Where a cell stands; NULL where it does not. */
static inline fl_spot *fl_cell_find(fl_rules *rules, uint64_t first, uint64_t second) {
    if (!rules->n_cells)
        return NULL;
    fl_spot *spot = fl_spot_of(rules->spots, rules->spot_mask, fl_cell_hash(rules, first, second), first, second);
    return spot->cell ? spot : NULL;
}

/* -- hits ------------------------------------------------------------------------------------- */

/* The entry of a rule for the host of a line. NULL where there is no memory. */
static inline fl_entry *fl_host_entry(fl_rules *rules, fl_host *host, uint32_t rule, const fl_waiting *line) {
    const fl_watched of = {rule, FL_PER_HOST, host->number - 1};
    if (rule + 1 == rules->first_by_host)
        return fl_entry_named(&rules->entries, &host->mark, line->stamp, &of, line->host, line->host_length);
    fl_marks *marks = rules->host_marks + rule;
    if (!fl_reserve((void **)&marks->at, &marks->room, host->number, sizeof *marks->at))
        return NULL;
    return fl_entry_at(&rules->entries, marks->at + of.place, line->stamp, &of);
}

/* Count in its entries what the cell does not know of a line. 0 where there is no memory. */
static inline int fl_rules_line(fl_rules *rules, const fl_waiting *line) {
    fl_host *host = NULL;
    if (line->host && !(host = fl_host_of(&rules->hosts, line->host, line->host_length, line->hash)))
        return 0;
    for (const fl_goal *to = rules->goes + line->goal, *end = to + line->n; to < end; to++) {
        fl_entry *entry;
        if (to->by_host) {
            entry = fl_host_entry(rules, host, to->slot, line);
        } else {
            fl_slot *slot = rules->slots + to->slot;
            entry = fl_entry_at(&rules->entries, slot->marks + line->stamp % FL_ROWS, line->stamp, &slot->of);
        }
        if (!entry)
            return 0;
        entry->hits += to->counts;
        entry->base++;
        if (to->sized)
            fl_entry_size(&rules->entries, entry, line->size);
        if (to->sketched && line->duration >= 0 && !fl_entry_duration(&rules->entries, entry, line->duration))
            return 0;
    }
    return 1;
}

/* Count the oldest lines that wait, until so many are left. 0 where there is no memory. */
static inline int fl_rules_drain(fl_rules *rules, size_t left) {
    int done = 1;
    while (rules->n_waiting > left) {
        done &= fl_rules_line(rules, rules->waiting + rules->first_waiting);
        rules->first_waiting = (rules->first_waiting + 1) % FL_WAITING;
        rules->n_waiting--;
    }
    return done;
}

/* The hits of a run go to their entries: of its hosts first, wherever its blocks were cut. 0 where there is
 * no memory. */
static int fl_rules_flush(fl_rules *rules) {
    int done = fl_rules_drain(rules, 0);
    for (size_t i = 0, n = rules->n_touched; i < n; i++) {
        fl_spot *spot = rules->spots + rules->touched[i];
        const fl_cell *cell = rules->cells + spot->cell - 1;
        if (i + 2 * FL_AHEAD < n)
            __builtin_prefetch(rules->cells + rules->spots[rules->touched[i + 2 * FL_AHEAD]].cell - 1);
        if (i + FL_AHEAD < n)
            __builtin_prefetch(rules->goes + rules->cells[rules->spots[rules->touched[i + FL_AHEAD]].cell - 1].goal);
        const fl_goal *to = rules->goes + cell->goal, *end = to + cell->n - cell->by_line;
        for (; to < end; to++) {
            fl_slot *slot = rules->slots + to->slot;
            fl_entry *entry = fl_entry_at(&rules->entries, slot->marks + rules->stamp % FL_ROWS, rules->stamp, &slot->of);
            if (!entry) {
                done = 0;
                break;
            }
            entry->hits += to->counts ? spot->hits : 0;
            entry->base += spot->hits;
            if (to->sized)
                fl_entry_size(&rules->entries, entry, spot->size);
        }
        spot->hits = 0;
        spot->size = 0;
    }
    rules->n_touched = 0;
    return done;
}

/* The hit at hand waits to be counted by what its cell does not know. 0 where there is no memory. */
static inline int fl_rules_wait(fl_rules *rules, const fl_cell *cell, uint64_t hash) {
    const fl_seen *seen = &rules->seen;
    const int done = fl_rules_drain(rules, FL_WAITING - 1);
    rules->waiting[(rules->first_waiting + rules->n_waiting++) % FL_WAITING] = (fl_waiting){
        rules->has_hosts ? seen->host : NULL, hash, seen->size, seen->duration, seen->host_length, rules->stamp,
        cell->goal + cell->n - cell->by_line, cell->by_line};
    return done;
}

/* The place of the hit's target; -1 where there is no memory. */
static inline int64_t fl_rules_target(fl_rules *rules) {
    const fl_key *key = fl_key_of(&rules->targets, rules->seen.target, rules->seen.target_length);
    return key ? key - rules->targets.keys : -1;
}

#define FL_CLASSIFY(field, number, otherwise)                                                       \
    if (rules->looked_at[field] && !(classes[field] = fl_class(rules, field, number)))              \
        return otherwise;

/* Make the cell of the hit at hand. 0 where something is asked for first, or there is no memory. */
static int fl_rules_cell(fl_rules *rules, fl_fold *fold, uint64_t first, uint64_t second,
                         uint16_t *classes) {
    const fl_seen *seen = &rules->seen;
    uint64_t both[2];
    FL_CLASSIFY(FL_OF_SECTION, seen->section, 0)
    FL_CLASSIFY(FL_OF_METHOD, seen->method, 0)
    FL_CLASSIFY(FL_OF_STATUS, seen->status, 0)
    memcpy(both, classes, sizeof both);
    const fl_key *key = fl_pair_key(&rules->outcomes, both[0], both[1]);
    if (!key) {
        fold->failed = 1;
        return 0;
    }
    size_t place = (size_t)(key - rules->outcomes.keys);
    if (place >= rules->n_outcomes) {
        rules->asks = FL_ASKS_OUTCOME;
        return 0;
    }
    if (fl_cell_new(rules, first, second, rules->outcome + place))
        return 1;
    fold->failed = 1;
    return 0;
}

/* Count the hit at hand, which the fold has counted; 0 where something is asked for first. */
static inline int fl_rules_count(fl_rules *rules, fl_fold *fold) {
    const fl_seen *seen = &rules->seen;
    const uint32_t stamp = rules->entries.stamp + (uint32_t)fold->row;
    rules->asks = -1;
    if (fold->in_future)
        return 1;
    if (stamp != rules->stamp) {
        fold->failed |= rules->n_touched && !fl_rules_flush(rules);
        rules->stamp = stamp;
        rules->last_stamp = stamp > rules->last_stamp ? stamp : rules->last_stamp;
    }
    uint16_t classes[8] = {0};
    uint64_t hash = 0;
    if (rules->has_hosts)
        hash = fl_hosts_fetch(&rules->hosts, seen->host, seen->host_length);
    if (rules->looked_at[FL_OF_HOST]) {
        const fl_host *host = fl_host_of(&rules->hosts, seen->host, seen->host_length, hash);
        if (!host) {
            fold->failed = 1;
            return 1;
        }
        FL_CLASSIFY(FL_OF_HOST, host->number - 1, 0)
    }
    FL_CLASSIFY(FL_OF_SIZE, fl_interval(&rules->size_edges, (int64_t)seen->size), 0)
    FL_CLASSIFY(FL_OF_DURATION,
                seen->duration < 0 ? 0 : 1 + fl_interval(&rules->duration_edges, seen->duration), 0)
    if (rules->looked_at[FL_OF_TARGET]) {
        int64_t target = fl_rules_target(rules);
        if (target < 0) {
            fold->failed = 1;
            return 1;
        }
        FL_CLASSIFY(FL_OF_TARGET, (size_t)target, 0)
    }
    uint64_t first = fl_cell_first(seen->section, seen->method, seen->status) & ~rules->alike, second;
    memcpy(&second, classes + FL_OF_HOST, sizeof second);
    fl_spot *spot = fl_cell_find(rules, first, second);
    if (!spot) {
        if (!fl_rules_cell(rules, fold, first, second, classes))
            return rules->asks < 0;
        spot = fl_cell_find(rules, first, second);
    }
    rules->touched[rules->n_touched] = (uint32_t)(spot - rules->spots);
    rules->n_touched += !spot->hits++; /* which of both, no processor can foretell */
    spot->size += seen->size;
    if (rules->any_by_line && rules->cells[spot->cell - 1].by_line)
        fold->failed |= !fl_rules_wait(rules, rules->cells + spot->cell - 1, hash);
    fold->failed |= spot->size >= FL_MUCH && !fl_rules_flush(rules);
    return 1;
}
#undef FL_CLASSIFY

/* The answers: the class of the value that was asked for, and the outcome of the classes. */
static inline int fl_rules_class(fl_rules *rules, unsigned number) {
    fl_classes *classes = rules->classes + rules->asks;
    if (!fl_reserve((void **)&classes->at, &classes->room, rules->asked + 1, sizeof *classes->at))
        return 0;
    classes->at[rules->asked] = (uint16_t)(number + 1);
    return 1;
}

/* The classes, each and 1, of the outcome that was asked for. */
static inline void fl_rules_asked(const fl_rules *rules, uint16_t *classes) {
    memcpy(classes, rules->outcomes.arena + rules->outcomes.keys[rules->n_outcomes].text, 8 * sizeof *classes);
}

static inline int fl_rules_outcome(fl_rules *rules) {
    if (!fl_reserve((void **)&rules->outcome, &rules->outcome_room, rules->n_outcomes + 1, sizeof *rules->outcome))
        return 0;
    rules->outcome[rules->n_outcomes++] = (fl_outcome){.first = rules->n_steps};
    return 1;
}

/* One step more of the newest outcome. */
static inline int fl_rules_step(fl_rules *rules, unsigned rule, unsigned kind, int counts, int sketched, int sized) {
    if (!fl_reserve((void **)&rules->steps, &rules->step_room, rules->n_steps + 1, sizeof *rules->steps) ||
        (kind == FL_PER_HOST &&
         !fl_reserve((void **)&rules->host_marks, &rules->host_rules, rule + 1, sizeof *rules->host_marks)) ||
        (sized && !fl_entries_size(&rules->entries))) {
        rules->torn = 1;
        return 0;
    }
    if (kind == FL_PER_HOST && !rules->first_by_host)
        rules->first_by_host = rule + 1;
    rules->steps[rules->n_steps++] =
        (fl_rule_step){rule, (uint8_t)kind, (uint8_t)counts, (uint8_t)sketched, (uint8_t)sized};
    rules->outcome[rules->n_outcomes - 1].n++;
    return 1;
}

/* Forget the classes of a field. */
static inline void fl_classes_clear(fl_classes *classes) {
    if (classes->room)
        memset(classes->at, 0, classes->room * sizeof *classes->at);
}

/* Forget the outcomes, and the cells, of which there are no hits. */
static inline void fl_outcomes_clear(fl_rules *rules) {
    fl_cells_clear(rules);
    fl_table_clear(&rules->outcomes);
    rules->n_outcomes = rules->n_steps = 0;
    rules->torn = 0;
}

/* Forget all classes and outcomes: they get other numbers. */
static inline void fl_rules_forget(fl_rules *rules, fl_fold *fold) {
    if (!fl_rules_flush(rules) || !fl_entries_again(&rules->entries)) /* slots, and their marks, are new */
        fold->failed = 1;
    for (int field = 0; field < FL_FIELDS; field++)
        fl_classes_clear(rules->classes + field);
    fl_outcomes_clear(rules);
}

/* Begin with the first stamp: no mark may have one. */
static inline void fl_rules_stamps(fl_rules *rules) {
    rules->last_stamp = 0;
    fl_cells_clear(rules);
    fl_hosts_unmark(&rules->hosts);
    for (size_t rule = 0; rule < rules->host_rules; rule++)
        if (rules->host_marks[rule].room)
            memset(rules->host_marks[rule].at, 0, rules->host_marks[rule].room * sizeof(fl_mark));
}

/* Begin a chunk, which the fold has begun: the classes and cells of keys go with the keys. */
static inline void fl_rules_begin(fl_rules *rules, const fl_fold *fold) {
    if (rules->hosts.n > 4 * rules->bound || rules->hosts.text_n > FL_MOST_TEXT)
        fl_hosts_clear(&rules->hosts);
    if (rules->targets.n > rules->bound || rules->targets.text > FL_MOST_TEXT)
        fl_table_clear(&rules->targets);
    const struct { size_t n; int field; } of[] = {{fold->sections.n, FL_OF_SECTION},
        {fold->methods.n, FL_OF_METHOD}, {rules->hosts.n, FL_OF_HOST}, {rules->targets.n, FL_OF_TARGET}};
    for (int i = 0; i < 4; i++)
        if (!of[i].n)
            fl_classes_clear(rules->classes + of[i].field);
    for (size_t i = 0; i < rules->n_touched; i++) { /* of a chunk that failed */
        rules->spots[rules->touched[i]].hits = 0;
        rules->spots[rules->touched[i]].size = 0;
    }
    rules->n_touched = rules->n_waiting = 0;
    if (rules->torn)
        fl_outcomes_clear(rules);
    if (rules->last_stamp > FL_MOST_STAMPS)
        fl_rules_stamps(rules);
    if (!fold->sections.n || !fold->methods.n || rules->n_cells > rules->bound || rules->n_goes > FL_MOST_GOES)
        fl_cells_clear(rules);
    fl_entries_begin(&rules->entries, rules->last_stamp + 1);
    rules->stamp = 0;
    rules->asks = -1;
}

/* -- columns ---------------------------------------------------------------------------------- */

/* Put down the name of a key. 0 where there is no memory. */
static int fl_key_name(fl_rules *rules, const fl_fold *fold, const fl_watched *of) {
    const uint32_t place = of->place;
    uint8_t status[16] = {(uint8_t)('0' + place / 100), (uint8_t)('0' + place / 10 % 10), (uint8_t)('0' + place % 10)};
    const uint8_t *text = status;
    size_t length = of->kind == FL_PER_STATUS ? 3 : 0;
    if (of->kind == FL_PER_HOST) {
        text = fl_host_text(&rules->hosts, place, &length);
    } else if (of->kind == FL_PER_SECTION || of->kind == FL_PER_METHOD) {
        const fl_table *table = of->kind == FL_PER_SECTION ? &fold->sections : &fold->methods;
        text = table->arena + table->keys[place].text;
        length = table->keys[place].length;
    }
    return fl_entries_name(&rules->entries, text, length);
}

/* The number of a key in the chunk; -1 where there is no memory. */
static inline int64_t fl_key_number(fl_rules *rules, const fl_fold *fold, fl_entry *entry) {
    const fl_watched *of = &entry->of;
    fl_entries *entries = &rules->entries;
    if (entry->name & FL_AS) /* of one before, which has its number by now */
        entry->name = entries->at[entry->name & ~FL_AS].name;
    if (entry->name)
        return entry->name - 1;
    uint32_t *number = entries->numbers[of->kind] + of->place;
    if (!*number) {
        if (!fl_push(&entries->name_kinds, of->kind) || !fl_push(&entries->name_places, of->place) ||
            !fl_key_name(rules, fold, of))
            return -1;
        *number = (uint32_t)entries->key_ends.n;
    }
    return *number - 1;
}

/* Room for the numbers of all keys. 0 where there is no memory. */
static int fl_numbers_room(fl_rules *rules, const fl_fold *fold) {
    const size_t places[FL_KINDS] = {1, fold->sections.n, FL_STATUSES, fold->methods.n, rules->hosts.n};
    for (int kind = 0; kind < FL_KINDS; kind++)
        if (!fl_reserve((void **)&rules->entries.numbers[kind], &rules->entries.numbers_room[kind], places[kind],
                        sizeof(uint32_t)))
            return 0;
    return 1;
}

/* Their sizes; none where no rule is `sized`. */
static inline void fl_sizes_columns(fl_entries *entries) {
    if (!entries->sized)
        entries->size_low.n = entries->size_high.n = 0;
    for (size_t at = 0; at < entries->size_low.n; at++) {
        const fl_sum size = entries->sizes[at];
        entries->size_low.at[at] = (int64_t)(size & (((fl_sum)1 << 62) - 1));
        entries->size_high.at[at] = (int64_t)(size >> 62);
    }
}

/* End a chunk, which the fold has ended: every column is complete. 0 where there is no memory. */
static int fl_rules_columns(fl_rules *rules, const fl_fold *fold) {
    fl_entries *entries = &rules->entries;
#define FL_ROOM(column) done = done && fl_entries_room(&entries->column, entries->n);
    int done = fl_numbers_room(rules, fold);
    FL_ENTRY_COLUMNS(FL_ROOM)
#undef FL_ROOM
    entries->sketched.n = 0;
    size_t segment = 0, end = fold->segment_rows.n ? (size_t)fold->segment_rows.at[0] : 0;
    for (size_t at = 0; done && at < entries->n; at++) {
        fl_entry *entry = entries->at + at;
        while (entry->row >= end && segment + 1 < fold->segment_rows.n) /* entries ascend by segment, as rows do */
            end += (size_t)fold->segment_rows.at[++segment];
        int64_t number = fl_key_number(rules, fold, entry);
        done = number >= 0;
        entries->rules.at[at] = entry->of.rule;
        entries->segments.at[at] = (int64_t)segment;
        entries->seconds.at[at] = fold->seconds.at[entry->row];
        entries->keys.at[at] = number;
        entries->hits.at[at] = entry->hits;
        entries->base.at[at] = entry->base;
    }
    if (done)
        fl_sizes_columns(entries);
    done = done && fl_entries_sketches(entries);
    for (size_t i = 0; i < entries->name_places.n; i++)
        entries->numbers[entries->name_kinds.at[i]][entries->name_places.at[i]] = 0;
    return done;
}

/* End a chunk, which the fold has ended: every column is complete. */
static inline void fl_rules_end(fl_rules *rules, fl_fold *fold) {
    if (fold->failed || !fl_rules_flush(rules) || !fl_rules_columns(rules, fold))
        fold->failed = 1;
}

static inline fl_rules *fl_rules_new(uint64_t seed, size_t bound) {
    fl_rules *rules = (fl_rules *)calloc(1, sizeof *rules);
    if (rules) {
        fl_table *tables[] = {&rules->targets, &rules->outcomes, &rules->slot_keys, &rules->entries.places,
                              &rules->entries.cells};
        for (int i = 0; i < 5; i++)
            tables[i]->seed = seed;
        rules->seed = rules->hosts.seed = seed;
        rules->bound = bound;
        rules->asks = -1;
    }
    return rules;
}

static inline void fl_rules_free(fl_rules *rules) {
    if (!rules)
        return;
    fl_table *tables[] = {&rules->targets, &rules->outcomes, &rules->slot_keys};
    for (int i = 0; i < 3; i++)
        fl_table_free(tables[i]);
    fl_hosts_free(&rules->hosts);
    for (int field = 0; field < FL_FIELDS; field++)
        free(rules->classes[field].at);
    for (size_t rule = 0; rule < rules->host_rules; rule++)
        free(rules->host_marks[rule].at);
    fl_entries_free(&rules->entries);
    free(rules->size_edges.at);
    free(rules->duration_edges.at);
    free(rules->outcome);
    free(rules->steps);
    free(rules->cells);
    free(rules->spots);
    free(rules->touched);
    free(rules->goes);
    free(rules->slots);
    free(rules->host_marks);
    free(rules);
}

#endif
