/* What rules saw of hits: entries, each of (row, rule, key), and then the columns of Measured.
 *
 * The entries of the rules whose keys are alike, of a row and a key, are a *group*: it is found once for
 * all of them, and has the name. What counts a key has a mark in it for the group that it counted in last,
 * or some, by row. A group of a row that its mark has not come to is new, until seconds go back to a
 * row that its mark has left; from then on (`again`) it may be there already, and is looked up. The rows of a
 * chunk are stamped by numbers that go on from chunk to chunk, so that no mark need be wiped.
 *
 * Entries live for a chunk, and are no more than its lines times its rules.
 *
 * Over 300 lines: what is found, made and named here is one state.
 */
#ifndef FASTLOG_ENTRIES_H
#define FASTLOG_ENTRIES_H

#include "fold.h"
#include "narrow.h"

/* What keys are: PERS of model/rules.py behind the first. */
enum { FL_PER_NOTHING, FL_PER_SECTION, FL_PER_STATUS, FL_PER_METHOD, FL_PER_HOST, FL_KINDS };

/* Columns of Measured with a value for each entry, in their order; but for the sketches, where there are some. */
enum {
    FL_MEASURED_RULES, FL_MEASURED_SEGMENTS, FL_MEASURED_SECONDS, FL_MEASURED_KEYS, FL_MEASURED_HITS,
    FL_MEASURED_BASE, FL_MEASURED_SIZES, FL_MEASURED_SIZES_HIGH, FL_MEASURED
};

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
    uint32_t group;
} fl_mark;

/* What the rules of a kind saw of a key in a row. */
typedef struct {
    uint32_t row, kind, place; /* place: of the key, in the table of its kind */
    uint32_t name; /* the number of its key and 1, where that is known already; or FL_AS and a group of that key */
    uint32_t entry; /* where the numbers of its entries stand in `numbered`; or the number, of a kind with one rule */
} fl_group;

#define FL_AS (1u << 31)

typedef struct {
    uint32_t hits, base; /* a chunk has fewer lines */
    uint32_t rule, group;
} fl_entry;

typedef struct {
    fl_entry *at;
    fl_sum *sizes; /* of each; only where some rule is `sized` */
    size_t n, room;
    fl_group *groups;
    size_t n_groups, group_room;
    uint32_t *numbered; /* of the entries of groups, by rank of the rule in its kind: its number and 1 */
    size_t n_numbered, numbered_room;
    uint32_t ranks[FL_KINDS]; /* by kind: how many rules */
    int sized;
    uint32_t stamp;  /* of the first row */
    int again;       /* in this chunk: `places` has all groups, and is asked */
    fl_table places; /* (row, place and kind): the place of a key is that of its group */
    fl_table cells;  /* of durations: (place of the entry, cell) */
    fl_near near[FL_NEAR];

    /* as in Measured; the keys that are numbered are (kind, place) */
    fl_column sketched, sketch_cells, counts, key_ends, name_kinds, name_places;
    fl_narrow columns[FL_MEASURED];
    uint8_t *key_text;
    size_t key_text_n, key_text_room;
    uint32_t *numbers[FL_PER_HOST]; /* by place: the number of its name and 1 */
    size_t numbers_room[FL_PER_HOST];
} fl_entries;

#define FL_ENTRY_COLUMNS(DO) DO(sketched) DO(sketch_cells) DO(counts) DO(key_ends) DO(name_kinds) DO(name_places)

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

/* The place of a group in `places` and 1; 0 where there is no memory. */
static inline size_t fl_group_place(fl_entries *entries, uint32_t row, uint32_t kind, uint32_t place) {
    return fl_near_place(&entries->places, entries->near, row, place | (uint64_t)kind << 32);
}

/* From now on a group may be there already. 0 where there is no memory. */
static inline int fl_entries_again(fl_entries *entries) {
    for (size_t at = entries->places.n; at < entries->n_groups; at++) {
        const fl_group *group = entries->groups + at;
        if (!fl_group_place(entries, group->row, group->kind, group->place))
            return 0;
    }
    entries->again = 1;
    return 1;
}

/* A new group behind the others, without an entry. NULL where there is no memory. */
static inline fl_group *fl_group_new(fl_entries *entries, uint32_t row, uint32_t kind, uint32_t place) {
    const size_t at = entries->n_groups, entry = entries->n_numbered, rules = entries->ranks[kind];
    if (at >= FL_AS || !fl_reserve((void **)&entries->groups, &entries->group_room, at + 1, sizeof *entries->groups))
        return NULL;
    fl_group *group = entries->groups + at;
    *group = (fl_group){.row = row, .kind = kind, .place = place};
    if (rules > 1) {
        if (entry + rules > UINT32_MAX ||
            !fl_reserve((void **)&entries->numbered, &entries->numbered_room, entry + rules, sizeof(uint32_t)))
            return NULL;
        for (size_t rank = 0; rank < rules; rank++) /* few: no call is worth it */
            entries->numbered[entry + rank] = 0;
        entries->n_numbered = entry + rules;
        group->entry = (uint32_t)entry;
    }
    entries->n_groups++;
    return group;
}

/* As fl_group_at, where the group may be there already. */
static __attribute__((noinline)) fl_group *fl_group_find(fl_entries *entries, fl_mark *mark, uint32_t stamp,
                                                         uint32_t kind, uint32_t place) {
    const uint32_t row = stamp - entries->stamp;
    if (!entries->again && !fl_entries_again(entries))
        return NULL;
    const size_t at = fl_group_place(entries, row, kind, place) - 1; /* of 0, no group is behind it */
    if (at > entries->n_groups) /* memory ran out, now or behind its place before: the chunk has failed */
        return NULL;
    if (at == entries->n_groups && !fl_group_new(entries, row, kind, place))
        return NULL;
    *mark = (fl_mark){stamp, (uint32_t)at};
    return entries->groups + at;
}

/* The group of a key in the row of a stamp, given its mark; NULL where there is no memory. The pointer
 * holds until the next call. */
static inline fl_group *fl_group_at(fl_entries *entries, fl_mark *mark, uint32_t stamp, uint32_t kind,
                                    uint32_t place) {
    if (mark->stamp == stamp)
        return entries->groups + mark->group;
    if (mark->stamp > stamp || entries->again)
        return fl_group_find(entries, mark, stamp, kind, place);
    fl_group *group = fl_group_new(entries, stamp - entries->stamp, kind, place);
    if (group)
        *mark = (fl_mark){stamp, (uint32_t)(group - entries->groups)};
    return group;
}

static __attribute__((noinline)) int fl_entries_grow(fl_entries *entries, size_t n) {
    const size_t room = 2 * n + 64;
    fl_entry *more = room > UINT32_MAX ? NULL : (fl_entry *)realloc(entries->at, room * sizeof *more);
    if (!more)
        return 0;
    entries->at = more;
    fl_sum *sizes = entries->sized ? (fl_sum *)realloc(entries->sizes, room * sizeof *sizes) : NULL;
    if (entries->sized && !sizes)
        return 0;
    entries->sizes = sizes;
    entries->room = room;
    return 1;
}

/* Room for so many entries more; 0 where there is no memory. */
static inline int fl_entries_room(fl_entries *entries, size_t n) {
    return entries->n + n <= entries->room || fl_entries_grow(entries, entries->n + n);
}

/* Where the numbers of a group's entries stand, by rank. It holds until a group is made. */
static inline uint32_t *fl_group_numbers(fl_entries *entries, fl_group *group) {
    return entries->ranks[group->kind] > 1 ? entries->numbered + group->entry : &group->entry;
}

/* The entry of a rule, which is made, there being room, where `number` says that there is none. The pointer holds
 * until there is to be more room. */
static inline fl_entry *fl_entry_of(fl_entries *entries, uint32_t group, uint32_t rule, uint32_t *number) {
    if (*number)
        return entries->at + *number - 1;
    fl_entry *entry = entries->at + entries->n;
    *entry = (fl_entry){.rule = rule, .group = group};
    if (entries->sized)
        entries->sizes[entries->n] = 0;
    *number = (uint32_t)++entries->n;
    return entry;
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

/* As fl_group_at, of a key whose name, readable for 16 bytes, is at hand: now it costs least to put it
 * down. Its mark is used with a name alone. */
static inline fl_group *fl_group_named(fl_entries *entries, fl_mark *mark, uint32_t stamp, uint32_t kind,
                                       uint32_t place, const uint8_t *text, size_t length) {
    const fl_mark before = *mark;
    fl_group *group = fl_group_at(entries, mark, stamp, kind, place);
    if (!group || group->name) /* it had been there */
        return group;
    if (before.stamp >= entries->stamp) /* to look there now would be to wait for it */
        group->name = FL_AS | before.group;
    else if (fl_entries_name(entries, text, length))
        group->name = (uint32_t)entries->key_ends.n;
    else
        return NULL;
    return group;
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

/* Without the memory of the entries. */
static inline void fl_entries_release(fl_entries *entries) {
    free(entries->at);
    free(entries->sizes);
    free(entries->groups);
    free(entries->numbered);
    entries->at = NULL;
    entries->sizes = NULL;
    entries->groups = NULL;
    entries->numbered = NULL;
    entries->room = entries->group_room = entries->numbered_room = 0;
}

/* Begin a chunk, whose first row has a stamp. */
static inline void fl_entries_begin(fl_entries *entries, uint32_t stamp) {
    if (entries->room > 16 * FL_MOST_KEYS || entries->group_room > 16 * FL_MOST_KEYS ||
        entries->numbered_room > 64 * FL_MOST_KEYS)
        fl_entries_release(entries);
    memset(entries->near, 0, sizeof entries->near); /* also where memory ran out before it was in use */
    fl_table_clear(&entries->places);
    fl_table_clear(&entries->cells);
    entries->stamp = stamp;
    entries->again = 0;
    entries->n = entries->n_groups = entries->n_numbered = entries->key_text_n = 0;
#define FL_EMPTY(column) entries->column.n = 0;
    FL_ENTRY_COLUMNS(FL_EMPTY)
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

static inline void fl_entries_free(fl_entries *entries) {
    fl_table_free(&entries->places);
    fl_table_free(&entries->cells);
    for (int kind = 0; kind < FL_PER_HOST; kind++)
        free(entries->numbers[kind]);
#define FL_FREE(column) free(entries->column.at);
    FL_ENTRY_COLUMNS(FL_FREE)
#undef FL_FREE
    fl_entries_release(entries);
    free(entries->key_text);
}

#endif
