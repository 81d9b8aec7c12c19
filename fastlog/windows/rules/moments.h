/* What stands by second, and keys that are due at one: the twin of what window.py keeps in `_due`. */
#ifndef FASTLOG_MOMENTS_H
#define FASTLOG_MOMENTS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FL_NONE UINT32_MAX

/* Room for one more of an array. 0 where there is no memory. */
static inline int fl_more_room(void **array, size_t *room, size_t n, size_t size) {
    if (n < *room)
        return 1;
    size_t wanted = *room ? 2 * *room : 8;
    void *more = realloc(*array, wanted * size);
    if (!more)
        return 0;
    *array = more;
    *room = wanted;
    return 1;
}

/* Where a second stands, or would, from `first` on in an array of what begins with its second, by that. */
static inline size_t fl_second_place(const void *array, size_t size, size_t first, size_t end, int64_t second) {
    const char *at = (const char *)array;
    size_t low = first, high = end;
    if (low < high && *(const int64_t *)(at + (high - 1) * size) < second)
        low = high;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (*(const int64_t *)(at + middle * size) < second)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Make room for one more at a place of an array, from whose front some have been taken: where it is then;
 * FL_NOWHERE where there is no memory. */
#define FL_NOWHERE SIZE_MAX
static inline size_t fl_second_room(void **array, size_t size, size_t *first, size_t *end, size_t *room, size_t place) {
    if (*first > *end / 2) { /* move to the front */
        memmove(*array, (char *)*array + *first * size, (*end - *first) * size);
        place -= *first;
        *end -= *first;
        *first = 0;
    }
    if (!fl_more_room(array, room, *end, size))
        return FL_NOWHERE;
    char *at = (char *)*array + place * size;
    memmove(at + size, at, ((*end)++ - place) * size);
    return place;
}

/* -- keys that are due ------------------------------------------------------------------------ */

/* A second at which keys are due: the first of their states. */
typedef struct {
    int64_t second;
    uint32_t head;
} fl_due;

typedef struct {
    fl_due *at; /* by second */
    size_t first, end, room;
    size_t last; /* where the last was put */
} fl_dues;

/* A second, which is made where there is none; NULL where there is no memory. */
static inline fl_due *fl_dues_at(fl_dues *dues, int64_t second) {
    const size_t size = sizeof *dues->at;
    if (dues->first < dues->end && dues->at[dues->first].second == second)
        return dues->at + dues->first;
    if (dues->last > dues->first && dues->last < dues->end && dues->at[dues->last].second == second)
        return dues->at + dues->last;
    size_t place = fl_second_place(dues->at, size, dues->first, dues->end, second);
    if (place == dues->end || dues->at[place].second != second) {
        place = fl_second_room((void **)&dues->at, size, &dues->first, &dues->end, &dues->room, place);
        if (place == FL_NOWHERE)
            return NULL;
        dues->at[place] = (fl_due){second, FL_NONE};
    }
    return dues->at + (dues->last = place);
}

#endif
