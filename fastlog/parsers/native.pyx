# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""The compiled twin of the regex parser. What it promises is in native.pyi, how it folds in the headers."""

import os

from cpython.array cimport array, clone
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stddef cimport size_t
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fastlog.model.measured import Packed
from fastlog.model.narrow import Narrow
from fastlog.model.partial import REASONS, Partial
from fastlog.model.sketch import LONGEST
from fastlog.parsers.hits import LONGEST_COMPARED
from fastlog.parsers.program import program_of
from fastlog.parsers.regex import RegexParser
from fastlog.parsers.rejects import is_kept, reject


include "block.pxi"

cdef const char *_simd
cdef fl_indexer _indexer = fl_best_indexer(&_simd)
SIMD = _simd.decode()
_REMEMBERED = 1 << 16

cdef array _LONGS = array("q")


cdef array _column(const fl_column *column):
    cdef array copy = clone(_LONGS, column.n, zero=False)
    if column.n:
        memcpy(copy.data.as_longlongs, column.at, column.n * sizeof(int64_t))
    return copy


cdef tuple _keys(const fl_table *table):
    """The keys of the chunk by number, and their hits."""
    cdef size_t i
    cdef const fl_key *key
    cdef list names = []
    cdef array hits = clone(_LONGS, table.order.n, zero=False)
    for i in range(table.order.n):
        key = table.keys + table.order.at[i]
        names.append((<const char *>table.arena + key.text)[:key.length])
        hits.data.as_longlongs[i] = <int64_t>key.hits
    return names, hits


include "rules.pxi"


cdef class NativeParser:
    """Folds chunks of one format into partials."""

    name = "native"

    cdef fl_fold sums
    cdef fl_block block
    cdef fl_shape shape
    cdef fl_program program
    cdef fl_json json
    cdef object ops  # the program's literals lie in them
    cdef bint has_keys
    cdef object definition
    cdef object plan
    cdef _Rules rules  # None where the plan has none
    cdef list rejected
    cdef list rejects
    cdef readonly int64_t odd

    def __cinit__(self, log_format, plan, *, under=None, remembered=_REMEMBERED):
        cdef uint64_t seed = int.from_bytes(os.urandom(8), "little")
        self.block.indexer = _indexer
        if not fl_fold_new(&self.sums, plan.lateness, plan.pane, plan.cells, plan.pairs, seed):
            raise MemoryError

    def __init__(self, log_format, plan, *, under=None, remembered=_REMEMBERED):
        self.odd = 0
        self.plan = plan
        self.has_keys = log_format.keys is not None
        rules = None
        if self.has_keys:
            from fastlog.parsers.json_lines import JsonParser
            from fastlog.parsers.keys_program import key_program

            self.definition = JsonParser(log_format, plan)
            rules = self.definition.rules
            program = key_program(log_format.keys, rules.needs if rules is not None else ())
        else:
            self.definition = RegexParser(log_format, plan)
            rules = self.definition.rules
            program = program_of(under or log_format, rules.needs if rules is not None else ())
        if program is None:
            raise ValueError(log_format.name)
        if rules is not None:
            self.rules = _Rules(rules, int.from_bytes(os.urandom(8), "little"), remembered)
            self.sums.rules = self.rules.made
        if self.has_keys:
            self._compile_keys(program)
        elif program.shape is not None:
            self._shape(program.shape)
        else:
            self._compile(program)
            self.program.stamp.utc = plan.log_tz == "UTC"
            self.block.program = &self.program

    cdef _shape(self, shape):
        self.shape.words, self.shape.vhost, self.shape.quoted, self.shape.dash = shape[:4]
        self.shape.tail, self.shape.host = shape.tail, shape.host

    cdef _compile_keys(self, program):
        cdef int role
        self.ops = program.keys
        self.json.unit = program.unit
        self.json.has_status = program.has_status
        self.json.iso.form, self.json.clf.form, self.json.other.form = FL_ISO, FL_CLF, FL_OTHER
        self.json.iso.utc = self.plan.log_tz == "UTC"
        for role, slot in enumerate(program.first):
            self.json.first[role] = slot
        for key in program.keys:
            fl_json_want(
                &self.json, key.node, <const uint8_t *><const char *>(<bytes>key.text), <uint32_t>len(key.text),
                key.slot, key.child,
            )

    cdef _compile(self, program):
        cdef const uint8_t *literal
        cdef const uint8_t *stops
        self.ops = program.ops
        self.program.tail = program.tail
        self.program.plain = program.plain
        self.program.closed = program.closed
        self.program.comment = program.comment
        self.program.quotes = program.quotes
        self.program.stamp.form = program.stamp
        for op in program.ops:
            literal = <const uint8_t *><const char *>(<bytes>op.literal)
            stops = <const uint8_t *><const char *>(<bytes>op.stops)
            fl_program_step(
                &self.program, literal, <uint32_t>len(op.literal), op.kind, op.role, stops,
                <uint32_t>len(op.stops), op.behind, op.after_text, op.words, op.unit,
            )

    def __dealloc__(self):
        fl_fold_free(&self.sums)
        fl_block_free(&self.block)

    def fold(self, blocks, horizon):
        self._begin(INT64_MAX if horizon is None else horizon)
        for start, data in blocks:
            self._feed(data, start)
        return self._end()

    cdef _begin(self, int64_t horizon):
        fl_fold_begin(&self.sums, horizon)
        if self.rules is not None:
            fl_rules_begin(self.rules.made, &self.sums)
        self.block.lines = 0
        self.rejected = [0] * len(REASONS)
        self.rejects = []
        self._show_rejects()

    cdef _feed(self, const uint8_t[::1] data, uint64_t start):
        cdef size_t length = <size_t>data.shape[0], safe
        cdef const uint8_t *rest
        if not length:
            return
        safe = fl_block_safe(&data[0], length)
        if safe:
            self._fold(&data[0], safe, start)
        if safe < length:
            length -= safe
            rest = fl_block_copy(&self.block, &data[0] + safe, &length)
            if rest is NULL:
                raise MemoryError
            self._fold(rest, length, start + safe)

    cdef _fold(self, const uint8_t *data, size_t length, uint64_t start):
        cdef size_t line = 0, stop = 0
        cdef int odd
        fl_block_begin(&self.block, data, length)
        while True:
            with nogil:
                if self.has_keys:
                    odd = fl_json_fold(&self.block, &self.json, &self.sums, &line, &stop)
                else:
                    odd = fl_block_fold(&self.block, &self.shape, &self.sums, &line, &stop)
            if not odd:
                break
            if self.rules is not None and self.rules.made.asks >= 0:
                self.rules.answer(&self.sums)
                self.rules.look(&self.sums)
                continue
            self._odd_line((<const char *>data)[line:stop], start + line)
        if self.rules is not None:
            self.rules.look(&self.sums)
        if self.sums.failed:
            raise MemoryError

    cdef _odd_line(self, bytes line, uint64_t offset):
        self.odd += 1
        hit = self.definition.parse(line)
        if isinstance(hit, str):
            self.rejected[REASONS.index(hit)] += 1
            if is_kept(hit, len(self.rejects), self.plan):
                self.rejects.append(reject(self.definition, offset, hit, line, self.plan))
            self._show_rejects()
            return
        cdef bytes method, section
        method, section = hit.request.split(b" ", 1)
        cdef fl_key *section_key = self._key(&self.sums.sections, section)
        cdef fl_key *method_key = self._key(&self.sums.methods, method)
        cdef uint64_t size = 0 if hit.size == b"-" else int(hit.size)
        cdef int64_t second = self.definition.second(line, hit)
        if self.has_keys or self.block.program is not NULL:
            self._learn(hit.stamp, second)
        fl_hit(&self.sums, second, section_key, method_key, int(hit.status), size)
        if hit.duration is not None:
            fl_hit_duration(&self.sums, min(hit.duration, LONGEST))
        if self.rules is not None:
            self.rules.odd(&self.sums, section_key, method_key, hit, size)

    cdef _show_rejects(self):
        """Which of the next rejected lines are still to be shown, and not only counted."""
        cdef size_t kept = len(self.rejects)
        self.sums.rejects_shown = is_kept("format", kept, self.plan) + is_kept("blank", kept, self.plan)

    cdef _learn(self, bytes stamp, int64_t second):
        cdef bytes padded = stamp + bytes(FL_MOST_STAMP)
        cdef const uint8_t *text = <const uint8_t *><const char *>padded
        if not self.has_keys:
            fl_stamp_learn(&self.program.stamp, text, len(stamp), second)
        elif b":" in stamp:  # what a number is spelled like is not known
            fl_json_learn(&self.json, text, len(stamp), second)

    cdef fl_key *_key(self, fl_table *table, bytes text) except NULL:
        cdef bytes padded = text + bytes(16)
        cdef fl_key *key = fl_key_of(table, <const uint8_t *><const char *>padded, <uint32_t>len(text))
        if key is NULL:
            raise MemoryError
        return key

    cdef _end(self):
        cdef int status, cell, reason
        fl_fold_end(&self.sums)
        if self.sums.failed:
            raise MemoryError
        for reason in range(FL_REASONS):
            self.rejected[reason] += self.sums.rejected[reason]
        partial = Partial(lines=self.block.lines, rejected=self.rejected, rejects=self.rejects)
        partial.future = self.sums.future
        partial.total_bytes = (int(fl_bytes_high(&self.sums)) << 64) + fl_bytes_low(&self.sums)
        partial.sections, partial.section_hits = _keys(&self.sums.sections)
        partial.methods, partial.method_hits = _keys(&self.sums.methods)
        for status in range(FL_STATUSES):
            if self.sums.status_hits[status]:
                partial.statuses.append(status)
                partial.status_hits.append(self.sums.status_hits[status])
        for cell in range(FL_CELLS):
            if self.sums.durations[cell]:
                partial.durations.append(cell)
                partial.duration_hits.append(self.sums.durations[cell])
        self._pairs(partial)
        if self.rules is not None:
            partial.measured = self.rules.measured(&self.sums)
        partial.segment_rows = _column(&self.sums.segment_rows)
        partial.segment_panes = _column(&self.sums.segment_panes_column)
        partial.segment_hits = _column(&self.sums.segment_hits_column)
        partial.segment_first = _column(&self.sums.segment_first)
        partial.segment_least = _column(&self.sums.segment_least)
        partial.segment_greatest = _column(&self.sums.segment_greatest)
        partial.seconds = _column(&self.sums.seconds)
        partial.hits = _column(&self.sums.hits)
        partial.pane_starts = _column(&self.sums.pane_starts)
        partial.pane_hits = _column(&self.sums.pane_hits_column)
        partial.pane_bytes = _column(&self.sums.pane_bytes_low)
        partial.pane_bytes_high = _column(&self.sums.pane_bytes_high)
        partial.pane_sections = _column(&self.sums.pane_sections)
        partial.pane_methods = _column(&self.sums.pane_methods)
        partial.pane_statuses = _column(&self.sums.pane_statuses)
        partial.section_cells = _column(&self.sums.section_cells)
        partial.section_cell_hits = _column(&self.sums.section_cell_hits)
        partial.method_cells = _column(&self.sums.method_cells)
        partial.method_cell_hits = _column(&self.sums.method_cell_hits)
        partial.status_cells = _column(&self.sums.status_cells)
        partial.status_cell_hits = _column(&self.sums.status_cell_hits)
        partial.pane_durations = _column(&self.sums.pane_durations)
        partial.duration_cells = _column(&self.sums.duration_cells)
        partial.duration_cell_hits = _column(&self.sums.duration_cell_hits)
        return partial

    cdef _pairs(self, partial):
        cdef size_t i
        cdef uint64_t number
        cdef const fl_key *pair
        for i in range(self.sums.pairs.order.n):
            pair = self.sums.pairs.keys + self.sums.pairs.order.at[i]
            number = fl_pair(&self.sums, pair)
            partial.pair_sections.append(self.sums.sections.keys[number // FL_PAIR_STATUS].number)
            partial.pair_statuses.append(number % FL_PAIR_STATUS)
            partial.pair_hits.append(pair.hits)
