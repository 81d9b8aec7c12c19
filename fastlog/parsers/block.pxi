# What native.pyx takes of the headers: see block.h and json.h.

cdef extern from "json.h" nogil:
    ctypedef struct fl_column:
        int64_t *at
        size_t n

    ctypedef struct fl_key:
        size_t text
        uint32_t length
        uint32_t number
        uint64_t hits

    ctypedef struct fl_table:
        fl_key *keys
        uint8_t *arena
        fl_column order

    ctypedef struct fl_fold:
        void *rules
        int failed
        int64_t future
        int64_t *rejected
        int rejects_shown
        int64_t *status_hits
        fl_table sections
        fl_table methods
        fl_table pairs
        fl_column segment_rows, segment_panes_column, segment_hits_column
        fl_column segment_first, segment_least, segment_greatest
        fl_column seconds, hits
        fl_column pane_starts, pane_hits_column, pane_bytes_low, pane_bytes_high
        fl_column pane_sections, pane_methods, pane_statuses
        fl_column section_cells, section_cell_hits, method_cells, method_cell_hits
        int64_t *durations
        fl_column pane_durations
        fl_column status_cells, status_cell_hits, duration_cells, duration_cell_hits

    ctypedef struct fl_shape:
        int words
        int vhost
        int quoted
        int dash
        uint8_t tail
        int host

    ctypedef struct fl_stamp:
        int form
        int utc

    ctypedef struct fl_program:
        uint8_t tail
        uint8_t comment
        int plain
        int closed
        size_t quotes
        fl_stamp stamp

    ctypedef size_t (*fl_indexer)(const uint8_t *, size_t, uint32_t, uint32_t *)

    ctypedef struct fl_block:
        fl_indexer indexer
        int64_t lines
        fl_program *program

    ctypedef struct fl_json:
        uint8_t *first
        double unit
        int has_status
        fl_stamp iso, clf, other

    int FL_CLF, FL_ISO, FL_OTHER
    int FL_STATUSES
    int FL_REASONS
    int FL_CELLS
    int FL_PAIR_STATUS
    int FL_MOST_STAMP
    void fl_program_step(fl_program *program, const uint8_t *literal, uint32_t length, int kind, int role,
                         const uint8_t *stops, uint32_t n_stops, int behind, int after_text, int words,
                         uint32_t unit)
    void fl_stamp_learn(fl_stamp *stamp, const uint8_t *text, size_t length, int64_t second)
    fl_indexer fl_best_indexer(const char **name)
    int fl_fold_new(fl_fold *fold, int64_t lateness, int64_t pane, int wants_panes, int wants_pairs, uint64_t seed)
    void fl_fold_begin(fl_fold *fold, int64_t horizon)
    void fl_fold_end(fl_fold *fold)
    void fl_fold_free(fl_fold *fold)
    fl_key *fl_key_of(fl_table *table, const uint8_t *text, uint32_t length)
    void fl_hit(fl_fold *fold, int64_t second, fl_key *section, fl_key *method, unsigned status, uint64_t size)
    void fl_hit_duration(fl_fold *fold, int64_t duration)
    uint64_t fl_pair(const fl_fold *fold, const fl_key *pair)
    uint64_t fl_bytes_low(const fl_fold *fold)
    uint64_t fl_bytes_high(const fl_fold *fold)
    void fl_block_begin(fl_block *block, const uint8_t *data, size_t length)
    int fl_block_fold(fl_block *block, const fl_shape *shape, fl_fold *fold, size_t *start, size_t *stop)
    void fl_json_want(fl_json *json, int node, const uint8_t *text, uint32_t length, int slot, int child)
    void fl_json_learn(fl_json *json, const uint8_t *text, size_t length, int64_t second)
    int fl_json_fold(fl_block *block, fl_json *json, fl_fold *fold, size_t *start, size_t *stop)
    const uint8_t *fl_block_copy(fl_block *block, const uint8_t *data, size_t *length)
    size_t fl_block_safe(const uint8_t *data, size_t length)
    void fl_block_free(fl_block *block)
