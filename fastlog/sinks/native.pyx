# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""Statistics windows in columns as JSON. The twin of ndjson.py, whose bytes it gives."""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, strlen

from fastlog.model.partial import LOW_BITS


cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    char *PyOS_double_to_string(double value, char code, int precision, int flags, int *type) except NULL


cdef enum:
    _SHORT = 32  # bytes: most names are shorter, and so many are copied at once, whatever is behind the name


# Of fewer hits, hits / window as a double lies on the same side of the middle of two thousandths as it does in truth:
# it is off by less than 2**-53 of itself, and the middle at least 1 / (2000 * window) away.
cdef int64_t _SURE = <int64_t>1 << 40


@cython.final
cdef class _Text:
    """Bytes that grow."""

    cdef char *at
    cdef size_t n, room

    def __dealloc__(self):
        free(self.at)

    cdef int grow(self, size_t more) except -1:
        cdef size_t room = 2 * (self.n + more) + 4096
        cdef char *at = <char *>realloc(self.at, room)
        if at is NULL:
            raise MemoryError
        self.at = at
        self.room = room
        return 0

    cdef inline int put(self, const char *text, size_t length) except -1:
        if self.n + length > self.room:
            self.grow(length)
        memcpy(self.at + self.n, text, length)
        self.n += length
        return 0

    cdef inline int put_padded(self, const char *text, size_t length) except -1:
        """As ``put``, of a text with _SHORT bytes behind it."""
        if self.n + length + _SHORT > self.room:
            self.grow(length + _SHORT)
        memcpy(self.at + self.n, text, _SHORT)
        if length > _SHORT:
            memcpy(self.at + self.n + _SHORT, text + _SHORT, length - _SHORT)
        self.n += length
        return 0

    cdef inline int number(self, int64_t value) except -1:
        cdef char digits[20]
        cdef int at = 20
        cdef uint64_t rest = <uint64_t>value if value >= 0 else 0 - <uint64_t>value
        if rest < 10 and value >= 0:  # most hits of a sparse log
            digits[0] = <char>(48 + rest)
            return self.put(digits, 1)
        while True:
            at -= 1
            digits[at] = <char>(48 + rest % 10)
            rest //= 10
            if not rest:
                break
        if value < 0:
            self.put("-", 1)
        return self.put(digits + at, 20 - at)

    cdef int decimals(self, int64_t thousandths) except -1:
        cdef char digits[4]
        cdef int64_t rest = thousandths % 1000
        digits[0] = c"."
        digits[1] = <char>(48 + rest // 100)
        digits[2] = <char>(48 + rest // 10 % 10)
        digits[3] = <char>(48 + rest % 10)
        self.number(thousandths // 1000)
        return self.put(digits, 4 if digits[3] != c"0" else 3 if digits[2] != c"0" else 2)

    cdef int rate(self, int64_t hits, int64_t window) except -1:
        """The three decimals of ``round(hits / window, 3)``, but for zeros at the end."""
        cdef char *text
        cdef size_t length
        cdef int64_t thousandths, rest
        if not 0 <= hits < _SURE:
            import orjson

            digits = orjson.dumps(round(<object>hits / <object>window, 3))  # of integers of any size
            return self.put(<const char *>digits, len(digits))
        thousandths, rest = 1000 * hits // window, 1000 * hits % window
        if rest != window - rest:
            return self.decimals(thousandths + (rest > window - rest))
        # In the middle of two, what the division made of it tells.
        text = PyOS_double_to_string(<double>hits / <double>window, c"f", 3, 0, NULL)
        try:
            length = strlen(text)
            while text[length - 1] == c"0" and text[length - 2] != c".":
                length -= 1
            return self.put(text, length)
        finally:
            PyMem_Free(text)


cdef struct Quoted:
    const char *at
    size_t length


@cython.final
cdef class _Names:
    """The names of a table as they stand in JSON, each made once, with _SHORT bytes behind it."""

    cdef object names
    cdef list kept
    cdef Quoted *quoted

    def __cinit__(self, names):
        self.names = names
        self.kept = []
        self.quoted = <Quoted *>calloc(len(names) + 1, sizeof(Quoted))
        if self.quoted is NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.quoted)

    cdef int quote(self, int64_t key) except -1:
        cdef bytes quoted
        name = self.names[key].replace("\\", "\\\\").replace('"', '\\"')
        quoted = f'"{name}":'.encode()
        self.quoted[key].length = len(quoted)
        quoted += bytes(_SHORT)
        self.quoted[key].at = quoted
        self.kept.append(quoted)
        return 0

    cdef inline int put(self, _Text text, int64_t key) except -1:
        if self.quoted[key].at is NULL:
            self.quote(key)
        return text.put_padded(self.quoted[key].at, self.quoted[key].length)


@cython.final
cdef class _Table:
    """Goes over the rows of a table, window by window."""

    cdef const int64_t[::1] rows, keys, counts
    cdef _Names names
    cdef Py_ssize_t at

    def __init__(self, columns):
        self.rows, self.keys, self.counts = columns.rows, columns.keys, columns.counts
        self.names = _Names(columns.names)

    cdef int put(self, _Text text, Py_ssize_t window) except -1:
        cdef Py_ssize_t at, stop = self.at + self.rows[window]
        text.put("{", 1)
        for at in range(self.at, stop):
            if at > self.at:
                text.put(",", 1)
            self.names.put(text, self.keys[at])
            text.number(self.counts[at])
        self.at = stop
        return text.put("}", 1)


cdef int _put_latency(_Text text, int64_t p50, int64_t p95, int64_t p99) except -1:
    text.put(b',"latency_us":{"p50":', 21)
    _put_micros(text, p50)
    text.put(b',"p95":', 7)
    _put_micros(text, p95)
    text.put(b',"p99":', 7)
    _put_micros(text, p99)
    return text.put("}", 1)


cdef int _put_micros(_Text text, int64_t value) except -1:
    return text.number(value) if value >= 0 else text.put("null", 4)


def render_columns(columns):
    cdef const int64_t[::1] starts = columns.starts, hits = columns.hits
    cdef const int64_t[::1] low = columns.bytes_low, high = columns.bytes_high, partial = columns.partial
    cdef int64_t window = columns.window
    cdef _Table sections, statuses, methods
    cdef _Text text = _Text()
    cdef Py_ssize_t at
    cdef bint timed = columns.latencies is not None
    cdef const int64_t[::1] p50, p95, p99
    if timed:
        p50, p95, p99 = columns.latencies
    sections, statuses, methods = [_Table(table) for table in columns.tables]
    for at in range(starts.shape[0]):
        text.put(b'{"event":"stats","start":', 25)
        text.number(starts[at])
        text.put(b',"end":', 7)
        text.number(starts[at] + window)
        text.put(b',"hits":', 8)
        text.number(hits[at])
        text.put(b',"bytes":', 9)
        if high[at]:
            digits = str((int(high[at]) << LOW_BITS) + low[at]).encode()
            text.put(<const char *>digits, len(digits))
        else:
            text.number(low[at])
        text.put(b',"rate":', 8)
        text.rate(hits[at], window)
        if partial[at]:
            text.put(b',"partial":true,"sections":', 27)
        else:
            text.put(b',"partial":false,"sections":', 28)
        sections.put(text, at)
        text.put(b',"statuses":', 12)
        statuses.put(text, at)
        text.put(b',"methods":', 11)
        methods.put(text, at)
        if timed:
            _put_latency(text, p50[at], p95[at], p99[at])
        text.put(b"}\n", 2)
    return PyBytes_FromStringAndSize(text.at, text.n)
