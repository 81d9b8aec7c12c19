"""Where the time goes: ``python -m bench.phases --lines 10000000``.

The share of each phase in the CPU time of all processes together, by role. Each sample
is a stack; from its innermost frame outwards, the first frame that a row of ``PHASES``
knows decides. So a ``memcpy`` belongs to what called it, and what the interpreter does
in a function of the merger to the merger. What a log of a thousand lines takes counts as
``start``: imports, starting and ending processes. Where nothing is known it is ``python`` or
``other``: see :mod:`bench.profilers` on what each profiler cannot see.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence

from bench.compare import SHAPES
from bench.logs import Log, corpus, warm
from bench.profilers import ROLES, Stack, available, stacks
from bench.record import about_text, host, save

LAST = ("", "")
PHASES: tuple[tuple[str, str], ...] = (
    # Phase, and a pattern for ``function (file)``; the first row that fits wins.
    # --- The compiled kernels: a prefix for each phase; what has none is named by its file.
    ("index", r"^fl_(index|block_index)"),
    ("read", r"^fl_block_copy"),
    ("hash", r"^fl_(hash|mix|key|table|count|hit|cells|put|push|end_|next_run|find_row)|NativeParser__key"),
    ("merge", r"^fl_(series|tally)"),
    ("parse", r"\(.*fastlog/parsers/native[^/]*\.so\)|\(native\.(pyx|c|h)[:)]"),
    ("merge", r"\(.*fastlog/windows/native[^/]*\.so\)"),
    ("print", r"\(.*fastlog/sinks/native[^/]*\.so\)"),
    ("wire", r"\(.*fastlog/model/native[^/]*\.so\)"),
    # --- The kernel, by what was asked of it.
    ("read", r"(sys_p?read|ksys_p?read|sys_preadv|sys_openat|vfs_read|filemap_read|copy_page_to_iter)"),
    ("wire", r"(unix_stream_|sock_(send|recv|read|write)|sys_(send|recv)|epoll_|sys_writev?\b)"),
    ("start", r"(sys_execve|load_elf_binary|exit_mmap|copy_process|sys_(fstat|stat|newfstatat|getdents))"),
    # --- Python functions, by their file.
    ("start", r"<frozen importlib|<frozen zipimport|\(.*ld-linux|_PyPegen_|\(.*dataclasses\.py"),
    ("hash", r"fastlog/parsers/(columns|segments)\.py"),
    ("parse", r"fastlog/(parsers/|formats/|worker\.py)"),
    ("wire", r"fastlog/executors/(wire|inbox|child|children|processes)\.py|fastlog/model/narrow\.py"),
    ("merge", r"fastlog/(windows/|merger\.py|model/|executors/committer\.py)"),
    ("print", r"fastlog/(sinks/|terminal\.py)"),
    ("read", r"fastlog/(sources|reader)/"),
    ("start", r"fastlog/(cli|config)\.py"),
    ("wire", r"(asyncio/|uvloop|\(loop\.[cp]|uv_|uv__)"),
    # --- Compiled code, where the stack does not show who called: tried when no row above fits any frame.
    LAST,
    ("parse", r"^_?sre_|^_sre_|^pattern_(split|sub|findall)"),
    ("print", r"orjson"),
)
"""Edit this table when functions are named otherwise; a function that was inlined bears its caller's name."""

_IDLE = re.compile(r"^(__)?(select|poll|epoll_\w+|pthread_cond_\w+|futex\w*|recv\w*|wait4) \(libc")
"""py-spy cannot always tell a wait from work; the time that a wait takes is of no processor."""

_ROWS = [(phase, re.compile(pattern)) for phase, pattern in PHASES]
_FIRST, _LAST = _ROWS[: PHASES.index(LAST)], _ROWS[PHASES.index(LAST) + 1 :]
SHORT = 1000
"""Lines of the log whose time is all start and end."""

ORDER = ("read", "index", "parse", "hash", "wire", "merge", "print", "start", "python", "other")


def phase_of(frames: Sequence[str]) -> str:
    """The phase of a stack, its innermost frame first."""
    for rows in (_FIRST, _LAST):
        for frame in frames:
            for phase, pattern in rows:
                if pattern.search(frame):
                    return phase
    return "python" if any("python" in frame for frame in frames) else "other"


def idle(stack: Stack) -> bool:
    """Whether the process was waiting."""
    return not stack.frames or _IDLE.search(stack.frames[0]) is not None


def weights(found: Iterable[Stack]) -> Counter[tuple[str, str]]:
    """The sum of each phase and role."""
    sums: Counter[tuple[str, str]] = Counter()
    for stack in found:
        # Counter's values may be floats; its type does not say so.
        sums[phase_of(stack.frames), stack.role] += stack.weight  # type: ignore[assignment]
    return sums


def shares(found: Iterable[Stack], short: Iterable[Stack] = ()) -> dict[str, dict[str, float]]:
    """Phase and role to their share of the whole, in percent.

    ``short`` is of a log that is hardly there: what it takes is ``start``, whatever it looks like.
    """
    sums = weights(found)
    for (phase, role), weight in weights(short).items():
        moved = min(weight, sums[phase, role])
        sums[phase, role] -= moved
        sums["start", role] += moved
    whole = sums.total() or 1
    return {
        phase: {role: 100 * sums[phase, role] / whole for role in ROLES}
        for phase in ORDER
        if any(sums[phase, role] for role in ROLES)
    }


def unknown(found: Iterable[Stack], top: int) -> list[str]:
    """The innermost functions of what no row of the table knows, with their share of all, most first."""
    functions: Counter[str] = Counter()
    whole = 0.0
    for stack in found:
        whole += stack.weight
        if phase_of(stack.frames) in {"python", "other"} and stack.frames:
            functions[stack.frames[0]] += stack.weight  # type: ignore[assignment]  # as above
    return [f"{100 * weight / whole:.1f} % {_short(frame)}" for frame, weight in functions.most_common(top)]


def _short(frame: str) -> str:
    """The frame without the folders of its file: they are this machine's."""
    return re.sub(r"\(.*/([^/]*)\)$", r"(\1)", frame)


def table(share: dict[str, dict[str, float]]) -> list[str]:
    """The shares as lines of Markdown."""
    roles = [role for role in ROLES if any(row[role] for row in share.values())]
    page = [f"| phase | all | {' | '.join(roles)} |", f"|---|{'--:|' * (len(roles) + 1)}"]
    sums = {role: sum(row[role] for row in share.values()) for role in roles}
    for phase, row in [*share.items(), ("all", sums)]:
        cells = [f"{sum(row.values()):.1f} %", *(f"{row[role]:.1f} %" for role in roles)]
        page.append(f"| {phase} | {' | '.join(cells)} |")
    return page


def _work(profiler: str, flags: Sequence[str], log: Log) -> list[Stack]:
    """The stacks of a replay, without those that wait."""
    warm(log)
    return [stack for stack in stacks(profiler, flags, str(log.path)) if not idle(stack)]


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    there = available()
    parser = argparse.ArgumentParser("python -m bench.phases", description="Where the time goes.")
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--shape", choices=SHAPES, default="dense")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--stats", action="store_true", help="with fastlog --stats")
    parser.add_argument("--parser", default="auto", help="passed on to fastlog")
    parser.add_argument("--with", dest="profiler", choices=there, default=there[0])
    parser.add_argument("--unknown", type=int, default=8, metavar="N", help="functions of no phase to name")
    parser.add_argument("--host", default=None, help="name of the host in the directory of the run")
    parser.add_argument("--no-save", action="store_true", help="print the table alone")
    args = parser.parse_args(argv)

    shape, log_format, odd = SHAPES[args.shape]
    log = corpus(shape, log_format, args.lines, odd)
    flags = ["--json", "--quiet", "--no-progress", "--workers", str(args.workers), "--parser", args.parser]
    flags += ["--stats" if args.stats else "--no-stats", "--format", log_format]
    found = _work(args.profiler, flags, log)
    short = _work(args.profiler, flags, corpus(shape, log_format, SHORT, odd))
    share, about = shares(found, short), host()
    rest = unknown(found, args.unknown)
    what = f"{log.name}, {log.lines:,} lines; `fastlog {' '.join(flags)}`; {args.profiler}."
    page = [about_text(about), "", what]
    page += ["", *table(share)]
    page += ["", f"Of no phase: {'; '.join(rest)}."] if rest else []
    text = "\n".join(page) + "\n"
    print(text)
    if not args.no_save:
        kept = {key: value for key, value in vars(args).items() if key not in {"host", "no_save"}}
        save("phases", {"arguments": kept, "host": about, "shares": share, "unknown": rest}, text, args.host)
    return 0


if __name__ == "__main__":
    sys.exit(main())
