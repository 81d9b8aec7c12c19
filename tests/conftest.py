"""Fixtures that every floor of the suite shares."""

import importlib.util
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.hazards.command import FASTLOG, PARSER, PATIENCE

Run = Callable[..., subprocess.CompletedProcess[bytes]]

# The same examples in every run, on a machine of any speed: what passes once passes again. Others, at random,
# are what `make soak` is for (--hypothesis-profile=random); one that fails is printed, to be kept.
_ALWAYS = {"deadline": None, "print_blob": True, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("same", derandomize=True, database=None, **_ALWAYS)
settings.register_profile("random", **_ALWAYS)
settings.load_profile("same")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background of a shell: children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """An environment in which ``python -m fastlog`` is the package that the tests import."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    spec = importlib.util.find_spec("fastlog")
    places = spec.submodule_search_locations if spec else None
    assert places, "fastlog cannot be imported"
    env["PYTHONPATH"] = str(Path(next(iter(places))).resolve().parent)
    env["TERM"] = "dumb"
    return env


@pytest.fixture
def fastlog(tmp_path: Path, environment: dict[str, str]) -> Run:
    """Run the real command in the test's own folder, to its end.

    ``run(*args, stdin=b"")``; output is bytes, and no status is an error here.
    """

    def run(*args: str | os.PathLike[str], stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*FASTLOG, *PARSER, *args],
            input=stdin,
            capture_output=True,
            timeout=PATIENCE,
            cwd=tmp_path,
            env=environment,
            check=False,
        )

    return run
