/* Hosts by number, of which there may be as many as lines: so many that none is in the cache.
 *
 * All that a line needs of its host stands in one place of 32 bytes, which is fetched some lines
 * before it is asked (fl_hosts_fetch): what it is called, its number, and the mark of one rule.
 * Only of names over 16 bytes the rest is looked up. The hash is that of keys.h.
 */
#ifndef FASTLOG_HOSTS_H
#define FASTLOG_HOSTS_H

#include "entries.h"
#include "pages.h"

typedef struct {
    uint64_t first, second;  /* the first 16 bytes, zeros behind the end */
    uint32_t length, number; /* number: and 1; 0 where nothing stands */
    fl_mark mark;            /* of the first rule that has hosts */
} fl_host;

typedef struct {
    fl_host *at; /* by hash */
    size_t n, mask;
    uint8_t *text; /* readable for 16 bytes more */
    size_t text_n, text_room;
    uint32_t *ends; /* of the text, by number */
    size_t ends_room;
    uint64_t seed;
} fl_hosts;

/* A host as it is looked for. */
typedef struct {
    const uint8_t *text; /* readable for 16 bytes, whatever its length */
    uint32_t length;
    uint64_t first, second, hash;
} fl_sought;

/* Fetch what will be asked for of a host, of which text and length are known. */
static inline void fl_hosts_fetch(const fl_hosts *hosts, fl_sought *host) {
    fl_key_words(host->text, host->length, &host->first, &host->second);
    host->hash = fl_hash_of(hosts->seed, host->text, host->length, host->first, host->second);
    if (hosts->n)
        __builtin_prefetch(hosts->at + (host->hash & hosts->mask), 1);
}

static inline const uint8_t *fl_host_text(const fl_hosts *hosts, size_t number, size_t *length) {
    size_t start = number ? hosts->ends[number - 1] : 0;
    *length = hosts->ends[number] - start;
    return hosts->text + start;
}

static int fl_hosts_grow(fl_hosts *hosts) {
    size_t room = hosts->mask ? 2 * (hosts->mask + 1) : 1024;
    fl_host *at = (fl_host *)fl_pages_calloc(room, sizeof *at);
    if (!at)
        return 0;
    for (size_t i = 0; hosts->mask && i <= hosts->mask; i++) {
        const fl_host *host = hosts->at + i;
        if (!host->number)
            continue;
        size_t length;
        const uint8_t *text = fl_host_text(hosts, host->number - 1, &length);
        size_t slot = fl_hash_of(hosts->seed, text, (uint32_t)length, host->first, host->second);
        while (at[slot & (room - 1)].number)
            slot++;
        at[slot & (room - 1)] = *host;
    }
    free(hosts->at);
    hosts->at = at;
    hosts->mask = room - 1;
    return 1;
}

static fl_host *fl_host_new(fl_hosts *hosts, const fl_sought *sought) {
    const size_t end = hosts->text_n + sought->length;
    if (end > UINT32_MAX || !fl_reserve((void **)&hosts->text, &hosts->text_room, end + 16, 1) ||
        !fl_reserve((void **)&hosts->ends, &hosts->ends_room, hosts->n + 1, sizeof *hosts->ends))
        return NULL;
    if (2 * hosts->n >= hosts->mask && !fl_hosts_grow(hosts))
        return NULL;
    memcpy(hosts->text + hosts->text_n, sought->text, sought->length);
    hosts->text_n = hosts->ends[hosts->n++] = (uint32_t)end;
    size_t slot = sought->hash;
    while (hosts->at[slot & hosts->mask].number)
        slot++;
    fl_host *host = hosts->at + (slot & hosts->mask);
    *host = (fl_host){sought->first, sought->second, sought->length, (uint32_t)hosts->n, {0}};
    return host;
}

/* The host that was fetched; NULL where there is no memory. The pointer holds until the next call. */
static inline fl_host *fl_host_of(fl_hosts *hosts, const fl_sought *sought) {
    size_t slot = sought->hash;
    for (fl_host *host; hosts->n && (host = hosts->at + (slot & hosts->mask))->number; slot++) {
        size_t whole;
        if (host->first == sought->first && host->second == sought->second && host->length == sought->length &&
            (host->length <= 16 || !memcmp(fl_host_text(hosts, host->number - 1, &whole) + 16, sought->text + 16,
                                           host->length - 16)))
            return host;
    }
    return fl_host_new(hosts, sought);
}

/* Forget all, but keep the memory where it is not much. */
static inline void fl_hosts_clear(fl_hosts *hosts) {
    if (hosts->mask >= 8 * FL_MOST_HOSTS || hosts->text_room > 4 * FL_MOST_TEXT) {
        uint64_t seed = hosts->seed;
        free(hosts->at);
        free(hosts->text);
        free(hosts->ends);
        *hosts = (fl_hosts){.seed = seed};
        return;
    }
    if (hosts->n)
        memset(hosts->at, 0, (hosts->mask + 1) * sizeof *hosts->at);
    hosts->n = hosts->text_n = 0;
}

/* No host has a mark. */
static inline void fl_hosts_unmark(fl_hosts *hosts) {
    for (size_t i = 0; hosts->n && i <= hosts->mask; i++)
        hosts->at[i].mark = (fl_mark){0};
}

static inline void fl_hosts_free(fl_hosts *hosts) {
    free(hosts->at);
    free(hosts->text);
    free(hosts->ends);
}

#endif
