/* Hits become columns: runs of one second, segments, panes. See fastlog/model/partial.py.
 *
 * The twin of fastlog/parsers/columns.py and segments.py, step for step. Everything here
 * is per run of lines of one second, but for fl_hit, which is per line. Past 300 lines: segments, runs
 * and panes end at the same hits, and share what is known of the last one.
 */
#ifndef FASTLOG_FOLD_H
#define FASTLOG_FOLD_H

#include "keys.h"

#define FL_STATUSES 1000
#define FL_JUMP 3600 /* JUMP_SECONDS of fastlog/model/plan.py */
#define FL_STAMP 30  /* " [dd/Mon/yyyy:HH:MM:SS +hhmm] " */
#define FL_WORDS 8
#define FL_CELL_BITS 6 /* the sketch of fastlog/model/sketch.py: its cells and LONGEST */
#define FL_LONGEST_BITS 40
#define FL_CELLS (((FL_LONGEST_BITS - FL_CELL_BITS) << FL_CELL_BITS) + (1 << FL_CELL_BITS))
#define FL_NEVER INT64_MIN

enum { FL_NO_REASON = -1, FL_BLANK, FL_FORMAT, FL_TIME, FL_OVERSIZE, FL_REASONS }; /* REASONS of partial.py */

typedef unsigned __int128 fl_sum;

struct fl_rules; /* rules.h */

typedef struct {
    /* the plan */
    int64_t lateness, pane, horizon;
    int wants_panes, wants_pairs;

    /* totals of the chunk; sums of bytes apart for what is believed and what lies in the future */
    int64_t future;
    fl_sum bytes_believed, bytes_future;
    int64_t status_hits[FL_STATUSES];
    int64_t durations[FL_CELLS];
    fl_table sections, methods;
    fl_table pairs; /* of section and status: the text of a key is their number, see fl_count_pair */
    int64_t rejected[FL_REASONS]; /* lines of which only the reason counts */
    int rejects_shown; /* 1: no line counts so but a blank one; 2: none does */
    struct fl_rules *rules; /* what looks at each hit behind the fold; NULL where nothing does */
    int failed; /* memory has run out: the chunk must not count */

    /* the run of lines of one second */
    int64_t second, run;
    int in_future;

    /* the segment */
    int64_t first, least, greatest, single, first_run, segment_hits, segment_panes;
    size_t segment_row; /* its first row; the segment is open where rows lie behind it */
    int open;
    uint32_t *recent; /* row + 1 by the low bits of its second */
    size_t recent_mask;
    size_t row;

    /* the pane */
    int64_t pane_start, pane_hits;
    fl_sum pane_mark; /* bytes_believed when it began */
    int64_t pane_status[FL_STATUSES];
    int64_t pane_duration[FL_CELLS];
    fl_column pane_statuses_touched, pane_durations_touched;

    /* columns, named as in Partial; sums of bytes as low and high 62 bits */
    fl_column segment_rows, segment_panes_column, segment_hits_column, segment_first, segment_least,
        segment_greatest;
    fl_column seconds, hits;
    fl_column pane_starts, pane_hits_column, pane_bytes_low, pane_bytes_high;
    fl_column pane_sections, pane_methods, pane_statuses, pane_durations;
    fl_column section_cells, section_cell_hits, method_cells, method_cell_hits, status_cells,
        status_cell_hits, duration_cells, duration_cell_hits;

    /* what the line parser remembers between lines */
    uint8_t stamp[FL_STAMP + 2];
    int64_t stamp_second, stamp_hour;
    struct {
        uint64_t word, mask; /* a method of up to seven letters, and the space behind it */
        uint32_t key, length;
    } words[FL_WORDS];
    size_t n_words;
} fl_fold;

static inline void fl_put(fl_fold *fold, fl_column *column, int64_t value) {
    if (!fl_push(column, value))
        fold->failed = 1;
}

static inline int64_t fl_floor(int64_t value, int64_t size) {
    int64_t rest = value % size;
    return value - (rest < 0 ? rest + size : rest);
}

static void fl_cells(fl_fold *fold, fl_table *table, fl_column *counts, fl_column *cells, fl_column *hits) {
    fl_put(fold, counts, (int64_t)table->touched.n);
    for (size_t i = 0; i < table->touched.n; i++) {
        const fl_key *key = table->keys + table->touched.at[i];
        fl_put(fold, cells, key->number);
        fl_put(fold, hits, (int64_t)key->pane_hits);
    }
    fl_table_turn(table);
}

/* As fl_cells, of a table that is numbered without a key. */
static void fl_numbered_cells(fl_fold *fold, int64_t *pane, fl_column *touched, fl_column *counts, fl_column *cells,
                              fl_column *hits) {
    fl_put(fold, counts, (int64_t)touched->n);
    for (size_t i = 0; i < touched->n; i++) {
        fl_put(fold, cells, touched->at[i]);
        fl_put(fold, hits, pane[touched->at[i]]);
        pane[touched->at[i]] = 0;
    }
    touched->n = 0;
}

/* The pane is over: its tables go to the columns. */
static void fl_end_pane(fl_fold *fold) {
    if (!fold->pane_hits)
        return;
    fl_sum bytes = fold->bytes_believed - fold->pane_mark;
    fold->pane_mark = fold->bytes_believed;
    fold->segment_panes++;
    fl_put(fold, &fold->pane_starts, fold->pane_start);
    fl_put(fold, &fold->pane_hits_column, fold->pane_hits);
    fl_put(fold, &fold->pane_bytes_low, (int64_t)(bytes & (((fl_sum)1 << 62) - 1)));
    fl_put(fold, &fold->pane_bytes_high, (int64_t)(bytes >> 62));
    fl_cells(fold, &fold->sections, &fold->pane_sections, &fold->section_cells, &fold->section_cell_hits);
    fl_cells(fold, &fold->methods, &fold->pane_methods, &fold->method_cells, &fold->method_cell_hits);
    fl_numbered_cells(fold, fold->pane_status, &fold->pane_statuses_touched, &fold->pane_statuses,
                      &fold->status_cells, &fold->status_cell_hits);
    fl_numbered_cells(fold, fold->pane_duration, &fold->pane_durations_touched, &fold->pane_durations,
                      &fold->duration_cells, &fold->duration_cell_hits);
    fold->pane_hits = 0;
}

static void fl_end_run(fl_fold *fold) {
    if (!fold->run)
        return;
    if (fold->in_future) {
        fold->future += fold->run;
    } else {
        if (fold->row < fold->hits.n) /* not where memory has run out */
            fold->hits.at[fold->row] += fold->run;
        if (!fold->first_run)
            fold->first_run = fold->run;
        fold->segment_hits += fold->run;
        fold->pane_hits += fold->run;
    }
    fold->run = 0;
}

static void fl_end_segment(fl_fold *fold) {
    if (!fold->open)
        return;
    if (fold->wants_panes)
        fl_end_pane(fold);
    fold->pane_hits = 0;
    fl_put(fold, &fold->segment_rows, (int64_t)(fold->seconds.n - fold->segment_row));
    if (fold->wants_panes)
        fl_put(fold, &fold->segment_panes_column, fold->segment_panes);
    fl_put(fold, &fold->segment_hits_column, fold->segment_hits);
    fl_put(fold, &fold->segment_first, fold->first);
    fl_put(fold, &fold->segment_least, fold->least);
    fl_put(fold, &fold->segment_greatest, fold->greatest);
    fold->open = 0;
}

/* The row of a second in the open segment. The low bits of the second tell the rows of a
 * segment apart, since it holds no second that lies behind another by more than the lateness,
 * which is less than there are places; where it is not, a second may get a row twice, which
 * adds up to the same. */
static void fl_find_row(fl_fold *fold, int64_t second) {
    uint32_t *place = fold->recent + ((uint64_t)second & fold->recent_mask);
    size_t row = (size_t)*place - 1;
    if (*place == 0 || row < fold->segment_row || row >= fold->seconds.n || fold->seconds.at[row] != second) {
        row = fold->seconds.n;
        fl_put(fold, &fold->seconds, second);
        fl_put(fold, &fold->hits, 0);
        *place = (uint32_t)row + 1;
    }
    fold->row = row;
}

/* The line at hand bears another second than the one before it. */
static void fl_next_run(fl_fold *fold, int64_t second) {
    fl_end_run(fold);
    fold->second = second;
    fold->in_future = second > fold->horizon;
    if (fold->in_future)
        return;
    int fits = fold->open && second >= fold->greatest - fold->lateness && second <= fold->greatest + FL_JUMP &&
               (fold->single == FL_NEVER || fold->first_run > 1 || second >= fold->single);
    if (fits) {
        fold->single = FL_NEVER;
        if (second > fold->greatest)
            fold->greatest = second;
        if (second < fold->least)
            fold->least = second;
    } else {
        fl_end_segment(fold);
        fold->open = 1;
        fold->first = fold->least = fold->greatest = fold->single = second;
        fold->first_run = fold->segment_hits = fold->segment_panes = 0;
        fold->segment_row = fold->seconds.n;
    }
    fl_find_row(fold, second);
    if (fold->wants_panes) {
        int64_t start = fl_floor(second, fold->pane);
        if (start != fold->pane_start || !fold->pane_hits) {
            fl_end_pane(fold);
            fold->pane_start = start;
        }
    }
}

/* A pair as a number: the place of the section in its table, and the status. */
#define FL_PAIR_STATUS 1024

static inline int fl_count_pair(fl_fold *fold, const fl_key *section, unsigned status) {
    uint64_t text[3] = {(uint64_t)(section - fold->sections.keys) * FL_PAIR_STATUS + status};
    fl_key *pair = fl_key_of(&fold->pairs, (const uint8_t *)text, sizeof *text);
    return pair && fl_count(&fold->pairs, pair, 0);
}

/* The number of a pair. */
static inline uint64_t fl_pair(const fl_fold *fold, const fl_key *pair) {
    uint64_t number;
    memcpy(&number, fold->pairs.arena + pair->text, sizeof number);
    return number;
}

/* Count one hit. */
static inline void fl_hit(fl_fold *fold, int64_t second, fl_key *section, fl_key *method, unsigned status,
                          uint64_t size) {
    if (second != fold->second || !fold->run)
        fl_next_run(fold, second);
    fold->run++;
    int panes = fold->wants_panes && !fold->in_future;
    if (fold->in_future)
        fold->bytes_future += size;
    else
        fold->bytes_believed += size;
    fold->status_hits[status]++;
    if (!fl_count(&fold->sections, section, panes) || !fl_count(&fold->methods, method, panes))
        fold->failed = 1;
    if (fold->wants_pairs && !fl_count_pair(fold, section, status))
        fold->failed = 1;
    if (panes && !fold->pane_status[status]++)
        fl_put(fold, &fold->pane_statuses_touched, status);
}

/* The cell of a duration in microseconds, which is 0 or more: `cell_of` of fastlog/model/sketch.py. */
static inline unsigned fl_cell_of(uint64_t duration) {
    if (duration >> FL_LONGEST_BITS)
        duration = ((uint64_t)1 << FL_LONGEST_BITS) - 1;
    unsigned bits = 64 - (unsigned)__builtin_clzll(duration | 1);
    unsigned shift = bits > FL_CELL_BITS + 1 ? bits - FL_CELL_BITS - 1 : 0;
    return (shift << FL_CELL_BITS) + (unsigned)(duration >> shift);
}

/* Count the duration of the hit that fl_hit has just counted; none where it is negative. */
static inline void fl_hit_duration(fl_fold *fold, int64_t duration) {
    if (duration < 0)
        return;
    unsigned cell = fl_cell_of((uint64_t)duration);
    fold->durations[cell]++;
    if (fold->wants_panes && !fold->in_future && !fold->pane_duration[cell]++)
        fl_put(fold, &fold->pane_durations_touched, cell);
}

/* All columns, for those who go over them. */
#define FL_COLUMNS(DO)                                                                              \
    DO(segment_rows) DO(segment_panes_column) DO(segment_hits_column) DO(segment_first)             \
    DO(segment_least) DO(segment_greatest) DO(seconds) DO(hits) DO(pane_starts)                     \
    DO(pane_hits_column) DO(pane_bytes_low) DO(pane_bytes_high) DO(pane_sections) DO(pane_methods)  \
    DO(pane_statuses) DO(section_cells) DO(section_cell_hits) DO(method_cells)                      \
    DO(method_cell_hits) DO(status_cells) DO(status_cell_hits) DO(pane_statuses_touched)            \
    DO(pane_durations) DO(duration_cells) DO(duration_cell_hits) DO(pane_durations_touched)

/* Begin a chunk. */
static inline void fl_fold_begin(fl_fold *fold, int64_t horizon) {
#define FL_EMPTY(column) fold->column.n = 0;
    FL_COLUMNS(FL_EMPTY)
#undef FL_EMPTY
    size_t before = fold->methods.n, sections_before = fold->sections.n;
    fl_table_begin(&fold->sections);
    fl_table_begin(&fold->methods);
    if (fold->methods.n < before)
        fold->n_words = 0;
    if (fold->sections.n < sections_before)
        fl_table_empty(&fold->pairs);
    fl_table_begin(&fold->pairs);
    memset(fold->status_hits, 0, sizeof fold->status_hits);
    memset(fold->pane_status, 0, sizeof fold->pane_status);
    memset(fold->durations, 0, sizeof fold->durations);
    memset(fold->rejected, 0, sizeof fold->rejected);
    memset(fold->pane_duration, 0, sizeof fold->pane_duration);
    fold->horizon = horizon;
    fold->future = fold->run = fold->pane_hits = 0;
    fold->bytes_believed = fold->bytes_future = fold->pane_mark = 0;
    fold->open = fold->failed = fold->in_future = 0;
    fold->segment_row = 0;
}

/* End a chunk: every column is complete. */
static inline void fl_fold_end(fl_fold *fold) {
    fl_end_run(fold);
    fl_end_segment(fold);
}

/* The bytes of all hits, as two words. */
static inline uint64_t fl_bytes_low(const fl_fold *fold) {
    return (uint64_t)(fold->bytes_believed + fold->bytes_future);
}

static inline uint64_t fl_bytes_high(const fl_fold *fold) {
    return (uint64_t)((fold->bytes_believed + fold->bytes_future) >> 64);
}

/* A fold for a plan; 0 where there is no memory. */
static inline int fl_fold_new(fl_fold *fold, int64_t lateness, int64_t pane, int wants_panes, int wants_pairs,
                              uint64_t seed) {
    memset(fold, 0, sizeof *fold);
    fold->lateness = lateness;
    fold->pane = pane;
    fold->wants_panes = wants_panes;
    fold->wants_pairs = wants_pairs;
    fold->sections.seed = fold->methods.seed = fold->pairs.seed = seed;
    size_t places = 256;
    while (places <= (size_t)lateness && places < (size_t)1 << 20)
        places *= 2;
    fold->recent = (uint32_t *)calloc(places, sizeof *fold->recent);
    fold->recent_mask = places - 1;
    memset(fold->stamp, '\n', sizeof fold->stamp); /* what no line holds */
    return fold->recent != NULL;
}

static inline void fl_fold_free(fl_fold *fold) {
#define FL_FREE(column) free(fold->column.at);
    FL_COLUMNS(FL_FREE)
#undef FL_FREE
    fl_table_free(&fold->sections);
    fl_table_free(&fold->methods);
    fl_table_free(&fold->pairs);
    free(fold->recent);
    memset(fold, 0, sizeof *fold);
}

#endif
