"""What the figures of a run depend on, and how a run is kept.

The two files of a run go to ``bench/runs/DATE-HOST/``; no path and no name of this
machine is in them.
"""

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import cast

ROOT = Path(__file__).resolve().parent.parent
RUNS = ROOT / "bench" / "runs"
LIBRARIES = ("orjson", "uvloop", "inotify-simple", "tqdm")


def host() -> dict[str, object]:
    """What the figures depend on, and nothing that names the machine."""
    model = "unknown"
    with suppress(OSError):
        found = re.search(r"^model name\s*: *(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        model = found[1] if found else model
    libraries = {}
    for library in LIBRARIES:
        with suppress(PackageNotFoundError):
            libraries[library] = version(library)
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "fastlog": fastlog_version(),
        "commit": said(["git", "rev-parse", "--short=12", "HEAD"]) or "none",
        "changed": bool(said(["git", "status", "--porcelain", "--untracked-files=no"])),
        "libraries": libraries,
    }


def fastlog_version() -> str:
    """Version and parser; the rest of the line names the kernel's build, which may name its owner."""
    return ",".join(said([sys.executable, "-m", "fastlog", "--version"]).split(",")[:2])


def said(argv: list[str]) -> str:
    """The first line that a command says, or nothing where it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=False)
    return done.stdout.partition("\n")[0].strip() if done.returncode == 0 else ""


def short_name(name: str | None) -> str:
    """The host's part of the directory: a given name, or what kind of machine it is.

    Not ``platform.node()`` unless it is given: a host name may tell whose machine it is.
    """
    name = name or f"{platform.machine()}-{len(os.sched_getaffinity(0))}cpu"
    return re.sub(r"[^a-z0-9]+", "-", name.partition(".")[0].lower()).strip("-") or "host"


def save(kind: str, record: dict[str, object], page: str, name: str | None = None) -> None:
    """Keep a run: its figures, and the page that shows them."""
    now = datetime.now(UTC)
    directory = RUNS / f"{now:%Y-%m-%d}-{short_name(name)}"
    directory.mkdir(parents=True, exist_ok=True)
    stem = directory / f"{kind}-{now:%H%M%S}"
    record = {"at": now.isoformat(timespec="seconds"), **record}
    stem.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    stem.with_suffix(".md").write_text(page)
    print(f"kept in {stem.relative_to(ROOT)}.md and .json", file=sys.stderr)


def report(kind: str, result: Mapping[str, object], *, kept: bool) -> None:
    """Print the figures of a run, a row each, and keep them where they are to be kept."""
    about = host()
    rows = [f"| {name.replace('_', ' ')} | {value} |" for name, value in result.items()]
    page = "\n".join([about_text(about), "", f"| {kind} | |", "|---|--:|", *rows]) + "\n"
    print(page)
    if kept:
        save(kind, {"host": about, "result": result}, page)


def about_text(about: dict[str, object]) -> str:
    """The host in one line."""
    libraries = ", ".join(f"{name} {at}" for name, at in cast("dict[str, str]", about["libraries"]).items())
    changed = " with local changes" if about["changed"] else ""
    return (
        f"{about['cpu']}, {about['cores']} cores, {about['memory_gib']} GiB; {about['system']};"
        f" {about['python']}; {about['fastlog']}; {libraries}; commit {about['commit']}{changed}."
    )
