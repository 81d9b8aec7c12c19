/* One rule over a sliding window: the twin of window.py, which says what is evaluated when, and why.
 *
 * Differs from it in how, not in what. Keys are numbers. What arrives and what is due stand in one row of
 * moments. A key is in that row once, at a moment no later than it is due, and goes on to the next when that
 * comes: a busy key would else be put there, and struck out, each second. In which order keys had hits is only
 * noted, and the row of keys sorted when the first of them has to go, which in most logs never happens; from then
 * on it is kept in order, but for keys that had hits in one second.
 *
 * Over 300 lines, since all of it is one state.
 */
#ifndef FASTLOG_RULES_H
#define FASTLOG_RULES_H

#include "moments.h"

#define FL_NEVER INT64_MAX
#define FL_NONE UINT32_MAX

typedef struct {
    int64_t second, hits, base;
} fl_seen;

/* What most looks need comes first: where there are many, each is fetched. */
typedef struct {
    fl_seen *seen; /* of the window, by second */
    uint32_t first, end, room;
    uint32_t key, before, after;
    int64_t hits, base; /* of the whole window, as are size and sketch */
    int64_t tick;       /* when it last had hits; odd: its neighbours of the same tick are in no order yet */
    int64_t since, due, looked;
    int64_t born, queued; /* queued: the moment at which it stands */
    fl_more *more;
    union {
        fl_wide size;
        fl_sketch *sketch; /* of percentiles; size is 0 else, but of bytes */
    };
    int firing;
} fl_state;

/* What a rule said; `parts` as in sums.py. */
typedef struct {
    fl_wide value;
    int64_t at, hits, parts;
    uint32_t key;
    int firing;
} fl_said;

typedef struct {
    fl_said *at;
    size_t n, room;
} fl_saids;

typedef struct {
    int64_t window, hold, min_hits, parts, percent, most_kept;
    size_t bound; /* keys at a time, and of one second */
    int keyed, above, kind;
    fl_wide fires, quiet;             /* whole numbers of the measure, or the numerators of a share, ... */
    fl_wide fires_parts, quiet_parts; /* ... and its denominators */
    fl_moments moments;
    fl_moment *arriving, *coming; /* where the last was put */
    fl_state *states;
    uint32_t *idle, *of_key; /* states that serve again; state + 1 by key */
    size_t n_states, room_states, n_idle, room_idle, keys_room, live, queued;
    uint32_t head, tail; /* the one without hits for longest first */
    int64_t kept, dropped, closed, tick, sorted;
    int has_closed, begun;
    int plain;      /* above a sum of hits, which nothing but hits brings about */
    int64_t enough; /* then: so many are still quiet */
    size_t unranked; /* keys that were sorted by their names since these were ranked */
    int ordered; /* whether the row of keys is in the order of their ticks */
} fl_rule;

/* -- keys ------------------------------------------------------------------------------------- */

static inline uint32_t fl_rule_find(const fl_rule *rule, uint32_t key) {
    return key < rule->keys_room ? rule->of_key[key] - 1 : FL_NONE; /* 0 - 1 is FL_NONE */
}

static inline void fl_rule_unlink(fl_rule *rule, uint32_t which) {
    const fl_state *state = rule->states + which;
    *(state->before == FL_NONE ? &rule->head : &rule->states[state->before].after) = state->after;
    *(state->after == FL_NONE ? &rule->tail : &rule->states[state->after].before) = state->before;
}

static inline void fl_rule_append(fl_rule *rule, uint32_t which, int64_t tick) {
    fl_state *state = rule->states + which;
    state->tick = tick;
    state->before = rule->tail;
    state->after = FL_NONE;
    *(rule->tail == FL_NONE ? &rule->head : &rule->states[rule->tail].after) = which;
    rule->tail = which;
}

/* The state of a new key, the last in the row; FL_NONE where there is no memory. */
static inline uint32_t fl_rule_new(fl_rule *rule, uint32_t key, int64_t born, int64_t tick) {
    while (key >= rule->keys_room) {
        size_t had = rule->keys_room;
        if (!fl_more_room((void **)&rule->of_key, &rule->keys_room, had, sizeof *rule->of_key))
            return FL_NONE;
        memset(rule->of_key + had, 0, (rule->keys_room - had) * sizeof *rule->of_key);
    }
    uint32_t which;
    if (rule->n_idle) {
        which = rule->idle[--rule->n_idle];
    } else {
        if (!fl_more_room((void **)&rule->states, &rule->room_states, rule->n_states, sizeof *rule->states))
            return FL_NONE;
        if (!fl_more_room((void **)&rule->idle, &rule->room_idle, rule->n_states, sizeof *rule->idle))
            return FL_NONE; /* room to forget it without memory */
        which = (uint32_t)rule->n_states++;
        memset(rule->states + which, 0, sizeof *rule->states);
    }
    fl_state *state = rule->states + which;
    state->born = born;
    state->since = state->due = state->queued = FL_NEVER;
    state->looked = -1;
    state->key = key;
    rule->of_key[key] = which + 1;
    rule->live++;
    fl_rule_append(rule, which, tick);
    return which;
}

static inline int64_t fl_rule_weight(const fl_rule *rule, const fl_state *state, size_t at) {
    return 1 + (rule->kind == FL_QUANTILE && state->more[at].cells ? (int64_t)state->more[at].cells->n : 0);
}

static inline void fl_rule_forget(fl_rule *rule, uint32_t which) {
    fl_state *state = rule->states + which;
    for (size_t at = state->first; at < state->end; at++) {
        rule->kept -= fl_rule_weight(rule, state, at);
        if (rule->kind == FL_QUANTILE)
            free(state->more[at].cells);
    }
    fl_rule_unlink(rule, which);
    rule->of_key[state->key] = 0;
    rule->live--;
    if (rule->kind == FL_QUANTILE)
        fl_sketch_free(state->sketch);
    if (state->room > FL_POOL) {
        free(state->seen);
        free(state->more);
        state->seen = NULL;
        state->more = NULL;
        state->room = 0;
    }
    state->first = state->end = 0;
    state->hits = state->base = 0;
    state->size = 0; /* and no sketch */
    state->firing = 0;
    rule->idle[rule->n_idle++] = which;
}

/* -- keys that have to go --------------------------------------------------------------------- */

typedef struct {
    uint64_t prefix;
    uint32_t key, place;
} fl_place;

/* Merge two rows of places, the other one from `middle` on. Which of both has the next is not to be
 * foretold: so nothing branches on it. */
static inline void fl_places_merge(const fl_names *names, const fl_place *left, const fl_place *middle,
                                   const fl_place *end, fl_place *to) {
    const fl_place *right = middle, *ends = middle;
    while (left < ends && right < end) {
        int takes_right = left->prefix > right->prefix;
        if (left->prefix == right->prefix)
            takes_right = fl_names_order(names, left->key, right->key) > 0;
        const fl_place *from[2] = {left, right};
        *to++ = *from[takes_right];
        left += !takes_right;
        right += takes_right;
    }
    memcpy(to, left, (size_t)(ends - left) * sizeof *to);
    memcpy(to + (ends - left), right, (size_t)(end - right) * sizeof *to);
}

static inline fl_place *fl_places_merged(const fl_names *names, fl_place *places, fl_place *spare, size_t n) {
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t low = 0; low < n; low += 2 * width) {
            size_t middle = low + width < n ? low + width : n, high = middle + width < n ? middle + width : n;
            fl_places_merge(names, places + low, places + middle, places + high, spare + low);
        }
        fl_place *swapped = places;
        places = spare;
        spare = swapped;
    }
    return places;
}

#define FL_BYTE 8
#define FL_DIGIT 9 /* of a rank: two of them tell more names apart than are held in most runs */

/* Deal places by each digit, of so many bits, of their prefixes in which some `differ`, from the last one on. */
static inline fl_place *fl_places_dealt(fl_place *places, fl_place *spare, size_t n, uint64_t differ, int bits) {
    const uint64_t digit = ((uint64_t)1 << bits) - 1;
    for (int shift = 0; shift < 64; shift += bits) {
        uint32_t starts[(1 << FL_DIGIT) + 1] = {0};
        if (!(differ >> shift & digit))
            continue;
        for (size_t at = 0; at < n; at++)
            starts[(places[at].prefix >> shift & digit) + 1]++;
        for (uint64_t value = 0; value <= digit; value++)
            starts[value + 1] += starts[value];
        for (size_t at = 0; at < n; at++)
            spare[starts[places[at].prefix >> shift & digit]++] = places[at];
        fl_place *swapped = places;
        places = spare;
        spare = swapped;
    }
    return places;
}

#define FL_MANY 128 /* places; with fewer, merging them is quicker */

/* Sort places by their keys, given room for as many again. They may end up in either. */
static inline fl_place *fl_places_sort(const fl_names *names, fl_place *places, fl_place *spare, size_t n) {
    unsigned __int128 first = n ? names->names[places[0].key].prefix : 0, differ = 0;
    for (size_t at = 1; at < n; at++)
        differ |= first ^ names->names[places[at].key].prefix;
    int shift = 0; /* what all begin with says nothing */
    while (shift < 64 && !(differ >> 120 & 0xff)) {
        differ <<= 8;
        shift += 8;
    }
    for (size_t at = 0; at < n; at++)
        places[at].prefix = (uint64_t)(names->names[places[at].key].prefix << shift >> 64);
    if (n < FL_MANY)
        return fl_places_merged(names, places, spare, n);
    fl_place *sorted = fl_places_dealt(places, spare, n, (uint64_t)(differ >> 64), FL_BYTE);
    spare = sorted == places ? spare : places;
    for (size_t at = 0, next; at < n; at = next) { /* those that are alike so far */
        for (next = at + 1; next < n && sorted[next].prefix == sorted[at].prefix;)
            next++;
        const fl_place *run = next - at > 1 ? fl_places_merged(names, sorted + at, spare + at, next - at) : sorted + at;
        if (run != sorted + at)
            memcpy(sorted + at, run, (next - at) * sizeof *run);
    }
    return sorted;
}

/* Rank all names. 0 where there is no memory. */
static inline int fl_names_rank(const fl_names *names) {
    fl_place *places = (fl_place *)malloc(2 * names->n * sizeof *places);
    if (!places)
        return 0;
    size_t n = 0;
    for (size_t number = 0; number < names->n; number++)
        if (names->names[number].text)
            places[n++] = (fl_place){0, (uint32_t)number, 0};
    const fl_place *sorted = fl_places_sort(names, places, places + names->n, n);
    for (size_t at = 0; at < n; at++)
        names->ranks[sorted[at].key] = (uint32_t)at + 1;
    free(places);
    return 1;
}

#define FL_UNRANKED 4 /* times all names: so many keys are sorted by their names before these are ranked anew */

/* As fl_places_sort, by the ranks of names where all have one; NULL where there is no memory. Keys that come again
 * and again are so sorted once, in the end. */
static inline fl_place *fl_rule_sorted(fl_rule *rule, const fl_names *names, fl_place *places, size_t n) {
    uint64_t differ = 0, first = n ? names->ranks[places[0].key] : 0;
    size_t ranked = 0;
    for (size_t at = 0; at < n; at++) {
        const uint32_t rank = names->ranks[places[at].key];
        places[at].prefix = rank;
        differ |= rank ^ first;
        ranked += rank != 0;
    }
    if (ranked == n && n < FL_MANY)
        return fl_places_merged(names, places, places + n, n);
    if (ranked == n)
        return fl_places_dealt(places, places + n, n, differ, FL_DIGIT);
    rule->unranked += n;
    if (rule->unranked > FL_UNRANKED * names->n) {
        rule->unranked = 0;
        return fl_names_rank(names) ? fl_rule_sorted(rule, names, places, n) : NULL;
    }
    for (size_t at = 0; at < n; at++)
        __builtin_prefetch(&names->names[places[at].key].prefix);
    return fl_places_sort(names, places, places + n, n);
}

/* Put the keys in order that had hits in the same second as the first. 0 where there is no memory. */
static inline int fl_rule_sort_head(fl_rule *rule, const fl_names *names) {
    int64_t tick = rule->states[rule->head].tick;
    if (!(tick & 1) || tick == rule->sorted)
        return 1;
    fl_place *places = (fl_place *)malloc(2 * rule->live * sizeof *places);
    if (!places)
        return 0;
    size_t n = 0;
    uint32_t which = rule->head;
    for (; which != FL_NONE && rule->states[which].tick == tick; which = rule->states[which].after)
        places[n++] = (fl_place){0, rule->states[which].key, which};
    const fl_place *sorted = fl_places_sort(names, places, places + rule->live, n);
    uint32_t behind = which, last = FL_NONE;
    for (size_t at = 0; at < n; at++) {
        *(last == FL_NONE ? &rule->head : &rule->states[last].after) = sorted[at].place;
        rule->states[sorted[at].place].before = last;
        last = sorted[at].place;
    }
    rule->states[last].after = behind;
    *(behind == FL_NONE ? &rule->tail : &rule->states[behind].before) = last;
    rule->sorted = tick;
    free(places);
    return 1;
}

static int fl_rule_by_tick(const void *one, const void *other) {
    const int64_t *a = (const int64_t *)one, *b = (const int64_t *)other;
    return (a[0] > b[0]) - (a[0] < b[0]);
}

/* See to it that the row of keys is in the order of their ticks. 0 where there is no memory. */
static inline int fl_rule_order(fl_rule *rule) {
    if (rule->ordered)
        return 1;
    int64_t(*ticks)[2] = (int64_t(*)[2])malloc((rule->live + 1) * sizeof *ticks);
    if (!ticks)
        return 0;
    size_t n = 0;
    for (uint32_t which = rule->head; which != FL_NONE; which = rule->states[which].after, n++) {
        ticks[n][0] = rule->states[which].tick;
        ticks[n][1] = which;
    }
    qsort(ticks, n, sizeof *ticks, fl_rule_by_tick);
    rule->head = rule->tail = FL_NONE;
    for (size_t at = 0; at < n; at++)
        fl_rule_append(rule, (uint32_t)ticks[at][1], ticks[at][0]);
    rule->ordered = 1;
    free(ticks);
    return 1;
}

static inline void fl_rule_drop(fl_rule *rule, uint32_t which, int64_t at) {
    const fl_state *state = rule->states + which;
    if (state->after != FL_NONE) { /* it may be the next */
        const fl_state *next = rule->states + state->after;
        __builtin_prefetch(next->seen + next->end);
        if (next->after != FL_NONE)
            __builtin_prefetch(rule->states + next->after);
    }
    rule->dropped += state->end > state->first && state->seen[state->end - 1].second > at - rule->window;
    fl_rule_forget(rule, which);
}

/* 1 where a key was dropped, 0 where there was none to drop, -1 where there is no memory. */
static inline int fl_rule_drop_one(fl_rule *rule, const fl_names *names, int64_t at) {
    if (!rule->keyed || !rule->above)
        return 0;
    if (!fl_rule_order(rule))
        return -1;
    for (size_t left = rule->live; left; left--) {
        if (!fl_rule_sort_head(rule, names))
            return -1;
        uint32_t which = rule->head;
        if (!rule->states[which].firing) {
            fl_rule_drop(rule, which, at);
            return 1;
        }
        fl_rule_unlink(rule, which);
        fl_rule_append(rule, which, rule->tick += 2);
        rule->tick += 2; /* of those that come after it */
    }
    return 0;
}

static inline int fl_rule_drop_youngest(fl_rule *rule, const fl_names *names, int64_t at) {
    uint32_t youngest = FL_NONE;
    for (uint32_t which = rule->head; which != FL_NONE; which = rule->states[which].after) {
        const fl_state *state = rule->states + which, *other = rule->states + youngest;
        if (state->firing)
            continue;
        if (youngest == FL_NONE || state->born > other->born ||
            (state->born == other->born && fl_names_order(names, state->key, other->key) > 0))
            youngest = which;
    }
    if (!rule->keyed || youngest == FL_NONE)
        return 0;
    fl_rule_drop(rule, youngest, at);
    return 1;
}

/* -- when to look ----------------------------------------------------------------------------- */

static inline int fl_rule_queue_all(fl_rule *rule);

/* Note when a key is due. 0 where there is no memory. */
static inline int fl_rule_queue(fl_rule *rule, uint32_t which, int64_t due) {
    fl_state *state = rule->states + which;
    state->due = due;
    if (due == FL_NEVER || due >= state->queued)
        return 1;
    state->queued = due;
    fl_moment *moment = rule->coming;
    if (!moment || moment->second != due)
        moment = rule->coming = fl_moments_at(&rule->moments, due);
    if (!moment || !fl_more_room((void **)&moment->due, &moment->due_room, moment->dues, sizeof *moment->due))
        return 0;
    moment->due[moment->dues++] = state->key;
    return ++rule->queued > 4 * rule->live + 64 ? fl_rule_queue_all(rule) : 1;
}

/* Most of what stands there is out of date: begin anew. */
static inline int fl_rule_queue_all(fl_rule *rule) {
    fl_moments *moments = &rule->moments;
    size_t kept = moments->first;
    for (size_t at = moments->first; at < moments->end; at++) {
        fl_moment *moment = moments->at[at].moment;
        moment->dues = 0;
        if (moment->n)
            moments->at[kept++] = moments->at[at];
        else
            fl_moments_recycle(moments, moment);
    }
    moments->end = kept;
    rule->queued = 0;
    rule->coming = rule->arriving = NULL;
    for (uint32_t which = rule->head; which != FL_NONE; which = rule->states[which].after) {
        rule->states[which].queued = FL_NEVER;
        if (!fl_rule_queue(rule, which, rule->states[which].due))
            return 0;
    }
    return 1;
}

/* Note when a key must be looked at next, after `at`; forget one that is as if never seen. */
static inline int fl_rule_schedule(fl_rule *rule, uint32_t which, int64_t at) {
    fl_state *state = rule->states + which;
    int empty = state->first == state->end;
    if (rule->above && !state->firing && state->since == FL_NEVER) {
        if (empty) {
            fl_rule_forget(rule, which);
            return 1;
        }
        if (rule->kind == FL_HITS || rule->kind == FL_BYTES || !state->hits) {
            state->due = FL_NEVER;
            return 1;
        }
    }
    int64_t due = FL_NEVER, moment;
    if (!empty && (moment = state->seen[state->first].second + rule->window) > at)
        due = moment;
    if (state->since != FL_NEVER && (moment = state->since + rule->hold) > at && moment < due)
        due = moment;
    if (!rule->above && (moment = state->born + rule->window - 1) > at && moment < due)
        due = moment;
    if (due != FL_NEVER && rule->has_closed && due < rule->closed)
        due = rule->closed;
    return fl_rule_queue(rule, which, due);
}

/* -- verdicts --------------------------------------------------------------------------------- */

static inline fl_wide fl_rule_value(const fl_rule *rule, const fl_state *state) {
    if (rule->kind == FL_BYTES)
        return state->size;
    if (rule->kind == FL_QUANTILE)
        return fl_sketch_quantile(state->sketch, rule->percent);
    return state->hits;
}

/* Whether the value is on the loud side of a threshold, neither on it nor on the quiet side. */
static inline int fl_rule_beyond(const fl_rule *rule, const fl_state *state, fl_wide limit, fl_wide parts) {
    fl_wide value = fl_rule_value(rule, state);
    if (rule->kind == FL_SHARE) {
        value *= parts;
        limit *= state->base ? state->base : 1;
    }
    return rule->above ? value > limit : value < limit;
}

/* Take the verdict of a second; whether the state changed. */
static inline int fl_rule_judge(const fl_rule *rule, fl_state *state, int64_t at) {
    if (!rule->above && at < state->born + rule->window - 1)
        return 0;
    if (state->base < rule->min_hits) {
        state->since = FL_NEVER;
        return 0;
    }
    if (state->firing) {
        state->firing = fl_rule_beyond(rule, state, rule->quiet, rule->quiet_parts);
        return !state->firing;
    }
    if (!fl_rule_beyond(rule, state, rule->fires, rule->fires_parts)) {
        state->since = FL_NEVER;
        return 0;
    }
    if (state->since == FL_NEVER)
        state->since = at;
    if (at - state->since < rule->hold)
        return 0;
    state->firing = 1;
    state->since = FL_NEVER;
    return 1;
}

static inline int fl_rule_look(fl_rule *rule, uint32_t which, int64_t at, fl_saids *said) {
    fl_state *state = rule->states + which;
    if (rule->plain && !state->firing && state->since == FL_NEVER) { /* most of the keys of most rules */
        while (state->first < state->end && state->seen[state->first].second <= at - rule->window) {
            state->hits -= state->seen[state->first].hits;
            state->base -= state->seen[state->first++].base;
            rule->kept--;
        }
        if (state->hits <= rule->enough && state->first < state->end) {
            state->due = FL_NEVER;
            return 1;
        }
    }
    while (state->first < state->end && state->seen[state->first].second <= at - rule->window) {
        const fl_seen *seen = state->seen + state->first;
        state->hits -= seen->hits;
        state->base -= seen->base;
        rule->kept -= fl_rule_weight(rule, state, state->first);
        if (rule->kind == FL_BYTES) {
            state->size -= state->more[state->first].size;
        } else if (rule->kind == FL_QUANTILE && state->more[state->first].cells) {
            fl_sketch_add(&state->sketch, state->more[state->first].cells, -1); /* all of it is there */
            free(state->more[state->first].cells);
        }
        state->first++;
    }
    if (fl_rule_judge(rule, state, at)) {
        if (!fl_more_room((void **)&said->at, &said->room, said->n, sizeof *said->at))
            return 0;
        int64_t parts = rule->kind == FL_SHARE ? (state->base ? state->base : 1) : rule->parts;
        said->at[said->n++] =
            (fl_said){fl_rule_value(rule, state), at, state->hits, parts, state->key, state->firing};
    }
    return fl_rule_schedule(rule, which, at);
}

/* -- hits ------------------------------------------------------------------------------------- */

#define FL_FEW 2 /* seconds: in more most of many keys have no hits */

/* Put hits into a key's window; `more` is its own from here on. 0 where there is no memory. */
static inline int fl_rule_absorb(fl_rule *rule, uint32_t which, int64_t second, int64_t hits, int64_t base,
                                 fl_more *more) {
    fl_state *state = rule->states + which;
    state->hits += hits;
    state->base += base;
    if (rule->kind == FL_BYTES)
        state->size += more->size;
    else if (rule->kind == FL_QUANTILE && more->cells && !fl_sketch_add(&state->sketch, more->cells, 1))
        return 0;
    size_t at = state->end;
    if (rule->kind < FL_BYTES && at < state->room && (at == state->first || state->seen[at - 1].second < second)) {
        state->seen[at] = (fl_seen){second, hits, base};
        state->end++;
        rule->kept++;
        return 1;
    }
    while (at > state->first && state->seen[at - 1].second >= second)
        at--;
    if (at < state->end && state->seen[at].second == second) {
        state->seen[at].hits += hits;
        state->seen[at].base += base;
        if (rule->kind == FL_BYTES) {
            state->more[at].size += more->size;
        } else if (rule->kind == FL_QUANTILE && more->cells) {
            const fl_cells *cells = more->cells;
            rule->kept -= fl_rule_weight(rule, state, at);
            if (!fl_cells_add(&state->more[at].cells, cells->at, cells->at + cells->n, cells->n))
                return 0;
            rule->kept += fl_rule_weight(rule, state, at);
            free(more->cells);
        }
        return 1;
    }
    if (state->end == state->room && state->first > state->room / 2) {
        size_t n = state->end - state->first;
        memmove(state->seen, state->seen + state->first, n * sizeof *state->seen);
        if (rule->kind >= FL_BYTES)
            memmove(state->more, state->more + state->first, n * sizeof *state->more);
        at -= state->first;
        state->first = 0;
        state->end = n;
    }
    if (state->end == state->room) {
        const size_t room = state->room ? 2 * (size_t)state->room : FL_FEW;
        fl_seen *seen = room < UINT32_MAX ? (fl_seen *)realloc(state->seen, room * sizeof *seen) : NULL;
        if (!seen)
            return 0;
        state->seen = seen;
        if (rule->kind >= FL_BYTES) {
            fl_more *longer = (fl_more *)realloc(state->more, room * sizeof *longer);
            if (!longer)
                return 0;
            state->more = longer;
        }
        state->room = (uint32_t)room;
    }
    memmove(state->seen + at + 1, state->seen + at, (state->end - at) * sizeof *state->seen);
    state->seen[at] = (fl_seen){second, hits, base};
    if (rule->kind >= FL_BYTES) {
        memmove(state->more + at + 1, state->more + at, (state->end - at) * sizeof *state->more);
        state->more[at] = *more;
    }
    state->end++;
    rule->kept += fl_rule_weight(rule, state, at);
    return 1;
}

static inline int fl_rule_add_late(fl_rule *rule, const fl_names *names, int64_t second, const fl_arrival *hit,
                                   fl_more *more) {
    uint32_t which = fl_rule_find(rule, hit->key);
    if (which == FL_NONE) {
        if (rule->live >= rule->bound) {
            int dropped = fl_rule_drop_one(rule, names, second);
            if (dropped <= 0) {
                rule->dropped++;
                if (rule->kind == FL_QUANTILE)
                    free(more->cells);
                return !dropped;
            }
        }
        which = fl_rule_new(rule, hit->key, second, rule->tick += 2);
        if (which == FL_NONE)
            return 0;
    }
    if (second < rule->states[which].born)
        rule->states[which].born = second;
    return fl_rule_absorb(rule, which, second, hit->hits, hit->base, more) &&
           fl_rule_queue(rule, which, rule->closed);
}

/* Count hits of a second, closed or not. `more` is the rule's from here on. 0 where there is no memory. */
static inline int fl_rule_add(fl_rule *rule, const fl_names *names, int64_t second, const fl_arrival *hit,
                              fl_more *more) {
    fl_moment *moment = rule->arriving;
    if (moment && moment->second == second && moment->n < moment->room && moment->n < rule->bound &&
        !moment->slots && rule->kind < FL_BYTES) {
        moment->arrivals[moment->n++] = *hit;
        return 1;
    }
    if (rule->has_closed && second < rule->closed) {
        if (second > rule->closed - rule->window)
            return fl_rule_add_late(rule, names, second, hit, more);
        if (rule->kind == FL_QUANTILE)
            free(more->cells);
        return 1;
    }
    if (!moment || moment->second != second) {
        moment = rule->arriving = fl_moments_at(&rule->moments, second);
        if (!moment)
            return 0;
    }
    if (!moment->slots && moment->n < rule->bound)
        return fl_moment_push(moment, hit, more, rule->kind);
    if (!fl_moment_index(moment, rule->bound, rule->kind))
        return 0;
    uint32_t *slot = fl_moment_slot(moment, hit->key);
    if (!*slot && moment->n < rule->bound) {
        *slot = (uint32_t)moment->n + 1;
        return fl_moment_push(moment, hit, more, rule->kind);
    }
    int done = 1;
    if (*slot)
        done = fl_moment_merge(moment, *slot - 1, hit->hits, hit->base, more, rule->kind);
    else
        rule->dropped++;
    if (rule->kind == FL_QUANTILE)
        free(more->cells);
    return done;
}

/* -- seconds that close ----------------------------------------------------------------------- */

/* Take in hits of which no key has to go for another. */
static inline int fl_rule_arrive(fl_rule *rule, fl_moment *moment, fl_saids *said) {
    fl_more none = {0};
    int64_t tick = rule->tick | 1;
    for (size_t at = 0; at < moment->n; at++) {
        fl_arrival *hit = moment->arrivals + at;
        uint32_t which = fl_rule_find(rule, hit->key);
        if (which == FL_NONE) {
            which = fl_rule_new(rule, hit->key, moment->second, tick);
            if (which == FL_NONE)
                return 0;
        } else if (!rule->ordered) {
            rule->states[which].tick = tick;
        } else if (rule->states[which].tick != tick) {
            fl_rule_unlink(rule, which);
            fl_rule_append(rule, which, tick);
        }
        hit->state = which;
        fl_more *more = moment->more ? moment->more + at : &none;
        if (!fl_rule_absorb(rule, which, moment->second, hit->hits, hit->base, more))
            return 0;
    }
    for (size_t at = 0; at < moment->n; at++) {
        uint32_t which = moment->arrivals[at].state;
        if (rule->states[which].looked == rule->tick)
            continue;
        rule->states[which].looked = rule->tick;
        if (!fl_rule_look(rule, which, moment->second, said))
            return 0;
    }
    return 1;
}

/* Let a new key have the place of the first in the row, where that is all that its hits bring about: as if that
 * one were dropped, and the new one taken in and looked at. 0 where it is not, and nothing was done. */
static inline int fl_rule_replace(fl_rule *rule, int64_t second, const fl_arrival *hit) {
    const uint32_t which = rule->head;
    if (!rule->plain || !rule->keyed || rule->live < rule->bound || rule->live < 2 || hit->hits > rule->enough ||
        hit->key >= rule->keys_room)
        return 0;
    fl_state *state = rule->states + which;
    if (state->firing || !state->room || state->room > FL_POOL || (state->tick & 1 && state->tick != rule->sorted))
        return 0;
    const fl_state *next = rule->states + state->after; /* it may be the next */
    __builtin_prefetch(next->seen + next->end);
    if (next->after != FL_NONE)
        __builtin_prefetch(rule->states + next->after);
    rule->dropped += state->end > state->first && state->seen[state->end - 1].second > second - rule->window;
    rule->kept += 1 - (int64_t)(state->end - state->first);
    rule->of_key[state->key] = 0;
    rule->of_key[hit->key] = which + 1;
    fl_rule_unlink(rule, which);
    fl_rule_append(rule, which, rule->tick);
    state->seen[0] = (fl_seen){second, hit->hits, hit->base};
    state->first = 0;
    state->end = 1;
    state->hits = hit->hits;
    state->base = hit->base;
    state->key = hit->key;
    state->born = second;
    state->since = state->due = state->queued = FL_NEVER;
    state->looked = -1;
    return 1;
}

/* Take in hits of one key, in its turn, which may push another one out. 0 where there is no memory. */
static inline int fl_rule_squeeze(fl_rule *rule, const fl_names *names, int64_t second, const fl_arrival *hit,
                                  fl_more *more, fl_saids *said) {
    uint32_t which = fl_rule_find(rule, hit->key);
    if (which != FL_NONE) {
        fl_rule_unlink(rule, which);
        fl_rule_append(rule, which, rule->tick);
    } else if (fl_rule_replace(rule, second, hit)) {
        return 1;
    } else {
        int dropped = rule->live < rule->bound ? 1 : fl_rule_drop_one(rule, names, second);
        if (dropped <= 0) {
            rule->dropped++;
            if (rule->kind == FL_QUANTILE)
                free(more->cells);
            return !dropped;
        }
        which = fl_rule_new(rule, hit->key, second, rule->tick);
    }
    return which != FL_NONE && fl_rule_absorb(rule, which, second, hit->hits, hit->base, more) &&
           fl_rule_look(rule, which, second, said);
}

#define FL_SOON 12 /* so many keys before its turn one is fetched */

/* Take in hits key by key, in order, each of which may push another one out. A key that stands more than
 * once is its own neighbour then. */
static inline int fl_rule_crowd(fl_rule *rule, const fl_names *names, fl_moment *moment, fl_saids *said) {
    if (!fl_rule_order(rule))
        return 0;
    fl_place *places = (fl_place *)malloc(2 * moment->n * sizeof *places);
    if (!places)
        return 0;
    for (size_t at = 0; at < moment->n; at++) {
        const uint32_t key = moment->arrivals[at].key;
        places[at] = (fl_place){0, key, (uint32_t)at};
        __builtin_prefetch(names->ranks + key); /* of many keys, most are not in the cache */
    }
    const fl_place *sorted = fl_rule_sorted(rule, names, places, moment->n);
    fl_more none = {0};
    int done = sorted != NULL;
    for (size_t at = 0, next; done && at < moment->n; at = next) {
        const size_t place = sorted[at].place;
        if (at + FL_SOON < moment->n && sorted[at + FL_SOON].key < rule->keys_room)
            __builtin_prefetch(rule->of_key + sorted[at + FL_SOON].key, 1);
        for (next = at + 1; done && next < moment->n && sorted[next].key == sorted[at].key; next++)
            done = fl_moment_join(moment, place, sorted[next].place, rule->kind);
        done = done && fl_rule_squeeze(rule, names, moment->second, moment->arrivals + place,
                                       moment->more ? moment->more + place : &none, said);
    }
    free(places);
    return done;
}

/* Take in the hits of a second, and look at every key that has some or is due. */
static inline int fl_rule_visit(fl_rule *rule, const fl_names *names, fl_saids *said) {
    fl_moment *moment = rule->moments.at[rule->moments.first++].moment;
    int64_t at = moment->second;
    int done = 1;
    rule->arriving = rule->arriving == moment ? NULL : rule->arriving;
    rule->coming = rule->coming == moment ? NULL : rule->coming;
    rule->tick += 2;
    if (moment->n)
        done = rule->live + moment->n <= rule->bound ? fl_rule_arrive(rule, moment, said)
                                                     : fl_rule_crowd(rule, names, moment, said);
    rule->queued -= moment->dues < rule->queued ? moment->dues : rule->queued;
    for (size_t due = 0; done && due < moment->dues; due++) {
        uint32_t which = fl_rule_find(rule, moment->due[due]);
        if (which == FL_NONE || rule->states[which].queued != at)
            continue;
        rule->states[which].queued = FL_NEVER;
        if (rule->states[which].due == at)
            done = fl_rule_look(rule, which, at, said);
        else
            done = fl_rule_queue(rule, which, rule->states[which].due);
    }
    int more = 1;
    while (done && more > 0 && rule->kept > rule->most_kept)
        more = rule->above ? fl_rule_drop_one(rule, names, at) : fl_rule_drop_youngest(rule, names, at);
    fl_moments_recycle(&rule->moments, moment);
    return done && more >= 0;
}

/* Evaluate every second before `end` that was not yet; `all` is the key of a rule without keys.
 * 0 where there is no memory. */
static inline int fl_rule_close(fl_rule *rule, const fl_names *names, int64_t end, int64_t first, uint32_t all,
                                fl_saids *said) {
    if (rule->has_closed && end <= rule->closed)
        return 1;
    if (!rule->begun && first < end) {
        rule->begun = 1;
        uint32_t which = rule->keyed ? FL_NONE : fl_rule_find(rule, all);
        if (which != FL_NONE) { /* late hits came before the first second was known */
            fl_state *state = rule->states + which;
            state->born = first < state->born ? first : state->born;
            if (!fl_rule_queue(rule, which, rule->closed))
                return 0;
        } else if (!rule->keyed) {
            which = fl_rule_new(rule, all, first, rule->tick += 2);
            if (which == FL_NONE || !fl_rule_schedule(rule, which, first - 1))
                return 0;
        }
    }
    while (rule->moments.first < rule->moments.end && rule->moments.at[rule->moments.first].second < end)
        if (!fl_rule_visit(rule, names, said))
            return 0;
    rule->closed = end;
    rule->has_closed = 1;
    return 1;
}

static inline void fl_rule_free(fl_rule *rule) {
    for (size_t at = rule->moments.first; rule->kind == FL_QUANTILE && at < rule->moments.end; at++)
        for (size_t hit = 0; hit < rule->moments.at[at].moment->n; hit++)
            free(rule->moments.at[at].moment->more[hit].cells);
    while (rule->head != FL_NONE && rule->live)
        fl_rule_forget(rule, rule->head);
    for (size_t at = 0; at < rule->n_states; at++) {
        free(rule->states[at].seen);
        free(rule->states[at].more);
    }
    fl_moments_free(&rule->moments);
    free(rule->states);
    free(rule->idle);
    free(rule->of_key);
}

#endif
