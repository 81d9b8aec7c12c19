/* Keys by number, for the rules: a number is one key's until a sweep finds that nobody holds it.
 * The hash is seeded by the process, so that no log can be written whose keys collide. */
#ifndef FASTLOG_NAMES_H
#define FASTLOG_NAMES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pages.h"

typedef struct {
    char *text; /* of one that is longer than its prefix; NULL: the number is free */
    uint32_t length, hash;
    unsigned __int128 prefix; /* the first 16 bytes, as a number that sorts as they do */
} fl_name;

#define FL_PREFIX 16
static char fl_names_short[1]; /* the text of all names that their prefix has whole */

typedef struct {
    fl_name *names;
    uint64_t *slots; /* by hash: that, above number + 1; so only the name that is meant is looked at */
    uint32_t *spare; /* numbers that are free again */
    uint32_t *ranks; /* by number: the place and 1 among those that were ranked; 0 of one that came later */
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

static inline uint32_t fl_names_hash(const fl_names *names, const char *text, size_t length) {
    uint64_t hash = names->seed ^ length, last;
    for (; length > 16; text += 8, length -= 8)
        hash = fl_names_mix(hash, fl_names_load(text, 8), names->seed);
    if (length > 8)
        hash = fl_names_mix(hash, fl_names_load(text, 8), names->seed);
    last = length > 8 ? fl_names_second(text, length) : fl_names_load(text, length);
    hash = (hash ^ last) * 0xd6e8feb86659fd93u;
    hash ^= hash >> 32;
    hash *= names->seed | 1;
    return (uint32_t)(hash >> 32);
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

/* The text of a name, of which `prefix` has room for the first bytes. */
static inline const char *fl_names_text(const fl_names *names, uint32_t number, char *prefix) {
    const fl_name *name = names->names + number;
    if (name->length > FL_PREFIX)
        return name->text;
    uint64_t words[2] = {fl_names_sortable((uint64_t)(name->prefix >> 64)), fl_names_sortable((uint64_t)name->prefix)};
    memcpy(prefix, words, sizeof words);
    return prefix;
}

/* Whether one sorts before another: negative, 0 or positive. */
static inline int fl_names_order(const fl_names *names, uint32_t one, uint32_t other) {
    const fl_name *a = names->names + one, *b = names->names + other;
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    uint32_t shorter = a->length < b->length ? a->length : b->length;
    int order = shorter > 16 ? memcmp(a->text + 16, b->text + 16, shorter - 16) : 0;
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

static inline uint64_t fl_names_slot(uint32_t hash, uint32_t number) { return (uint64_t)hash << 32 | (number + 1); }

static inline int fl_names_rehash(fl_names *names, size_t room) {
    uint64_t *slots = (uint64_t *)fl_pages_calloc(2 * room, sizeof *slots);
    if (!slots)
        return 0;
    free(names->slots);
    names->slots = slots;
    names->mask = 2 * room - 1;
    for (size_t number = 0; number < names->n; number++) {
        if (!names->names[number].text)
            continue;
        size_t slot = names->names[number].hash;
        while (slots[slot & names->mask])
            slot++;
        slots[slot & names->mask] = fl_names_slot(names->names[number].hash, (uint32_t)number);
    }
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
    if (room > UINT32_MAX / 2 || !fl_names_room((void **)&names->names, names->n, room, sizeof *names->names) ||
        !fl_names_room((void **)&names->ranks, names->n, room, sizeof *names->ranks) ||
        !fl_names_room((void **)&names->spare, names->spares, room, sizeof *names->spare))
        return 0;
    names->room = room;
    return fl_names_rehash(names, room);
}

/* The number of a key, given its hash; -1 where there is no memory. */
static inline int64_t fl_names_hashed(fl_names *names, const char *text, size_t length, uint32_t hash) {
    if (names->n == names->room && !names->spares && !fl_names_grow(names))
        return -1;
    unsigned __int128 prefix = fl_names_prefix(text, length);
    size_t slot = hash;
    for (uint64_t found; (found = names->slots[slot & names->mask]); slot++) {
        if (found >> 32 != hash)
            continue;
        const fl_name *name = names->names + (uint32_t)found - 1;
        if (name->length == length && name->prefix == prefix &&
            (length <= 16 || !memcmp(name->text + 16, text + 16, length - 16)))
            return (uint32_t)found - 1;
    }
    char *own = fl_names_short;
    if (length > FL_PREFIX) {
        if (!(own = (char *)malloc(length)))
            return -1;
        memcpy(own, text, length);
    }
    uint32_t number = names->spares ? names->spare[--names->spares] : (uint32_t)names->n++;
    names->names[number] = (fl_name){own, (uint32_t)length, hash, prefix};
    names->ranks[number] = 0;
    names->slots[slot & names->mask] = fl_names_slot(hash, number);
    names->bytes += length;
    return number;
}

static inline int64_t fl_names_number(fl_names *names, const char *text, size_t length) {
    return fl_names_hashed(names, text, length, fl_names_hash(names, text, length));
}

/* A key that is asked for. */
typedef struct {
    const char *text;
    size_t length;
    uint32_t hash;
} fl_asked;

#define FL_ASKED 64

/* The numbers of some keys. Where there are many, none is in the cache: they are fetched side by side. */
static inline int fl_names_numbers(fl_names *names, fl_asked *asked, size_t n, uint32_t *numbers) {
    for (size_t at = 0; at < n; at++) {
        asked[at].hash = fl_names_hash(names, asked[at].text, asked[at].length);
        if (names->slots)
            __builtin_prefetch(names->slots + (asked[at].hash & names->mask));
    }
    for (size_t at = 0; names->slots && at < n; at++) {
        uint64_t found;
        for (size_t slot = asked[at].hash; (found = names->slots[slot & names->mask]); slot++)
            if (found >> 32 == asked[at].hash)
                break;
        __builtin_prefetch(names->names + (found ? (uint32_t)found - 1 : 0));
    }
    for (size_t at = 0; at < n; at++) {
        const int64_t number = fl_names_hashed(names, asked[at].text, asked[at].length, asked[at].hash);
        if (number < 0)
            return 0;
        numbers[at] = (uint32_t)number;
    }
    return 1;
}

static inline size_t fl_names_held(const fl_names *names) { return names->n - names->spares; }

static inline void fl_name_free(fl_name *name) {
    if (name->text != fl_names_short)
        free(name->text);
}

/* Forget the keys whose mark is 0. */
static inline int fl_names_sweep(fl_names *names, const uint8_t *marks) {
    for (size_t number = 0; number < names->n; number++) {
        fl_name *name = names->names + number;
        if (marks[number] || !name->text)
            continue;
        names->bytes -= name->length;
        fl_name_free(name);
        name->text = NULL;
        names->spare[names->spares++] = (uint32_t)number;
    }
    return fl_names_rehash(names, names->room);
}

static inline void fl_names_free(fl_names *names) {
    for (size_t number = 0; number < names->n; number++)
        fl_name_free(names->names + number);
    free(names->names);
    free(names->slots);
    free(names->spare);
    free(names->ranks);
    memset(names, 0, sizeof *names);
}

#endif
