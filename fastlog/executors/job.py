"""What the hub tells its children once, before the first chunk."""

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from fastlog.model.plan import Plan
from fastlog.reader.reached import Reached
from fastlog.sources.files import OpenSource

if TYPE_CHECKING:
    from fastlog.config import ParserName


class Job(NamedTuple):
    """A run, as its reader and workers see it.

    ``sources`` are the open inputs of a replay, by descriptor; ``paths`` the names
    to follow. Exactly one of them is empty. ``reached`` is where the reader of a
    replay goes on: one entry a source, or none to begin at their starts. ``positions``
    are those of the followed files of a run or reader before, and ``formats`` what those
    files had, by name. ``epoch`` is that of the clock when a follow began.
    """

    plan: Plan
    parser: "ParserName"
    format: str
    sources: Sequence[OpenSource]
    paths: Sequence[str]
    from_start: bool
    positions: Sequence[dict[str, Any]] = ()
    formats: Mapping[str, str] = MappingProxyType({})
    reached: Sequence[Reached] = ()
    epoch: float = 0.0

    def header(self) -> dict[str, Any]:
        """As a frame's header. Paths may hold bytes that are no text, so they go as numbers."""
        fields = self._asdict()
        fields["plan"] = self.plan._asdict()
        fields["plan"]["rules"] = [rule._asdict() for rule in self.plan.rules]
        fields["paths"] = [list(os.fsencode(path)) for path in self.paths]
        fields["sources"] = [source._asdict() for source in self.sources]
        fields["reached"] = [reached._asdict() for reached in self.reached]
        fields["formats"] = dict(self.formats)
        return {"kind": "Job", **fields}

    def with_descriptors(self, descriptors: Sequence[int]) -> "Job":
        """The same job where the sources are open under other numbers."""
        sources = [source._replace(fd=fd) for source, fd in zip(self.sources, descriptors, strict=True)]
        return self._replace(sources=sources)

    @classmethod
    def from_header(cls, header: dict[str, Any]) -> "Job":
        plan = Plan(**header["plan"])
        if plan.rules:  # a run without them starts sooner without
            from fastlog.model.rules import Rule

            plan = plan._replace(rules=[Rule(**rule) for rule in header["plan"]["rules"]])
        return cls(
            plan=plan,
            parser=header["parser"],
            format=header["format"],
            sources=[OpenSource(**source) for source in header["sources"]],
            paths=[os.fsdecode(bytes(path)) for path in header["paths"]],
            from_start=header["from_start"],
            positions=header["positions"],
            formats=header["formats"],
            reached=[Reached(**reached) for reached in header["reached"]],
            epoch=header["epoch"],
        )
