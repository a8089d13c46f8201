"""The base URLs of the links in alerts."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

RUNBOOKS: Final = "docs/runbooks.md"
_PYPROJECT: Final = Path(__file__).parents[2] / "pyproject.toml"


@dataclass(frozen=True, slots=True)
class BaseUrls:
    """Where the links in annotations point.

    Attributes:
        grafana: base URL of the Grafana that has the dashboards.
        runbooks: URL of ``docs/runbooks.md``; empty if it is not published.
    """

    grafana: str = "http://localhost:3000"
    runbooks: str = ""

    def runbook_annotation(self, anchor: str) -> dict[str, str]:
        """Return the annotation for a runbook: ``runbook_url``, or the path in the repository if there is no URL."""
        if not self.runbooks:
            return {"runbook": f"{RUNBOOKS}#{anchor}"}
        return {"runbook_url": f"{self.runbooks}#{anchor}"}


def project_base_urls(pyproject: dict[str, Any] | None = None) -> BaseUrls:
    """Return the base URLs of the committed alerts.

    Args:
        pyproject: the content of ``pyproject.toml``, read from the repository by default. The runbooks are published
            where ``Source`` in ``[project.urls]`` points; without ``Source`` they have no URL.
    """
    if pyproject is None:
        pyproject = tomllib.loads(_PYPROJECT.read_text(encoding="utf-8"))
    source = pyproject["project"].get("urls", {}).get("Source", "")
    return BaseUrls(runbooks=f"{source.rstrip('/')}/blob/main/{RUNBOOKS}" if source else "")
