"""The table of hazards names tests that are there, and every case once."""

import re
from pathlib import Path

HERE = Path(__file__).parent
TABLE = (HERE / "README.md").read_text(encoding="utf-8")


def test_every_test_that_the_table_names_is_there() -> None:
    named = re.findall(r"`(test_\w+)\.(test_\w+)`", TABLE)
    assert len(named) > 40
    sources: dict[str, str] = {}
    for path in HERE.parent.rglob("test_*.py"):  # two may have one name, in different folders
        sources[path.stem] = sources.get(path.stem, "") + path.read_text(encoding="utf-8")
    assert [name for name in named if f"def {name[1]}(" not in sources.get(name[0], "")] == []


def test_every_case_has_its_row() -> None:
    numbers = [int(number) for number in re.findall(r"^\| (\d+) \|", TABLE, re.MULTILINE)]
    assert numbers == [*range(1, 70), *range(1, 61)]
