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
    case FL_OF_HOST: return seen->host.length % 3;
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

/* Put down what was measured, in buffers of exactly its size. */
static void put_measured(fl_fold *fold) {
    uint8_t *out[FL_MEASURED];
    fl_narrow *columns = fold->rules->entries.columns;
    for (int column = 0; column < FL_MEASURED; column++)
        columns[column].at = out[column] = (uint8_t *)malloc(columns[column].n * (size_t)columns[column].width);
    fl_measured_put(fold->rules, fold, out);
}

static void free_measured(fl_fold *fold) {
    for (int column = 0; fold->rules && column < FL_MEASURED; column++) {
        free((void *)fold->rules->entries.columns[column].at);
        fold->rules->entries.columns[column].at = NULL;
    }
}

/* What an entry has in a column. */
static int64_t measured(const fl_entries *entries, int column, size_t entry) {
    return fl_narrow_value(entries->columns + column, entry);
}

/* The entries of a chunk with so many hits agree with it. */
static void check_rules(const fl_fold *fold, int64_t counted) {
    const fl_entries *rules = fold->rules ? &fold->rules->entries : NULL;
    int64_t base[FUZZ_RULES] = {0}, cells = 0;
    fl_sum bytes[2] = {0};
    if (!rules)
        return;
    for (size_t i = 0; i < rules->n; i++) {
        int64_t rule = measured(rules, FL_MEASURED_RULES, i), segment = measured(rules, FL_MEASURED_SEGMENTS, i);
        int64_t hits = measured(rules, FL_MEASURED_HITS, i), of = measured(rules, FL_MEASURED_BASE, i);
        check(rule >= 0 && rule < FUZZ_RULES, "an entry is of a rule");
        check(hits >= 0 && hits <= of && of > 0, "what counts was looked at");
        check((size_t)segment < fold->segment_rows.n &&
                  (i == 0 || segment >= measured(rules, FL_MEASURED_SEGMENTS, i - 1)),
              "entries ascend by segment");
        check((size_t)measured(rules, FL_MEASURED_KEYS, i) < rules->key_ends.n, "an entry has its key");
        base[rule] += of;
        if (rule < 2)
            bytes[rule] += (fl_sum)measured(rules, FL_MEASURED_SIZES, i) +
                           ((fl_sum)measured(rules, FL_MEASURED_SIZES_HIGH, i) << 62);
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
    for (; from < rules->n && measured(rules, FL_MEASURED_RULES, from) != rule; from++)
        *cells += rules->sketched.n ? (size_t)rules->sketched.at[from] : 0;
    return from;
}

static const uint8_t *key_of(const fl_entries *rules, size_t entry, size_t *length) {
    size_t key = (size_t)measured(rules, FL_MEASURED_KEYS, entry), start = key ? (size_t)rules->key_ends.at[key - 1] : 0;
    *length = (size_t)rules->key_ends.at[key] - start;
    return rules->key_text + start;
}

/* The entries of each rule are the same, in the same order. */
static void check_same_rules(const fl_fold *a, const fl_fold *b) {
    if (!a->rules)
        return;
    const fl_entries *mine = &a->rules->entries, *other = &b->rules->entries;
    check(mine->n == other->n, "as many entries");
    for (int64_t rule = 0; rule < FUZZ_RULES; rule++) {
        size_t cells = 0, other_cells = 0, length, other_length;
        size_t i = next_entry(mine, rule, 0, &cells), j = next_entry(other, rule, 0, &other_cells);
        for (; i < mine->n; i = next_entry(mine, rule, i + 1, &cells)) {
            check(j < other->n, "as many entries of a rule");
            const uint8_t *key = key_of(mine, i, &length), *other_key = key_of(other, j, &other_length);
            check(length == other_length && (!length || !memcmp(key, other_key, length)), "the same keys of rules");
            for (int column = 0; column < FL_MEASURED; column++)
                check(column == FL_MEASURED_KEYS || measured(mine, column, i) == measured(other, column, j),
                      "the same in each column of rules");
            size_t n = mine->sketched.n ? (size_t)mine->sketched.at[i] : 0;
            check(n == (other->sketched.n ? (size_t)other->sketched.at[j] : 0), "as many cells of an entry");
            check(!n || (!memcmp(mine->sketch_cells.at + cells, other->sketch_cells.at + other_cells, 8 * n) &&
                         !memcmp(mine->counts.at + cells, other->counts.at + other_cells, 8 * n)),
                  "the same sketches of rules");
            cells += n;
            other_cells += n;
            j = next_entry(other, rule, j + 1, &other_cells);
        }
        check(j == other->n, "as many entries of a rule");
    }
}

#endif
