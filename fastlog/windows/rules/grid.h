/* Keys that are few and busy: what becomes of a second of them, all at once.
 *
 * Of a rule whose keys are all quiet nothing has to be known of a key but what its window holds. The hits of each
 * second stand in a row, by key, and a row for each second of the window in a grid: so a second is a row more and
 * one less in the sums of all keys, and a look at each sum. Most rules by section, status or method are so in most
 * seconds.
 *
 * The grid stands for the row of keys, from `fl_grid_begin` on, as long as all is so; `fl_grid_end` makes the row of
 * it again. Where a second may bring about more than hits, it has to end before. Both know the same but of hits that
 * are in no window any more.
 *
 * Memory: FL_GRID_KEYS keys and FL_GRID_WINDOW seconds at most, 300 KiB a rule.
 */
#ifndef FASTLOG_GRID_H
#define FASTLOG_GRID_H

#include <stddef.h>

#include "states.h"

#define FL_GRID_KEYS 64
#define FL_GRID_WINDOW 300
#define FL_GRID_BUSY 8  /* hits of a second: of fewer, each is looked at more quickly alone */
#define FL_GRID_IDLE 8  /* seconds without hits, until it ends */
#define FL_GRID_CALM 8  /* seconds with hits: so long none is begun after one could not be, or not kept */
#define FL_GRID_SIZE ((int64_t)1 << 50) /* bytes of a key in a second: those of a window are less than 2^63 */

/* What keys had, by key. */
typedef struct {
    int64_t hits[FL_GRID_KEYS], base[FL_GRID_KEYS], size[FL_GRID_KEYS];
} fl_sums;

/* Of one second. */
typedef struct {
    int32_t hits[FL_GRID_KEYS], base[FL_GRID_KEYS];
} fl_row;

typedef struct fl_grid {
    int on;
    size_t n, at, idle;         /* at: the row of the last second; idle: how many since the last hits */
    int64_t last;               /* second */
    uint32_t keys[FL_GRID_KEYS];
    int64_t born[FL_GRID_KEYS], tick[FL_GRID_KEYS];
    fl_sums sums;               /* of the window that ends with it */
    int64_t (*sizes)[FL_GRID_KEYS]; /* by row; NULL but of a rule that asks for bytes */
    fl_row rows[];              /* a second that is in none is all 0 */
} fl_grid;

static inline int fl_grid_on(const fl_rule *rule) { return rule->grid && rule->grid->on; }

static inline void fl_grid_free(fl_rule *rule) {
    if (rule->grid)
        free(rule->grid->sizes);
    free(rule->grid);
}

/* Whether a second with so many hits is to begin a grid, where none stands: most keys have some, and what a grid
 * holds, twice as much where it is a row again, is not near to what a rule may keep. */
static inline int fl_grid_wanted(const fl_rule *rule, size_t n) {
    return rule->keyed && rule->above && rule->kind != FL_QUANTILE && (rule->kind != FL_SHARE || rule->small) &&
           rule->window <= FL_GRID_WINDOW && 2 * FL_GRID_KEYS * rule->window <= rule->most_kept && !rule->crowd.on &&
           !rule->grid_calm && n >= FL_GRID_BUSY && n <= FL_GRID_KEYS && rule->live <= FL_GRID_KEYS &&
           rule->live <= 4 * n;
}

/* When a quiet key is due that nothing but hits, and their leaving the window, can make loud. */
static inline int64_t fl_grid_due(const fl_rule *rule, const fl_state *state) {
    return rule->kind == FL_SHARE && state->hits && state->first < state->end
               ? state->seen[state->first].second + rule->window
               : FL_NEVER;
}

/* A grid without keys, for seconds from `at` on. 0 where there is no memory. */
static inline int fl_grid_clear(fl_rule *rule, int64_t at) {
    const size_t window = (size_t)rule->window, size = sizeof *rule->grid + window * sizeof(fl_row);
    if (!rule->grid) {
        rule->grid = (fl_grid *)calloc(1, size);
        if (rule->grid && rule->kind == FL_BYTES)
            rule->grid->sizes = (int64_t(*)[FL_GRID_KEYS])calloc(window, sizeof *rule->grid->sizes);
    }
    fl_grid *grid = rule->grid;
    if (!grid || (rule->kind == FL_BYTES && !grid->sizes))
        return 0;
    int64_t(*sizes)[FL_GRID_KEYS] = grid->sizes;
    memset(grid, 0, size);
    grid->sizes = sizes;
    if (sizes)
        memset(sizes, 0, window * sizeof *sizes);
    grid->last = at - 1;
    return 1;
}

/* The row of a second of the window that ends with the last. */
static inline size_t fl_grid_row(const fl_rule *rule, int64_t second) {
    const size_t back = (size_t)(rule->grid->last - second), at = rule->grid->at;
    return at >= back ? at - back : at + (size_t)rule->window - back;
}

/* Put what a state has in its window into the grid; whether it can stand there. */
static inline int fl_grid_enter(fl_rule *rule, const fl_state *state) {
    fl_grid *grid = rule->grid;
    const size_t key = grid->n++;
    if (state->firing || state->since != FL_NEVER || state->due != fl_grid_due(rule, state))
        return 0;
    grid->keys[key] = state->key;
    grid->born[key] = state->born;
    grid->tick[key] = state->tick;
    for (size_t at = state->first; at < state->end; at++) {
        const fl_seen *seen = state->seen + at;
        if (seen->second <= grid->last - rule->window)
            continue;
        if (seen->second > grid->last || seen->base < 1 || seen->base > INT32_MAX || seen->hits < 0 || seen->hits > INT32_MAX)
            return 0;
        const size_t row = fl_grid_row(rule, seen->second);
        grid->sums.hits[key] += grid->rows[row].hits[key] = (int32_t)seen->hits;
        grid->sums.base[key] += grid->rows[row].base[key] = (int32_t)seen->base;
        if (!grid->sizes)
            continue;
        if (state->more[at].size < 0 || state->more[at].size > FL_GRID_SIZE)
            return 0;
        grid->sums.size[key] += grid->sizes[row][key] = (int64_t)state->more[at].size;
    }
    return 1;
}

/* Put the row of keys into a grid, before second `at`: 1. 0 where there is no memory, -1 where one is not quiet. */
static inline int fl_grid_begin(fl_rule *rule, int64_t at) {
    if (!fl_grid_clear(rule, at))
        return 0;
    uint32_t which = rule->head;
    for (; which != FL_NONE; which = rule->states[which].after)
        if (!fl_grid_enter(rule, rule->states + which))
            return -1;
    for (which = rule->head; which != FL_NONE; which = rule->states[which].after)
        rule->states[which].queued = FL_NEVER;
    rule->dues.first = rule->dues.end = 0;
    while (rule->head != FL_NONE)
        fl_rule_forget(rule, rule->head);
    for (size_t key = 0; key < rule->grid->n; key++)
        rule->of_key[rule->grid->keys[key]] = (uint32_t)key + 1;
    return rule->grid->on = 1;
}

/* Make the row of keys of the grid, if there is one. 0 where there is no memory. */
static inline int fl_grid_end(fl_rule *rule) {
    fl_grid *grid = rule->grid;
    if (!fl_grid_on(rule))
        return 1;
    grid->on = 0;
    for (size_t key = 0; key < grid->n; key++)
        rule->of_key[grid->keys[key]] = 0;
    rule->ordered = 0;
    rule->sorted = 0; /* a tick that none has: what is of one is in no order any more */
    for (size_t key = 0; key < grid->n; key++) {
        const uint32_t which = fl_rule_new(rule, grid->keys[key], grid->born[key], grid->tick[key]);
        if (which == FL_NONE)
            return 0;
        for (int64_t second = grid->last - rule->window + 1; second <= grid->last; second++) {
            const size_t row = fl_grid_row(rule, second);
            fl_more more = {.size = grid->sizes ? grid->sizes[row][key] : 0};
            if (grid->rows[row].base[key] &&
                !fl_rule_absorb(rule, which, second, grid->rows[row].hits[key], grid->rows[row].base[key], &more))
                return 0;
        }
        if (!fl_rule_queue(rule, which, fl_grid_due(rule, rule->states + which)))
            return 0;
    }
    return 1;
}

/* The key, by its place in the grid, of hits; FL_GRID_KEYS where it is one too many. */
static inline size_t fl_grid_key(fl_rule *rule, uint32_t key, int64_t second) {
    fl_grid *grid = rule->grid;
    const uint32_t known = fl_rule_find(rule, key);
    if (known != FL_NONE)
        return known;
    if (grid->n == FL_GRID_KEYS || !fl_rule_key_room(rule, key))
        return FL_GRID_KEYS;
    grid->keys[grid->n] = key;
    grid->born[grid->n] = second;
    rule->of_key[key] = (uint32_t)++grid->n;
    return grid->n - 1;
}

/* Add up the hits of a second, by key; whether they can stand in a grid. */
static inline int fl_grid_came(fl_rule *rule, const fl_taken *moment, fl_sums *came) {
    for (size_t at = 0; at < moment->n; at++) {
        const fl_arrival *hit = moment->arrivals + at;
        const size_t key = fl_grid_key(rule, hit->key, moment->second);
        if (key == FL_GRID_KEYS || hit->base < 1 || hit->base > INT32_MAX || hit->hits < 0 || hit->hits > INT32_MAX)
            return 0;
        came->hits[key] += hit->hits;
        came->base[key] += hit->base;
        if (rule->kind != FL_BYTES)
            continue;
        if (moment->more[at].size < 0 || moment->more[at].size > FL_GRID_SIZE)
            return 0;
        came->size[key] += (int64_t)moment->more[at].size;
    }
    return 1;
}

/* The sums of the window that ends with the next second; whether all keys stay as quiet as they are. What is negative
 * says no, so that nothing branches on it. */
static inline int fl_grid_sum(const fl_rule *rule, size_t next, const fl_sums *came, fl_sums *sums) {
    const fl_grid *grid = rule->grid;
    const fl_row *row = grid->rows + next;
    const int64_t least = rule->min_hits, parts = (int64_t)rule->fires_parts;
    const int64_t fires = rule->kind == FL_HITS             ? rule->enough
                          : rule->fires > (fl_wide)INT64_MAX ? INT64_MAX
                                                             : (int64_t)rule->fires;
    int64_t no = 0;
    for (size_t key = 0; key < grid->n; key++) {
        sums->hits[key] = grid->sums.hits[key] - row->hits[key] + came->hits[key];
        sums->base[key] = grid->sums.base[key] - row->base[key] + came->base[key];
        no |= (INT32_MAX - sums->hits[key]) | (INT32_MAX - sums->base[key]); /* then a row has room for what came */
    }
    if (rule->kind == FL_HITS)
        for (size_t key = 0; key < grid->n; key++)
            no |= (fires - sums->hits[key]) & ~(sums->base[key] - least);
    if (rule->kind == FL_BYTES)
        for (size_t key = 0; key < grid->n; key++) {
            sums->size[key] = grid->sums.size[key] - grid->sizes[next][key] + came->size[key];
            no |= (FL_GRID_SIZE - came->size[key]) | ((fires - sums->size[key]) & ~(sums->base[key] - least));
        }
    if (rule->kind == FL_SHARE && no >= 0) /* else a product may be too large */
        for (size_t key = 0; key < grid->n; key++) {
            no |= (fires * sums->base[key] - parts * sums->hits[key]) & ~(sums->base[key] - least);
            no |= (sums->base[key] - 1) & -grid->sums.hits[key]; /* it is forgotten as its last hits leave */
        }
    return no >= 0;
}

/* Take in a second, the one after the last, which may have no hits: 1. 0 where there is no memory; -1 where it has to
 * end first. */
static inline int fl_grid_take(fl_rule *rule, const fl_taken *moment) {
    fl_grid *grid = rule->grid;
    fl_sums came, sums;
    const size_t n = grid->n, next = grid->at + 1 == (size_t)rule->window ? 0 : grid->at + 1;
    grid->idle = moment->n ? 0 : grid->idle + 1;
    memset(&came, 0, rule->kind == FL_BYTES ? sizeof came : offsetof(fl_sums, size));
    if (grid->idle > FL_GRID_IDLE || !fl_grid_came(rule, moment, &came) || grid->n > rule->bound ||
        !fl_grid_sum(rule, next, &came, &sums)) {
        while (grid->n > n) /* keys that are new */
            rule->of_key[grid->keys[--grid->n]] = 0;
        return -1;
    }
    for (size_t key = 0; key < grid->n; key++) {
        grid->sums.hits[key] = sums.hits[key];
        grid->sums.base[key] = sums.base[key];
        grid->rows[next].hits[key] = (int32_t)came.hits[key];
        grid->rows[next].base[key] = (int32_t)came.base[key];
        grid->tick[key] = came.base[key] ? rule->tick | 1 : grid->tick[key];
    }
    for (size_t key = 0; grid->sizes && key < grid->n; key++) {
        grid->sums.size[key] = sums.size[key];
        grid->sizes[next][key] = came.size[key];
    }
    grid->at = next;
    grid->last = moment->second;
    return 1;
}

#endif
