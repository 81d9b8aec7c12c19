/* Keys by number, for the rules: a number is one key's until a sweep finds that nobody holds it.
 * The hash is seeded by the process, so that no log can be written whose keys collide. */
#ifndef FASTLOG_NAMES_H
#define FASTLOG_NAMES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pages.h"

typedef struct {
    unsigned __int128 prefix; /* the first 16 bytes, as a number that sorts as they do */
    char *text;               /* of one that is longer; NULL else */
    uint32_t length, number;  /* number: and 1; 0 where nothing stands */
} fl_name;

#define FL_PREFIX 16

typedef struct {
    fl_name *slots; /* by hash: all that is asked of a name in one place, which is fetched for it */
    /* by number: */
    uint32_t *slot_of;
    unsigned __int128 *prefixes; /* once more: by these most that are sorted are told apart */
    uint32_t *ranks;             /* the place and 1 among those that were ranked; 0 of one that came later */
    uint32_t *spare;             /* numbers that are free again */
    size_t n, room, mask, spares;
    size_t bytes; /* of the texts that are held */
    uint64_t seed;
    uint32_t ranking; /* how often they were ranked */
} fl_names;

/* The first 8 bytes of a text, or all, zeros behind them. A copy of a length that varies would be a call. */
static inline uint64_t fl_names_load(const char *text, size_t length) {
    uint64_t word = 0;
    if (length >= 8) {
        memcpy(&word, text, 8);
        return word;
    }
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (length >= 4) { /* from both ends: where they overlap they agree */
        uint32_t low, high;
        memcpy(&low, text, 4);
        memcpy(&high, text + length - 4, 4);
        return low | (uint64_t)high << (8 * (length - 4));
    }
#endif
    for (size_t at = 0; at < length; at++)
        ((char *)&word)[at] = text[at];
    return word;
}

/* What stands behind the first 8 bytes of a text, which is longer: 8 bytes or all, zeros behind them. */
static inline uint64_t fl_names_second(const char *text, size_t length) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (length < 16) /* together with some of those before */
        return fl_names_load(text + length - 8, 8) >> (8 * (16 - length));
#endif
    return fl_names_load(text + 8, length - 8);
}

static inline uint64_t fl_names_mix(uint64_t hash, uint64_t word, uint64_t seed) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29 ^ seed;
}

static inline uint64_t fl_names_sortable(uint64_t word) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline unsigned __int128 fl_names_prefix(const char *text, size_t length) {
    unsigned __int128 prefix = (unsigned __int128)fl_names_sortable(fl_names_load(text, length)) << 64;
    return length > 8 ? prefix | fl_names_sortable(fl_names_second(text, length)) : prefix;
}

static inline uint32_t fl_names_hash(const fl_names *names, unsigned __int128 prefix, const char *text, size_t length) {
    uint64_t hash = names->seed ^ length;
    for (size_t at = FL_PREFIX; at < length; at += 8)
        hash = fl_names_mix(hash, fl_names_load(text + at, length - at), names->seed);
    hash = fl_names_mix(hash, (uint64_t)(prefix >> 64), names->seed);
    hash = (hash ^ (uint64_t)prefix) * 0xd6e8feb86659fd93u;
    hash ^= hash >> 32;
    hash *= names->seed | 1;
    return (uint32_t)(hash >> 32);
}

static inline const fl_name *fl_names_at(const fl_names *names, uint32_t number) {
    return names->slots + names->slot_of[number];
}

/* The text of a name, of which `prefix` has room for the first bytes. */
static inline const char *fl_names_text(const fl_names *names, uint32_t number, char *prefix, size_t *length) {
    const fl_name *name = fl_names_at(names, number);
    *length = name->length;
    if (name->length > FL_PREFIX)
        return name->text;
    uint64_t words[2] = {fl_names_sortable((uint64_t)(name->prefix >> 64)), fl_names_sortable((uint64_t)name->prefix)};
    memcpy(prefix, words, sizeof words);
    return prefix;
}

/* Whether one sorts before another: negative, 0 or positive. */
static inline int fl_names_order(const fl_names *names, uint32_t one, uint32_t other) {
    if (names->prefixes[one] != names->prefixes[other])
        return names->prefixes[one] < names->prefixes[other] ? -1 : 1;
    const fl_name *a = fl_names_at(names, one), *b = fl_names_at(names, other);
    uint32_t shorter = a->length < b->length ? a->length : b->length;
    int order = shorter > 16 ? memcmp(a->text + 16, b->text + 16, shorter - 16) : 0;
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

/* Have room for so many names in the slots, and of those that there are the ones whose mark is not 0. 0 where there
 * is no memory. */
static inline int fl_names_rehash(fl_names *names, size_t room, const uint8_t *marks) {
    fl_name *slots = (fl_name *)fl_pages_calloc(2 * room, sizeof *slots);
    const size_t had = names->slots ? names->mask + 1 : 0, mask = 2 * room - 1;
    if (!slots)
        return 0;
    for (size_t at = 0; at < had; at++) {
        const fl_name *name = names->slots + at;
        if (!name->number)
            continue;
        if (marks && !marks[name->number - 1]) {
            names->bytes -= name->length;
            names->spare[names->spares++] = name->number - 1;
            free(name->text);
            continue;
        }
        size_t slot = fl_names_hash(names, name->prefix, name->text, name->length);
        while (slots[slot & mask].number)
            slot++;
        slots[slot & mask] = *name;
        names->slot_of[name->number - 1] = (uint32_t)(slot & mask);
    }
    free(names->slots);
    names->slots = slots;
    names->mask = mask;
    return 1;
}

/* Room for so many of what there is one a number. 0 where there is no memory. */
static inline int fl_names_room(void **array, size_t n, size_t room, size_t size) {
    void *more = fl_pages_calloc(room, size);
    if (!more)
        return 0;
    if (n)
        memcpy(more, *array, n * size);
    free(*array);
    *array = more;
    return 1;
}

static inline int fl_names_grow(fl_names *names) {
    size_t room = names->room ? 2 * names->room : 64; /* a power of two */
    if (room > UINT32_MAX / 2 || !fl_names_room((void **)&names->slot_of, names->n, room, sizeof *names->slot_of) ||
        !fl_names_room((void **)&names->prefixes, names->n, room, sizeof *names->prefixes) ||
        !fl_names_room((void **)&names->ranks, names->n, room, sizeof *names->ranks) ||
        !fl_names_room((void **)&names->spare, names->spares, room, sizeof *names->spare) ||
        !fl_names_rehash(names, room, NULL))
        return 0;
    names->room = room;
    return 1;
}

/* A key that is asked for. */
typedef struct {
    unsigned __int128 prefix;
    const char *text;
    size_t length;
    uint32_t hash;
} fl_asked;

static inline void fl_names_ask(const fl_names *names, fl_asked *asked, const char *text, size_t length) {
    asked->text = text;
    asked->length = length;
    asked->prefix = fl_names_prefix(text, length);
    asked->hash = fl_names_hash(names, asked->prefix, text, length);
    if (names->slots)
        __builtin_prefetch(names->slots + (asked->hash & names->mask));
}

/* Put a name that is not there yet into a slot. Its number; -1 where there is no memory. */
static inline int64_t fl_names_new(fl_names *names, const fl_asked *asked, size_t slot) {
    char *own = NULL;
    if (asked->length > FL_PREFIX) {
        if (!(own = (char *)malloc(asked->length)))
            return -1;
        memcpy(own, asked->text, asked->length);
    }
    const uint32_t number = names->spares ? names->spare[--names->spares] : (uint32_t)names->n++;
    names->slots[slot] = (fl_name){asked->prefix, own, (uint32_t)asked->length, number + 1};
    names->slot_of[number] = (uint32_t)slot;
    names->prefixes[number] = asked->prefix;
    names->ranks[number] = 0;
    names->bytes += asked->length;
    return number;
}

/* The number of a key; -1 where there is no memory. */
static inline int64_t fl_names_number(fl_names *names, const fl_asked *asked) {
    const size_t length = asked->length;
    if (names->n == names->room && !names->spares && !fl_names_grow(names))
        return -1;
    size_t slot = asked->hash & names->mask;
    for (const fl_name *name; (name = names->slots + slot)->number; slot = (slot + 1) & names->mask)
        if (name->prefix == asked->prefix && name->length == length &&
            (length <= FL_PREFIX || !memcmp(name->text + FL_PREFIX, asked->text + FL_PREFIX, length - FL_PREFIX)))
            return name->number - 1;
    return fl_names_new(names, asked, slot);
}

static inline size_t fl_names_held(const fl_names *names) { return names->n - names->spares; }

/* Forget the keys whose mark is 0. */
static inline int fl_names_sweep(fl_names *names, const uint8_t *marks) {
    return fl_names_rehash(names, names->room, marks);
}

static inline void fl_names_free(fl_names *names) {
    for (size_t at = 0; names->slots && at <= names->mask; at++)
        free(names->slots[at].text);
    free(names->slots);
    free(names->slot_of);
    free(names->prefixes);
    free(names->spare);
    free(names->ranks);
    memset(names, 0, sizeof *names);
}

#endif
