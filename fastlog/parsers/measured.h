/* What rules saw of a chunk becomes the columns of fastlog/model/measured.py. */
#ifndef FASTLOG_MEASURED_H
#define FASTLOG_MEASURED_H

#include "rules.h"

#define FL_BATCH 128 /* values of a column at a time, so that all columns of them stay in the cache */
#define FL_LOW_BITS (((fl_sum)1 << 62) - 1)

/* Put down the name of a group's key, which is no host. 0 where there is no memory. */
static int fl_key_name(fl_rules *rules, const fl_fold *fold, const fl_group *of) {
    const uint32_t place = of->place;
    uint8_t status[16] = {(uint8_t)('0' + place / 100), (uint8_t)('0' + place / 10 % 10), (uint8_t)('0' + place % 10)};
    const uint8_t *text = status;
    size_t length = of->kind == FL_PER_STATUS ? 3 : 0;
    if (of->kind == FL_PER_SECTION || of->kind == FL_PER_METHOD) {
        const fl_table *table = of->kind == FL_PER_SECTION ? &fold->sections : &fold->methods;
        text = table->arena + table->keys[place].text;
        length = table->keys[place].length;
    }
    return fl_entries_name(&rules->entries, text, length);
}

/* Every group has the number of its key in the chunk. 0 where there is no memory. */
static int fl_groups_name(fl_rules *rules, const fl_fold *fold) {
    fl_entries *entries = &rules->entries;
    for (size_t i = 0; i < entries->n_groups; i++) {
        fl_group *group = entries->groups + i;
        /* That of one before, which has its number by now; or its own: which of both, no processor can foretell. */
        const uint32_t as = 0u - (group->name >> 31);
        group->name = entries->groups[((uint32_t)i & ~as) | (group->name & ~FL_AS & as)].name;
        if (group->name)
            continue;
        uint32_t *number = entries->numbers[group->kind] + group->place;
        if (!*number) {
            if (!fl_push(&entries->name_kinds, group->kind) || !fl_push(&entries->name_places, group->place) ||
                !fl_key_name(rules, fold, group))
                return 0;
            *number = (uint32_t)entries->key_ends.n;
        }
        group->name = *number;
    }
    return 1;
}

/* Room for the numbers of all keys but hosts. 0 where there is no memory. */
static int fl_numbers_room(fl_rules *rules, const fl_fold *fold) {
    const size_t places[FL_PER_HOST] = {1, fold->sections.n, FL_STATUSES, fold->methods.n};
    for (int kind = 0; kind < FL_PER_HOST; kind++)
        if (!fl_reserve((void **)&rules->entries.numbers[kind], &rules->entries.numbers_room[kind], places[kind],
                        sizeof(uint32_t)))
            return 0;
    return 1;
}

/* How a column lies whose values have no bits but those of `any`, and all of them those of `all`. */
static inline fl_narrow fl_measured_column(size_t n, uint64_t any, uint64_t all) {
    return (fl_narrow){.n = n, .least = any == all ? (int64_t)any : 0, .width = any == all ? 0 : fl_narrow_fits(any)};
}

/* How the columns of the entries lie, as far as little tells it. */
static void fl_measured_columns(const fl_rules *rules, const fl_fold *fold, fl_narrow *columns) {
    const fl_entries *entries = &rules->entries;
    const size_t n = entries->n, segments = fold->segment_rows.n;
    fl_entry any = n ? entries->at[0] : (fl_entry){0}, all = any;
    fl_sum sizes = 0;
    for (size_t at = 0; at < n; at++) {
        const fl_entry *entry = entries->at + at;
        any.hits |= entry->hits;
        all.hits &= entry->hits;
        any.base |= entry->base;
        all.base &= entry->base;
    }
    for (size_t at = 0; entries->sized && at < n; at++)
        sizes |= entries->sizes[at];
    columns[FL_MEASURED_RULES] = fl_measured_column(n, n ? rules->outcomes.n_rules - 1 : 0, 0);
    columns[FL_MEASURED_SEGMENTS] = fl_measured_column(n, n ? segments - 1 : 0, 0);
    columns[FL_MEASURED_SECONDS].n = n;
    columns[FL_MEASURED_SECONDS].width =
        fl_narrow_width(fold->seconds.at, fold->seconds.n, &columns[FL_MEASURED_SECONDS].least);
    columns[FL_MEASURED_KEYS] = fl_measured_column(n, n ? entries->key_ends.n - 1 : 0, 0);
    columns[FL_MEASURED_HITS] = fl_measured_column(n, any.hits, all.hits);
    columns[FL_MEASURED_BASE] = fl_measured_column(n, any.base, all.base);
    columns[FL_MEASURED_SIZES] = fl_measured_column(n, (uint64_t)(sizes & FL_LOW_BITS), 0);
    columns[FL_MEASURED_SIZES_HIGH] = fl_measured_column(n, (uint64_t)(sizes >> 62), 0);
}

/* Put the columns of the entries down, once fl_rules_end has said how they lie, each in so many bytes. */
static void fl_measured_put(const fl_rules *rules, const fl_fold *fold, uint8_t *const *out) {
    const fl_entries *entries = &rules->entries;
    const fl_narrow *columns = entries->columns;
    int64_t values[FL_MEASURED][FL_BATCH];
    size_t segment = 0, end = fold->segment_rows.n ? (size_t)fold->segment_rows.at[0] : 0;
    for (size_t from = 0; from < entries->n; from += FL_BATCH) {
        const size_t n = entries->n - from < FL_BATCH ? entries->n - from : FL_BATCH;
        for (size_t i = 0; i < n; i++) {
            const fl_entry *entry = entries->at + from + i;
            const fl_group *group = entries->groups + entry->group;
            while (group->row >= end && segment + 1 < fold->segment_rows.n) /* entries ascend by segment, as rows do */
                end += (size_t)fold->segment_rows.at[++segment];
            values[FL_MEASURED_RULES][i] = entry->rule;
            values[FL_MEASURED_SEGMENTS][i] = (int64_t)segment;
            values[FL_MEASURED_SECONDS][i] = fold->seconds.at[group->row];
            values[FL_MEASURED_KEYS][i] = group->name - 1;
            values[FL_MEASURED_HITS][i] = entry->hits;
            values[FL_MEASURED_BASE][i] = entry->base;
        }
        for (size_t i = 0; entries->sized && i < n; i++) {
            values[FL_MEASURED_SIZES][i] = (int64_t)(entries->sizes[from + i] & FL_LOW_BITS);
            values[FL_MEASURED_SIZES_HIGH][i] = (int64_t)(entries->sizes[from + i] >> 62);
        }
        for (int column = 0; column < FL_MEASURED; column++)
            fl_narrow_put(values[column], n, columns[column].least, columns[column].width,
                          out[column] + from * (size_t)columns[column].width);
    }
}

/* End a chunk, which the fold has ended, and of which all is looked at: what it measured can be put down. */
static inline void fl_rules_end(fl_rules *rules, fl_fold *fold) {
    fl_entries *entries = &rules->entries;
    entries->sketched.n = 0;
    if (fold->failed || !fl_rules_flush(rules) || !fl_numbers_room(rules, fold) || !fl_groups_name(rules, fold) ||
        !fl_entries_sketches(entries))
        fold->failed = 1;
    for (size_t i = 0; i < entries->name_places.n; i++)
        entries->numbers[entries->name_kinds.at[i]][entries->name_places.at[i]] = 0;
    if (!fold->failed)
        fl_measured_columns(rules, fold, entries->columns);
}

#endif
