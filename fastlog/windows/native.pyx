# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""The windows on packed columns: what is counted by second and by cell never becomes a Python object.

Over 300 lines, since what a window of statistics holds, slides over and prints is one state; apart from it are the
series (series.h) and the order of rows (rows.pxi).
"""

cimport cython
from cpython.array cimport array, clone
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort, realloc
from libc.string cimport memcmp, memcpy, memmove, memset

from math import gcd

from fastlog.config import hits_limit
from fastlog.model.events import PERCENTILES, StatsColumns, TableColumns
from fastlog.model.partial import LOW_BITS
from fastlog.model.printable import printable
from fastlog.model.sketch import CELLS, cell_value
from fastlog.windows.saved import tally_state
from fastlog.windows.sliding import LONGEST_SILENCE
from fastlog.windows.tables import METHODS_NAMED, SECTIONS_NAMED, ranked
from fastlog.windows.traffic import Transition


cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL


cdef extern from "series.h" nogil:
    ctypedef struct fl_series:
        int64_t *seconds
        int64_t *hits
        size_t first, end

    size_t fl_series_find(const fl_series *series, int64_t second)
    int fl_series_add(fl_series *series, int64_t second, int64_t hits)
    void fl_series_free(fl_series *series)

    ctypedef struct fl_longs:
        int64_t *at
        size_t n

    int fl_longs_reserve(fl_longs *longs, size_t more)
    int fl_longs_push(fl_longs *longs, int64_t value)

    ctypedef struct fl_tally:
        uint32_t *keys
        int64_t *hits
        size_t n, room
        int64_t other

    size_t fl_tally_find(const fl_tally *tally, uint32_t key)
    int fl_tally_hash(fl_tally *tally)
    int fl_tally_add(fl_tally *tally, uint32_t key, int64_t hits, size_t bound)
    int fl_tally_add_all(
        fl_tally *tally, const int64_t *cells, const int64_t *hits, size_t n, const uint32_t *numbers, size_t bound
    )
    void fl_tally_empty(fl_tally *tally)
    void fl_tally_free(fl_tally *tally)


cdef int LOW = LOW_BITS
cdef array _LONGS = array("q")


@cython.final
cdef class TrafficWindow:
    """Hits over a sliding window; see the twin in ``traffic`` for what is evaluated when."""

    cdef int64_t window, limit, closed, sum
    cdef fl_series open, inside
    cdef bint began, unseen
    cdef readonly bint firing

    def __init__(self, window, threshold):
        self.window = window
        self.limit = min(hits_limit(threshold, window), (1 << 63) - 1)

    def __dealloc__(self):
        fl_series_free(&self.open)
        fl_series_free(&self.inside)

    def state(self):
        return {
            "open": _pairs(&self.open),
            "inside": _pairs(&self.inside),
            "closed": self.closed if self.began else None,
            "unseen": bool(self.unseen),
            "firing": bool(self.firing),
        }

    def restore(self, state):
        for second, hits in state["open"]:
            if not fl_series_add(&self.open, second, hits):
                raise MemoryError
        for second, hits in state["inside"]:
            if not fl_series_add(&self.inside, second, hits):
                raise MemoryError
            self.sum += hits
        self.began = state["closed"] is not None
        self.closed = state["closed"] or 0
        self.unseen, self.firing = state["unseen"], state["firing"]

    def take(self, const int64_t[::1] seconds, const int64_t[::1] hits, rows):
        cdef Py_ssize_t row, first = rows.start, stop = rows.stop
        cdef int64_t late = 0
        for row in range(first, stop):
            late += self._add(seconds[row], hits[row])
        return late

    def add(self, second, hits):
        self._add(second, hits)

    cdef int64_t _add(self, int64_t second, int64_t hits) except -1:
        """How many of the hits are late."""
        if not self.began or second >= self.closed:
            if not fl_series_add(&self.open, second, hits):
                raise MemoryError
            return 0
        if second > self.closed - self.window:
            if not fl_series_add(&self.inside, second, hits):
                raise MemoryError
            self.sum += hits
            self.unseen = True
        return hits

    def close(self, int64_t end):
        cdef list transitions = []
        cdef fl_series *arriving = &self.open
        cdef int64_t second
        cdef bint any_due = arriving.first < arriving.end and arriving.seconds[arriving.first] < end
        if not self.began:
            self.closed = arriving.seconds[arriving.first] if any_due else end
            self.began = True
        if self.unseen and self.closed < end:
            self.unseen = False
            if not any_due or arriving.seconds[arriving.first] > self.closed:
                self._evaluate(self.closed, 0, transitions)
        while arriving.first < arriving.end and arriving.seconds[arriving.first] < end:
            second = arriving.seconds[arriving.first]
            self._evaluate(second, arriving.hits[arriving.first], transitions)
            arriving.first += 1
        self._expire(end, transitions)
        self.closed = max(self.closed, end)
        return transitions

    cdef _evaluate(self, int64_t second, int64_t hits, list transitions):
        cdef fl_series *inside = &self.inside
        if inside.first < inside.end and inside.seconds[inside.first] + self.window < second:
            self._expire(second, transitions)
        while inside.first < inside.end and inside.seconds[inside.first] + self.window <= second:
            self.sum -= inside.hits[inside.first]
            inside.first += 1
        if hits:
            if not fl_series_add(inside, second, hits):
                raise MemoryError
            self.sum += hits
        if (self.sum > self.limit) != self.firing:
            self.firing = not self.firing
            transitions.append(Transition(second, self.sum, bool(self.firing)))

    cdef _expire(self, int64_t until, list transitions):
        cdef fl_series *inside = &self.inside
        cdef int64_t second
        while inside.first < inside.end and inside.seconds[inside.first] + self.window < until:
            second = inside.seconds[inside.first] + self.window
            self.sum -= inside.hits[inside.first]
            inside.first += 1
            if self.firing and self.sum <= self.limit:
                self.firing = False
                transitions.append(Transition(second, self.sum, False))


cdef list _pairs(const fl_series *series):
    cdef size_t at
    return [[series.seconds[at], series.hits[at]] for at in range(series.first, series.end)]


cdef enum:
    SECTIONS, METHODS, STATUSES, TABLES
    DURATIONS = TABLES  # no table that is shown: the cells of a sketch
    TALLIES


cdef struct Pane:
    int64_t start, hits, low, high  # low and high: bytes, as in a partial's columns
    fl_tally tables[TALLIES]


cdef int64_t _UNBOUNDED = 1 << 62
cdef int64_t[TALLIES] _BOUNDS
_BOUNDS[SECTIONS], _BOUNDS[METHODS] = SECTIONS_NAMED, METHODS_NAMED
_BOUNDS[STATUSES] = _BOUNDS[DURATIONS] = _UNBOUNDED
cdef size_t _MOST_RANKED = 4096  # names that are put in order before windows close; of more, the rows by name
cdef Py_ssize_t _MOST_NAMES = 1 << 16
cdef Py_ssize_t _MOST_NAME_BYTES = 1 << 24
cdef size_t _POOL = 8192  # panes kept for the next: a chunk of a sparse log brings some thousand
cdef size_t _LARGE_POOL = 64  # of those with long tables, fewer


cdef enum:
    _CELLS = 2240  # CELLS of fastlog/model/sketch.py
cdef int64_t[_CELLS] _VALUES
_VALUES[:] = [cell_value(cell) for cell in range(CELLS)]
cdef int64_t[3] _PERCENT
_PERCENT[:] = PERCENTILES


@cython.final
cdef class _Names:
    """Keys by number, and what is printed of them. UTF-8 sorts as code points do."""

    cdef dict numbers
    cdef list texts
    cdef list odd  # whether another key may print alike
    cdef bint any_odd
    cdef uint32_t *ranks  # the place of each text in their order; of the first n_ranks, which is 0 or all
    cdef uint32_t *by_rank
    cdef size_t n_ranks
    cdef Py_ssize_t size, longest  # of all texts, and of one
    cdef Py_ssize_t most, most_size  # names, and what they come to, before those that no pane holds are forgotten

    def __cinit__(self):
        self.most, self.most_size = _MOST_NAMES, _MOST_NAME_BYTES
        self.any_odd = False
        self.numbers = {}
        self.texts = []
        self.odd = []

    def __dealloc__(self):
        free(self.ranks)
        free(self.by_rank)

    cdef uint32_t number(self, bytes key):
        number = self.numbers.get(key)
        if number is None:
            text = key.decode("latin-1")
            plain = text.isascii() and text.isprintable() and "\\" not in text
            number = self._new(key, text if plain else printable(key), not plain)
        return number

    cdef uint32_t _new(self, key, text, bint odd):
        number = self.numbers[key] = len(self.texts)
        self.texts.append(text)
        self.size += len(text)
        self.longest = max(self.longest, len(text))
        self.odd.append(odd)
        self.any_odd = self.any_odd or odd
        self.n_ranks = 0
        return number

    cdef int rank(self) except -1:
        """Find the ranks anew, where names have come and are not too many to do so for each close."""
        cdef size_t place, number, n = len(self.texts)
        cdef uint32_t *ranks
        if self.n_ranks or n > _MOST_RANKED:
            return 0
        ranks = <uint32_t *>realloc(self.ranks, (n + 1) * sizeof(uint32_t))
        if ranks is NULL:
            raise MemoryError
        self.ranks = ranks
        ranks = <uint32_t *>realloc(self.by_rank, (n + 1) * sizeof(uint32_t))
        if ranks is NULL:
            raise MemoryError
        self.by_rank = ranks
        for place, number in enumerate(sorted(range(n), key=self.texts.__getitem__)):
            self.ranks[number], self.by_rank[place] = <uint32_t>place, <uint32_t>number
        self.n_ranks = n
        return 0

    cdef bint too_many(self):
        return len(self.texts) > self.most or self.size > self.most_size

    cdef bint is_odd(self, const fl_tally *tally):
        """Whether a key of the tally may print like another."""
        cdef size_t at
        if self.any_odd:
            for at in range(tally.n):
                if self.odd[tally.keys[at]]:
                    return True
        return False

    cdef uint32_t number_of_text(self, text):
        """Of a text that several keys may print as, or that stands for the rest."""
        number = self.numbers.get(text)
        return self._new(text, text, False) if number is None else number

    cdef keep(self, list renumbered):
        """Forget the keys whose new number is None."""
        numbers, texts, odd = self.numbers, self.texts, self.odd
        self.numbers, self.texts, self.odd, self.any_odd = {}, [], [], False
        self.n_ranks = self.size = self.longest = 0
        for key, old in numbers.items():
            if renumbered[old] is not None:
                renumbered[old] = self._new(key, texts[old], odd[old])
        # What the panes hold is not looked through with every chunk.
        self.most, self.most_size = max(_MOST_NAMES, 2 * len(self.texts)), max(_MOST_NAME_BYTES, 2 * self.size)


# A gap in a log can close a million windows: so many of them, or of their sections, or of the text of these, make
# one event.
cdef enum:
    _WINDOWS = 1024
    _ROWS = 1 << 16
    _ROWS_TEXT = 1 << 24
    _PERCENTILES = 3


@cython.final
cdef class _Columns:
    """The columns of the windows that close together, or of some of them."""

    cdef fl_longs starts, hits, low, high, partial
    cdef fl_longs latencies[_PERCENTILES]
    cdef fl_longs rows[TABLES]
    cdef fl_longs keys[TABLES]
    cdef fl_longs counts[TABLES]

    def __dealloc__(self):
        cdef int table
        for table in range(TABLES):
            free(self.rows[table].at)
            free(self.keys[table].at)
            free(self.counts[table].at)
        for table in range(_PERCENTILES):
            free(self.latencies[table].at)
        free(self.starts.at)
        free(self.hits.at)
        free(self.low.at)
        free(self.high.at)
        free(self.partial.at)

    cdef done(self, int64_t window, _Names sections, _Names methods):
        """As events: none where no window has closed."""
        if not self.starts.n:
            return []
        tables = (
            self._table(SECTIONS, sections.texts),
            self._table(STATUSES, _STATUS),
            self._table(METHODS, methods.texts),
        )
        return [
            StatsColumns(
                window,
                _array(&self.starts),
                _array(&self.hits),
                _array(&self.low),
                _array(&self.high),
                _array(&self.partial),
                tables,
                [_array(&self.latencies[at]) for at in range(_PERCENTILES)] if self.latencies[0].n else None,
            )
        ]

    cdef _table(self, int table, list names):
        return TableColumns(names, _array(&self.rows[table]), _array(&self.keys[table]), _array(&self.counts[table]))


@cython.final
cdef class StatsWindows:
    """Statistics windows; see the twin in ``sliding`` for what is printed when."""

    cdef int64_t window, step, size, closed, began_at, summed_to, next_start
    cdef bint empty, has_closed, has_began, has_sum, paused
    cdef Pane **panes
    cdef size_t first, end, room
    cdef Pane **pool
    cdef size_t pooled
    cdef Pane sum
    cdef public bint timed
    cdef _Names sections, methods
    cdef object numbered  # the partial whose keys are in section_numbers and method_numbers
    cdef uint32_t[::1] section_numbers, method_numbers

    def __cinit__(self, window, step, *, empty):
        self.window, self.step, self.size = window, step, gcd(window, step)
        self.empty = empty
        self.sections, self.methods = _Names(), _Names()
        self.pool = <Pane **>calloc(_POOL, sizeof(Pane *))
        if self.pool is NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef size_t at
        for at in range(self.first, self.end):
            _free_pane(self.panes[at])
        for at in range(self.pooled):
            _free_pane(self.pool[at])
        free(self.panes)
        free(self.pool)
        _free_tables(&self.sum)

    # -- state ---------------------------------------------------------------------------------

    def state(self):
        cdef size_t at
        keys = list(self.sections.numbers), list(self.methods.numbers), [b"%03d" % code for code in range(1000)]
        return {
            "closed": self.closed if self.has_closed else None,
            "began": self.began_at if self.has_began else None,
            "panes": [_pane_state(self.panes[at], keys) for at in range(self.first, self.end)],
        }

    def restore(self, state):
        cdef Pane *pane
        for plain in state["panes"]:
            pane = self._pane(plain["start"])
            total = int(plain["bytes"])
            _add_bytes(pane, plain["hits"], total & ((1 << LOW_BITS) - 1), total >> LOW_BITS)
            for table in range(TABLES):
                self._restore_table(pane, table, plain["tables"][table])
            for cell, count in plain["durations"]:
                _add(pane, DURATIONS, cell, count)
        self.has_closed, self.has_began = state["closed"] is not None, state["began"] is not None
        self.closed, self.began_at = state["closed"] or 0, state["began"] or 0

    cdef _restore_table(self, Pane *pane, int table, state):
        cdef _Names names = self.sections if table == SECTIONS else self.methods
        for text, hits in state["counts"].items():
            _add(pane, table, int(text) if table == STATUSES else names.number(text.encode("latin-1")), hits)
        pane.tables[table].other = state["other"]

    # -- counting ------------------------------------------------------------------------------

    def take(self, partial, panes, at):
        cdef const int64_t[::1] starts = partial.pane_starts, hits = partial.pane_hits
        cdef const int64_t[::1] low = partial.pane_bytes, high = partial.pane_bytes_high
        cdef const int64_t[::1] n_sections = partial.pane_sections, sections = partial.section_cells
        cdef const int64_t[::1] n_methods = partial.pane_methods, methods = partial.method_cells
        cdef const int64_t[::1] n_statuses = partial.pane_statuses, statuses = partial.status_cells
        cdef const int64_t[::1] section_hits = partial.section_cell_hits
        cdef const int64_t[::1] method_hits = partial.method_cell_hits
        cdef const int64_t[::1] status_hits = partial.status_cell_hits
        cdef const int64_t[::1] n_durations = partial.pane_durations, durations = partial.duration_cells
        cdef const int64_t[::1] duration_hits = partial.duration_cell_hits
        cdef Py_ssize_t number, first = panes.start, stop = panes.stop
        cdef Py_ssize_t section = at[0], method = at[1], status = at[2], duration = at[3]
        cdef Py_ssize_t section_end, method_end, status_end, duration_end
        cdef Pane *pane
        if self.numbered is not partial:
            self._number(partial)
        for number in range(first, stop):
            section_end = section + n_sections[number]
            method_end = method + n_methods[number]
            status_end = status + n_statuses[number]
            duration_end = duration + n_durations[number]
            pane = self._pane(starts[number])
            if pane is not NULL:
                _add_bytes(pane, hits[number], low[number], high[number])
                _add_all(pane, SECTIONS, sections, section_hits, section, section_end, &self.section_numbers[0])
                _add_all(pane, METHODS, methods, method_hits, method, method_end, &self.method_numbers[0])
                _add_all(pane, STATUSES, statuses, status_hits, status, status_end, NULL)
                _add_all(pane, DURATIONS, durations, duration_hits, duration, duration_end, NULL)
            section, method, status, duration = section_end, method_end, status_end, duration_end

    cdef _number(self, partial):
        """The numbers here of the keys of a partial."""
        if self.sections.too_many():
            self._forget_names(self.sections, SECTIONS)
        if self.methods.too_many():
            self._forget_names(self.methods, METHODS)
        self.section_numbers = _numbers(self.sections, partial.sections)
        self.method_numbers = _numbers(self.methods, partial.methods)
        self.numbered = partial

    cdef _forget_names(self, _Names names, int table):
        cdef list renumbered = [None] * len(names.texts)
        cdef size_t at, key
        cdef fl_tally *tally
        self._drop_sum()
        for at in range(self.first, self.end):
            tally = &self.panes[at].tables[table]
            for key in range(tally.n):
                renumbered[tally.keys[key]] = 0
        names.keep(renumbered)
        for at in range(self.first, self.end):
            tally = &self.panes[at].tables[table]
            for key in range(tally.n):
                tally.keys[key] = renumbered[tally.keys[key]]
            if not fl_tally_hash(tally):
                raise MemoryError

    cdef Pane *_pane(self, int64_t start) except? NULL:
        """The pane that begins at ``start``; NULL when every window that holds it is over."""
        cdef size_t at
        cdef Pane *pane
        if self.has_sum and start < self.summed_to:
            self._drop_sum()  # late hits are about to change a pane that is in it
        at = self._place(start)
        if at < self.end and self.panes[at].start == start:
            return self.panes[at]
        if self.has_closed and start < self._starts_after(self.closed - self.window):
            return NULL
        at = self._make_room(at)
        if self.pooled:
            self.pooled -= 1
            pane = self.pool[self.pooled]
        else:
            pane = <Pane *>calloc(1, sizeof(Pane))
            if pane is NULL:
                raise MemoryError
        pane.start = start
        memmove(&self.panes[at + 1], &self.panes[at], (self.end - at) * sizeof(Pane *))
        self.panes[at] = pane
        self.end += 1
        if not self.has_began:
            self.has_began = True
            self.began_at = self._first_holding(start)
        return pane

    cdef size_t _place(self, int64_t start):
        """Where the first pane stands that begins at ``start`` or later."""
        cdef size_t low = self.first, high = self.end, middle
        if low < high and self.panes[high - 1].start == start:
            return high - 1
        while low < high:
            middle = low + (high - low) // 2
            if self.panes[middle].start < start:
                low = middle + 1
            else:
                high = middle
        return low

    cdef size_t _make_room(self, size_t at) except? 0:
        """See to it that a pane can be put in at a place; the place may move."""
        cdef Pane **panes
        if self.end < self.room:
            return at
        if self.first > self.room // 2:
            memmove(self.panes, &self.panes[self.first], (self.end - self.first) * sizeof(Pane *))
            at -= self.first
            self.end -= self.first
            self.first = 0
            return at
        panes = <Pane **>realloc(self.panes, (2 * self.room + 64) * sizeof(Pane *))
        if panes is NULL:
            raise MemoryError
        self.panes = panes
        self.room = 2 * self.room + 64
        return at

    # -- closing -------------------------------------------------------------------------------

    def close(self, int64_t end):
        cdef int64_t before = self.closed if self.has_closed else self.began_at
        cdef bint leap = (self.has_closed or self.has_began) and end - before > LONGEST_SILENCE
        yield from self._due(end, True, self.empty and not leap, 0)
        self.closed = end
        self.has_closed = True
        self._forget(self._starts_after(end - self.window))

    def rest(self, int64_t last):
        return self._due(0, False, False, last)

    cdef int64_t _starts_after(self, int64_t second):
        return (_floor_div(second, self.step) + 1) * self.step

    cdef int64_t _first_holding(self, int64_t pane):
        return self._starts_after(pane + self.size - 1 - self.window)

    def _due(self, int64_t end, bint until_end, bint empty, int64_t last):
        """The windows to print, up to those that end at ``end``, or all: partial beyond ``last``."""
        cdef _Columns windows
        cdef bint more = True
        while more:
            windows = _Columns()
            more = self._collect(windows, end, until_end, empty, last)
            yield from windows.done(self.window, self.sections, self.methods)

    cdef int _collect(self, _Columns windows, int64_t end, bint until_end, bint empty, int64_t last) except -1:
        """Some of them: 1 when there are more, which begin at ``next_start``."""
        cdef int64_t start = 0, pane = 0
        cdef size_t rows
        cdef bint held, has_start = self.has_closed or self.paused
        if not self.has_began:
            return 0
        if self.paused:
            start = self.next_start
            self.paused = False
        elif has_start:
            start = self._starts_after(self.closed - self.window)
        self.sections.rank()
        self.methods.rank()
        while True:
            held = self.first < self.end
            if not held and not empty:
                return 0
            if held:
                pane = self.panes[self.first].start
            if not has_start:
                has_start = True
                start = min(self.began_at, self._first_holding(pane)) if held else self.began_at
            if (not held or pane >= start + self.window) and not (empty and start >= self.began_at):
                start = self._first_holding(pane) if held else max(self.began_at, start)
            if until_end and start + self.window > end:
                return 0
            self._add_window(windows, start, not until_end and start + self.window - 1 > last)
            start += self.step
            self._forget(start)
            rows = windows.keys[SECTIONS].n
            if windows.starts.n >= _WINDOWS or rows >= _ROWS or rows * self.sections.longest >= _ROWS_TEXT:
                self.paused, self.next_start = True, start
                return 1

    cdef _forget(self, int64_t before):
        cdef Pane *pane
        while self.first < self.end and self.panes[self.first].start < before:
            pane = self.panes[self.first]
            self.first += 1
            if self.has_sum and pane.start < self.summed_to:
                _add_pane(&self.sum, pane, -1)
            if self.pooled < (_LARGE_POOL if _is_large(pane) else _POOL):
                _empty_pane(pane)
                self.pool[self.pooled] = pane
                self.pooled += 1
            else:
                _free_pane(pane)

    cdef _drop_sum(self):
        self.has_sum = False
        _free_tables(&self.sum)
        self.sum.hits = self.sum.low = self.sum.high = 0

    cdef Pane *_total(self, int64_t end) except NULL:
        """The sum of the panes held before ``end``: that of the last window, moved on by a step."""
        cdef size_t at = self.first
        if self.has_sum and _has_many_zeros(&self.sum):
            self._drop_sum()
        if self.has_sum:
            at = self._place(self.summed_to)
        self.has_sum = True
        self.summed_to = end
        while at < self.end and self.panes[at].start < end:
            _add_pane(&self.sum, self.panes[at], 1)
            at += 1
        return &self.sum

    cdef int _add_window(self, _Columns windows, int64_t start, bint partial) except -1:
        cdef int64_t end = start + self.window
        cdef size_t at
        cdef Pane nothing
        cdef Pane *total
        if self.size == self.window:
            at = self._place(start)
            if at < self.end and self.panes[at].start == start:
                total = self.panes[at]
            else:
                total = &nothing
                _clear(total)
        else:
            total = self._total(end)
        _push(&windows.starts, start)
        _push(&windows.hits, total.hits)
        _push(&windows.low, total.low)
        _push(&windows.high, total.high)
        _push(&windows.partial, partial)
        self._add_table(windows, SECTIONS, total, self.sections, end)
        _add_rows(windows, STATUSES, &total.tables[STATUSES], None)
        self._add_table(windows, METHODS, total, self.methods, end)
        if self.timed:
            _add_latency(windows, &total.tables[DURATIONS])
        return 0

    cdef int _add_table(self, _Columns windows, int table, Pane *total, _Names names, int64_t end) except -1:
        cdef fl_tally *tally = &total.tables[table]
        cdef bint sliding = self.size != self.window
        if sliding and (tally.other or _named(tally) > <size_t>_BOUNDS[table]):
            return self._add_exact(windows, table, names, end)
        return _add_rows(windows, table, tally, names)

    cdef int _add_exact(self, _Columns windows, int table, _Names names, int64_t end) except -1:
        """As ``tables.united`` over the panes held before ``end``."""
        cdef fl_tally total
        cdef fl_tally *tally
        cdef size_t at, key, last = self.first
        cdef int64_t bound = _BOUNDS[table]
        cdef object named = None
        _clear_tally(&total)
        while last < self.end and self.panes[last].start < end:
            tally = &self.panes[last].tables[table]
            if tally.other:
                keys = {tally.keys[key] for key in range(tally.n)}
                named = keys if named is None else named & keys
            last += 1
        try:
            for at in range(self.first, last):
                tally = &self.panes[at].tables[table]
                total.other += tally.other
                for key in range(tally.n):
                    if named is not None and tally.keys[key] not in named:
                        total.other += tally.hits[key]
                    elif not fl_tally_add(&total, tally.keys[key], tally.hits[key], bound):
                        raise MemoryError
            return _add_rows(windows, table, &total, names)
        finally:
            fl_tally_free(&total)


cdef dict _pane_state(const Pane *pane, keys):
    """As a pane of ``sliding`` gives it; ``keys`` are those of the tables by number.

    The tables stand in the order of SECTIONS, METHODS, STATUSES.
    """
    cdef size_t at
    cdef const fl_tally *tally
    tables = []
    for table in range(TABLES):
        tally = &pane.tables[table]
        named = [(keys[table][tally.keys[at]], tally.hits[at]) for at in range(tally.n)]
        tables.append(tally_state(named, tally.other))
    total = (pane.high << LOW_BITS) + pane.low
    tally = &pane.tables[DURATIONS]
    durations = sorted([[tally.keys[at], tally.hits[at]] for at in range(tally.n)])
    return {"start": pane.start, "hits": pane.hits, "bytes": str(total), "tables": tables, "durations": durations}


cdef uint32_t[::1] _numbers(_Names names, list keys):
    return array("I", [names.number(key) for key in keys] or [0])


cdef int64_t _floor_div(int64_t value, int64_t by):
    cdef int64_t quotient = value // by
    return quotient - 1 if value % by < 0 else quotient


cdef int _add(Pane *pane, int table, uint32_t key, int64_t hits) except -1:
    if not fl_tally_add(&pane.tables[table], key, hits, _BOUNDS[table]):
        raise MemoryError
    return 0


cdef int _add_all(
    Pane *pane,
    int table,
    const int64_t[::1] cells,
    const int64_t[::1] hits,
    Py_ssize_t first,
    Py_ssize_t stop,
    const uint32_t *numbers,
) except -1:
    """The cells of a pane of a partial, which has each key once."""
    if first == stop:
        return 0
    if not fl_tally_add_all(
        &pane.tables[table], &cells[first], &hits[first], <size_t>(stop - first), numbers, _BOUNDS[table]
    ):
        raise MemoryError
    return 0


cdef void _add_bytes(Pane *pane, int64_t hits, int64_t low, int64_t high):
    pane.hits += hits
    pane.low += low
    pane.high += high + (pane.low >> LOW)
    pane.low &= (<int64_t>1 << LOW) - 1


cdef int _add_pane(Pane *total, const Pane *pane, int sign) except -1:
    """Add a pane to a sum that names everything, or take it out again: its keys stay, at 0."""
    cdef int table
    cdef size_t at
    cdef const fl_tally *tally
    _add_bytes(total, sign * pane.hits, sign * pane.low, sign * pane.high)
    for table in range(TALLIES):
        tally = &pane.tables[table]
        total.tables[table].other += sign * tally.other
        for at in range(tally.n):
            if not fl_tally_add(&total.tables[table], tally.keys[at], sign * tally.hits[at], _UNBOUNDED):
                raise MemoryError
    return 0


cdef size_t _named(const fl_tally *tally):
    cdef size_t at, named = 0
    for at in range(tally.n):
        named += tally.hits[at] != 0
    return named


cdef bint _has_many_zeros(const Pane *total):
    cdef int table
    for table in range(TALLIES):
        if total.tables[table].n > 64 and 2 * _named(&total.tables[table]) < total.tables[table].n:
            return True
    return False


cdef bint _is_large(const Pane *pane):
    cdef int table
    for table in range(TALLIES):
        if pane.tables[table].room > 32:
            return True
    return False


cdef void _clear_tally(fl_tally *tally):
    memset(tally, 0, sizeof(fl_tally))


cdef void _clear(Pane *pane):
    memset(pane, 0, sizeof(Pane))


cdef void _empty_pane(Pane *pane):
    """As new, but for the memory of its tables."""
    cdef int table
    pane.hits = pane.low = pane.high = 0
    for table in range(TALLIES):
        fl_tally_empty(&pane.tables[table])


cdef void _free_tables(Pane *pane):
    cdef int table
    for table in range(TALLIES):
        fl_tally_free(&pane.tables[table])


cdef void _free_pane(Pane *pane):
    _free_tables(pane)
    free(pane)


cdef array _array(const fl_longs *longs):
    cdef array copy = clone(_LONGS, longs.n, zero=False)
    if longs.n:
        memcpy(copy.data.as_longlongs, longs.at, longs.n * sizeof(int64_t))
    return copy


cdef int _push(fl_longs *longs, int64_t value) except -1:
    if not fl_longs_push(longs, value):
        raise MemoryError
    return 0


cdef int _add_latency(_Columns windows, const fl_tally *cells) except -1:
    """As ``Sketch.quantile`` for each of the percentiles; -1 where there is no duration."""
    cdef int64_t counts[_CELLS]
    cdef int64_t total = 0, rank, sum = 0
    cdef int percentile = 0, cell
    cdef size_t at
    memset(counts, 0, sizeof(counts))
    for at in range(cells.n):
        counts[cells.keys[at]] = cells.hits[at]
        total += cells.hits[at]
    if not total:
        for percentile in range(_PERCENTILES):
            _push(&windows.latencies[percentile], -1)
        return 0
    cell = -1
    for percentile in range(_PERCENTILES):
        rank = (_PERCENT[percentile] * total + 99) // 100
        while sum < rank:
            cell += 1
            sum += counts[cell]
        _push(&windows.latencies[percentile], _VALUES[cell])
    return 0


include "rows.pxi"
