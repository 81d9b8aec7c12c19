# The rows of a printed table in their order, by hits and then by name: part of native.pyx.

cdef struct Row:
    int64_t hits
    const char *name
    Py_ssize_t length
    uint32_t key

cdef enum:
    _FEW_ROWS = 32

cdef int _RANK_BITS = 16
cdef int64_t _HITS_RANKED = <int64_t>1 << 47  # fewer, and a rank, fit one number
cdef list _STATUS = [f"{status:03d}" for status in range(1000)]


cdef int _by_hits_then_name(const void *left, const void *right) noexcept nogil:
    cdef const Row *a = <const Row *>left
    cdef const Row *b = <const Row *>right
    cdef int order
    if a.hits != b.hits:
        return -1 if a.hits > b.hits else 1
    order = memcmp(a.name, b.name, min(a.length, b.length))
    return order if order else (a.length > b.length) - (a.length < b.length)


cdef int _add_rows(_Columns windows, int table, const fl_tally *tally, _Names names) except -1:
    """The rows of a table in their order; ``names`` is None of statuses, which sort as their numbers do."""
    cdef fl_longs *keys = &windows.keys[table]
    cdef fl_longs *counts = &windows.counts[table]
    cdef size_t n
    if names is not None and (tally.other or names.is_odd(tally)):
        return _add_united(windows, table, tally, names)
    if not (fl_longs_reserve(keys, tally.n) and fl_longs_reserve(counts, tally.n)):
        raise MemoryError
    n = 0
    if tally.n <= _FEW_ROWS and (names is None or names.n_ranks):
        n = _rank_rows(tally, names, keys.at + keys.n, counts.at + counts.n)
    if not n:
        n = _sort_rows(tally, _STATUS if names is None else names.texts, keys.at + keys.n, counts.at + counts.n)
    keys.n += n
    counts.n += n
    return _push(&windows.rows[table], n)


cdef size_t _rank_rows(const fl_tally *tally, _Names names, int64_t *keys, int64_t *counts) noexcept:
    """The rows of a short table, how many; 0 where some hits are too many for it.

    Each row's place is how many come before it: no branch that cannot be foreseen.
    """
    cdef uint64_t rows[_FEW_ROWS]
    cdef size_t at, other, place, n = 0
    cdef uint64_t rank
    for at in range(tally.n):
        if tally.hits[at]:
            if not 0 < tally.hits[at] < _HITS_RANKED:
                return 0
            rank = tally.keys[at] if names is None else names.ranks[tally.keys[at]]
            rows[n] = <uint64_t>(_HITS_RANKED - tally.hits[at]) << _RANK_BITS | rank
            n += 1
    for at in range(n):
        place = 0
        for other in range(n):
            place += rows[other] < rows[at]
        rank = rows[at] & ((<uint64_t>1 << _RANK_BITS) - 1)
        keys[place] = <int64_t>rank if names is None else names.by_rank[rank]
        counts[place] = _HITS_RANKED - <int64_t>(rows[at] >> _RANK_BITS)
    return n


cdef size_t _sort_rows(const fl_tally *tally, list texts, int64_t *keys, int64_t *counts) except? 0:
    """The rows of any table, how many."""
    cdef size_t at, n = 0
    cdef Row few[64]
    cdef Row *rows = few
    if tally.n > 64:
        rows = <Row *>malloc(tally.n * sizeof(Row))
        if rows is NULL:
            raise MemoryError
    try:
        for at in range(tally.n):
            if tally.hits[at]:
                rows[n].hits = tally.hits[at]
                rows[n].key = tally.keys[at]
                rows[n].name = PyUnicode_AsUTF8AndSize(texts[tally.keys[at]], &rows[n].length)
                n += 1
        _sort(rows, n)
        for at in range(n):
            keys[at], counts[at] = rows[at].key, rows[at].hits
        return n
    finally:
        if rows != few:
            free(rows)


cdef void _sort(Row *rows, size_t n) noexcept:
    """Most tables are short, and an insertion sort of those is the quickest."""
    cdef size_t at, to
    cdef Row row
    if n > 24:
        qsort(rows, n, sizeof(Row), _by_hits_then_name)
        return
    for at in range(1, n):
        row = rows[at]
        to = at
        while to > 0 and _by_hits_then_name(&row, &rows[to - 1]) < 0:
            rows[to] = rows[to - 1]
            to -= 1
        rows[to] = row


cdef int _add_united(_Columns windows, int table, const fl_tally *tally, _Names names) except -1:
    """The rows of a table of which some keys print alike, or have no name of their own."""
    cdef size_t at
    pairs = [(names.texts[tally.keys[at]], tally.hits[at]) for at in range(tally.n) if tally.hits[at]]
    table_of_pairs = ranked(pairs, tally.other)
    for text, hits in table_of_pairs.items():
        _push(&windows.keys[table], names.number_of_text(text))
        _push(&windows.counts[table], hits)
    return _push(&windows.rows[table], len(table_of_pairs))
