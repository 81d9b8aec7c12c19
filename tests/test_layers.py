"""The layers of the package: who may import whom, and what nobody may."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import fastlog

PACKAGE = Path(fastlog.__file__).parent
# From the ground up. What stands on one line does not know of one another.
LAYERS = (
    ("errors", "version", "cpus"),
    ("model", "config"),
    # Decision: the two languages that a user writes, formats and rules, are understood on one floor: the
    # workers evaluate rules by line, the windows by cell, and both stand above.
    ("formats", "rulebook"),
    ("parsers", "sources", "windows", "sinks"),
    ("reader", "worker", "merger"),
    ("executors",),
    ("pipeline",),
    ("terminal", "api"),
    ("arguments",),
    ("cli",),
    ("__main__",),
)
HEIGHT = {part: height for height, layer in enumerate(LAYERS) for part in layer}
MODULES = {
    ".".join(("fastlog", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
STORES = {"utils", "util", "helpers", "helper", "common", "misc"}
FORBIDDEN_MODULES = {"pickle", "mmap", "multiprocessing", "marshal", "shelve"}
CLOCKS = {
    ("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow"),
    ("datetime", "today"), ("date", "today"),
}  # fmt: skip


def part_of(module: str) -> str:
    """The part of the package that a module belongs to: ``sources`` for ``fastlog.sources.files``."""
    return module.split(".")[1] if "." in module else ""


def is_module(name: str) -> bool:
    return name in MODULES


def imported_by(tree: ast.AST) -> Iterator[str]:
    """Every module that a tree imports, wherever the statement stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            assert node.module is not None
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if is_module(whole) else node.module


def parsed(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_bytes())


def own_imports(module: str) -> list[str]:
    return [name for name in imported_by(parsed(module)) if name.split(".")[0] == "fastlog"]


def test_every_part_of_the_package_has_its_layer() -> None:
    parts = {part_of(module) for module in MODULES} - {""}
    assert parts <= set(HEIGHT)
    assert len(MODULES) > 30


@pytest.mark.parametrize("module", [module for module in MODULES if module != "fastlog"])
def test_a_module_imports_only_from_what_stands_below_it(module: str) -> None:
    part = part_of(module)
    for name in own_imports(module):
        other = part_of(name)
        if not other:  # the package itself, for where it lies
            assert module == "fastlog.executors.launch"
            continue
        assert other == part or HEIGHT[other] < HEIGHT[part], f"{module} imports {name}"


def test_the_rules_would_notice() -> None:
    """The parts that must not know of one another stand on one layer; imports in functions are seen."""
    assert len({HEIGHT[part] for part in ("parsers", "sources", "windows", "sinks")}) == 1
    assert len({HEIGHT[part] for part in ("reader", "worker", "merger")}) == 1
    assert HEIGHT["formats"] == HEIGHT["rulebook"]
    source = "import os\ndef f():\n    from fastlog.sources import clock\n    import fastlog.cli\n"
    assert list(imported_by(ast.parse(source))) == ["os", "fastlog.sources.clock", "fastlog.cli"]


def test_importing_the_package_loads_the_errors_alone() -> None:
    eager = ast.Module([node for node in parsed("fastlog").body if not isinstance(node, ast.If)], [])
    top = ast.Module([node for node in eager.body if not isinstance(node, ast.FunctionDef)], [])
    names = {name for name in imported_by(top) if name.startswith("fastlog")}
    assert names == {"fastlog.errors", "fastlog.version"}


def test_every_public_name_is_there() -> None:
    for name in fastlog.__all__:
        assert getattr(fastlog, name) is not None
    lazy = fastlog._LAZY
    assert set(lazy) <= set(fastlog.__all__)
    for name, module in lazy.items():
        assert getattr(importlib.import_module(module), name) is getattr(fastlog, name)


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    assert not STORES & {word for module in MODULES for word in module.split(".")}


@pytest.mark.parametrize("module", MODULES)
def test_what_no_module_uses(module: str) -> None:
    tree = parsed(module)
    assert not FORBIDDEN_MODULES & {name.split(".")[0] for name in imported_by(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            assert node.attr != "splitlines", f"{module}:{node.lineno}"
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{module}:{node.lineno} is a bare except"


@pytest.mark.parametrize("module", [module for module in MODULES if module != "fastlog.sources.clock"])
def test_nobody_but_the_clock_asks_what_time_it_is(module: str) -> None:
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.Attribute):
            owner = node.value
            name = (
                owner.id
                if isinstance(owner, ast.Name)
                else owner.attr
                if isinstance(owner, ast.Attribute)
                else ""
            )
            assert (name, node.attr) not in CLOCKS, f"{module}:{node.lineno}"
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            assert not {"time", "time_ns"} & {alias.name for alias in node.names}, f"{module}:{node.lineno}"
