"""What the hub tells its children once, before the first chunk."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from fastlog.config import ParserName
from fastlog.model.plan import Plan
from fastlog.model.rules import Rule
from fastlog.reader.reached import Reached
from fastlog.sources.files import OpenSource


@dataclass(frozen=True, slots=True)
class Job:
    """A run, as its reader and workers see it.

    ``sources`` are the open inputs of a replay, by descriptor; ``paths`` the names
    to follow. Exactly one of them is empty. ``reached`` is where the reader of a
    replay goes on: one entry a source, or none to begin at their starts. ``positions``
    are those of the followed files of a run or reader before, and ``formats`` what those
    files had, by name.
    """

    plan: Plan
    parser: ParserName
    format: str
    sources: Sequence[OpenSource]
    paths: Sequence[str]
    from_start: bool
    positions: Sequence[dict[str, Any]] = ()
    formats: dict[str, str] = field(default_factory=dict)
    reached: Sequence[Reached] = ()

    def header(self) -> dict[str, Any]:
        """As a frame's header. Paths may hold bytes that are no text, so they go as numbers."""
        fields = asdict(self)
        fields["paths"] = [list(path.encode("utf-8", "surrogateescape")) for path in self.paths]
        return {"kind": "Job", **fields}

    def with_descriptors(self, descriptors: Sequence[int]) -> "Job":
        """The same job where the sources are open under other numbers."""
        sources = [replace(source, fd=fd) for source, fd in zip(self.sources, descriptors, strict=True)]
        return replace(self, sources=sources)

    @classmethod
    def from_header(cls, header: dict[str, Any]) -> "Job":
        rules = [Rule(**rule) for rule in header["plan"]["rules"]]
        return cls(
            plan=Plan(**{**header["plan"], "rules": rules}),
            parser=header["parser"],
            format=header["format"],
            sources=[OpenSource(**source) for source in header["sources"]],
            paths=[bytes(path).decode("utf-8", "surrogateescape") for path in header["paths"]],
            from_start=header["from_start"],
            positions=header["positions"],
            formats=header["formats"],
            reached=[Reached(**reached) for reached in header["reached"]],
        )
