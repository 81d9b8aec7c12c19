/* A JSON line becomes a hit, if it is certain what the format's keys make of it.
 *
 * One walk over the line checks that it is JSON, all of it (RFC 8259), and notes where the
 * values of the wanted keys stand; nothing is copied or decoded. What would need that, or
 * could be read in two ways, is left to the definition (JsonParser.parse): an escape in a
 * wanted value or in any key, a wanted key that comes twice, numbers with an exponent, a
 * value of a kind that the format does not expect. So a line is never counted that the
 * definition rejects. Bytes over 0x7f count for nothing in what is passed over, as there.
 *
 * Every loop ends at the line's newline at the latest: it is a control character, which no
 * string may hold, and part of no number, word or white space. A string is read 16 bytes at
 * once, so up to 16 bytes behind the newline are. Past 300 lines: the walk and what it takes of the
 * values are one state.
 */
#ifndef FASTLOG_JSON_H
#define FASTLOG_JSON_H

#include "block.h"

#define FL_JSON_KEYS 64 /* MOST_KEYS of keys_program.py; a bit for each in a word */
#define FL_JSON_NODES 16
#define FL_JSON_DEPTH 64
#define FL_JSON_HEADS 64

/* JSON_ROLES of keys_program.py */
enum {
    FL_J_TIME, FL_J_REQUEST, FL_J_METHOD, FL_J_TARGET, FL_J_STATUS, FL_J_SIZE, FL_J_DURATION, FL_J_HOST, FL_J_ROLES
};

/* A key that is looked for in one object: its value counts as `slot`, or holds the keys of the node `child`. */
typedef struct {
    const uint8_t *text;
    uint32_t length;
    uint8_t slot, child; /* child: 0 where it is a value */
    uint8_t next;        /* the next one of the same node and hash, by number + 1 */
} fl_json_key;

typedef struct {
    uint8_t heads[FL_JSON_HEADS]; /* the first key of each hash, by number + 1 */
} fl_json_node;

typedef struct {
    fl_json_key keys[FL_JSON_KEYS];
    fl_json_node nodes[FL_JSON_NODES]; /* the first is the line itself */
    int n_keys;
    uint8_t first[FL_J_ROLES + 1]; /* the slots of a role begin here, in the order in which they count */
    double unit;                   /* of a duration, in microseconds */
    int has_status;                /* a line without one is none of the format */
    fl_stamp iso, clf, other;
} fl_json;

enum { FL_J_ABSENT, FL_J_STRING, FL_J_NUMBER, FL_J_NULL };

typedef struct {
    const uint8_t *at, *stop; /* of a string, between its quotes */
} fl_json_value;

/* What a line holds. */
typedef struct {
    const uint8_t *line;
    uint64_t seen; /* keys, by number */
    uint8_t kinds[FL_JSON_KEYS];
    fl_json_value values[FL_JSON_KEYS];
} fl_json_found;

static inline unsigned fl_json_hash(const uint8_t *text, size_t length) {
    return (unsigned)(length * 7 + text[0] + (length ? 3u * text[length - 1] : 0)) % FL_JSON_HEADS;
}

/* Look for one more key in the objects of a node. */
static inline void fl_json_want(fl_json *json, int node, const uint8_t *text, uint32_t length, int slot, int child) {
    uint8_t *head = json->nodes[node].heads + fl_json_hash(text, length);
    json->keys[json->n_keys] = (fl_json_key){text, length, (uint8_t)slot, (uint8_t)child, *head};
    *head = (uint8_t)++json->n_keys;
}

static inline const uint8_t *fl_json_space(const uint8_t *p) {
    while (*p == ' ' || *p == '\t' || *p == '\r')
        p++;
    return p;
}

static inline int fl_is_hex(uint8_t byte) { return fl_is_digit(byte) || (uint8_t)((byte | 0x20) - 'a') < 6; }

/* Behind an escape; NULL where it is none, or half of a surrogate pair. */
static inline const uint8_t *fl_json_escape(const uint8_t *p) {
    switch (p[1]) {
    case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
        return p + 2;
    case 'u':
        if (fl_is_hex(p[2]) && (p[2] | 0x20) != 'd' && fl_is_hex(p[3]) && fl_is_hex(p[4]) && fl_is_hex(p[5]))
            return p + 6;
    }
    return NULL;
}

/* The quote that ends the string whose first byte is at `p`; NULL where none does. `*plain` becomes 0
 * where the string holds an escape or a byte over 0x7f. */
static inline const uint8_t *fl_json_string_end(const uint8_t *p, int *plain) {
    for (;;) {
#ifdef FL_X86
        __m128i bytes = _mm_loadu_si128((const __m128i *)p);
        __m128i stops = _mm_or_si128(
            _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))),
            _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes));
        uint32_t mask = (uint32_t)_mm_movemask_epi8(stops), high = (uint32_t)_mm_movemask_epi8(bytes);
        if (high & (mask ? (mask & -mask) - 1 : 0xffff))
            *plain = 0;
        if (!mask) {
            p += 16;
            continue;
        }
        p += __builtin_ctz(mask);
#else
        for (; *p != '"' && *p != '\\' && *p >= 0x20; p++)
            if (*p >= 0x80)
                *plain = 0;
#endif
        if (*p == '"')
            return p;
        *plain = 0;
        if (*p != '\\' || !(p = fl_json_escape(p)))
            return NULL;
    }
}

/* Behind a number without an exponent; NULL where it is none. */
static inline const uint8_t *fl_json_number_end(const uint8_t *p) {
    p += *p == '-';
    const uint8_t *digits = p;
    while (fl_is_digit(*p))
        p++;
    if (p == digits || (*digits == '0' && p - digits > 1))
        return NULL;
    if (*p == '.') {
        digits = ++p;
        while (fl_is_digit(*p))
            p++;
        if (p == digits)
            return NULL;
    }
    return (*p | 0x20) == 'e' ? NULL : p;
}

/* Behind true, false or null; NULL where it is none of them. */
static inline const uint8_t *fl_json_word_end(const uint8_t *p) {
    uint32_t word = fl_load32(p);
    if (word == 0x65757274 || word == 0x6c6c756e) /* "true", "null" */
        return p + 4;
    return word == 0x736c6166 && p[4] == 'e' ? p + 5 : NULL;
}

/* Behind the quoted key and the colon that follow; NULL where there are none. */
static inline const uint8_t *fl_json_behind_key(const uint8_t *p) {
    int plain;
    if (*p != '"' || !(p = fl_json_string_end(p + 1, &plain)))
        return NULL;
    p = fl_json_space(p + 1);
    return *p == ':' ? fl_json_space(p + 1) : NULL;
}

/* Behind any value; NULL where there is none. */
static const uint8_t *fl_json_pass(const uint8_t *p) {
    uint64_t objects = 0; /* of the containers that are open, the innermost one lowest */
    int depth = 0, plain;
    for (;;) {
        if (*p == '{' || *p == '[') {
            if (++depth == FL_JSON_DEPTH)
                return NULL;
            int is_object = *p == '{';
            objects = objects << 1 | (uint64_t)is_object;
            p = fl_json_space(p + 1);
            if (*p != (is_object ? '}' : ']')) {
                if (is_object && !(p = fl_json_behind_key(p)))
                    return NULL;
                continue;
            }
        } else if (*p == '"') {
            if (!(p = fl_json_string_end(p + 1, &plain)))
                return NULL;
            p++;
        } else if (!(p = *p == '-' || fl_is_digit(*p) ? fl_json_number_end(p) : fl_json_word_end(p))) {
            return NULL;
        }
        /* A value is over, or `p` is where a container closes that has none. */
        for (;; p++) {
            int closes;
            if (!depth)
                return p;
            p = fl_json_space(p);
            closes = *p == (objects & 1 ? '}' : ']');
            if (!closes)
                break;
            objects >>= 1;
            depth--;
        }
        if (*p != ',')
            return NULL;
        p = fl_json_space(p + 1);
        if (objects & 1 && !(p = fl_json_behind_key(p)))
            return NULL;
    }
}

/* The number + 1 of the key of a node with that text; 0 where it looks for none. */
static inline unsigned fl_json_find(const fl_json *json, int node, const uint8_t *text, size_t length) {
    unsigned number = json->nodes[node].heads[fl_json_hash(text, length)];
    for (; number; number = json->keys[number - 1].next) {
        const fl_json_key *key = json->keys + number - 1;
        if (key->length == length && !memcmp(key->text, text, length))
            break;
    }
    return number;
}

/* Note the value of a wanted key, and where it ends; NULL where it is of an unexpected kind. */
static inline const uint8_t *fl_json_take(fl_json_found *found, unsigned slot, const uint8_t *p) {
    const uint8_t *stop;
    int plain = 1;
    if (*p == '"') {
        stop = fl_json_string_end(p + 1, &plain);
        if (!stop || !plain)
            return NULL;
        found->kinds[slot] = FL_J_STRING;
        found->values[slot] = (fl_json_value){p + 1, stop};
        return stop + 1;
    }
    if (*p == '-' || fl_is_digit(*p)) {
        stop = fl_json_number_end(p);
        found->kinds[slot] = FL_J_NUMBER;
        found->values[slot] = (fl_json_value){p, stop};
        return stop;
    }
    found->kinds[slot] = FL_J_NULL;
    return fl_load32(p) == 0x6c6c756e ? p + 4 : NULL;
}

/* Behind the object at `p`, whose wanted keys are those of `node`; NULL where it is not certain. */
static const uint8_t *fl_json_object(const fl_json *json, fl_json_found *found, int node, const uint8_t *p) {
    if (*p != '{')
        return NULL;
    p = fl_json_space(p + 1);
    if (*p == '}')
        return p + 1;
    for (;; p = fl_json_space(p + 1)) {
        int plain = 1;
        const uint8_t *key = p + 1;
        if (*p != '"' || !(p = fl_json_string_end(key, &plain)))
            return NULL;
        if (!plain && memchr(key, '\\', (size_t)(p - key)))
            return NULL; /* it may spell a wanted key */
        unsigned number = fl_json_find(json, node, key, (size_t)(p - key));
        p = fl_json_space(p + 1);
        if (*p != ':')
            return NULL;
        p = fl_json_space(p + 1);
        if (!number) {
            p = fl_json_pass(p);
        } else {
            const fl_json_key *wanted = json->keys + number - 1;
            uint64_t bit = (uint64_t)1 << (number - 1);
            if (found->seen & bit)
                return NULL; /* which of the two counts is for the definition to say */
            found->seen |= bit;
            p = wanted->child ? fl_json_object(json, found, wanted->child, p) : fl_json_take(found, wanted->slot, p);
        }
        if (!p)
            return NULL;
        p = fl_json_space(p);
        if (*p == '}')
            return p + 1;
        if (*p != ',')
            return NULL;
    }
}

/* The slot of a role that counts: the first that is there and no null; -1 where none is. */
static inline int fl_json_slot(const fl_json *json, const fl_json_found *found, int role) {
    for (int slot = json->first[role]; slot < json->first[role + 1]; slot++)
        if (found->kinds[slot] == FL_J_STRING || found->kinds[slot] == FL_J_NUMBER)
            return slot;
    return -1;
}

/* The second of a number of seconds, milli-, micro- or nanoseconds since the epoch, told by its size; 0
 * where it is not certain. `is_text` says that it is one in a string. */
static inline int fl_json_epoch(const uint8_t *p, const uint8_t *stop, int is_text, int64_t *second) {
    const uint8_t *at = p;
    while (at < stop && fl_is_digit(*at))
        at++;
    if (at == p || at - p > 19 || (at - p == 19 && *p == '9'))
        return 0;
    int64_t value = fl_number(p, at, 19);
    if (at < stop) {
        ptrdiff_t digits = stop - at - 1;
        if (*at != '.' || digits < 1 || digits > 12 || fl_number(at + 1, stop, 12) < 0)
            return 0;
        /* As a float it may count as a whole second more. */
        if (!is_text && (value >= 100000000000 || (digits >= 4 && fl_load32(at + 1) == 0x39393939)))
            return 0;
    }
    *second = value < 100000000000         ? value
              : value < 100000000000000    ? value / 1000
              : value < 100000000000000000 ? value / 1000000
                                           : value / 1000000000;
    return 1;
}

static inline int fl_json_stamp(fl_json *json, const uint8_t *p, const uint8_t *stop, int64_t *second) {
    size_t length = (size_t)(stop - p);
    fl_stamp *other = &json->other;
    if (length >= 19 && length < FL_MOST_STAMP) {
        if (p[10] == 'T' && fl_stamp_at(&json->iso, p, second) == stop)
            return 1;
        if (length == 26 && p[2] == '/' && fl_stamp_at(&json->clf, p, second) == stop)
            return 1;
    }
    if (length && other->length == length && fl_same(p, other->text, (uint32_t)length)) {
        *second = other->second;
        return 1;
    }
    return fl_json_epoch(p, stop, 1, second);
}

/* Remember what the definition made of a stamp; `text` is readable for FL_MOST_STAMP bytes more. */
static inline void fl_json_learn(fl_json *json, const uint8_t *text, size_t length, int64_t second) {
    fl_stamp_learn(&json->iso, text, length, second);
    fl_stamp_learn(&json->other, text, length, second);
}

static inline int fl_json_time(fl_json *json, const fl_json_found *found, int64_t *second) {
    int slot = fl_json_slot(json, found, FL_J_TIME);
    if (slot < 0)
        return 0;
    const fl_json_value *value = found->values + slot;
    if (found->kinds[slot] == FL_J_NUMBER)
        return fl_json_epoch(value->at, value->stop, 0, second);
    return fl_json_stamp(json, value->at, value->stop, second);
}

/* Status and size; 0 where they are not certain. */
static inline int fl_json_answer(const fl_json *json, const fl_json_found *found, unsigned *status, uint64_t *size) {
    int slot = fl_json_slot(json, found, FL_J_STATUS);
    *status = 0;
    *size = 0;
    if (slot < 0 && json->has_status)
        return 0;
    if (slot >= 0) {
        const fl_json_value *value = found->values + slot;
        ptrdiff_t length = value->stop - value->at;
        int64_t number = fl_number(value->at, value->stop, 3);
        int is_none = found->kinds[slot] == FL_J_STRING && (length == 0 || (length == 1 && *value->at == '-'));
        if (!is_none && (number < 0 || (found->kinds[slot] == FL_J_STRING && length != 3)))
            return 0;
        *status = is_none ? 0 : (unsigned)number;
    }
    slot = fl_json_slot(json, found, FL_J_SIZE);
    if (slot < 0)
        return 1;
    const fl_json_value *value = found->values + slot;
    if (value->stop == value->at)
        return 1;
    if (value->stop - found->line < 8) /* of bytes before the line nothing is known */
        return 0;
    return fl_size(value->at, value->stop, size);
}

/* The duration in microseconds, -1 where there is none; 0 is returned where it is not certain. Of up to 15
 * digits number and power of ten are exact, so that the quotient is the float that Python reads. */
static inline int fl_json_duration(const fl_json *json, const fl_json_found *found, int64_t *duration) {
    static const double tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    int slot = fl_json_slot(json, found, FL_J_DURATION);
    *duration = -1;
    if (slot < 0)
        return 1;
    const uint8_t *p = found->values[slot].at, *stop = found->values[slot].stop, *at = fl_digits_end(p);
    ptrdiff_t digits = 0;
    if (at == p || stop - p > 16)
        return 0;
    int64_t number = fl_number(p, at, 15);
    if (at < stop) {
        digits = stop - at - 1;
        int64_t fraction = fl_number(at + 1, stop, 15);
        if (*at != '.' || digits + (at - p) > 15 || fraction < 0)
            return 0;
        number = number * (int64_t)tens[digits] + fraction;
    }
    if (number < 0)
        return 0;
    double micros = (double)number / tens[digits] * json->unit;
    *duration = micros < 1e18 ? (int64_t)micros : (int64_t)1e18;
    return 1;
}

/* Method and section; 0 where they are not certain. */
static inline int fl_json_request(const fl_json *json, fl_fold *fold, const fl_json_found *found, fl_key **section,
                                  fl_key **method) {
    int slot = fl_json_slot(json, found, FL_J_REQUEST);
    if (slot >= 0)
        return found->kinds[slot] == FL_J_STRING &&
               fl_request(fold, found->values[slot].at, found->values[slot].stop, section, method);
    slot = fl_json_slot(json, found, FL_J_TARGET);
    if (slot < 0 || found->kinds[slot] != FL_J_STRING)
        return 0;
    const fl_json_value *target = found->values + slot;
    slot = fl_json_slot(json, found, FL_J_METHOD);
    if (slot < 0)
        return fl_apart(fold, NULL, NULL, target->at, target->stop, section, method);
    return found->kinds[slot] == FL_J_STRING && fl_apart(fold, found->values[slot].at, found->values[slot].stop,
                                                         target->at, target->stop, section, method);
}

/* Show a hit to the rules; 0 where these ask something first. */
static int fl_json_rules(const fl_json *json, fl_fold *fold, const fl_json_found *found, fl_seen *seen,
                         int64_t duration) {
    static const uint8_t none[17] = "-";
    seen->duration = duration < FL_LONGEST_PART ? duration : FL_LONGEST_PART;
    int slot = fl_json_slot(json, found, FL_J_HOST);
    seen->host.text = slot < 0 ? none : found->values[slot].at;
    seen->host.length = slot < 0 ? 1 : (uint32_t)(found->values[slot].stop - seen->host.text);
    slot = fl_json_slot(json, found, FL_J_REQUEST);
    if (slot >= 0) {
        fl_target(seen, found->values[slot].at, found->values[slot].stop);
    } else {
        slot = fl_json_slot(json, found, FL_J_TARGET);
        fl_target_apart(seen, found->values[slot].at, found->values[slot].stop);
    }
    return fl_rules_count(fold->rules, fold);
}

/* As fl_line, by the keys. */
static inline int fl_json_line(fl_json *json, fl_fold *fold, const uint8_t *p, const uint8_t *newline) {
    fl_json_found found;
    if (newline - p > FL_LINE_LIMIT)
        return 0;
    found.line = p;
    found.seen = 0;
    memset(found.kinds, FL_J_ABSENT, sizeof found.kinds);
    const uint8_t *end = fl_json_object(json, &found, 0, fl_json_space(p));
    if (!end || fl_json_space(end) != newline)
        return 0;
    int64_t second, duration;
    unsigned status;
    uint64_t size;
    fl_key *section, *method;
    if (!fl_json_time(json, &found, &second) || !fl_json_answer(json, &found, &status, &size) ||
        !fl_json_duration(json, &found, &duration))
        return 0;
    int host = fl_json_slot(json, &found, FL_J_HOST);
    if (host >= 0 && found.kinds[host] != FL_J_STRING)
        return 0;
    if (!fl_json_request(json, fold, &found, &section, &method))
        return fold->failed; /* with memory gone the chunk does not count, nor go to the definition */
    fl_hit(fold, second, section, method, status, size);
    fl_hit_duration(fold, duration);
    return !fold->rules ||
           fl_json_rules(json, fold, &found, fl_see(fold, section, method, status, size), duration);
}

/* As fl_block_fold; no index is made, since a line is read from its start to its end. */
static int fl_json_fold(fl_block *block, fl_json *json, fl_fold *fold, size_t *start, size_t *stop) {
    while (block->line < block->length) {
        const uint8_t *line = block->data + block->line;
        const uint8_t *newline = (const uint8_t *)memchr(line, '\n', block->length - block->line);
        size_t at = block->line;
        block->line = (size_t)(newline + 1 - block->data);
        block->lines++;
        if (!fl_json_line(json, fold, line, newline)) {
            *start = at;
            *stop = block->line - 1;
            return 1;
        }
    }
    return 0;
}

#endif
