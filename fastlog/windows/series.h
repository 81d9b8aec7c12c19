/* Counts in order of a key, and tables of counts, in packed arrays. The twin of the dicts and
 * deques of traffic.py and tables.py. */
#ifndef FASTLOG_SERIES_H
#define FASTLOG_SERIES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Hits by second, sorted; what is taken comes from the front, what is added mostly to the end. */
typedef struct {
    int64_t *seconds, *hits;
    size_t first, end, room;
} fl_series;

static inline size_t fl_series_find(const fl_series *series, int64_t second) {
    size_t low = series->first, high = series->end;
    if (low == high || series->seconds[high - 1] < second)
        return high;
    if (series->seconds[high - 1] == second)
        return high - 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (series->seconds[middle] < second)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* 0 where there is no memory. */
static inline int fl_series_add(fl_series *series, int64_t second, int64_t hits) {
    size_t at = fl_series_find(series, second);
    if (at < series->end && series->seconds[at] == second) {
        series->hits[at] += hits;
        return 1;
    }
    if (series->end == series->room) {
        size_t n = series->end - series->first;
        if (series->first > series->room / 2) {
            memmove(series->seconds, series->seconds + series->first, n * sizeof *series->seconds);
            memmove(series->hits, series->hits + series->first, n * sizeof *series->hits);
        } else {
            size_t room = series->room ? 2 * series->room : 256;
            int64_t *seconds = (int64_t *)malloc(room * sizeof *seconds);
            int64_t *counts = (int64_t *)malloc(room * sizeof *counts);
            if (!seconds || !counts) {
                free(seconds);
                free(counts);
                return 0;
            }
            if (n) {
                memcpy(seconds, series->seconds + series->first, n * sizeof *seconds);
                memcpy(counts, series->hits + series->first, n * sizeof *counts);
            }
            free(series->seconds);
            free(series->hits);
            series->seconds = seconds;
            series->hits = counts;
            series->room = room;
        }
        at -= series->first;
        series->end = n;
        series->first = 0;
    }
    if (at < series->end) {
        memmove(series->seconds + at + 1, series->seconds + at, (series->end - at) * sizeof *series->seconds);
        memmove(series->hits + at + 1, series->hits + at, (series->end - at) * sizeof *series->hits);
    }
    series->seconds[at] = second;
    series->hits[at] = hits;
    series->end++;
    return 1;
}

static inline void fl_series_free(fl_series *series) {
    free(series->seconds);
    free(series->hits);
}

/* A column that grows. */
typedef struct {
    int64_t *at;
    size_t n, room;
} fl_longs;

/* Room for `more` values behind the last. 0 where there is no memory. */
static inline int fl_longs_reserve(fl_longs *longs, size_t more) {
    if (longs->room - longs->n >= more)
        return 1;
    size_t room = longs->room ? 2 * longs->room : 64;
    while (room - longs->n < more)
        room *= 2;
    int64_t *at = (int64_t *)realloc(longs->at, room * sizeof *at);
    if (!at)
        return 0;
    longs->at = at;
    longs->room = room;
    return 1;
}

/* 0 where there is no memory. */
static inline int fl_longs_push(fl_longs *longs, int64_t value) {
    if (!fl_longs_reserve(longs, 1))
        return 0;
    longs->at[longs->n++] = value;
    return 1;
}

/* Hits by number of a key, in order of first appearance; behind `bound` keys, in `other`. */
typedef struct {
    uint32_t *keys, *slots; /* slots: place + 1 of a key, by its hash; only from FL_FEW keys on */
    int64_t *hits;
    size_t n, room, mask;
    int64_t other;
} fl_tally;

#define FL_FEW 16

static inline uint32_t *fl_tally_slot(const fl_tally *tally, uint32_t key) {
    size_t slot = key * 2654435769u;
    slot ^= slot >> 15;
    while (tally->slots[slot & tally->mask] && tally->keys[tally->slots[slot & tally->mask] - 1] != key)
        slot++;
    return tally->slots + (slot & tally->mask);
}

/* Where a key stands; n where it does not. */
static inline size_t fl_tally_find(const fl_tally *tally, uint32_t key) {
    if (tally->slots) {
        uint32_t place = *fl_tally_slot(tally, key);
        return place ? place - 1 : tally->n;
    }
    size_t at = 0;
    while (at < tally->n && tally->keys[at] != key)
        at++;
    return at;
}

/* The slots of all keys, from FL_FEW keys on. */
static inline int fl_tally_hash(fl_tally *tally) {
    free(tally->slots);
    tally->slots = NULL;
    if (tally->room <= FL_FEW)
        return 1;
    tally->mask = 2 * tally->room - 1;
    tally->slots = (uint32_t *)calloc(tally->mask + 1, sizeof *tally->slots);
    if (!tally->slots)
        return 0;
    for (size_t at = 0; at < tally->n; at++)
        *fl_tally_slot(tally, tally->keys[at]) = (uint32_t)at + 1;
    return 1;
}

/* Room for `n` keys. 0 where there is no memory. */
static inline int fl_tally_reserve(fl_tally *tally, size_t n) {
    if (n <= tally->room)
        return 1;
    size_t room = tally->room ? 2 * tally->room : FL_FEW; /* a power of two: so is mask + 1 */
    while (room < n)
        room *= 2;
    uint32_t *keys = (uint32_t *)realloc(tally->keys, room * sizeof *keys);
    if (!keys)
        return 0;
    tally->keys = keys;
    int64_t *counts = (int64_t *)realloc(tally->hits, room * sizeof *counts);
    if (!counts)
        return 0;
    tally->hits = counts;
    tally->room = room;
    return fl_tally_hash(tally);
}

/* 0 where there is no memory. */
static inline int fl_tally_add(fl_tally *tally, uint32_t key, int64_t hits, size_t bound) {
    size_t at = fl_tally_find(tally, key);
    if (at < tally->n) {
        tally->hits[at] += hits;
        return 1;
    }
    if (tally->n >= bound) {
        tally->other += hits;
        return 1;
    }
    if (!fl_tally_reserve(tally, tally->n + 1))
        return 0;
    tally->keys[tally->n] = key;
    tally->hits[tally->n] = hits;
    if (tally->slots)
        *fl_tally_slot(tally, key) = (uint32_t)tally->n + 1;
    tally->n++;
    return 1;
}

/* Add a run of cells, whose keys are all different; `numbers` says what each key is here, NULL: itself. Most
 * tables are empty before, and then no key of theirs need be looked for. 0 where there is no memory. */
static inline int fl_tally_add_all(fl_tally *tally, const int64_t *cells, const int64_t *hits, size_t n,
                                   const uint32_t *numbers, size_t bound) {
    if (tally->n || n > bound) {
        for (size_t at = 0; at < n; at++)
            if (!fl_tally_add(tally, numbers ? numbers[cells[at]] : (uint32_t)cells[at], hits[at], bound))
                return 0;
        return 1;
    }
    if (!fl_tally_reserve(tally, n))
        return 0;
    for (size_t at = 0; at < n; at++) {
        tally->keys[at] = numbers ? numbers[cells[at]] : (uint32_t)cells[at];
        tally->hits[at] = hits[at];
        if (tally->slots)
            *fl_tally_slot(tally, tally->keys[at]) = (uint32_t)at + 1;
    }
    tally->n = n;
    return 1;
}

/* As new, but for its memory. */
static inline void fl_tally_empty(fl_tally *tally) {
    tally->n = 0;
    tally->other = 0;
    if (tally->slots)
        memset(tally->slots, 0, (tally->mask + 1) * sizeof *tally->slots);
}

static inline void fl_tally_free(fl_tally *tally) {
    free(tally->keys);
    free(tally->slots);
    free(tally->hits);
    memset(tally, 0, sizeof *tally);
}

#endif
