"""The public address of the project, and the links that follow from it."""

import tomllib
from pathlib import Path
from typing import Any

from grafana.builder.alert import Places

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def places(pyproject: dict[str, Any] | None = None) -> Places:
    """Where the links of the committed alerts lead.

    Args:
        pyproject: the content of ``pyproject.toml``, whose ``[project.urls]`` has the address as ``Source``; read from
            the repository if not given. Without an address there is no link to the runbooks.
    """
    given = tomllib.loads(PYPROJECT.read_text(encoding="utf-8")) if pyproject is None else pyproject
    source = given["project"].get("urls", {}).get("Source", "")
    return Places(runbooks=f"{source.rstrip('/')}/blob/main/docs/runbooks.md" if source else "")
