"""The documentation matches the code: dependencies, packages, functions, links, flags and metrics."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from exporter.cli.command_list import COMMAND_FLAGS
from exporter.config import describe_settings
from exporter.metrics.catalogue import EVERY_OPTION, everything

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("grafana/*.md"), *ROOT.glob("deploy/**/*.md")])
ARCHITECTURE = ROOT / "docs" / "architecture.md"
CODE_LINK = re.compile(r"\[`([\w.]+)`\]\(([^)]+\.py)\)")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def first_column(page: Path) -> list[str]:
    return re.findall(r"^\| `([A-Za-z-]+)` \|", page.read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_every_direct_dependency_has_its_reason() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = [*pyproject["project"]["dependencies"], *pyproject["dependency-groups"]["dev"]]
    names = {re.split(r"[<>=~! ]", each)[0] for each in declared}
    assert set(first_column(ROOT / "docs" / "dependencies.md")) == names


def test_every_direct_dependency_has_a_rejected_alternative() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `[A-Za-z-]+` \|(.*)\|$", text, flags=re.MULTILINE)
    assert rows
    assert all(len(cells) == 2 and cells[1].strip() for cells in (row.split(" | ") for row in rows))


def test_the_architecture_names_every_package_and_module() -> None:
    named = set(re.findall(r"`([a-z_]+)`", ARCHITECTURE.read_text(encoding="utf-8")))
    modules = {path.stem if path.is_file() else path.name for path in (ROOT / "exporter").iterdir()}
    assert modules - {"__init__", "__pycache__", "version", "py"} <= named | {"_assets"}


def defined_names(path: Path) -> set[str]:
    """The functions and classes of a module, and the methods of the classes as `Class.method`."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    top = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, kinds)]
    methods = [(each, node) for each in top if isinstance(each, ast.ClassDef) for node in each.body]
    return {node.name for node in top} | {
        f"{each.name}.{node.name}" for each, node in methods if isinstance(node, kinds)
    }


@every_page
def test_a_linked_function_exists_in_its_file(page: Path) -> None:
    for name, target in CODE_LINK.findall(page.read_text(encoding="utf-8")):
        assert name in defined_names(page.parent / target), f"{target} defines no {name}"


def test_the_way_of_a_session_links_to_every_package_on_the_data_path() -> None:
    linked = {target.split("/")[2] for _, target in CODE_LINK.findall(ARCHITECTURE.read_text(encoding="utf-8"))}
    assert linked == {"polling", "livepeer", "sessions", "metrics", "pages", "server", "webhooks"}


@every_page
def test_links_between_documents_lead_to_existing_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_links_to_headings_lead_to_existing_headings(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
        assert anchor in anchors(page.parent / target if target else page), f"{target}#{anchor}"


@every_page
def test_a_page_names_only_metrics_that_exist(page: Path) -> None:
    known = {family.name for family, _ in everything(EVERY_OPTION)}
    parts = {f"{family.name}_bucket" for family, _ in everything(EVERY_OPTION) if family.type == "histogram"}
    named = set(re.findall(r"(?<![:\w])livepeer_studio_\w*[a-z]\b(?!_?\*)", page.read_text(encoding="utf-8")))
    assert named <= known | parts


@every_page
def test_a_page_names_only_flags_that_exist(page: Path) -> None:
    """A flag of the exporter is inline code of its own; flags of other programs appear within a command."""
    flags = {setting.flag for setting in describe_settings() if setting.flag}
    switches = {flag.replace("--", "--no-", 1) for flag in flags}
    named = re.findall(r"(?<!`)`(--[a-z][a-z.-]*)(?:[ =][^`]*)?`", page.read_text(encoding="utf-8"))
    assert set(named) <= flags | switches | {*COMMAND_FLAGS} | OTHER_FLAGS


OTHER_FLAGS = {
    *("--query.replica-label", "--build-arg", "--version", "--help"),
    *("--admin-key", "--collation", "--statement-time", "--users"),
}
"""Flags of other programs and of the simulator that stand alone in inline code."""


def test_pinned_requirements_name_no_download_address() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        assert not re.search(r"https?://|--index|--find-links|--extra-index", path.read_text(encoding="utf-8")), (
            path.name
        )


def test_every_pinned_requirement_has_a_hash() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = re.sub(r"\\\n", " ", path.read_text(encoding="utf-8"))
        pins = [line for line in text.splitlines() if re.match(r"^[a-zA-Z0-9]", line)]
        assert pins
        assert all("--hash=sha256:" in line for line in pins)
