"""What the Dockerfile promises; ``make image`` runs its steps."""

import json

from tests.dockerfile import CHECKOUT, context, stages

BUILD, FINAL = stages((CHECKOUT / "Dockerfile").read_text())


def test_the_last_stage_only_takes_what_the_first_has_built() -> None:
    assert FINAL.image.endswith("-slim")
    assert (
        FINAL.image == f"{BUILD.image}-slim"
    )  # the same Python: what was compiled for one runs in the other
    copied = [text.split()[0] for instruction, text in FINAL.steps if instruction == "COPY"]
    assert copied == [f"--from={BUILD.name}"]
    assert "RUN" not in {instruction for instruction, _ in FINAL.steps}


def test_it_follows_the_default_log_and_not_as_root() -> None:
    assert FINAL.last("USER") not in (None, "root", "0")
    assert json.loads(FINAL.last("ENTRYPOINT") or "") == ["fastlog"]
    assert FINAL.last("CMD") is None


def test_nothing_but_the_sources_is_sent_to_the_build() -> None:
    sent = {path.as_posix() for path in context(CHECKOUT)}
    assert {"LICENSE", "README.md", "pyproject.toml", "fastlog/cli.py", "fastlog/py.typed"} <= sent
    assert {name.partition("/")[0] for name in sent} <= {
        "LICENSE",
        "README.md",
        "fastlog",
        "pyproject.toml",
        "setup.py",
    }
    assert not [name for name in sent if name.endswith((".pyc", ".so"))]
