"""The file of a state: whole or not at all, one run's at a time, and believed only where it can be."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fastlog.errors import FastlogError, UsageError
from fastlog.sinks import record as module
from fastlog.sinks.record import VERSION, RecordFile
from tests.hazards.test_system_calls import _works

RECORD = {"lines": 7, "text": "x" * 100}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state"


def written(path: Path, record: dict[str, Any] = RECORD) -> bytes:
    file = RecordFile(path)
    file.write(record)
    file.close()
    return path.read_bytes()


def read(path: Path) -> dict[str, Any] | None:
    file = RecordFile(path)
    try:
        return file.read()
    finally:
        file.close()


def test_what_was_written_is_read(path: Path) -> None:
    assert read(path) is None
    written(path)
    written(path, {"lines": 8})
    assert read(path) == {"lines": 8}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(os.listdir(path.parent)) == ["state", "state.lock"]


def test_every_cut_is_seen(path: Path) -> None:
    whole = written(path)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(UsageError, match="is empty" if not length else "is cut short"):
            read(path)


def test_every_changed_byte_is_seen(path: Path) -> None:
    whole = written(path)
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(UsageError):
            read(path)


@pytest.mark.parametrize("data", [b"garbage\n", b"\x80\x04\x95.", b"[]\n", b"{}\n{}\n", b"\0" * 4096])
def test_what_is_no_state_is_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(UsageError, match="is damaged, or no state of fastlog: remove it"):
        read(path)
    assert path.read_bytes() == data


@pytest.mark.parametrize(("step", "advice"), [(1, "use a newer fastlog"), (-1, "use an older fastlog")])
def test_one_of_another_version_is_refused(path: Path, step: int, advice: str) -> None:
    ours, other = (b'"fastlog_state":%d,' % version for version in (VERSION, VERSION + step))
    path.write_bytes(written(path).replace(ours, other))
    said = f"is of version {VERSION + step}, and this fastlog reads {VERSION}: {advice}"
    with pytest.raises(UsageError, match=said):
        read(path)


def test_two_cannot_have_it_at_once(path: Path) -> None:
    first = RecordFile(path)
    with pytest.raises(UsageError, match="is in use by another run"):
        RecordFile(path)
    first.close()
    RecordFile(path).close()


@pytest.mark.parametrize("name", ["state", "state.lock"])
def test_a_link_is_refused_and_what_it_leads_to_unchanged(path: Path, name: str) -> None:
    victim = path.with_name("victim")
    victim.write_bytes(b"mine")
    path.with_name(name).symlink_to(victim)
    with pytest.raises(UsageError, match="is a symbolic link"):
        read(path)
    assert victim.read_bytes() == b"mine"


def test_a_link_in_the_place_of_the_new_one_is_not_followed(path: Path) -> None:
    victim = path.with_name("victim")
    victim.write_bytes(b"mine")
    path.with_name("state.new").symlink_to(victim)
    written(path)
    assert (read(path), victim.read_bytes()) == (RECORD, b"mine")


@pytest.mark.parametrize("name", ["state", "state.lock"])
def test_that_of_another_user_is_refused_and_unchanged(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """In a folder that all may write to, another can have put it there."""
    whole = written(path)
    theirs, real = path.with_name(name).stat(), os.fstat

    def owned(fd: int) -> os.stat_result:
        fields = list(real(fd))
        fields[stat.ST_UID] += os.path.samestat(real(fd), theirs)
        return os.stat_result(fields)

    with monkeypatch.context() as patched:
        patched.setattr(module.os, "fstat", owned)
        with pytest.raises(UsageError, match="belongs to another user: name another"):
            read(path)
    assert path.read_bytes() == whole


def test_what_is_no_file_is_refused(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(UsageError, match="is not a regular file"):
        read(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(UsageError, match="is not a regular file"):
        read(path)
    with pytest.raises(UsageError, match="no such folder"):
        RecordFile(path.parent / "none" / "state")


@pytest.mark.parametrize("call", ["fsync", "rename", "write"])
def test_a_write_that_fails_is_said_and_leaves_the_old_one(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    written(path)
    file = RecordFile(path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(module.os, call, full)
        with pytest.raises(FastlogError, match="No space left on device") as raised:
            file.write({"lines": 8})
    assert raised.value.exit_status == 1
    assert file.read() == RECORD
    assert not path.with_name(f"{path.name}.new").exists()
    file.write({"lines": 9})
    assert file.read() == {"lines": 9}
    file.close()


_WRITE = """
import sys
from fastlog.sinks.record import VERSION, RecordFile
file = RecordFile(sys.argv[1])
for lines in (1, 2):
    file.write({"lines": lines})
"""
CALLS = ("openat", "write", "fsync", "rename")


@pytest.mark.skipif(not _works(), reason="no strace that may trace here")
@pytest.mark.parametrize("call", CALLS)
def test_killed_at_any_call_it_is_the_old_one_or_the_new_one(
    path: Path, environment: dict[str, str], call: str
) -> None:
    strace = shutil.which("strace")
    assert strace
    touched = [argument for name in (path, f"{path}.new", path.parent) for argument in ("-P", str(name))]
    found = []
    for number in range(1, 9):
        shutil.rmtree(path.parent)
        path.parent.mkdir()
        written(path, {"lines": 0})
        inject = f"inject={call}:signal=KILL:when={number}"
        done = subprocess.run(
            [strace, "-qq", "-o", os.devnull, *touched, "-e", inject, sys.executable, "-c", _WRITE, path],
            env=environment, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        state = read(path)
        assert state is not None
        found.append(state["lines"])
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert found == sorted(found)
    assert found[-1] == 2
    assert len(found) > 2  # each of the two writes was killed at that call
