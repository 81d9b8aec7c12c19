/* Rules for the fuzzed fold, whose answers C gives in Python's place, and what must hold of their entries.
 *
 * The classes of texts follow from their lengths, so that they are the same for any fold, whatever
 * its places are. Rule 0 looks at every hit; 1 knows sections, their bytes, and counts some;
 * 2 knows the hosts of some; 3 the durations by status, 4 those by method, where there are some.
 */
#ifndef FASTLOG_FOLD_RULES_H
#define FASTLOG_FOLD_RULES_H

#include "fold_checks.h"

#define FUZZ_RULES 5
#define FUZZ_BOUND 8 /* hosts and targets that are kept from chunk to chunk */

static unsigned class_of(const fl_rules *rules, const fl_fold *fold) {
    const fl_seen *seen = rules->seen;
    switch (rules->asks) {
    case FL_OF_SECTION: return fold->sections.keys[seen->section].length % 3;
    case FL_OF_METHOD: return fold->methods.keys[seen->method].length % 2;
    case FL_OF_STATUS: return seen->status % 3;
    case FL_OF_HOST: return seen->host_length % 3;
    case FL_OF_TARGET: return seen->target_length % 3;
    }
    return (unsigned)rules->asked; /* of a size or a duration: its interval */
}

static int outcome_of(fl_rules *rules) {
    uint16_t classes[8];
    fl_rules_asked(rules, classes);
    int timed = classes[FL_OF_DURATION] > 1;
    return fl_rules_outcome(rules) && fl_rules_step(rules, 0, classes[FL_OF_SIZE] > 1) &&
           fl_rules_step(rules, 1, classes[FL_OF_SECTION] > 1) &&
           (classes[FL_OF_HOST] == 1 || fl_rules_step(rules, 2, classes[FL_OF_TARGET] == 1)) &&
           (!timed || fl_rules_step(rules, 3, 1)) && (!timed || fl_rules_step(rules, 4, 1));
}

/* Answer until all that is gathered is looked at, or dropped since memory is gone; in Python that is a
 * MemoryError. */
static void look(fl_fold *fold) {
    fl_rules *rules = fold->rules;
    while (!fl_rules_settle(rules, fold)) {
        check(rules->asks >= 0 && rules->asks <= FL_ASKS_OUTCOME, "something is asked");
        if (rules->asks != FL_ASKS_OUTCOME) {
            fl_rules_class(rules, class_of(rules, fold));
        } else {
            fold->failed |= !outcome_of(rules);
        }
    }
}

/* `plain`: without what is seen of lines alone, hosts, targets and durations; rule 2 then knows all by status. */
static void add_rules(fl_fold *fold, uint64_t seed, int plain) {
    fl_rules *rules = fold->rules = fl_rules_new(seed, FUZZ_BOUND);
    check(rules != NULL, "rules are made");
    for (int field = 0; field < FL_FIELDS; field++)
        fl_outcomes_look(&rules->outcomes, field,
                         !plain || (field != FL_OF_HOST && field != FL_OF_DURATION && field != FL_OF_TARGET));
    rules->has_hosts = !plain;
    check(fl_rules_add(rules, FL_PER_NOTHING, 0, 1) && fl_rules_add(rules, FL_PER_SECTION, 0, 1) &&
              fl_rules_add(rules, plain ? FL_PER_STATUS : FL_PER_HOST, 0, 0) &&
              (plain || (fl_rules_add(rules, FL_PER_STATUS, 1, 0) && fl_rules_add(rules, FL_PER_METHOD, 1, 1))),
          "rules are added");
    for (int64_t edge = 100; edge < 102; edge++)
        check(fl_push(&rules->size_edges, edge) && fl_push(&rules->duration_edges, edge), "rules have their edges");
}

/* The entries of a chunk with so many hits agree with it. */
static void check_rules(const fl_fold *fold, int64_t counted) {
    const fl_entries *rules = fold->rules ? &fold->rules->entries : NULL;
    int64_t base[FUZZ_RULES] = {0}, cells = 0;
    fl_sum bytes[2] = {0};
    if (!rules)
        return;
    for (size_t i = 0; i < rules->rules.n; i++) {
        int64_t rule = rules->rules.at[i];
        check(rule >= 0 && rule < FUZZ_RULES, "an entry is of a rule");
        check(rules->hits.at[i] >= 0 && rules->hits.at[i] <= rules->base.at[i] && rules->base.at[i] > 0,
              "what counts was looked at");
        check((size_t)rules->segments.at[i] < fold->segment_rows.n &&
                  (i == 0 || rules->segments.at[i] >= rules->segments.at[i - 1]),
              "entries ascend by segment");
        check((size_t)rules->keys.at[i] < rules->key_ends.n, "an entry has its key");
        base[rule] += rules->base.at[i];
        if (rule < 2)
            bytes[rule] += (fl_sum)rules->size_low.at[i] + ((fl_sum)rules->size_high.at[i] << 62);
        cells += rules->sketched.n ? rules->sketched.at[i] : 0;
    }
    check(base[0] == counted - fold->future && base[1] == base[0], "every hit that is believed is looked at");
    check(base[3] == base[4] && base[2] <= base[0], "no hit is looked at twice");
    check(bytes[0] == bytes[1], "bytes of the sections are those of all");
    check(rules->sketch_cells.n == (size_t)cells && rules->counts.n == (size_t)cells, "cells of the entries");
    check(sum_of(&rules->counts) == 2 * base[3], "every duration has its cell, in two rules");
}

/* The next entry of a rule, from one on; the number of entries where there is none. `*cells` becomes where its
 * cells are. */
static size_t next_entry(const fl_entries *rules, int64_t rule, size_t from, size_t *cells) {
    for (; from < rules->rules.n && rules->rules.at[from] != rule; from++)
        *cells += rules->sketched.n ? (size_t)rules->sketched.at[from] : 0;
    return from;
}

static const uint8_t *key_of(const fl_entries *rules, size_t entry, size_t *length) {
    size_t key = (size_t)rules->keys.at[entry], start = key ? (size_t)rules->key_ends.at[key - 1] : 0;
    *length = (size_t)rules->key_ends.at[key] - start;
    return rules->key_text + start;
}

/* The entries of each rule are the same, in the same order. */
static void check_same_rules(const fl_fold *a, const fl_fold *b) {
    if (!a->rules)
        return;
    const fl_entries *mine = &a->rules->entries, *other = &b->rules->entries;
    check(mine->rules.n == other->rules.n, "as many entries");
    for (int64_t rule = 0; rule < FUZZ_RULES; rule++) {
        size_t cells = 0, other_cells = 0, length, other_length;
        size_t i = next_entry(mine, rule, 0, &cells), j = next_entry(other, rule, 0, &other_cells);
        for (; i < mine->rules.n; i = next_entry(mine, rule, i + 1, &cells)) {
            check(j < other->rules.n, "as many entries of a rule");
            const uint8_t *key = key_of(mine, i, &length), *other_key = key_of(other, j, &other_length);
            check(length == other_length && (!length || !memcmp(key, other_key, length)), "the same keys of rules");
#define SAME(column)                                                                                \
    check(mine->column.n == other->column.n && (!mine->column.n || mine->column.at[i] == other->column.at[j]), \
          "the same " #column " of rules");
            SAME(segments) SAME(seconds) SAME(hits) SAME(base) SAME(size_low) SAME(size_high) SAME(sketched)
#undef SAME
            size_t n = mine->sketched.n ? (size_t)mine->sketched.at[i] : 0;
            check(!n || (!memcmp(mine->sketch_cells.at + cells, other->sketch_cells.at + other_cells, 8 * n) &&
                         !memcmp(mine->counts.at + cells, other->counts.at + other_cells, 8 * n)),
                  "the same sketches of rules");
            cells += n;
            other_cells += n;
            j = next_entry(other, rule, j + 1, &other_cells);
        }
        check(j == other->rules.n, "as many entries of a rule");
    }
}

#endif
