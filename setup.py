"""The compiled parser, windows and JSON: everything else about the package is in pyproject.toml.

Where it cannot be compiled the installation goes on without it, and fastlog runs on
the regular expressions; ``fastlog --version`` names the parser. FASTLOG_NATIVE=0 leaves
it out, FASTLOG_NATIVE=1 makes a failed build fail the installation.
"""

import os

from setuptools import Extension, setup

_NATIVE = os.environ.get("FASTLOG_NATIVE", "")
# A walk that has one jump for all of its steps is slower by a tenth: gcc is not to merge them.
_JUMPS = ["-fno-crossjumping"] if "clang" not in os.environ.get("CC", "") else []
_FLAGS = ["-O3", "-fno-strict-aliasing", "-Wall", *_JUMPS, *os.environ.get("FASTLOG_CFLAGS", "").split()]


def extensions() -> list[Extension]:
    if _NATIVE == "0":
        return []
    from Cython.Build import cythonize

    parts = {
        "parsers": [
            *("block.h", "entries.h", "fold.h", "hosts.h", "json.h", "keys.h", "line.h", "measured.h"),
            *("outcomes.h", "program.h", "rejects.h", "rules.h", "scan.h", "stamp.h", "walk.h"),
            *("block.pxi", "rules.pxi"),
        ],
        "model": [],
        "windows": ["rows.pxi", "series.h"],
        "windows/rules": [
            *("arrivals.h", "crowd.h", "grid.h", "moments.h"),
            *("names.h", "rules.h", "states.h", "sums.h"),
        ],
        "sinks": [],
    }
    built: list[Extension] = cythonize(
        [
            Extension(
                f"fastlog.{layer.replace('/', '.')}.native",
                [f"fastlog/{layer}/native.pyx"],
                depends=[
                    "fastlog/model/narrow.h",
                    "fastlog/model/pages.h",
                    *(f"fastlog/{layer}/{header}" for header in headers),
                ],
                include_dirs=["fastlog/model"],
                extra_compile_args=_FLAGS,
            )
            for layer, headers in parts.items()
        ],
        build_dir="build/cython",
    )
    for extension in built:
        extension.optional = _NATIVE != "1"  # cythonize does not carry it over
    return built


setup(ext_modules=extensions())
