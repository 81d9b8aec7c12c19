# The compiled twin of RuleFold: part of native.pyx. What it promises is in rules.h.

from fastlog.model.narrow cimport fl_narrow, fl_narrow_put, fl_narrow_width

cdef extern from "block.h" nogil:
    ctypedef struct fl_sought:
        const uint8_t *text
        uint32_t length

    ctypedef struct fl_seen:
        uint32_t section, method
        unsigned status
        uint32_t target_length
        const uint8_t *target
        fl_sought host
        uint64_t size
        int64_t duration

    ctypedef struct fl_entries:
        size_t n
        fl_column sketched, sketch_cells, counts, key_ends
        const fl_narrow *columns
        const uint8_t *key_text
        size_t key_text_n

    ctypedef struct fl_outcomes:
        pass

    ctypedef struct fl_rules:
        fl_outcomes outcomes
        uint8_t has_hosts
        fl_column size_edges, duration_edges
        const fl_seen *seen
        int asks
        fl_entries entries

    enum: FL_MEASURED
    int FL_FIELDS, FL_ASKS_OUTCOME, FL_OF_SECTION, FL_OF_METHOD, FL_OF_STATUS, FL_OF_HOST, FL_OF_SIZE, FL_OF_DURATION
    int64_t FL_NO_DURATION
    fl_rules *fl_rules_new(uint64_t seed, size_t bound)
    void fl_rules_free(fl_rules *rules)
    void fl_rules_begin(fl_rules *rules, const fl_fold *fold)
    void fl_rules_end(fl_rules *rules, fl_fold *fold)
    void fl_measured_put(const fl_rules *rules, const fl_fold *fold, uint8_t *const *out)
    int fl_rules_count(fl_rules *rules, fl_fold *fold)
    int fl_rules_settle(fl_rules *rules, fl_fold *fold)
    void fl_outcomes_look(fl_outcomes *outcomes, int field, int looked_at)
    int fl_rules_add(fl_rules *rules, int kind, int sketched, int sized)
    void fl_rules_class(fl_rules *rules, unsigned class_number)
    void fl_rules_asked(const fl_rules *rules, uint16_t *classes)
    int fl_rules_outcome(fl_rules *rules)
    int fl_rules_step(fl_rules *rules, uint32_t rule, int counts)
    void fl_rules_forget(fl_rules *rules, fl_fold *fold)
    fl_seen *fl_see(fl_fold *fold, const fl_key *section, const fl_key *method, unsigned status, uint64_t size)
    int fl_push(fl_column *column, int64_t value)


cdef bytes _key_text(const fl_table *table, size_t place):
    cdef const fl_key *key = table.keys + place
    return (<const char *>table.arena + key.text)[:key.length]


cdef class _Rules:
    """The rules of a plan for one fold; what they make of a class or of classes is asked of ``fold``."""

    cdef fl_rules *made
    cdef object fold

    def __cinit__(self, fold, uint64_t seed, size_t bound):
        self.made = fl_rules_new(seed, bound)
        if self.made is NULL:
            raise MemoryError
        self.fold = fold
        self.made.has_hosts = "host" in fold.needs
        for place, looked_at in enumerate(fold.outcomes.looked_at):
            fl_outcomes_look(&self.made.outcomes, place, looked_at)
        for kind, sketched, sized in zip(fold.kinds, fold.sketched, fold.sized):
            if not fl_rules_add(self.made, kind, sketched, sized):
                raise MemoryError
        _fill(&self.made.size_edges, fold.outcomes.edges["bytes"])
        _fill(&self.made.duration_edges, fold.outcomes.edges["duration"])

    def __dealloc__(self):
        fl_rules_free(self.made)

    cdef look(self, fl_fold *sums):
        """Look at all hits that are gathered, whose texts end here."""
        while not fl_rules_settle(self.made, sums):
            self.answer(sums)

    cdef answer(self, fl_fold *sums):
        """Answer what is asked."""
        if self.fold.outcomes.full:
            self.fold.outcomes.clear()
            fl_rules_forget(self.made, sums)
        elif self.made.asks == FL_ASKS_OUTCOME:
            self._outcome()
        else:
            fl_rules_class(self.made, self.fold.outcomes.classes[self.made.asks].of(self._value(sums)))

    cdef _value(self, fl_fold *sums):
        """The value whose class is asked for."""
        cdef const fl_seen *seen = self.made.seen
        if self.made.asks == FL_OF_SECTION:
            return _key_text(&sums.sections, seen.section)
        if self.made.asks == FL_OF_METHOD:
            return _key_text(&sums.methods, seen.method)
        if self.made.asks == FL_OF_STATUS:
            return seen.status
        if self.made.asks == FL_OF_HOST:
            return <bytes>(<const char *>seen.host.text)[:seen.host.length]
        if self.made.asks == FL_OF_SIZE:
            return seen.size
        if self.made.asks == FL_OF_DURATION:
            return None if seen.duration == FL_NO_DURATION else seen.duration
        return <bytes>(<const char *>seen.target)[:seen.target_length]

    cdef _outcome(self):
        cdef uint16_t classes[8]
        fl_rules_asked(self.made, classes)
        found = self.fold.outcomes.of(tuple([max(classes[field], 1) - 1 for field in range(FL_FIELDS)]))
        if not fl_rules_outcome(self.made):
            raise MemoryError
        for rule, counts in found:
            if not fl_rules_step(self.made, rule, counts):
                raise MemoryError

    cdef odd(self, fl_fold *sums, const fl_key *section, const fl_key *method, hit, uint64_t size):
        """Look at a hit that the regex read, and the fold has counted."""
        cdef fl_seen *seen = fl_see(sums, section, method, int(hit.status), size)
        cdef bytes host = hit.host + bytes(16), target = hit.target + bytes(16)
        seen.host.text, seen.host.length = <const uint8_t *><const char *>host, <uint32_t>len(hit.host)
        seen.target, seen.target_length = <const uint8_t *><const char *>target, <uint32_t>len(hit.target)
        if hit.duration is not None:
            seen.duration = min(hit.duration, LONGEST_COMPARED)
        if not fl_rules_count(self.made, sums):
            self.answer(sums)
        self.look(sums)  # its texts end here

    cdef measured(self, fl_fold *sums):
        """The entries of a chunk, which the fold has ended. Raises MemoryError."""
        cdef fl_entries *made = &self.made.entries
        cdef uint8_t *out[FL_MEASURED]
        cdef const fl_narrow *narrow
        cdef int column
        cdef list columns = []
        fl_rules_end(self.made, sums)
        if sums.failed:
            raise MemoryError
        for column in range(FL_MEASURED):
            narrow = &made.columns[column]
            data = PyBytes_FromStringAndSize(NULL, narrow.n * narrow.width)
            out[column] = <uint8_t *>PyBytes_AS_STRING(data)
            columns.append(Narrow(narrow.n, narrow.width, narrow.least, data))
        fl_measured_put(self.made, sums, out)
        columns.append(_narrow(&made.sketched) if made.sketched.n else Narrow(made.n, 0, 0, b""))
        columns += [_narrow(&made.sketch_cells), _narrow(&made.counts), _narrow(&made.key_ends)]
        return Packed(columns, (<const char *>made.key_text)[:made.key_text_n])


cdef object _narrow(const fl_column *column):
    cdef int64_t least
    cdef int width = fl_narrow_width(column.at, column.n, &least)
    data = PyBytes_FromStringAndSize(NULL, column.n * width)
    fl_narrow_put(column.at, column.n, least, width, <uint8_t *>PyBytes_AS_STRING(data))
    return Narrow(column.n, width, least, data)


cdef _fill(fl_column *column, values):
    for value in values:
        if value > LONGEST_COMPARED:
            return  # no number is as great: it is in the interval before
        if not fl_push(column, value):
            raise MemoryError
