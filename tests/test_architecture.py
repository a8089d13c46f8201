"""The shape of the program: imports go one way, and each package keeps the rule of its sentence."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "exporter"

ORDER = (
    *("version", "text", "cooperative", "logs", "config", "sessions", "livepeer", "metrics", "polling"),
    *("server", "pages", "simulator", "runtime", "cli", "__main__"),
)
"""Packages and modules from the bottom to the top: each imports only what stands before it."""

MOST_LEVELS = 10
"""Packages and modules that an import may lead through, one after the other."""

FORBIDDEN = {
    "config": {"logs", "sessions", "livepeer", "metrics"},
    "sessions": {"logs", "config", "livepeer", "metrics"},
    "livepeer": {"metrics"},
    "metrics": {"logs", "config", "livepeer"},
    "server": {"sessions", "livepeer", "metrics", "polling"},
    "simulator": {*ORDER} - {"simulator"},
}
"""What a package must not know, though it stands before it."""

IO = {"asyncio", "http", "io", "os", "pathlib", "random", "socket", "ssl", "subprocess", "threading", "time"}
"""Standard modules of I/O, clocks and randomness, which `sessions` does without."""


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from [f"{node.module}.{alias.name}" for alias in node.names]


@cache
def imported_by(part: str) -> frozenset[str]:
    paths = [path for path in modules() if part_of(path) == part]
    names = [name.split(".") for path in paths for name in imports(path)]
    return frozenset(name[1] for name in names if name[0] == "exporter" and len(name) > 1) - {part}


def libraries_of(part: str) -> set[str]:
    return {name.split(".")[0] for path in modules() if part_of(path) == part for name in imports(path)}


def levels_below(part: str) -> int:
    return 1 + max(map(levels_below, imported_by(part)), default=0)


def test_the_order_names_every_package_and_module_and_no_other() -> None:
    assert {part_of(path) for path in modules()} == set(ORDER)


@pytest.mark.parametrize("part", ORDER)
def test_a_part_imports_only_what_stands_before_it(part: str) -> None:
    assert imported_by(part) <= set(ORDER[: ORDER.index(part)])


@pytest.mark.parametrize("part", FORBIDDEN)
def test_a_part_does_not_import_what_it_must_not_know(part: str) -> None:
    assert not imported_by(part) & FORBIDDEN[part]


def test_imports_lead_through_a_bounded_number_of_levels() -> None:
    assert max(map(levels_below, ORDER)) <= MOST_LEVELS


def test_sessions_are_values_without_io_or_clock() -> None:
    assert not libraries_of("sessions") & IO


@pytest.mark.parametrize(
    ("library", "owner"),
    [("httpx", "livepeer"), ("apscheduler", "polling"), ("isal", "metrics"), ("bcrypt", "server")],
)
def test_a_library_is_imported_by_one_package_alone(library: str, owner: str) -> None:
    assert {part for part in ORDER if library in libraries_of(part)} == {owner}


def test_every_package_says_in_its_docstring_what_it_is() -> None:
    packages = [path for path in modules() if path.name == "__init__.py"]
    assert all(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) for path in packages)


def test_no_module_keeps_state_but_constants_and_loggers() -> None:
    """Mutable module state would be a lower-case name bound to a literal list, dict or set."""
    for path in modules():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.List | ast.Dict | ast.Set):
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
                assert all(name.isupper() or name == "__all__" for name in names), f"{path.name}: {names}"
