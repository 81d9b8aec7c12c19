/* Sections and methods by number: a hash table of the worker's own that lives across chunks.
 *
 * A key found again costs one probe. Within a chunk keys are numbered by their first
 * appearance, and within a pane those that were touched are listed; both by a mark in
 * the key itself, so that nothing has to be cleared. The hash is seeded by the process,
 * so that no log can be written to collide; the seed has no effect on any result.
 */
#ifndef FASTLOG_KEYS_H
#define FASTLOG_KEYS_H

#include <stdlib.h>

#include "scan.h"

/* Between chunks a table over one of these bounds is emptied. */
#ifndef FL_MOST_KEYS
#define FL_MOST_KEYS (1u << 16)
#endif
#define FL_MOST_TEXT (1u << 23)

typedef struct {
    int64_t *at;
    size_t n, room;
} fl_column;

/* Where memory runs out the column keeps what it has and the push says so. */
static inline int fl_push(fl_column *column, int64_t value) {
    if (column->n == column->room) {
        size_t room = column->room ? 2 * column->room : 64;
        int64_t *at = (int64_t *)realloc(column->at, room * sizeof *at);
        if (!at)
            return 0;
        column->at = at;
        column->room = room;
    }
    column->at[column->n++] = value;
    return 1;
}

typedef struct {
    uint64_t first, second; /* the first 16 bytes, zeros behind the end */
    size_t text;            /* offset in the arena */
    uint32_t length;
    uint32_t number;        /* in the chunk `chunk` */
    uint32_t chunk, pane;   /* in which it was last seen */
    uint64_t hits, pane_hits;
} fl_key;

typedef struct {
    fl_key *keys;
    uint32_t *slots; /* number of a key + 1, 0 where empty */
    size_t n, room, mask;
    uint8_t *arena;
    size_t text, text_room;
    uint64_t seed;
    uint32_t chunk, pane;
    fl_column order;   /* keys of the chunk, by first appearance */
    fl_column touched; /* keys of the pane, by first appearance */
} fl_table;

static inline void fl_table_free(fl_table *table) {
    free(table->keys);
    free(table->slots);
    free(table->arena);
    free(table->order.at);
    free(table->touched.at);
    memset(table, 0, sizeof *table);
}

static inline uint64_t fl_mix(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* `text` is readable for 16 bytes, whatever its length. Neither factor of the first product is
 * known outside: with one that is, a text could be written that makes it 0, whatever the other. */
static inline uint64_t fl_hash_of(uint64_t seed, const uint8_t *text, uint32_t length, uint64_t first,
                                  uint64_t second) {
    uint64_t hash = fl_mix(first ^ seed, second ^ length ^ seed * 0x9e3779b97f4a7c15u);
    if (length > 16) {
        uint32_t at = 16;
        for (; at + 8 <= length; at += 8)
            hash = fl_mix(hash ^ fl_load64(text + at), seed | 1);
        for (; at < length; at++)
            hash = fl_mix(hash ^ text[at], seed | 1);
    }
    return hash;
}

static inline uint64_t fl_hash(const fl_table *table, const uint8_t *text, uint32_t length, uint64_t first,
                               uint64_t second) {
    return fl_hash_of(table->seed, text, length, first, second);
}

/* The first 16 bytes of a text, which is readable for so many; zeros behind its end. */
static inline void fl_key_words(const uint8_t *text, uint32_t length, uint64_t *first, uint64_t *second) {
    *first = fl_load64(text);
    *second = fl_load64(text + 8);
    if (length < 8) {
        *first &= ~(~(uint64_t)0 << (8 * length));
        *second = 0;
    } else if (length < 16) {
        *second &= ~(~(uint64_t)0 << (8 * (length - 8)));
    }
}

static int fl_table_grow(fl_table *table) {
    size_t slots = table->mask ? 2 * (table->mask + 1) : 256;
    fl_key *keys = (fl_key *)realloc(table->keys, slots / 2 * sizeof *keys);
    if (!keys)
        return 0;
    table->keys = keys;
    uint32_t *fresh = (uint32_t *)calloc(slots, sizeof *fresh);
    if (!fresh)
        return 0;
    free(table->slots);
    table->slots = fresh;
    table->mask = slots - 1;
    table->room = slots / 2;
    for (size_t number = 0; number < table->n; number++) {
        fl_key *key = keys + number;
        size_t slot = fl_hash(table, table->arena + key->text, key->length, key->first, key->second);
        while (fresh[slot & table->mask])
            slot++;
        fresh[slot & table->mask] = (uint32_t)number + 1;
    }
    return 1;
}

static fl_key *fl_key_new(fl_table *table, const uint8_t *text, uint32_t length, uint64_t first,
                          uint64_t second) {
    if (table->n == table->room && !fl_table_grow(table))
        return NULL;
    if (table->text + length + 16 > table->text_room) {
        size_t room = 2 * (table->text_room + length + 16) + 4096;
        uint8_t *arena = (uint8_t *)realloc(table->arena, room);
        if (!arena)
            return NULL;
        table->arena = arena;
        table->text_room = room;
    }
    memcpy(table->arena + table->text, text, length);
    memset(table->arena + table->text + length, 0, 16);
    fl_key *key = table->keys + table->n;
    *key = (fl_key){.first = first, .second = second, .text = table->text, .length = length};
    table->text += length;
    size_t slot = fl_hash(table, text, length, first, second);
    while (table->slots[slot & table->mask])
        slot++;
    table->slots[slot & table->mask] = (uint32_t)++table->n;
    return key;
}

/* The key of a text, which is readable for 16 bytes; NULL where memory has run out.
 * The pointer holds until the next call. */
static inline fl_key *fl_key_of(fl_table *table, const uint8_t *text, uint32_t length) {
    uint64_t first, second;
    fl_key_words(text, length, &first, &second);
    if (table->mask) {
        size_t slot = fl_hash(table, text, length, first, second);
        for (uint32_t number; (number = table->slots[slot & table->mask]) != 0; slot++) {
            fl_key *key = table->keys + number - 1;
            if (key->first == first && key->second == second && key->length == length &&
                (length <= 16 || !memcmp(table->arena + key->text + 16, text + 16, length - 16)))
                return key;
        }
    }
    return fl_key_new(table, text, length, first, second);
}

/* Begin a pane: no key is touched in it. */
static inline void fl_table_turn(fl_table *table) {
    table->touched.n = 0;
    if (++table->pane == 0) { /* the marks have gone round: none may look fresh */
        for (size_t number = 0; number < table->n; number++)
            table->keys[number].pane = 0;
        table->pane = 1;
    }
}

static inline void fl_table_empty(fl_table *table) {
    uint64_t seed = table->seed;
    fl_table_free(table);
    table->seed = seed;
}

/* Begin a chunk: keys are numbered anew. */
static inline void fl_table_begin(fl_table *table) {
    if (table->n > FL_MOST_KEYS || table->text > FL_MOST_TEXT)
        fl_table_empty(table);
    table->order.n = 0;
    if (++table->chunk == 0) {
        for (size_t number = 0; number < table->n; number++)
            table->keys[number].chunk = 0;
        table->chunk = 1;
    }
    fl_table_turn(table);
}

/* Count a hit of a key in the chunk and, where `panes`, in the pane. */
static inline int fl_count(fl_table *table, fl_key *key, int panes) {
    if (key->chunk != table->chunk) {
        key->chunk = table->chunk;
        key->number = (uint32_t)table->order.n;
        key->hits = 0;
        if (!fl_push(&table->order, key - table->keys))
            return 0;
    }
    key->hits++;
    if (panes) {
        if (key->pane != table->pane) {
            key->pane = table->pane;
            key->pane_hits = 0;
            if (!fl_push(&table->touched, key - table->keys))
                return 0;
        }
        key->pane_hits++;
    }
    return 1;
}

#endif
