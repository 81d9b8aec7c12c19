# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""Columns in as few bytes as their values need: the compiled twin of ``narrow``."""

from cpython.array cimport array, clone
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t

from fastlog.model.narrow cimport fl_narrow, fl_narrow_put, fl_narrow_widen, fl_narrow_width

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
    cdef int64_t least
    cdef int width
    cdef size_t n
    PyObject_GetBuffer(column, &view, PyBUF_SIMPLE)
    try:
        n = <size_t>view.len // 8
        width = fl_narrow_width(<const int64_t *>view.buf, n, &least)
        data = PyBytes_FromStringAndSize(NULL, n * width)
        fl_narrow_put(<const int64_t *>view.buf, n, least, width, <uint8_t *>PyBytes_AS_STRING(data))
    finally:
        PyBuffer_Release(&view)
    return width, least, data


def widened(int width, int64_t least, Py_ssize_t count, data):
    cdef Py_buffer view
    cdef fl_narrow narrow
    cdef array column = clone(_LONGS, count, zero=False)
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        if view.len != width * count or width not in (0, 1, 2, 4, 8):
            raise ValueError("a column that does not fill its bytes")
        narrow.at, narrow.n, narrow.least, narrow.width = <const uint8_t *>view.buf, count, least, width
        fl_narrow_widen(&narrow, 0, count, <int64_t *>column.data.as_longlongs)
    finally:
        PyBuffer_Release(&view)
    return column
