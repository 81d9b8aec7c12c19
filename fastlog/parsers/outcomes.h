/* What rules make of hits, by the classes of their fields. The twin of fastlog/parsers/outcomes.py.
 *
 * Each field that rules compare has a class by its value; what the rules make of a hit, its outcome,
 * follows from the classes. Both are asked for in Python, once. As long as classes are few, which outcome it
 * is stands in a map that their numbers, one behind the other, are a place of; beyond that it is looked up.
 *
 * Of an outcome the rules whose keys are alike look at a *share*: which of them count. Many outcomes have
 * the same share, if all that tells them apart are rules of other kinds.
 */
#ifndef FASTLOG_OUTCOMES_H
#define FASTLOG_OUTCOMES_H

#include "entries.h"

/* The places of Hit of watch.py. */
enum {
    FL_OF_SECTION, FL_OF_METHOD, FL_OF_STATUS, FL_OF_HOST, FL_OF_SIZE, FL_OF_DURATION, FL_OF_TARGET, FL_FIELDS
};

#ifndef FL_MAP_BITS
#define FL_MAP_BITS 14
#endif
#define FL_UNKNOWN 0xffffu /* no part of a place has its highest bit */
#ifndef FL_CLASS_BITS
#define FL_CLASS_BITS 2 /* of a field, as long as it has no more classes */
#endif

typedef struct {
    uint16_t *at; /* by the number of a value; the class and 1, 0 where it is not known */
    uint16_t *parts; /* the same as a part of a place in the map; FL_UNKNOWN where it is not known to be one */
    size_t room;
    unsigned shift, bits; /* of the part */
} fl_classes;

typedef struct {
    uint32_t rank; /* among the rules of its kind */
    uint8_t kind, sketched, sized;
} fl_rule;

typedef struct {
    uint32_t rule;
    uint8_t counts;
} fl_rule_step;

/* Where hits of a share go: to a rule. */
typedef struct {
    uint32_t rule, rank;
    uint8_t counts, sketched, sized, kind;
} fl_goal;

typedef struct {
    uint32_t first, n; /* its goals */
} fl_share;

typedef struct {
    size_t first, n; /* its steps */
    uint32_t shares[FL_PER_HOST]; /* by kind, of what is counted by key; 0 is the share without goals */
    uint32_t by_line; /* the share of what is counted line by line; 0 too */
    int is_shared;
} fl_outcome;

typedef struct {
    uint8_t looked_at[FL_FIELDS];
    fl_classes classes[FL_FIELDS];
    fl_rule *rules;
    size_t n_rules, rule_room;
    fl_table by_classes;
    fl_outcome *at; /* by place in by_classes */
    size_t n, room;
    fl_rule_step *steps;
    size_t n_steps, step_room;
    fl_share *shares;
    size_t n_shares, share_room;
    fl_goal *goals;
    size_t n_goals, goal_room;
    int torn; /* memory ran out within an outcome, which lacks steps: the next chunk asks anew */
    unsigned laid; /* how often the map was laid out */
    uint16_t map[1 << FL_MAP_BITS]; /* by the classes: the place of their outcome and 1 */
} fl_outcomes;

/* Lay out the map anew, which knows no outcome, so that a class of a field has room in it; 0 where that is too
 * much. */
static inline int fl_outcomes_lay(fl_outcomes *outcomes, int field, unsigned class) {
    unsigned bits[FL_FIELDS], all = 0;
    for (int i = 0; i < FL_FIELDS; i++) {
        bits[i] = outcomes->looked_at[i] ? outcomes->classes[i].bits : 0;
        while (i == field && class >> bits[i])
            bits[i]++;
        all += bits[i];
    }
    if (all > FL_MAP_BITS)
        return 0;
    all = 0;
    for (int i = 0; i < FL_FIELDS; i++) {
        outcomes->classes[i].bits = bits[i];
        outcomes->classes[i].shift = all;
        all += bits[i];
    }
    memset(outcomes->map, 0, sizeof outcomes->map);
    for (int i = 0; i < FL_FIELDS; i++)
        if (outcomes->classes[i].room)
            memset(outcomes->classes[i].parts, 0xff, outcomes->classes[i].room * sizeof(uint16_t));
    outcomes->laid++;
    return 1;
}

/* Say whether a field is looked at. */
static inline void fl_outcomes_look(fl_outcomes *outcomes, int field, int looked_at) {
    outcomes->looked_at[field] = (uint8_t)looked_at;
    (void)fl_outcomes_lay(outcomes, field, looked_at ? (1u << FL_CLASS_BITS) - 1 : 0);
}

/* Forget the outcomes. */
static inline void fl_outcomes_clear(fl_outcomes *outcomes) {
    fl_table_clear(&outcomes->by_classes);
    memset(outcomes->map, 0, sizeof outcomes->map);
    outcomes->n = outcomes->n_steps = outcomes->n_shares = outcomes->n_goals = 0;
    outcomes->torn = 0;
}

/* The number of the share that holds the goals behind the others; 0 where there is no memory. */
static inline uint32_t fl_share_of(fl_outcomes *outcomes, uint32_t n) {
    const fl_goal *goals = outcomes->goals + outcomes->n_goals;
    for (size_t i = 0; i < outcomes->n_shares; i++) {
        const fl_share *share = outcomes->shares + i;
        const fl_goal *other = outcomes->goals + share->first;
        uint32_t alike = share->n == n ? 0 : n + 1;
        while (alike < n && goals[alike].rule == other[alike].rule && goals[alike].counts == other[alike].counts)
            alike++;
        if (alike == n)
            return (uint32_t)i + 1;
    }
    if (!fl_reserve((void **)&outcomes->shares, &outcomes->share_room, outcomes->n_shares + 1, sizeof(fl_share)))
        return 0;
    outcomes->shares[outcomes->n_shares] = (fl_share){(uint32_t)outcomes->n_goals, n};
    outcomes->n_goals += n;
    return (uint32_t)++outcomes->n_shares;
}

/* The share of an outcome that `kind` is told of; FL_PER_HOST: of all that is counted line by line. -1 where
 * there is no memory. */
static int64_t fl_outcome_share(fl_outcomes *outcomes, const fl_outcome *outcome, int kind) {
    uint32_t n = 0;
    /* One more, so that there are some: NULL has no places to count from. */
    if (!fl_reserve((void **)&outcomes->goals, &outcomes->goal_room, outcomes->n_goals + outcome->n + 1,
                    sizeof *outcomes->goals))
        return -1;
    for (size_t i = 0; i < outcome->n; i++) {
        const fl_rule_step *step = outcomes->steps + outcome->first + i;
        const fl_rule *rule = outcomes->rules + step->rule;
        if (kind == (rule->sketched ? FL_PER_HOST : rule->kind))
            outcomes->goals[outcomes->n_goals + n++] = (fl_goal){
                step->rule, rule->rank, step->counts, rule->sketched, rule->sized, rule->kind};
    }
    if (!n)
        return 0;
    const uint32_t share = fl_share_of(outcomes, n);
    return share ? (int64_t)share : -1;
}

/* Work out the shares of an outcome. 0 where there is no memory. */
static int fl_outcome_shares(fl_outcomes *outcomes, fl_outcome *outcome) {
    for (int kind = 0; kind <= FL_PER_HOST; kind++) {
        const int64_t share = fl_outcome_share(outcomes, outcome, kind);
        if (share < 0)
            return 0;
        *(kind == FL_PER_HOST ? &outcome->by_line : outcome->shares + kind) = (uint32_t)share;
    }
    outcome->is_shared = 1;
    return 1;
}

/* The outcome of classes, each and 1. NULL where it is not known (`*asks` is 1) or there is no memory. */
static fl_outcome *fl_outcome_find(fl_outcomes *outcomes, const uint16_t *classes, int *asks) {
    uint64_t both[2];
    memcpy(both, classes, sizeof both);
    const fl_key *key = fl_pair_key(&outcomes->by_classes, both[0], both[1]);
    if (!key)
        return NULL;
    const size_t at = (size_t)(key - outcomes->by_classes.keys);
    if (at >= outcomes->n) {
        *asks = 1;
        return NULL;
    }
    fl_outcome *outcome = outcomes->at + at;
    return outcome->is_shared || fl_outcome_shares(outcomes, outcome) ? outcome : NULL;
}

/* Room for the classes of so many values of a field. 0 where there is no memory. */
static inline int fl_classes_room(fl_outcomes *outcomes, int field, size_t n) {
    fl_classes *classes = outcomes->classes + field;
    if (!outcomes->looked_at[field] || n <= classes->room)
        return 1;
    size_t room = classes->room, more = 2 * n + 64;
    uint16_t *parts = (uint16_t *)realloc(classes->parts, more * sizeof *parts);
    if (!parts)
        return 0;
    classes->parts = parts;
    if (!fl_reserve((void **)&classes->at, &classes->room, n, sizeof *classes->at))
        return 0;
    memset(parts + room, 0xff, (more - room) * sizeof *parts);
    return 1;
}

/* Remember an outcome in the map, of values of those numbers and classes, where there is room for these. */
static void fl_outcomes_map(fl_outcomes *outcomes, const size_t *numbers, const uint16_t *classes, size_t outcome) {
    size_t place = 0;
    for (int field = 0; field < FL_FIELDS; field++)
        if (outcomes->looked_at[field] && (classes[field] - 1u) >> outcomes->classes[field].bits &&
            !fl_outcomes_lay(outcomes, field, classes[field] - 1u))
            return;
    for (int field = 0; field < FL_FIELDS; field++) {
        if (!outcomes->looked_at[field])
            continue;
        const size_t part = (size_t)(classes[field] - 1) << outcomes->classes[field].shift;
        outcomes->classes[field].parts[numbers[field]] = (uint16_t)part;
        place |= part;
    }
    if (outcome < UINT16_MAX)
        outcomes->map[place] = (uint16_t)(outcome + 1);
}

/* Forget the classes of a field. */
static inline void fl_classes_clear(fl_classes *classes) {
    if (classes->room) {
        memset(classes->at, 0, classes->room * sizeof *classes->at);
        memset(classes->parts, 0xff, classes->room * sizeof *classes->parts);
    }
}

static inline void fl_outcomes_free(fl_outcomes *outcomes) {
    fl_table_free(&outcomes->by_classes);
    for (int field = 0; field < FL_FIELDS; field++) {
        free(outcomes->classes[field].at);
        free(outcomes->classes[field].parts);
    }
    free(outcomes->rules);
    free(outcomes->at);
    free(outcomes->steps);
    free(outcomes->shares);
    free(outcomes->goals);
}

#endif
