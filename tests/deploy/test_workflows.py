"""What the workflows promise beyond their syntax, which `make lint` checks."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.deploy.manifests import ROOT
from tests.support import documents

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))

Run = Callable[..., CompletedProcess[str]]


def _jobs(path: Path) -> dict[str, Any]:
    jobs: dict[str, Any] = documents.load(path.read_text(encoding="utf-8"))["jobs"]
    return jobs


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_commit_and_names_its_release(path: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", path.read_text(encoding="utf-8"))
    assert used
    for action, comment in used:
        if not action.startswith("./"):
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action


def test_an_action_has_the_same_commit_wherever_it_is_used() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    pins = set(re.findall(r"uses: ([\w-]+/[\w-]+)@(\w+ # \S+)", text))
    assert len(pins) == len({action for action, _ in pins})


def test_an_action_that_is_not_pinned_would_be_noticed(run_tool: Run, tmp_path: Path) -> None:
    path = tmp_path / "workflow.yml"
    path.write_text(re.sub(r"@[0-9a-f]{40} # v\S+", "@v7", WORKFLOWS[0].read_text(encoding="utf-8")), encoding="utf-8")
    done = run_tool("zizmor", "--offline", "--quiet", path)
    assert done.returncode != 0
    assert "unpinned-uses" in done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_permissions_are_given_to_jobs_one_by_one(path: Path) -> None:
    assert documents.load(path.read_text(encoding="utf-8"))["permissions"] == {}
    for name, job in _jobs(path).items():
        assert "permissions" in job, name


def test_the_tests_run_with_a_token_that_can_only_read() -> None:
    permissions = [job["permissions"] for job in _jobs(ROOT / ".github" / "workflows" / "ci.yml").values()]
    assert all(each == {"contents": "read"} for each in permissions)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_registry_is_named(path: Path) -> None:
    text = re.sub(r"uses: .*", "", path.read_text(encoding="utf-8"))
    assert not re.search(r"https?://|\b[a-z0-9-]+\.(?:io|com|dev|net)\b", text)


def test_every_make_target_that_is_called_exists() -> None:
    files = [*WORKFLOWS, ROOT / ".pre-commit-config.yaml", ROOT / "CONTRIBUTING.md", ROOT / "README.md"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    begin = r"^ *(?:(?:run|entry): )?|`|\("
    called = set(re.findall(rf"(?:{begin})make (?:--silent )?([a-z][a-z-]+)", text, flags=re.MULTILINE))
    assert {"test", "check", "release-check"} <= called
    assert called <= TARGETS


def test_the_matrix_is_the_list_of_supported_versions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = [each.rsplit(" ", 1)[1] for each in project["classifiers"] if re.search(r":: 3\.\d+$", each)]
    matrix = _jobs(ROOT / ".github" / "workflows" / "ci.yml")["test"]["strategy"]["matrix"]
    assert matrix["python"] == versions
    assert matrix["include"] == [{"python": versions[0], "target": "test-oldest"}]
    assert {"test-oldest", *matrix["target"]} <= TARGETS


def test_nothing_is_published_before_it_is_tested_and_built() -> None:
    jobs = _jobs(ROOT / ".github" / "workflows" / "release.yml")
    assert set(jobs) == {"ci", "build", "attest", "image", "chart", "pypi", "release"}
    for name in set(jobs) - {"ci", "build"}:
        assert {"ci", "build"} <= set(jobs[name]["needs"]), name
    for name in ("pypi", "release"):
        assert {"attest", "image", "chart"} <= set(jobs[name]["needs"]), name
        assert "!failure()" in jobs[name]["if"], name
