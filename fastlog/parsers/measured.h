/* What rules saw of a chunk becomes the columns of fastlog/model/measured.py. */
#ifndef FASTLOG_MEASURED_H
#define FASTLOG_MEASURED_H

#include "rules.h"

/* Put down the name of a group's key. 0 where there is no memory. */
static int fl_key_name(fl_rules *rules, const fl_fold *fold, const fl_group *of) {
    const uint32_t place = of->place;
    uint8_t status[16] = {(uint8_t)('0' + place / 100), (uint8_t)('0' + place / 10 % 10), (uint8_t)('0' + place % 10)};
    const uint8_t *text = status;
    size_t length = of->kind == FL_PER_STATUS ? 3 : 0;
    if (of->kind == FL_PER_HOST) {
        text = fl_host_text(&rules->hosts, place, &length);
    } else if (of->kind == FL_PER_SECTION || of->kind == FL_PER_METHOD) {
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
        if (group->name & FL_AS) /* of one before, which has its number by now */
            group->name = entries->groups[group->name & ~FL_AS].name;
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

/* Room for the numbers of all keys. 0 where there is no memory. */
static int fl_numbers_room(fl_rules *rules, const fl_fold *fold) {
    const size_t places[FL_KINDS] = {1, fold->sections.n, FL_STATUSES, fold->methods.n, rules->hosts.n};
    for (int kind = 0; kind < FL_KINDS; kind++)
        if (!fl_reserve((void **)&rules->entries.numbers[kind], &rules->entries.numbers_room[kind], places[kind],
                        sizeof(uint32_t)))
            return 0;
    return 1;
}

/* Their sizes; none where no rule is `sized`. */
static inline void fl_sizes_columns(fl_entries *entries) {
    if (!entries->sized)
        entries->size_low.n = entries->size_high.n = 0;
    for (size_t at = 0; at < entries->size_low.n; at++) {
        const fl_sum size = entries->sizes[at];
        entries->size_low.at[at] = (int64_t)(size & (((fl_sum)1 << 62) - 1));
        entries->size_high.at[at] = (int64_t)(size >> 62);
    }
}

/* End a chunk, which the fold has ended: every column is complete. 0 where there is no memory. */
static int fl_rules_columns(fl_rules *rules, const fl_fold *fold) {
    fl_entries *entries = &rules->entries;
#define FL_ROOM(column) done = done && fl_entries_room(&entries->column, entries->n);
    int done = fl_numbers_room(rules, fold) && fl_groups_name(rules, fold);
    FL_ENTRY_COLUMNS(FL_ROOM)
#undef FL_ROOM
    entries->sketched.n = 0;
    size_t segment = 0, end = fold->segment_rows.n ? (size_t)fold->segment_rows.at[0] : 0;
    for (size_t at = 0; done && at < entries->n; at++) {
        const fl_entry *entry = entries->at + at;
        const fl_group *group = entries->groups + entry->group;
        while (group->row >= end && segment + 1 < fold->segment_rows.n) /* entries ascend by segment, as rows do */
            end += (size_t)fold->segment_rows.at[++segment];
        entries->rules.at[at] = entry->rule;
        entries->segments.at[at] = (int64_t)segment;
        entries->seconds.at[at] = fold->seconds.at[group->row];
        entries->keys.at[at] = group->name - 1;
        entries->hits.at[at] = entry->hits;
        entries->base.at[at] = entry->base;
    }
    if (done)
        fl_sizes_columns(entries);
    done = done && fl_entries_sketches(entries);
    for (size_t i = 0; i < entries->name_places.n; i++)
        entries->numbers[entries->name_kinds.at[i]][entries->name_places.at[i]] = 0;
    return done;
}

/* End a chunk, which the fold has ended, and of which all is looked at: every column is complete. */
static inline void fl_rules_end(fl_rules *rules, fl_fold *fold) {
    if (fold->failed || !fl_rules_flush(rules) || !fl_rules_columns(rules, fold))
        fold->failed = 1;
}

#endif
