"""Runs the steps of the Dockerfile where no Docker engine is at hand: ``python tests/dockerfile.py``.

Each stage gets a clean virtual environment in the place of the image's Python, and
every absolute path of a step stands below a root of its own. The root has the same
path in every stage, as it has in Docker, so what one stage installs runs in the next.
What this cannot show is that the images exist, and that the last has no compiler.
"""

import fnmatch
import gzip
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
LINE = '192.0.2.1 - - [10/Oct/2000:13:55:36 -0700] "GET /api/x HTTP/1.1" 200 512\n'
_PYTHON = Path("usr/local")  # where the images of Python have it


@dataclass(slots=True)
class Stage:
    """A stage: its image, its name, and (instruction, argument) of each step."""

    image: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def last(self, instruction: str) -> str | None:
        """The argument of an instruction whose last one counts; None where there is none."""
        return next((text for word, text in reversed(self.steps) if word == instruction), None)


def stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile. Raises ValueError for an instruction that is not known here."""
    found: list[Stage] = []
    lines = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    for line in filter(None, map(str.strip, lines.split("\n"))):
        instruction, _, argument = line.partition(" ")
        if instruction == "FROM":
            image, _, name = argument.partition(" AS ")
            found.append(Stage(image, name.strip()))
        elif instruction in ("WORKDIR", "COPY", "RUN", "USER", "ENTRYPOINT", "CMD"):
            found[-1].steps.append((instruction, argument.strip()))
        else:
            raise ValueError(f"Dockerfile: {instruction} is not known to this script")
    return found


def context(checkout: Path) -> Iterator[Path]:
    """The files that are sent to the build: those that .dockerignore leaves, relative to the checkout."""
    lines = (checkout / ".dockerignore").read_text().split("\n")
    rules = [line for line in lines if line and not line.startswith("#")]
    for top in sorted(checkout.iterdir()):
        if _ignored(top.relative_to(checkout), rules):
            continue  # what is in it, others may be making or removing just now
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and not _ignored(path.relative_to(checkout), rules):
                yield path.relative_to(checkout)


def _ignored(path: Path, rules: list[str]) -> bool:
    """Whether the last rule that fits leaves a file out. A rule is a name at the top, or ``**/`` anywhere."""
    ignored = False
    for rule in rules:
        pattern = rule.removeprefix("!")
        names = path.parts if pattern.startswith("**/") else path.parts[:1]
        if any(fnmatch.fnmatch(name, pattern.removeprefix("**/")) for name in names):
            ignored = not rule.startswith("!")
    return ignored


class Builder:
    """Runs stages one after the other below ``root``; each that has ended is kept beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._done: dict[str, Path] = {}
        self._folder = root

    def build(self, stage: Stage) -> None:
        """Run a stage. Raises CalledProcessError when a step fails."""
        self._folder = self.root
        subprocess.run([sys.executable, "-m", "venv", self.root / _PYTHON], check=True)
        for instruction, argument in stage.steps:
            print(f"{instruction} {argument}", flush=True)
            if instruction == "WORKDIR":
                self._folder = self._inside(argument)
                self._folder.mkdir(parents=True, exist_ok=True)
            elif instruction == "COPY":
                self._copy(argument.split())
            elif instruction == "RUN":
                self.run(re.sub(r"(?<=\s)/(?=\w)", f"{self.root}/", argument))

    def keep(self, stage: Stage) -> None:
        """A stage has ended: its files make room for the next."""
        self._done[stage.name] = self.root.rename(self.root.with_name(f"stage-{stage.name}"))

    def run(self, command: str) -> None:
        env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        env["PATH"] = f"{self.root / _PYTHON / 'bin'}:{os.defpath}"
        subprocess.run(command, shell=True, cwd=self._folder, env=env, check=True)

    def _copy(self, words: list[str]) -> None:
        if words[0].startswith("--from="):
            source = self._done[words[0].removeprefix("--from=")] / words[1].lstrip("/")
            shutil.copytree(source, self._inside(words[2]), dirs_exist_ok=True)
            return
        assert words == [".", "."], "COPY . . or COPY --from"
        for path in context(CHECKOUT):
            (self._folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / path, self._folder / path)

    def _inside(self, path: str) -> Path:
        return self.root / path.lstrip("/")


def check(root: Path, entrypoint: list[str]) -> None:
    """The installed command runs, with nothing on its path but what the last stage installed."""
    path = str(root / _PYTHON / "bin")
    command = [str(Path(path) / entrypoint[0]), *entrypoint[1:]]
    version = subprocess.run([*command, "--version"], env={"PATH": path}, capture_output=True, check=True)
    print(version.stdout.decode().strip())
    assert b"native parser" in version.stdout, "the first stage has a compiler, and did not use it"
    done = subprocess.run(
        [*command, "--json", "-"],
        input=gzip.compress(LINE.encode() * 3),
        env={"PATH": path},
        capture_output=True,
        check=True,
        timeout=60,
    )
    summary = json.loads(done.stdout)
    assert (summary["complete"], summary["hits"]) == (True, 3), summary


def main() -> None:
    """Build all stages in a temporary folder and try the command."""
    with tempfile.TemporaryDirectory(prefix="fastlog-image-") as folder:
        builder = Builder(Path(folder) / "root")
        *earlier, last = stages((CHECKOUT / "Dockerfile").read_text())
        for stage in earlier:
            builder.build(stage)
            builder.keep(stage)
        builder.build(last)
        check(builder.root, json.loads(last.last("ENTRYPOINT") or "[]"))
    print(f"Dockerfile: {shlex.join(stage.image for stage in [*earlier, last])}: every step passed")


if __name__ == "__main__":
    main()
