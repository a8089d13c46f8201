"""The shape of the program: imports go one way, and each library has the one module that may know it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "exporter"

_BOTTOM_UP = """
version durations settings flags logs errors steps together servertime body session walk studio key snapshot ledger
stream trouble catalogue telemetry exposition budget board collector poller member clock process negotiation landing
web webconfig tls webfile auth connection listener notify health assets simulator app daemon commands __main__
"""
ORDER = tuple(_BOTTOM_UP.split())
"""From the bottom to the top: a module imports only what stands before it."""


def part_of(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def modules() -> Iterator[Path]:
    yield from (path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from [f"{node.module}.{alias.name}" for alias in node.names]


def own_imports(path: Path) -> set[str]:
    named = [name.split(".")[1] for name in imports(path) if name.startswith("exporter.")]
    return {name for name in named if name in ORDER}


@pytest.mark.parametrize("path", sorted(modules()), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_stands_before_it(path: Path) -> None:
    place = ORDER.index(part_of(path))
    later = {name for name in own_imports(path) if ORDER.index(name) > place}
    assert not later


def test_the_order_names_every_module_and_no_other() -> None:
    assert {part_of(path) for path in modules()} == set(ORDER)


@pytest.mark.parametrize(
    ("library", "owner"),
    [("httpx", "studio"), ("apscheduler", "clock"), ("isal", "exposition"), ("bcrypt", "auth")],
)
def test_a_library_is_known_to_one_module_alone(library: str, owner: str) -> None:
    users = {part_of(path) for path in modules() if any(name.split(".")[0] == library for name in imports(path))}
    assert users == {owner}


def test_no_module_keeps_state_but_constants_and_loggers() -> None:
    """Mutable module state would be a lower-case name bound to a literal list, dict or set."""
    for path in modules():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.List | ast.Dict | ast.Set):
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
                assert all(name.isupper() or name == "__all__" for name in names), f"{path.name}: {names}"
