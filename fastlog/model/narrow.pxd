"""What narrow.h has, for the compiled parts that pack columns or look into them."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t

cdef extern from "narrow.h" nogil:
    ctypedef struct fl_narrow:
        const uint8_t *at
        size_t n
        int64_t least
        int width

    int fl_narrow_width(const int64_t *values, size_t n, int64_t *least)
    void fl_narrow_put(const int64_t *values, size_t n, int64_t least, int width, uint8_t *out)
    void fl_narrow_widen(const fl_narrow *column, size_t first, size_t n, int64_t *out)
    int64_t fl_narrow_value(const fl_narrow *column, size_t at)
    size_t fl_narrow_search(const fl_narrow *column, int64_t value)
