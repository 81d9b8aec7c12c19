/* Lines that are certain to be rejected, and why: the other half of line.h.
 *
 * Of most rejected lines only the reason counts: the first few of a chunk are shown, and are for the
 * definition, as is any line of which nothing is certain. What is here is for what fl_line has left; no
 * usual line comes here.
 */
#ifndef FASTLOG_REJECTS_H
#define FASTLOG_REJECTS_H

#include "line.h"

#define FL_CLF_STAMP 26      /* "dd/Mon/yyyy:HH:MM:SS +hhmm" */
#define FL_SHORTEST_STAMP 22 /* with no leading zero */

/* Whether a text between the brackets is certain to be no date or time: `apache_second` of timestamps.py
 * gives None. `p` is the tail in front of the bracket. */
static int fl_is_no_stamp(fl_fold *fold, uint8_t tail, const uint8_t *p, size_t length) {
    static const char usual[] = "dd/aaa/dddd:dd:dd:dd sdddd";
    const uint8_t *text = p + 2;
    int64_t second;
    if (length < FL_SHORTEST_STAMP || !fl_is_digit(text[0]) ||
        (text[1] != '/' && (!fl_is_digit(text[1]) || text[2] != '/')))
        return 1;
    if (length != FL_CLF_STAMP)
        return 0;
    for (size_t i = 0; i < FL_CLF_STAMP; i++)
        if (usual[i] == 'd'   ? !fl_is_digit(text[i])
            : usual[i] == 's' ? text[i] != '+' && text[i] != '-'
                              : usual[i] != 'a' && usual[i] != text[i])
            return 0;
    return !fl_new_stamp(fold, tail, p, &second);
}

/* The reason for which a line is rejected, where that is certain; FL_NO_REASON where it may be a hit. */
static __attribute__((noinline)) int fl_reason(const fl_shape *shape, fl_fold *fold, const uint8_t *data,
                                               size_t line, const uint32_t *quotes, size_t n, size_t newline) {
    const uint8_t *start = data + line, *end = data + newline, *at = start;
    uint8_t tail = shape->tail;
    if (end > start && end[-1] == '\r')
        end--;
    if (end - start > FL_LINE_LIMIT)
        return FL_OVERSIZE;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    if (at == end)
        return FL_BLANK;
    if (!memchr(at, ']', (size_t)(end - at)))
        return FL_FORMAT; /* no line is without a stamp */
    if (!n || quotes[0] < line + 5)
        return FL_NO_REASON;
    const uint8_t *open = data + quotes[0], *bracket = open - 2;
    if (open[-1] != tail || *bracket != ']')
        return FL_NO_REASON;
    for (at = bracket - 1; at > start && *at != '[' && *at != ']';)
        at--;
    if (at - start < 2 || *at != '[' || at[-1] != tail ||
        !fl_head(shape, tail, start, (size_t)(at - 1 - start)))
        return FL_NO_REASON;
    fl_fields fields;
    int fits = fl_hard_fields(shape, data, quotes, n, end, &fields);
    if (fits < 0)
        return FL_FORMAT;
    return fits && fl_is_no_stamp(fold, tail, at - 1, (size_t)(bracket - at - 1)) ? FL_TIME : FL_NO_REASON;
}

/* Count a line that fl_line has left, where it is certain to be rejected, and not to be shown. */
static inline int fl_reject(const fl_shape *shape, fl_fold *fold, const uint8_t *data, size_t line,
                            const uint32_t *quotes, size_t n, size_t newline) {
    if (fold->rejects_shown > 1)
        return 0;
    int reason = fl_reason(shape, fold, data, line, quotes, n, newline);
    if (reason == FL_NO_REASON || (fold->rejects_shown && reason != FL_BLANK))
        return 0;
    fold->rejected[reason]++;
    return 1;
}

#endif
