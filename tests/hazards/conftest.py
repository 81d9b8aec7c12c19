"""What the tests of the real command share."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hazards.command import Command

Start = Callable[..., Command]


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Iterator[Start]:
    """Start the real command in the test's own folder: ``start("-f", "access.log", stdin=...)``."""
    if sys.platform != "linux":
        pytest.skip("looks into /proc")
    commands: list[Command] = []

    def begin(*arguments: str | bytes, env: dict[str, str] | None = None, **streams: Any) -> Command:
        command = Command(arguments, tmp_path, environment | (env or {}), **streams)
        commands.append(command)
        return command

    yield begin
    for command in commands:
        command.close()
