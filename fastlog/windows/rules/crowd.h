/* Keys of which more come than may stay: what becomes of a second of them, without its being sorted. It does what
 * fl_rule_crowd of rules.h does, key by key and in order, and what window.py does.
 *
 * Of a rule that waits for many hits, and none of whose keys is near to firing, nothing has to be known of a key
 * but what its window holds, and when it had hits: which ones go follows from that. So the hits of each second
 * stand as a group in a ring, the newest last, in no order; the keys of the first group go first, by their names.
 * How many of a group have gone is only counted. Names are compared where one comes again that may have gone
 * already, or may go before its turn: of many keys those are few. A key that came once has no state but its place in
 * the ring.
 *
 * The ring stands for the row of keys, from `fl_crowd_begin` on, as long as all is so; `fl_crowd_end` makes the row
 * of it again. Both know the same, to the last entry of a window.
 *
 * Memory: the ring has room for some four times the keys that a rule may have, and keeps what each had in its
 * window; of those that are gone and only counted there are no more than came in one second.
 *
 * Over 300 lines, since all of it is one state.
 */
#ifndef FASTLOG_CROWD_H
#define FASTLOG_CROWD_H

#include "states.h"

#define FL_AGAIN (FL_NONE - 1) /* for a state: of a key of which it is not known yet whether it is still there */
#define FL_COMPARED 4          /* names: so many are compared in the time in which one is sorted */
#define FL_CALM 32             /* seconds with hits: so long no ring is begun after one could not be, or not kept */

static inline fl_arrival *fl_crowd_at(const fl_crowd *crowd, uint32_t place) {
    return crowd->ring + (place & crowd->mask);
}

/* The group of an entry. */
static inline fl_group *fl_crowd_group(const fl_crowd *crowd, uint32_t place) {
    size_t low = crowd->group, high = crowd->groups_end;
    while (low + 1 < high) {
        const size_t middle = low + (high - low) / 2;
        if (crowd->groups[middle].start - crowd->first <= place - crowd->first)
            low = middle;
        else
            high = middle;
    }
    return crowd->groups + low;
}

/* Where the entries of a group end. */
static inline uint32_t fl_crowd_stop(const fl_crowd *crowd, const fl_group *group) {
    return group + 1 < crowd->groups + crowd->groups_end ? group[1].start : crowd->end;
}

/* Room for all that a rule may keep: its keys, those that have gone without being looked at, and a second's. */
static inline int fl_crowd_room(fl_crowd *crowd, size_t bound) {
    size_t room = 16;
    if (crowd->ring)
        return 1;
    while (room < 4 * bound)
        room *= 2;
    crowd->ring = (fl_arrival *)malloc(room * sizeof *crowd->ring);
    crowd->ranks = (uint32_t *)malloc(room * sizeof *crowd->ranks);
    crowd->groups = (fl_group *)malloc(room * sizeof *crowd->groups);
    crowd->again = (fl_again *)malloc((bound + 1) * sizeof *crowd->again);
    crowd->places = (fl_place *)malloc(2 * (bound + 1) * sizeof *crowd->places);
    crowd->mask = (uint32_t)room - 1;
    return crowd->ring && crowd->ranks && crowd->groups && crowd->again && crowd->places;
}

static inline void fl_crowd_free(fl_crowd *crowd) {
    free(crowd->ring);
    free(crowd->ranks);
    free(crowd->groups);
    free(crowd->again);
    free(crowd->places);
}

/* Put the row of keys into a ring: 1. 0 where there is no memory, -1 where it is not such a rule, or not now. */
static inline int fl_crowd_begin(fl_rule *rule) {
    fl_crowd *crowd = &rule->crowd;
    if (!rule->plain || !rule->keyed || rule->calm)
        return -1;
    if (!fl_crowd_room(crowd, rule->bound) || !fl_rule_order(rule))
        return 0;
    const fl_state *last = NULL;
    for (uint32_t which = rule->head; which != FL_NONE; which = rule->states[which].after) {
        const fl_state *state = rule->states + which;
        if (state->firing || state->since != FL_NEVER || state->due != FL_NEVER || state->first == state->end ||
            (last && last->tick == state->tick &&
             last->seen[last->end - 1].second != state->seen[state->end - 1].second)) {
            rule->calm = FL_CALM;
            return -1;
        }
        last = state;
    }
    crowd->first = crowd->end = crowd->gone = 0;
    crowd->group = crowd->groups_end = 0;
    for (uint32_t which = rule->head; which != FL_NONE; which = rule->states[which].after) {
        fl_state *state = rule->states + which;
        if (!crowd->end || crowd->groups[crowd->groups_end - 1].tick != state->tick)
            crowd->groups[crowd->groups_end++] =
                (fl_group){state->seen[state->end - 1].second, state->tick, crowd->end, 0, FL_NONE, 0};
        crowd->groups[crowd->groups_end - 1].held++;
        crowd->ring[crowd->end] = (fl_arrival){0, 0, state->key, which};
        rule->of_key[state->key] = ++crowd->end;
        state->queued = FL_NEVER;
    }
    rule->head = rule->tail = FL_NONE;
    rule->dues.first = rule->dues.end = 0;
    return crowd->on = 1;
}

/* An entry is not there any more. */
static inline void fl_crowd_leave(fl_crowd *crowd, uint32_t place) {
    fl_crowd_at(crowd, place)->key = FL_NONE;
    crowd->ranks[place & crowd->mask] = FL_NONE;
}

/* Take an entry out of the ring, and what is kept of its key. */
static inline void fl_crowd_let_go(fl_rule *rule, uint32_t place) {
    fl_arrival *entry = fl_crowd_at(&rule->crowd, place);
    if (entry->state == FL_NONE)
        rule->kept--;
    else
        fl_rule_release(rule, entry->state);
    fl_crowd_leave(&rule->crowd, place);
}

/* Have those of the first group gone that were only counted. */
static inline void fl_crowd_settle(fl_rule *rule, const fl_names *names) {
    fl_crowd *crowd = &rule->crowd;
    fl_group *group = crowd->groups + crowd->group;
    size_t n = 0;
    if (!crowd->gone)
        return;
    fl_place *places = (fl_place *)malloc(2 * (size_t)group->held * sizeof *places);
    if (!places)
        return;
    for (uint32_t at = group->start; at != fl_crowd_stop(crowd, group); at++)
        if (fl_crowd_at(crowd, at)->key != FL_NONE)
            places[n++] = (fl_place){0, fl_crowd_at(crowd, at)->key, at};
    const fl_place *sorted = fl_places_sort(names, places, places + n, n);
    for (size_t at = 0; at < crowd->gone; at++)
        fl_crowd_let_go(rule, sorted[at].place);
    group->held -= crowd->gone;
    crowd->gone = 0;
    free(places);
}

/* Make the row of keys of the ring, if there is one. 0 where there is no memory. */
static inline int fl_crowd_end(fl_rule *rule, const fl_names *names) {
    fl_crowd *crowd = &rule->crowd;
    fl_more none = {0};
    if (!crowd->on)
        return 1;
    fl_crowd_settle(rule, names);
    if (crowd->gone)
        return 0;
    memset(rule->of_key, 0, rule->keys_room * sizeof *rule->of_key);
    crowd->on = 0;
    rule->live = 0;
    for (size_t number = crowd->group; number < crowd->groups_end; number++) {
        const fl_group *group = crowd->groups + number;
        for (uint32_t at = group->start; at != fl_crowd_stop(crowd, group); at++) {
            const fl_arrival *entry = fl_crowd_at(crowd, at);
            if (entry->key == FL_NONE)
                continue;
            if (entry->state != FL_NONE) {
                fl_rule_join(rule, entry->state, group->tick);
                continue;
            }
            const uint32_t which = fl_rule_new(rule, entry->key, group->second, group->tick);
            rule->kept--;
            if (which == FL_NONE || !fl_rule_absorb(rule, which, group->second, entry->hits, entry->base, &none))
                return 0;
        }
    }
    return 1;
}

/* Move the entries together, where keys that had hits again left gaps. */
static inline void fl_crowd_close_up(fl_rule *rule) {
    fl_crowd *crowd = &rule->crowd;
    uint32_t to = crowd->first;
    size_t kept = 0;
    for (size_t number = crowd->group; number < crowd->groups_end; number++) {
        fl_group group = crowd->groups[number];
        const uint32_t stop = fl_crowd_stop(crowd, crowd->groups + number);
        const uint32_t start = to;
        for (uint32_t at = group.start; at != stop; at++) {
            const fl_arrival entry = *fl_crowd_at(crowd, at);
            if (entry.key == FL_NONE)
                continue;
            *fl_crowd_at(crowd, to++) = entry;
            rule->of_key[entry.key] = to; /* of one that came again the last one's, which comes later */
        }
        group.start = start;
        group.ranking = FL_NONE;
        if (group.held)
            crowd->groups[kept++] = group;
    }
    crowd->group = 0;
    crowd->groups_end = kept;
    crowd->end = to;
}

/* -- a second --------------------------------------------------------------------------------- */

/* Put the hits of a second at the end of the ring, once for each key, and note in `again` those that are there
 * already: 1. -1 where one of them may not stay quiet: then the ring has to end; 0 where there is no memory. */
static inline int fl_crowd_enter(fl_rule *rule, const fl_names *names, const fl_taken *moment, size_t *n_again) {
    fl_crowd *crowd = &rule->crowd;
    const uint32_t start = crowd->end;
    uint32_t end = start;
    size_t n = 0;
    int64_t most = -1;
    for (size_t at = 0; at < moment->n; at++) {
        const fl_arrival *hit = moment->arrivals + at;
        if (at + FL_SOON < moment->n) {
            __builtin_prefetch(rule->of_key + hit[FL_SOON].key, 1);
            __builtin_prefetch(names->ranks + hit[FL_SOON].key);
        }
        if (!fl_rule_key_room(rule, hit->key))
            return 0;
        uint32_t *of_key = rule->of_key + hit->key;
        const uint32_t place = *of_key - 1;
        fl_arrival *known = fl_crowd_at(crowd, place), *entry = fl_crowd_at(crowd, end);
        if (place - crowd->first < end - crowd->first && known->key == hit->key) {
            if (place - start < end - start) { /* a second time in this second */
                known->hits += hit->hits;
                known->base += hit->base;
                most = known->hits > most ? known->hits : most;
                continue;
            }
            crowd->again[n++] = (fl_again){end, place};
            *entry = (fl_arrival){hit->hits, hit->base, hit->key, FL_AGAIN};
        } else {
            *entry = (fl_arrival){hit->hits, hit->base, hit->key, FL_NONE};
        }
        most = hit->hits > most ? hit->hits : most;
        *of_key = ++end;
    }
    int quiet = most <= rule->enough;
    for (size_t at = 0; at < n; at++) {
        const fl_arrival *before = fl_crowd_at(crowd, crowd->again[at].before);
        int64_t hits = fl_crowd_at(crowd, crowd->again[at].now)->hits;
        if (before->state == FL_NONE) {
            hits += before->hits;
        } else {
            fl_rule_expire(rule, rule->states + before->state, moment->second);
            hits += rule->states[before->state].hits;
        }
        quiet &= hits <= rule->enough;
    }
    *n_again = n;
    if (!quiet)
        return -1;
    crowd->end = end;
    return 1;
}

/* Find the ranks of the names of a group; of the last one, of those that are new. */
static inline void fl_crowd_rank(fl_crowd *crowd, const fl_names *names, fl_group *group) {
    const uint32_t stop = fl_crowd_stop(crowd, group), mask = crowd->mask, *of_key = names->ranks;
    const int last = stop == crowd->end;
    const fl_arrival *ring = crowd->ring;
    uint32_t *ranks = crowd->ranks, unranked = 0;
    for (uint32_t at = group->start; at != stop; at++) {
        const fl_arrival *entry = ring + (at & mask);
        const int asked = entry->key != FL_NONE && !(last && entry->state != FL_NONE);
        const uint32_t rank = asked ? of_key[entry->key] : FL_NONE;
        ranks[at & mask] = rank;
        unranked += !rank;
    }
    group->unranked = unranked;
    group->ranking = names->ranking;
}

/* Have the rank of an entry of the last group, now that it is asked for. */
static inline void fl_crowd_rank_one(fl_crowd *crowd, const fl_names *names, uint32_t place) {
    const uint32_t rank = names->ranks[fl_crowd_at(crowd, place)->key];
    crowd->ranks[place & crowd->mask] = rank;
    crowd->groups[crowd->groups_end - 1].unranked += !rank;
}

/* How many keys of a group sort before one. */
static inline size_t fl_crowd_before(fl_rule *rule, const fl_names *names, fl_group *group, uint32_t key) {
    fl_crowd *crowd = &rule->crowd;
    const uint32_t rank = names->ranks[key], stop = fl_crowd_stop(crowd, group);
    size_t n = 0;
    if (group->ranking != names->ranking)
        fl_crowd_rank(crowd, names, group);
    for (uint32_t at = group->start; rank && at != stop;) { /* what has no rank is not less than any */
        const uint32_t *ranks = crowd->ranks + (at & crowd->mask);
        const uint32_t left = stop - at, here = crowd->mask + 1 - (at & crowd->mask); /* the ring has an end */
        const uint32_t some = left < here ? left : here;
        uint32_t less = 0;
        for (uint32_t place = 0; place < some; place++)
            less += ranks[place] - 1 < rank - 1;
        n += less;
        at += some;
    }
    if (rank && !group->unranked)
        return n;
    size_t compared = 0;
    for (uint32_t at = group->start; at != stop; at++) {
        const uint32_t other = crowd->ranks[at & crowd->mask];
        if (other && (rank || other == FL_NONE))
            continue;
        n += fl_names_order(names, fl_crowd_at(crowd, at)->key, key) < 0;
        compared++;
    }
    rule->unranked += compared / FL_COMPARED;
    return n;
}

/* A key that is still there has its place among the last. 0 where there is no memory. */
static inline int fl_crowd_move(fl_rule *rule, const fl_again *again, int64_t second) {
    fl_crowd *crowd = &rule->crowd;
    fl_group *group = fl_crowd_group(crowd, again->before);
    fl_arrival *before = fl_crowd_at(crowd, again->before), *now = fl_crowd_at(crowd, again->now);
    fl_more none = {0};
    uint32_t which = before->state;
    if (which == FL_NONE) {
        which = fl_rule_spare(rule, before->key, group->second);
        rule->kept--;
        if (which == FL_NONE || !fl_rule_absorb(rule, which, group->second, before->hits, before->base, &none))
            return 0;
    }
    fl_crowd_leave(crowd, again->before);
    group->held--;
    now->state = which;
    fl_rule_expire(rule, rule->states + which, second);
    return fl_rule_absorb(rule, which, second, now->hits, now->base, &none);
}

/* Let the first so many go, at `second`. */
static inline void fl_crowd_drop(fl_rule *rule, size_t n, int64_t second) {
    fl_crowd *crowd = &rule->crowd;
    while (crowd->group < crowd->groups_end) {
        fl_group *group = crowd->groups + crowd->group;
        const size_t left = group->held - crowd->gone, gone = left < n ? left : n;
        rule->dropped += group->second > second - rule->window ? (int64_t)gone : 0;
        n -= gone;
        if (gone < left) {
            crowd->gone += (uint32_t)gone;
            return;
        }
        const uint32_t stop = fl_crowd_stop(crowd, group);
        for (uint32_t at = crowd->first; at != stop; at++) { /* a place before the first is nobody's */
            const fl_arrival *entry = fl_crowd_at(crowd, at);
            if (entry->key == FL_NONE)
                continue;
            if (entry->state == FL_NONE)
                rule->kept--;
            else
                fl_rule_release(rule, entry->state);
        }
        crowd->first = stop;
        crowd->gone = 0;
        crowd->group++;
    }
}

/* Which of those that are there again had gone before this second: these are new. How many. */
static inline size_t fl_crowd_gone(fl_rule *rule, fl_names *names, size_t n) {
    fl_crowd *crowd = &rule->crowd;
    fl_group *group = crowd->groups + crowd->group;
    const uint32_t reached = fl_crowd_stop(crowd, group) - crowd->first;
    size_t kept = 0;
    for (size_t at = 0; at < n; at++) {
        const fl_again one = crowd->again[at];
        fl_arrival *before = fl_crowd_at(crowd, one.before);
        if (crowd->gone && one.before - crowd->first < reached &&
            fl_crowd_before(rule, names, group, before->key) < crowd->gone) {
            fl_crowd_let_go(rule, one.before);
            fl_crowd_at(crowd, one.now)->state = FL_NONE;
            group->held--;
            crowd->gone--;
        } else {
            crowd->again[kept++] = one;
        }
    }
    return n - kept;
}

/* Whether one of the first groups that is there again has gone when its turn comes, of so many `live` keys. */
static inline int fl_crowd_passed(fl_rule *rule, fl_names *names, const fl_again *again, size_t live) {
    const fl_crowd *crowd = &rule->crowd;
    const uint32_t key = fl_crowd_at(crowd, again->now)->key;
    fl_group *last = crowd->groups + crowd->groups_end - 1, *group = fl_crowd_group(crowd, again->before);
    const size_t came = live + fl_crowd_before(rule, names, last, key);
    const size_t gone = came > rule->bound ? came - rule->bound : 0;
    size_t ahead = 0, some = group->held;
    for (const fl_group *other = crowd->groups + crowd->group; other != group; other++)
        ahead += other->held;
    if (group == crowd->groups + crowd->group)
        some -= crowd->gone;
    else
        ahead -= crowd->gone;
    if (ahead >= gone || ahead + some <= gone)
        return ahead < gone;
    return ahead + fl_crowd_before(rule, names, group, key) < gone + (group->held - some);
}

/* Move those that are still there when their turn comes. How many are not, and so are new; -1 where there is no
 * memory. */
static inline int64_t fl_crowd_again(fl_rule *rule, fl_names *names, size_t n, size_t live, int64_t second) {
    fl_crowd *crowd = &rule->crowd;
    const size_t came = live + crowd->groups[crowd->groups_end - 1].held; /* those of which n may not be new */
    size_t left = came > rule->bound ? came - rule->bound : 0, doubtful = 0, number = crowd->group;
    int64_t gone = 0;
    left += crowd->gone;
    for (; left && number + 1 < crowd->groups_end; number++)
        left -= crowd->groups[number].held < left ? crowd->groups[number].held : left;
    const uint32_t reached = crowd->groups[number].start - crowd->first;
    for (size_t at = 0; at < n; at++) {
        const fl_again *again = crowd->again + at;
        if (again->before - crowd->first < reached)
            crowd->places[doubtful++] = (fl_place){0, fl_crowd_at(crowd, again->now)->key, (uint32_t)at};
        else if (!fl_crowd_move(rule, again, second))
            return -1;
    }
    if (!doubtful)
        return 0;
    const fl_place *sorted = fl_rule_sorted(rule, names, crowd->places, doubtful);
    for (size_t at = 0; sorted && at < doubtful; at++) {
        const fl_again *again = crowd->again + sorted[at].place;
        if (fl_crowd_passed(rule, names, again, live)) {
            fl_crowd_at(crowd, again->now)->state = FL_NONE;
            fl_crowd_rank_one(crowd, names, again->now);
            gone++;
        } else if (!fl_crowd_move(rule, again, second)) {
            return -1;
        }
    }
    return sorted ? gone : -1;
}

/* Take in the hits of a second: 1. 0 where there is no memory; -1 where the ring cannot do it, and has to end
 * first. In the order of their names each new key has the first of the row go, where there is no room; whether
 * one that is there again is still there when its turn comes goes by how many new ones sort before it. */
static inline int fl_crowd_take(fl_rule *rule, fl_names *names, const fl_taken *moment) {
    fl_crowd *crowd = &rule->crowd;
    size_t n;
    if (crowd->end - crowd->first + moment->n > crowd->mask || crowd->groups_end > crowd->mask)
        fl_crowd_close_up(rule);
    if (crowd->end - crowd->first + moment->n > crowd->mask)
        return -1;
    const uint32_t start = crowd->end;
    const int entered = fl_crowd_enter(rule, names, moment, &n);
    if (entered <= 0)
        return entered;
    if (rule->unranked > FL_UNRANKED * names->n) {
        rule->unranked = 0;
        if (!fl_names_rank(names))
            return 0;
    }
    const uint32_t held = crowd->end - start;
    crowd->groups[crowd->groups_end++] = (fl_group){moment->second, rule->tick | 1, start, held, 0, 0};
    n -= fl_crowd_gone(rule, names, n);
    fl_crowd_rank(crowd, names, crowd->groups + crowd->groups_end - 1);
    const int64_t gone = fl_crowd_again(rule, names, n, rule->live, moment->second);
    if (gone < 0)
        return 0;
    for (size_t at = 0; at < n; at++)
        fl_crowd_rank_one(crowd, names, crowd->again[at].now);
    const size_t fresh = held - n + (size_t)gone, live = rule->live + fresh;
    rule->live = live < rule->bound ? live : rule->bound;
    rule->kept += (int64_t)fresh;
    fl_crowd_drop(rule, live - rule->live, moment->second);
    return 1;
}

#endif
