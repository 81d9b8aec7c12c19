"""The logs that are measured: written once by :mod:`bench.corpus`, and kept in ``build/``."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.corpus import RATES, Corpus, LogFormat, Shape, write
from bench.record import ROOT

CACHE = ROOT / "build" / "corpora"


@dataclass(frozen=True, slots=True)
class Log:
    """A log on disk, and what is to be found in it."""

    name: str
    path: Path
    lines: int
    odd: bool
    format: LogFormat


def corpus(shape: Shape, log_format: LogFormat, lines: int, odd: float) -> Log:
    """The log of that kind; it is written once and kept in ``build/``."""
    name = f"{log_format} {shape}" + (f" odd {odd:g}" if odd else "")
    path = CACHE / f"{name.replace(' ', '-')}-{lines}.log"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        print(f"writing {name}, {lines:,} lines ...", file=sys.stderr, flush=True)
        half = path.with_suffix(".part")
        with half.open("wb") as out:
            write(Corpus(rate=RATES[shape], format=log_format, lines=lines, odd=odd), out)
        half.replace(path)
    return Log(name, path, lines, bool(odd), log_format)


def warm(log: Log) -> None:
    """Bring the log into the page cache."""
    subprocess.run(["wc", "-l", str(log.path)], stdout=subprocess.DEVNULL, check=True)
