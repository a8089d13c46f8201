"""The pins are complete and within the ranges of `pyproject.toml`; `deploy.lock` reports what is not."""

import tomllib
from collections.abc import Sequence
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.lock import ROOT, Library, declared, pins, problems

PROJECT = (ROOT / "pyproject.toml").read_text()
RUN, DEV, BUILD = (
    (ROOT / path).read_text() for path in ("requirements/run.txt", "requirements/dev.txt", "deploy/container/build.txt")
)
BUILD_REQUIREMENTS = [Requirement(each) for each in tomllib.loads(PROJECT)["build-system"]["requires"]]
VERSIONS = ["3.11", "3.12", "3.13", "3.14"]


@pytest.mark.parametrize("python", VERSIONS)
@pytest.mark.parametrize(
    ("wanted", "text"),
    [(declared(PROJECT), RUN), (declared(PROJECT, "dev"), DEV), (BUILD_REQUIREMENTS, BUILD)],
    ids=["run", "dev", "build"],
)
def test_every_declared_requirement_is_pinned_within_its_range(
    wanted: Sequence[Requirement], text: str, python: str
) -> None:
    pinned = pins(text, {"python_version": python, "python_full_version": f"{python}.0"})
    assert wanted
    for each in wanted:
        version = pinned.get(canonicalize_name(each.name))
        assert version, f"{each.name} is not pinned; run `make requirements`"
        assert each.specifier.contains(version), f"{each} is pinned to {version}; run `make requirements`"


def test_the_libraries_of_the_program_have_the_same_pins_for_development() -> None:
    assert pins(RUN).items() <= pins(DEV).items()


def test_the_container_builds_with_what_pyproject_declares() -> None:
    lines = (ROOT / "deploy/container/build.in").read_text().splitlines()
    assert [each for each in lines if not each.startswith("#")] == [str(each) for each in BUILD_REQUIREMENTS]


def test_the_classifiers_name_the_versions_that_are_checked() -> None:
    listed = [each.removeprefix("Programming Language :: Python :: ") for each in _project()["classifiers"]]
    assert [each for each in listed if each.startswith("3.")] == VERSIONS
    assert _project()["requires-python"] == f">={VERSIONS[0]}"
    assert f"PYTHON ?= {' '.join(f'python{each}' for each in VERSIONS)}\n" in (ROOT / "Makefile").read_text()


def _project() -> dict[str, Any]:
    return dict(tomllib.loads(PROJECT)["project"])


TEXT = """\
# made by a program
alpha==1.0 \\
    --hash=sha256:00
    # via pyproject.toml
Beta.Two==2.0 ; sys_platform == 'win32' \\
    --hash=sha256:01
gamma==3.0 ; python_full_version < '3.12'
gamma==4.0 ; python_full_version >= '3.12'
"""


@pytest.mark.parametrize(("python", "gamma"), [("3.11.7", "3.0"), ("3.12.0", "4.0")])
def test_pins_apply_by_their_markers(python: str, gamma: str) -> None:
    environment = {"sys_platform": "linux", "python_full_version": python}
    assert pins(TEXT, environment) == {"alpha": "1.0", "gamma": gamma}
    assert pins(TEXT, environment | {"sys_platform": "win32"}) == {"alpha": "1.0", "beta-two": "2.0", "gamma": gamma}


LIBRARIES = {
    canonicalize_name("alpha"): Library(
        "1.0", ("beta>=1", "extra-only ; extra == 'more'", "windows ; os_name == 'nt'")
    ),
    canonicalize_name("beta"): Library("2.0", ("alpha",)),
    canonicalize_name("extra-only"): Library("v3.0"),
}
PINNED = {"alpha": "1", "beta": "2.0", "extra-only": "3.0"}


def found(pinned: dict[str, str], *wanted: str) -> list[str]:
    names = {canonicalize_name(name): version for name, version in pinned.items()}
    return problems(names, [Requirement(each) for each in wanted], LIBRARIES)


def test_complete_pins_have_no_problem() -> None:
    assert found(PINNED, "alpha[more]") == []


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("alpha", "alpha: required by pyproject.toml, not pinned"),
        ("beta", "beta: required by alpha, not pinned"),
        ("extra-only", "extra-only: required by alpha, not pinned"),
    ],
)
def test_a_missing_pin_is_reported_also_if_only_an_extra_requires_it(name: str, problem: str) -> None:
    assert problem in found({each: version for each, version in PINNED.items() if each != name}, "alpha[more]")


def test_a_pin_that_nothing_requires_is_reported() -> None:
    assert found(PINNED, "alpha") == ["extra-only: pinned, but nothing requires it"]


def test_a_pin_out_of_range_is_reported() -> None:
    assert found({**PINNED, "beta": "0.9"}, "alpha[more]") == ["beta: alpha requires >=1, pinned is 0.9"]


def test_an_installed_version_other_than_the_pin_is_reported() -> None:
    assert found({**PINNED, "beta": "2.1"}, "alpha[more]") == ["beta: installed is 2.0, pinned is 2.1"]


def test_a_pin_that_is_not_installed_is_reported() -> None:
    assert found({**PINNED, "delta": "1"}, "alpha[more]", "delta") == ["delta: installed is None, pinned is 1"]
