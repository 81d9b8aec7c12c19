"""A merger whose state went through JSON goes on as if nothing had been, in either twin of the windows."""

import re
from itertools import chain, cycle, zip_longest
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastlog.executors.checkpoint import partial_from, partial_state
from fastlog.merger import Merger
from fastlog.model.chunk import Block
from fastlog.model.events import singly
from fastlog.model.partial import Partial
from fastlog.model.plan import Plan
from fastlog.model.rules import Rule
from fastlog.windows.select import find_spec
from fastlog.worker import Worker
from tests.properties.strategies import line, logs, options
from tests.reference import COMMON_US

HORIZON = 1_600_000_000
TWINS = [False, True] if find_spec("fastlog.windows.native") else [False]


RULES = (
    Rule(name="share", measure="share", window=30, per="section", where="status >= 400", above=0.3, hold=2),
    Rule(name="bytes", measure="bytes", window=7, per="host", where="bytes > 10", above=500),
    Rule(name="died", measure="rate", window=20, below=0.1, recover=0.2),
)


def plan_of(chosen: dict[str, Any], *, follow: bool, compiled: bool) -> Plan:
    every = chosen["stats_every"] or chosen["stats_window"]
    return Plan(
        follow=follow,
        horizon=None if follow else HORIZON,
        cells=True,
        rejects=False,
        compiled=compiled,
        pairs=True,
        rules=RULES,
        **{**chosen, "stats_every": every},
    )


def folded(plan: Plan, pieces: list[bytes]) -> list[Partial]:
    worker = Worker(plan, "regex", [])
    at = float(HORIZON) if plan.follow else None
    return [worker.fold(Block(0, 0, piece, at), COMMON_US)[0] for piece in map(timed, pieces)]


def timed(piece: bytes) -> bytes:
    """The lines with a duration behind them, which differs from line to line."""
    return re.sub(rb"(?m)(?=\r?$)", lambda found: b" %d" % (found.start() ** 2), piece)


def hand_over(merger: Merger, plan: Plan) -> Merger:
    """The state of one as it stands in a record, and what one of another plan is with it."""
    state = merger.state()
    record = orjson.dumps({**state, "partials": list(map(partial_state, state["partials"]))})
    state = orjson.loads(record)
    heir = Merger(plan)
    heir.restore({**state, "partials": list(map(partial_from, state["partials"]))})
    return heir


def events_of(mergers: list[Merger], cuts: set[int], partials: list[Partial]) -> list[Any]:
    """The events of a run that is cut before the chunks of ``cuts``, each part done by the next merger."""
    turn = cycle(mergers)
    merger = next(turn)
    merger.open(0, "log", timed=True)
    events: list[Any] = []
    for number, partial in enumerate(partials):
        if number in cuts:
            merger = hand_over(merger, next(turn).plan)
            if merger.plan.follow:
                merger.open(0, "log", timed=True)
        at = float(HORIZON) if merger.plan.follow else None
        events += singly(merger.commit(0, partial, at=at))
    events += [*singly(merger.finish()), merger.summary(complete=True)]
    return [*events, merger.snapshot()]


@settings(max_examples=60, deadline=None)
@given(log=logs(), chosen=options(), follow=st.booleans(), cuts=st.sets(st.integers(0, 30)))
def test_a_run_that_is_cut_anywhere_has_the_same_events(
    log: bytes, chosen: dict[str, Any], follow: bool, cuts: set[int]
) -> None:
    plans = [plan_of(chosen, follow=follow, compiled=compiled) for compiled in TWINS]
    partials = folded(plans[0], log.splitlines(keepends=True))
    whole = events_of([Merger(plans[0])], set(), partials)
    for order in (plans, plans[::-1]):
        assert events_of([Merger(plan) for plan in order], cuts, partials) == whole


@pytest.mark.parametrize("compiled", TWINS)
def test_the_bounds_of_names_and_sums_beyond_64_bits_last(compiled: bool) -> None:
    chosen = {"lateness": 0, "threshold": 1.0, "alert_window": 5, "stats_window": 10, "stats_every": 5}
    plan = plan_of(chosen, follow=False, compiled=compiled)
    size = b"9" * 18
    pieces = [
        b"".join(line(1_525_881_600 + n // 400, b"GET /%d HTTP/1.1" % (n % 2_300), size=size) for n in part)
        for part in (range(3_000), range(3_000, 6_000), range(6_000, 9_000))
    ]
    partials = folded(plan, pieces)
    whole = events_of([Merger(plan)], set(), partials)
    summary = whole[-2]
    assert summary.bytes == 9_000 * int(size) > 1 << 64
    assert summary.sections["(other)"] > 0
    assert events_of([Merger(plan), Merger(plan)], {1, 2}, partials) == whole


@settings(max_examples=60, deadline=None)
@given(files=st.lists(logs(), min_size=2, max_size=3), chosen=options(), cuts=st.sets(st.integers(0, 40)))
def test_what_waits_for_another_file_or_for_a_witness_is_in_the_state(
    files: list[bytes], chosen: dict[str, Any], cuts: set[int]
) -> None:
    """Each file's lines in turn, which is no order of time: what can be late or early is."""
    plans = [plan_of(chosen, follow=False, compiled=compiled) for compiled in TWINS]
    parts = [folded(plans[0], log.splitlines(keepends=True)) for log in files]
    turns = [
        (source, partial)
        for row in zip_longest(*parts)
        for source, partial in enumerate(row)
        if partial is not None
    ]

    def events(mergers: list[Merger], cuts: set[int]) -> list[Any]:
        turn = cycle(mergers)
        merger = next(turn)
        left = [len(part) for part in parts]
        told: list[Any] = []
        for source in range(len(parts)):
            merger.open(source, f"log {source}", timed=True)
        for number, (source, partial) in enumerate(turns):
            if number in cuts:
                merger = hand_over(merger, next(turn).plan)
            if number in cuts or not number:
                ended = [merger.close(gone) for gone, lines in enumerate(left) if not lines]
                told += chain.from_iterable(map(singly, ended))
            told += singly(merger.commit(source, partial))
            left[source] -= 1
            if not left[source]:
                told += singly(merger.close(source))
        told += [*singly(merger.finish()), merger.summary(complete=True)]
        return [*told, merger.snapshot()]

    whole = events([Merger(plans[0])], set())
    for order in (plans, plans[::-1]):
        assert events([Merger(plan) for plan in order], cuts) == whole


def test_a_line_that_waits_to_be_believed_is_in_the_state() -> None:
    chosen = {"lateness": 0, "threshold": 1.0, "alert_window": 5, "stats_window": 10, "stats_every": 5}
    plan = plan_of(chosen, follow=False, compiled=False)
    now, leap, witness = folded(plan, [line(1_525_881_600), line(1_525_981_600), line(1_525_981_601)])
    for last, future, greatest in ((witness, 0, 1_525_981_601), (now, 1, 1_525_881_600)):
        merger = Merger(plan)
        merger.open(0, "log", timed=True)
        list(merger.commit(0, now))
        list(merger.commit(0, leap))
        merger = hand_over(merger, plan)
        list(merger.commit(0, last))
        list(merger.finish())
        summary = merger.summary(complete=True)
        assert (summary.future, summary.last, summary.hits) == (future, greatest, 3)
