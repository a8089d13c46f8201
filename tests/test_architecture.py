"""The architecture: imports go one way, and each package keeps the rule of its sentence."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "exporter"

ORDER = (
    *("version", "text", "cooperative", "logs", "config", "sessions", "livepeer", "metrics", "polling"),
    *("webhooks", "server", "pages", "simulator", "runtime", "cli", "__main__"),
)
"""Packages and modules from the bottom to the top: each imports only what precedes it."""

MAX_LEVELS = 10
"""Packages and modules on the longest chain of imports."""

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40

FORBIDDEN = {
    "config": {"logs", "sessions", "livepeer", "metrics"},
    "sessions": {"logs", "config", "livepeer", "metrics"},
    "livepeer": {"metrics"},
    "metrics": {"logs", "config", "livepeer"},
    "server": {"sessions", "livepeer", "metrics", "polling"},
    "webhooks": {"sessions", "livepeer", "polling"},
    "simulator": {*ORDER} - {"simulator"},
}
"""Packages that a package must not import, although they precede it."""

IO = {"asyncio", "http", "io", "os", "pathlib", "random", "socket", "ssl", "subprocess", "threading", "time"}
"""Standard modules of I/O, clocks and randomness, which `sessions` must not import."""


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
def test_a_package_imports_only_what_precedes_it(part: str) -> None:
    assert imported_by(part) <= set(ORDER[: ORDER.index(part)])


@pytest.mark.parametrize("part", FORBIDDEN)
def test_a_package_does_not_import_what_is_forbidden(part: str) -> None:
    assert not imported_by(part) & FORBIDDEN[part]


def test_the_longest_chain_of_imports_is_bounded() -> None:
    assert max(map(levels_below, ORDER)) <= MAX_LEVELS


def test_sessions_import_no_io_clock_or_randomness() -> None:
    assert not libraries_of("sessions") & IO


@pytest.mark.parametrize(
    ("library", "owner"),
    [("httpx", "livepeer"), ("apscheduler", "polling"), ("isal", "metrics"), ("bcrypt", "server")],
)
def test_a_library_is_imported_by_one_package_only(library: str, owner: str) -> None:
    assert {part for part in ORDER if library in libraries_of(part)} == {owner}


def test_every_package_has_a_docstring() -> None:
    packages = [path for path in modules() if path.name == "__init__.py"]
    assert all(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) for path in packages)


def test_no_file_is_longer_than_a_reader_takes_in() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert not {path: count for path, count in lines.items() if count > MAX_FILE_LINES}


def test_no_function_is_longer_than_a_screen() -> None:
    found = {}
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found[f"{path.relative_to(ROOT)}: {node.name}"] = (node.end_lineno or 0) - node.lineno + 1
    assert not {name: count for name, count in found.items() if count > MAX_FUNCTION_LINES}


def test_no_module_keeps_state_but_constants_and_loggers() -> None:
    """Mutable module state would be a lower-case name bound to a literal list, dict or set."""
    for path in modules():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.List | ast.Dict | ast.Set):
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
                assert all(name.isupper() or name == "__all__" for name in names), f"{path.name}: {names}"
