/* Fuzzes the C fold: any bytes, in buffers of exactly their size, for every shape of line.
 *
 * An input is a head of HEAD bytes that chooses the plan, and a log in which ESCAPE, a byte
 * and a count stand for a long repetition of the byte. The log is folded plainly, as one block;
 * then by another fold whose circumstances are as awkward as the head says: cut into blocks,
 * a tiny index, another indexer, marks that go round, tables that are emptied, memory that runs
 * out. Whatever they are, all columns must be the same. See fold_checks.h for the rest.
 *
 * With clang this is a libFuzzer target (FUZZ_LIBFUZZER); else mutate.h has a main that
 * takes the same arguments and mutates blindly. `make fuzz` runs what there is.
 */
#include <stdio.h>
#include <stdlib.h>

static size_t window, most_keys;
static long memory_left, denied; /* allocations until memory runs out, and how often it has */

static int denies(void) {
    if (memory_left < 0 || memory_left-- > 0)
        return 0;
    memory_left = 0;
    denied++;
    return 1;
}

static void *scarce_realloc(void *at, size_t size) { return denies() ? NULL : realloc(at, size); }
static void *scarce_calloc(size_t n, size_t size) { return denies() ? NULL : calloc(n, size); }

#define FL_WINDOW window
#define FL_MOST_KEYS most_keys
#define FL_MOST_STAMPS 20 /* rows, and then they are counted from 1 again */
#define FL_TALLY_BITS 3 /* and few tallies, cells and hits in the order */
#define FL_MOST_ROWS 4
#define FL_ORDER 8
#define FL_CLASS_BITS 1
#define FL_MAP_BITS 9 /* too little for all classes that there may be */
#define FL_LINE_LIMIT 2000 /* bounds are small here: to be over them costs little */
#define realloc scarce_realloc
#define calloc scarce_calloc
#include "../../fastlog/parsers/json.h"
#undef realloc
#undef calloc

#include "fold_rules.h"
#include "mutate.h"

#define HEAD 10
#define ESCAPE 0x01
#define MOST_BYTES (32 * 1024)
#define NOON 1525867200 /* of 9 May 2018, the day of the tokens of mutate.h */

typedef struct {
    fl_shape shape;
    int json; /* lines are JSON, not of the shape */
    int panes, pairs, odd_hits, go_round;
    int rejects_shown;
    int rules; /* some look at the hits: 2, and each line is as others */
    fl_indexer indexer;
    int64_t lateness, pane, horizon;
    size_t window, most_keys;
    long memory;
    unsigned cuts[3]; /* in 256ths of the log */
} options;

static const fl_shape SHAPES[] = {
    {2, 0, 0, 0, ' ', 0},  {2, 0, 2, 0, ' ', 0},  {3, 1, 0, 0, ' ', 1},  {3, 1, 2, 0, ' ', 1},
    {2, 0, 0, 0, '\t', 0}, {2, 0, 2, 0, '\t', 0}, {3, 0, 0, 0, '\t', 1}, {3, 0, 2, 0, '\t', 1},
};

static options options_of(const uint8_t *head) {
    static const int64_t latenesses[] = {0, 1, 5, 60, 300, 5000}, panes[] = {1, 2, 5, 10, 60, 86400};
    static const int64_t horizons[] = {INT64_MAX, NOON, NOON + 1, NOON - 5, 0};
    options chosen = {
        .shape = SHAPES[head[0] % 4 + (head[0] >> 7) * 4],
        .json = head[1] >= 192,
        .rules = (head[3] >= 128) + (head[3] >= 192),
        .panes = head[0] >> 2 & 1,
        .pairs = head[0] >> 6 & 1,
        .odd_hits = head[0] >> 3 & 1,
        .go_round = head[0] >> 4 & 1,
        .indexer = head[0] >> 5 & 1 ? fl_index_plain : slower_indexer(),
        .rejects_shown = head[2] >> 6 & 3, /* 3 as 2 */
        .lateness = latenesses[head[1] % 6],
        .pane = panes[head[2] % 6],
        .horizon = horizons[head[3] % 5],
        .window = head[4] ? head[4] : 16 * 1024,
        .most_keys = head[5] ? head[5] : 1 << 16,
        .memory = (long)head[6] - 1,
        .cuts = {head[7], head[8], head[9]},
    };
    return chosen;
}

/* The log that an input stands for; `*size` becomes its length. */
static uint8_t *expanded(const uint8_t *input, size_t *size) {
    static uint8_t log[MOST_BYTES]; /* no fold reads it: each gets copies */
    size_t n = 0;
    for (size_t i = 0; i < *size && n < MOST_BYTES; i++) {
        if (input[i] != ESCAPE || i + 2 >= *size) {
            log[n++] = input[i];
            continue;
        }
        size_t times = (size_t)input[i + 2] * input[i + 2] / 16; /* up to 4,064: over the limit of a line */
        times = times < MOST_BYTES - n ? times : MOST_BYTES - n;
        memset(log + n, input[i + 1], times);
        n += times;
        i += 2;
    }
    *size = n;
    return log;
}

/* A line that is not certain. As in native.pyx where the regex accepts it, as some are here. */
static void odd_line(subject *s, const uint8_t *line, size_t length) {
    uint8_t section[64] = "/", method[64] = "";
    if (!s->odd_hits || length < 2 || line[0] % 2) {
        s->odd++;
        return;
    }
    size_t n = length < 40 ? length : 40;
    memcpy(section + 1, line, n);
    memcpy(method, line, 2);
    fl_key *section_key = fl_key_of(&s->fold.sections, section, (uint32_t)n + 1);
    fl_key *method_key = fl_key_of(&s->fold.methods, method, 2);
    if (!section_key || !method_key) {
        s->fold.failed = 1;
        return;
    }
    fl_hit(&s->fold, NOON + (int8_t)line[1], section_key, method_key, line[0], length);
    if (!s->fold.rules)
        return;
    fl_seen *seen = fl_see(&s->fold, section_key, method_key, line[0], length);
    seen->host.text = method;
    seen->host.length = 2;
    seen->target = section;
    seen->target_length = (uint32_t)n + 1;
    seen->duration = (int8_t)line[1];
    (void)fl_rules_count(s->fold.rules, &s->fold);
    look(&s->fold); /* its texts end here */
}

static void fold_lines(subject *s, const uint8_t *data, size_t length) {
    size_t start, stop;
    fl_block_begin(&s->block, data, length);
    while (s->has_keys ? fl_json_fold(&s->block, &s->json, &s->fold, &start, &stop)
                       : fl_block_fold(&s->block, &s->shape, &s->fold, &start, &stop)) {
        check(start <= stop && stop < length && data[stop] == '\n', "an odd line ends at a newline");
        check(!start || data[start - 1] == '\n', "an odd line begins behind a newline");
        check(!memchr(data + start, '\n', stop - start), "an odd line is one line");
        if (s->fold.rules && s->fold.rules->asks >= 0)
            look(&s->fold); /* the line is counted, and goes on where it ends */
        else
            odd_line(s, data + start, stop - start);
    }
    if (s->fold.rules)
        look(&s->fold);
    check(s->fold.failed || s->block.line == length, "every line is taken up");
}

/* A block in a buffer of its size: its whole lines in place, its end from a copy of its size and FL_PAD. */
static void feed(subject *s, const uint8_t *bytes, size_t length) {
    if (!length)
        return;
    uint8_t *data = (uint8_t *)malloc(length);
    memcpy(data, bytes, length);
    size_t safe = fl_block_safe(data, length);
    if (safe)
        fold_lines(s, data, safe);
    if (safe < length) {
        size_t rest = length - safe;
        const uint8_t *copy = fl_block_copy(&s->block, data + safe, &rest);
        uint8_t *exact = (uint8_t *)malloc(rest + FL_PAD);
        if (copy) {
            memcpy(exact, copy, rest + FL_PAD);
            fold_lines(s, exact, rest);
        } else {
            s->fold.failed = 1;
        }
        free(exact);
    }
    free(data);
}

/* Fold the log as one chunk, in blocks of whole lines that end behind the cuts. */
static void fold_chunk(subject *s, const uint8_t *log, size_t length, const unsigned *cuts, size_t n) {
    size_t from = 0;
    s->block.lines = 0;
    s->odd = 0;
    fl_fold_begin(&s->fold, s->horizon);
    s->fold.rejects_shown = s->rejects_shown;
    free_measured(&s->fold);
    if (s->fold.rules)
        fl_rules_begin(s->fold.rules, &s->fold);
    for (size_t i = 0; i < n; i++) {
        size_t at = length * cuts[i] / 256;
        const uint8_t *newline = at > from ? (const uint8_t *)memchr(log + at, '\n', length - at) : NULL;
        if (newline) {
            feed(s, log + from, (size_t)(newline + 1 - log) - from);
            from = (size_t)(newline + 1 - log);
        }
    }
    feed(s, log + from, length - from);
    fl_fold_end(&s->fold);
    for (int reason = 0; reason < FL_REASONS; reason++)
        s->odd += s->fold.rejected[reason];
    if (s->fold.rules && !s->fold.failed)
        fl_rules_end(s->fold.rules, &s->fold);
    if (s->fold.rules && !s->fold.failed)
        put_measured(&s->fold);
}

/* The keys t=time, r=request, m=method, n.u=target, s=status, n.z=size, d=duration, h=host. */
static void want_keys(fl_json *json) {
    static const uint8_t names[][18] = {"t", "r", "m", "u", "s", "z", "d", "h", "n"};
    for (int role = 0; role < FL_J_ROLES; role++) {
        json->first[role] = (uint8_t)role;
        fl_json_want(json, role == FL_J_TARGET || role == FL_J_SIZE, names[role], 1, role, 0);
    }
    fl_json_want(json, 0, names[FL_J_ROLES], 1, 0, 1);
    json->first[FL_J_ROLES] = FL_J_ROLES;
    json->unit = 1e6;
    json->has_status = 1;
    json->iso.form = FL_ISO;
    json->clf.form = FL_CLF;
    json->other.form = FL_OTHER;
    json->iso.utc = 1;
}

static void begin(subject *s, const options *chosen, uint64_t seed) {
    memset(s, 0, sizeof *s);
    s->shape = chosen->shape;
    s->has_keys = chosen->json;
    want_keys(&s->json);
    s->odd_hits = chosen->odd_hits;
    s->rejects_shown = chosen->rejects_shown;
    s->horizon = chosen->horizon;
    int made = fl_fold_new(&s->fold, chosen->lateness, chosen->pane, chosen->panes, chosen->pairs, seed);
    check(made, "a fold is made");
    if (chosen->rules)
        add_rules(&s->fold, seed, chosen->rules == 2);
}

static void end(subject *s) {
    free_measured(&s->fold);
    fl_rules_free(s->fold.rules);
    fl_fold_free(&s->fold);
    fl_block_free(&s->block);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
    static const char *name;
    if (size < HEAD)
        return 0;
    options chosen = options_of(input);
    size -= HEAD;
    uint8_t *log = expanded(input + HEAD, &size);
    check_indexers(log, size);

    subject plain, awkward;
    window = 16 * 1024;
    most_keys = 1 << 16;
    memory_left = -1;
    begin(&plain, &chosen, 0x13198a2e03707344u);
    plain.block.indexer = fl_best_indexer(&name);
    fold_chunk(&plain, log, size, NULL, 0);
    check_chunk(&plain, log, size);
    check_rules(&plain.fold, plain.block.lines - plain.odd);

    window = chosen.window;
    most_keys = chosen.most_keys;
    begin(&awkward, &chosen, 0x243f6a8885a308d3u);
    awkward.block.indexer = chosen.indexer;
    if (chosen.go_round) {
        fl_table *tables[] = {&awkward.fold.sections, &awkward.fold.methods, &awkward.fold.pairs};
        for (int i = 0; i < 3; i++)
            tables[i]->chunk = tables[i]->pane = UINT32_MAX - 1;
    }
    for (int chunk = 0; chunk < 3; chunk++) {
        memory_left = chunk ? -1 : chosen.memory;
        denied = 0;
        fold_chunk(&awkward, log, size, chosen.cuts, 3);
        check(awkward.fold.failed == (denied > 0), "a chunk fails exactly where memory has run out");
        if (!awkward.fold.failed) {
            check_chunk(&awkward, log, size);
            check_same(&plain, &awkward);
            check_rules(&awkward.fold, awkward.block.lines - awkward.odd);
            check_same_rules(&plain.fold, &awkward.fold);
        }
    }
    end(&awkward);
    end(&plain);
    return 0;
}
