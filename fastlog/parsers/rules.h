/* What rules see of hits. The twin of fastlog/parsers/measure.py.
 *
 * Hits are gathered as long as they are of one second, and then looked at (fl_rules_go_on). Those that no rule
 * tells apart are gathered together, in a *cell*: by section, method, status and interval of the size, as far as
 * rules know these. So a line costs a look for its cell, and a count; how many rules there are it does not
 * notice. Hits of which rules look at more, a host, a target, a duration, are gathered one by one; so are those
 * for which there is no cell, since sections, methods or statuses are many.
 *
 * What the rules make of a hit, its outcome, is in outcomes.h. Where that needs an answer of Python first
 * (the functions return 0, `asks` says what is asked, `seen` of which hit), they go on with this hit when it is
 * there. The texts of a hit are those of the block: before that ends, all are looked at.
 *
 * What is looked at goes to two *tallies*: one for hits of a section of which the rules that know sections count
 * the same, and one for those of an outcome, a status and a method, where rules know these. When the run of
 * lines of one second is over, what the tallies have goes to the entries (entries.h) of their rules: so the
 * rules are gone through once for what many cells have in common. Tallies stand in a table that does not grow:
 * where there is no room for one, all go to their entries before.
 *
 * What tallies do not know is counted line by line: hosts, which are fetched from memory as they are gathered,
 * and sketches of durations.
 *
 * Entries live for a chunk; hosts and targets live on, up to `bound`; cells of FL_MOST_ROWS sections (16 MiB),
 * and classes and outcomes as long as Python keeps them.
 *
 * Over 300 lines, since all of it is one state.
 */
#ifndef FASTLOG_RULES_H
#define FASTLOG_RULES_H

#include "hosts.h"
#include "outcomes.h"

#define FL_ASKS_OUTCOME FL_FIELDS
#define FL_NO_DURATION (-1)
#define FL_GATHERED 32 /* one by one */
#define FL_VARIANTS 128 /* of a section, and as many cells in its row */
#define FL_VARIED_METHODS 8 /* of these, by place, there are variants */
#define FL_VARIED_SIZES 4 /* and of these intervals */
#ifndef FL_MOST_ROWS
#define FL_MOST_ROWS 4096
#endif
#ifndef FL_ORDER
#define FL_ORDER 1024
#endif
#define FL_SINGLE (1u << 31) /* in the order: a hit that was gathered alone */
#define FL_ROWS 8 /* a power of two */
#define FL_MUCH ((uint64_t)1 << 34) /* hits of a chunk that have less add up to less than 2^62 */
#ifndef FL_TALLY_BITS
#define FL_TALLY_BITS 12
#endif
#define FL_TALLIES (((size_t)1 << FL_TALLY_BITS) + FL_PROBES) /* of sections, and as many others */
#define FL_PROBES 8 /* places where one may stand */
#define FL_APART 61 /* places between the tallies of a section */
#define FL_OF_METHODS 10 /* bits of a status */
#define FL_OF_OUTCOME 37 /* bits of a method and a status */

/* Hits of the run of lines at hand of which rules make the same. */
typedef struct {
    uint64_t of; /* section and share; or else outcome, method and status: see fl_rules_hits */
    uint64_t size;
    uint64_t hits;
} fl_tally;

/* Hits of the run that no rule tells apart, and have a section in common: a row of these each has, by variant. */
typedef struct {
    uint64_t size;
    uint32_t hits, outcome; /* outcome: its number and 1; 0 where it is not known */
} fl_cell;

/* What tells the cells of a section apart. */
typedef struct {
    uint64_t key; /* of method and status: fl_seen_key */
    size_t size;  /* the interval */
} fl_variant;

/* Of the keys of a kind, by place. */
typedef struct {
    fl_mark (*at)[FL_ROWS]; /* by row, so that seconds may go back some rows */
    size_t room;
} fl_marks;

/* A hit as rules see it. */
typedef struct {
    uint32_t section, method; /* places in their tables */
    unsigned status;
    uint32_t target_length;
    const uint8_t *target; /* readable for 16 bytes */
    uint64_t size;
    int64_t duration; /* in microseconds; FL_NO_DURATION */
    fl_sought host; /* which is fetched as the hit is gathered */
} fl_seen;

typedef struct fl_rules {
    uint8_t has_hosts;
    uint8_t tallied[FL_PER_HOST]; /* by kind: whether some rule is counted by tallies */
    uint8_t has_others; /* whether some that is not by section */
    uint64_t told;      /* what of method and status tells tallies apart */
    fl_column size_edges, duration_edges;
    uint64_t least_edge; /* of sizes, or FL_MUCH if that is less */
    size_t bound;
    fl_outcomes outcomes;
    fl_hosts hosts;
    fl_table targets;

    fl_tally *tallies; /* FL_TALLIES of sections, and as many others */
    uint32_t *touched[2]; /* those with hits, by first appearance: of sections, others; room for all, and one more */
    size_t n_touched[2];
    fl_marks marks[FL_PER_HOST]; /* by kind; those of hosts are in the hosts */
    uint32_t stamp, last_stamp;  /* of the row of the run, 0 before the first; the greatest that there was */
    fl_entries entries;

    int has_cells;  /* a line is no more to the rules than its cell */
    int64_t second; /* of the run, if there are cells; FL_NEVER where the next hit may be of another run */
    uint32_t tells_section; /* all bits where rules tell sections apart, or none */
    uint64_t tells;         /* so of method and status */
    fl_cell *cells;
    size_t cell_room;
    fl_variant variants[FL_VARIANTS]; /* from 1 on */
    size_t n_variants;
    uint8_t variant_of[FL_VARIED_SIZES * FL_VARIED_METHODS << FL_OF_METHODS]; /* 0 where there is none */
    uint32_t order[FL_ORDER + 1]; /* by first appearance: cells with hits, and FL_SINGLE and a place in `gathered` */
    size_t n_order, n_looked_at; /* looked_at: of the order */
    fl_seen gathered[FL_GATHERED + 1]; /* hits of the run, and behind them perhaps one of the next */
    size_t n_gathered;
    fl_seen example; /* of a cell whose outcome is asked for */
    uint32_t next_stamp; /* of the run of the hit that comes next */
    const fl_seen *seen; /* the hit at hand */
    int asks;     /* the field whose class is asked for, or FL_ASKS_OUTCOME; -1 */
    size_t asked; /* number of its value */
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

/* -- hits ------------------------------------------------------------------------------------- */

/* The group of a key that is no host. NULL where there is no memory. */
static inline fl_group *fl_rules_group(fl_rules *rules, uint32_t kind, uint32_t place) {
    fl_marks *marks = rules->marks + kind;
    if (!fl_reserve((void **)&marks->at, &marks->room, (size_t)place + 1, sizeof *marks->at))
        return NULL;
    return fl_group_at(&rules->entries, marks->at[place] + rules->stamp % FL_ROWS, rules->stamp, kind, place);
}

/* The group of the key of a hit in a kind. NULL where there is no memory. */
static inline fl_group *fl_seen_group(fl_rules *rules, const fl_seen *seen, uint32_t kind) {
    if (kind == FL_PER_HOST) {
        fl_host *host = fl_host_of(&rules->hosts, &seen->host);
        return host ? fl_group_named(&rules->entries, &host->mark, rules->stamp, FL_PER_HOST, host->number - 1,
                                     seen->host.text, seen->host.length)
                    : NULL;
    }
    return fl_rules_group(rules, kind, kind == FL_PER_SECTION  ? seen->section
                                       : kind == FL_PER_STATUS ? seen->status
                                       : kind == FL_PER_METHOD ? seen->method
                                                               : 0);
}

/* Count in its entries what tallies do not know of a hit. 0 where there is no memory. */
static inline int fl_rules_line(fl_rules *rules, const fl_seen *seen, uint32_t number) {
    const fl_share *share = rules->outcomes.shares + number - 1;
    const fl_goal *to = rules->outcomes.goals + share->first, *end = to + share->n;
    fl_entries *entries = &rules->entries;
    fl_group *group = NULL;
    if (!fl_entries_room(entries, share->n))
        return 0;
    for (uint32_t kind = FL_KINDS; to < end; to++) {
        if (to->kind != kind) { /* else it is that of the rule before */
            kind = to->kind;
            if (!(group = fl_seen_group(rules, seen, kind)))
                return 0;
        }
        fl_entry *entry = fl_entry_of(entries, (uint32_t)(group - entries->groups), to->rule,
                                      fl_group_numbers(entries, group) + to->rank);
        entry->hits += to->counts;
        entry->base++;
        if (to->sized)
            fl_entry_size(entries, entry, seen->size);
        if (to->sketched && seen->duration >= 0 && !fl_entry_duration(entries, entry, seen->duration))
            return 0;
    }
    return 1;
}

/* Hits of a key go to the entries of the rules of a share. 0 where there is no memory. */
static inline int fl_rules_credit(fl_rules *rules, const fl_tally *tally, uint32_t kind, uint32_t place,
                                  uint32_t number) {
    fl_entries *entries = &rules->entries;
    if (!number)
        return 1;
    const fl_share *share = rules->outcomes.shares + number - 1;
    fl_group *group = fl_rules_group(rules, kind, place);
    if (!group || !fl_entries_room(entries, share->n))
        return 0;
    const uint32_t at = (uint32_t)(group - entries->groups), hits = (uint32_t)tally->hits;
    uint32_t *numbers = fl_group_numbers(entries, group);
    const fl_goal *to = rules->outcomes.goals + share->first, *end = to + share->n;
    for (; to < end; to++) {
        fl_entry *entry = fl_entry_of(entries, at, to->rule, numbers + to->rank);
        entry->hits += to->counts ? hits : 0;
        entry->base += hits;
        if (to->sized)
            fl_entry_size(entries, entry, tally->size);
    }
    return 1;
}

/* What the tallies have goes to its entries. 0 where there is no memory. */
static int fl_rules_flush(fl_rules *rules) {
    int done = 1;
    for (size_t i = 0; i < rules->n_touched[0]; i++) {
        fl_tally *tally = rules->tallies + rules->touched[0][i];
        done &= fl_rules_credit(rules, tally, FL_PER_SECTION, (uint32_t)(tally->of >> 32), (uint32_t)tally->of);
        tally->hits = tally->size = 0;
    }
    for (size_t i = 0; i < rules->n_touched[1]; i++) {
        fl_tally *tally = rules->tallies + rules->touched[1][i];
        const fl_outcome *outcome = rules->outcomes.at + (tally->of >> FL_OF_OUTCOME) - 1;
        const uint32_t status = (uint32_t)tally->of & ((1u << FL_OF_METHODS) - 1);
        const uint32_t method = (uint32_t)(tally->of >> FL_OF_METHODS) & ((1u << 27) - 1);
        done &= fl_rules_credit(rules, tally, FL_PER_NOTHING, 0, outcome->shares[FL_PER_NOTHING]) &&
                fl_rules_credit(rules, tally, FL_PER_STATUS, status, outcome->shares[FL_PER_STATUS]) &&
                fl_rules_credit(rules, tally, FL_PER_METHOD, method, outcome->shares[FL_PER_METHOD]);
        tally->hits = tally->size = 0;
    }
    rules->n_touched[0] = rules->n_touched[1] = 0;
    return done;
}

/* The place of a tally, which is not the first of those where it may stand. `*done` becomes 0 where memory has
 * run out. */
static uint32_t fl_tally_find(fl_rules *rules, uint32_t first, uint64_t of, int *done) {
    uint32_t at = first;
    while (at < first + FL_PROBES && rules->tallies[at].of != of && rules->tallies[at].hits)
        at++;
    if (at == first + FL_PROBES) {
        *done &= fl_rules_flush(rules);
        at = first;
    }
    rules->tallies[at].of = of;
    return at;
}

/* The number of a hit's value of a field, by which its class is known; -1 where there is no memory. */
static int64_t fl_seen_number(fl_rules *rules, const fl_seen *seen, int field) {
    const fl_host *host;
    const fl_key *target;
    switch (field) {
    case FL_OF_SECTION:
        return seen->section;
    case FL_OF_METHOD:
        return seen->method;
    case FL_OF_STATUS:
        return seen->status;
    case FL_OF_HOST:
        host = fl_host_of(&rules->hosts, &seen->host);
        return host ? (int64_t)host->number - 1 : -1;
    case FL_OF_SIZE:
        return (int64_t)fl_interval(&rules->size_edges, (int64_t)seen->size);
    case FL_OF_DURATION:
        return seen->duration < 0 ? 0 : 1 + (int64_t)fl_interval(&rules->duration_edges, seen->duration);
    default:
        target = fl_key_of(&rules->targets, seen->target, seen->target_length);
        return target ? target - rules->targets.keys : -1;
    }
}

/* The outcome of a hit; NULL where something is asked for first, or there is no memory. */
static const fl_outcome *fl_rules_outcome_of(fl_rules *rules, fl_fold *fold, const fl_seen *seen) {
    fl_outcomes *outcomes = &rules->outcomes;
    uint16_t classes[8] = {0};
    size_t numbers[FL_FIELDS] = {0};
    rules->seen = seen;
    for (int field = 0; field < FL_FIELDS; field++) {
        if (!outcomes->looked_at[field])
            continue;
        const int64_t number = fl_seen_number(rules, seen, field);
        if (number < 0 || !fl_classes_room(outcomes, field, (size_t)number + 1)) {
            fold->failed = 1;
            return NULL;
        }
        numbers[field] = (size_t)number;
        classes[field] = outcomes->classes[field].at[number];
        if (!classes[field]) {
            rules->asks = field;
            rules->asked = numbers[field];
            return NULL;
        }
    }
    int asks = 0;
    const fl_outcome *outcome = fl_outcome_find(outcomes, classes, &asks);
    if (outcome)
        fl_outcomes_map(outcomes, numbers, classes, (size_t)(outcome - outcomes->at));
    else if (asks)
        rules->asks = FL_ASKS_OUTCOME;
    else
        fold->failed = 1;
    return outcome;
}

/* The numbers of single hits' outcomes, each and 1; 0 where the map does not know it. */
static void fl_rules_numbers(fl_rules *rules, uint32_t *numbers) {
    const fl_outcomes *outcomes = &rules->outcomes;
    const size_t n = rules->n_gathered;
    memset(numbers, 0, n * sizeof *numbers);
    for (int field = 0; field < FL_FIELDS; field++) {
        const fl_classes *classes = outcomes->classes + field;
        for (size_t i = 0; outcomes->looked_at[field] && i < n; i++) {
            const int64_t number = fl_seen_number(rules, rules->gathered + i, field);
            numbers[i] |= number < 0 || (size_t)number >= classes->room ? FL_UNKNOWN : (uint32_t)classes->parts[number];
        }
    }
    for (size_t i = 0; i < n; i++)
        numbers[i] = numbers[i] >> FL_MAP_BITS ? 0 : outcomes->map[numbers[i]];
}

/* Have room for the classes of all values that are known by number before. 0 where there is no memory. */
static int fl_rules_room(fl_rules *rules, const fl_fold *fold) {
    const size_t values[] = {fold->sections.n, fold->methods.n, FL_STATUSES, 0, rules->size_edges.n + 1,
                             rules->duration_edges.n + 2, 0};
    for (int field = 0; field < FL_FIELDS; field++)
        if (!fl_classes_room(&rules->outcomes, field, values[field]))
            return 0;
    return 1;
}

/* Count hits in the tally that stands at `first`, or behind it, of sections (0) or others (1). 0 where memory has
 * run out. */
static inline int fl_tally_hits(fl_rules *rules, int which, uint32_t first, uint64_t of, uint64_t hits,
                                uint64_t size) {
    int done = 1;
    const uint32_t at = rules->tallies[first].of == of ? first : fl_tally_find(rules, first, of, &done);
    fl_tally *tally = rules->tallies + at;
    rules->touched[which][rules->n_touched[which]] = at;
    rules->n_touched[which] += !tally->hits; /* which of both, no processor can foretell */
    tally->hits += hits;
    tally->size += size;
    return done;
}

/* Count hits of an outcome and its number, and 1, in their tallies; `key`: of method and status. 0 where memory
 * has run out. */
static inline int fl_rules_tally(fl_rules *rules, uint32_t number, uint32_t section, uint64_t key, uint64_t hits,
                                 uint64_t size) {
    int done = 1;
    if (rules->tallied[FL_PER_SECTION]) {
        const uint32_t share = rules->outcomes.at[number - 1].shares[FL_PER_SECTION];
        done &= fl_tally_hits(rules, 0, (section + FL_APART * share) % (1u << FL_TALLY_BITS),
                              (uint64_t)section << 32 | share, hits, size);
    }
    if (rules->has_others) { /* places are less than 2^27: each had a line of a chunk of its own */
        const uint64_t of = (uint64_t)number << FL_OF_OUTCOME | (key & rules->told);
        done &= fl_tally_hits(rules, 1, (uint32_t)FL_TALLIES +
                              (uint32_t)(of * 0x9e3779b97f4a7c15u >> (64 - FL_TALLY_BITS)), of, hits, size);
    }
    return size < FL_MUCH ? done : done & fl_rules_flush(rules);
}

/* What tells hits apart by method and status. */
static inline uint64_t fl_seen_key(const fl_seen *seen) {
    return (uint64_t)seen->method << FL_OF_METHODS | seen->status;
}

/* Look at what is gathered, from a place in the order on, as far as outcomes are known: how far that is. */
static size_t fl_rules_hits(fl_rules *rules, fl_fold *fold, size_t i, const uint32_t *numbers) {
    const size_t n = rules->n_order;
    int done = 1;
    for (; i < n; i++) {
        const uint32_t place = rules->order[i];
        if (place < FL_SINGLE) {
            fl_cell *cell = rules->cells + place;
            const fl_variant *variant = rules->variants + place % FL_VARIANTS;
            if (!cell->outcome)
                break;
            done &= fl_rules_tally(rules, cell->outcome, place / FL_VARIANTS, variant->key, cell->hits, cell->size);
            cell->hits = 0;
            cell->size = 0;
        } else {
            const uint32_t number = numbers[place - FL_SINGLE];
            const fl_seen *seen = rules->gathered + (place - FL_SINGLE);
            if (!number)
                break;
            const uint32_t by_line = rules->outcomes.at[number - 1].by_line;
            done &= fl_rules_tally(rules, number, seen->section, fl_seen_key(seen), 1, seen->size);
            if (by_line)
                done &= fl_rules_line(rules, seen, by_line);
        }
    }
    fold->failed |= !done;
    return i;
}

/* Nothing is gathered: what was not looked at is dropped, of a chunk that failed. */
static void fl_rules_drop(fl_rules *rules) {
    for (size_t i = rules->n_looked_at; i < rules->n_order; i++) {
        if (rules->order[i] < FL_SINGLE) {
            rules->cells[rules->order[i]].hits = 0;
            rules->cells[rules->order[i]].size = 0;
        }
    }
    rules->n_order = rules->n_gathered = rules->n_looked_at = 0;
}

/* No cell knows its outcome any more. */
static inline void fl_cells_forget(fl_rules *rules) {
    for (size_t i = 0; i < rules->cell_room; i++)
        rules->cells[i].outcome = 0;
}

/* A hit that is as those of a cell. */
static inline const fl_seen *fl_rules_example(fl_rules *rules, uint32_t place) {
    const fl_variant *variant = rules->variants + place % FL_VARIANTS;
    rules->example = (fl_seen){.section = place / FL_VARIANTS, .method = (uint32_t)(variant->key >> FL_OF_METHODS),
                               .status = (uint32_t)variant->key & ((1u << FL_OF_METHODS) - 1),
                               .duration = FL_NO_DURATION};
    if (variant->size)
        rules->example.size = (uint64_t)rules->size_edges.at[variant->size - 1];
    return &rules->example;
}

/* Look at what is gathered; 0 where something is asked for first. With memory gone (`failed`) no more is. */
static int fl_rules_look(fl_rules *rules, fl_fold *fold) {
    uint32_t numbers[FL_GATHERED];
    fold->failed = fold->failed || !fl_rules_room(rules, fold);
    if (!fold->failed)
        fl_rules_numbers(rules, numbers);
    while (!fold->failed) {
        rules->n_looked_at = fl_rules_hits(rules, fold, rules->n_looked_at, numbers);
        if (rules->n_looked_at == rules->n_order)
            break;
        const unsigned laid = rules->outcomes.laid;
        const uint32_t place = rules->order[rules->n_looked_at];
        const fl_outcome *outcome = fl_rules_outcome_of(
            rules, fold, place < FL_SINGLE ? fl_rules_example(rules, place) : rules->gathered + (place - FL_SINGLE));
        if (rules->asks >= 0)
            return 0;
        if (laid != rules->outcomes.laid)
            fl_rules_numbers(rules, numbers);
        if (outcome)
            *(place < FL_SINGLE ? &rules->cells[place].outcome : numbers + (place - FL_SINGLE)) =
                (uint32_t)(outcome - rules->outcomes.at) + 1;
    }
    return 1;
}

/* Count a hit of a cell. */
static inline void fl_cell_hit(fl_rules *rules, uint32_t place, uint64_t size) {
    fl_cell *cell = rules->cells + place;
    const size_t n = rules->n_order;
    rules->order[n] = place;
    rules->n_order = n + !cell->hits++; /* which of both, no processor can foretell */
    cell->size += size;
}

/* The interval of a size that is not in the first; FL_VARIED_SIZES where there are no cells of it. */
static size_t fl_greater_size(const fl_rules *rules, uint64_t size) {
    return size < FL_MUCH ? fl_interval(&rules->size_edges, (int64_t)size) : FL_VARIED_SIZES;
}

/* The interval of a size, as far as there are cells of it. */
static inline size_t fl_varied_size(const fl_rules *rules, uint64_t size) {
    return size < rules->least_edge ? 0 : fl_greater_size(rules, size);
}

/* Count a hit in its cell, if that is there already, and the hit of the run: 1; or else 0, and it is to be put
 * down. Never inlined: lines of which no rule asks would be the slower for it. */
static __attribute__((noinline)) int fl_rules_alike(fl_rules *rules, int64_t second, uint32_t section,
                                                    uint32_t method, uint32_t status, uint64_t size) {
    const uint64_t number = ((uint64_t)method << FL_OF_METHODS | status) & rules->tells;
    const size_t varied = fl_varied_size(rules, size);
    if (second != rules->second || number >= FL_VARIED_METHODS << FL_OF_METHODS || varied >= FL_VARIED_SIZES)
        return 0;
    const uint32_t variant = rules->variant_of[(varied * FL_VARIED_METHODS << FL_OF_METHODS) + number];
    const size_t place = (size_t)(section & rules->tells_section) * FL_VARIANTS + variant;
    if (!variant || place >= rules->cell_room || rules->n_order == FL_ORDER)
        return 0;
    fl_cell_hit(rules, (uint32_t)place, size);
    return 1;
}

/* The place of the cell of a hit, which is made where there is to be one; 0 where there is none, or no memory
 * (`failed`). */
static uint32_t fl_cell_of_hit(fl_rules *rules, fl_fold *fold, const fl_seen *seen) {
    const uint32_t section = seen->section & rules->tells_section;
    const uint64_t number = fl_seen_key(seen) & rules->tells;
    const size_t size = fl_varied_size(rules, seen->size);
    if (number >= FL_VARIED_METHODS << FL_OF_METHODS || size >= FL_VARIED_SIZES || section >= FL_MOST_ROWS)
        return 0;
    uint8_t *variant = rules->variant_of + (size * FL_VARIED_METHODS << FL_OF_METHODS) + number;
    if (!*variant) {
        if (rules->n_variants + 1 == FL_VARIANTS)
            return 0;
        *variant = (uint8_t)++rules->n_variants;
        rules->variants[*variant] = (fl_variant){number, size};
    }
    const size_t room = ((size_t)section + 1) * FL_VARIANTS;
    if (fl_reserve((void **)&rules->cells, &rules->cell_room, room, sizeof *rules->cells))
        return section * FL_VARIANTS + *variant;
    fold->failed = 1;
    return 0;
}

/* Gather the hit that was put down; 0 where it was the last one for which there was room. */
static inline int fl_rules_gather(fl_rules *rules, fl_fold *fold) {
    fl_seen *seen = rules->gathered + rules->n_gathered;
    const uint32_t place = rules->has_cells ? fl_cell_of_hit(rules, fold, seen) : 0;
    if (rules->has_hosts)
        fl_hosts_fetch(&rules->hosts, &seen->host);
    if (place)
        fl_cell_hit(rules, place, seen->size);
    else
        rules->order[rules->n_order++] = FL_SINGLE | (uint32_t)rules->n_gathered++;
    return rules->n_gathered < FL_GATHERED && rules->n_order < FL_ORDER;
}

/* Look at what is gathered, and begin the next run if that is due; 0 where something is asked for first. */
static __attribute__((noinline)) int fl_rules_go_on(fl_rules *rules, fl_fold *fold) {
    rules->asks = -1;
    if (!fl_rules_look(rules, fold))
        return 0;
    const size_t next = rules->n_gathered;
    fl_rules_drop(rules);
    if (rules->next_stamp == rules->stamp)
        return 1;
    fold->failed |= !fl_rules_flush(rules);
    rules->stamp = rules->next_stamp;
    rules->last_stamp = rules->stamp > rules->last_stamp ? rules->stamp : rules->last_stamp;
    rules->second = rules->has_cells ? fold->second : FL_NEVER;
    rules->gathered[0] = rules->gathered[next];
    (void)fl_rules_gather(rules, fold);
    return 1;
}

/* Look at all hits, whose texts end; 0 where something is asked for first. */
static inline int fl_rules_settle(fl_rules *rules, fl_fold *fold) {
    while (fl_rules_go_on(rules, fold))
        if (!rules->n_order)
            return 1;
    return 0;
}

/* Where what is seen of the next hit is put down. */
static inline fl_seen *fl_rules_next(fl_rules *rules) { return rules->gathered + rules->n_gathered; }

/* Gather the hit that was put down, which the fold has counted; 0 where something is asked for first. */
static __attribute__((noinline)) int fl_rules_count(fl_rules *rules, fl_fold *fold) {
    if (fold->in_future) {
        rules->second = FL_NEVER;
        return 1;
    }
    rules->next_stamp = rules->entries.stamp + (uint32_t)fold->row;
    if (rules->next_stamp == rules->stamp && fl_rules_gather(rules, fold))
        return 1;
    return fl_rules_go_on(rules, fold);
}

/* The answers: the class of the value that was asked for, and the outcome of the classes. */
static inline void fl_rules_class(fl_rules *rules, unsigned class) {
    rules->outcomes.classes[rules->asks].at[rules->asked] = (uint16_t)(class + 1);
}

/* The classes, each and 1, of the outcome that was asked for. */
static inline void fl_rules_asked(const fl_rules *rules, uint16_t *classes) {
    const fl_table *table = &rules->outcomes.by_classes;
    memcpy(classes, table->arena + table->keys[rules->outcomes.n].text, 8 * sizeof *classes);
}

static inline int fl_rules_outcome(fl_rules *rules) {
    fl_outcomes *outcomes = &rules->outcomes;
    if (!fl_reserve((void **)&outcomes->at, &outcomes->room, outcomes->n + 1, sizeof *outcomes->at))
        return 0;
    outcomes->at[outcomes->n++] = (fl_outcome){.first = outcomes->n_steps};
    return 1;
}

/* One step more of the newest outcome. */
static inline int fl_rules_step(fl_rules *rules, uint32_t rule, int counts) {
    fl_outcomes *outcomes = &rules->outcomes;
    if (!fl_reserve((void **)&outcomes->steps, &outcomes->step_room, outcomes->n_steps + 1, sizeof(fl_rule_step))) {
        outcomes->torn = 1;
        return 0;
    }
    outcomes->steps[outcomes->n_steps++] = (fl_rule_step){rule, (uint8_t)counts};
    outcomes->at[outcomes->n - 1].n++;
    return 1;
}

/* One rule more, before the first chunk. 0 where there is no memory. */
static inline int fl_rules_add(fl_rules *rules, int kind, int sketched, int sized) {
    fl_outcomes *outcomes = &rules->outcomes;
    if (!fl_reserve((void **)&outcomes->rules, &outcomes->rule_room, outcomes->n_rules + 1, sizeof(fl_rule)))
        return 0;
    outcomes->rules[outcomes->n_rules++] =
        (fl_rule){rules->entries.ranks[kind]++, (uint8_t)kind, (uint8_t)sketched, (uint8_t)sized};
    rules->entries.sized |= sized;
    if (!sketched && kind != FL_PER_HOST)
        rules->tallied[kind] = 1;
    const uint8_t *tallied = rules->tallied;
    const uint64_t statuses = ((uint64_t)1 << FL_OF_METHODS) - 1, methods = ((uint64_t)1 << FL_OF_OUTCOME) - 1 - statuses;
    rules->has_others = tallied[FL_PER_NOTHING] || tallied[FL_PER_STATUS] || tallied[FL_PER_METHOD];
    rules->told = (tallied[FL_PER_METHOD] ? methods : 0) | (tallied[FL_PER_STATUS] ? statuses : 0);
    return 1;
}

/* Forget all classes and outcomes: they get other numbers. */
static inline void fl_rules_forget(fl_rules *rules, fl_fold *fold) {
    if (!fl_rules_flush(rules)) /* of shares that go with the outcomes */
        fold->failed = 1;
    for (int field = 0; field < FL_FIELDS; field++)
        fl_classes_clear(rules->outcomes.classes + field);
    fl_outcomes_clear(&rules->outcomes);
    fl_cells_forget(rules);
}

/* Begin with the first stamp: no mark may have one. */
static inline void fl_rules_stamps(fl_rules *rules) {
    rules->last_stamp = 0;
    fl_hosts_unmark(&rules->hosts);
    for (int kind = 0; kind < FL_PER_HOST; kind++)
        if (rules->marks[kind].room)
            memset(rules->marks[kind].at, 0, rules->marks[kind].room * sizeof *rules->marks[kind].at);
}

/* The marks of keys go with the keys, where they are many. */
static inline void fl_marks_clear(fl_marks *marks) {
    if (marks->room > 4 * FL_MOST_KEYS) {
        free(marks->at);
        *marks = (fl_marks){0};
    }
}

/* What tells hits apart. */
static inline void fl_rules_tell(fl_rules *rules) {
    const uint8_t *looked_at = rules->outcomes.looked_at, *tallied = rules->tallied;
    rules->has_cells = !rules->has_hosts && !looked_at[FL_OF_DURATION] && !looked_at[FL_OF_TARGET];
    for (size_t i = 0; i < rules->outcomes.n_rules; i++)
        rules->has_cells &= !rules->outcomes.rules[i].sketched;
    const uint64_t statuses = (1u << FL_OF_METHODS) - 1;
    rules->tells_section = looked_at[FL_OF_SECTION] || tallied[FL_PER_SECTION] ? UINT32_MAX : 0;
    rules->tells = (looked_at[FL_OF_METHOD] || tallied[FL_PER_METHOD] ? ~statuses : 0) |
                   (looked_at[FL_OF_STATUS] || tallied[FL_PER_STATUS] ? statuses : 0);
    rules->second = FL_NEVER;
    rules->least_edge = rules->size_edges.n && (uint64_t)rules->size_edges.at[0] < FL_MUCH
                            ? (uint64_t)rules->size_edges.at[0]
                            : FL_MUCH;
}

/* Begin a chunk, which the fold has begun: the classes of keys go with the keys. */
static inline void fl_rules_begin(fl_rules *rules, const fl_fold *fold) {
    if (rules->hosts.n > 4 * rules->bound || rules->hosts.text_n > FL_MOST_TEXT)
        fl_hosts_clear(&rules->hosts);
    if (rules->targets.n > rules->bound || rules->targets.text > FL_MOST_TEXT)
        fl_table_clear(&rules->targets);
    const struct { size_t n; int field; } of[] = {{fold->sections.n, FL_OF_SECTION},
        {fold->methods.n, FL_OF_METHOD}, {rules->hosts.n, FL_OF_HOST}, {rules->targets.n, FL_OF_TARGET}};
    for (int i = 0; i < 4; i++)
        if (!of[i].n)
            fl_classes_clear(rules->outcomes.classes + of[i].field);
    if (!fold->sections.n)
        fl_marks_clear(rules->marks + FL_PER_SECTION);
    if (!fold->methods.n)
        fl_marks_clear(rules->marks + FL_PER_METHOD);
    for (int which = 0; which < 2; which++)
        for (size_t i = 0; i < rules->n_touched[which]; i++) /* of a chunk that failed */
            rules->tallies[rules->touched[which][i]].hits = rules->tallies[rules->touched[which][i]].size = 0;
    rules->n_touched[0] = rules->n_touched[1] = 0;
    fl_rules_drop(rules);
    if (rules->outcomes.torn || !fold->sections.n || !fold->methods.n)
        fl_cells_forget(rules);
    if (rules->outcomes.torn)
        fl_outcomes_clear(&rules->outcomes);
    if (rules->last_stamp > FL_MOST_STAMPS)
        fl_rules_stamps(rules);
    fl_entries_begin(&rules->entries, rules->last_stamp + 1);
    rules->stamp = rules->next_stamp = 0;
    fl_rules_tell(rules);
    rules->asks = -1;
}

static inline void fl_rules_free(fl_rules *rules) {
    if (!rules)
        return;
    fl_table_free(&rules->targets);
    fl_hosts_free(&rules->hosts);
    fl_outcomes_free(&rules->outcomes);
    fl_entries_free(&rules->entries);
    for (int kind = 0; kind < FL_PER_HOST; kind++)
        free(rules->marks[kind].at);
    free(rules->size_edges.at);
    free(rules->duration_edges.at);
    free(rules->cells);
    free(rules->tallies);
    free(rules->touched[0]);
    free(rules->touched[1]);
    free(rules);
}

static inline fl_rules *fl_rules_new(uint64_t seed, size_t bound) {
    fl_rules *rules = (fl_rules *)calloc(1, sizeof *rules);
    if (!rules)
        return NULL;
    fl_table *tables[] = {&rules->targets, &rules->outcomes.by_classes, &rules->entries.places, &rules->entries.cells};
    for (int i = 0; i < 4; i++)
        tables[i]->seed = seed;
    rules->hosts.seed = seed;
    rules->bound = bound;
    rules->asks = -1;
    rules->tallies = (fl_tally *)calloc(2 * FL_TALLIES, sizeof *rules->tallies);
    for (int which = 0; which < 2; which++)
        rules->touched[which] = (uint32_t *)calloc(FL_TALLIES + 1, sizeof **rules->touched);
    if (rules->tallies && rules->touched[0] && rules->touched[1] &&
        fl_reserve((void **)&rules->cells, &rules->cell_room, FL_VARIANTS, sizeof *rules->cells))
        return rules;
    fl_rules_free(rules);
    return NULL;
}

#endif
