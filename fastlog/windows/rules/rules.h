/* One rule over a sliding window: the twin of window.py, which says what is evaluated when, and why.
 *
 * Differs from it in how, not in what. Keys are numbers. A key stands once among what is due, at a second no
 * later than it is, and goes on to the next when that comes: a busy key would else be put there, and struck out,
 * each second. In which order keys had hits is only noted, and the row of keys sorted when the first of them has
 * to go, which in most logs never happens; from then on it is kept in order, but for keys that had hits in one
 * second.
 *
 * Over 300 lines, since all of it is one state.
 */
#ifndef FASTLOG_RULE_WINDOWS_H
#define FASTLOG_RULE_WINDOWS_H

#include "crowd.h"
#include "grid.h"

/* -- when to look ----------------------------------------------------------------------------- */

/* See to it that the first one that stands at a second is due then. 0 where there is no memory. */
static inline int fl_rule_queue_true(fl_rule *rule) {
    fl_dues *dues = &rule->dues;
    while (dues->first < dues->end) {
        const fl_due due = dues->at[dues->first];
        if (due.head == FL_NONE) {
            dues->first++;
            continue;
        }
        if (rule->states[due.head].due == due.second)
            return 1;
        fl_rule_unqueue(rule, due.head);
        if (!fl_rule_queue(rule, due.head, rule->states[due.head].due))
            return 0;
    }
    return 1;
}

/* Note when a key must be looked at next, after `at`; forget one that is as if never seen. */
static inline int fl_rule_schedule(fl_rule *rule, uint32_t which, int64_t at) {
    fl_state *state = rule->states + which;
    int empty = state->first == state->end;
    if (rule->above && !state->firing && state->since == FL_NEVER) {
        if (empty) {
            fl_rule_forget(rule, which);
            return 1;
        }
        if (rule->kind == FL_HITS || rule->kind == FL_BYTES || !state->hits) {
            state->due = FL_NEVER;
            return 1;
        }
    }
    int64_t due = FL_NEVER, moment;
    if (!empty && (moment = state->seen[state->first].second + rule->window) > at)
        due = moment;
    if (state->since != FL_NEVER && (moment = state->since + rule->hold) > at && moment < due)
        due = moment;
    if (!rule->above && (moment = state->born + rule->window - 1) > at && moment < due)
        due = moment;
    if (due != FL_NEVER && rule->has_closed && due < rule->closed)
        due = rule->closed;
    return fl_rule_queue(rule, which, due);
}

/* -- verdicts --------------------------------------------------------------------------------- */

static inline fl_wide fl_rule_value(const fl_rule *rule, const fl_state *state) {
    if (rule->kind == FL_BYTES)
        return state->size;
    if (rule->kind == FL_QUANTILE)
        return fl_sketch_quantile(state->sketch, rule->percent);
    return state->hits;
}

/* Whether the value is on the loud side of a threshold, neither on it nor on the quiet side. */
static inline int fl_rule_beyond(const fl_rule *rule, const fl_state *state, fl_wide limit, fl_wide parts) {
    fl_wide value = fl_rule_value(rule, state);
    if (rule->kind == FL_SHARE) {
        value *= parts;
        limit *= state->base ? state->base : 1;
    }
    return rule->above ? value > limit : value < limit;
}

/* Take the verdict of a second; whether the state changed. */
static inline int fl_rule_judge(const fl_rule *rule, fl_state *state, int64_t at) {
    if (!rule->above && at < state->born + rule->window - 1)
        return 0;
    if (state->base < rule->min_hits) {
        state->since = FL_NEVER;
        return 0;
    }
    if (state->firing) {
        state->firing = fl_rule_beyond(rule, state, rule->quiet, rule->quiet_parts);
        return !state->firing;
    }
    if (!fl_rule_beyond(rule, state, rule->fires, rule->fires_parts)) {
        state->since = FL_NEVER;
        return 0;
    }
    if (state->since == FL_NEVER)
        state->since = at;
    if (at - state->since < rule->hold)
        return 0;
    state->firing = 1;
    state->since = FL_NEVER;
    return 1;
}

static inline int fl_rule_look(fl_rule *rule, uint32_t which, int64_t at, fl_saids *said) {
    fl_state *state = rule->states + which;
    if (rule->plain && !state->firing && state->since == FL_NEVER) { /* most of the keys of most rules */
        fl_rule_expire(rule, state, at);
        if (state->hits <= rule->enough && state->first < state->end) {
            state->due = FL_NEVER;
            return 1;
        }
    }
    fl_rule_expire(rule, state, at);
    if (fl_rule_judge(rule, state, at)) {
        if (!fl_more_room((void **)&said->at, &said->room, said->n, sizeof *said->at))
            return 0;
        int64_t parts = rule->kind == FL_SHARE ? (state->base ? state->base : 1) : rule->parts;
        said->at[said->n++] =
            (fl_said){fl_rule_value(rule, state), at, state->hits, parts, state->key, state->firing};
    }
    return fl_rule_schedule(rule, which, at);
}

/* Have the keys in a row, whatever stands for it. 0 where there is no memory. */
static inline int fl_rule_row(fl_rule *rule, const fl_names *names) {
    return fl_crowd_end(rule, names) && fl_grid_end(rule);
}

/* -- hits ------------------------------------------------------------------------------------- */

static inline int fl_rule_add_late(fl_rule *rule, const fl_names *names, int64_t second, uint32_t key, int64_t hits,
                                   int64_t base, fl_more *more) {
    if (!fl_rule_row(rule, names))
        return 0;
    uint32_t which = fl_rule_find(rule, key);
    if (which == FL_NONE) {
        if (rule->live >= rule->bound) {
            int dropped = fl_rule_drop_one(rule, names, rule->closed);
            if (dropped <= 0) {
                rule->dropped++;
                if (rule->kind == FL_QUANTILE)
                    free(more->cells);
                return !dropped;
            }
        }
        which = fl_rule_new(rule, key, second, rule->tick += 2);
        if (which == FL_NONE)
            return 0;
    }
    if (second < rule->states[which].born)
        rule->states[which].born = second;
    return fl_rule_absorb(rule, which, second, hits, base, more) && fl_rule_queue(rule, which, rule->closed);
}

/* Count hits of a second, closed or not. `more` is the rule's from here on. 0 where there is no memory. */
static int fl_rule_add(fl_rule *rule, const fl_names *names, int64_t second, uint32_t key, int64_t hits, int64_t base,
                       fl_more *more) {
    if (!rule->has_closed || second >= rule->closed)
        return fl_arrivals_add(&rule->arrivals, second, key, hits, base, more);
    if (second > rule->closed - rule->window)
        return fl_rule_add_late(rule, names, second, key, hits, base, more);
    if (rule->kind == FL_QUANTILE)
        free(more->cells);
    return 1;
}

/* -- seconds that close ----------------------------------------------------------------------- */

/* Whether a key whose rule waits for more than it sees is still to wait, in few steps; 0 where that is not sure. */
static inline int fl_rule_waits(const fl_rule *rule, const fl_state *state) {
    if (rule->kind == FL_HITS)
        return state->hits <= rule->enough;
    if (rule->kind == FL_BYTES)
        return state->size <= rule->fires;
    return rule->small && state->base > 0 && state->base < INT32_MAX &&
           state->hits * (int64_t)rule->fires_parts <= (int64_t)rule->fires * state->base;
}

/* Take in a key's hits and look at it, where nothing comes of them but that its window has them: so it is with
 * most keys of most seconds. 0 where there is no memory, -1 where it has still to be looked at. */
static inline int fl_rule_hit(fl_rule *rule, uint32_t which, int64_t second, const fl_arrival *hit, fl_more *more) {
    fl_state *state = rule->states + which;
    if (!rule->above || rule->kind == FL_QUANTILE || state->end == state->room ||
        (state->first < state->end && state->seen[state->end - 1].second >= second))
        return fl_rule_absorb(rule, which, second, hit->hits, hit->base, more) ? -1 : 0;
    state->seen[state->end] = (fl_seen){second, hit->hits, hit->base};
    state->hits += hit->hits;
    state->base += hit->base;
    if (rule->kind == FL_BYTES) {
        state->more[state->end] = *more;
        state->size += more->size;
    }
    state->end++;
    rule->kept++;
    if (state->firing || state->since != FL_NEVER)
        return -1;
    fl_rule_expire(rule, state, second);
    if (!fl_rule_waits(rule, state))
        return -1;
    state->due = FL_NEVER;
    return rule->kind == FL_SHARE && state->hits
               ? fl_rule_queue(rule, which, state->seen[state->first].second + rule->window)
               : 1;
}

/* Take in hits of which no key has to go for another. */
static inline int fl_rule_arrive(fl_rule *rule, fl_taken *moment, fl_saids *said) {
    fl_more none = {0};
    int64_t tick = rule->tick | 1;
    size_t to_look = 0;
    for (size_t at = 0; at < moment->n; at++) {
        fl_arrival *hit = moment->arrivals + at;
        uint32_t which = fl_rule_find(rule, hit->key);
        if (which == FL_NONE) {
            which = fl_rule_new(rule, hit->key, moment->second, tick);
            if (which == FL_NONE)
                return 0;
        } else if (!rule->ordered) {
            rule->states[which].tick = tick;
        } else if (rule->states[which].tick != tick) {
            fl_rule_unlink(rule, which);
            fl_rule_append(rule, which, tick);
        }
        const int done = fl_rule_hit(rule, which, moment->second, hit, moment->more ? moment->more + at : &none);
        if (!done)
            return 0;
        if (done < 0)
            moment->arrivals[to_look++].state = which;
    }
    for (size_t at = 0; at < to_look; at++) {
        uint32_t which = moment->arrivals[at].state;
        if (rule->states[which].looked == rule->tick)
            continue;
        rule->states[which].looked = rule->tick;
        if (!fl_rule_look(rule, which, moment->second, said))
            return 0;
    }
    return 1;
}

/* Let a new key have the place of the first in the row, where that is all that its hits bring about: as if that
 * one were dropped, and the new one taken in and looked at. 0 where it is not, and nothing was done. */
static inline int fl_rule_replace(fl_rule *rule, int64_t second, const fl_arrival *hit) {
    const uint32_t which = rule->head;
    if (!rule->plain || !rule->keyed || rule->live < rule->bound || rule->live < 2 || hit->hits > rule->enough ||
        hit->key >= rule->keys_room)
        return 0;
    fl_state *state = rule->states + which;
    if (state->firing || !state->room || state->room > FL_LONG || (state->tick & 1 && state->tick != rule->sorted))
        return 0;
    const fl_state *next = rule->states + state->after; /* it may be the next */
    __builtin_prefetch(next->seen + next->end);
    if (next->after != FL_NONE)
        __builtin_prefetch(rule->states + next->after);
    rule->dropped += state->end > state->first && state->seen[state->end - 1].second > second - rule->window;
    rule->kept += 1 - (int64_t)(state->end - state->first);
    rule->of_key[state->key] = 0;
    rule->of_key[hit->key] = which + 1;
    fl_rule_unqueue(rule, which);
    fl_rule_unlink(rule, which);
    fl_rule_append(rule, which, rule->tick);
    state->seen[0] = (fl_seen){second, hit->hits, hit->base};
    state->first = 0;
    state->end = 1;
    state->hits = hit->hits;
    state->base = hit->base;
    state->key = hit->key;
    state->born = second;
    state->since = state->due = FL_NEVER;
    state->looked = -1;
    return 1;
}

/* Take in hits of one key, in its turn, which may push another one out. 0 where there is no memory. */
static inline int fl_rule_squeeze(fl_rule *rule, const fl_names *names, int64_t second, const fl_arrival *hit,
                                  fl_more *more, fl_saids *said) {
    uint32_t which = fl_rule_find(rule, hit->key);
    if (which != FL_NONE) {
        fl_rule_unlink(rule, which);
        fl_rule_append(rule, which, rule->tick);
    } else if (fl_rule_replace(rule, second, hit)) {
        return 1;
    } else {
        int dropped = rule->live < rule->bound ? 1 : fl_rule_drop_one(rule, names, second);
        if (dropped <= 0) {
            rule->dropped++;
            if (rule->kind == FL_QUANTILE)
                free(more->cells);
            return !dropped;
        }
        which = fl_rule_new(rule, hit->key, second, rule->tick);
    }
    return which != FL_NONE && fl_rule_absorb(rule, which, second, hit->hits, hit->base, more) &&
           fl_rule_look(rule, which, second, said);
}

/* Take in hits key by key, in order, each of which may push another one out. A key that stands more than
 * once is its own neighbour then. */
static inline int fl_rule_crowd(fl_rule *rule, fl_names *names, fl_taken *moment, fl_saids *said) {
    if (!fl_rule_order(rule))
        return 0;
    fl_place *places = (fl_place *)malloc(2 * moment->n * sizeof *places);
    if (!places)
        return 0;
    for (size_t at = 0; at < moment->n; at++) {
        const uint32_t key = moment->arrivals[at].key;
        places[at] = (fl_place){0, key, (uint32_t)at};
        __builtin_prefetch(names->ranks + key); /* of many keys, most are not in the cache */
    }
    const fl_place *sorted = fl_rule_sorted(rule, names, places, moment->n);
    fl_more none = {0};
    int done = sorted != NULL;
    for (size_t at = 0, next; done && at < moment->n; at = next) {
        const size_t place = sorted[at].place;
        if (at + FL_SOON < moment->n && sorted[at + FL_SOON].key < rule->keys_room)
            __builtin_prefetch(rule->of_key + sorted[at + FL_SOON].key, 1);
        for (next = at + 1; done && next < moment->n && sorted[next].key == sorted[at].key; next++)
            done = fl_moment_join(moment->arrivals, moment->more, place, sorted[next].place, rule->kind);
        done = done && fl_rule_squeeze(rule, names, moment->second, moment->arrivals + place,
                                       moment->more ? moment->more + place : &none, said);
    }
    free(places);
    return done;
}

/* Take in the hits of a second, in a grid where there is one, or is to be: 1. 0 where there is no memory; below 0
 * where there is none any more, and the hits are still to be taken in. */
static inline int fl_rule_fill_grid(fl_rule *rule, const fl_taken *moment) {
    int done = fl_grid_on(rule) ? 1 : fl_grid_wanted(rule, moment->n) ? fl_grid_begin(rule, moment->second) : -2;
    if (done > 0)
        done = fl_grid_take(rule, moment);
    rule->grid_calm = done == -1 ? FL_GRID_CALM : rule->grid_calm - (rule->grid_calm > 0);
    return done < 0 && !fl_grid_end(rule) ? 0 : done;
}

/* Take in the hits of a second. 0 where there is no memory. */
static inline int fl_rule_fill(fl_rule *rule, fl_names *names, fl_taken *moment, fl_saids *said) {
    int done = fl_rule_fill_grid(rule, moment);
    if (done >= 0)
        return done;
    const int crowded = rule->live + moment->n > rule->bound;
    done = rule->crowd.on ? 1 : crowded ? fl_crowd_begin(rule) : -1;
    if (done > 0) {
        done = fl_crowd_take(rule, names, moment);
        if (done >= 0)
            return done;
        rule->calm = FL_CALM;
        done = fl_crowd_end(rule, names) ? -1 : 0;
    }
    rule->calm -= rule->calm > 0;
    if (!done)
        return 0;
    return rule->live + moment->n > rule->bound ? fl_rule_crowd(rule, names, moment, said)
                                                : fl_rule_arrive(rule, moment, said);
}

static inline int64_t fl_rule_next_due(const fl_rule *rule) {
    return rule->dues.first < rule->dues.end ? rule->dues.at[rule->dues.first].second : FL_NEVER;
}

/* The next second at which something can change; FL_NEVER where there is none. */
static inline int64_t fl_rule_next(const fl_rule *rule) {
    const fl_arrivals *arrivals = &rule->arrivals;
    const int64_t due = fl_grid_on(rule) ? rule->grid->last + 1 : fl_rule_next_due(rule);
    const int64_t hits = arrivals->first < arrivals->end ? arrivals->moments[arrivals->first].second : FL_NEVER;
    return hits < due ? hits : due;
}

/* Take in the hits of a second, if there are any, and look at every key that has some or is due. */
static inline int fl_rule_visit(fl_rule *rule, fl_names *names, int64_t at, fl_saids *said) {
    const fl_arrivals *arrivals = &rule->arrivals;
    int done = 1, more = 1;
    rule->tick += 2;
    if (arrivals->first < arrivals->end && arrivals->moments[arrivals->first].second == at) {
        fl_taken moment;
        done = fl_arrivals_take(&rule->arrivals, &moment) && fl_rule_fill(rule, names, &moment, said);
    } else if (fl_grid_on(rule)) {
        const fl_taken none = {.second = at};
        done = fl_rule_fill_grid(rule, &none) != 0;
    }
    while (done && (done = fl_rule_queue_true(rule)) && fl_rule_next_due(rule) == at) {
        const uint32_t which = rule->dues.at[rule->dues.first].head;
        fl_rule_unqueue(rule, which);
        done = fl_rule_look(rule, which, at, said);
    }
    if (done && rule->crowd.on && rule->kept > rule->most_kept) {
        rule->calm = FL_CALM;
        done = fl_crowd_end(rule, names);
    }
    if (done && rule->kept > rule->most_kept) /* of what is in no window, nothing is to go for it */
        for (uint32_t which = rule->head; which != FL_NONE; which = rule->states[which].after)
            fl_rule_expire(rule, rule->states + which, at);
    while (done && more > 0 && rule->kept > rule->most_kept)
        more = rule->above ? fl_rule_drop_one(rule, names, at) : fl_rule_drop_youngest(rule, names, at);
    return done && more >= 0;
}

/* Evaluate every second before `end` that was not yet; `all` is the key of a rule without keys.
 * 0 where there is no memory. */
static inline int fl_rule_close(fl_rule *rule, fl_names *names, int64_t end, int64_t first, uint32_t all,
                                fl_saids *said) {
    if (rule->has_closed && end <= rule->closed)
        return 1;
    if (!rule->begun && first < end) {
        rule->begun = 1;
        uint32_t which = rule->keyed ? FL_NONE : fl_rule_find(rule, all);
        if (which != FL_NONE) { /* late hits came before the first second was known */
            fl_state *state = rule->states + which;
            state->born = first < state->born ? first : state->born;
            if (!fl_rule_queue(rule, which, rule->closed))
                return 0;
        } else if (!rule->keyed) {
            which = fl_rule_new(rule, all, first, rule->tick += 2);
            if (which == FL_NONE || !fl_rule_schedule(rule, which, first - 1))
                return 0;
        }
    }
    int64_t at;
    int done;
    while ((done = fl_rule_queue_true(rule)) && (at = fl_rule_next(rule)) < end)
        if (!fl_rule_visit(rule, names, at, said))
            return 0;
    if (!done || !fl_arrivals_close_up(&rule->arrivals))
        return 0;
    rule->closed = end;
    rule->has_closed = 1;
    return 1;
}

static inline void fl_rule_free(fl_rule *rule) {
    while (rule->head != FL_NONE && rule->live)
        fl_rule_forget(rule, rule->head);
    for (size_t at = 0; at < rule->n_states; at++) {
        free(rule->states[at].seen);
        free(rule->states[at].more);
    }
    fl_arrivals_free(&rule->arrivals);
    free(rule->dues.at);
    free(rule->states);
    free(rule->idle);
    free(rule->of_key);
    fl_crowd_free(&rule->crowd);
    fl_grid_free(rule);
}

#endif
