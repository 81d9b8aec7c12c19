/* The stamp of a line to its second, for every form that formats/stamps.py has a name for.
 *
 * A stamp whose text is that of the one before, but for the fraction, is not read again.
 * One that does not say its zone is read here where the zone is UTC; in any other zone,
 * and for a form that has no name, the regex parser reads a new text once
 * (fl_stamp_learn), and only lines with the same text are certain.
 *
 * Past 300 lines: how a stamp is read, and how the last one is known again, must agree form by form.
 */
#ifndef FASTLOG_STAMP_H
#define FASTLOG_STAMP_H

#include "line.h"

/* STAMPS of program.py */
enum { FL_CLF, FL_CLF_LOCAL, FL_ISO, FL_SECONDS, FL_MILLIS, FL_MICROS, FL_DATE, FL_OTHER };

#define FL_MOST_STAMP 64

typedef struct {
    int form, utc;               /* utc: a stamp without a zone is in UTC */
    uint8_t text[FL_MOST_STAMP]; /* the last stamp without its fraction, at most FL_MOST_STAMP - 8 bytes */
    uint32_t length;             /* of it; 0 where there is no last one */
    int64_t second;
} fl_stamp;

/* Bytes before the fraction, by the form. */
static const uint32_t fl_stamp_heads[] = {26, 20, 19, 0, 0, 0, 19, 0};

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

/* How many of the eight bytes at `p` are digits that stand before another byte; 0 where all are. */
static inline unsigned fl_few_digits(const uint8_t *p) {
    uint64_t digits = fl_load64(p) ^ 0x3030303030303030u;
    uint64_t other = (digits | (digits + 0x7676767676767676u)) & 0x8080808080808080u;
    return other ? (unsigned)__builtin_ctzll(other) >> 3 : 0;
}

/* Behind a fraction of a second: "." or "," and 1 to 12 digits; NULL where it has none or more. */
static inline const uint8_t *fl_fraction(const uint8_t *p) {
    const uint8_t *at = fl_digits_end(p + 1);
    return at == p + 1 || at - p > 13 ? NULL : at;
}

/* "HH:MM:SS" as seconds; -1 where it is none. A leap second counts in the one before it. */
static inline int64_t fl_clock(const uint8_t *p) {
    unsigned hours = fl_two(p), minutes = fl_two(p + 3), seconds = fl_two(p + 6);
    if (p[2] != ':' || p[5] != ':' || hours > 23 || minutes > 59 || seconds > 60)
        return -1;
    return (int64_t)hours * 3600 + minutes * 60 + (seconds == 60 ? 59 : seconds);
}

static int fl_date_days(unsigned century, unsigned of_century, unsigned month, unsigned day, int64_t *days) {
    unsigned year = century * 100 + of_century;
    /* The first years are for Python: there a zone may lead out of the calendar. */
    if (century == 0 || century > 99 || of_century > 99 || month == 0 || month > 12 || day == 0 || day > 31 ||
        day > fl_month_days(year, month))
        return 0;
    *days = fl_days(year, month, day);
    return 1;
}

/* "Z", "+hh:mm" or "+hhmm" of `length` bytes as seconds east of UTC; 0 where it is none of them. */
static int fl_zone(const uint8_t *p, uint32_t length, int64_t *east) {
    if (length == 1 && *p == 'Z') {
        *east = 0;
        return 1;
    }
    if ((length != 5 && length != 6) || (*p != '+' && *p != '-') || (length == 6 && p[3] != ':'))
        return 0;
    unsigned hours = fl_two(p + 1), minutes = fl_two(p + length - 2);
    if (hours > 23 || minutes > 59)
        return 0;
    *east = (int64_t)hours * 3600 + minutes * 60;
    if (*p == '-')
        *east = -*east;
    return 1;
}

/* The second of a stamp that is not the last one: `head` bytes in `text`, then the zone. */
static int fl_stamp_read(const fl_stamp *stamp, const uint8_t *text, uint32_t length, int64_t *second) {
    int64_t days, clock, east = 0;
    uint32_t head = fl_stamp_heads[stamp->form];
    if (stamp->form == FL_CLF || stamp->form == FL_CLF_LOCAL) {
        if (text[2] != '/' || text[6] != '/' || text[11] != ':' ||
            !fl_date_days(fl_two(text + 7), fl_two(text + 9), fl_month(text + 3), fl_two(text), &days))
            return 0;
        clock = fl_clock(text + 12);
    } else {
        uint8_t between = text[10];
        if (text[4] != '-' || text[7] != '-' || (stamp->form == FL_ISO ? between != 'T' : between != ' ') ||
            !fl_date_days(fl_two(text), fl_two(text + 2), fl_two(text + 5), fl_two(text + 8), &days))
            return 0;
        clock = fl_clock(text + 11);
    }
    if (clock < 0)
        return 0;
    if (stamp->form == FL_CLF) {
        if (text[20] != ' ' || !fl_zone(text + 21, 5, &east))
            return 0;
    } else if (length > head) {
        if (!fl_zone(text + head, length - head, &east))
            return 0;
    } else if (!stamp->utc) {
        return 0;
    }
    *second = days * 86400 + clock - east;
    return 1;
}

static inline int fl_same(const uint8_t *a, const uint8_t *b, uint32_t length) {
    for (; length >= 8; a += 8, b += 8, length -= 8)
        if (fl_load64(a) != fl_load64(b))
            return 0;
    return length == 0 || ((fl_load64(a) ^ fl_load64(b)) & ~(~(uint64_t)0 << (8 * length))) == 0;
}

/* Whether the first `length` bytes are the same: 18 to 32, as of all stamps that are read here. */
static inline int fl_same_head(const uint8_t *a, const uint8_t *b, uint32_t length) {
    uint32_t back = length - 8;
    uint64_t other = (fl_load64(a) ^ fl_load64(b)) | (fl_load64(a + 8) ^ fl_load64(b + 8)) |
                     (fl_load64(a + back) ^ fl_load64(b + back));
    return (length > 24 ? other | (fl_load64(a + 16) ^ fl_load64(b + 16)) : other) == 0;
}

/* As fl_stamp_read; where only minutes and seconds are not those of the last stamp, nothing else is read. */
static int fl_stamp_next(const fl_stamp *stamp, const uint8_t *text, uint32_t length, int64_t *second) {
    uint32_t at = stamp->form == FL_CLF || stamp->form == FL_CLF_LOCAL ? 15 : 14, rest = at + 5;
    int zoned = stamp->form == FL_CLF || stamp->utc || length > fl_stamp_heads[stamp->form];
    if (!zoned || length != stamp->length || !fl_same(text, stamp->text, at) ||
        !fl_same(text + rest, stamp->text + rest, length - rest))
        return fl_stamp_read(stamp, text, length, second);
    unsigned minutes = fl_two(text + at), seconds = fl_two(text + at + 3), last = fl_two(stamp->text + at + 3);
    if (text[at + 2] != ':' || minutes > 59 || seconds > 60)
        return 0;
    int64_t moved = ((int64_t)minutes - fl_two(stamp->text + at)) * 60 + (seconds == 60 ? 59 : seconds);
    *second = stamp->second + moved - (last == 60 ? 59 : last);
    return 1;
}

/* Digits up to `stop` as a number: 1 to `most`; -1 where they are not. */
static inline int64_t fl_number(const uint8_t *p, const uint8_t *stop, ptrdiff_t most) {
    uint64_t value = 0;
    if (stop == p || stop - p > most)
        return -1;
    for (; stop - p > 8; p += 8) {
        uint64_t eight;
        if (!fl_digits(p + 8, 8, &eight))
            return -1;
        value = value * 100000000 + eight;
    }
    for (; p < stop; p++) {
        if (!fl_is_digit(*p))
            return -1;
        value = 10 * value + (uint64_t)(*p - '0');
    }
    return (int64_t)value;
}

/* Epoch seconds with or without a fraction, milli- or microseconds: where it ends, or NULL. */
static inline const uint8_t *fl_epoch(fl_stamp *stamp, const uint8_t *p, int64_t *second) {
    const uint8_t *at = fl_digits_end(p);
    /* One digit less than the definition allows: what is left out may lie behind the calendar. */
    int64_t value = fl_number(p, at, stamp->form == FL_SECONDS ? 11 : stamp->form == FL_MILLIS ? 14 : 17);
    if (value < 0)
        return NULL;
    *second = stamp->form == FL_SECONDS ? value : value / (stamp->form == FL_MILLIS ? 1000 : 1000000);
    if (stamp->form != FL_SECONDS)
        return at;
    if (at - p == 10) { /* see fl_seconds_at */
        memcpy(stamp->text, p, 11);
        stamp->length = 11;
        stamp->second = value;
    }
    if (*at != '.')
        return at;
    const uint8_t *end = fl_fraction(at);
    return end && end - at <= 10 ? end : NULL;
}

/* Bytes of the zone behind the seconds of an ISO stamp, or of what looks like one. */
static inline uint32_t fl_zone_length(const uint8_t *p) {
    if (*p == 'Z')
        return 1;
    if (*p != '+' && *p != '-')
        return 0;
    return p[3] == ':' ? 6 : 5;
}

/* The second of the stamp at `p`, and where it ends; NULL where it is not certain. Reads up to 40
 * bytes, whatever they are: a newline in them makes it no stamp. */
static inline const uint8_t *fl_stamp_at(fl_stamp *stamp, const uint8_t *p, int64_t *second) {
    if (stamp->form >= FL_SECONDS && stamp->form <= FL_MICROS)
        return fl_epoch(stamp, p, second);
    if (stamp->form == FL_OTHER) {
        if (!stamp->length || !fl_same(p, stamp->text, stamp->length))
            return NULL;
        *second = stamp->second;
        return p + stamp->length;
    }
    uint32_t head = fl_stamp_heads[stamp->form];
    const uint8_t *zone = p + head;
    if (stamp->form != FL_CLF && (*zone == '.' || *zone == ',') && !(zone = fl_fraction(zone)))
        return NULL;
    uint32_t length = head + (stamp->form == FL_ISO ? fl_zone_length(zone) : 0);
    if (length == stamp->length && fl_same_head(p, stamp->text, head) &&
        fl_same(zone, stamp->text + head, length - head)) {
        *second = stamp->second;
        return zone + (length - head);
    }
    uint8_t text[FL_MOST_STAMP] = {0};
    memcpy(text, p, 32);
    memcpy(text + head, zone, 8); /* what is behind the zone is not looked at */
    if (!fl_stamp_next(stamp, text, length, second))
        return NULL;
    memcpy(stamp->text, text, sizeof text);
    stamp->length = length;
    stamp->second = *second;
    return zone + (length - head);
}

/* As fl_stamp_at for a date at `date` and a clock at `p`, words of their own. */
static inline const uint8_t *fl_date_clock(fl_stamp *stamp, const uint8_t *date, const uint8_t *p, int64_t *second) {
    const uint8_t *end = p + 8;
    if ((*end == '.' || *end == ',') && !(end = fl_fraction(end)))
        return NULL;
    if (!stamp->length || !fl_same(date, stamp->text, 10) || !fl_same(p, stamp->text + 11, 8)) {
        uint8_t text[FL_MOST_STAMP] = {0};
        memcpy(text, date, 10);
        text[10] = ' ';
        memcpy(text + 11, p, 8);
        if (!fl_stamp_next(stamp, text, 19, second))
            return NULL;
        memcpy(stamp->text, text, sizeof text);
        stamp->length = 19;
        stamp->second = *second;
    }
    *second = stamp->second;
    return end;
}

/* Behind a fraction of a second of 1 to 7 digits, or `p` where there is none; NULL where it has more. */
static inline const uint8_t *fl_few_fraction(const uint8_t *p) {
    if (*p != '.' && *p != ',')
        return p;
    unsigned few = fl_few_digits(p + 1);
    return few ? p + few + 1 : NULL;
}

/* As fl_stamp_at, which they call where the stamp is not the last one: one for each form that formats
 * of the catalogue have. Those of a form without a zone may have been learnt. */
static inline const uint8_t *fl_clf_at(fl_stamp *stamp, const uint8_t *p, int64_t *second) {
    if (!stamp->length || !fl_same_head(p, stamp->text, 26))
        return fl_stamp_at(stamp, p, second);
    *second = stamp->second;
    return p + 26;
}

static inline const uint8_t *fl_local_at(fl_stamp *stamp, const uint8_t *p, int64_t *second) {
    const uint8_t *stop = fl_few_fraction(p + 20);
    if (!stop || !stamp->length || !fl_same_head(p, stamp->text, 20))
        return fl_stamp_at(stamp, p, second);
    *second = stamp->second;
    return stop;
}

static inline const uint8_t *fl_iso_at(fl_stamp *stamp, const uint8_t *p, int64_t *second) {
    const uint8_t *zone = fl_few_fraction(p + 19);
    uint32_t length = stamp->length - 19; /* of the zone; one of 0 bytes may be the start of another */
    if (!zone || stamp->length < 20 || !fl_same_head(p, stamp->text, 19) ||
        ((fl_load64(zone) ^ fl_load64(stamp->text + 19)) << (8 * (8 - length))) != 0)
        return fl_stamp_at(stamp, p, second);
    *second = stamp->second;
    return zone + length;
}

/* Of ten digits and a byte that is none, see fl_epoch. */
static inline const uint8_t *fl_seconds_at(fl_stamp *stamp, const uint8_t *p, int64_t *second) {
    const uint8_t *stop = p[10] == '.' ? fl_few_fraction(p + 10) : p + 10;
    if (!stop || !stamp->length ||
        ((fl_load64(p) ^ fl_load64(stamp->text)) | (fl_load32(p + 7) ^ fl_load32(stamp->text + 7))) != 0)
        return fl_epoch(stamp, p, second);
    *second = stamp->second;
    return stop;
}

static inline const uint8_t *fl_clock_at(fl_stamp *stamp, const uint8_t *date, const uint8_t *p, int64_t *second) {
    const uint8_t *stop = fl_few_fraction(p + 8), *text = stamp->text;
    if (!stop || !stamp->length ||
        ((fl_load64(date) ^ fl_load64(text)) | (fl_load64(date + 2) ^ fl_load64(text + 2)) |
         (fl_load64(p) ^ fl_load64(text + 11))) != 0)
        return fl_date_clock(stamp, date, p, second);
    *second = stamp->second;
    return stop;
}

/* Whether a stamp without a zone is spelled as the form is: then what may follow is a fraction. */
static inline int fl_is_usual(const fl_stamp *stamp, const uint8_t *text) {
    const uint8_t *clock = text + fl_stamp_heads[stamp->form] - 8;
    int is_clock = clock[2] == ':' && clock[5] == ':' && fl_two(clock + 6) < 100;
    if (stamp->form == FL_CLF_LOCAL)
        return is_clock && text[2] == '/' && text[6] == '/' && text[11] == ':';
    return is_clock && text[4] == '-' && text[7] == '-' && text[10] == (stamp->form == FL_ISO ? 'T' : ' ');
}

/* Remember what the regex parser made of a stamp; `text` is readable for FL_MOST_STAMP bytes more. */
static inline void fl_stamp_learn(fl_stamp *stamp, const uint8_t *text, size_t length, int64_t second) {
    uint32_t head = fl_stamp_heads[stamp->form];
    if (stamp->form == FL_OTHER) {
        head = (uint32_t)length;
    } else if (stamp->utc || stamp->form == FL_CLF || !head || length < head || !fl_is_usual(stamp, text)) {
        return; /* it is read here, or is an odd one */
    } else if (length > head &&
               ((text[head] != '.' && text[head] != ',') || fl_fraction(text + head) != text + length)) {
        return;
    }
    if (head == 0 || head > FL_MOST_STAMP - 8)
        return;
    memset(stamp->text, 0, sizeof stamp->text);
    memcpy(stamp->text, text, head);
    stamp->length = head;
    stamp->second = second;
}

#endif
