/* What rules see of hits. The twin of fastlog/parsers/measure.py and outcomes.py.
 *
 * Each field that rules compare has a class by its value; what the rules make of a hit, its
 * outcome, follows from the classes. Both are asked for in Python, once: a hit that needs an
 * answer first is put off (fl_rules_count returns 0, `asks` says what is asked), and counted
 * when it is there. From then on a line costs a look at the class of each field, one for the
 * outcome, and one for each kind of key that rules of the outcome have: the *record* of (row,
 * outcome, key) counts the hits. Records become entries (row, rule, key) when the chunk ends.
 *
 * Hosts may be as many as lines, so what can be is spared them: where one outcome alone has them,
 * a host knows its last record itself, and where no two records can be of one entry, none is
 * looked up for it. `again` says that they can be after all.
 *
 * Everything is a table of keys.h. Records and entries live for a chunk, and are no more than
 * its lines times its rules; hosts, targets, classes and outcomes live on, up to `bound`.
 */
#ifndef FASTLOG_RULES_H
#define FASTLOG_RULES_H

#include "fold.h"

/* The places of Hit of watch.py. */
enum {
    FL_OF_SECTION, FL_OF_METHOD, FL_OF_STATUS, FL_OF_HOST, FL_OF_SIZE, FL_OF_DURATION, FL_OF_TARGET, FL_FIELDS
};
/* What keys are: PERS of model/rules.py behind the first. */
enum { FL_PER_NOTHING, FL_PER_SECTION, FL_PER_STATUS, FL_PER_METHOD, FL_PER_HOST, FL_KINDS };

#define FL_ASKS_OUTCOME FL_FIELDS
#define FL_NO_DURATION (-1)
#define FL_NEAR 1024 /* a power of two */

typedef struct {
    uint16_t *at; /* by the number of a value; the class and 1, 0 where it is not known */
    size_t room;
} fl_classes;

typedef struct {
    uint32_t rule;
    uint8_t kind, counts, sketched, sized;
} fl_rule_step;

typedef struct {
    size_t first, n;                /* its steps */
    uint32_t kinds, sketched, sized; /* a bit for each kind of key: there, with durations, with bytes */
    uint32_t row, record;           /* of FL_PER_NOTHING, the last one; row and 1 */
} fl_outcome;

typedef struct {
    int64_t base;
    fl_sum size;
} fl_measured;

/* A place in a table by its key, for the next time. */
typedef struct {
    uint64_t first, second;
    size_t place; /* and 1 */
} fl_near;

/* A hit as rules see it; texts are readable for 16 bytes. */
typedef struct {
    uint32_t section, method; /* places in their tables */
    unsigned status;
    uint32_t host_length, target_length;
    const uint8_t *host, *target;
    uint64_t size;
    int64_t duration; /* in microseconds; FL_NO_DURATION */
} fl_seen;

typedef struct fl_rules {
    uint8_t looked_at[FL_FIELDS], has_hosts;
    fl_column size_edges, duration_edges;
    size_t bound;
    fl_classes classes[FL_FIELDS];
    fl_table hosts, targets, outcomes, records, cells, entries, entry_cells;
    fl_outcome *outcome; /* by place in outcomes */
    size_t n_outcomes, outcome_room;
    fl_rule_step *steps;
    size_t n_steps, step_room;
    uint32_t *outcomes_of; /* by rule: how many have it */
    size_t rule_room, host_outcomes;
    uint8_t again; /* in this chunk records are not looked up, or entries are from before */
    fl_sum *sizes; /* by place in records */
    size_t size_room;
    fl_measured *measured; /* by place in entries */
    size_t measured_room;

    fl_near near_records[FL_NEAR], near_outcomes[FL_NEAR];

    fl_seen seen; /* the hit at hand */
    int asks;     /* the field whose class is asked for, or FL_ASKS_OUTCOME; -1 */
    size_t asked; /* number of its value */
    int torn;     /* memory ran out within an outcome, which lacks steps: the next chunk asks anew */

    /* as in Measured; the keys that are numbered are (kind, place) */
    fl_column rules, segments, seconds, keys, hits, base, size_low, size_high, sketched, sketch_cells, counts;
    fl_column key_ends, name_kinds, name_places;
    uint8_t *key_text;
    size_t key_text_n, key_text_room;
    fl_column numbers[FL_KINDS]; /* by place: the number of its name and 1 */
} fl_rules;

#define FL_RULE_COLUMNS(DO)                                                                         \
    DO(rules) DO(segments) DO(seconds) DO(keys) DO(hits) DO(base) DO(size_low) DO(size_high)        \
    DO(sketched) DO(sketch_cells) DO(counts) DO(key_ends) DO(name_kinds) DO(name_places)

/* Room for `n` things of `size` bytes, those that are new being 0; 0 where there is no memory. */
static int fl_reserve(void **at, size_t *room, size_t n, size_t size) {
    if (n <= *room)
        return 1;
    size_t more = 2 * n + 64;
    uint8_t *grown = (uint8_t *)realloc(*at, more * size);
    if (!grown)
        return 0;
    memset(grown + *room * size, 0, (more - *room) * size);
    *at = grown;
    *room = more;
    return 1;
}

/* Without its keys, but with its memory, unless that is over what a table keeps. */
static inline void fl_table_clear(fl_table *table) {
    if (table->mask >= 4 * FL_MOST_KEYS || table->text_room > 4 * FL_MOST_TEXT) {
        fl_table_empty(table);
        return;
    }
    if (table->n)
        memset(table->slots, 0, (table->mask + 1) * sizeof *table->slots);
    table->n = table->text = 0;
}

static inline fl_key *fl_pair_key(fl_table *table, uint64_t first, uint64_t second) {
    uint64_t text[2] = {first, second};
    return fl_key_of(table, (const uint8_t *)text, sizeof text);
}

/* Put a pair at the end of a table in which it need not be found. */
static inline fl_key *fl_pair_append(fl_table *table, uint64_t first, uint64_t second) {
    if (table->n == table->room && !fl_table_grow(table))
        return NULL;
    fl_key *key = table->keys + table->n++;
    *key = (fl_key){.first = fl_load64((const uint8_t *)&first), .second = fl_load64((const uint8_t *)&second),
                    .length = 16};
    return key;
}

static inline void fl_pair_of(const fl_table *table, size_t place, uint64_t *first, uint64_t *second) {
    *first = fl_load64((const uint8_t *)&table->keys[place].first);
    *second = fl_load64((const uint8_t *)&table->keys[place].second);
}

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

/* The place of a pair in a table and 1; 0 where there is no memory. */
static inline size_t fl_near_place(fl_table *table, fl_near *near, uint64_t first, uint64_t second) {
    fl_near *at = near + ((first * 0x9e3779b97f4a7c15u + second) * 0x9e3779b97f4a7c15u >> 54);
    if (at->place && at->first == first && at->second == second)
        return at->place;
    const fl_key *key = fl_pair_key(table, first, second);
    if (!key)
        return 0;
    *at = (fl_near){first, second, (size_t)(key - table->keys) + 1};
    return at->place;
}

/* The place of a host's record, which is of the one outcome that has hosts, and 1; 0 where there is no memory. */
static inline size_t fl_host_record(fl_rules *rules, uint64_t first, uint64_t second, uint32_t row) {
    fl_key *host = rules->hosts.keys + (uint32_t)second;
    int known = host->pane == rules->hosts.pane; /* in these records */
    if (known && host->hits == row)
        return (size_t)host->number + 1;
    rules->again |= known && host->hits > row;
    if (!fl_pair_append(&rules->records, first, second))
        return 0;
    host->pane = rules->hosts.pane;
    host->hits = row;
    host->number = (uint32_t)rules->records.n - 1;
    return rules->records.n;
}

/* The hits of a record more by one, and what else its outcome wants of it. */
static inline int fl_record(fl_rules *rules, fl_outcome *outcome, unsigned kind, uint64_t key, uint32_t row) {
    size_t place;
    if (kind == FL_PER_NOTHING && outcome->row == row + 1) {
        place = outcome->record;
    } else {
        uint64_t first = row | (uint64_t)(outcome - rules->outcome) << 32, second = key | (uint64_t)kind << 32;
        place = kind == FL_PER_HOST && rules->host_outcomes == 1
                    ? fl_host_record(rules, first, second, row)
                    : fl_near_place(&rules->records, rules->near_records, first, second);
        if (!place--)
            return 0;
        if (kind == FL_PER_NOTHING) {
            outcome->row = row + 1;
            outcome->record = (uint32_t)place;
        }
    }
    fl_key *record = rules->records.keys + place;
    int is_new = !record->hits++;
    if (outcome->sized >> kind & 1) {
        if (!fl_reserve((void **)&rules->sizes, &rules->size_room, place + 1, sizeof *rules->sizes))
            return 0;
        rules->sizes[place] = rules->seen.size + (is_new ? 0 : rules->sizes[place]);
    }
    if (outcome->sketched >> kind & 1) {
        fl_key *cell = fl_pair_key(&rules->cells, place, fl_cell_of((uint64_t)rules->seen.duration));
        if (!cell)
            return 0;
        cell->hits++;
    }
    return 1;
}

/* The keys of the hit that are looked up for rules alone; 0 where there is no memory. */
static inline int fl_rules_keys(fl_rules *rules, uint32_t *host, uint32_t *target) {
    const fl_seen *seen = &rules->seen;
    if (rules->has_hosts) {
        const fl_key *key = fl_key_of(&rules->hosts, seen->host, seen->host_length);
        if (!key)
            return 0;
        *host = (uint32_t)(key - rules->hosts.keys);
    }
    if (rules->looked_at[FL_OF_TARGET]) {
        const fl_key *key = fl_key_of(&rules->targets, seen->target, seen->target_length);
        if (!key)
            return 0;
        *target = (uint32_t)(key - rules->targets.keys);
    }
    return 1;
}

/* Count the hit at hand, which the fold has counted; 0 where something is asked for first. */
static inline int fl_rules_count(fl_rules *rules, fl_fold *fold) {
    const fl_seen *seen = &rules->seen;
    uint32_t host = 0, target = 0;
    rules->asks = -1;
    if (fold->in_future)
        return 1;
    if (!fl_rules_keys(rules, &host, &target)) {
        fold->failed = 1;
        return 1;
    }
    uint16_t classes[8] = {0};
#define FL_CLASSIFY(field, number)                                                                  \
    if (rules->looked_at[field] && !(classes[field] = fl_class(rules, field, number)))              \
        return 0;
    FL_CLASSIFY(FL_OF_SECTION, seen->section)
    FL_CLASSIFY(FL_OF_METHOD, seen->method)
    FL_CLASSIFY(FL_OF_STATUS, seen->status)
    FL_CLASSIFY(FL_OF_HOST, host)
    FL_CLASSIFY(FL_OF_SIZE, fl_interval(&rules->size_edges, (int64_t)seen->size))
    FL_CLASSIFY(FL_OF_DURATION,
                seen->duration < 0 ? 0 : 1 + fl_interval(&rules->duration_edges, seen->duration))
    FL_CLASSIFY(FL_OF_TARGET, target)
#undef FL_CLASSIFY
    uint64_t both[2];
    memcpy(both, classes, sizeof both);
    size_t place = fl_near_place(&rules->outcomes, rules->near_outcomes, both[0], both[1]);
    if (!place--) {
        fold->failed = 1;
        return 1;
    }
    if (place >= rules->n_outcomes) {
        rules->asks = FL_ASKS_OUTCOME;
        return 0;
    }
    const uint64_t keys[FL_KINDS] = {0, seen->section, seen->status, seen->method, host};
    fl_outcome *outcome = rules->outcome + place;
    for (uint32_t kinds = outcome->kinds; kinds; kinds &= kinds - 1) {
        unsigned kind = (unsigned)__builtin_ctz(kinds);
        if (!fl_record(rules, outcome, kind, keys[kind], (uint32_t)fold->row))
            fold->failed = 1;
    }
    return 1;
}

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
        !fl_reserve((void **)&rules->outcomes_of, &rules->rule_room, rule + 1, sizeof *rules->outcomes_of)) {
        rules->torn = 1;
        return 0;
    }
    rules->steps[rules->n_steps++] =
        (fl_rule_step){rule, (uint8_t)kind, (uint8_t)counts, (uint8_t)sketched, (uint8_t)sized};
    rules->outcomes_of[rule]++;
    fl_outcome *outcome = rules->outcome + rules->n_outcomes - 1;
    if (kind == FL_PER_HOST && !(outcome->kinds >> kind & 1))
        rules->again |= ++rules->host_outcomes == 2;
    outcome->n++;
    outcome->kinds |= 1u << kind;
    outcome->sketched |= (uint32_t)!!sketched << kind;
    outcome->sized |= (uint32_t)!!sized << kind;
    return 1;
}

/* The entry of a step for a record; NULL where there is no memory. */
static inline fl_key *fl_entry(fl_rules *rules, uint64_t record_first, uint64_t second, const fl_rule_step *step) {
    uint64_t first = (uint32_t)record_first | (uint64_t)step->rule << 32;
    if (rules->again || step->sketched || rules->outcomes_of[step->rule] > 1)
        return fl_pair_key(&rules->entries, first, second);
    return fl_pair_append(&rules->entries, first, second);
}

static int fl_record_flush(fl_rules *rules, size_t place) {
    uint64_t first, second;
    fl_pair_of(&rules->records, place, &first, &second);
    const fl_outcome *outcome = rules->outcome + (first >> 32);
    uint64_t hits = rules->records.keys[place].hits;
    for (const fl_rule_step *step = rules->steps + outcome->first, *end = step + outcome->n; step < end; step++) {
        if (step->kind != second >> 32)
            continue;
        fl_key *entry = fl_entry(rules, first, second, step);
        size_t at = entry ? (size_t)(entry - rules->entries.keys) : 0;
        if (!entry || !fl_reserve((void **)&rules->measured, &rules->measured_room, at + 1, sizeof *rules->measured))
            return 0;
        fl_measured *sums = rules->measured + at;
        entry->hits += step->counts ? hits : 0;
        sums->base += (int64_t)hits;
        sums->size += step->sized ? rules->sizes[place] : 0;
    }
    return 1;
}

static int fl_cell_flush(fl_rules *rules, size_t place) {
    uint64_t record, cell, first, second;
    fl_pair_of(&rules->cells, place, &record, &cell);
    fl_pair_of(&rules->records, record, &first, &second);
    const fl_outcome *outcome = rules->outcome + (first >> 32);
    for (const fl_rule_step *step = rules->steps + outcome->first, *end = step + outcome->n; step < end; step++) {
        if (step->kind != second >> 32 || !step->sketched)
            continue;
        const fl_key *entry = fl_entry(rules, first, second, step);
        fl_key *sum = entry ? fl_pair_key(&rules->entry_cells, (uint64_t)(entry - rules->entries.keys), cell) : NULL;
        if (!sum)
            return 0;
        sum->hits += rules->cells.keys[place].hits;
    }
    return 1;
}

static inline void fl_records_clear(fl_rules *rules) {
    fl_table_clear(&rules->records);
    fl_table_clear(&rules->cells);
    memset(rules->near_records, 0, sizeof rules->near_records);
    fl_table_turn(&rules->hosts); /* none has a record */
    for (size_t place = 0; place < rules->n_outcomes; place++)
        rules->outcome[place].row = 0;
}

/* Records become entries, or are added to them. */
static void fl_rules_flush(fl_rules *rules, fl_fold *fold) {
    for (size_t place = 0; place < rules->records.n && !fold->failed; place++)
        fold->failed = !fl_record_flush(rules, place);
    for (size_t place = 0; place < rules->cells.n && !fold->failed; place++)
        fold->failed = !fl_cell_flush(rules, place);
    fl_records_clear(rules);
}

/* Forget the classes of a field. */
static inline void fl_classes_clear(fl_classes *classes) {
    if (classes->room)
        memset(classes->at, 0, classes->room * sizeof *classes->at);
}

/* Forget the outcomes, of which there are no records. */
static inline void fl_outcomes_clear(fl_rules *rules) {
    fl_table_clear(&rules->outcomes);
    memset(rules->near_outcomes, 0, sizeof rules->near_outcomes);
    rules->n_outcomes = rules->n_steps = rules->host_outcomes = 0;
    if (rules->outcomes_of)
        memset(rules->outcomes_of, 0, rules->rule_room * sizeof *rules->outcomes_of);
    rules->torn = 0;
}

/* Forget all classes and outcomes: they get other numbers. */
static inline void fl_rules_forget(fl_rules *rules, fl_fold *fold) {
    rules->again = 1;
    fl_rules_flush(rules, fold);
    for (int field = 0; field < FL_FIELDS; field++)
        fl_classes_clear(rules->classes + field);
    fl_outcomes_clear(rules);
}

/* Begin a chunk, which the fold has begun: the classes of keys go with the keys. */
static inline void fl_rules_begin(fl_rules *rules, const fl_fold *fold) {
    if (rules->hosts.n > rules->bound || rules->hosts.text > FL_MOST_TEXT)
        fl_table_clear(&rules->hosts);
    if (rules->targets.n > rules->bound || rules->targets.text > FL_MOST_TEXT)
        fl_table_clear(&rules->targets);
    const struct { const fl_table *table; int field; } of[] = {{&fold->sections, FL_OF_SECTION},
        {&fold->methods, FL_OF_METHOD}, {&rules->hosts, FL_OF_HOST}, {&rules->targets, FL_OF_TARGET}};
    for (int i = 0; i < 4; i++)
        if (!of[i].table->n)
            fl_classes_clear(rules->classes + of[i].field);
    fl_records_clear(rules);
    if (rules->torn)
        fl_outcomes_clear(rules);
    fl_table_clear(&rules->entries);
    fl_table_clear(&rules->entry_cells);
    if (rules->measured)
        memset(rules->measured, 0, rules->measured_room * sizeof *rules->measured);
    rules->asks = -1;
    rules->again = 0;
    rules->key_text_n = 0;
#define FL_EMPTY(column) rules->column.n = 0;
    FL_RULE_COLUMNS(FL_EMPTY)
#undef FL_EMPTY
}

/* Put the name of a key behind those that there are. 0 where there is no memory. */
static int fl_key_name(fl_rules *rules, const fl_fold *fold, unsigned kind, size_t place) {
    const fl_table *tables[FL_KINDS] = {
        [FL_PER_SECTION] = &fold->sections, [FL_PER_METHOD] = &fold->methods, [FL_PER_HOST] = &rules->hosts};
    uint8_t status[3] = {(uint8_t)('0' + place / 100), (uint8_t)('0' + place / 10 % 10), (uint8_t)('0' + place % 10)};
    const uint8_t *text = status;
    size_t length = kind == FL_PER_STATUS ? sizeof status : 0;
    if (tables[kind]) {
        text = tables[kind]->arena + tables[kind]->keys[place].text;
        length = tables[kind]->keys[place].length;
    }
    if (!fl_reserve((void **)&rules->key_text, &rules->key_text_room, rules->key_text_n + length + 1, 1))
        return 0;
    memcpy(rules->key_text + rules->key_text_n, text, length);
    rules->key_text_n += length;
    return fl_push(&rules->key_ends, (int64_t)rules->key_text_n);
}

/* The number of a key in the chunk; -1 where there is no memory. */
static int64_t fl_key_number(fl_rules *rules, const fl_fold *fold, unsigned kind, size_t place) {
    fl_column *numbers = rules->numbers + kind;
    while (numbers->n <= place)
        if (!fl_push(numbers, 0))
            return -1;
    if (!numbers->at[place]) {
        if (!fl_push(&rules->name_kinds, kind) || !fl_push(&rules->name_places, (int64_t)place) ||
            !fl_key_name(rules, fold, kind, place))
            return -1;
        numbers->at[place] = (int64_t)rules->name_kinds.n;
    }
    return numbers->at[place] - 1;
}

typedef struct {
    int64_t cell, count;
} fl_counted;

static int fl_by_cell(const void *a, const void *b) {
    int64_t one = ((const fl_counted *)a)->cell, other = ((const fl_counted *)b)->cell;
    return (one > other) - (one < other);
}

/* The sketches of all entries, one after the other, each ascending by cell. */
static int fl_rules_sketches(fl_rules *rules) {
    size_t n = rules->entry_cells.n, entries = rules->entries.n;
    fl_counted *sorted = (fl_counted *)malloc((n + 1) * sizeof *sorted);
    size_t *ends = (size_t *)calloc(entries + 1, sizeof *ends);
    int done = sorted && ends;
    uint64_t entry, cell;
    for (size_t i = 0; done && i < n; i++) {
        fl_pair_of(&rules->entry_cells, i, &entry, &cell);
        ends[entry + 1]++;
    }
    for (size_t i = 0; done && i < entries; i++) {
        done = fl_push(&rules->sketched, (int64_t)ends[i + 1]);
        ends[i + 1] += ends[i];
    }
    for (size_t i = 0; done && i < n; i++) { /* afterwards each begins where the next one did */
        fl_pair_of(&rules->entry_cells, i, &entry, &cell);
        sorted[ends[entry]++] = (fl_counted){(int64_t)cell, (int64_t)rules->entry_cells.keys[i].hits};
    }
    for (size_t i = 0, start = 0; done && i < entries; start = ends[i++])
        if (ends[i] - start > 1)
            qsort(sorted + start, ends[i] - start, sizeof *sorted, fl_by_cell);
    for (size_t i = 0; done && i < n; i++)
        done = fl_push(&rules->sketch_cells, sorted[i].cell) && fl_push(&rules->counts, sorted[i].count);
    free(sorted);
    free(ends);
    return done;
}

/* End a chunk, which the fold has ended: every column is complete. */
static void fl_rules_end(fl_rules *rules, fl_fold *fold) {
    fl_rules_flush(rules, fold);
    size_t segment = 0, end = fold->segment_rows.n ? (size_t)fold->segment_rows.at[0] : 0;
    for (size_t place = 0; place < rules->entries.n && !fold->failed; place++) {
        uint64_t first, second;
        fl_pair_of(&rules->entries, place, &first, &second);
        size_t row = (uint32_t)first;
        while (row >= end && segment + 1 < fold->segment_rows.n) /* entries ascend by segment, as rows do */
            end += (size_t)fold->segment_rows.at[++segment];
        const fl_measured *sums = rules->measured + place;
        int64_t number = fl_key_number(rules, fold, (unsigned)(second >> 32), (uint32_t)second);
        fold->failed = number < 0 || !fl_push(&rules->rules, (int64_t)(first >> 32)) ||
                       !fl_push(&rules->segments, (int64_t)segment) ||
                       !fl_push(&rules->seconds, fold->seconds.at[row]) || !fl_push(&rules->keys, number) ||
                       !fl_push(&rules->hits, (int64_t)rules->entries.keys[place].hits) ||
                       !fl_push(&rules->base, sums->base) ||
                       !fl_push(&rules->size_low, (int64_t)(sums->size & (((fl_sum)1 << 62) - 1))) ||
                       !fl_push(&rules->size_high, (int64_t)(sums->size >> 62));
    }
    if (!fold->failed)
        fold->failed = !fl_rules_sketches(rules);
    for (size_t i = 0; i < rules->name_places.n; i++)
        rules->numbers[rules->name_kinds.at[i]].at[rules->name_places.at[i]] = 0;
}

static inline fl_rules *fl_rules_new(uint64_t seed, size_t bound) {
    fl_rules *rules = (fl_rules *)calloc(1, sizeof *rules);
    if (rules) {
        fl_table *tables[] = {&rules->hosts, &rules->targets, &rules->outcomes, &rules->records, &rules->cells,
                              &rules->entries, &rules->entry_cells};
        for (int i = 0; i < 7; i++)
            tables[i]->seed = seed;
        rules->bound = bound;
        rules->asks = -1;
    }
    return rules;
}

static inline void fl_rules_free(fl_rules *rules) {
    if (!rules)
        return;
    fl_table *tables[] = {&rules->hosts, &rules->targets, &rules->outcomes, &rules->records, &rules->cells,
                          &rules->entries, &rules->entry_cells};
    for (int i = 0; i < 7; i++)
        fl_table_free(tables[i]);
    for (int field = 0; field < FL_FIELDS; field++)
        free(rules->classes[field].at);
    for (int kind = 0; kind < FL_KINDS; kind++)
        free(rules->numbers[kind].at);
#define FL_FREE(column) free(rules->column.at);
    FL_RULE_COLUMNS(FL_FREE)
#undef FL_FREE
    free(rules->size_edges.at);
    free(rules->duration_edges.at);
    free(rules->outcome);
    free(rules->outcomes_of);
    free(rules->steps);
    free(rules->sizes);
    free(rules->measured);
    free(rules->key_text);
    free(rules);
}

#endif
