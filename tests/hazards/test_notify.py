"""``[[notify]]`` against real servers and programs: in order, once, and never in anybody's way."""

import asyncio
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import uvloop

from fastlog.errors import UsageError
from fastlog.model.chunk import Notice
from fastlog.model.events import Alert, Summary
from fastlog.model.notify import NotifyTarget
from fastlog.sinks import notify
from fastlog.sinks.ndjson import NdjsonRenderer
from fastlog.sinks.notify import Notifier, Patience
from tests.hazards.command import PARSER, PATIENCE, processes, state_of
from tests.properties.strategies import line

START = 1_525_881_600
QUICK = Patience(limit=PATIENCE, pauses=(0.001, 0.002), farewell=PATIENCE)
"""Tries follow one another at once; the limits are never met by what works."""
FIRING = Alert("traffic", "firing", START, 1210, 10.083, 10.0, 120, "High traffic \x1b[31m")
ALERTS = [replace(FIRING, state="resolved" if n % 2 else "firing", at=START + n, hits=n) for n in range(20)]
RENDERED = [NdjsonRenderer().render(alert) for alert in ALERTS]

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Server:
    """A server that keeps the requests; it answers each with the next of ``answers``, then with OK.

    An answer is bytes, or a coroutine function that does with the connection what it likes.
    """

    answers: list[bytes | Answer] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    port: int = 0

    def url(self, path: str = "/hook/secret") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(head.lower().partition("content-length:")[2].split()[0])
            self.heads.append(head)
            self.bodies.append(await reader.readexactly(length))
            answer = self.answers.pop(0) if self.answers else OK
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def serving(*answers: bytes | Answer) -> AsyncIterator[Server]:
    server = Server(list(answers))
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer nothing, until the other side hangs up."""
    await reader.read()


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A body without end."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def endless_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: %s\r\n" % (b"x" * 1000))
        await writer.drain()


async def endless_continue(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 102 Processing\r\n\r\n" * 1000)
        await writer.drain()


class Said(list[str]):
    """The messages of a notifier; they are errors, which ``--quiet`` does not keep back."""

    def __call__(self, notice: Notice) -> None:
        assert notice.degraded
        self.append(notice.text)


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(coroutine, PATIENCE))


def await_file(path: Path) -> None:
    """Wait for it while the loop takes no step."""
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.001)


async def come(condition: Callable[[], Any]) -> None:
    """Wait until the condition has come true; ``run`` has the deadline."""
    while not condition():  # noqa: ASYNC110 - of files and processes nobody tells
        await asyncio.sleep(0.005)


def counts(delivered: int, given_up: int) -> dict[str, int]:
    return {"delivered": delivered, "given_up": given_up}


def test_all_arrive_in_order_and_once() -> None:
    async def story() -> None:
        said = Said()
        async with serving() as server:
            notifier = Notifier([NotifyTarget(1, url=server.url())], said, patience=QUICK)
            for alert in ALERTS:
                notifier.offer(alert)
            await notifier.finish()
        assert server.bodies == RENDERED
        assert all(head.startswith("POST /hook/secret HTTP/1.1\r\n") for head in server.heads)
        assert all("content-type: application/json\r\n" in head.lower() for head in server.heads)
        assert said == []
        assert notifier.counts == counts(20, 0)

    run(story())


@pytest.mark.parametrize(
    "failure",
    [
        b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 429 Slow Down\r\n\r\n",
        b"",
        b"no HTTP at all",
        b"HTTP/1.1 200 OK",
        endless_head,
    ],
)
def test_a_try_that_fails_is_made_again_before_the_next(failure: bytes | Answer) -> None:
    async def story() -> None:
        said = Said()
        async with serving(failure, failure, OK, failure) as server:
            notifier = Notifier([NotifyTarget(1, url=server.url())], said, patience=QUICK)
            for alert in ALERTS[:3]:
                notifier.offer(alert)
            await notifier.finish()
        first, second, third = RENDERED[:3]
        assert server.bodies == [first, first, first, second, second, third]
        assert notifier.counts == counts(3, 0)
        assert said == []

    run(story())


def test_what_fails_three_times_is_given_up_and_the_next_gets_its_turn() -> None:
    async def story() -> None:
        said = Said()
        answer = b"HTTP/1.1 404 None\r\n\r\n"
        async with serving(answer, answer, answer) as server:
            notifier = Notifier([NotifyTarget(3, url=server.url())], said, patience=QUICK)
            notifier.offer(ALERTS[0])
            notifier.offer(ALERTS[1])
            await notifier.finish()
        assert server.bodies == [RENDERED[0]] * 3 + [RENDERED[1]]
        assert said == ["notify 3 (127.0.0.1): answered 404, 3 times: a notification is given up"]
        assert notifier.counts == counts(1, 1)
        assert notifier.given_up == {"notify 3 (127.0.0.1)": 1}

    run(story())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    async def story() -> None:
        said = Said()
        async with serving() as other:
            there = (
                f"HTTP/1.1 {status} Moved\r\nLocation: {other.url()}\r\nContent-Length: 0\r\n\r\n".encode()
            )
            async with serving(there, there, there) as server:
                notifier = Notifier([NotifyTarget(1, url=server.url())], said, patience=QUICK)
                notifier.offer(FIRING)
                await notifier.finish()
        assert len(server.bodies) == 3
        assert other.bodies == []
        assert f"answered {status}: redirects are not followed, 3 times" in said[0]

    run(story())


def test_a_dead_target_is_said_without_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def known(host: str, *more: Any, **named: Any) -> Any:
        if host == "nowhere.invalid":  # whoever answers for names here need not be asked
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *more, **named)

    async def story(port: int) -> None:
        url = f"http://user:hunter2@127.0.0.1:{port}/secret?token=secret"
        targets = [
            NotifyTarget(1, url=url),
            NotifyTarget(2, url_env="HOOK"),
            NotifyTarget(3, url="http://nowhere.invalid/secret"),
        ]
        said = Said()
        notifier = Notifier(targets, said, environment={"HOOK": url}, patience=QUICK)
        notifier.offer(FIRING)
        await notifier.finish()
        assert sorted(said) == [
            "notify 1 (127.0.0.1): Connection refused, 3 times: a notification is given up",
            "notify 2 ($HOOK): Connection refused, 3 times: a notification is given up",
            "notify 3 (nowhere.invalid): its host is not known, 3 times: a notification is given up",
        ]
        assert set(notifier.given_up.values()) == {1}

    monkeypatch.setattr(socket, "getaddrinfo", known)
    with socket.socket() as bound:  # its port is nobody else's, and nobody listens on it
        bound.bind(("127.0.0.1", 0))
        asyncio.run(story(bound.getsockname()[1]))  # whose names are looked up by the function above


@pytest.mark.parametrize("answer", [silence, endless_continue])
def test_a_slow_target_is_given_up_after_the_limit(answer: Answer) -> None:
    async def story() -> None:
        said = Said()
        async with serving(answer, answer, answer) as server:
            patience = Patience(limit=0.05, pauses=(0.001, 0.002), farewell=30)
            notifier = Notifier([NotifyTarget(1, url=server.url())], said, patience=patience)
            notifier.offer(FIRING)
            await notifier.finish()
        assert said == ["notify 1 (127.0.0.1): not done within 0.05 s, 3 times: a notification is given up"]

    run(story())


def test_an_answer_without_end_is_not_read() -> None:
    async def story() -> None:
        said = Said()
        async with serving(endless, endless) as server:
            notifier = Notifier([NotifyTarget(1, url=server.url())], said, patience=QUICK)
            notifier.offer(ALERTS[0])
            notifier.offer(ALERTS[1])
            await notifier.finish()
        assert server.bodies == RENDERED[:2]
        assert notifier.counts == counts(2, 0)

    run(story())


def test_a_slow_target_delays_no_other() -> None:
    async def story() -> None:
        said = Said()
        async with serving(silence) as slow, serving() as quick:
            targets = [NotifyTarget(1, url=slow.url()), NotifyTarget(2, url=quick.url())]
            notifier = Notifier(targets, said, patience=QUICK)
            for alert in ALERTS:
                notifier.offer(alert)
            await come(lambda: len(quick.bodies) == len(ALERTS))
            assert quick.bodies == RENDERED
            assert slow.bodies == RENDERED[:1]
            notifier.kill()

    run(story())


def test_a_queue_is_bounded() -> None:
    async def story() -> None:
        said = Said()
        async with serving(silence) as server:
            patience = Patience(limit=30, pauses=(), farewell=0.01)
            notifier = Notifier([NotifyTarget(1, url=server.url())], said, patience=patience)
            for number in range(notify.QUEUED + 500):
                notifier.offer(replace(FIRING, at=number))
            assert notifier.given_up == {"notify 1 (127.0.0.1)": 500}
            assert said == [
                f"notify 1 (127.0.0.1): its queue of {notify.QUEUED} is full: a notification is given up"
            ]
            await notifier.finish()
        assert notifier.counts == counts(0, notify.QUEUED + 500)
        assert said[1:] == [
            f"notify 1 (127.0.0.1): the run has ended: {notify.QUEUED + 499} notifications are given up"
        ]

    run(story())


def test_a_queue_is_bounded_in_bytes_too() -> None:
    async def story() -> None:
        async with serving(silence) as server:
            notifier = Notifier([NotifyTarget(1, url=server.url())], Said(), patience=QUICK)
            for _ in range(20):
                notifier.offer(replace(FIRING, message="x" * 100_000))
            assert notifier.given_up == {"notify 1 (127.0.0.1)": 10}
            notifier.kill()

    run(story())


def test_the_end_of_a_run_waits_no_longer_than_the_farewell() -> None:
    async def story() -> None:
        said = Said()
        async with serving(OK, silence) as server:
            patience = Patience(limit=30, pauses=(30.0,), farewell=0.1)
            notifier = Notifier([NotifyTarget(1, url=server.url())], said, patience=patience)
            notifier.offer(ALERTS[0])
            await come(lambda: notifier.counts == counts(1, 0))
            notifier.offer(ALERTS[1])
            notifier.offer(ALERTS[2])
            await notifier.finish()
        assert said == ["notify 1 (127.0.0.1): the run has ended: 2 notifications are given up"]
        assert notifier.counts == counts(1, 2)

    run(story())


def test_only_what_a_target_wants() -> None:
    async def story() -> None:
        async with serving() as server:
            targets = [
                NotifyTarget(1, url=server.url("/1"), rules=("5xx share", "traf*")),
                NotifyTarget(2, url=server.url("/2"), rules=("TRAFFIC", "traff", "?")),
                NotifyTarget(3, url=server.url("/3"), body="text"),
            ]
            notifier = Notifier(targets, Said(), patience=QUICK)
            notifier.offer(FIRING)
            summary = Summary(True, 0, 0, {}, 0, 0, None, None, 0, 0, {}, {}, {}, 0, [])
            notifier.offer(summary)
            await notifier.finish()
        got = {head.split()[1]: body for head, body in zip(server.heads, server.bodies, strict=True)}
        assert got == {"/1": NdjsonRenderer().render(FIRING), "/3": rb'{"text":"High traffic \\x1b[31m"}'}

    run(story())


METADATA = ("169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "fd00:ec2::254", "100.100.100.200")


@pytest.mark.parametrize("address", METADATA)
def test_the_local_link_is_not_posted_to(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by its address, nor by a name that leads there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    where = (address, 1, 0, 0) if ":" in address else (address, 1)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(family, socket.SOCK_STREAM, 6, "", where)])

    async def story() -> None:
        said = Said()
        host = f"[{address}]" if ":" in address else address
        targets = [NotifyTarget(1, url=f"http://{host}:1/"), NotifyTarget(2, url="http://hooks.example:1/")]
        notifier = Notifier(targets, said, patience=QUICK)
        notifier.offer(FIRING)
        await notifier.finish()
        assert len(said) == 2
        assert all("an address of the local link is not posted to, 3 times" in text for text in said)

    asyncio.run(story())  # whose names are looked up by the function above


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (NotifyTarget(1, url_env="HOOK"), "notify 1 ($HOOK): the variable is not set: set it to the URL"),
        (NotifyTarget(1, url_env="BAD"), "notify 1 ($BAD): what the variable holds is no URL to post to: "),
        (NotifyTarget(1, url_file="none"), "notify 1 (none): No such file or directory: name a file "),
        (NotifyTarget(1, url_file="bad"), "notify 1 (bad): what the file holds is no URL to post to: "),
        (NotifyTarget(2, exec=("no-such-program",)), "notify 2 (no-such-program): there is no such program"),
    ],
)
def test_a_target_that_cannot_be(
    target: NotifyTarget, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad").write_text("file:///etc/secret\n")
    with pytest.raises(UsageError) as raised:
        Notifier([target], Said(), environment={"BAD": "ftp://secret"})
    assert str(raised.value).startswith(message)
    assert "secret" not in str(raised.value)


def test_a_url_from_a_file(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving() as server:
            (tmp_path / "url").write_text(f"{server.url()}\n")
            notifier = Notifier([NotifyTarget(1, url_file=str(tmp_path / "url"))], Said(), patience=QUICK)
            notifier.offer(FIRING)
            await notifier.finish()
        assert len(server.bodies) == 1

    run(story())


def children_named(name: str) -> list[int]:
    """Children of this process that run ``name``."""
    found = [pid for pid, parent, _ in processes() if parent == os.getpid()]
    return [pid for pid in found if name.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]


@pytest.fixture(params=["the system tells", "it cannot"])
def end_of_programs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox may refuse pidfd_open, as some of Docker do, and an older kernel has none."""

    def refused(pid: int) -> int:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    if request.param == "it cannot":
        monkeypatch.setattr(os, "pidfd_open", refused, raising=False)


@pytest.mark.usefixtures("end_of_programs")
def test_a_program_gets_all_in_order_and_once(tmp_path: Path) -> None:
    async def story() -> None:
        said = Said()
        script = f"cat >> {tmp_path}/got; echo noise; head -c 1000000 /dev/zero >&2"
        notifier = Notifier([NotifyTarget(1, exec=("sh", "-c", script))], said, patience=QUICK)
        for alert in ALERTS[:5]:
            notifier.offer(alert)
        await notifier.finish()
        assert said == []
        assert notifier.counts == counts(5, 0)

    run(story())
    assert (tmp_path / "got").read_bytes() == b"".join(RENDERED[:5])


def test_a_program_is_no_line_for_a_shell(tmp_path: Path) -> None:
    async def story() -> None:
        notifier = Notifier([NotifyTarget(1, exec=("tee", "a; touch b", "$HOME"))], Said(), patience=QUICK)
        notifier.offer(ALERTS[0])
        await notifier.finish()

    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        run(story())
    finally:
        os.chdir(before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["$HOME", "a; touch b"]


@pytest.mark.usefixtures("end_of_programs")
@pytest.mark.parametrize(
    ("script", "reason"), [("exit 3", "exit status 3"), ("kill -9 $$", "killed by signal 9")]
)
def test_a_program_that_fails(script: str, reason: str) -> None:
    async def story() -> None:
        said = Said()
        notifier = Notifier([NotifyTarget(1, exec=("sh", "-c", script))], said, patience=QUICK)
        notifier.offer(replace(FIRING, message="x" * 500_000))  # which it does not read
        await notifier.finish()
        assert said == [f"notify 1 (sh): {reason}, 3 times: a notification is given up"]

    run(story())


@pytest.mark.parametrize("size", [10, 500_000])
def test_a_program_that_ends_without_reading(size: int) -> None:
    """It may be gone before the first byte is written, or after some: its status counts."""

    async def story() -> None:
        said = Said()
        notifier = Notifier([NotifyTarget(1, exec=("true",))], said, patience=replace(QUICK, pauses=()))
        for number in range(60):
            notifier.offer(replace(FIRING, message="x" * size))
            await come(lambda done=number + 1: said or notifier.counts == counts(done, 0))
            assert said == []

    run(story())


@pytest.mark.usefixtures("end_of_programs")
def test_a_program_that_does_not_end_is_killed_after_the_limit() -> None:
    async def story() -> None:
        said = Said()
        patience = Patience(limit=0.05, pauses=(0.001,), farewell=30)
        notifier = Notifier([NotifyTarget(1, exec=("sleep", "1234"))], said, patience=patience)
        notifier.offer(FIRING)
        await notifier.finish()
        assert said == ["notify 1 (sleep): not done within 0.05 s, 2 times: a notification is given up"]
        assert children_named("1234") == []

    run(story())


def test_a_program_that_left_its_input_to_a_child_that_does_not_read_is_not_done(tmp_path: Path) -> None:
    """A limit that the machine lets pass before the program has a child shows nothing: then a longer one."""
    child = tmp_path / "child"

    async def story(limit: float) -> None:
        said = Said()
        patience = Patience(limit=limit, pauses=(), farewell=PATIENCE)
        script = f"exec 3<&0; sleep 1234 & echo $! > {child}"
        notifier = Notifier([NotifyTarget(1, exec=("sh", "-c", script))], said, patience=patience)
        notifier.offer(replace(FIRING, message="x" * 500_000))
        await notifier.finish()
        assert said == [f"notify 1 (sh): not done within {limit:g} s, 1 times: a notification is given up"]

    for limit in (0.3, 3.0, 30.0):
        run(story(limit))
        if child.exists() and child.read_text():
            break
    pid = int(child.read_text())
    run(come(lambda: not state_of(pid)))


@pytest.mark.parametrize("end", ["kill", "finish"])
def test_a_program_is_killed_with_its_children(end: str, tmp_path: Path) -> None:
    async def story() -> None:
        script = f"sleep 1234 & echo $! > {tmp_path}/half; mv {tmp_path}/half {tmp_path}/child; wait"
        patience = Patience(limit=30, pauses=(), farewell=0.01)
        notifier = Notifier([NotifyTarget(1, exec=("sh", "-c", script))], Said(), patience=patience)
        notifier.offer(FIRING)
        await come((tmp_path / "child").exists)
        child = int((tmp_path / "child").read_text())
        assert state_of(child)
        if end == "kill":
            notifier.kill()
        else:
            await notifier.finish()
        await come(lambda: not state_of(child))
        await come(lambda: children_named(script) == [])

    run(story())


def test_a_program_that_has_only_just_been_started_is_killed_with_its_children(tmp_path: Path) -> None:
    async def story() -> None:
        script = f"sleep 1234 & echo $! > {tmp_path}/half; mv {tmp_path}/half {tmp_path}/child; wait"
        notifier = Notifier([NotifyTarget(1, exec=("sh", "-c", script))], Said(), patience=QUICK)
        notifier.offer(FIRING)
        await asyncio.sleep(0)  # one step of the loop: it is started, and nothing has come of it
        await_file(tmp_path / "child")
        notifier.kill()
        child = int((tmp_path / "child").read_text())
        await come(lambda: not state_of(child))
        await come(lambda: children_named(script) == [])
        assert not state_of(child)

    run(story())


# The whole command. Its rules file is read elsewhere: this hands the targets over as that does, with more
# patience than any machine is slow.
COMMAND = textwrap.dedent(
    """
    import json, sys
    from fastlog.config import Config
    from fastlog.model.notify import parse_notify
    from fastlog.sinks.notify import Notifier, Patience
    from fastlog.terminal import run_at_terminal

    options, entries, patience = map(json.loads, sys.argv[1:])
    Notifier.__init__.__kwdefaults__["patience"] = Patience(**patience)
    run_at_terminal(Config(**options), [parse_notify(entry, n) for n, entry in enumerate(entries, 1)])
    """
)
HIGH = [line(START + n // 11) for n in range(11 * 120)] + [line(START + 300)]


def command(entries: list[dict[str, Any]], **options: Any) -> list[str]:
    options = {"paths": ["-"], "json": True, "format": "common", "workers": 1, "stats": True, **options}
    options["parser"] = PARSER[1] if PARSER else "auto"
    return [sys.executable, "-c", COMMAND, *map(json.dumps, (options, entries, asdict(QUICK)))]


@pytest.fixture
def hooks() -> Any:
    """A server in a thread of its own, for a command in another process."""
    started = threading.Event()
    server, stop = Server(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        server.port = listening.sockets[0].getsockname()[1]
        started.set()
        await stop.wait()
        listening.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert started.wait(PATIENCE)
    yield server
    loop.call_soon_threadsafe(stop.set)
    thread.join(PATIENCE)
    loop.close()


def test_a_replay_tells_a_webhook_and_a_program(
    hooks: Server, tmp_path: Path, environment: dict[str, str]
) -> None:
    entries = [
        {"url_env": "HOOK", "rules": ["traf*"]},
        {"exec": ["sh", "-c", "cat >> got"]},
        {"url": "http://127.0.0.1:9/secret", "rules": ["another"]},
    ]
    done = subprocess.run(
        command(entries),
        input=b"".join(HIGH),
        cwd=tmp_path,
        env={**environment, "HOOK": hooks.url()},
        capture_output=True,
        timeout=60,
        check=True,
    )
    lines = done.stdout.splitlines(keepends=True)
    alerts = [text for text in lines if json.loads(text)["event"] == "alert"]
    assert [json.loads(text)["state"] for text in alerts] == ["firing", "resolved"]
    assert hooks.bodies == alerts
    assert (tmp_path / "got").read_bytes() == b"".join(alerts)
    assert json.loads(lines[-1])["notify"] == {"delivered": 4, "given_up": 0}
    assert done.stderr == b""


def test_a_dead_target_changes_nothing_but_the_count(tmp_path: Path, environment: dict[str, str]) -> None:
    outputs, errors = [], []
    for entries in ([], [{"exec": ["false"]}]):
        done = subprocess.run(
            command(entries, quiet=True),
            input=b"".join(HIGH[:-1]),  # it fires, and stays open
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            timeout=60,
            check=True,
        )
        outputs.append([json.loads(text) for text in done.stdout.splitlines()])
        errors.append(done.stderr.decode().splitlines())
    assert outputs[1][-1].pop("notify") == {"delivered": 0, "given_up": 1}
    assert outputs[0] == outputs[1]
    message = "fastlog: notify 1 (false): exit status 1, 3 times: a notification is given up"
    assert errors == [[], [message]]


def test_windows_go_on_while_a_target_hangs(
    hooks: Server, tmp_path: Path, environment: dict[str, str]
) -> None:
    let_go = threading.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.to_thread(let_go.wait, PATIENCE)
        writer.write(OK)
        await writer.drain()

    hooks.answers.append(hang)
    process = subprocess.Popen(
        command([{"url": hooks.url()}]),
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        process.stdin.write(b"".join(HIGH))
        process.stdin.flush()
        events = []
        while len(events) < 14:  # twelve windows, the alert, the recovery
            events.append(json.loads(process.stdout.readline()))
        for minute in range(1, 6):
            process.stdin.write(line(START + 300 + 600 * minute))
            process.stdin.flush()
            window = json.loads(process.stdout.readline())
            assert (window["event"], window["hits"]) == ("stats", 1)
        assert len(hooks.bodies) == 1  # the first try, which is still under way
        let_go.set()
        process.stdin.close()
        summary = json.loads(process.stdout.read().splitlines()[-1])
    assert summary["notify"]["given_up"] == 0
    assert len(hooks.bodies) == 2


def test_a_second_signal_leaves_no_program_behind(tmp_path: Path, environment: dict[str, str]) -> None:
    script = "echo $$ > half; mv half program; exec sleep 1234"
    process = subprocess.Popen(
        command([{"exec": ["sh", "-c", script]}]),
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    process.stdin.write(b"".join(HIGH))
    process.stdin.flush()  # and not closed: it must not come to its end by itself

    async def story() -> None:
        await come((tmp_path / "program").exists)
        program = int((tmp_path / "program").read_text())
        while process.poll() is None:  # signals that come close together are one
            process.send_signal(signal.SIGINT)
            await asyncio.sleep(0.02)
        assert process.returncode == -signal.SIGINT
        await come(lambda: not state_of(program))

    run(story())
    process.stdin.close()
