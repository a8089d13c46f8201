"""The documents say what the code does: dependencies, modules, links."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("grafana/*.md"), *ROOT.glob("deploy/*.md")])


def rows(page: Path) -> list[str]:
    return re.findall(r"^\| `([A-Za-z-]+)` \|", page.read_text(), flags=re.MULTILINE)


def test_every_direct_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[<>=~! ]", each)[0] for each in wanted}
    assert set(rows(ROOT / "docs" / "dependencies.md")) == names


def test_the_architecture_names_every_module() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`([a-z_]+)`", text))
    modules = {path.stem if path.is_file() else path.name for path in (ROOT / "exporter").iterdir()}
    assert modules - {"__init__", "__pycache__", "version", "py"} <= named | {"_assets"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_pinned_requirements_name_no_download_address() -> None:
    for page in (ROOT / "requirements").glob("*.txt"):
        assert not re.search(r"https?://|--index|--find-links|--extra-index", page.read_text()), page.name


def test_every_pinned_requirement_has_a_hash() -> None:
    for page in (ROOT / "requirements").glob("*.txt"):
        text = re.sub(r"\\\n", " ", page.read_text())
        pins = [line for line in text.splitlines() if re.match(r"^[a-zA-Z0-9]", line)]
        assert pins
        assert all("--hash=sha256:" in line for line in pins)
