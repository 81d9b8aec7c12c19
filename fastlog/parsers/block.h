/* The lines of a block, one after the other, until one is not certain.
 *
 * The block is indexed a window at a time, so that its bytes are still in the cache when
 * its lines are read.
 *
 * No byte outside of a buffer is ever read, since
 * - the index takes 64 bytes at once only where there are 64, the rest one by one (scan.h);
 * - whatever a line is read with begins at one of its own bytes, or ends at one (a size, and
 *   it has a status before it; a stamp, and it has five bytes before it), and is at most
 *   FL_PAD bytes long: so it reaches less than FL_PAD bytes behind the newline;
 * - lines with less than FL_PAD bytes of the block behind them are read from a copy that has
 *   FL_PAD zeros behind it (fl_block_safe, fl_block_copy).
 * `make fuzz` folds blocks in buffers of exactly their size to see that it is so. A line costs
 * time linear in its length: no quote and no backslash of it is looked at more than a few times.
 */
#ifndef FASTLOG_BLOCK_H
#define FASTLOG_BLOCK_H

#include "rejects.h"
#include "walk.h"

#ifndef FL_WINDOW
#define FL_WINDOW (16 * 1024)
#endif

typedef struct {
    const uint8_t *data;
    size_t length;    /* of whole lines */
    size_t line;      /* where the current line begins */
    int64_t lines;    /* taken up so far, over all blocks */
    size_t indexed;   /* bytes that are in the index */
    uint32_t *at;     /* the index: quotes and newlines of what is not read yet */
    size_t first, n, room;
    fl_indexer indexer;
    uint8_t *copy;    /* the end of a block, and FL_PAD bytes */
    size_t copy_room;
    fl_program *program; /* what lines are read by; NULL where it is the shape */
} fl_block;

/* Take up lines: `length` bytes, the last of which is a newline, FL_PAD more being readable. */
static inline void fl_block_begin(fl_block *block, const uint8_t *data, size_t length) {
    block->data = data;
    block->length = length;
    block->line = block->indexed = block->first = block->n = 0;
}

/* Index one window more; 0 where there is no memory. */
static int fl_block_index(fl_block *block) {
    size_t step = block->length - block->indexed;
    if (step > FL_WINDOW)
        step = FL_WINDOW;
    if (block->first) { /* not for each window of a line that is longer than one */
        block->n -= block->first;
        memmove(block->at, block->at + block->first, block->n * sizeof *block->at);
        block->first = 0;
    }
    size_t room = block->n + step + FL_INDEX_SLACK;
    if (room > block->room) {
        uint32_t *at = (uint32_t *)realloc(block->at, 2 * room * sizeof *at);
        if (!at)
            return 0;
        block->at = at;
        block->room = 2 * room;
    }
    block->n += block->indexer(block->data + block->indexed, step, (uint32_t)block->indexed, block->at + block->n);
    block->indexed += step;
    return 1;
}

/* Fold lines up to the first that is not certain: 1, and the line from `*start` to before its
 * newline at `*stop`; 0 when all lines are done, or memory has run out (`failed`). */
static int fl_block_fold(fl_block *block, const fl_shape *shape, fl_fold *fold, size_t *start, size_t *stop) {
    const uint8_t *data = block->data;
    fl_program *program = block->program;
    size_t usual = program ? program->quotes : 2 + 2 * (size_t)shape->quoted; /* quotes of a line */
    size_t seen = 0; /* quotes of a line that is longer than a window: they are looked at once */
    while (block->line < block->length) {
        size_t known = block->n - block->first, quotes = 0;
        const uint32_t *at = known ? block->at + block->first : NULL; /* NULL + 0 is undefined in C */
        if (known > usual && data[at[usual]] == '\n')
            quotes = usual;
        /* No newline may stand before that one; where the guess is right this is all quotes. */
        for (size_t i = 0; i < quotes; i++)
            if (data[at[i]] == '\n')
                quotes = i;
        if (!quotes) {
            for (quotes = seen; quotes < known && data[at[quotes]] != '\n';)
                quotes++;
            if (program && quotes < known) /* behind the fields of a format may be others */
                usual = quotes;
        }
        if (quotes == known) {
            seen = known;
            if (!fl_block_index(block)) {
                fold->failed = 1;
                return 0;
            }
            continue;
        }
        size_t line = block->line, newline = at[quotes];
        seen = 0;
        block->line = newline + 1;
        block->lines++;
        block->first += quotes + 1;
        if (!(program               ? fl_walk(program, fold, data, line, at, quotes, newline)
              : shape->tail == '\t' ? fl_line(shape, '\t', fold, data, line, at, quotes, newline)
                                    : fl_line(shape, ' ', fold, data, line, at, quotes, newline))) {
            if (!program && fl_reject(shape, fold, data, line, at, quotes, newline))
                continue;
            *start = line;
            *stop = newline;
            return 1;
        }
    }
    return 0;
}

/* The end of a block in a copy, with a newline where there is none; NULL where there is no memory. */
static inline const uint8_t *fl_block_copy(fl_block *block, const uint8_t *data, size_t *length) {
    if (*length + 1 + FL_PAD > block->copy_room) {
        size_t room = 2 * *length + 4096;
        uint8_t *copy = (uint8_t *)realloc(block->copy, room);
        if (!copy)
            return NULL;
        block->copy = copy;
        block->copy_room = room;
    }
    memcpy(block->copy, data, *length);
    if (block->copy[*length - 1] != '\n')
        block->copy[(*length)++] = '\n';
    memset(block->copy + *length, 0, FL_PAD);
    return block->copy;
}

/* How much of a block can be read in place: whole lines with FL_PAD bytes behind them. */
static inline size_t fl_block_safe(const uint8_t *data, size_t length) {
    size_t cut = length > FL_PAD ? length - FL_PAD : 0;
    while (cut && data[cut - 1] != '\n')
        cut--;
    return cut;
}

static inline void fl_block_free(fl_block *block) {
    free(block->at);
    free(block->copy);
}

#endif
