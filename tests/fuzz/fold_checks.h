/* What must hold of a fold after each chunk, whatever its bytes. */
#ifndef FASTLOG_FOLD_CHECKS_H
#define FASTLOG_FOLD_CHECKS_H

#include "../../fastlog/parsers/json.h"

/* A fold, and what is known of it from outside. */
typedef struct {
    fl_fold fold;
    fl_block block;
    fl_shape shape;
    fl_json json;
    int has_keys; /* lines are read by them, not by the shape */
    int64_t horizon, odd; /* odd: lines of the chunk that were no hits */
    int odd_hits, rejects_shown;
} subject;

static void check(int holds, const char *what) {
    if (holds)
        return;
    fprintf(stderr, "violated: %s\n", what);
    abort();
}

static int64_t sum_of(const fl_column *column) {
    int64_t sum = 0;
    for (size_t i = 0; i < column->n; i++)
        sum += column->at[i];
    return sum;
}

/* The indexer that would be taken on a processor with less. */
static fl_indexer slower_indexer(void) {
#ifdef FL_X86
    return fl_index_sse2;
#else
    return fl_index_plain;
#endif
}

/* Every indexer finds what the plain one finds, in a buffer of the size of the data. */
static void check_indexers(const uint8_t *data, size_t length) {
    const char *name;
    const fl_indexer indexers[] = {fl_index_plain, slower_indexer(), fl_best_indexer(&name)};
    size_t n[3];
    uint32_t *found[3];
    uint8_t *exact = (uint8_t *)malloc(length ? length : 1);
    memcpy(exact, data, length);
    for (int i = 0; i < 3; i++) {
        found[i] = (uint32_t *)malloc((length + FL_INDEX_SLACK) * sizeof *found[i]);
        n[i] = indexers[i](exact, length, 7, found[i]);
        check(n[i] == n[0] && !memcmp(found[i], found[0], n[0] * sizeof *found[0]), "all indexers agree");
    }
    for (int i = 0; i < 3; i++)
        free(found[i]);
    free(exact);
}

/* Every key is found where it is looked for, without a long search; the hits of the chunk are `counted`. */
static void check_table(fl_table *table, int64_t counted) {
    int64_t hits = 0;
    size_t steps = 0;
    for (size_t i = 0; i < table->n; i++) {
        const fl_key *key = table->keys + i;
        size_t slot = fl_hash(table, table->arena + key->text, key->length, key->first, key->second);
        while (table->slots[slot & table->mask] != i + 1) {
            check(table->slots[slot & table->mask] != 0, "a key is found");
            slot++;
            steps++;
        }
        check(key->text + key->length <= table->text && table->text <= table->text_room, "a key has its text");
    }
    check(table->n < 64 || steps < 8 * table->n, "no log makes keys collide");
    for (size_t i = 0; i < table->order.n; i++) {
        const fl_key *key = table->keys + table->order.at[i];
        check(key->number == i && key->hits > 0, "keys are numbered by first appearance");
        hits += (int64_t)key->hits;
    }
    check(hits == counted, "every hit has its key");
}

/* The rows from `row` to `stop` are a segment: each second once, in an order that the lateness allows. */
static int64_t check_rows(const fl_fold *f, size_t row, size_t stop, int64_t *least, int64_t *greatest) {
    const int64_t *seconds = f->seconds.at;
    int64_t hits = 0;
    *least = *greatest = seconds[row];
    for (size_t first = row; row < stop; row++) {
        check(f->hits.at[row] > 0 && seconds[row] <= f->horizon, "a row has hits that are believed");
        check(seconds[row] >= *greatest - f->lateness, "no row of a segment is late in it");
        check(seconds[row] <= *greatest + FL_JUMP, "no row of a segment leaps");
        for (size_t other = row - first > 100 ? row - 100 : first; other < row; other++)
            check(seconds[other] != seconds[row], "a second has one row");
        hits += f->hits.at[row];
        *least = seconds[row] < *least ? seconds[row] : *least;
        *greatest = seconds[row] > *greatest ? seconds[row] : *greatest;
    }
    return hits;
}

/* The rows of each segment agree with what is said of it. */
static void check_segments(const fl_fold *f) {
    size_t segments = f->segment_rows.n, row = 0;
    check(f->segment_hits_column.n == segments && f->segment_first.n == segments && f->segment_least.n == segments &&
              f->segment_greatest.n == segments && f->seconds.n == f->hits.n,
          "columns of segments and rows are of one length");
    for (size_t i = 0; i < segments; i++) {
        int64_t least, greatest;
        size_t stop = row + (size_t)f->segment_rows.at[i];
        check(row < stop && stop <= f->seconds.n, "a segment has rows");
        check(f->segment_first.at[i] == f->seconds.at[row], "the first line is in the first row");
        check(check_rows(f, row, stop, &least, &greatest) == f->segment_hits_column.at[i],
              "hits of a segment are those of its rows");
        check(least == f->segment_least.at[i] && greatest == f->segment_greatest.at[i], "least and greatest");
        row = stop;
    }
    check(row == f->seconds.n, "every row has its segment");
}

/* The cells of one table stand pane by pane, and sum to the hits of each. */
static void check_cells(const fl_fold *f, const fl_column *counts, const fl_column *cells, const fl_column *hits,
                        size_t keys) {
    size_t at = 0;
    check(counts->n == f->pane_starts.n && cells->n == hits->n, "columns of cells are of one length");
    for (size_t pane = 0; pane < counts->n; pane++) {
        int64_t sum = 0;
        check(at + (size_t)counts->at[pane] <= cells->n, "a pane has its cells");
        for (int64_t i = 0; i < counts->at[pane]; i++, at++) {
            check(cells->at[at] >= 0 && (size_t)cells->at[at] < keys && hits->at[at] > 0, "a cell has a key and hits");
            sum += hits->at[at];
        }
        check(sum == f->pane_hits_column.at[pane], "hits of a pane are those of its cells");
    }
    check(at == cells->n, "every cell has its pane");
}

static void check_panes(const fl_fold *f) {
    size_t panes = f->pane_starts.n, pane = 0;
    fl_sum bytes = 0;
    if (!f->wants_panes) {
        check(!panes && !f->segment_panes_column.n && !f->section_cells.n, "no panes but where they are wanted");
        return;
    }
    check(f->pane_hits_column.n == panes && f->pane_bytes_low.n == panes && f->pane_bytes_high.n == panes &&
              f->segment_panes_column.n == f->segment_rows.n && sum_of(&f->segment_panes_column) == (int64_t)panes,
          "columns of panes are of one length");
    for (size_t i = 0; i < f->segment_rows.n; i++) {
        int64_t hits = 0;
        for (size_t stop = pane + (size_t)f->segment_panes_column.at[i]; pane < stop; pane++) {
            check(fl_floor(f->pane_starts.at[pane], f->pane) == f->pane_starts.at[pane], "a pane begins at its start");
            hits += f->pane_hits_column.at[pane];
            bytes += (uint64_t)f->pane_bytes_low.at[pane];
            bytes += (fl_sum)(uint64_t)f->pane_bytes_high.at[pane] << 62;
        }
        check(hits == f->segment_hits_column.at[i], "hits of a segment are those of its panes");
    }
    check(bytes == f->bytes_believed, "bytes of the panes are those believed");
    check_cells(f, &f->pane_sections, &f->section_cells, &f->section_cell_hits, f->sections.order.n);
    check_cells(f, &f->pane_methods, &f->method_cells, &f->method_cell_hits, f->methods.order.n);
    check_cells(f, &f->pane_statuses, &f->status_cells, &f->status_cell_hits, FL_STATUSES);
}

/* A pair is of a section of the chunk, and of a status; the hits of the pairs are `counted`. */
static void check_pairs(fl_fold *f, int64_t counted) {
    if (!f->wants_pairs) {
        check(!f->pairs.n, "no pairs but where they are wanted");
        return;
    }
    check_table(&f->pairs, counted);
    for (size_t i = 0; i < f->pairs.order.n; i++) {
        uint64_t pair = fl_pair(f, f->pairs.keys + f->pairs.order.at[i]);
        size_t section = (size_t)(pair / FL_PAIR_STATUS);
        check(section < f->sections.n && f->sections.keys[section].chunk == f->sections.chunk, "a pair has its section");
        check(f->status_hits[pair % FL_PAIR_STATUS] > 0, "a pair has its status");
    }
}

static void check_chunk(subject *s, const uint8_t *log, size_t length) {
    fl_fold *f = &s->fold;
    int64_t lines = length && log[length - 1] != '\n', counted, by_status = 0;
    for (size_t i = 0; i < length; i++)
        lines += log[i] == '\n';
    counted = lines - s->odd;
    for (int status = 0; status < FL_STATUSES; status++)
        by_status += f->status_hits[status];
    check(s->block.lines == lines, "every line is counted once");
    check(by_status == counted, "every hit has its status");
    check(f->future + sum_of(&f->segment_hits_column) == counted, "a hit is in a segment or in the future");
    check_table(&f->sections, counted);
    check_table(&f->methods, counted);
    check_pairs(f, counted);
    check_segments(f);
    check_panes(f);
}

static void check_same_table(const fl_table *a, const fl_table *b) {
    check(a->order.n == b->order.n, "as many keys");
    for (size_t i = 0; i < a->order.n; i++) {
        const fl_key *mine = a->keys + a->order.at[i], *other = b->keys + b->order.at[i];
        check(mine->hits == other->hits && mine->length == other->length &&
                  !memcmp(a->arena + mine->text, b->arena + other->text, mine->length),
              "the same keys with the same hits");
    }
}

/* The same pairs: the places of their sections may differ, the sections do not. */
static void check_same_pairs(const fl_fold *a, const fl_fold *b) {
    check(a->pairs.order.n == b->pairs.order.n, "as many pairs");
    for (size_t i = 0; i < a->pairs.order.n; i++) {
        const fl_key *mine = a->pairs.keys + a->pairs.order.at[i], *other = b->pairs.keys + b->pairs.order.at[i];
        uint64_t left = fl_pair(a, mine), right = fl_pair(b, other);
        check(mine->hits == other->hits && left % FL_PAIR_STATUS == right % FL_PAIR_STATUS &&
                  a->sections.keys[left / FL_PAIR_STATUS].number == b->sections.keys[right / FL_PAIR_STATUS].number,
              "the same pairs with the same hits");
    }
}

/* Two folds of the same chunk have the same columns, however it was cut and whatever came before. */
static void check_same(const subject *a, const subject *b) {
    const fl_fold *mine = &a->fold, *other = &b->fold;
    check(!memcmp(mine->rejected, other->rejected, sizeof mine->rejected), "the same rejects");
#define SAME(column)                                                                                \
    check(mine->column.n == other->column.n &&                                                      \
              (!mine->column.n || !memcmp(mine->column.at, other->column.at, 8 * mine->column.n)), \
          "the same " #column);
    FL_COLUMNS(SAME)
#undef SAME
    check(a->odd == b->odd && mine->future == other->future && fl_bytes_low(mine) == fl_bytes_low(other) &&
              fl_bytes_high(mine) == fl_bytes_high(other),
          "the same totals");
    check(!memcmp(mine->status_hits, other->status_hits, sizeof mine->status_hits), "the same statuses");
    check_same_table(&mine->sections, &other->sections);
    check_same_table(&mine->methods, &other->methods);
    check_same_pairs(mine, other);
}

#endif
