"""The values of the Helm chart: the descriptions in ``values.yaml``, as a table for its README."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.support import documents

CHART: Final = Path(__file__).parents[2] / "deploy" / "helm" / "livepeer-session-exporter"
_DESCRIPTION: Final = "# -- "
_LONGEST_DEFAULT: Final = 60
"""Longer defaults are in the file only; the table refers to it."""


def values_table() -> str:
    """Return a row for each value that has a description, in the order of ``values.yaml``."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    values = documents.load(text)
    rows = [f"| `{path}` | {_default(value_at(values, path))} | {text} |\n" for path, text in descriptions(text)]
    return "".join(("| Value | Default | Meaning |\n|---|---|---|\n", *rows))


def descriptions(text: str) -> Iterator[tuple[str, str]]:
    """Yield the path of each described value, such as ``image.tag``, and its description."""
    parents: list[tuple[int, str]] = []
    description: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith(_DESCRIPTION):
            description = [stripped.removeprefix(_DESCRIPTION)]
        elif description and stripped.startswith("#"):
            description.append(stripped.removeprefix("# "))
        elif key := re.match(r"( *)([A-Za-z]\w*):", line):
            parents = [each for each in parents if each[0] < len(key[1])]
            parents.append((len(key[1]), key[2]))
            if description:
                yield ".".join(name for _, name in parents), " ".join(description)
            description = []


def value_at(values: Mapping[str, Any], path: str) -> Any:
    """Return the value at a path."""
    found: Any = values
    for name in path.split("."):
        found = found[name]
    return found


def _default(value: Any) -> str:
    text = json.dumps(value)
    return "–" if value in ("", [], {}) else f"`{text}`" if len(text) <= _LONGEST_DEFAULT else "see `values.yaml`"
