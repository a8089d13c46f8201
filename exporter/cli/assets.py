"""`assets`: write the dashboards and rules that are part of the package.

A wheel contains them in `exporter/_assets`; in a checkout they are in the directory `grafana` next to the package.
"""

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from exporter.cli.terminal import FAILURE, SUCCESS, Terminal

SUFFIXES: Final = {"dashboards": ".json", "rules": ".yaml"}
"""The directories with assets, and the suffix of the files in each."""


def assets(directory: Path, terminal: Terminal) -> int:
    """Write the dashboards and rules to a directory, print their paths and return the exit code."""
    try:
        for path in write(directory):
            print(path, file=terminal.out)
    except OSError as error:
        print(f"cannot write to the directory: {error.strerror}", file=terminal.err)
        return FAILURE
    return SUCCESS


def write(directory: Path) -> list[Path]:
    """Write all assets; create directories as needed and overwrite existing files.

    Returns:
        The paths of the written files.

    Raises:
        OSError: the directory cannot be written to, or the package has no assets.
    """
    written = []
    for name, text in _assets():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _assets() -> Iterator[tuple[str, str]]:
    """Relative path and content of each asset."""
    source = _source()
    for folder, suffix in SUFFIXES.items():
        for each in sorted(source.joinpath(folder).iterdir(), key=lambda entry: entry.name):
            if each.name.endswith(suffix):
                yield f"{folder}/{each.name}", each.read_text(encoding="utf-8")


def _source() -> Traversable:
    package = files("exporter")
    packaged = package.joinpath("_assets")
    return packaged if packaged.is_dir() else package.joinpath("..", "grafana")
