/* A line becomes a hit, if it is certain what the format's definition makes of it.
 *
 * Driven by the shape of the format: words, the stamp in brackets, the request in
 * quotes, status, size, quoted fields. What is not certain is left to the regular
 * expression (0 is returned): it costs time, never a wrong count.
 *
 * Reads up to FL_PAD bytes behind the line; the caller sees to it that they are there. Past 300 lines, since
 * each shape is read once for hits and once for what rules ask of them, and the two must agree.
 */
#ifndef FASTLOG_LINE_H
#define FASTLOG_LINE_H

#include "measured.h"

#define FL_PAD 64
#ifndef FL_LINE_LIMIT
#define FL_LINE_LIMIT (100 * 1024) /* LINE_LIMIT of fastlog/model/chunk.py */
#endif
#define FL_ALL UINT64_MAX

typedef struct {
    int words;  /* before the user name: virtual host, host, ident */
    int vhost;  /* the first of them is the virtual host */
    int quoted; /* quoted fields behind the size */
    int dash;   /* the second of them is "-" */
    uint8_t tail; /* what stands between fields: a space, or a tab */
    int host;     /* which of the words is the host, from 0 */
} fl_shape;

static inline int fl_is_digit(uint8_t byte) { return (uint8_t)(byte - '0') <= 9; }

/* Two digits as a number; over 99 where they are none. */
static inline unsigned fl_two(const uint8_t *p) {
    unsigned high = (uint8_t)(p[0] - '0'), low = (uint8_t)(p[1] - '0');
    return high > 9 || low > 9 ? 100 : 10 * high + low;
}

/* Up to eight digits that end at `end`, of which eight bytes before it are readable. */
static inline __attribute__((always_inline)) int fl_digits(const uint8_t *end, unsigned length,
                                                           uint64_t *value) {
    const uint64_t zeros = 0x3030303030303030u;
    uint64_t word = fl_load64(end - 8);
    if (length < 8) {
        uint64_t mask = ~(uint64_t)0 >> (8 * length);
        word = (word & ~mask) | (zeros & mask);
    }
    word ^= zeros;
    if ((word | (word + 0x0606060606060606u)) & 0xf0f0f0f0f0f0f0f0u)
        return 0;
    word = (word * (1 + (10 << 8))) >> 8 & 0x00ff00ff00ff00ffu;
    word = (word * (1 + (100 << 16))) >> 16 & 0x0000ffff0000ffffu;
    *value = (word * (1 + ((uint64_t)10000 << 32))) >> 32;
    return 1;
}

/* The size that ends at `end`: 1 to 18 digits, or "-". */
static inline __attribute__((always_inline)) int fl_size(const uint8_t *start, const uint8_t *end, uint64_t *size) {
    size_t length = (size_t)(end - start);
    if (length == 0 || length > 18)
        return 0;
    if (length <= 8) {
        if (fl_digits(end, (unsigned)length, size))
            return 1;
        *size = 0;
        return length == 1 && *start == '-';
    }
    uint64_t value = 0;
    for (; start < end; start++) {
        if (!fl_is_digit(*start))
            return 0;
        value = 10 * value + (*start - '0');
    }
    *size = value;
    return 1;
}

/* " 200" as 200, the tail in front; over 999 where it is none. */
static inline unsigned fl_status(const uint8_t *p, uint8_t tail) {
    uint32_t word = fl_load32(p) ^ (0x30303000u | tail);
    if ((word | (word + 0x06060600u)) & 0xf0f0f0ffu)
        return 1000;
    return (word >> 8 & 0xff) * 100 + (word >> 16 & 0xff) * 10 + (word >> 24);
}

static inline int fl_same_stamp(const uint8_t *a, const uint8_t *b) {
    return ((fl_load64(a) ^ fl_load64(b)) | (fl_load64(a + 8) ^ fl_load64(b + 8)) |
            (fl_load64(a + 16) ^ fl_load64(b + 16)) | (fl_load64(a + 22) ^ fl_load64(b + 22))) == 0;
}

/* 1 to 12 for the English name of a month, in any case; 0 where it is none. */
static inline unsigned fl_month(const uint8_t *p) {
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    for (unsigned month = 0; month < 12; month++)
        if ((p[0] | 0x20) == names[3 * month] && (p[1] | 0x20) == names[3 * month + 1] &&
            (p[2] | 0x20) == names[3 * month + 2])
            return month + 1;
    return 0;
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar; the year is 1 or more. */
static inline int64_t fl_days(int64_t year, unsigned month, unsigned day) {
    year -= month <= 2; /* years begin in March, so that the leap day ends one */
    int64_t era = year / 400;
    unsigned of_era = (unsigned)(year - era * 400);
    unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + (int64_t)(of_era * 365 + of_era / 4 - of_era / 100 + of_year) - 719468;
}

static inline unsigned fl_month_days(unsigned year, unsigned month) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

/* The second of a stamp " [dd/Mon/yyyy:HH:MM:SS +hhmm] ", which the next line is compared with. */
static int fl_new_stamp(fl_fold *fold, uint8_t tail, const uint8_t *p, int64_t *second) {
    unsigned minutes = fl_two(p + 17), seconds = fl_two(p + 20);
    if (p[16] != ':' || p[19] != ':' || minutes > 59 || seconds > 60)
        return 0;
    if (seconds == 60) /* a leap second counts in the one before it */
        seconds = 59;
    /* The same hour and zone as before: only minutes and seconds are new. */
    if (((fl_load64(p) ^ fl_load64(fold->stamp)) | (fl_load64(p + 8) ^ fl_load64(fold->stamp + 8)) |
         (fl_load64(p + 22) ^ fl_load64(fold->stamp + 22))) != 0) {
        unsigned day = fl_two(p + 2), month = fl_month(p + 5), century = fl_two(p + 9), of_century = fl_two(p + 11);
        unsigned hours = fl_two(p + 14), zone_hours = fl_two(p + 24), zone_minutes = fl_two(p + 26);
        unsigned year = century * 100 + of_century;
        if (p[0] != tail || p[1] != '[' || p[4] != '/' || p[8] != '/' || p[13] != ':' || p[22] != ' ' ||
            (p[23] != '+' && p[23] != '-') || p[28] != ']' || p[29] != tail)
            return 0;
        if (month == 0 || century > 99 || of_century > 99 || year == 0 || day == 0 || day > 31 ||
            day > fl_month_days(year, month) || hours > 23 || zone_hours > 23 || zone_minutes > 59)
            return 0;
        int64_t zone = (int64_t)zone_hours * 3600 + zone_minutes * 60;
        fold->stamp_hour = fl_days(year, month, day) * 86400 + hours * 3600 - (p[23] == '+' ? zone : -zone);
    }
    memcpy(fold->stamp, p, FL_STAMP);
    *second = fold->stamp_second = fold->stamp_hour + minutes * 60 + seconds;
    return 1;
}

/* Whether the second word is "-", the first one being of usual length. */
static inline int fl_has_dash(const uint8_t *p, size_t length) {
    uint32_t spaces = fl_mask32(p, ' ');
    if (!spaces)
        return 0;
    unsigned at = (unsigned)__builtin_ctz(spaces);
    return at + 2 < length && p[at + 1] == '-' && p[at + 2] == ' ';
}

/* As fl_head for a head of at most 64 bytes in which no word is empty and the user name holds no tail: 0
 * where it may be another one. */
static inline int fl_usual_head(const fl_shape *shape, uint8_t tail, const uint8_t *p, size_t length) {
    uint64_t tails = fl_mask32(p, tail);
    if (length > 32)
        tails |= (uint64_t)fl_mask32(p + 32, tail) << 32;
    tails &= FL_ALL >> (64 - length);
    uint64_t last = tails & (tails - 1); /* without the first of two, or the first two of three */
    last &= shape->words == 3 ? last - 1 : FL_ALL;
    if (!last || (last & (last - 1)) || tails & 1 || tails & tails << 1 || p[length - 1] == tail)
        return 0;
    const uint8_t *ident = p + __builtin_ctzll(tails) + 1;
    return !shape->vhost || ident[0] != '-' || ident[1] != ' ';
}

/* Whether a stamp, or what looks like one, may stand in a user name, whose bracket is behind a tail: then
 * the name ends there. Two bytes behind the name are the tail and the bracket of the line's own stamp. */
static int fl_has_stamp(uint8_t tail, const uint8_t *p, size_t length) {
    for (size_t at = 0; at + 1 < length; at++) {
        if (p[at] != tail || p[at + 1] != '[')
            continue;
        size_t close = at + 2;
        while (p[close] != '[' && p[close] != ']')
            close++;
        if (p[close] == ']' && p[close + 1] == tail && (p[close + 2] == '"' || p[close + 2] == '-'))
            return 1;
    }
    return 0;
}

/* Whether the words before the stamp are as many as they should be, none of them empty. The
 * last one, the user name, may hold spaces. */
static inline int fl_head(const fl_shape *shape, uint8_t tail, const uint8_t *p, size_t length) {
    size_t at = 0, word = 0;
    if (shape->dash && !fl_has_dash(p, length))
        return 0;
    if (length <= 64 && length && (shape->words == 2 || shape->words == 3) && fl_usual_head(shape, tail, p, length))
        return 1;
    for (int words = 0; words < shape->words; words++, at++) {
        for (word = at; at < length && p[at] != tail; at++)
            ;
        if (at == length || at == word)
            return 0;
        if (words == 0 && shape->vhost && at + 2 < length && p[at + 1] == '-' && p[at + 2] == ' ')
            return 0; /* in front of an ident of "-" stands a host */
    }
    if (at == length)
        return 0;
    return !fl_has_stamp(tail, p + at, length - at);
}

/* A letter of a method (RFC 9110 has more, logs have these). */
static inline int fl_is_method(uint8_t byte) {
    return (uint8_t)((byte | 0x20) - 'a') < 26 || byte == '-' || byte == '_';
}

static fl_key *fl_new_method(fl_fold *fold, const uint8_t *p, uint32_t length) {
    fl_key *key = fl_key_of(&fold->methods, p, length);
    if (key && length < 8 && fold->n_words < FL_WORDS) {
        uint64_t mask = length == 7 ? FL_ALL : ((uint64_t)1 << (8 * (length + 1))) - 1;
        fold->words[fold->n_words].mask = mask;
        fold->words[fold->n_words].word = fl_load64(p) & mask;
        fold->words[fold->n_words].key = (uint32_t)(key - fold->methods.keys);
        fold->words[fold->n_words++].length = length;
    }
    return key;
}

/* The section of a target: its path up to the second '/', a '?' or a '#'. */
static inline fl_key *fl_section(fl_fold *fold, const uint8_t *p, const uint8_t *stop) {
    static const uint8_t none[17] = "-";
    if (*p != '/') { /* absolute form: scheme and authority are cut */
        const uint8_t *at = p;
        if ((fl_load64(p) & ~((uint64_t)0xff << 56)) == 0x2f2f3a70747468u && stop - p >= 7) /* "http://" */
            at += 4;
        else if ((uint8_t)((*at | 0x20) - 'a') < 26)
            while (at < stop && ((uint8_t)((*at | 0x20) - 'a') < 26 || fl_is_digit(*at) || *at == '+' ||
                                 *at == '.' || *at == '-'))
                at++;
        if (at == p || stop - at < 3 || at[0] != ':' || at[1] != '/' || at[2] != '/')
            return fl_key_of(&fold->sections, none, 1);
        at += 3;
        for (unsigned step = 16; step == 16 && at < stop; at += step)
            step = fl_section_end(at);
        if (at >= stop || *at != '/')
            return fl_key_of(&fold->sections, none, 1);
        p = at;
    }
    const uint8_t *at = p + 1;
    for (unsigned step = 16; step == 16 && at < stop; at += step)
        step = fl_section_end(at);
    if (at > stop)
        at = stop;
    return fl_key_of(&fold->sections, p, (uint32_t)(at - p));
}

/* Method and section of the request between the quotes; "-" and "-" where it is none. */
static inline int fl_request(fl_fold *fold, const uint8_t *p, const uint8_t *stop, fl_key **section,
                             fl_key **method) {
    static const uint8_t none[17] = "-";
    uint64_t word = fl_load64(p);
    const uint8_t *at = p;
    *method = NULL;
    for (size_t i = 0; i < fold->n_words; i++)
        if ((word & fold->words[i].mask) == fold->words[i].word) {
            *method = fold->methods.keys + fold->words[i].key;
            at = p + fold->words[i].length;
            break;
        }
    if (!*method)
        while (at < stop && at - p < 33 && fl_is_method(*at))
            at++;
    const uint8_t *target = at;
    while (target < stop && *target == ' ')
        target++;
    if (at == p || at - p > 32 || target == at || target >= stop) {
        *section = fl_key_of(&fold->sections, none, 1);
        *method = fl_key_of(&fold->methods, none, 1);
    } else {
        if (!*method)
            *method = fl_new_method(fold, p, (uint32_t)(at - p));
        *section = fl_section(fold, target, stop);
    }
    if (*section && *method)
        return 1;
    fold->failed = 1;
    return 0;
}

/* The target of a request as it stands; "-" where it is none. */
static inline void fl_target(fl_seen *seen, const uint8_t *p, const uint8_t *stop) {
    static const uint8_t none[17] = "-";
    const uint8_t *at = p;
    while (at < stop && at - p < 33 && fl_is_method(*at))
        at++;
    const uint8_t *target = at;
    while (target < stop && *target == ' ')
        target++;
    seen->target = none;
    seen->target_length = 1;
    if (at == p || at - p > 32 || target == at || target >= stop)
        return;
    for (at = target; at < stop && *at != ' '; at++)
        ;
    seen->target = target;
    seen->target_length = (uint32_t)(at - target);
}

/* The target where it stands apart from the method, and there is one. */
static inline void fl_target_apart(fl_seen *seen, const uint8_t *p, const uint8_t *stop) {
    const uint8_t *space = (const uint8_t *)memchr(p, ' ', (size_t)(stop - p));
    seen->target = p;
    seen->target_length = (uint32_t)((space ? space : stop) - p);
}

/* The host of a field, less what stands before a space in it: `host_of` of hits.py. */
static inline void fl_host_seen(fl_seen *seen, const uint8_t *p, const uint8_t *stop) {
    const uint8_t *at = stop;
    while (at > p && at[-1] != ' ')
        at--;
    seen->host.text = at;
    seen->host.length = (uint32_t)(stop - at);
}

/* How many of 16 bytes stand before the first that is `stop`. */
static inline size_t fl_before(const uint8_t *p, uint8_t stop) {
#ifdef FL_X86
    const __m128i found = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)p), _mm_set1_epi8((char)stop));
    return (size_t)__builtin_ctz((unsigned)_mm_movemask_epi8(found) | 1u << 16);
#else
    size_t n = 0;
    while (n < 16 && p[n] != stop)
        n++;
    return n;
#endif
}

/* The host where it is the word of that number. */
static inline void fl_host_word(fl_seen *seen, uint8_t tail, const uint8_t *p, const uint8_t *stop, int number) {
    for (; number > 0 && p < stop; number -= *p++ == tail)
        ;
    const uint8_t *at = p + fl_before(p, tail);
    while (at < stop && *at != tail)
        at++;
    at = at < stop ? at : stop;
    if (tail != ' ') {
        fl_host_seen(seen, p, at);
        return;
    }
    seen->host.text = p;
    seen->host.length = (uint32_t)(at - p);
}

/* What the rules need of a hit that fl_hit has counted, of what every format has. */
static inline fl_seen *fl_see(fl_fold *fold, const fl_key *section, const fl_key *method, unsigned status,
                              uint64_t size) {
    fl_seen *seen = fl_rules_next(fold->rules);
    seen->section = (uint32_t)(section - fold->sections.keys);
    seen->method = (uint32_t)(method - fold->methods.keys);
    seen->status = status;
    seen->size = size;
    seen->duration = FL_NO_DURATION;
    return seen;
}

/* A hit of a line: counted, and shown to the rules; 0 where these ask something first. */
static inline int fl_line_hit(const fl_shape *shape, fl_fold *fold, const uint8_t *start, const uint8_t *open,
                              const uint8_t *close, int64_t second, unsigned status, uint64_t size) {
    fl_key *section, *method;
    if (!fl_request(fold, open + 1, close, &section, &method))
        return 1;
    fl_hit(fold, second, section, method, status, size);
    if (!fold->rules || (fold->rules->has_cells &&
                         fl_rules_alike(fold->rules, second, (uint32_t)(section - fold->sections.keys),
                                        (uint32_t)(method - fold->methods.keys), status, size)))
        return 1;
    fl_seen *seen = fl_see(fold, section, method, status, size);
    if (fold->rules->has_hosts)
        fl_host_word(seen, shape->tail, start, open, shape->host);
    if (fold->rules->outcomes.looked_at[FL_OF_TARGET])
        fl_target(seen, open + 1, close);
    return fl_rules_count(fold->rules, fold);
}

/* Whether an odd number of backslashes stands before a quote, none of them before `from`. */
static inline int fl_escaped(const uint8_t *quote, const uint8_t *from) {
    const uint8_t *at = quote;
    while (at > from && at[-1] == '\\')
        at--;
    return (quote - at) & 1;
}

/* Status and size behind the closing quote of a request, up to `end` or a tail. */
static inline const uint8_t *fl_answer(const uint8_t *quote, const uint8_t *end, uint8_t tail, unsigned *status,
                                       uint64_t *size) {
    if (end - quote < 7 || quote[5] != tail || (*status = fl_status(quote + 1, tail)) > 999)
        return NULL;
    const uint8_t *at = quote + 6;
    while (at < end && *at != tail && at - quote < 6 + 19)
        at++;
    return (at == end || *at == tail) && fl_size(quote + 6, at, size) ? at : NULL;
}

/* Where the request and what is behind it stand. */
typedef struct {
    const uint8_t *close;
    unsigned status;
    uint64_t size;
} fl_fields;

/* The fields behind the stamp of a line that has escaped quotes, stray ones or further fields: 1; 0 where it
 * is not certain what they are, -1 where it is that they are not all there. */
static int fl_hard_fields(const fl_shape *shape, const uint8_t *data, const uint32_t *quotes, size_t n,
                          const uint8_t *end, fl_fields *fields) {
    const uint8_t *open = data + quotes[0], *at = NULL;
    uint8_t tail = shape->tail;
    size_t i = 1;
    for (; i < n && !at; i++) {
        fields->close = data + quotes[i];
        if (!fl_escaped(fields->close, open + 1))
            at = fl_answer(fields->close, end, tail, &fields->status, &fields->size);
    }
    if (!at)
        return -1;
    for (int field = 0; field < shape->quoted; field++) {
        int last = field + 1 == shape->quoted;
        if (end - at > 1 && *at == tail && at[1] == '-')
            return 0; /* a bare "-" may be the field */
        if (end - at <= 1 || *at != tail || i >= n || data + quotes[i] != at + 1)
            return -1;
        const uint8_t *begin = at + 2;
        for (i++, at = NULL; i < n && !at; i++) {
            const uint8_t *quote = data + quotes[i];
            if (fl_escaped(quote, begin))
                continue;
            if (last ? quote + 1 == end || quote[1] == tail : quote + 2 < end && quote[1] == tail && quote[2] == '"')
                at = quote + 1;
            else if (!last && quote + 2 < end && quote[1] == tail && quote[2] == '-')
                return 0; /* a bare "-" may be the next field */
        }
        if (!at)
            return -1;
    }
    return 1;
}

/* As fl_line, of the fields behind the stamp of a hard line. */
static int fl_hard_line(const fl_shape *shape, fl_fold *fold, const uint8_t *data, const uint8_t *start,
                        const uint32_t *quotes, size_t n, const uint8_t *end, int64_t second) {
    fl_fields fields;
    return fl_hard_fields(shape, data, quotes, n, end, &fields) > 0 &&
           fl_line_hit(shape, fold, start, data + quotes[0], fields.close, second, fields.status, fields.size);
}

/* Count a line; 0 where it is not certain that it is a hit, and which, or rules ask something
 * about it (`asks` of rules.h), which is then a counted hit. `quotes` are the
 * offsets in `data` of its `n` quotes; it begins at `line`, its newline is at `newline`. `tail`
 * is the shape's: a constant where it is called, so that either has code of its own. */
static inline int fl_line(const fl_shape *shape, uint8_t tail, fl_fold *fold, const uint8_t *data,
                          size_t line, const uint32_t *quotes, size_t n, size_t newline) {
    if (n < 2 || quotes[0] < line + FL_STAMP + 5)
        return 0;
    const uint8_t *start = data + line, *open = data + quotes[0], *end = data + newline;
    end -= end[-1] == '\r';
    if (end - start > FL_LINE_LIMIT)
        return 0;
    const uint8_t *stamp = open - FL_STAMP;
    int64_t second = fold->stamp_second;
    if (!fl_same_stamp(stamp, fold->stamp) && !fl_new_stamp(fold, tail, stamp, &second))
        return 0;
    if (!fl_head(shape, tail, start, (size_t)(stamp - start)))
        return 0;
    const uint8_t *close = data + quotes[1];
    unsigned status;
    uint64_t size;
    if (n != 2 + 2 * (size_t)shape->quoted || close[-1] == '\\' || end - close < 7 || close[5] != tail ||
        (status = fl_status(close + 1, tail)) > 999)
        return fl_hard_line(shape, fold, data, start, quotes, n, end, second);
    const uint8_t *size_end = end;
    if (shape->quoted) {
        const uint8_t *referrer = data + quotes[3], *agent = data + quotes[5];
        size_end = data + quotes[2] - 1;
        if (*size_end != tail || referrer[-1] == '\\' || quotes[4] != quotes[3] + 2 || referrer[1] != tail ||
            agent[-1] == '\\' || (agent + 1 != end && agent[1] != tail))
            return fl_hard_line(shape, fold, data, start, quotes, n, end, second);
    }
    if (size_end < close + 7 || !fl_size(close + 6, size_end, &size))
        return fl_hard_line(shape, fold, data, start, quotes, n, end, second);
    return fl_line_hit(shape, fold, start, open, close, second, status, size);
}

#endif
