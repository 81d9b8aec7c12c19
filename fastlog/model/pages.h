/* Memory for tables of which no part is in the cache when it is asked for.
 *
 * With pages of 4 KiB a processor would search longer for the page than for what stands in it: where the system
 * has greater ones, what fills about one gets them.
 */
#ifndef FASTLOG_PAGES_H
#define FASTLOG_PAGES_H

#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#define FL_GREAT_PAGE ((size_t)2 << 20)

/* So many zeros, for `free`; NULL where there is no memory. */
static inline void *fl_pages_calloc(size_t n, size_t size) {
#ifdef MADV_HUGEPAGE
    if (n * size > FL_GREAT_PAGE / 4 && n < SIZE_MAX / 2 / size) {
        const size_t whole = (n * size + FL_GREAT_PAGE - 1) & ~(FL_GREAT_PAGE - 1);
        void *at;
        if (posix_memalign(&at, FL_GREAT_PAGE, whole))
            return NULL;
        madvise(at, whole, MADV_HUGEPAGE); /* refused, it is slower */
        return memset(at, 0, n * size);
    }
#endif
    return calloc(n, size);
}

#endif
