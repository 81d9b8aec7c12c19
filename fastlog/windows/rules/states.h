/* The keys of a rule, what their windows hold, and which of them has to go: see rules.h.
 *
 * Over 300 lines, since all of it is one state.
 */
#ifndef FASTLOG_STATES_H
#define FASTLOG_STATES_H

#include "arrivals.h"
#include "names.h"

#define FL_NEVER INT64_MAX
#define FL_LONG 64 /* seconds: arrays that are longer do not serve again */
#define FL_SOON 12 /* so many keys before its turn one is fetched */

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
    int64_t born, queued;           /* queued: the second at which it stands, ... */
    uint32_t due_before, due_after; /* ... between these */
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
    uint64_t prefix;
    uint32_t key, place;
} fl_place;

/* Keys that had hits in one second, of those of which more come than may stay: see crowd.h. */
typedef struct {
    int64_t second, tick;
    uint32_t start, held;
    uint32_t ranking, unranked; /* of its part of `ranks`: of which ranking it is, and how many have no rank */
} fl_group;

typedef struct {
    uint32_t now, before;
} fl_again;

typedef struct {
    fl_arrival *ring; /* state: of a key that came more than once */
    uint32_t *ranks;  /* of their names; FL_NONE where an entry is not there any more, or is not asked for yet */
    fl_group *groups;
    fl_again *again;
    fl_place *places;
    size_t group, groups_end;
    uint32_t mask, first, end, gone; /* gone: how many of the first group */
    int on;
} fl_crowd;

typedef struct {
    int64_t window, hold, min_hits, parts, percent, most_kept;
    size_t bound; /* keys at a time, and of one second */
    int keyed, above, kind;
    fl_wide fires, quiet;             /* whole numbers of the measure, or the numerators of a share, ... */
    fl_wide fires_parts, quiet_parts; /* ... and its denominators */
    fl_arrivals arrivals;
    fl_dues dues;
    fl_state *states;
    uint32_t *idle, *of_key; /* states that serve again; state + 1 by key */
    size_t n_states, room_states, n_idle, room_idle, keys_room, live;
    uint32_t head, tail; /* the one without hits for longest first */
    int64_t kept, dropped, closed, tick, sorted;
    int has_closed, begun;
    int plain;      /* above a sum of hits, which nothing but hits brings about */
    int64_t enough; /* then: so many are still quiet */
    int small;      /* a share whose threshold is of small numbers */
    size_t unranked; /* keys that were sorted by their names since these were ranked */
    int ordered; /* whether the row of keys is in the order of their ticks */
    int calm, grid_calm; /* so many seconds with hits, until a ring or a grid may stand for the row again */
    fl_crowd crowd;
    struct fl_grid *grid;
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

/* See to it that the state of a key can be noted. 0 where there is no memory. */
static inline int fl_rule_key_room(fl_rule *rule, uint32_t key) {
    while (key >= rule->keys_room) {
        size_t had = rule->keys_room;
        if (!fl_more_room((void **)&rule->of_key, &rule->keys_room, had, sizeof *rule->of_key))
            return 0;
        memset(rule->of_key + had, 0, (rule->keys_room - had) * sizeof *rule->of_key);
    }
    return 1;
}

/* A state for a key, in no row; FL_NONE where there is no memory. */
static inline uint32_t fl_rule_spare(fl_rule *rule, uint32_t key, int64_t born) {
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
    return which;
}

/* Have a state stand at no second. */
static inline void fl_rule_unqueue(fl_rule *rule, uint32_t which) {
    fl_state *state = rule->states + which;
    if (state->queued == FL_NEVER)
        return;
    if (state->due_before != FL_NONE)
        rule->states[state->due_before].due_after = state->due_after;
    else
        fl_dues_at(&rule->dues, state->queued)->head = state->due_after;
    if (state->due_after != FL_NONE)
        rule->states[state->due_after].due_before = state->due_before;
    state->queued = FL_NEVER;
}

/* Note when a key is due. 0 where there is no memory. */
static inline int fl_rule_queue(fl_rule *rule, uint32_t which, int64_t due) {
    fl_state *state = rule->states + which;
    state->due = due;
    if (due == FL_NEVER || due >= state->queued)
        return 1;
    fl_rule_unqueue(rule, which);
    fl_due *at = fl_dues_at(&rule->dues, due);
    if (!at)
        return 0;
    state->queued = due;
    state->due_before = FL_NONE;
    state->due_after = at->head;
    if (at->head != FL_NONE)
        rule->states[at->head].due_before = which;
    at->head = which;
    return 1;
}

/* Put the state of a key into the row, as the last. */
static inline void fl_rule_join(fl_rule *rule, uint32_t which, int64_t tick) {
    rule->of_key[rule->states[which].key] = which + 1;
    rule->live++;
    fl_rule_append(rule, which, tick);
}

/* The state of a new key, the last in the row; FL_NONE where there is no memory. */
static inline uint32_t fl_rule_new(fl_rule *rule, uint32_t key, int64_t born, int64_t tick) {
    const uint32_t which = fl_rule_key_room(rule, key) ? fl_rule_spare(rule, key, born) : FL_NONE;
    if (which != FL_NONE)
        fl_rule_join(rule, which, tick);
    return which;
}

static inline int64_t fl_rule_weight(const fl_rule *rule, const fl_state *state, size_t at) {
    return 1 + (rule->kind == FL_QUANTILE && state->more[at].cells ? (int64_t)state->more[at].cells->n : 0);
}

/* Have a state, which is in no row, serve again. */
static inline void fl_rule_release(fl_rule *rule, uint32_t which) {
    fl_state *state = rule->states + which;
    for (size_t at = state->first; at < state->end; at++) {
        rule->kept -= fl_rule_weight(rule, state, at);
        if (rule->kind == FL_QUANTILE)
            free(state->more[at].cells);
    }
    if (rule->kind == FL_QUANTILE)
        fl_sketch_free(state->sketch);
    if (state->room > FL_LONG) {
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

static inline void fl_rule_forget(fl_rule *rule, uint32_t which) {
    fl_rule_unlink(rule, which);
    fl_rule_unqueue(rule, which);
    rule->of_key[rule->states[which].key] = 0;
    rule->live--;
    fl_rule_release(rule, which);
}

/* Take what is no longer in the window that ends with `at` out of it. */
static inline void fl_rule_expire(fl_rule *rule, fl_state *state, int64_t at) {
    for (; state->first < state->end && state->seen[state->first].second <= at - rule->window; state->first++) {
        state->hits -= state->seen[state->first].hits;
        state->base -= state->seen[state->first].base;
        rule->kept -= fl_rule_weight(rule, state, state->first);
        if (rule->kind == FL_BYTES) {
            state->size -= state->more[state->first].size;
        } else if (rule->kind == FL_QUANTILE && state->more[state->first].cells) {
            fl_sketch_add(&state->sketch, state->more[state->first].cells, -1); /* all of it is there */
            free(state->more[state->first].cells);
        }
    }
}

/* -- hits of a key ---------------------------------------------------------------------------- */

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

/* -- keys that have to go --------------------------------------------------------------------- */

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
    unsigned __int128 first = n ? names->prefixes[places[0].key] : 0, differ = 0;
    for (size_t at = 1; at < n; at++)
        differ |= first ^ names->prefixes[places[at].key];
    int shift = 0; /* what all begin with says nothing */
    while (shift < 64 && !(differ >> 120 & 0xff)) {
        differ <<= 8;
        shift += 8;
    }
    for (size_t at = 0; at < n; at++)
        places[at].prefix = (uint64_t)(names->prefixes[places[at].key] << shift >> 64);
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
static inline int fl_names_rank(fl_names *names) {
    fl_place *places = (fl_place *)malloc(2 * names->n * sizeof *places);
    if (!places)
        return 0;
    size_t n = 0;
    for (size_t at = 0; at <= names->mask; at++)
        if (names->slots[at].number)
            places[n++] = (fl_place){0, names->slots[at].number - 1, 0};
    const fl_place *sorted = fl_places_sort(names, places, places + names->n, n);
    for (size_t at = 0; at < n; at++)
        names->ranks[sorted[at].key] = (uint32_t)at + 1;
    names->ranking++;
    free(places);
    return 1;
}

#define FL_UNRANKED 4 /* times all names: so many keys are sorted by their names before these are ranked anew */

/* As fl_places_sort, by the ranks of names where all have one; NULL where there is no memory. Keys that come again
 * and again are so sorted once, in the end. */
static inline fl_place *fl_rule_sorted(fl_rule *rule, fl_names *names, fl_place *places, size_t n) {
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
        __builtin_prefetch(names->prefixes + places[at].key);
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

#endif
