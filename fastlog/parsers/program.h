/* A line becomes a hit by the field program of its format: step by step, from its start to its end.
 *
 * Made by program.py, which says what is refused beforehand. The walk accepts a line only
 * where each field ends as the format's definition ends it (see formats/layout.py): of an
 * unquoted or quoted text that goes on past a candidate end, because what must follow it
 * does not, the walk fails at what follows, and the line is for the regex.
 *
 * Each byte is looked at a bounded number of times. Reads up to FL_PAD bytes behind the
 * line's newline; the caller sees to it that they are there.
 */
#ifndef FASTLOG_PROGRAM_H
#define FASTLOG_PROGRAM_H

#include "stamp.h"

#define FL_STEPS 96 /* MOST_STEPS of program.py */

/* KINDS and ROLES of program.py; the last three are made here */
enum {
    FL_WORD, FL_NAME, FL_LIST, FL_UNTIL, FL_TEXT, FL_QUOTED, FL_BRACKETED, FL_DIGITS, FL_STATUS, FL_DECIMAL,
    FL_PADDED, FL_QUERY, FL_MARK, FL_STAMP_STEP, FL_END, FL_WORDS_STEP, FL_TAIL_WORD, FL_RARE
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
} fl_step;

typedef struct {
    fl_step steps[FL_STEPS];
    int n;
    uint8_t tail;
    uint8_t comment; /* what no line of a hit begins with */
    int plain;     /* a quoted field holds no escapes */
    size_t quotes; /* of a usual line */
    fl_stamp stamp;
} fl_program;

/* The place of the tails (spaces, or tabs) in 64 bytes, to be taken one after the other. */
typedef struct {
    const uint8_t *base;
    uint64_t mask;
} fl_tails;

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
    step->after_text = after_text && kind != FL_PADDED && kind != FL_QUOTED && kind != FL_END;
    step->words = words;
    step->usual = step->kind;
    if (step->kind == FL_WORD && step->stops[0] == program->tail && step->stops[3] == program->tail)
        step->usual = words > 1 ? FL_WORDS_STEP : FL_TAIL_WORD;
    step->jump = length > 8 || step->after_text ? FL_RARE : step->usual;
    step->unit = unit;
}

/* A bit for each of 64 bytes that is `byte`. */
static inline uint64_t fl_mask64(const uint8_t *p, uint8_t byte) {
    uint64_t mask = 0;
#ifdef FL_X86
    const __m128i wanted = _mm_set1_epi8((char)byte);
    for (int part = 0; part < 4; part++) {
        __m128i bytes = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(p + 16 * part)), wanted);
        mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(bytes) << (16 * part);
    }
#else
    for (int i = 0; i < 64; i++)
        mask |= (uint64_t)(p[i] == byte) << i;
#endif
    return mask;
}

/* Where the last of `count` words ends that begin at `p`, a tail between each two; NULL where one of
 * them is empty, or the line ends before. */
static inline const uint8_t *fl_words(fl_tails *tails, const uint8_t *p, const uint8_t *end, uint8_t tail, int count) {
    const uint8_t *word = p;
    while (p < end) {
        size_t offset = (size_t)(p - tails->base);
        if (offset >= 64) {
            tails->base = p;
            tails->mask = fl_mask64(p, tail);
            offset = 0;
        }
        for (uint64_t mask = tails->mask >> offset; mask; mask &= mask - 1) {
            const uint8_t *at = p + __builtin_ctzll(mask);
            if (at >= end)
                return count == 1 && word < end ? end : NULL;
            if (at == word)
                return NULL;
            if (--count == 0)
                return at;
            word = at + 1;
        }
        p = tails->base + 64;
    }
    return count == 1 && word < end ? end : NULL;
}

/* As fl_words for one word. */
static inline const uint8_t *fl_tail_word(fl_tails *tails, const uint8_t *p, const uint8_t *end, uint8_t tail) {
    size_t offset = (size_t)(p - tails->base);
    uint64_t mask = offset < 64 ? tails->mask >> offset : 0;
    if (!mask)
        return fl_words(tails, p, end, tail, 1);
    const uint8_t *at = p + __builtin_ctzll(mask);
    if (at > end)
        at = end;
    return at == p ? NULL : at;
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

/* How many of the eight bytes at `p` are digits that stand before another byte; 0 where all are. */
static inline unsigned fl_few_digits(const uint8_t *p) {
    uint64_t digits = fl_load64(p) ^ 0x3030303030303030u;
    uint64_t other = (digits | (digits + 0x7676767676767676u)) & 0x8080808080808080u;
    return other ? (unsigned)__builtin_ctzll(other) >> 3 : 0;
}

/* Whether a number stands at `p` and `behind` or the end of the line behind it. */
static inline int fl_is_before(const uint8_t *p, const uint8_t *end, int behind) {
    const uint8_t *at = p + fl_few_digits(p);
    while (at < end && at - p < 40 && (fl_is_digit(*at) || *at == '.' || *at == '-' || *at == '+'))
        at++;
    return at > p && (at == end || *at == behind);
}

/* Where a text ends: at the first stop at which the next step can follow; NULL where that is not certain. */
static const uint8_t *fl_text(const fl_step *step, const fl_step *next, const uint8_t *p, const uint8_t *end) {
    int before_quote = next->length && next->literal[next->length - 1] == '"';
    /* Where no other byte is a stop, and none is looked at before what follows stands there in full. */
    int pairs = next->length > 1 && !before_quote && step->stops[0] == *next->literal && step->stops[3] == *next->literal;
    for (const uint8_t *at = p;; at++) {
        at = pairs ? fl_next_pair(step, next->literal[1], at, end) : fl_next_stop(step, at, end);
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

static inline const uint8_t *fl_padded_end(const uint8_t *p, const uint8_t *end) {
    for (uint64_t other = 0; !other && *p == ' ';) { /* spaces end at the newline at the latest */
        other = fl_load64(p) ^ 0x2020202020202020u;
        p += other ? __builtin_ctzll(other) >> 3 : 8;
    }
    p += *p == '-';
    return fl_is_digit(*p) ? fl_number_end(p, end, 0) : NULL;
}

/* The quote that ends the field that begins at `p`; `quotes` is moved behind it. */
static inline const uint8_t *fl_quoted_end(const fl_program *program, const uint8_t *data, const uint32_t **quotes,
                                           const uint32_t *last, const uint8_t *p) {
    const uint32_t *at = *quotes;
    while (at < last && data + *at < p)
        at++;
    for (; at < last; at++) {
        const uint8_t *quote = data + *at;
        if (quote > p && quote[-1] == '\\') {
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

/* Method and section where method and target stand apart; 0 where that is not certain. */
static int fl_apart(fl_fold *fold, const uint8_t *method_at, const uint8_t *method_end, const uint8_t *target,
                    const uint8_t *stop, fl_key **section, fl_key **method) {
    static const uint8_t none[17] = "-";
    size_t length = (size_t)(method_end - method_at);
    if (target == stop || *target == ' ') /* before anything is remembered of the line */
        return 0;
    if (!method_at) {
        *method = fl_key_of(&fold->methods, none, 1);
    } else {
        uint64_t word = fl_load64(method_at);
        *method = NULL;
        for (size_t i = 0; i < fold->n_words; i++)
            if ((word & fold->words[i].mask) == fold->words[i].word && fold->words[i].length == length)
                *method = fold->methods.keys + fold->words[i].key;
        if (!*method) {
            if (length == 0 || length > 32)
                return 0;
            for (const uint8_t *at = method_at; at < method_end; at++)
                if (!fl_is_method(*at))
                    return 0;
            *method = fl_new_method(fold, method_at, (uint32_t)length);
        }
    }
    *section = fl_section(fold, target, stop);
    if (*section && *method)
        return 1;
    fold->failed = 1;
    return 0;
}

/* What a line holds of what counts. */
typedef struct {
    int64_t second;
    const uint8_t *date, *request, *request_end, *method, *method_end, *target, *target_end;
    const uint8_t *host, *host_end;
    uint64_t size;
    int64_t duration; /* the sum of its parts in microseconds */
    unsigned status;
    uint8_t timed, untimed; /* some part of the duration is a number, some is none */
} fl_found;

/* The number that 1 to 7 digits at `p` are. */
static inline uint64_t fl_few_value(const uint8_t *p, unsigned digits) {
    uint64_t word = (fl_load64(p) ^ 0x3030303030303030u) << (8 * (8 - digits));
    word = (word * (1 + (10 << 8))) >> 8 & 0x00ff00ff00ff00ffu;
    word = (word * (1 + (100 << 16))) >> 16 & 0x0000ffff0000ffffu;
    return (word * (1 + ((uint64_t)10000 << 32))) >> 32;
}

#define FL_LONGEST_PART ((int64_t)1 << 56) /* longer parts count as this: 2,283 years */

/* A part of a duration in microseconds, as `microseconds` of hits.py has it; -1 where it is none. */
static inline int64_t fl_microseconds(const uint8_t *p, const uint8_t *stop, uint32_t unit) {
    static const uint32_t tens[] = {1000000000, 100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};
    unsigned few = fl_few_digits(p), more = 0;
    if (few && p + few < stop && p[few] == '.')
        more = fl_few_digits(p + few + 1);
    if (few && p + few + (more ? more + 1 : 0) == stop)
        return (int64_t)(fl_few_value(p, few) * unit +
                         (more ? fl_few_value(p + few + 1, more) * tens[more] * unit / 1000000000 : 0));
    while (p < stop && *p == ' ')
        p++;
    const uint8_t *at = fl_digits_end(p);
    uint64_t fraction = 0;
    int64_t whole = at > stop ? -1 : fl_number(p, at, 18);
    if (whole < 0)
        return -1;
    if (at < stop) {
        ptrdiff_t digits = stop - at - 1;
        if (*at != '.' || digits < 1 || digits > 18 || fl_digits_end(at + 1) != stop)
            return -1;
        digits = digits > 9 ? 9 : digits;
        fraction = (uint64_t)fl_number(at + 1, at + 1 + digits, 9) * tens[digits];
    }
    unsigned __int128 micros = (unsigned __int128)whole * unit + fraction * unit / 1000000000;
    return micros < FL_LONGEST_PART ? (int64_t)micros : FL_LONGEST_PART;
}

/* The duration of a line in microseconds; -1 where it has none, or a part of it is none. */
static inline int64_t fl_duration(const fl_found *found) {
    return found->timed && !found->untimed ? found->duration : -1;
}

/* Behind the stamp of a step; NULL where it is not certain. */
static inline const uint8_t *fl_take_stamp(fl_program *program, fl_found *found, const uint8_t *p) {
    if (program->stamp.form != FL_DATE)
        return fl_stamp_at(&program->stamp, p, &found->second);
    if (found->date)
        return fl_date_clock(&program->stamp, found->date, p, &found->second);
    found->date = p;
    return p + 10;
}

/* What is rare of what stands before the field at `p`; 0 where it does not. */
static int fl_is_rarer(const fl_step *step, const uint8_t *p, const uint8_t *end) {
    if (p > end || (step->length > 8 && memcmp(p - step->length + 8, step->literal + 8, step->length - 8)))
        return 0;
    /* A look ahead may take what does not begin here for a part of the field before. */
    return !step->after_text || (*p != ' ' && *p != '\t');
}

/* Whether behind a word that ends at `at` what follows makes it no such word. */
static inline int fl_goes_on(const fl_step *step, const uint8_t *at, const uint8_t *end) {
    int pair = end - at >= 3 && at[0] == ' ' && at[2] == ' ';
    return step->kind == FL_NAME ? pair && at[1] == '-' : at[-1] == ',' || (pair && at[1] == ':');
}

/* Whether all steps can be taken from `p` to `end`; what they hold goes to `found`.
 *
 * Each step ends with a jump of its own to the next one, so that the processor learns the
 * order of a format's steps. `p` never passes `end`: no literal holds a byte of a line's end.
 */
static int fl_take_steps(fl_program *program, fl_found *found, const uint8_t *data, const uint8_t *p,
                         const uint8_t *end, const uint32_t *quotes, const uint32_t *last) {
    static const void *const kinds[] = {
        &&word, &&spelled, &&spelled, &&until, &&text, &&quoted, &&until, &&digits, &&status, &&decimal,
        &&padded, &&query, &&mark, &&stamp, &&end_of_line, &&words, &&tail_word, &&rare,
    };
    static const void *const roles[] = {&&skipped, &&request, &&method, &&target, &&status_role, &&size_role,
                                        &&duration, &&host};
    const fl_step *step = program->steps;
    const uint8_t *stop = p;
    int64_t part;
    unsigned few;
    fl_tails tails = {p, fl_mask64(p, program->tail)};

#define FL_TAKE()                                                                                   \
    do {                                                                                            \
        if (((fl_load64(p) ^ step->word) & step->mask) != 0)                                        \
            return 0;                                                                               \
        p += step->length;                                                                          \
        goto *kinds[step->jump];                                                                    \
    } while (0)
#define FL_NEXT()                                                                                   \
    do {                                                                                            \
        p = stop;                                                                                   \
        step++;                                                                                     \
        FL_TAKE();                                                                                  \
    } while (0)
#define FL_ENDS_IF(certain)                                                                         \
    do {                                                                                            \
        if (!(certain))                                                                             \
            return 0;                                                                               \
        if (step->role != FL_SKIP)                                                                  \
            goto *roles[step->role];                                                                \
        FL_NEXT();                                                                                  \
    } while (0)

    FL_TAKE();
rare:
    if (!fl_is_rarer(step, p, end))
        return 0;
    goto *kinds[step->usual];
word:
    stop = fl_next_stop(step, p, end);
    FL_ENDS_IF(stop != p);
words:
    stop = fl_words(&tails, p, end, program->tail, step->words);
    if (!stop)
        return 0;
    FL_NEXT();
tail_word:
    stop = fl_tail_word(&tails, p, end, program->tail);
    FL_ENDS_IF(stop);
spelled:
    stop = fl_next_stop(step, p, end);
    FL_ENDS_IF(stop != p && !fl_goes_on(step, stop, end));
until:
    stop = fl_next_stop(step, p, end);
    FL_ENDS_IF(1);
text:
    stop = fl_text(step, step + 1, p, end);
    FL_ENDS_IF(stop);
quoted:
    stop = fl_quoted_end(program, data, &quotes, last, p);
    FL_ENDS_IF(stop);
digits:
    few = fl_few_digits(p);
    stop = few ? p + few : fl_number_end(p, end, 0);
    FL_ENDS_IF(stop);
status:
    stop = p + 3;
    FL_ENDS_IF(fl_is_digit(p[0]) && fl_is_digit(p[1]) && fl_is_digit(p[2]));
decimal:
    few = fl_few_digits(p);
    stop = p + few;
    if (!few || *stop == '.')
        stop = fl_number_end(p, end, 1);
    FL_ENDS_IF(stop);
padded:
    stop = fl_padded_end(p, end);
    FL_ENDS_IF(stop);
query:
    stop = *p == '?' ? fl_next_stop(step, p, end) : p;
    FL_ENDS_IF(1);
mark:
    stop = p + (*p == '?');
    FL_ENDS_IF(1);
stamp:
    stop = fl_take_stamp(program, found, p);
    if (!stop || stop > end)
        return 0;
    FL_NEXT();

request:
    found->request = p;
    found->request_end = stop;
    FL_NEXT();
method:
    found->method = p;
    found->method_end = stop;
    FL_NEXT();
target:
    found->target = p;
    found->target_end = stop;
    FL_NEXT();
status_role:
    if (stop - p != 3 || !fl_is_digit(p[0]) || !fl_is_digit(p[1]) || !fl_is_digit(p[2]))
        return 0;
    found->status = (unsigned)(100 * (p[0] - '0') + 10 * (p[1] - '0') + (p[2] - '0'));
    FL_NEXT();
host:
    found->host = p;
    found->host_end = stop;
    FL_NEXT();
size_role:
    if (!fl_size(p, stop, &found->size))
        return 0;
    FL_NEXT();
duration:
    part = fl_microseconds(p, stop, step->unit);
    if (part < 0)
        found->untimed = 1;
    else
        found->duration += part;
    found->timed = 1;
skipped:
    FL_NEXT();
end_of_line:
    return p == end || (p < end && *p == program->tail);
#undef FL_ENDS_IF
#undef FL_NEXT
#undef FL_TAKE
}

/* Show a hit to the rules; 0 where these ask something first. */
static int fl_walk_rules(fl_fold *fold, const fl_found *found, const fl_key *section, const fl_key *method) {
    fl_seen *seen = fl_see(fold, section, method, found->status, found->size);
    seen->duration = fl_duration(found);
    if (fold->rules->has_hosts)
        fl_host_seen(seen, found->host, found->host_end);
    if (found->request)
        fl_target(seen, found->request, found->request_end);
    else
        fl_target_apart(seen, found->target, found->target_end);
    return fl_rules_count(fold->rules, fold);
}

/* As fl_line, by the program. */
static inline int fl_walk(fl_program *program, fl_fold *fold, const uint8_t *data, size_t line,
                          const uint32_t *quotes, size_t n, size_t newline) {
    const uint8_t *p = data + line, *end = data + newline;
    if (end == p || *p == program->comment)
        return 0;
    end -= end[-1] == '\r';
    if (end - p > FL_LINE_LIMIT)
        return 0;
    fl_found found = {0};
    if (!fl_take_steps(program, &found, data, p, end, quotes, quotes + n))
        return 0;
    fl_key *section, *method;
    if (found.request ? !fl_request(fold, found.request, found.request_end, &section, &method)
                      : !fl_apart(fold, found.method, found.method_end, found.target, found.target_end, &section,
                                  &method))
        return fold->failed; /* with memory gone the chunk does not count, nor go to the regex */
    fl_hit(fold, found.second, section, method, found.status, found.size);
    if (found.timed)
        fl_hit_duration(fold, fl_duration(&found));
    return !fold->rules || fl_walk_rules(fold, &found, section, method);
}

#endif
