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

/* KINDS and ROLES of program.py */
enum {
    FL_WORD, FL_NAME, FL_LIST, FL_UNTIL, FL_TEXT, FL_QUOTED, FL_BRACKETED, FL_DIGITS, FL_STATUS, FL_DECIMAL,
    FL_PADDED, FL_QUERY, FL_MARK, FL_STAMP_STEP, FL_END
};
enum { FL_SKIP, FL_REQUEST, FL_METHOD, FL_TARGET, FL_STATUS_ROLE, FL_SIZE_ROLE, FL_DURATION, FL_HOST_ROLE };

typedef struct {
    const uint8_t *literal;
    uint64_t word, mask; /* its first eight bytes */
    uint32_t length;
    uint8_t kind, role, by_tail; /* by_tail: the tail alone is a stop */
    uint8_t stops[4]; /* the last one repeated */
    int behind, after_text, words; /* see Op of program.py */
    uint32_t unit;                 /* of a duration, in microseconds */
} fl_step;

typedef struct {
    fl_step steps[FL_STEPS];
    int n;
    uint8_t tail;
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
    for (uint32_t i = 0; i < 4; i++)
        step->stops[i] = n_stops ? stops[i < n_stops ? i : n_stops - 1] : '\n';
    step->behind = behind;
    step->after_text = after_text && kind != FL_PADDED && kind != FL_QUOTED;
    step->words = words;
    step->unit = unit;
    step->by_tail = step->stops[0] == program->tail && step->stops[3] == program->tail;
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

/* The first byte of a step's stops from `p` on, or `end`. */
static inline const uint8_t *fl_next_stop(const fl_step *step, const uint8_t *p, const uint8_t *end) {
#ifdef FL_X86
    const __m128i a = _mm_set1_epi8((char)step->stops[0]), b = _mm_set1_epi8((char)step->stops[1]),
                  c = _mm_set1_epi8((char)step->stops[2]), d = _mm_set1_epi8((char)step->stops[3]);
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

/* Whether the literal of a step stands at `p`. */
static inline int fl_is_literal(const fl_step *step, const uint8_t *p, const uint8_t *end) {
    return step->length <= (size_t)(end - p) && ((fl_load64(p) ^ step->word) & step->mask) == 0 &&
           (step->length <= 8 || !memcmp(p + 8, step->literal + 8, step->length - 8));
}

/* Whether a number stands at `p` and `behind` or the end of the line behind it. */
static inline int fl_is_before(const uint8_t *p, const uint8_t *end, int behind) {
    const uint8_t *at = p;
    while (at < end && at - p < 40 && (fl_is_digit(*at) || *at == '.' || *at == '-' || *at == '+'))
        at++;
    return at > p && (at == end || *at == behind);
}

/* Where a text ends: at the first stop at which the next step can follow; NULL where that is not certain. */
static const uint8_t *fl_text(const fl_step *step, const fl_step *next, const uint8_t *p, const uint8_t *end) {
    int before_quote = next->length && next->literal[next->length - 1] == '"';
    for (const uint8_t *at = p; (at = fl_next_stop(step, at, end)) < end; at++) {
        if (fl_is_literal(next, at, end) && (step->behind < 0 || fl_is_before(at + next->length, end, step->behind)))
            return at > p || (*at != ' ' && *at != '\t') ? at : NULL;
        if (*at != *next->literal)
            return NULL; /* a space that no word holds, or a backslash, and what it escapes may be a stop */
        if (before_quote && (size_t)(end - at) >= next->length && at[next->length - 1] == '-')
            return NULL; /* a bare "-" may be the next field */
    }
    return NULL;
}

/* Where digits end, of which 24 at most are looked at. */
static inline const uint8_t *fl_digits_end(const uint8_t *p) {
    for (int words = 0; words < 3; words++, p += 8) {
        uint64_t digits = fl_load64(p) ^ 0x3030303030303030u;
        /* What is over 9 has its high bit set; a carry only comes from such a byte. */
        uint64_t other = (digits | (digits + 0x7676767676767676u)) & 0x8080808080808080u;
        if (other)
            return p + (__builtin_ctzll(other) >> 3);
    }
    return p;
}

/* Where a number ends: "-", or a sign and a fraction where they are allowed; NULL where there is none. */
static inline const uint8_t *fl_number_end(const uint8_t *p, const uint8_t *end, int decimal) {
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
    while (p < end && *p == ' ')
        p++;
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
    if (target == stop || *target == ' ')
        return 0;
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

#define FL_LONGEST_PART ((int64_t)1 << 56) /* longer parts count as this: 2,283 years */

/* A part of a duration in microseconds, as `microseconds` of hits.py has it; -1 where it is none. */
static int64_t fl_microseconds(const uint8_t *p, const uint8_t *stop, uint32_t unit) {
    uint64_t whole = 0, fraction = 0;
    int digits = 0;
    while (p < stop && *p == ' ')
        p++;
    for (; p < stop && fl_is_digit(*p); p++, digits++) {
        if (digits == 18)
            return -1;
        whole = 10 * whole + (*p - '0');
    }
    if (!digits)
        return -1;
    if (p < stop) {
        if (*p++ != '.')
            return -1;
        for (digits = 0; p < stop && fl_is_digit(*p); p++, digits++)
            if (digits < 9)
                fraction = 10 * fraction + (*p - '0');
        if (p < stop || digits < 1 || digits > 18)
            return -1;
        for (; digits < 9; digits++)
            fraction *= 10;
    }
    if (whole > (uint64_t)FL_LONGEST_PART / unit)
        return FL_LONGEST_PART;
    return (int64_t)(whole * unit + fraction * unit / 1000000000);
}

/* The duration of a line in microseconds; -1 where it has none, or a part of it is none. */
static inline int64_t fl_duration(const fl_found *found) {
    return found->timed && !found->untimed ? found->duration : -1;
}

/* Take a field for what it is; 0 where its text is not certain. */
static inline int fl_take(fl_found *found, const fl_step *step, const uint8_t *p, const uint8_t *stop) {
    int64_t part;
    switch (step->role) {
    case FL_REQUEST:
        found->request = p;
        found->request_end = stop;
        return 1;
    case FL_METHOD:
        found->method = p;
        found->method_end = stop;
        return 1;
    case FL_TARGET:
        found->target = p;
        found->target_end = stop;
        return 1;
    case FL_STATUS_ROLE:
        found->status = (unsigned)(100 * (p[0] - '0') + 10 * (p[1] - '0') + (p[2] - '0'));
        return stop - p == 3 && fl_is_digit(p[0]) && fl_is_digit(p[1]) && fl_is_digit(p[2]);
    case FL_SIZE_ROLE:
        return fl_size(p, stop, &found->size);
    case FL_HOST_ROLE:
        found->host = p;
        found->host_end = stop;
        return 1;
    case FL_DURATION:
        part = fl_microseconds(p, stop, step->unit);
        if (part < 0)
            found->untimed = 1;
        else
            found->duration += part;
        found->timed = 1;
        return 1;
    }
    return 1;
}

/* Where the stamp of a step ends; NULL where it is not certain. */
static inline const uint8_t *fl_take_stamp(fl_program *program, fl_found *found, const uint8_t *p) {
    if (program->stamp.form != FL_DATE)
        return fl_stamp_at(&program->stamp, p, &found->second);
    if (found->date)
        return fl_date_clock(&program->stamp, found->date, p, &found->second);
    found->date = p;
    return p + 10;
}

/* Where the field of a step that begins at `p` ends; NULL where that is not certain. */
static inline const uint8_t *fl_field_end(const fl_program *program, const fl_step *step, fl_tails *tails,
                                          const uint8_t *data, const uint32_t **quotes, const uint32_t *last,
                                          const uint8_t *p, const uint8_t *end) {
    const uint8_t *at;
    switch (step->kind) {
    case FL_WORD:
        if (step->by_tail)
            return fl_words(tails, p, end, program->tail, step->words);
        at = fl_next_stop(step, p, end);
        return at == p ? NULL : at;
    case FL_NAME:
    case FL_LIST:
        at = fl_next_stop(step, p, end);
        if (at == p)
            return NULL;
        if (step->kind == FL_NAME && end - at >= 3 && at[0] == ' ' && at[1] == '-' && at[2] == ' ')
            return NULL;
        if (step->kind == FL_LIST && (at[-1] == ',' || (end - at >= 3 && at[0] == ' ' && at[1] == ':' && at[2] == ' ')))
            return NULL;
        return at;
    case FL_UNTIL:
    case FL_BRACKETED:
        return fl_next_stop(step, p, end);
    case FL_TEXT:
        return fl_text(step, step + 1, p, end);
    case FL_QUOTED:
        return fl_quoted_end(program, data, quotes, last, p);
    case FL_DIGITS:
        return fl_number_end(p, end, 0);
    case FL_STATUS:
        return fl_is_digit(p[0]) && fl_is_digit(p[1]) && fl_is_digit(p[2]) ? p + 3 : NULL;
    case FL_DECIMAL:
        return fl_number_end(p, end, 1);
    case FL_PADDED:
        return fl_padded_end(p, end);
    case FL_QUERY:
        return *p == '?' ? fl_next_stop(step, p, end) : p;
    case FL_MARK:
        return p + (*p == '?');
    }
    return NULL;
}

/* Show a hit to the rules; 0 where these ask something first. */
static int fl_walk_rules(fl_fold *fold, const fl_found *found, const fl_key *section, const fl_key *method) {
    fl_seen *seen = fl_see(fold, section, method, found->status, found->size);
    seen->duration = fl_duration(found);
    if (fold->rules->has_hosts) {
        seen->host = found->host;
        seen->host_length = (uint32_t)(found->host_end - found->host);
    }
    if (found->request) {
        fl_target(seen, found->request, found->request_end);
    } else {
        const uint8_t *space = (const uint8_t *)memchr(found->target, ' ', (size_t)(found->target_end - found->target));
        seen->target = found->target;
        seen->target_length = (uint32_t)((space ? space : found->target_end) - found->target);
    }
    return fl_rules_count(fold->rules, fold);
}

/* As fl_line, by the program. */
static inline int fl_walk(fl_program *program, fl_fold *fold, const uint8_t *data, size_t line,
                          const uint32_t *quotes, size_t n, size_t newline) {
    const uint8_t *p = data + line, *end = data + newline;
    const uint32_t *last = quotes + n;
    if (end == p)
        return 0;
    end -= end[-1] == '\r';
    if (end - p > FL_LINE_LIMIT)
        return 0;
    fl_tails tails = {p, fl_mask64(p, program->tail)};
    fl_found found = {0};
    const fl_step *step = program->steps;
    for (; step->kind != FL_END; step++) {
        if (p > end || !fl_is_literal(step, p, end))
            return 0;
        p += step->length;
        if (step->after_text && (*p == ' ' || *p == '\t'))
            return 0; /* a look ahead may take what does not begin here for a part of the field before */
        const uint8_t *stop;
        if (step->kind == FL_STAMP_STEP)
            stop = fl_take_stamp(program, &found, p);
        else
            stop = fl_field_end(program, step, &tails, data, &quotes, last, p, end);
        if (!stop || (step->role != FL_SKIP && !fl_take(&found, step, p, stop)))
            return 0;
        p = stop;
    }
    if (p > end || !fl_is_literal(step, p, end) || (p + step->length < end && p[step->length] != program->tail))
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
