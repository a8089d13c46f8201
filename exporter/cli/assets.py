"""Dashboards and rules that come with the program, so that ``pip install`` is enough to have them.

In a wheel they lie inside of the package; in a checkout they stand in the folder ``grafana`` beside it.
"""

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

FOLDERS: Final = {"dashboards": ".json", "rules": ".yaml"}
"""What is carried: folders, and how their files end."""


def write(directory: Path) -> list[Path]:
    """Write dashboards and rules into a directory; folders are made as needed, files of the same name replaced.

    Returns:
        what was written.

    Raises:
        OSError: the directory cannot be written to, or the program came without its assets.
    """
    written = []
    for name, text in _assets():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _assets() -> Iterator[tuple[str, str]]:
    """Path below the directory, and text, of each."""
    source = _source()
    for folder, ending in FOLDERS.items():
        for each in sorted(source.joinpath(folder).iterdir(), key=lambda entry: entry.name):
            if each.name.endswith(ending):
                yield f"{folder}/{each.name}", each.read_text(encoding="utf-8")


def _source() -> Traversable:
    package = files("exporter")
    packed = package.joinpath("_assets")
    return packed if packed.is_dir() else package.joinpath("..", "grafana")
