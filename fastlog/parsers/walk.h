/* A line becomes a hit by the field program of its format: step by step, from its start to its end.
 *
 * The walk accepts a line only where each field ends as the format's definition ends it (see
 * formats/layout.py): of an unquoted or quoted text that goes on past a candidate end, because
 * what must follow it does not, the walk fails at what follows, and the line is for the regex.
 *
 * Each byte is looked at a bounded number of times. Reads up to FL_PAD bytes behind the
 * line's newline; the caller sees to it that they are there. Past 300 lines, since the jumps
 * between the steps hold them in one function.
 */
#ifndef FASTLOG_WALK_H
#define FASTLOG_WALK_H

#include "program.h"

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
    const uint8_t *request, *request_end, *method, *method_end, *target, *target_end;
    const uint8_t *host, *host_end;
    uint64_t size;
    int64_t duration; /* the sum of its parts in microseconds */
    unsigned status;
    uint8_t timed, untimed; /* some part of the duration is a number, some is none */
} fl_found;

/* What counts is in no line that was not read; the second is in all that were. */
static inline void fl_nothing_found(fl_found *found) {
    found->request = found->method = found->method_end = found->target = found->host = found->host_end = NULL;
    found->size = 0;
    found->duration = 0;
    found->status = 0;
    found->timed = found->untimed = 0;
}

/* The number that eight digits are, spelled without their "0" bits. */
static inline uint64_t fl_eight_value(uint64_t digits) {
    digits = (digits * (1 + (10 << 8))) >> 8 & 0x00ff00ff00ff00ffu;
    digits = (digits * (1 + (100 << 16))) >> 16 & 0x0000ffff0000ffffu;
    return (digits * (1 + ((uint64_t)10000 << 32))) >> 32;
}

/* The number that 1 to 7 digits at `p` are. */
static inline uint64_t fl_few_value(const uint8_t *p, unsigned digits) {
    return fl_eight_value((fl_load64(p) ^ 0x3030303030303030u) << (8 * (8 - digits)));
}

/* A decimal of at most 8 bytes at `p` with `few` digits before its point, in microseconds, and where it
 * ends; NULL where it is no such, or finer than a microsecond. `decimals` of its digits are microseconds. */
static inline const uint8_t *fl_short_decimal(const uint8_t *p, unsigned few, unsigned decimals, int64_t *micros) {
    static const uint32_t tens[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    uint64_t word = fl_load64(p), below = ~(FL_ALL << (8 * few));
    uint64_t digits = ((word & below) | (word >> 8 & ~below)) ^ 0x3030303030303030u; /* less the point */
    uint64_t other = (digits | (digits + 0x7676767676767676u)) & 0x8080808080808080u; /* the eighth, if no other */
    unsigned all = (unsigned)__builtin_ctzll(other | (uint64_t)1 << 63) >> 3, fine = all - few;
    if (fine - 1 >= decimals || fl_is_digit(p[all + 1]))
        return NULL;
    *micros = (int64_t)(fl_eight_value(digits << (8 * (8 - all))) * tens[decimals - fine]);
    return p + all + 1;
}

#define FL_LONGEST_PART ((int64_t)1 << 56) /* longer parts count as this: 2,283 years */

/* A part of a duration in microseconds, as `microseconds` of hits.py has it; -1 where it is none. */
static int64_t fl_microseconds(const uint8_t *p, const uint8_t *stop, uint32_t unit) {
    static const uint32_t tens[] = {1000000000, 100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};
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
        &&padded, &&query, &&mark, &&stamp, &&end_of_line,
        &&words, &&tail_word, &&tail_spelled, &&until_one, &&until_two, &&hit_status, &&hit_size,
        &&timed_digits, &&timed, &&timed_padded, &&tail_number, &&tail_size, &&tail_timed,
        &&clf, &&local, &&iso, &&seconds, &&date, &&clock, &&rare,
    };
    static const void *const roles[] = {&&skipped, &&request, &&method, &&target, &&status_role, &&size_role,
                                        &&duration, &&host};
    const fl_step *step = program->steps;
    const uint8_t *stop = p, *dated = p;
    const uint8_t *wide = program->wide;
    int64_t part;
    size_t length;
    uint32_t word;
    unsigned few;
    fl_tails tails = fl_tails_at(p, end, wide);

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
    stop = fl_words(&tails, p, end, wide, step->words);
    if (!stop)
        return 0;
    FL_NEXT();
tail_word:
    stop = fl_tail_word(&tails, p, end, wide);
    FL_ENDS_IF(stop != p);
tail_spelled:
    stop = fl_tail_word(&tails, p, end, wide);
    FL_ENDS_IF(stop != p && !fl_goes_on(step, stop, end));
spelled:
    stop = fl_next_stop(step, p, end);
    FL_ENDS_IF(stop != p && !fl_goes_on(step, stop, end));
until:
    stop = fl_next_stop(step, p, end);
    FL_ENDS_IF(1);
until_one:
    stop = fl_next_of_two(step, 0, p, end);
    FL_ENDS_IF(1);
until_two:
    stop = fl_next_of_two(step, 1, p, end);
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
    if (!few || *stop == '.') {
        unsigned more = few ? fl_few_digits(stop + 1) : 0;
        stop = more ? stop + 1 + more : fl_number_end(p, end, 1);
    }
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
hit_status:
    word = fl_load32(p) ^ 0x30303030u;
    if ((word | (word + 0x00060606u)) & 0x00f0f0f0u)
        return 0;
    found->status = (word & 0xff) * 100 + (word >> 8 & 0xff) * 10 + (word >> 16 & 0xff);
    stop = p + 3;
    FL_NEXT();
hit_size:
    few = fl_few_digits(p);
    stop = p + few;
    if (few) {
        found->size = fl_few_value(p, few);
    } else {
        stop = fl_number_end(p, end, 0);
        if (!stop || !fl_size(p, stop, &found->size))
            return 0;
    }
    FL_NEXT();
timed_padded:
    stop = fl_spaces_end(p);
    few = fl_few_digits(stop);
    if (!few)
        goto padded;
    found->duration += (int64_t)(fl_few_value(stop, few) * step->unit);
    found->timed = 1;
    stop += few;
    FL_NEXT();
timed_digits:
    few = fl_few_digits(p);
    if (!few)
        goto digits;
    found->duration += (int64_t)(fl_few_value(p, few) * step->unit);
    found->timed = 1;
    stop = p + few;
    FL_NEXT();
timed:
    few = fl_few_digits(p);
    if (!few)
        goto decimal;
    stop = p + few;
    if (*stop != '.')
        part = (int64_t)(fl_few_value(p, few) * step->unit);
    else if (!(stop = fl_short_decimal(p, few, step->decimals, &part)))
        goto decimal;
    found->duration += part;
    found->timed = 1;
    FL_NEXT();

    /* Where the tail says that a number ends, the next field is looked at before this one is: so the
     * processor does not wait for the digits. */
tail_number:
    stop = fl_tail_word(&tails, p, end, wide);
    length = (size_t)(stop - p);
    few = fl_few_digits(p);
    if (!few || few != length) {
        if (step->kind == FL_DIGITS)
            goto digits;
        if (!few || p[few] != '.' || few + 1 == length || few + 1 + fl_few_digits(p + few + 1) != length)
            goto decimal;
    }
    FL_ENDS_IF(1);
tail_size:
    stop = fl_tail_word(&tails, p, end, wide);
    few = fl_few_digits(p);
    if (!few || few != (size_t)(stop - p))
        goto hit_size;
    found->size = fl_few_value(p, few);
    FL_NEXT();
tail_timed:
    stop = fl_tail_word(&tails, p, end, wide);
    length = (size_t)(stop - p);
    few = fl_few_digits(p);
    if (few && few == length) {
        part = (int64_t)(fl_few_value(p, few) * step->unit);
    } else {
        const uint8_t *point_end = few && p[few] == '.' ? fl_short_decimal(p, few, step->decimals, &part) : NULL;
        if (!point_end || (size_t)(point_end - p) != length)
            goto timed;
    }
    found->duration += part;
    found->timed = 1;
    FL_NEXT();

    /* `dated` is where a date begins whose clock is a step of its own. */
stamp:
    stop = fl_stamp_at(&program->stamp, p, &found->second);
    goto stamped;
clf:
    stop = fl_clf_at(&program->stamp, p, &found->second);
    goto stamped;
local:
    stop = fl_local_at(&program->stamp, p, &found->second);
    goto stamped;
iso:
    stop = fl_iso_at(&program->stamp, p, &found->second);
    goto stamped;
seconds:
    stop = fl_seconds_at(&program->stamp, p, &found->second);
    goto stamped;
date:
    dated = p;
    stop = p + 10;
    if (step[1].jump != FL_CLOCK_STEP)
        goto stamped;
    step++;
    if (stop > end || ((fl_load64(stop) ^ step->word) & step->mask) != 0)
        return 0;
    p = stop + step->length;
clock:
    stop = fl_clock_at(&program->stamp, dated, p, &found->second);
stamped:
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
    return p == end || (p < end && *p == program->tail && !program->closed);
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
    fl_found found;
    fl_nothing_found(&found);
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
