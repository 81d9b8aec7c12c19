"""The fuzzers find nothing in what they found before, in a few new inputs, and in what is right."""

import random
import shutil
import subprocess
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Not optimised: so few runs do not win back what that takes.
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-O0", "-g")
native = pytest.mark.skipif(find_spec("fastlog.parsers.native") is None, reason="not built here")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc here")
def test_the_fold_of_inputs_that_were_found_and_of_new_ones(tmp_path: Path) -> None:
    fold = tmp_path / "fold"
    empty = tmp_path / "empty.c"
    empty.write_text("int main(void) { return 0; }\n")
    if subprocess.run(["gcc", *SANITIZE, "-o", fold, empty], capture_output=True, check=False).returncode:
        pytest.skip("gcc has no sanitizers here")
    flags = ["-Wall", "-Wextra", "-Werror", *SANITIZE, f"-I{HERE.parents[1] / 'fastlog/model'}"]
    subprocess.run(["gcc", *flags, "-o", fold, HERE / "fuzz_fold.c"], check=True)
    done = subprocess.run(
        [fold, "-runs=1500", "-seed=1", HERE / "corpus"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"1500 blind mutations" in done.stderr


@native
def test_compiled_and_python_agree_on_a_few_trials() -> None:
    from tests.fuzz.fuzz_native import Pool, a_case, difference

    pool = Pool(1, 0)
    for trial in range(60):
        assert difference(a_case(pool, 1, trial)) is None, f"trial {trial}"


@native
def test_a_case_is_made_small() -> None:
    from tests.fuzz.fuzz_native import Case, a_plan, shrunk

    lines = tuple(b"line %d, of some length\n" % number for number in range(50))
    case = Case("common", a_plan(random.Random(1)), lines, frozenset({3}), frozenset({9, 40}))

    def fails(tried: Case) -> bool:
        return any(b"7," in line for line in tried.lines) and any(b"8," in line for line in tried.lines)

    small = replace(case, lines=(b"7,\n", b"8,\n"), chunks=frozenset(), blocks=frozenset())
    assert fails(case)
    assert shrunk(case, fails, float("inf")) == small
