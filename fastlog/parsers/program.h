/* The field program of a format: its steps, and where a field of each kind ends. See walk.h.
 *
 * Made by program.py, which says what is refused beforehand. Past 300 lines, since a step, the
 * choice of what is quicker for it and the end of its field are read side by side.
 */
#ifndef FASTLOG_PROGRAM_H
#define FASTLOG_PROGRAM_H

#include "stamp.h"

#define FL_STEPS 96 /* MOST_STEPS of program.py */

/* KINDS and ROLES of program.py; behind FL_END what is quicker for some steps of a kind: see fl_usual */
enum {
    FL_WORD, FL_NAME, FL_LIST, FL_UNTIL, FL_TEXT, FL_QUOTED, FL_BRACKETED, FL_DIGITS, FL_STATUS, FL_DECIMAL,
    FL_PADDED, FL_QUERY, FL_MARK, FL_STAMP_STEP, FL_END,
    FL_WORDS_STEP, FL_TAIL_WORD, FL_TAIL_SPELLED, FL_UNTIL_ONE, FL_UNTIL_TWO, FL_HIT_STATUS, FL_HIT_SIZE,
    FL_TIMED_DIGITS, FL_TIMED, FL_TIMED_PADDED, FL_TAIL_NUMBER, FL_TAIL_SIZE, FL_TAIL_TIMED,
    FL_CLF_STEP, FL_LOCAL_STEP, FL_ISO_STEP, FL_SECONDS_STEP, FL_DATE_STEP, FL_CLOCK_STEP, FL_RARE
};
enum { FL_SKIP, FL_REQUEST, FL_METHOD, FL_TARGET, FL_STATUS_ROLE, FL_SIZE_ROLE, FL_DURATION, FL_HOST_ROLE };

typedef struct {
    const uint8_t *literal;
    uint64_t word, mask; /* its first eight bytes */
    uint32_t length;
    uint8_t kind, role;
    uint8_t jump; /* the kind, or what is quicker */
    uint8_t usual; /* what `jump` is but for what is rare before the field */
    uint8_t stops[4]; /* the last one repeated */
    uint8_t wide[4][16]; /* each of them 16 times */
    int behind, after_text, words; /* see Op of program.py */
    uint32_t unit;                 /* of a duration, in microseconds */
    unsigned decimals;             /* of a number in that unit that are no finer than a microsecond */
} fl_step;

typedef struct {
    fl_step steps[FL_STEPS];
    int n;
    uint8_t tail;
    uint8_t wide[16]; /* the tail, in one load */
    uint8_t comment; /* what no line of a hit begins with */
    int plain;     /* a quoted field holds no escapes */
    int closed;    /* the line ends behind the last step */
    int dated;     /* a stamp is among the steps */
    size_t quotes; /* of a usual line */
    fl_stamp stamp;
} fl_program;

/* What is quicker than a step's kind, for this step. */
static inline uint8_t fl_usual(const fl_program *program, const fl_step *step) {
    static const uint8_t stamps[] = {FL_CLF_STEP,   FL_LOCAL_STEP, FL_ISO_STEP,  FL_SECONDS_STEP,
                                     FL_STAMP_STEP, FL_STAMP_STEP, FL_DATE_STEP, FL_STAMP_STEP};
    const uint8_t *stops = step->stops;
    int one = stops[0] == stops[3], tail = one && stops[0] == program->tail;
    switch (step->kind) {
    case FL_WORD:
        return !tail ? FL_WORD : step->words > 1 ? FL_WORDS_STEP : FL_TAIL_WORD;
    case FL_NAME: case FL_LIST:
        return tail ? FL_TAIL_SPELLED : step->kind;
    case FL_UNTIL: case FL_BRACKETED:
        return one ? FL_UNTIL_ONE : stops[1] == stops[3] ? FL_UNTIL_TWO : FL_UNTIL;
    case FL_STATUS:
        return step->role == FL_STATUS_ROLE ? FL_HIT_STATUS : FL_STATUS;
    case FL_DIGITS:
        return step->role == FL_SIZE_ROLE ? FL_HIT_SIZE : step->role == FL_DURATION ? FL_TIMED_DIGITS : FL_DIGITS;
    case FL_DECIMAL:
        return step->role == FL_DURATION ? FL_TIMED : FL_DECIMAL;
    case FL_PADDED:
        return step->role == FL_DURATION ? FL_TIMED_PADDED : FL_PADDED;
    case FL_STAMP_STEP:
        /* The clock is the second of two steps. */
        return stamps[program->stamp.form] + (program->stamp.form == FL_DATE && program->dated);
    }
    return step->kind;
}

/* Whether the field of a step may begin with a space or a tab, if nothing looks. */
static inline int fl_may_begin_blank(const fl_program *program, const fl_step *step) {
    switch (step->kind) {
    case FL_PADDED: case FL_QUOTED: case FL_END: case FL_DIGITS: case FL_STATUS: case FL_DECIMAL:
        return 0;
    case FL_STAMP_STEP:
        return program->stamp.form == FL_OTHER; /* the others begin with a digit */
    }
    return 1;
}

/* What is quicker for a number that ends at a tail, or with the line. */
static inline void fl_before_tail(fl_step *step) {
    uint8_t usual = step->usual;
    step->usual = usual == FL_DIGITS || usual == FL_DECIMAL ? FL_TAIL_NUMBER
                  : usual == FL_HIT_SIZE                      ? FL_TAIL_SIZE
                  : usual == FL_TIMED                         ? FL_TAIL_TIMED
                                                              : usual;
    if (step->jump == usual)
        step->jump = step->usual;
}

static inline void fl_program_step(fl_program *program, const uint8_t *literal, uint32_t length, int kind, int role,
                                   const uint8_t *stops, uint32_t n_stops, int behind, int after_text, int words,
                                   uint32_t unit) {
    fl_step *step = program->steps + program->n++;
    uint8_t first[8] = {0};
    memcpy(first, literal, length < 8 ? length : 8);
    step->literal = literal;
    step->length = length;
    step->word = fl_load64(first);
    step->mask = length >= 8 ? FL_ALL : ~(FL_ALL << (8 * length));
    step->kind = (uint8_t)kind;
    step->role = (uint8_t)role;
    for (uint32_t i = 0; i < 4; i++) {
        step->stops[i] = n_stops ? stops[i < n_stops ? i : n_stops - 1] : '\n';
        memset(step->wide[i], step->stops[i], sizeof step->wide[i]);
    }
    step->behind = behind;
    step->after_text = after_text && fl_may_begin_blank(program, step);
    step->words = words;
    step->usual = fl_usual(program, step);
    step->jump = length > 8 || step->after_text ? FL_RARE : step->usual;
    step->unit = unit;
    step->decimals = unit == 1000000 ? 6 : unit == 1000 ? 3 : 0;
    program->dated |= kind == FL_STAMP_STEP;
    memset(program->wide, program->tail, sizeof program->wide);
    if (program->n > 1 && (length ? *literal == program->tail : kind == FL_END))
        fl_before_tail(step - 1);
}

/* A bit for each of 64 bytes that is the byte which stands 16 times at `wide`. */
static inline uint64_t fl_mask64(const uint8_t *p, const uint8_t *wide) {
    uint64_t mask = 0;
#ifdef FL_X86
    const __m128i wanted = _mm_loadu_si128((const __m128i *)wide);
    for (int part = 0; part < 4; part++) {
        __m128i bytes = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(p + 16 * part)), wanted);
        mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(bytes) << (16 * part);
    }
#else
    for (int i = 0; i < 64; i++)
        mask |= (uint64_t)(p[i] == *wide) << i;
#endif
    return mask;
}

/* Where tails are (spaces, or tabs) from `base` on: a bit for each of 64 bytes, and one for the line's
 * end if it is among them. What is behind the end has none. */
typedef struct {
    const uint8_t *base;
    uint64_t mask;
} fl_tails;

static inline fl_tails fl_tails_at(const uint8_t *p, const uint8_t *end, const uint8_t *wide) {
    size_t left = (size_t)(end - p);
    uint64_t bit = left < 64 ? (uint64_t)1 << left : 0;
    return (fl_tails){p, (fl_mask64(p, wide) & (bit - 1)) | bit};
}

/* The bits of `tails` from `p` on. */
static inline uint64_t fl_tails_from(const fl_tails *tails, const uint8_t *p) {
    size_t offset = (size_t)(p - tails->base);
    return offset < 64 ? tails->mask >> offset : 0;
}

/* Where a word ends that goes on past the tails known. */
static const uint8_t *fl_far_word(fl_tails *tails, const uint8_t *p, const uint8_t *end, const uint8_t *wide) {
    for (;; p += 64) {
        *tails = fl_tails_at(p, end, wide);
        if (tails->mask)
            return p + __builtin_ctzll(tails->mask);
    }
}

/* Where the word that begins at `p` ends: at a tail, or the end of the line. */
static inline const uint8_t *fl_tail_word(fl_tails *tails, const uint8_t *p, const uint8_t *end, const uint8_t *wide) {
    uint64_t mask = fl_tails_from(tails, p);
    return mask ? p + __builtin_ctzll(mask) : fl_far_word(tails, p, end, wide);
}

/* As fl_words, one after the other. */
static const uint8_t *fl_many_words(fl_tails *tails, const uint8_t *p, const uint8_t *end, const uint8_t *wide,
                                    int count) {
    for (;; p++) {
        const uint8_t *stop = fl_tail_word(tails, p, end, wide);
        if (stop == p)
            return NULL;
        if (--count == 0)
            return stop;
        if (stop == end)
            return NULL;
        p = stop;
    }
}

/* Where the last of `count` words ends that begin at `p`, a tail between each two; NULL where one of
 * them is empty, or the line ends before. */
static inline const uint8_t *fl_words(fl_tails *tails, const uint8_t *p, const uint8_t *end, const uint8_t *wide,
                                      int count) {
    for (uint64_t mask = fl_tails_from(tails, p);; mask = tails->mask) {
        uint64_t last = 0;
        if (mask & (mask << 1 | 1)) /* somewhere a word is empty */
            return fl_many_words(tails, p, end, wide, count);
        for (; mask; mask &= mask - 1) {
            if (--count == 0)
                return p + __builtin_ctzll(mask);
            last = mask;
        }
        if (last) {
            p += __builtin_ctzll(last);
            if (p == end)
                return NULL;
            p++;
        }
        *tails = fl_tails_at(p, end, wide);
        if (!tails->mask)
            return fl_many_words(tails, p, end, wide, count);
    }
}

/* The first byte of a step's stops from `p` on, or `end`. */
static inline const uint8_t *fl_next_stop(const fl_step *step, const uint8_t *p, const uint8_t *end) {
#ifdef FL_X86
    const __m128i a = _mm_loadu_si128((const __m128i *)step->wide[0]),
                  b = _mm_loadu_si128((const __m128i *)step->wide[1]),
                  c = _mm_loadu_si128((const __m128i *)step->wide[2]),
                  d = _mm_loadu_si128((const __m128i *)step->wide[3]);
    for (; p < end; p += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)p);
        __m128i hits = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, a), _mm_cmpeq_epi8(bytes, b)),
                                    _mm_or_si128(_mm_cmpeq_epi8(bytes, c), _mm_cmpeq_epi8(bytes, d)));
        uint32_t mask = (uint32_t)_mm_movemask_epi8(hits);
        if (mask) {
            p += __builtin_ctz(mask);
            break;
        }
    }
    return p < end ? p : end;
#else
    while (p < end && *p != step->stops[0] && *p != step->stops[1] && *p != step->stops[2] && *p != step->stops[3])
        p++;
    return p;
#endif
}

/* As fl_next_stop for a step whose stops are the first two, or one. */
static inline const uint8_t *fl_next_of_two(const fl_step *step, int two, const uint8_t *p, const uint8_t *end) {
#ifdef FL_X86
    const __m128i a = _mm_loadu_si128((const __m128i *)step->wide[0]),
                  b = _mm_loadu_si128((const __m128i *)step->wide[1]);
    for (; p < end; p += 32) {
        __m128i low = _mm_loadu_si128((const __m128i *)p), high = _mm_loadu_si128((const __m128i *)(p + 16));
        __m128i low_hits = _mm_cmpeq_epi8(low, a), high_hits = _mm_cmpeq_epi8(high, a);
        if (two) {
            low_hits = _mm_or_si128(low_hits, _mm_cmpeq_epi8(low, b));
            high_hits = _mm_or_si128(high_hits, _mm_cmpeq_epi8(high, b));
        }
        uint32_t mask = (uint32_t)_mm_movemask_epi8(low_hits) | (uint32_t)_mm_movemask_epi8(high_hits) << 16;
        if (mask) {
            p += __builtin_ctz(mask);
            break;
        }
    }
    return p < end ? p : end;
#else
    while (p < end && *p != step->stops[0] && !(two && *p == step->stops[1]))
        p++;
    return p;
#endif
}

/* As fl_next_stop for the only stop of a step, where `second` stands behind it. */
static inline const uint8_t *fl_next_pair(const fl_step *step, uint8_t second, const uint8_t *p, const uint8_t *end) {
#ifdef FL_X86
    const __m128i a = _mm_loadu_si128((const __m128i *)step->wide[0]), b = _mm_set1_epi8((char)second);
    for (; p < end; p += 16) {
        __m128i hits = _mm_and_si128(_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)p), a),
                                     _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(p + 1)), b));
        uint32_t mask = (uint32_t)_mm_movemask_epi8(hits);
        if (mask) {
            p += __builtin_ctz(mask);
            break;
        }
    }
    return p < end ? p : end;
#else
    while (p < end && (*p != step->stops[0] || p[1] != second))
        p++;
    return p;
#endif
}

/* Whether the literal of a step stands at `p`. */
static inline int fl_is_literal(const fl_step *step, const uint8_t *p, const uint8_t *end) {
    return step->length <= (size_t)(end - p) && ((fl_load64(p) ^ step->word) & step->mask) == 0 &&
           (step->length <= 8 || !memcmp(p + 8, step->literal + 8, step->length - 8));
}

/* Whether a number stands at `p` and `behind` or the end of the line behind it. */
static inline int fl_is_before(const uint8_t *p, const uint8_t *end, int behind) {
    const uint8_t *at = p + fl_few_digits(p);
    if (at > p && *at == behind)
        return 1;
    while (at < end && at - p < 40 && (fl_is_digit(*at) || *at == '.' || *at == '-' || *at == '+'))
        at++;
    return at > p && (at == end || *at == behind);
}

/* Where a text ends: at the first stop at which the next step can follow; NULL where that is not certain. */
static const uint8_t *fl_text(const fl_step *step, const fl_step *next, const uint8_t *p, const uint8_t *end) {
    int before_quote = next->length && next->literal[next->length - 1] == '"';
    /* Where no other byte is a stop, and none is looked at before what follows stands there in full. */
    int pairs = next->length > 1 && !before_quote && step->stops[0] == *next->literal &&
                step->stops[3] == *next->literal;
    int two = step->stops[1] == step->stops[3];
    for (const uint8_t *at = p;; at++) {
        at = pairs ? fl_next_pair(step, next->literal[1], at, end)
             : two ? fl_next_of_two(step, 1, at, end)
                   : fl_next_stop(step, at, end);
        if (at >= end)
            return NULL;
        if (fl_is_literal(next, at, end) && (step->behind < 0 || fl_is_before(at + next->length, end, step->behind)))
            return at > p || (*at != ' ' && *at != '\t') ? at : NULL;
        if (*at != *next->literal)
            return NULL; /* a space that no word holds, or a backslash, and what it escapes may be a stop */
        if (before_quote && (size_t)(end - at) >= next->length && at[next->length - 1] == '-')
            return NULL; /* a bare "-" may be the next field */
    }
}

/* Where a number ends: "-", or a sign and a fraction where they are allowed; NULL where there is none. */
static const uint8_t *fl_number_end(const uint8_t *p, const uint8_t *end, int decimal) {
    const uint8_t *digits = p + (decimal && (*p == '-' || *p == '+')), *at = fl_digits_end(digits);
    if (at == digits)
        return *p == '-' && p < end ? p + 1 : NULL;
    if (at - digits > 18)
        return NULL;
    if (decimal && *at == '.') {
        digits = at + 1;
        const uint8_t *stop = fl_digits_end(digits);
        if (stop > digits)
            return stop - digits > 18 ? NULL : stop;
    }
    return at;
}

/* Behind the spaces at `p`, which end at the newline at the latest. */
static inline const uint8_t *fl_spaces_end(const uint8_t *p) {
    uint64_t other;
    while ((other = fl_load64(p) ^ 0x2020202020202020u) == 0)
        p += 8;
    return p + (__builtin_ctzll(other) >> 3);
}

static inline const uint8_t *fl_padded_end(const uint8_t *p, const uint8_t *end) {
    p = fl_spaces_end(p);
    p += *p == '-';
    return fl_is_digit(*p) ? fl_number_end(p, end, 0) : NULL;
}

/* The quote that ends the field that begins at `p`, behind a quote; `quotes` is moved behind it. At
 * `last` stands the newline. */
static inline const uint8_t *fl_quoted_end(const fl_program *program, const uint8_t *data, const uint32_t **quotes,
                                           const uint32_t *last, const uint8_t *p) {
    const uint32_t *at = *quotes;
    while (data + *at < p)
        at++;
    for (; at < last; at++) {
        const uint8_t *quote = data + *at;
        if (quote[-1] == '\\') {
            if (program->plain)
                return NULL;
            if (fl_escaped(quote, p))
                continue;
        }
        *quotes = at + 1;
        return quote;
    }
    return NULL;
}

#endif
