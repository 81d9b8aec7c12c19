/* Columns in as few bytes as their values need: what narrow.py says of them, for all that is compiled. */
#ifndef FASTLOG_NARROW_H
#define FASTLOG_NARROW_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const uint8_t *at; /* out of a frame, at any address */
    size_t n;
    int64_t least;
    int width;
} fl_narrow;

static inline int fl_narrow_fits(uint64_t span) {
    return !span ? 0 : span < 1 << 8 ? 1 : span < 1 << 16 ? 2 : span < (uint64_t)1 << 32 ? 4 : 8;
}

/* The bytes that each of some values needs, and the least of them. In most columns that is the first: then no
 * more is asked than which bits of what they have more are set in any. */
static inline int fl_narrow_width(const int64_t *values, size_t n, int64_t *least) {
    int64_t low = n ? values[0] : 0, high = low;
    uint64_t bits = 0, signs = 0;
    for (size_t i = 0; i < n; i++) {
        bits |= (uint64_t)values[i] - (uint64_t)low;
        signs |= (uint64_t)values[i]; /* of two that have none, the difference has its own */
    }
    *least = low;
    if (!((bits | signs) >> 63))
        return fl_narrow_fits(bits);
    for (size_t i = 0; i < n; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    *least = low;
    return fl_narrow_fits((uint64_t)high - (uint64_t)low);
}

#define FL_PUT_NARROW(type)                                                                         \
    for (size_t i = 0; i < n; i++) {                                                                \
        const type value = (type)((uint64_t)values[i] - (uint64_t)least);                           \
        memcpy(out + i * sizeof value, &value, sizeof value);                                       \
    }

/* Put values down in so many bytes each. */
static inline void fl_narrow_put(const int64_t *restrict values, size_t n, int64_t least, int width,
                                 uint8_t *restrict out) {
    if (width == 1)
        FL_PUT_NARROW(uint8_t)
    else if (width == 2)
        FL_PUT_NARROW(uint16_t)
    else if (width == 4)
        FL_PUT_NARROW(uint32_t)
    else if (width == 8)
        FL_PUT_NARROW(uint64_t)
}
#undef FL_PUT_NARROW

#define FL_WIDEN(type)                                                                              \
    for (size_t i = 0; i < n; i++) {                                                                \
        type value;                                                                                 \
        memcpy(&value, at + i * sizeof value, sizeof value);                                        \
        out[i] = (int64_t)((uint64_t)column->least + value);                                        \
    }

/* The values of a column from `first` on, of which there are `n`. */
static inline void fl_narrow_widen(const fl_narrow *column, size_t first, size_t n, int64_t *restrict out) {
    const uint8_t *restrict at = column->at + first * (size_t)column->width;
    if (column->width == 0)
        for (size_t i = 0; i < n; i++)
            out[i] = column->least;
    else if (column->width == 1)
        FL_WIDEN(uint8_t)
    else if (column->width == 2)
        FL_WIDEN(uint16_t)
    else if (column->width == 4)
        FL_WIDEN(uint32_t)
    else
        FL_WIDEN(uint64_t)
}
#undef FL_WIDEN

/* One value of a column. */
static inline int64_t fl_narrow_value(const fl_narrow *column, size_t at) {
    int64_t value;
    fl_narrow_widen(column, at, 1, &value);
    return value;
}

/* How many values stand before the first that is not less than `value`, in a column that ascends. */
static inline size_t fl_narrow_search(const fl_narrow *column, int64_t value) {
    size_t low = 0, high = column->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (fl_narrow_value(column, middle) < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

#endif
