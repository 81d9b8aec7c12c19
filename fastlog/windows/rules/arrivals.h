/* Hits of seconds that are open: the twin of what window.py keeps in `_open`.
 *
 * The hits of all open seconds stand in one array, those of a second side by side. In most logs they come by second:
 * then each is put behind the last one. Those of a second that others came after are moved to the end, with
 * room for as many again. What they leave behind, and what has been taken, is gone: where that is more than
 * half of all, or the array is full, the others are gathered.
 *
 * Memory: the array has room for some four times the hits that are open. A second may have more than its bound of
 * keys only until they are gathered or asked for.
 */
#ifndef FASTLOG_ARRIVALS_H
#define FASTLOG_ARRIVALS_H

#include "moments.h"
#include "sums.h"

/* Hits of a key. A key may stand more than once in a second until this is cut. */
typedef struct {
    int64_t hits, base;
    uint32_t key, state;
} fl_arrival;

/* The hits of an open second. */
typedef struct {
    int64_t second;
    size_t start, n, room; /* where they stand among all */
} fl_moment;

/* What arrives; what is taken comes from the front of the moments. */
typedef struct {
    fl_moment *moments; /* by second */
    size_t first, end, moments_room;
    fl_moment *last; /* to which the last were put; NULL where that has to be found out */
    fl_arrival *at;
    fl_more *more; /* of each, where a rule needs more */
    size_t n, room, gone; /* gone: of n */
    size_t bound;         /* keys of a second, */
    int64_t dropped;      /* and how many entries came of others */
    int kind;
} fl_arrivals;

static inline void fl_arrivals_free(fl_arrivals *arrivals) {
    for (size_t at = arrivals->first; arrivals->kind == FL_QUANTILE && at < arrivals->end; at++)
        for (size_t hit = 0; hit < arrivals->moments[at].n; hit++)
            free(arrivals->more[arrivals->moments[at].start + hit].cells);
    free(arrivals->moments);
    free(arrivals->at);
    free(arrivals->more);
}

/* The moment of a second, which is made where there is none; NULL where there is no memory. */
static inline fl_moment *fl_arrivals_moment(fl_arrivals *arrivals, int64_t second) {
    const size_t size = sizeof *arrivals->moments;
    size_t place = fl_second_place(arrivals->moments, size, arrivals->first, arrivals->end, second);
    if (place < arrivals->end && arrivals->moments[place].second == second)
        return arrivals->moments + place;
    place = fl_second_room((void **)&arrivals->moments, size, &arrivals->first, &arrivals->end,
                           &arrivals->moments_room, place);
    if (place == FL_NOWHERE)
        return NULL;
    arrivals->moments[place] = (fl_moment){second, arrivals->n, 0, 0};
    return arrivals->moments + place;
}

/* The place and 1 of a key among those that have a slot. */
static inline uint32_t *fl_moment_slot(const fl_arrival *at, uint32_t *slots, size_t mask, uint32_t key) {
    size_t slot = key * 2654435769u;
    slot ^= slot >> 15;
    uint32_t place;
    while ((place = slots[slot & mask]) && at[place - 1].key != key)
        slot++;
    return slots + (slot & mask);
}

/* Add hits to others of their key, and leave none behind. 0 where there is no memory. */
static inline int fl_moment_join(fl_arrival *arrivals, fl_more *more, size_t at, size_t other, int kind) {
    arrivals[at].hits += arrivals[other].hits;
    arrivals[at].base += arrivals[other].base;
    if (kind == FL_BYTES)
        more[at].size += more[other].size;
    if (kind != FL_QUANTILE || !more[other].cells)
        return 1;
    const fl_cells *cells = more[other].cells;
    const int done = fl_cells_add(&more[at].cells, cells->at, cells->at + cells->n, cells->n);
    free(more[other].cells);
    more[other].cells = NULL;
    return done;
}

/* See to it that the keys of a moment are within the bound, and each stands once: those that came first stay.
 * 0 where there is no memory. */
static inline int fl_moment_cut(fl_arrivals *arrivals, fl_moment *moment) {
    fl_arrival *at = arrivals->at + moment->start;
    fl_more *more = arrivals->more ? arrivals->more + moment->start : NULL;
    size_t room = 16, kept = 0;
    int done = 1;
    while (room < 2 * moment->n)
        room *= 2;
    uint32_t *slots = (uint32_t *)calloc(room, sizeof *slots);
    if (!slots)
        return 0;
    for (size_t hit = 0; hit < moment->n; hit++) {
        uint32_t *slot = fl_moment_slot(at, slots, room - 1, at[hit].key);
        if (*slot) {
            done &= fl_moment_join(at, more, *slot - 1, hit, arrivals->kind);
        } else if (kept < arrivals->bound) {
            at[kept] = at[hit];
            if (more)
                more[kept] = more[hit];
            *slot = (uint32_t)++kept;
        } else {
            arrivals->dropped++;
            if (arrivals->kind == FL_QUANTILE)
                free(more[hit].cells);
        }
    }
    moment->n = kept;
    free(slots);
    return done;
}

/* As fl_moment_cut, of all that have hits beyond the bound. */
static inline int fl_arrivals_cut(fl_arrivals *arrivals) {
    int done = 1;
    for (size_t at = arrivals->first; done && at < arrivals->end; at++)
        if (arrivals->moments[at].n > arrivals->bound)
            done = fl_moment_cut(arrivals, arrivals->moments + at);
    return done;
}

/* Have all stand by second from the front on, and room for so many behind them. 0 where there is no memory. */
static inline int fl_arrivals_gather(fl_arrivals *arrivals, size_t wanted) {
    const int kind = arrivals->kind;
    size_t n = 0, room = arrivals->room ? arrivals->room : 64;
    int orderly = 1;
    if (!fl_arrivals_cut(arrivals))
        return 0;
    for (size_t at = arrivals->first; at < arrivals->end; at++) {
        orderly &= at == arrivals->first || arrivals->moments[at - 1].start <= arrivals->moments[at].start;
        n += arrivals->moments[at].n;
    }
    while (room < 2 * (n + wanted))
        room *= 2;
    const int stays = orderly && room == arrivals->room;
    fl_arrival *all = stays ? arrivals->at : (fl_arrival *)malloc(room * sizeof *all);
    fl_more *more = stays || kind < FL_BYTES ? arrivals->more : (fl_more *)malloc(room * sizeof *more);
    if (!all || (kind >= FL_BYTES && !more)) { /* where they stay, there are both */
        free(all);
        free(more);
        return 0;
    }
    n = 0;
    for (size_t at = arrivals->first; at < arrivals->end; at++) {
        fl_moment *moment = arrivals->moments + at;
        if (moment->n)
            memmove(all + n, arrivals->at + moment->start, moment->n * sizeof *all);
        if (moment->n && more)
            memmove(more + n, arrivals->more + moment->start, moment->n * sizeof *more);
        moment->start = n;
        n += moment->room = moment->n;
    }
    if (!stays) {
        free(arrivals->at);
        free(more != arrivals->more ? arrivals->more : NULL);
    }
    arrivals->at = all;
    arrivals->more = more;
    arrivals->room = room;
    arrivals->n = n;
    arrivals->gone = 0;
    return 1;
}

/* Where most of what stands there has gone, gather the others: the less memory is in use, the more of it is cached. */
static inline int fl_arrivals_close_up(fl_arrivals *arrivals) {
    return 2 * arrivals->gone <= arrivals->n || fl_arrivals_gather(arrivals, 0);
}

/* Room for one more in a moment. 0 where there is no memory. */
static inline int fl_moment_room(fl_arrivals *arrivals, fl_moment *moment) {
    if (moment->n < moment->room)
        return 1;
    if (arrivals->n + 2 * moment->n + 1 > arrivals->room &&
        (!fl_arrivals_cut(arrivals) || !fl_arrivals_gather(arrivals, 2 * moment->n + 1)))
        return 0;
    if (!moment->n)
        moment->start = arrivals->n;
    if (moment->start + moment->room != arrivals->n) { /* others came after it */
        if (moment->n > arrivals->bound && !fl_moment_cut(arrivals, moment))
            return 0;
        if (2 * moment->n <= moment->room)
            return 1;
        memcpy(arrivals->at + arrivals->n, arrivals->at + moment->start, moment->n * sizeof *arrivals->at);
        if (arrivals->more)
            memcpy(arrivals->more + arrivals->n, arrivals->more + moment->start, moment->n * sizeof *arrivals->more);
        arrivals->gone += moment->room;
        moment->start = arrivals->n;
        moment->room = 2 * moment->n;
        arrivals->n += moment->room;
        return 1;
    }
    moment->room++;
    arrivals->n++;
    return 1;
}

/* Put hits behind those that there are of the last moment, where there is room: as there is for most. */
static inline int fl_arrivals_put(fl_arrivals *arrivals, int64_t second, uint32_t key, int64_t hits, int64_t base,
                                  const fl_more *more) {
    fl_moment *moment = arrivals->last;
    if (!moment || moment->second != second)
        return 0;
    if (moment->n == moment->room) {
        if (moment->start + moment->room != arrivals->n || arrivals->n == arrivals->room)
            return 0;
        moment->room++;
        arrivals->n++;
    }
    const size_t at = moment->start + moment->n++;
    fl_arrival *hit = arrivals->at + at; /* written one by one: a copy of what was just written would wait for it */
    hit->hits = hits;
    hit->base = base;
    hit->key = key;
    if (arrivals->kind >= FL_BYTES)
        arrivals->more[at] = *more;
    return 1;
}

/* Put hits down for a second. `more` is of the arrivals from here on. 0 where there is no memory. */
static inline int fl_arrivals_add(fl_arrivals *arrivals, int64_t second, uint32_t key, int64_t hits, int64_t base,
                                  const fl_more *more) {
    arrivals->last = fl_arrivals_moment(arrivals, second);
    if (!arrivals->last || !fl_moment_room(arrivals, arrivals->last))
        return 0;
    return fl_arrivals_put(arrivals, second, key, hits, base, more);
}

/* The hits of a second, until the next are put down. */
typedef struct {
    int64_t second;
    fl_arrival *arrivals;
    fl_more *more;
    size_t n;
} fl_taken;

/* Take the hits of the first second. 0 where there is no memory. */
static inline int fl_arrivals_take(fl_arrivals *arrivals, fl_taken *taken) {
    fl_moment *moment = arrivals->moments + arrivals->first;
    if (moment->n > arrivals->bound && !fl_moment_cut(arrivals, moment))
        return 0;
    fl_more *more = arrivals->more ? arrivals->more + moment->start : NULL;
    *taken = (fl_taken){moment->second, arrivals->at + moment->start, more, moment->n};
    arrivals->last = arrivals->last == moment ? NULL : arrivals->last;
    arrivals->gone += moment->room;
    if (++arrivals->first == arrivals->end)
        arrivals->first = arrivals->end = arrivals->n = arrivals->gone = 0;
    return 1;
}

#endif
