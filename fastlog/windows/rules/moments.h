/* What is to happen at which second: hits that arrive, and keys that are due. The twin of what window.py
 * keeps in `_open` and `_due`. */
#ifndef FASTLOG_MOMENTS_H
#define FASTLOG_MOMENTS_H

#include "names.h"
#include "sums.h"

/* Hits of a key. A key may stand more than once in a moment until it is indexed. */
typedef struct {
    int64_t hits, base;
    uint32_t key, state;
} fl_arrival;

typedef struct {
    int64_t second;
    fl_arrival *arrivals;
    fl_more *more; /* of each arrival, where a rule needs more */
    uint32_t *slots; /* place + 1 of a key: once the bound is reached */
    uint32_t *due;
    size_t n, room, mask, dues, due_room;
} fl_moment;

typedef struct {
    int64_t second;
    fl_moment *moment;
} fl_when;

#define FL_POOL 256 /* moments kept for the next: those that a chunk of a busy log brings, and those that are open */

/* Moments by second. What is taken comes from the front, what is added mostly near the end. */
typedef struct {
    fl_when *at;
    size_t first, end, room;
    fl_moment *pool[FL_POOL];
    size_t pooled;
} fl_moments;

/* Room for one more of an array. 0 where there is no memory. */
static inline int fl_more_room(void **array, size_t *room, size_t n, size_t size) {
    if (n < *room)
        return 1;
    size_t wanted = *room ? 2 * *room : 8;
    void *more = realloc(*array, wanted * size);
    if (!more)
        return 0;
    *array = more;
    *room = wanted;
    return 1;
}

static inline void fl_moment_free(fl_moment *moment) {
    if (!moment)
        return;
    free(moment->arrivals);
    free(moment->more);
    free(moment->slots);
    free(moment->due);
    free(moment);
}

/* What arrives has been taken: the moment may serve again. */
static inline void fl_moments_recycle(fl_moments *moments, fl_moment *moment) {
    free(moment->slots);
    moment->slots = NULL;
    moment->n = moment->dues = 0;
    if (moments->pooled < FL_POOL)
        moments->pool[moments->pooled++] = moment;
    else
        fl_moment_free(moment);
}

/* The moment of a second, which is made where there is none; NULL where there is no memory. */
static inline fl_moment *fl_moments_at(fl_moments *moments, int64_t second) {
    size_t low = moments->first, high = moments->end;
    if (low < high && moments->at[high - 1].second < second)
        low = high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (moments->at[middle].second < second)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < moments->end && moments->at[low].second == second)
        return moments->at[low].moment;
    if (moments->first && moments->end == moments->room) { /* move to the front of the array */
        size_t n = moments->end - moments->first;
        memmove(moments->at, moments->at + moments->first, n * sizeof *moments->at);
        low -= moments->first;
        moments->first = 0;
        moments->end = n;
    }
    if (!fl_more_room((void **)&moments->at, &moments->room, moments->end, sizeof *moments->at))
        return NULL;
    fl_moment *moment =
        moments->pooled ? moments->pool[--moments->pooled] : (fl_moment *)calloc(1, sizeof *moment);
    if (!moment)
        return NULL;
    moment->second = second;
    memmove(moments->at + low + 1, moments->at + low, (moments->end - low) * sizeof *moments->at);
    moments->at[low] = (fl_when){second, moment};
    moments->end++;
    return moment;
}

static inline void fl_moments_free(fl_moments *moments) {
    for (size_t at = moments->first; at < moments->end; at++)
        fl_moment_free(moments->at[at].moment);
    for (size_t at = 0; at < moments->pooled; at++)
        fl_moment_free(moments->pool[at]);
    free(moments->at);
}

static inline uint32_t *fl_moment_slot(const fl_moment *moment, uint32_t key) {
    size_t slot = key * 2654435769u;
    slot ^= slot >> 15;
    uint32_t place;
    while ((place = moment->slots[slot & moment->mask]) && moment->arrivals[place - 1].key != key)
        slot++;
    return moment->slots + (slot & moment->mask);
}

/* Add hits to an arrival. 0 where there is no memory. */
static inline int fl_moment_merge(fl_moment *moment, size_t at, int64_t hits, int64_t base, const fl_more *more,
                                  int kind) {
    moment->arrivals[at].hits += hits;
    moment->arrivals[at].base += base;
    if (kind == FL_BYTES)
        moment->more[at].size += more->size;
    else if (kind == FL_QUANTILE && more->cells)
        return fl_cells_add(&moment->more[at].cells, more->cells->at, more->cells->at + more->cells->n,
                            more->cells->n);
    return 1;
}

/* Add an arrival to another one of its key. 0 where there is no memory. */
static inline int fl_moment_join(fl_moment *moment, size_t at, size_t other, int kind) {
    int done = fl_moment_merge(moment, at, moment->arrivals[other].hits, moment->arrivals[other].base,
                               moment->more ? moment->more + other : NULL, kind);
    if (kind == FL_QUANTILE) {
        free(moment->more[other].cells);
        moment->more[other].cells = NULL;
    }
    return done;
}

/* See to it that each key stands once, and is found by a slot: for so many keys. 0 where there is no memory. */
static inline int fl_moment_index(fl_moment *moment, size_t bound, int kind) {
    if (moment->slots)
        return 1;
    size_t room = 16;
    while (room < 2 * (bound > moment->n ? bound : moment->n))
        room *= 2;
    moment->slots = (uint32_t *)calloc(room, sizeof *moment->slots);
    if (!moment->slots)
        return 0;
    moment->mask = room - 1;
    size_t kept = 0, n = moment->n;
    int done = 1;
    for (size_t at = 0; at < n; at++) {
        fl_arrival arrival = moment->arrivals[at];
        uint32_t *slot = fl_moment_slot(moment, arrival.key);
        if (*slot) {
            done &= fl_moment_join(moment, *slot - 1, at, kind);
            continue;
        }
        moment->arrivals[kept] = arrival;
        if (kind >= FL_BYTES)
            moment->more[kept] = moment->more[at];
        *slot = (uint32_t)++kept;
    }
    moment->n = kept;
    return done;
}

/* Put an arrival at the end. `more` is the moment's from here on. 0 where there is no memory. */
static inline int fl_moment_push(fl_moment *moment, const fl_arrival *arrival, const fl_more *more, int kind) {
    size_t room = moment->room;
    if (!fl_more_room((void **)&moment->arrivals, &moment->room, moment->n, sizeof *moment->arrivals))
        return 0;
    if (kind >= FL_BYTES) {
        if (room != moment->room || !moment->more) {
            fl_more *longer = (fl_more *)realloc(moment->more, moment->room * sizeof *longer);
            if (!longer) {
                moment->room = room;
                return 0;
            }
            moment->more = longer;
        }
        moment->more[moment->n] = *more;
    }
    moment->arrivals[moment->n++] = *arrival;
    return 1;
}

#endif
