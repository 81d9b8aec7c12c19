/* What rules saw of hits: entries, each of (row, rule, key), and then the columns of Measured.
 *
 * What counts a key, a slot or a host, has a mark in it for the entry that it counted in last, or
 * some, by row. An entry of a row that its mark has not come to is new, until seconds go back to a
 * row that its mark has left; from then on (`again`) it may be there already, and is looked up. The rows of a chunk are stamped
 * by numbers that go on from chunk to chunk, so that no mark need be wiped.
 *
 * Entries live for a chunk, and are no more than its lines times its rules.
 */
#ifndef FASTLOG_ENTRIES_H
#define FASTLOG_ENTRIES_H

#include "fold.h"

/* What keys are: PERS of model/rules.py behind the first. */
enum { FL_PER_NOTHING, FL_PER_SECTION, FL_PER_STATUS, FL_PER_METHOD, FL_PER_HOST, FL_KINDS };

#define FL_NEAR 1024 /* a power of two */
#define FL_MOST_HOSTS (4 * FL_MOST_KEYS)
#ifndef FL_MOST_STAMPS
#define FL_MOST_STAMPS (1u << 31)
#endif

/* A place in a table by its key, for the next time. */
typedef struct {
    uint64_t first, second;
    size_t place; /* and 1 */
} fl_near;

typedef struct {
    uint32_t stamp; /* of the row; 0 is none's */
    uint32_t entry;
} fl_mark;

/* A rule's key: its kind, and its place in the table of such. */
typedef struct {
    uint32_t rule, kind, place;
} fl_watched;

typedef struct {
    uint32_t hits, base; /* a chunk has fewer lines */
    uint32_t row;
    fl_watched of;
    uint32_t name; /* the number of its key and 1, where that is known already; or FL_AS and an entry of that key */
} fl_entry;

#define FL_AS (1u << 31)

typedef struct {
    fl_entry *at;
    fl_sum *sizes; /* of each; only where some rule is `sized` */
    size_t n, room;
    int sized;
    uint32_t stamp;  /* of the first row */
    int again;       /* in this chunk: `places` has all of them, and is asked */
    fl_table places; /* (row and rule, place and kind): the place of a key is that of its entry */
    fl_table cells;  /* of durations: (place of the entry, cell) */
    fl_near near[FL_NEAR];

    /* as in Measured; the keys that are numbered are (kind, place) */
    fl_column rules, segments, seconds, keys, hits, base, size_low, size_high, sketched, sketch_cells, counts;
    fl_column key_ends, name_kinds, name_places;
    uint8_t *key_text;
    size_t key_text_n, key_text_room;
    uint32_t *numbers[FL_KINDS]; /* by place: the number of its name and 1 */
    size_t numbers_room[FL_KINDS];
} fl_entries;

#define FL_ENTRY_COLUMNS(DO)                                                                        \
    DO(rules) DO(segments) DO(seconds) DO(keys) DO(hits) DO(base) DO(size_low) DO(size_high) DO(sketched)
#define FL_OTHER_COLUMNS(DO) DO(sketch_cells) DO(counts) DO(key_ends) DO(name_kinds) DO(name_places)

/* Room for `n` things of `size` bytes, those that are new being 0; 0 where there is no memory. */
static int fl_reserve(void **at, size_t *room, size_t n, size_t size) {
    if (n <= *room)
        return 1;
    size_t more = 2 * n + 64;
    uint8_t *grown = (uint8_t *)realloc(*at, more * size);
    if (!grown)
        return 0;
    memset(grown + *room * size, 0, (more - *room) * size);
    *at = grown;
    *room = more;
    return 1;
}

/* Without its keys, but with its memory, unless that is over what a table keeps. */
static inline void fl_table_clear(fl_table *table) {
    if (table->mask >= 4 * FL_MOST_KEYS || table->text_room > 4 * FL_MOST_TEXT) {
        fl_table_empty(table);
        return;
    }
    if (table->n)
        memset(table->slots, 0, (table->mask + 1) * sizeof *table->slots);
    table->n = table->text = 0;
}

static inline fl_key *fl_pair_key(fl_table *table, uint64_t first, uint64_t second) {
    uint64_t text[2] = {first, second};
    return fl_key_of(table, (const uint8_t *)text, sizeof text);
}

static inline void fl_pair_of(const fl_table *table, size_t place, uint64_t *first, uint64_t *second) {
    *first = fl_load64((const uint8_t *)&table->keys[place].first);
    *second = fl_load64((const uint8_t *)&table->keys[place].second);
}

/* The place of a pair in a table and 1; 0 where there is no memory. */
static inline size_t fl_near_place(fl_table *table, fl_near *near, uint64_t first, uint64_t second) {
    fl_near *at = near + ((first * 0x9e3779b97f4a7c15u + second) * 0x9e3779b97f4a7c15u >> 54);
    if (at->place && at->first == first && at->second == second)
        return at->place;
    const fl_key *key = fl_pair_key(table, first, second);
    if (!key)
        return 0;
    *at = (fl_near){first, second, (size_t)(key - table->keys) + 1};
    return at->place;
}

/* The place of an entry in `places` and 1; 0 where there is no memory. */
static inline size_t fl_entry_place(fl_entries *entries, uint32_t row, const fl_watched *of) {
    return fl_near_place(&entries->places, entries->near, row | (uint64_t)of->rule << 32,
                         of->place | (uint64_t)of->kind << 32);
}

/* From now on an entry may be there already. 0 where there is no memory. */
static inline int fl_entries_again(fl_entries *entries) {
    for (size_t at = entries->places.n; at < entries->n; at++)
        if (!fl_entry_place(entries, entries->at[at].row, &entries->at[at].of))
            return 0;
    entries->again = 1;
    return 1;
}

/* As fl_entry_at, of another row than the last one. */
static fl_entry *fl_entry_find(fl_entries *entries, fl_mark *mark, uint32_t stamp, const fl_watched *of) {
    size_t at = entries->n;
    if (mark->stamp > stamp && !entries->again && !fl_entries_again(entries))
        return NULL;
    if (entries->again && !(at = fl_entry_place(entries, stamp - entries->stamp, of)))
        return NULL;
    at -= (size_t)entries->again;
    if (at > entries->n) /* memory ran out behind its place before: the chunk has failed */
        return NULL;
    if (at == entries->n) {
        if (at == entries->room) {
            size_t room = 2 * at + 64;
            fl_entry *more = (fl_entry *)realloc(entries->at, room * sizeof *more);
            if (!more || room > FL_AS)
                return NULL;
            entries->at = more;
            fl_sum *sizes = entries->sized ? (fl_sum *)realloc(entries->sizes, room * sizeof *sizes) : NULL;
            if (entries->sized && !sizes)
                return NULL;
            entries->sizes = sizes;
            entries->room = room;
        }
        if (entries->sized)
            entries->sizes[at] = 0;
        entries->at[entries->n++] = (fl_entry){.row = stamp - entries->stamp, .of = *of};
    }
    *mark = (fl_mark){stamp, (uint32_t)at};
    return entries->at + at;
}

/* The entry of a key in the row of a stamp, given its mark; NULL where there is no memory. The pointer
 * holds until the next call. */
static inline fl_entry *fl_entry_at(fl_entries *entries, fl_mark *mark, uint32_t stamp, const fl_watched *of) {
    return mark->stamp == stamp ? entries->at + mark->entry : fl_entry_find(entries, mark, stamp, of);
}

/* Put the name of a key, which is readable for 16 bytes, behind those that there are. 0 where there is no
 * memory. */
static inline int fl_entries_name(fl_entries *entries, const uint8_t *text, size_t length) {
    if (!fl_reserve((void **)&entries->key_text, &entries->key_text_room, entries->key_text_n + length + 16, 1))
        return 0;
    memcpy(entries->key_text + entries->key_text_n, text, 16); /* most are no longer: a copy without a call */
    if (length > 16)
        memcpy(entries->key_text + entries->key_text_n, text, length);
    entries->key_text_n += length;
    return fl_push(&entries->key_ends, (int64_t)entries->key_text_n);
}

/* As fl_entry_at, of a key whose name, readable for 16 bytes, is at hand: now it costs least to put it
 * down. Its mark is used with a name alone. */
static inline fl_entry *fl_entry_named(fl_entries *entries, fl_mark *mark, uint32_t stamp, const fl_watched *of,
                                       const uint8_t *text, size_t length) {
    if (mark->stamp == stamp)
        return entries->at + mark->entry;
    const fl_mark before = *mark;
    fl_entry *entry = fl_entry_find(entries, mark, stamp, of);
    if (!entry || entry->name) /* it had been there */
        return entry;
    if (before.stamp >= entries->stamp) /* to look there now would be to wait for it */
        entry->name = FL_AS | before.entry;
    else if (fl_entries_name(entries, text, length))
        entry->name = (uint32_t)entries->key_ends.n;
    else
        return NULL;
    return entry;
}

/* Entries have their sizes from now on. 0 where there is no memory. */
static inline int fl_entries_size(fl_entries *entries) {
    if (!entries->sized && entries->room && !(entries->sizes = (fl_sum *)calloc(entries->room, sizeof(fl_sum))))
        return 0;
    entries->sized = 1;
    return 1;
}

/* Add to the size of an entry. */
static inline void fl_entry_size(fl_entries *entries, const fl_entry *entry, fl_sum size) {
    entries->sizes[entry - entries->at] += size;
}

/* Count a duration in the sketch of an entry. 0 where there is no memory. */
static inline int fl_entry_duration(fl_entries *entries, const fl_entry *entry, int64_t duration) {
    fl_key *cell = fl_pair_key(&entries->cells, (uint64_t)(entry - entries->at), fl_cell_of((uint64_t)duration));
    if (cell)
        cell->hits++;
    return cell != NULL;
}

/* Begin a chunk, whose first row has a stamp. */
static inline void fl_entries_begin(fl_entries *entries, uint32_t stamp) {
    if (entries->room > 16 * FL_MOST_KEYS) {
        free(entries->at);
        free(entries->sizes);
        entries->at = NULL;
        entries->sizes = NULL;
        entries->room = 0;
    }
    memset(entries->near, 0, sizeof entries->near); /* also where memory ran out before it was in use */
    fl_table_clear(&entries->places);
    fl_table_clear(&entries->cells);
    entries->stamp = stamp;
    entries->again = 0;
    entries->n = entries->key_text_n = 0;
#define FL_EMPTY(column) entries->column.n = 0;
    FL_ENTRY_COLUMNS(FL_EMPTY)
    FL_OTHER_COLUMNS(FL_EMPTY)
#undef FL_EMPTY
}

typedef struct {
    int64_t cell, count;
} fl_counted;

static int fl_by_cell(const void *a, const void *b) {
    int64_t one = ((const fl_counted *)a)->cell, other = ((const fl_counted *)b)->cell;
    return (one > other) - (one < other);
}

/* The sketches of all entries, one after the other, each ascending by cell. No column where none has any. */
static int fl_entries_sketches(fl_entries *entries) {
    size_t n = entries->cells.n;
    if (!n)
        return 1;
    fl_counted *sorted = (fl_counted *)malloc((n + 1) * sizeof *sorted);
    size_t *ends = (size_t *)calloc(entries->n + 1, sizeof *ends);
    int done = sorted && ends;
    uint64_t entry, cell;
    for (size_t i = 0; done && i < n; i++) {
        fl_pair_of(&entries->cells, i, &entry, &cell);
        ends[entry + 1]++;
    }
    for (size_t i = 0; done && i < entries->n; i++) {
        done = fl_push(&entries->sketched, (int64_t)ends[i + 1]);
        ends[i + 1] += ends[i];
    }
    for (size_t i = 0; done && i < n; i++) { /* afterwards each begins where the next one did */
        fl_pair_of(&entries->cells, i, &entry, &cell);
        sorted[ends[entry]++] = (fl_counted){(int64_t)cell, (int64_t)entries->cells.keys[i].hits};
    }
    for (size_t i = 0, start = 0; done && i < entries->n; start = ends[i++])
        if (ends[i] - start > 1)
            qsort(sorted + start, ends[i] - start, sizeof *sorted, fl_by_cell);
    for (size_t i = 0; done && i < n; i++)
        done = fl_push(&entries->sketch_cells, sorted[i].cell) && fl_push(&entries->counts, sorted[i].count);
    free(sorted);
    free(ends);
    return done;
}

/* Room in a column for a value of each entry. */
static inline int fl_entries_room(fl_column *column, size_t n) {
    if (column->room < n) {
        int64_t *at = (int64_t *)realloc(column->at, n * sizeof *at);
        if (!at)
            return 0;
        column->at = at;
        column->room = n;
    }
    column->n = n;
    return 1;
}

static inline void fl_entries_free(fl_entries *entries) {
    fl_table_free(&entries->places);
    fl_table_free(&entries->cells);
    for (int kind = 0; kind < FL_KINDS; kind++)
        free(entries->numbers[kind]);
#define FL_FREE(column) free(entries->column.at);
    FL_ENTRY_COLUMNS(FL_FREE)
    FL_OTHER_COLUMNS(FL_FREE)
#undef FL_FREE
    free(entries->at);
    free(entries->sizes);
    free(entries->key_text);
}

#endif
