"""A snapshot as a page for Prometheus, written by its own client library (extra ``fastlog[serve]``)."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from fastlog.model.events import OTHER
from fastlog.model.printable import printable
from fastlog.model.snapshot import Snapshot

KEYS_NAMED = 100
"""Keys of a rule that have a series of their own; of the others, how many are firing."""


CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics_page(snapshot: Snapshot, now: float) -> bytes:
    """The page, in Prometheus's text format. ``now`` is wall time in epoch seconds.

    Decision: the one format that every reader takes, so that a page can be shown twice; ``Accept`` is
    not looked at.
    """
    return generate_latest(_Snapshots(snapshot, now))


class _Snapshots(Collector):
    """What the client library calls a collector: it gives out families of samples."""

    def __init__(self, snapshot: Snapshot, now: float) -> None:
        self._snapshot = snapshot
        self._now = now

    def collect(self) -> Iterator[Metric]:
        now = self._snapshot
        yield _counter("lines", "Lines read.", now.lines)
        rejected = _labelled("rejected", "Lines that were not parsed.", ["reason"])
        for reason, lines in now.rejected.items():
            rejected.add_metric([reason], lines)
        yield rejected
        hits = _labelled("hits", "Lines parsed, by section and status.", ["section", "status"])
        for names, count in now.hits.items():
            hits.add_metric(names, count)
        yield hits
        yield _counter("response_bytes", "Sum of the response sizes.", now.bytes)
        yield _counter("late", "Hits that came after their second was closed.", now.late)
        yield _counter("future", "Hits whose time is not believed.", now.future)
        yield self._alerts()
        if now.watermark is not None:
            lag = self._now - now.watermark
            yield GaugeMetricFamily(
                "fastlog_watermark_lag_seconds", "Wall time less the end of the last second closed.", lag
            )
        if now.durations is not None:
            yield self._durations()
        given_up = _labelled("notifications_given_up", "Alerts and recoveries not delivered.", ["target"])
        for target, count in now.given_up.items():
            given_up.add_metric([target], count)
        yield given_up

    def _alerts(self) -> Metric:
        family = GaugeMetricFamily(
            "fastlog_alert_firing", "1 while the alert is firing.", labels=["rule", "key"]
        )
        named: dict[tuple[str, str], int] = {}
        keys: dict[str, int] = {}
        for (rule, key), firing in self._snapshot.alerts.items():
            keys[rule] = keys.get(rule, 0) + 1
            names = (printable(rule), printable(key) if keys[rule] <= KEYS_NAMED else OTHER)
            named[names] = named.get(names, 0) + firing
        for names, count in named.items():
            family.add_metric(names, count)
        return family

    def _durations(self) -> Metric:
        durations = self._snapshot.durations
        assert durations is not None
        buckets = [(repr(bound), float(hits)) for bound, hits in durations.buckets]
        return HistogramMetricFamily(
            "fastlog_request_duration_seconds",
            "Request durations.",
            buckets=[*buckets, ("+Inf", float(durations.hits))],
            sum_value=durations.seconds,
        )


def _counter(name: str, text: str, value: int) -> Metric:
    return CounterMetricFamily(f"fastlog_{name}", text, value)


def _labelled(name: str, text: str, labels: list[str]) -> CounterMetricFamily:
    return CounterMetricFamily(f"fastlog_{name}", text, labels=labels)
