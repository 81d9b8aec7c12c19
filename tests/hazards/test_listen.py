"""``--listen`` with the real command: what it says, to whom, and what strangers can make it do."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import uvloop
from prometheus_client.parser import text_string_to_metric_families

from fastlog.sinks import listen
from tests.hazards.command import PATIENCE, Command, until
from tests.properties.strategies import line

Start = Callable[..., Command]
Run = Callable[..., subprocess.CompletedProcess[bytes]]
Labels = tuple[tuple[str, str], ...]
START = 1_525_881_600
COMMON = '$remote_addr - $remote_user [$time_local] "$request" $status $bytes_sent'
DURATIONS = "fastlog_request_duration_seconds"
HOSTILE = line(START, b'GET /"\\a\x1b\xff/x HTTP/1.1')


class Served:
    """A command that listens on some port, and reads what it is fed."""

    def __init__(self, command: Command) -> None:
        self.command = command.told("metrics at ")
        found = re.search(r"metrics at http://(127\.[.\d]+):(\d+)/metrics\n", command.messages)
        assert found
        self.address, self.port = found[1], int(found[2])

    def connect(self) -> socket.socket:
        return socket.create_connection((self.address, self.port), timeout=PATIENCE)

    def talk(self, raw: bytes) -> bytes:
        """All that is answered to ``raw``, up to the end of the connection."""
        with self.connect() as connection:
            try:
                connection.sendall(raw)
                return b"".join(iter(lambda: connection.recv(65_536), b""))
            except ConnectionError:
                return b""

    def ask(self, path: str, method: str = "GET", host: str | None = None) -> tuple[int, str]:
        """Status and body."""
        host = f"{self.address}:{self.port}" if host is None else host
        answer = self.talk(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode()

    def metrics(self) -> dict[str, dict[Labels, float]]:
        """The samples of each name by their labels, as the official parser reads them."""
        status, page = self.ask("/metrics")
        assert status == 200
        samples: dict[str, dict[Labels, float]] = {}
        for family in text_string_to_metric_families(page):
            assert family.type in {"counter", "gauge", "histogram"}
            for sample in family.samples:
                labels = tuple(sorted(sample.labels.items()))
                assert labels not in samples.setdefault(sample.name, {})
                samples[sample.name][labels] = sample.value
        return samples

    def metrics_after(self, lines: int) -> dict[str, dict[Labels, float]]:
        """The samples once so many lines are counted."""
        return until(
            lambda: found if (found := self.metrics())["fastlog_lines_total"][()] == lines else {}, ""
        )  # type: ignore[no-any-return]


@pytest.fixture
def served(start: Start) -> Served:
    return Served(start("--listen", "0", "--json", "--workers", "1", "--format", "common", "-"))


def by_label(samples: dict[Labels, float], label: str) -> dict[str, int]:
    """The sums of samples by one of their labels."""
    sums: dict[str, int] = {}
    for labels, value in samples.items():
        name = dict(labels)[label]
        sums[name] = sums.get(name, 0) + int(value)
    return sums


def test_the_figures_are_those_of_the_summary(served: Served) -> None:
    lines = [
        *(line(START + n, b"GET /a/b HTTP/1.1", status=b"200") for n in range(200)),
        *(line(START + 200, b"POST /b HTTP/1.1", status=b"503") for _ in range(7)),
        line(START, b"GET /late HTTP/1.1"),
        HOSTILE,
        b"no line of a log\n",
        b"\n",
    ]
    served.command.feed(b"".join(lines))
    found = served.metrics_after(len(lines))
    served.command.end_input()
    summary = served.command.events()[-1]
    assert served.command.wait() == 0
    rejected = {dict(labels)["reason"]: lines for labels, lines in found["fastlog_rejected_total"].items()}
    assert rejected == summary["rejected"]
    assert by_label(found["fastlog_hits_total"], "section") == summary["sections"]
    assert by_label(found["fastlog_hits_total"], "status") == summary["statuses"]
    assert found["fastlog_hits_total"][(("section", "/b"), ("status", "503"))] == 7
    assert found["fastlog_response_bytes_total"] == {(): summary["bytes"]}
    assert found["fastlog_late_total"] == {(): summary["late"]} == {(): 2}
    assert found["fastlog_future_total"] == {(): summary["future"]} == {(): 0}
    assert found["fastlog_alert_firing"] == {(("key", ""), ("rule", "traffic")): 0}
    assert found["fastlog_watermark_lag_seconds"][()] > 0


def test_durations_are_a_histogram(start: Start) -> None:
    served = Served(start("--listen", "0", "--json", "-w", "1", "--format", f"{COMMON} $request_time", "-"))
    seconds = [b"0.001", b"0.040", b"0.500", b"0.510", b"7.000", b"-"]
    served.command.feed(b"".join(line(START)[:-1] + b" " + duration + b"\n" for duration in seconds))
    found = served.metrics_after(len(seconds))
    buckets = {dict(labels)["le"]: hits for labels, hits in found[f"{DURATIONS}_bucket"].items()}
    assert [buckets[le] for le in ("0.001", "0.025", "0.05", "0.5", "1.0", "10.0", "+Inf")] == [
        1,
        1,
        2,
        3,
        4,
        5,
        5,
    ]
    assert found[f"{DURATIONS}_count"] == {(): 5}
    assert found[f"{DURATIONS}_sum"][()] == pytest.approx(8.051, rel=0.01)


def test_hits_of_the_future_are_in_the_sum(served: Served) -> None:
    far = 32_503_680_000  # the year 3000
    served.command.feed(line(START, b"GET /a HTTP/1.1") + line(far, b"GET /b HTTP/1.1"))
    found = served.metrics_after(2)
    assert found["fastlog_future_total"] == {(): 1}
    assert by_label(found["fastlog_hits_total"], "section") == {"/a": 1, "/b": 1}


def test_an_alert_fires_and_recovers(served: Served) -> None:
    def firing() -> float:
        return served.metrics()["fastlog_alert_firing"][(("key", ""), ("rule", "traffic"))]

    assert firing() == 0
    served.command.feed(line(START, b"GET / HTTP/1.1") * 1201 + line(START + 90, b"GET / HTTP/1.1"))
    until(lambda: firing() == 1, "the alert")
    served.command.feed(line(START + 400, b"GET / HTTP/1.1"))
    until(lambda: firing() == 0, "the recovery")


RULES = """\
[[rule]]
name = "errors"
where = "status >= 500"
measure = "share"
per = "section"
window = 5
above = 0.5

[[rule]]
name = "busy"
measure = "hits"
window = 10
above = 2
"""


@pytest.mark.parametrize("parser", ["auto", "regex"])
def test_alerts_of_rules_are_those_that_the_summary_has_open(
    start: Start, tmp_path: Path, parser: str
) -> None:
    (tmp_path / "rules.toml").write_text(RULES)
    rules = ("--rules", "rules.toml", "--parser", parser, "--lateness", "0")
    served = Served(start("--listen", "0", "--json", *rules, "--workers", "1", "--format", "common", "-"))
    bad = [b"GET /bad HTTP/1.1", b"GET /caf\xc3\xa9 HTTP/1.1", b'GET /"\\ HTTP/1.1']
    lines = [line(START, request, status=b"500") for request in bad]
    served.command.feed(b"".join(lines) + line(START, b"GET /good HTTP/1.1") + line(START + 1, bad[0]) * 2)
    found = served.metrics_after(6)["fastlog_alert_firing"]
    open_alerts = [
        f"{dict(labels)['rule']}: {dict(labels)['key']}".removesuffix(": ")
        for labels, firing in found.items()
        if firing
    ]
    assert {dict(labels)["rule"] for labels in found} == {"traffic", "errors", "busy"}
    served.command.end_input()
    events = served.command.events()
    assert served.command.wait() == 0
    now = {f"{event['rule']}: {event['key']}" for event in events[:-1] if event["at"] == START + 1}
    assert now == {"errors: /bad"}  # resolved by the second that the end of input closed
    assert set(open_alerts) == {*events[-1]["open_alerts"], *now}
    assert len(open_alerts) == 4


def test_many_sections_are_few_series(served: Served) -> None:
    count = 20_000
    served.command.feed(
        b"".join(line(START, b"GET /s%d HTTP/1.1" % n, status=b"%03d" % (n % 1000)) for n in range(count))
    )
    hits = served.metrics_after(count)["fastlog_hits_total"]
    assert sum(hits.values()) == count
    assert len(by_label(hits, "section")) == 101
    assert sum(map(len, served.metrics().values())) < 2000


def test_it_prints_what_is_printed_without_it(fastlog: Run, tmp_path: Path) -> None:
    log = b"".join(line(START + n // 20, b"GET /s%d/y HTTP/1.1" % (n % 9)) for n in range(5000))
    for more in ((), ("--json", "--stats")):
        plain, listening = (fastlog(*more, *extra, "-", stdin=log) for extra in ((), ("--listen", "0")))
        assert plain.stdout == listening.stdout
        assert (plain.returncode, listening.returncode) == (0, 0)


FOREIGN = (
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1",
    "127.0.0.1:1",
    "",
    ":{port}",
    "127.0.0.1:{port}.evil.example",
    "127.0.0.1:{port}@evil.example",
    "[::1]:{port}",
)
OWN = ("127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}", "localhost.:{port}", "{name}:{port}")


def test_a_foreign_host_is_refused_and_its_own_are_served(served: Served) -> None:
    name = socket.gethostname()
    for host in FOREIGN:
        for path in ("/metrics", "/healthz", "/"):
            status, body = served.ask(path, host=host.format(port=served.port))
            assert status == 403, host
            assert "fastlog_" not in body
    for host in OWN:
        assert served.ask("/healthz", host=host.format(port=served.port, name=name)) == (200, "ok\n"), host


def has_ipv6() -> bool:
    """Whether there is a loopback of it too: in containers often not, though the kernel has it."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return socket.has_dualstack_ipv6()


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
@pytest.mark.parametrize(
    ("address", "own", "foreign"),
    [
        ("[::1]:0", ["[::1]", "localhost"], ["127.0.0.1", "[::2]"]),
        ("[::]:0", ["[::1]", "127.0.0.1", "localhost"], ["[::2]", "evil.example"]),
        ("0.0.0.0:0", ["127.0.0.1", "localhost", "0.0.0.0"], ["[::1]", "evil.example"]),
    ],
)
def test_other_interfaces_have_their_own_hosts(address: str, own: list[str], foreign: list[str]) -> None:
    """The Host is compared with the address that the connection came in at."""

    def client(port: int) -> None:
        for host in own + foreign:
            where = host.strip("[]") if host in own[:2] and host != "localhost" else own[0].strip("[]")
            with socket.create_connection((where, port), PATIENCE) as connection:
                connection.sendall(f"GET /healthz HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
                assert received(connection).split()[1] == (b"200" if host in own else b"403"), host

    served_here(client, address=address)


def test_a_request_names_one_host(served: Served) -> None:
    own = b"Host: 127.0.0.1:%d\r\n" % served.port
    for hosts in (b"", own * 2, own + b"Host: evil.example\r\n"):
        for version in (b"1.0", b"1.1"):
            answer = served.talk(b"GET /metrics HTTP/" + version + b"\r\n" + hosts + b"\r\n")
            assert answer.split()[1] in {b"400", b"403"}
            assert b"fastlog_" not in answer


def test_what_is_asked_otherwise(served: Served) -> None:
    assert served.ask("/healthz", "HEAD") == (200, "")
    assert served.ask("/metrics", "HEAD") == (200, "")
    assert served.ask("/other")[0] == 404
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        assert served.ask("/metrics", method)[0] == 405
    assert served.ask("/metrics", "BREW")[0] == 400


HUGE = (
    b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 10_000_000,
    b"GET /metrics HTTP/1.1\r\n" + b"X: a\r\n" * 1_000_000,
    b"GET /" + b"a" * 10_000_000,
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n" + b"a" * 10_000_000,
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 1_000_000,
    b"\x16\x03\x01\x02\x00\x01" * 100_000,
    b"\0" * 1_000_000,
)


def test_a_huge_or_senseless_request_is_cut_off(served: Served) -> None:
    for raw in HUGE:
        answer = served.talk(raw)
        assert not answer.startswith(b"HTTP/1.1 200")
        assert len(answer) < 1000
        assert served.ask("/healthz") == (200, "ok\n")
    served.command.end_input()
    assert served.command.wait() == 0


def test_slow_connections_are_let_go(served: Served) -> None:
    def descriptors() -> int:
        return len(os.listdir(f"/proc/{served.command.pid}/fd"))

    served.command.started().feed(line(START, b"GET / HTTP/1.1"))
    assert served.metrics_after(1)
    before = descriptors()
    with ExitStack() as crowd:
        for _ in range(200):
            crowd.enter_context(served.connect()).sendall(b"GET /metrics HTT")
        served.command.feed(line(START, b"GET / HTTP/1.1"))
        assert served.metrics_after(2)
    until(lambda: descriptors() <= before, "the end of all connections")


def test_it_ends_with_connections_open_and_gives_the_port_back(start: Start, tmp_path: Path) -> None:
    """On a loopback of its own: nobody else is given a port there meanwhile."""
    (tmp_path / "access.log").touch()
    own = ("--listen", "127.0.0.77:0", "--workers", "1", "--format", "common")
    served = Served(start("-f", *own, "access.log"))
    served.command.started()
    with served.connect() as slow, served.connect():
        slow.sendall(b"GET /metrics HT")
        assert served.ask("/healthz")[0] == 200
        served.command.kill(signal.SIGTERM)
        assert served.command.wait() == 0
        again = start("--listen", f"127.0.0.77:{served.port}", "--format", "common", "-")
        assert Served(again).port == served.port
        again.end_input()
        assert again.wait() == 0


def test_a_port_that_is_taken(fastlog: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = fastlog("--listen", str(port), "-", stdin=line(START, b"GET / HTTP/1.1"))
    assert (done.returncode, done.stdout) == (2, b"")
    assert (
        done.stderr.decode()
        == f"fastlog: --listen {port}: Address already in use: give another host or port\n"
    )


def test_a_host_that_is_not_this_machine(fastlog: Run) -> None:
    done = fastlog("--listen", "192.0.2.1:0", "-")
    assert done.returncode == 2
    assert done.stderr.startswith(b"fastlog: --listen 192.0.2.1:0: ")


@pytest.mark.parametrize("missing", ["aiohttp", "prometheus_client"])
def test_without_the_extra(missing: str, start: Start, tmp_path: Path, environment: dict[str, str]) -> None:
    """A message that names the extra, before anything is read."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / f"{missing}.py").write_text(f"raise ModuleNotFoundError(name={missing!r})")
    paths = os.pathsep.join([str(broken), environment["PYTHONPATH"]])
    command = start("--listen", "0", "-", env={"PYTHONPATH": paths})
    assert command.wait() == 2
    assert command.messages == f"fastlog: --listen needs {missing}: pip install 'fastlog[serve]'\n"


def test_a_run_without_it_loads_nothing_of_it(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "a.log").write_bytes(line(START, b"GET / HTTP/1.1"))
    code = (
        "import sys; from fastlog.cli import main; main(['a.log']); "
        "sys.exit(bool({'aiohttp', 'prometheus_client', 'fastlog.sinks.notify'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, timeout=60, check=False
    )
    assert done.returncode == 0


def served_here(client: Callable[[int], None], page: bytes = b"page", address: str = "0") -> None:
    """Let a blocking client talk to a listener in this process."""

    async def serve() -> None:
        listener = listen.Listener(address, lambda: page)
        await listener.start()
        try:
            await asyncio.to_thread(client, int(listener.url.split("/")[2].rpartition(":")[2]))
        finally:
            listener.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


def received(connection: socket.socket) -> bytes:
    """All that comes, to the end of the connection, however it ends."""
    pieces = []
    try:
        while piece := connection.recv(65_536):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(pieces)


@pytest.mark.parametrize(
    "said", [b"", b"GET /met", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"]
)
def test_a_connection_has_a_deadline(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "SECONDS", 0.05)

    def client(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            connection.sendall(said)
            assert b" 200 " not in received(connection)

    served_here(client)


def assert_oldest_make_room(count: int, said: bytes, bound: int, page: bytes = b"page") -> None:
    """Open connections that say something and take nothing: the oldest are cut, and the last is served."""

    def client(port: int) -> None:
        request = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % port + said
        with ExitStack() as stack:
            crowd = []
            for _ in range(count):
                crowd.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE)))
                crowd[-1].sendall(request)
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as last:
                last.sendall(request.removesuffix(b"\r\n") + b"\r\n\r\n")
                assert received(last).endswith(page)
            for connection in crowd[: count - bound]:
                assert not received(connection).endswith(page)

    served_here(client, page)


def test_the_oldest_of_a_crowd_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "WAITING", 10)
    monkeypatch.setattr(listen, "SECONDS", 1000.0)
    assert_oldest_make_room(50, b"", 10)


def test_pages_that_nobody_takes_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "ANSWERED", 4)
    monkeypatch.setattr(listen, "SECONDS", 1000.0)
    assert_oldest_make_room(20, b"\r\n", 4, b"x" * 20_000_000)
