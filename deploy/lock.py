"""The pins of `requirements/` against what `pyproject.toml` declares and what the installed libraries require.

``python -m deploy.lock`` checks the environment it runs in, which must have been installed from
`requirements/dev.txt`. It finds what `pip check` does not: a library that is required only by an extra, a pin that
nothing requires, and a declared requirement that is not pinned. `make lock-check` runs it with each Python.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

ROOT: Final = Path(__file__).parents[1]
PROJECT: Final = "pyproject.toml"

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)(?: ; ([^\\\n]+?))?(?: \\)?$", re.MULTILINE)

Environment = Mapping[str, str]
"""Values of environment markers that differ from this interpreter's."""


@dataclass(frozen=True, slots=True)
class Library:
    """An installed library: its version, and its requirements in the form of its metadata."""

    version: str
    requires: tuple[str, ...] = ()


def pins(text: str, environment: Environment | None = None) -> dict[NormalizedName, str]:
    """The version for each name in a requirements file, as far as its marker applies in the environment."""
    return {
        canonicalize_name(name): version
        for name, version, marker in _PIN.findall(text)
        if not marker or Marker(marker).evaluate({**(environment or {})})
    }


def declared(project: str, *groups: str) -> list[Requirement]:
    """The dependencies that the text of a `pyproject.toml` declares, with those of dependency groups."""
    read = tomllib.loads(project)
    names = [*read["project"]["dependencies"], *(name for each in groups for name in read["dependency-groups"][each])]
    return [Requirement(name) for name in names]


def installed() -> dict[NormalizedName, Library]:
    """The libraries of this environment."""
    return {
        canonicalize_name(each.metadata["Name"]): Library(each.version, tuple(each.requires or ()))
        for each in distributions()
    }


def problems(
    pinned: Mapping[NormalizedName, str],
    wanted: Iterable[Requirement],
    libraries: Mapping[NormalizedName, Library],
) -> list[str]:
    """What is wrong with pins, a line each: missing, out of range, not the installed version, or required by nothing.

    Args:
        pinned: the versions by name, see `pins`.
        wanted: what the project declares; the walk to everything that is required begins there, extras included.
        libraries: the installed ones, by name.
    """
    found, reached = set[str](), set[NormalizedName]()
    queue = [(PROJECT, each) for each in wanted if _applies(each, "")]
    seen = set[tuple[NormalizedName, str]]()
    while queue:
        source, requirement = queue.pop()
        name = canonicalize_name(requirement.name)
        reached.add(name)
        library, version = libraries.get(name), pinned.get(name)
        if version is None:
            found.add(f"{name}: required by {source}, not pinned")
        elif not requirement.specifier.contains(version, prereleases=True):
            found.add(f"{name}: {source} requires {requirement.specifier}, pinned is {version}")
        elif library is None or Version(library.version) != Version(version):
            found.add(f"{name}: installed is {library and library.version}, pinned is {version}")
        for extra in ("", *requirement.extras):
            if library and (name, extra) not in seen:
                seen.add((name, extra))
                queue += [(name, each) for each in map(Requirement, library.requires) if _applies(each, extra)]
    found.update(f"{name}: pinned, but nothing requires it" for name in pinned.keys() - reached)
    return sorted(found)


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def main() -> int:
    """Check both files against this environment; the exit code is 1 if there is a problem."""
    project, libraries, failed = (ROOT / PROJECT).read_text(), installed(), False
    for path, groups in (("requirements/run.txt", ()), ("requirements/dev.txt", ("dev",))):
        pinned = pins((ROOT / path).read_text())
        for line in problems(pinned, declared(project, *groups), libraries):
            print(f"{path}: {line}", file=sys.stderr)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
