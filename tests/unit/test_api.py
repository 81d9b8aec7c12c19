"""fastlog as a library."""

import asyncio
import inspect
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import uvloop

import fastlog
from fastlog.config import Config
from fastlog.executors import processes
from tests.hazards.command import PATIENCE
from tests.properties.strategies import line

START = 1_525_881_600
EXECUTORS = ("inline", "processes")
FOLLOW: dict[str, Any] = {
    "format": "common", "workers": 1, "from_start": True, "lateness": 0, "stats_window": 1, "alert_window": 1,
    "threshold": 2,
}  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """20 seconds of one hit each, 5 hits in the last, and a line that is none."""
    file = tmp_path / "access.log"
    file.write_bytes(b"".join(line(START + n) for n in range(20)) + line(START + 20) * 5 + b"nonsense\n")
    return file


def children() -> list[int]:
    """Children of this process that were not collected, zombies too."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            stat = Path(f"/proc/{entry}/stat").read_text(encoding="utf-8") if entry.isdigit() else ""
        except OSError:
            continue
        if stat and int(stat.rpartition(")")[2].split()[1]) == os.getpid():
            found.append(int(entry))
    return found


@pytest.fixture
def no_child() -> None:
    if sys.platform != "linux":
        pytest.skip("looks into /proc")
    assert children() == []


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_report(executor: str, path: Path) -> None:
    report = fastlog.replay(
        path, executor=executor, workers=1, threshold=2, alert_window=1, stats=True, stats_window=10
    )
    assert isinstance(report, fastlog.Report)
    summary = report.summary
    assert (summary.lines, summary.parsed, summary.hits, summary.complete) == (26, 25, 25, True)
    assert summary.rejected == {"blank": 0, "format": 1, "time": 0, "oversize": 0}
    assert (summary.first, summary.last) == (START, START + 20)
    assert [(window.start, window.hits, window.partial) for window in report.windows] == [
        (START, 10, False),
        (START + 10, 10, False),
        (START + 20, 5, True),
    ]
    assert [(alert.state, alert.at, alert.hits) for alert in report.alerts] == [("firing", START + 20, 5)]
    assert summary.open_alerts == ["traffic"]
    assert report.notices == [f"format detected: common ({path})"]


def test_both_executors_say_the_same(path: Path) -> None:
    options: dict[str, Any] = {"stats": True, "stats_window": 3, "stats_every": 1, "threshold": 0}
    inline, processes = (fastlog.replay([path, path], executor=name, **options) for name in EXECUTORS)
    assert inline == processes


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("kind", [str, Path, lambda path: [str(path)]])
def test_paths_of_every_kind(kind: Callable[[Path], Any], executor: str, path: Path) -> None:
    assert fastlog.replay(kind(path), executor=executor, workers=1).summary.lines == 26


def test_no_windows_unless_asked_for(path: Path) -> None:
    assert fastlog.replay(path, executor="inline").windows == []


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_file_that_fails_is_in_the_notices(executor: str, path: Path) -> None:
    missing = path.with_name("missing.log")
    report = fastlog.replay([path, missing], executor=executor, workers=1, format="common")
    assert (report.summary.complete, report.summary.lines) == (False, 26)
    assert len(report.notices) == 1
    assert report.notices[0].startswith(f"{missing}: No such file or directory")


@pytest.mark.parametrize("executor", EXECUTORS)
def test_errors(executor: str, path: Path, no_child: None) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(fastlog.SourceError, match=r"missing\.log: No such file or directory"):
        fastlog.replay(path.with_name("missing.log"), executor=executor)
    path.write_bytes(b"nonsense\n")
    with pytest.raises(fastlog.FormatError, match="no known format fits"):
        fastlog.replay(path, executor=executor, workers=1)
    with pytest.raises(fastlog.FormatError, match="--format is 'x'"):
        fastlog.replay(path, executor=executor, format="x")
    assert children() == []
    assert len(os.listdir("/proc/self/fd")) == len(before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "--workers is 0: give a whole number from 1 to 1024"),
        ({"workers": True}, "--workers is True"),
        ({"workers": 1.5}, "--workers is 1.5"),
        ({"threshold": -1}, "--threshold is -1"),
        ({"threshold": float("nan")}, "--threshold is nan"),
        ({"threshold": float("inf")}, "--threshold is inf"),
        ({"threshold": "10"}, "--threshold is '10'"),
        ({"alert_window": 0}, "--alert-window is 0"),
        ({"stats_window": 0}, "--stats-window is 0"),
        ({"stats_window": 10, "stats_every": 11}, "--stats-every is 11: give a whole number from 1 to 10"),
        ({"lateness": -1}, "--lateness is -1"),
        ({"parser": "fast"}, "--parser is 'fast': give one of auto, native, regex"),
        ({"executor": "threads"}, "executor is 'threads': give one of processes, inline"),
        ({"tread": 1}, "tread is no option here: give one of alert_window, "),
        ({"json": True}, "json is no option here"),
        ({"follow": True}, "follow is no option here"),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], message: str, path: Path) -> None:
    with pytest.raises(fastlog.UsageError) as caught:
        fastlog.replay(path, **options)
    assert message in str(caught.value)


def test_no_path_is_refused() -> None:
    with pytest.raises(fastlog.UsageError, match="no file is named"):
        fastlog.replay([])


@pytest.mark.parametrize("name", ["", "access\0.log", b"access\0.log"])
def test_a_name_that_no_file_can_have_is_refused(name: Any, path: Path) -> None:
    with pytest.raises(fastlog.UsageError, match="no file can have that name"):
        fastlog.replay([path, name])


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Config().workers = 2  # type: ignore[misc]


def test_from_a_program_with_threads_and_in_any_of_them(path: Path, no_child: None) -> None:
    lock, done = threading.Lock(), threading.Event()
    lines: list[int] = []

    def hold() -> None:
        with lock:  # held while the others start their children: a fork would inherit it locked
            done.wait(PATIENCE)

    def work() -> None:
        lines.append(fastlog.replay(path, workers=1, format="common").summary.lines)

    holder = threading.Thread(target=hold)
    workers = [threading.Thread(target=work) for _ in range(3)]
    for thread in (holder, *workers):
        thread.start()
    for thread in workers:
        thread.join(PATIENCE)
    done.set()
    holder.join(PATIENCE)
    assert lines == [26, 26, 26]
    assert children() == []


def test_from_a_coroutine(path: Path) -> None:
    async def work() -> list[fastlog.Report]:
        tasks = [asyncio.to_thread(fastlog.replay, path, workers=1, format="common") for _ in range(2)]
        return await asyncio.gather(*tasks)

    assert [report.summary.lines for report in asyncio.run(work())] == [26, 26]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_in_a_running_loop_as_in_a_notebook(executor: str, path: Path, no_child: None) -> None:
    async def cell() -> fastlog.Report:
        return fastlog.replay(path, executor=executor, workers=1, format="common")

    assert asyncio.run(cell()).summary.lines == 26
    assert children() == []


def test_an_error_in_a_running_loop(tmp_path: Path, no_child: None) -> None:
    (tmp_path / "garbage.log").write_bytes(b"nonsense\n")

    async def cell() -> fastlog.Report:
        return fastlog.replay(tmp_path / "garbage.log", workers=1)

    with pytest.raises(fastlog.UsageError, match="no known format fits"):
        asyncio.run(cell())
    assert children() == []


def test_an_interrupt_in_a_running_loop_ends_the_replay(tmp_path: Path, no_child: None) -> None:
    os.mkfifo(tmp_path / "access.log")
    writer = os.open(tmp_path / "access.log", os.O_RDWR)  # open: the replay waits for more

    async def cell() -> None:
        fastlog.replay(tmp_path / "access.log", workers=1, format="common")

    def interrupt() -> None:
        while not children():
            pass
        os.kill(os.getpid(), signal.SIGINT)  # at the process: the main thread is woken

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupter = threading.Thread(target=interrupt)
    loop = asyncio.new_event_loop()
    try:
        interrupter.start()
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(cell())
    finally:
        interrupter.join()
        loop.close()
        os.close(writer)
        signal.signal(signal.SIGINT, before)
    assert children() == []


def test_an_interrupt_before_the_replay_beside_a_loop_has_begun(
    path: Path, no_child: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within ``submit``, which has started its thread, and does not know it yet: so nobody waits for that."""
    started: list[object] = []

    def interrupted(executor: ThreadPoolExecutor, work: Callable[[], object]) -> None:
        submit(executor, work)
        started.extend(executor._threads)
        executor._threads.clear()  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    async def cell() -> None:
        fastlog.replay(path, workers=1, format="common")

    def begun(*_: object) -> None:
        started.append("a child")
        raise AssertionError

    submit = ThreadPoolExecutor.submit
    monkeypatch.setattr(ThreadPoolExecutor, "submit", interrupted)
    monkeypatch.setattr(processes, "start_child", begun)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(cell())
    thread = started[0]
    assert isinstance(thread, threading.Thread)
    thread.join(PATIENCE)
    assert started == [thread]


LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


def run(work: Callable[[], Any], loop: Callable[[], asyncio.AbstractEventLoop]) -> Any:
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(asyncio.wait_for(work(), PATIENCE))


@pytest.mark.parametrize("loop", LOOPS)
def test_follow_gives_events_until_the_caller_leaves(
    loop: Callable[[], asyncio.AbstractEventLoop], path: Path, no_child: None
) -> None:
    async def work() -> list[Any]:
        seen: list[Any] = []
        events = fastlog.follow(path, **FOLLOW)
        async for event in events:
            seen.append(event)
            if isinstance(event, fastlog.Alert) and event.state == "resolved":
                break  # the recovery comes although the log is silent
        await events.aclose()
        assert children() == []
        return seen

    seen = run(work, loop)
    stats = [event for event in seen if isinstance(event, fastlog.Stats)]
    alerts = [event for event in seen if isinstance(event, fastlog.Alert)]
    assert [event.hits for event in stats[:21]] == [1] * 20 + [5]
    assert [(event.state, event.at) for event in alerts] == [("firing", START + 20), ("resolved", START + 21)]


@pytest.mark.parametrize("loop", LOOPS)
def test_leaving_the_loop_alone_ends_the_children(
    loop: Callable[[], asyncio.AbstractEventLoop], path: Path, no_child: None
) -> None:
    async def work() -> int:
        async for event in fastlog.follow(path, **FOLLOW):
            assert isinstance(event, fastlog.Stats)
            return event.hits
        return 0

    assert run(work, loop) == 1
    assert children() == []


def test_a_follow_that_is_cancelled_ends_the_children(path: Path, no_child: None) -> None:
    async def work() -> None:
        begun = asyncio.Event()

        async def forever() -> None:
            async for _ in fastlog.follow(path, **FOLLOW):
                begun.set()

        task = asyncio.create_task(forever())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(work, asyncio.new_event_loop)
    assert children() == []


def test_two_follows_at_once(path: Path, no_child: None) -> None:
    async def first(events: Any) -> int:
        async for event in events:
            assert isinstance(event, fastlog.Stats)
            await events.aclose()
            return event.hits
        return 0

    async def work() -> list[int]:
        return await asyncio.gather(*(first(fastlog.follow(path, **FOLLOW)) for _ in range(2)))

    assert run(work, asyncio.new_event_loop) == [1, 1]
    assert children() == []


def test_errors_of_a_follow(path: Path, no_child: None) -> None:
    async def drain(**options: Any) -> None:
        async for _ in fastlog.follow(path, **options):
            pass

    def attempt(**options: Any) -> str:
        with pytest.raises(fastlog.UsageError) as caught:
            run(lambda: drain(**options), asyncio.new_event_loop)
        return str(caught.value)

    assert "--workers is 0" in attempt(workers=0)
    assert "--format is 'x'" in attempt(format="x")
    assert "nope is no option here" in attempt(nope=1)
    assert "following needs processes" in attempt(executor="inline")
    path.write_bytes(b"nonsense\n" * 200)
    assert "no known format fits" in attempt(from_start=True, workers=1)
    assert children() == []


def test_the_example_of_the_documentation(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    doc = inspect.getdoc(fastlog)
    assert doc is not None
    code = [
        text.removeprefix(">>> ").split("    #")[0] for text in doc.split("\n") if text.startswith(">>> ")
    ]
    assert len(code) >= 3
    names: dict[str, Any] = {}
    for text in code[:-1]:
        exec(text, names)
    assert eval(code[-1], names) == 25


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        _ = fastlog.nope


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(fastlog.__file__).parent / "py.typed").exists()
