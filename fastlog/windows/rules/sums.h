/* What a rule measures, in C: the twin of sums.py. */
#ifndef FASTLOG_SUMS_H
#define FASTLOG_SUMS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef __int128 fl_wide; /* sums of bytes: of 2^64 lines of 18 digits, and more */

static inline fl_wide fl_wide_of(int64_t high, uint64_t low, int bits) {
    return high * ((fl_wide)1 << bits) + low;
}

static inline int64_t fl_wide_high(fl_wide value) { return (int64_t)(value >> 64); }

static inline uint64_t fl_wide_low(fl_wide value) { return (uint64_t)value; }

enum { FL_HITS, FL_SHARE, FL_BYTES, FL_QUANTILE };

/* A sketch's cells, ascending, and then their counts. Never of none. */
typedef struct {
    size_t n;
    int64_t at[];
} fl_cells;

/* What hits and base do not say; which of the two, the rule knows. */
typedef union {
    fl_wide size;
    fl_cells *cells; /* NULL for none */
} fl_more;

/* So many cells, and their counts, to be filled in; NULL where there is no memory. */
static inline fl_cells *fl_cells_new(size_t n) {
    fl_cells *made = (fl_cells *)malloc(sizeof *made + 2 * n * sizeof *made->at);
    if (made)
        made->n = n;
    return made;
}

static inline fl_cells *fl_cells_of(const int64_t *cells, const int64_t *counts, size_t n) {
    fl_cells *made = fl_cells_new(n);
    if (!made)
        return NULL;
    memcpy(made->at, cells, n * sizeof *cells);
    memcpy(made->at + n, counts, n * sizeof *counts);
    return made;
}

/* Add cells to `sum`, which moves. 0 where there is no memory. */
static inline int fl_cells_add(fl_cells **sum, const int64_t *cells, const int64_t *counts, size_t n) {
    const fl_cells *old = *sum;
    if (!n)
        return 1;
    size_t had = old ? old->n : 0, made = 0, mine = 0, more = 0;
    fl_cells *both = (fl_cells *)malloc(sizeof *both + 2 * (had + n) * sizeof *both->at);
    int64_t *totals = both ? (int64_t *)malloc((had + n) * sizeof *totals) : NULL;
    if (!totals) {
        free(both);
        return 0;
    }
    while (mine < had || more < n) {
        int takes_mine = mine < had && (more == n || old->at[mine] <= cells[more]);
        int takes_more = more < n && (mine == had || cells[more] <= old->at[mine]);
        both->at[made] = takes_mine ? old->at[mine] : cells[more];
        totals[made] = (takes_mine ? old->at[had + mine] : 0) + (takes_more ? counts[more] : 0);
        mine += takes_mine;
        more += takes_more;
        made++;
    }
    memcpy(both->at + made, totals, made * sizeof *totals);
    both->n = made;
    free(totals);
    free(*sum);
    *sum = both;
    return 1;
}

#define FL_OCTAVE 64
#define FL_OCTAVES 35
#define FL_CELLS (FL_OCTAVE * FL_OCTAVES)

/* Counts by cell that cells are added to and come off: an octave's once one of its own is there. */
typedef struct {
    int64_t total, sums[FL_OCTAVES];
    int64_t *octaves[FL_OCTAVES];
} fl_sketch;

/* Count cells, `sign` times. 0 where there is no memory. */
static inline int fl_sketch_add(fl_sketch **sketch, const fl_cells *cells, int64_t sign) {
    if (!*sketch && !(*sketch = (fl_sketch *)calloc(1, sizeof **sketch)))
        return 0;
    fl_sketch *sum = *sketch;
    for (size_t at = 0; at < cells->n; at++) {
        size_t cell = (size_t)cells->at[at], octave = cell / FL_OCTAVE;
        int64_t count = sign * cells->at[cells->n + at];
        if (!sum->octaves[octave] &&
            !(sum->octaves[octave] = (int64_t *)calloc(FL_OCTAVE, sizeof *sum->octaves[octave])))
            return 0;
        sum->octaves[octave][cell % FL_OCTAVE] += count;
        sum->sums[octave] += count;
        sum->total += count;
    }
    return 1;
}

/* The middle of the cell in which `percent` of 100 are reached, in microseconds; 0 of no hits. */
static inline int64_t fl_sketch_quantile(const fl_sketch *sketch, int64_t percent) {
    if (!sketch || !sketch->total)
        return 0;
    fl_wide rank = ((fl_wide)percent * sketch->total + 99) / 100;
    int64_t above = sketch->total - (int64_t)rank;
    size_t octave = FL_OCTAVES, cell = FL_OCTAVE;
    while (octave-- && above >= sketch->sums[octave])
        above -= sketch->sums[octave];
    while (cell-- && above >= sketch->octaves[octave][cell])
        above -= sketch->octaves[octave][cell];
    int64_t shift = octave ? (int64_t)octave - 1 : 0;
    int64_t step = (int64_t)(octave * FL_OCTAVE + cell) - shift * FL_OCTAVE;
    return (step << shift) + (((int64_t)1 << shift) >> 1);
}

static inline void fl_sketch_free(fl_sketch *sketch) {
    if (!sketch)
        return;
    for (size_t octave = 0; octave < FL_OCTAVES; octave++)
        free(sketch->octaves[octave]);
    free(sketch);
}

#endif
