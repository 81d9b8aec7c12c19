"""A log gives the same events, messages and rejects packed as plain: alone, mixed, merged by time."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastlog as package
from fastlog.sources import files
from fastlog.sources import packed as packed_source
from tests.packing import PACK
from tests.properties.strategies import Format, formats, line, logs, options, random_log, random_options

Run = Callable[..., CompletedProcess[bytes]]
START = 1_525_881_600
# In place of those of the profile: a folder is one for all examples, and may be slow.
WITH_A_FOLDER = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def report(folder: Path, contents: Sequence[bytes], **chosen: Any) -> package.Report:
    """The report of files with these contents, whose names do not say what they hold."""
    paths = [folder / f"access-{number}.log" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return package.replay(paths, stats=True, executor="inline", **chosen)


@settings(max_examples=40, suppress_health_check=WITH_A_FOLDER)
@given(data=st.data(), format=formats, chosen=options(), length=st.sampled_from((5, 100, 1 << 20)))
def test_hostile_logs_are_the_same_packed_and_plain(
    data: st.DataObject, format: Format, chosen: dict[str, Any], length: int, tmp_path: Path
) -> None:
    contents = data.draw(st.lists(logs(format, most=10), min_size=1, max_size=3))
    kinds = st.sampled_from([None, *PACK])
    packed = [PACK[kind](log) if (kind := data.draw(kinds)) else log for log in contents]
    chosen |= {"format": format}
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CHUNK_BYTES", "RANGE_BYTES"):
            patch.setattr(files, name, length)
        patch.setattr(packed_source, "CHUNK_BYTES", length)
        assert report(tmp_path, packed, **chosen) == report(tmp_path, contents, **chosen)


@pytest.mark.parametrize("seed", range(500, 508))
def test_random_logs_are_merged_the_same_packed_and_plain(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = random_log(seed).split(b"\n")
    contents = [b"".join(text + b"\n" for text in lines[number::5]) for number in range(5)]
    packed = [pack(log) for pack, log in zip([*PACK.values(), bytes], contents, strict=True)]
    monkeypatch.setattr(files, "CHUNK_BYTES", (300, 5_000, 1 << 20)[seed % 3])
    chosen = random_options(seed)
    assert report(tmp_path, packed, **chosen) == report(tmp_path, contents, **chosen)


@pytest.mark.parametrize("length", [64, 1_000, 1 << 20])
def test_fields_that_are_named_anew_count_behind_them_packed_and_plain(
    length: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = (
        "#Fields: date time cs-method cs-uri-stem sc-status sc-bytes\n2018-05-09 16:%02d:00 GET /a/b 200 7\n"
    )
    two = (
        "#Fields: sc-bytes date cs-uri-stem sc-status cs-method time\n9 2018-05-09 /c/d 404 PUT 16:%02d:30\n"
    )
    contents = ["".join((one + two) % (n, n) for n in range(at, 60, 2)).encode() for at in range(2)]
    for name in ("CHUNK_BYTES", "RANGE_BYTES"):
        monkeypatch.setattr(files, name, length)
    plain = report(tmp_path, contents, format="w3c")
    assert plain.summary.statuses == {"200": 60, "404": 60}
    assert report(tmp_path, [PACK["gzip"](contents[0]), contents[1]], format="w3c") == plain
    assert report(tmp_path, [PACK["xz"](log) for log in contents], format="w3c") == plain


def test_which_of_too_many_sections_are_named_is_the_same(tmp_path: Path) -> None:
    """It follows the order of the pieces that files are read in, so those have to be the same."""
    contents = [
        b"".join(line(START + n // 30, b"GET /%d-%d/x HTTP/1.1" % (server, n)) for n in range(30_000))
        for server in range(2)
    ]
    assert min(map(len, contents)) > 2 << 20
    plain = report(tmp_path, contents, format="common")
    assert len(plain.summary.sections) == 2_001
    assert report(tmp_path, [PACK["gzip"](contents[0]), contents[1]], format="common") == plain
    assert report(tmp_path, [PACK["zstd"](log) for log in contents], format="common") == plain


def test_the_command_gives_the_same_bytes_for_every_number_of_workers_and_every_packing(
    tmp_path: Path, fastlog: Run
) -> None:
    log = b"".join(
        line(START + n // 40 - n * 7 % 50, b"GET /s%d/x?y HTTP/1.1" % (n % 97), size=b"%d" % n)
        for n in range(16_000)
    )
    log = log.replace(b" 200 9", b" 2x0 9")
    (tmp_path / "plain").write_bytes(log)
    rejects = tmp_path / "rejects"

    def run(*arguments: str, stdin: bytes = b"") -> tuple[bytes, list[str]]:
        done = fastlog("--json", "--stats", "-q", "--rejects", "rejects", *arguments, stdin=stdin)
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout, [text.partition("\t")[2] for text in rejects.read_text().split("\n")]

    want = run("plain")
    assert json.loads(want[0].split(b"\n")[-2])["rejected"]["format"] == len(want[1]) - 1 > 1_000
    for kind, pack in PACK.items():
        (tmp_path / kind).write_bytes(pack(log))
        assert run("--workers", "3", kind) == want
    assert run("--workers", "1", "gzip") == want
    assert run("--parser", "regex", "gzip") == want
    assert run("-", stdin=PACK["gzip"](log)) == want
