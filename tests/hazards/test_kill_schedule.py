"""A few of the kills of ``kill_schedule``; ``make soak`` does hundreds."""

import sys
from pathlib import Path

import pytest

from tests.hazards.kill_schedule import Schedule


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_kills_at_random_moments_change_nothing(tmp_path: Path, environment: dict[str, str]) -> None:
    schedule = Schedule(6, tmp_path, environment)
    tally = schedule.run(kills=6)
    schedule.close()
    assert tally.wrong == []
    assert tally.kills == 6
