# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""Columns in as few bytes as their values need: the compiled twin of ``narrow``."""

from cpython.array cimport array, clone
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from *:
    """
    #ifdef __GLIBC__
    #include <malloc.h>
    #endif
    static void fl_keep_memory(void) {
    #ifdef __GLIBC__
        mallopt(M_MMAP_THRESHOLD, 4 << 20);
        mallopt(M_TRIM_THRESHOLD, 16 << 20);
    #endif
    }
    """
    void fl_keep_memory()


# The columns of a chunk come and go. Given back to the system each time, they would cost more to fault in again
# than to fill.
fl_keep_memory()

cdef array _LONGS = array("q")


def narrowed(column):
    cdef Py_buffer view
    cdef const int64_t *values
    cdef int64_t least, most
    cdef Py_ssize_t at, n
    cdef char *out
    PyObject_GetBuffer(column, &view, PyBUF_SIMPLE)
    try:
        values, n = <const int64_t *>view.buf, view.len // 8
        least = most = values[0] if n else 0
        for at in range(n):
            least = values[at] if values[at] < least else least
            most = values[at] if values[at] > most else most
        width = _width(<uint64_t>most - <uint64_t>least)
        data = PyBytes_FromStringAndSize(NULL, n * width)
        out = PyBytes_AS_STRING(data)
        if width == 1:
            for at in range(n):
                (<uint8_t *>out)[at] = <uint8_t>(<uint64_t>values[at] - <uint64_t>least)
        elif width == 2:
            for at in range(n):
                (<uint16_t *>out)[at] = <uint16_t>(<uint64_t>values[at] - <uint64_t>least)
        elif width == 4:
            for at in range(n):
                (<uint32_t *>out)[at] = <uint32_t>(<uint64_t>values[at] - <uint64_t>least)
        elif width == 8:
            for at in range(n):
                (<uint64_t *>out)[at] = <uint64_t>values[at] - <uint64_t>least
    finally:
        PyBuffer_Release(&view)
    return width, least, data


cdef int _width(uint64_t most) noexcept:
    return 0 if most == 0 else 1 if most < 1 << 8 else 2 if most < 1 << 16 else 4 if most < <uint64_t>1 << 32 else 8


def widened(int width, int64_t least, Py_ssize_t count, data):
    cdef Py_buffer view
    cdef array column = clone(_LONGS, count, zero=False)
    cdef uint64_t *out = <uint64_t *>column.data.as_longlongs
    cdef uint64_t base = <uint64_t>least
    cdef const char *values
    cdef Py_ssize_t at
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        if view.len != width * count or width not in (0, 1, 2, 4, 8):
            raise ValueError("a column that does not fill its bytes")
        values = <const char *>view.buf
        if width == 0:
            for at in range(count):
                out[at] = base
        elif width == 1:
            for at in range(count):
                out[at] = base + <uint8_t>values[at]
        elif width == 2:
            for at in range(count):
                out[at] = base + _two(values + 2 * at)
        elif width == 4:
            for at in range(count):
                out[at] = base + _four(values + 4 * at)
        else:
            for at in range(count):
                out[at] = base + _eight(values + 8 * at)
    finally:
        PyBuffer_Release(&view)
    return column


# What comes out of a frame may stand at any address.


cdef inline uint16_t _two(const char *at) noexcept:
    cdef uint16_t value
    memcpy(&value, at, 2)
    return value


cdef inline uint32_t _four(const char *at) noexcept:
    cdef uint32_t value
    memcpy(&value, at, 4)
    return value


cdef inline uint64_t _eight(const char *at) noexcept:
    cdef uint64_t value
    memcpy(&value, at, 8)
    return value
