# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""The rules on packed columns: no Python object an entry. The twin of ``together``, whose words say what is meant.

Over 300 lines, half of them declarations of what the headers have.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc

from fastlog.model.narrow cimport fl_narrow, fl_narrow_search, fl_narrow_value, fl_narrow_widen

from array import array

from fastlog.config import as_written
from fastlog.model.narrow import WIDTHS
from fastlog.model.rules import PERCENTILES
from fastlog.windows.rules import window as twin
from fastlog.windows.rules.sums import MICRO
from fastlog.windows.rules.window import Transition


cdef extern from "rules.h" nogil:
    ctypedef struct fl_wide:
        pass

    fl_wide fl_wide_of(int64_t high, uint64_t low, int bits)
    int64_t fl_wide_high(fl_wide value)
    uint64_t fl_wide_low(fl_wide value)

    enum:
        FL_HITS, FL_SHARE, FL_BYTES, FL_QUANTILE

    int64_t FL_NEVER
    uint32_t FL_NONE
    size_t FL_CELLS

    ctypedef struct fl_cells:
        size_t n
        int64_t *at

    ctypedef union fl_more:
        fl_wide size
        fl_cells *cells

    fl_cells *fl_cells_new(size_t n)
    fl_cells *fl_cells_of(const int64_t *cells, const int64_t *counts, size_t n)

    ctypedef struct fl_names:
        size_t n, bytes
        uint64_t seed

    enum:
        FL_PREFIX

    const char *fl_names_text(const fl_names *names, uint32_t number, char *prefix, size_t *length)

    ctypedef struct fl_asked:
        pass

    void fl_names_ask(const fl_names *names, fl_asked *asked, const char *text, size_t length)
    int64_t fl_names_number(fl_names *names, const fl_asked *asked)
    size_t fl_names_held(const fl_names *names)
    int fl_names_sweep(fl_names *names, const uint8_t *marks)
    void fl_names_free(fl_names *names)

    ctypedef struct fl_arrival:
        int64_t hits, base
        uint32_t key, state

    ctypedef struct fl_moment:
        int64_t second
        size_t start, n

    ctypedef struct fl_arrivals:
        fl_moment *moments
        size_t first, end, bound
        fl_arrival *at
        fl_more *more
        int64_t dropped
        int kind

    int fl_arrivals_put(
        fl_arrivals *arrivals, int64_t second, uint32_t key, int64_t hits, int64_t base, const fl_more *more
    )
    int fl_arrivals_cut(fl_arrivals *arrivals)
    int fl_moment_cut(fl_arrivals *arrivals, fl_moment *moment)

    ctypedef struct fl_seen:
        int64_t second, hits, base

    ctypedef struct fl_state:
        fl_seen *seen
        fl_more *more
        size_t first, end
        int64_t born, since, due, tick
        uint32_t key, after
        int firing

    ctypedef struct fl_said:
        fl_wide value
        int64_t at, hits, parts
        uint32_t key
        int firing

    ctypedef struct fl_saids:
        fl_said *at
        size_t n, room

    ctypedef struct fl_rule:
        int64_t window, hold, min_hits, parts, percent, most_kept
        size_t bound
        int keyed, above, kind, plain, small
        int64_t enough
        fl_wide fires, quiet, fires_parts, quiet_parts
        fl_arrivals arrivals
        fl_state *states
        uint32_t head, tail
        int64_t dropped, closed, tick
        int has_closed, begun

    uint32_t fl_rule_new(fl_rule *rule, uint32_t key, int64_t born, int64_t tick)
    int fl_rule_absorb(fl_rule *rule, uint32_t which, int64_t second, int64_t hits, int64_t base, fl_more *more)
    int fl_rule_queue(fl_rule *rule, uint32_t which, int64_t due)
    int fl_rule_add(
        fl_rule *rule, const fl_names *names, int64_t second, uint32_t key, int64_t hits, int64_t base, fl_more *more
    )
    int fl_rule_close(fl_rule *rule, fl_names *names, int64_t end, int64_t first, uint32_t all, fl_saids *said)
    int fl_rule_row(fl_rule *rule, const fl_names *names)
    void fl_rule_free(fl_rule *rule)


cdef int _LOW_BITS = 62  # of a sum of bytes, as in model.measured
cdef size_t _NAMES = 1 << 18  # held at least before those that nobody needs are forgotten
cdef size_t _NAME_BYTES = 1 << 24
# The columns of Measured, in their order.
cdef enum:
    _RULES, _SEGMENTS, _SECONDS, _KEYS, _HITS, _BASE, _SIZES, _SIZES_HIGH, _SKETCHED, _CELLS, _COUNTS, _KEY_ENDS, _COLUMNS
    _BLOCK = 128  # entries that are widened at a time: they stay in the nearest cache
    _ASKED = 64  # names that are asked for at a time: where there are many, none is cached; they are fetched side by side
_MOST = 1 << 62  # numerators and denominators of a share beyond would pass 128 bits
_WIDE = 1 << 126
_KINDS = {"hits": FL_HITS, "rate": FL_HITS, "bytes": FL_BYTES, "share": FL_SHARE}


def fits(rules):
    """Whether the thresholds of the rules are exact in 128 bits, as all that anyone would write are."""
    limits = [limit for rule in rules if rule.measure == "share" for limit in (rule.threshold, rule.quiet)]
    return all([max(as_written(limit)) < _MOST for limit in limits])


cdef int _widen(fl_wide *wide, value) except -1:
    wide[0] = fl_wide_of(value >> 64, value & ((1 << 64) - 1), 64)
    return 0


cdef object _whole(fl_wide value):
    return (<object>fl_wide_high(value) << 64) + fl_wide_low(value)


cdef _limit(rule, limit, parts):
    """The whole number that stands for a threshold among those that the measure can be."""
    numerator, denominator = as_written(limit)
    whole = numerator * parts // denominator if rule.above is not None else -(-numerator * parts // denominator)
    return max(-_WIDE, min(whole, _WIDE))


cdef class RuleWindows:
    """The windows of every rule; see the twin in ``together``."""

    cdef fl_names names
    cdef fl_rule *rules
    cdef size_t n, names_then, bytes_then
    cdef uint32_t all
    cdef tuple plain
    cdef object measured  # the last one taken; the rest is of it
    cdef fl_narrow[_COLUMNS] columns
    cdef Py_buffer[_COLUMNS] views
    cdef size_t n_views
    cdef uint32_t *known  # numbers here of its keys
    cdef size_t known_n, row, cell  # row and cell: behind the last segment
    cdef bint weighty  # whether a rule asks for more than hits

    def __cinit__(self, rules):
        cdef size_t number
        self.names.seed = <uint64_t>(<int64_t>hash(b"names") | 1)
        self.plain = tuple(rules)
        self.rules = <fl_rule *>calloc(max(len(self.plain), 1), sizeof(fl_rule))
        if self.rules is NULL:
            raise MemoryError
        self.n = len(self.plain)
        self.names_then, self.bytes_then = _NAMES, _NAME_BYTES
        for number in range(self.n):
            self.rules[number].head = self.rules[number].tail = FL_NONE
            _set(&self.rules[number], self.plain[number])
            self.weighty = self.weighty or self.rules[number].kind >= FL_BYTES
        self.all = self._number(b"")

    def __dealloc__(self):
        cdef size_t number
        for number in range(self.n):
            fl_rule_free(&self.rules[number])
        free(self.rules)
        free(self.known)
        self._release()
        fl_names_free(&self.names)

    cdef uint32_t _number(self, bytes key) except? 0:
        cdef fl_asked asked
        cdef int64_t number
        fl_names_ask(&self.names, &asked, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key))
        number = fl_names_number(&self.names, &asked)
        if number < 0:
            raise MemoryError
        return <uint32_t>number

    # -- counting ------------------------------------------------------------------------------

    def take(self, measured, int64_t segment):
        cdef size_t first, stop
        cdef fl_narrow *segments = &self.columns[_SEGMENTS]
        if self.measured is not measured:
            self._begin(measured)
        if self.row == segments.n:
            return
        first = fl_narrow_search(segments, segment)
        stop = fl_narrow_search(segments, segment + 1)
        if first != self.row:
            self.row, self.cell = first, self._cells_before(first)
        self._take(stop)

    cdef _begin(self, measured):
        """Look at another partial's columns."""
        self._release()
        if fl_names_held(&self.names) > self.names_then or self.names.bytes > self.bytes_then:
            self._sweep()
        for column in measured.as_it_lies():
            self._look_at(column)
        for column in range(_CELLS):
            if self.columns[<size_t>column].n != self.columns[_RULES].n:
                raise ValueError("columns that are not of one length")
        self._ask(measured.key_text)
        self.row = self.cell = 0
        self.measured = measured

    cdef _look_at(self, column):
        cdef fl_narrow *narrow = &self.columns[self.n_views]
        narrow.n, narrow.width, narrow.least, data = column
        PyObject_GetBuffer(data, &self.views[self.n_views], PyBUF_SIMPLE)
        narrow.at = <const uint8_t *>self.views[self.n_views].buf
        self.n_views += 1
        if narrow.width not in WIDTHS or narrow.n * narrow.width != <size_t>self.views[self.n_views - 1].len:
            raise ValueError("a column that does not fill its bytes")

    cdef void _release(self) noexcept:
        """Look at no columns any more."""
        self.measured = None
        while self.n_views:
            self.n_views -= 1
            PyBuffer_Release(&self.views[self.n_views])

    cdef size_t _cells_before(self, size_t row):
        """Of how many cells the sketches are before a row."""
        cdef size_t at, n = 0
        for at in range(row):
            n += fl_narrow_value(&self.columns[_SKETCHED], at)
        return n

    cdef _ask(self, const uint8_t[::1] text):
        """The numbers here of a partial's keys."""
        cdef const char *texts = NULL
        cdef int64_t number, start = 0, length = text.shape[0]
        cdef int64_t[_ASKED] ends
        cdef fl_asked[_ASKED] asked
        cdef size_t first, at, n
        if length:
            texts = <const char *>&text[0]
        free(self.known)
        self.known_n = self.columns[_KEY_ENDS].n
        self.known = <uint32_t *>malloc((self.known_n + 1) * sizeof(uint32_t))
        if self.known is NULL:
            raise MemoryError
        for first in range(0, self.known_n, _ASKED):
            n = min(<size_t>_ASKED, self.known_n - first)
            fl_narrow_widen(&self.columns[_KEY_ENDS], first, n, ends)
            for at in range(n):
                if not start <= ends[at] <= length:
                    raise ValueError("a key that is not in its text")
                fl_names_ask(&self.names, &asked[at], texts + start, <size_t>(ends[at] - start))
                start = ends[at]
            for at in range(n):
                number = fl_names_number(&self.names, &asked[at])
                if number < 0:
                    raise MemoryError
                self.known[first + at] = <uint32_t>number

    cdef _take(self, size_t stop):
        cdef int64_t[_CELLS][_BLOCK] wide
        cdef size_t n, column, first = self.row
        while self.row < stop:
            n = min(<size_t>_BLOCK, stop - self.row)
            for column in range(_CELLS):
                if column != _SEGMENTS and (column < _SIZES or self.weighty):
                    if self.columns[column].width or self.row == first:  # the others hold one value throughout
                        fl_narrow_widen(&self.columns[column], self.row, n, wide[column])
            self._take_block(wide, n)
            self.row += n

    cdef _take_block(self, int64_t[_BLOCK] *wide, size_t n):
        cdef const int64_t *rules = wide[_RULES]
        cdef const int64_t *keys = wide[_KEYS]
        cdef const uint32_t *known = self.known
        cdef bint weighty = self.weighty
        cdef size_t row, known_n = self.known_n
        cdef uint32_t key
        cdef int64_t second, hits, base
        cdef fl_more more
        cdef fl_rule *rule
        for row in range(n):
            if <size_t>rules[row] >= self.n or <size_t>keys[row] >= known_n:
                raise ValueError("an entry of no rule, or with no key")
            rule = &self.rules[rules[row]]
            key, second, hits, base = known[keys[row]], wide[_SECONDS][row], wide[_HITS][row], wide[_BASE][row]
            if rule.kind == FL_BYTES:
                more.size = fl_wide_of(wide[_SIZES_HIGH][row], wide[_SIZES][row], _LOW_BITS)
            elif rule.kind == FL_QUANTILE:
                more.cells = self._cells(self.cell, wide[_SKETCHED][row]) if wide[_SKETCHED][row] else NULL
            if weighty:
                self.cell += wide[_SKETCHED][row]
            if fl_arrivals_put(&rule.arrivals, second, key, hits, base, &more):
                continue
            if not fl_rule_add(rule, &self.names, second, key, hits, base, &more):
                raise MemoryError

    cdef fl_cells *_cells(self, size_t first, size_t n) except NULL:
        cdef size_t at
        cdef fl_cells *cells
        if max(first, n) > self.columns[_CELLS].n or first + n > min(self.columns[_CELLS].n, self.columns[_COUNTS].n):
            raise ValueError("an entry without its cells")
        cells = fl_cells_new(n)
        if cells is NULL:
            raise MemoryError
        fl_narrow_widen(&self.columns[_CELLS], first, n, cells.at)
        fl_narrow_widen(&self.columns[_COUNTS], first, n, cells.at + n)
        for at in range(n):
            if <size_t>cells.at[at] >= FL_CELLS:
                free(cells)
                raise ValueError("a cell that no duration has")
        return cells

    cdef int _row(self, fl_rule *rule) except -1:
        """See to it that a rule has its keys in a row."""
        if not fl_rule_row(rule, &self.names):
            raise MemoryError
        return 0

    cdef _sweep(self):
        """Forget the names of keys that no rule holds."""
        cdef size_t number, at, hit
        cdef fl_arrivals *arrivals
        cdef uint32_t which
        cdef uint8_t *marks = <uint8_t *>calloc(self.names.n, 1)
        if marks is NULL:
            raise MemoryError
        marks[self.all] = 1
        for number in range(self.n):
            self._row(&self.rules[number])
            which = self.rules[number].head
            while which != FL_NONE:
                marks[self.rules[number].states[which].key] = 1
                which = self.rules[number].states[which].after
            arrivals = &self.rules[number].arrivals
            for at in range(arrivals.first, arrivals.end):
                for hit in range(arrivals.moments[at].n):
                    marks[arrivals.at[arrivals.moments[at].start + hit].key] = 1
        done = fl_names_sweep(&self.names, marks)
        free(marks)
        if not done:
            raise MemoryError
        self.names_then = max(2 * fl_names_held(&self.names), _NAMES)
        self.bytes_then = max(2 * self.names.bytes, _NAME_BYTES)

    # -- closing -------------------------------------------------------------------------------

    def close(self, int64_t end, int64_t first):
        cdef fl_saids said
        cdef size_t number
        cdef list found = []
        cdef int done
        for number in range(self.n):
            said.at, said.n, said.room = NULL, 0, 0
            done = fl_rule_close(&self.rules[number], &self.names, end, first, self.all, &said)
            try:
                if not done:
                    raise MemoryError
                if said.n:
                    found += self._transitions(number, &said)
            finally:
                free(said.at)
        found.sort(key=_when)
        return found

    cdef list _transitions(self, size_t number, fl_saids *said):
        cdef fl_said *one
        cdef size_t at
        cdef list found = []
        for at in range(said.n):
            one = &said.at[at]
            value = _whole(one.value)
            if one.parts != 1:
                value = round(value / one.parts, 6)
            found.append((number, Transition(one.at, self._key(one.key), bool(one.firing), one.hits, value)))
        return found

    cdef bytes _key(self, uint32_t number):
        cdef char[FL_PREFIX] prefix
        cdef size_t length
        cdef const char *text = fl_names_text(&self.names, number, prefix, &length)
        return PyBytes_FromStringAndSize(text, length)

    @property
    def dropped(self):
        cdef size_t number
        return [self._dropped(&self.rules[number]) for number in range(self.n)]

    cdef int64_t _dropped(self, fl_rule *rule) except -1:
        if not fl_arrivals_cut(&rule.arrivals):
            raise MemoryError
        return rule.dropped + rule.arrivals.dropped

    def states(self):
        cdef size_t number
        return [dict(sorted(self._firing(number))) for number in range(self.n)]

    def firing(self):
        cdef size_t number
        return [sorted(self._loud(&self.rules[number])) for number in range(self.n)]

    cdef list _loud(self, fl_rule *rule):
        """The keys that are firing: none of those that are in no row, since something else stands for it."""
        cdef uint32_t which = rule.head
        cdef list found = []
        while which != FL_NONE:
            if rule.states[which].firing:
                found.append(self._key(rule.states[which].key))
            which = rule.states[which].after
        return found

    cdef list _firing(self, size_t number):
        cdef fl_rule *rule = &self.rules[number]
        cdef uint32_t which
        cdef list found = []
        self._row(rule)
        which = rule.head
        while which != FL_NONE:
            found.append((self._key(rule.states[which].key), bool(rule.states[which].firing)))
            which = rule.states[which].after
        return found

    # -- state ---------------------------------------------------------------------------------

    def state(self):
        cdef size_t number
        return [self._state(&self.rules[number]) for number in range(self.n)]

    cdef _state(self, fl_rule *rule):
        cdef size_t at
        cdef uint32_t which
        opened, keys = [], []
        self._row(rule)
        which = rule.head
        for at in range(rule.arrivals.first, rule.arrivals.end):
            opened.append([rule.arrivals.moments[at].second, *self._open_columns(rule, &rule.arrivals.moments[at])])
        while which != FL_NONE:
            keys.append((rule.states[which].tick, self._key(rule.states[which].key), which))
            which = rule.states[which].after
        keys.sort()
        return {
            "dropped": self._dropped(rule),
            "closed": rule.closed if rule.has_closed else None,
            "begun": bool(rule.begun),
            "open": opened,
            "keys": [[key.decode("latin-1"), *_key_state(rule, &rule.states[number])] for _, key, number in keys],
        }

    cdef _open_columns(self, fl_rule *rule, fl_moment *moment):
        cdef size_t at
        cdef fl_arrival *hit
        if not fl_moment_cut(&rule.arrivals, moment):
            raise MemoryError
        stand = range(moment.start, moment.start + moment.n)
        order = sorted([(self._key(rule.arrivals.at[at].key), at) for at in stand])
        rows = []
        for _, place in order:
            hit = &rule.arrivals.at[<size_t>place]
            rows.append([hit.hits, hit.base, *_more_state(rule, rule.arrivals.more, place)])
        return [[key.decode("latin-1") for key, _ in order], *map(list, zip(*rows))]

    def restore(self, state):
        cdef size_t number
        for number in range(self.n):
            self._restore(&self.rules[number], state[number])

    cdef _restore(self, fl_rule *rule, state):
        cdef fl_more more
        cdef uint32_t which
        for second, keys, *columns in state["open"]:
            for key, hits, base, *rest in zip(keys, *columns):
                which = self._number(key.encode("latin-1"))
                _set_more(rule, &more, rest)
                if not fl_rule_add(rule, &self.names, second, which, hits, base, &more):
                    raise MemoryError
        rule.has_closed, rule.closed = state["closed"] is not None, state["closed"] or 0
        rule.begun, rule.dropped = state["begun"], state["dropped"]
        for key, born, since, firing, due, seconds, *columns in state["keys"]:
            rule.tick += 2
            which = fl_rule_new(rule, self._number(key.encode("latin-1")), born, rule.tick)
            if which == FL_NONE:
                raise MemoryError
            for second, hits, base, *rest in zip(seconds, *columns):
                _set_more(rule, &more, rest)
                if not fl_rule_absorb(rule, which, second, hits, base, &more):
                    raise MemoryError
            rule.states[which].since = FL_NEVER if since is None else <int64_t>since
            rule.states[which].firing = firing
            if not fl_rule_queue(rule, which, FL_NEVER if due is None else <int64_t>due):
                raise MemoryError


def _when(row):
    number, transition = row
    return transition.at, number, transition.key


cdef _set(fl_rule *rule, plain):
    """What a rule wants, as whole numbers."""
    rule.window, rule.hold, rule.min_hits = plain.window, plain.hold, plain.min_hits
    rule.keyed, rule.above = plain.per is not None, plain.above is not None
    rule.bound, rule.most_kept = twin.LIVE_KEYS, twin.MOST_KEPT
    rule.percent = PERCENTILES.get(plain.measure, 0)
    rule.kind = _KINDS.get(plain.measure, FL_QUANTILE)
    rule.arrivals.bound, rule.arrivals.kind = rule.bound, rule.kind
    rule.parts = MICRO if rule.kind == FL_QUANTILE else plain.window if plain.measure == "rate" else 1
    if rule.kind == FL_SHARE:
        fires, fires_parts = as_written(plain.threshold)
        quiet, quiet_parts = as_written(plain.quiet)
        rule.small = 0 <= fires < 1 << 31 and fires_parts < 1 << 31
    else:
        fires, quiet = _limit(plain, plain.threshold, rule.parts), _limit(plain, plain.quiet, rule.parts)
        fires_parts = quiet_parts = 1
        rule.plain = rule.kind == FL_HITS and rule.above
        rule.enough = max(-1, min(fires, (1 << 63) - 1))
    _widen(&rule.fires, fires)
    _widen(&rule.quiet, quiet)
    _widen(&rule.fires_parts, fires_parts)
    _widen(&rule.quiet_parts, quiet_parts)


cdef _key_state(fl_rule *rule, fl_state *state):
    cdef size_t at
    seen = [at for at in range(state.first, state.end) if _is_seen(rule, &state.seen[at])]
    more = [_more_state(rule, state.more, at) for at in seen]
    return [
        state.born,
        None if state.since == FL_NEVER else state.since,
        bool(state.firing),
        None if state.due == FL_NEVER else state.due,
        [state.seen[at].second for at in seen],
        [state.seen[at].hits for at in seen],
        [state.seen[at].base for at in seen],
        *[[row[column] for row in more] for column in range(_columns(rule))],
    ]


cdef bint _is_seen(fl_rule *rule, fl_seen *seen) noexcept:
    """Whether hits are in a window that is still to be looked at."""
    return not rule.has_closed or seen.second > rule.closed - rule.window


cdef int _columns(fl_rule *rule):
    """Of what a rule keeps of each second, beside hits and base."""
    return 1 if rule.kind == FL_BYTES else 2 if rule.kind == FL_QUANTILE else 0


cdef list _more_state(fl_rule *rule, fl_more *more, size_t at):
    cdef size_t cell
    cdef fl_cells *cells
    if rule.kind == FL_BYTES:
        return [str(_whole(more[at].size))]
    if rule.kind != FL_QUANTILE:
        return []
    cells = more[at].cells
    if cells is NULL:
        return [[], []]
    return [[cells.at[cell] for cell in range(cells.n)], [cells.at[cells.n + cell] for cell in range(cells.n)]]


cdef int _set_more(fl_rule *rule, fl_more *more, list rest) except -1:
    cdef int64_t[::1] cells, counts
    more.cells = NULL
    if rule.kind == FL_BYTES:
        _widen(&more.size, int(rest[0]))
    elif rule.kind == FL_QUANTILE and rest[0]:
        cells, counts = array("q", rest[0]), array("q", rest[1])
        more.cells = fl_cells_of(&cells[0], &counts[0], len(cells))
        if more.cells is NULL:
            raise MemoryError
    return 0
