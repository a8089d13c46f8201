"""The files that `assets` writes, with the links of an operator.

A wheel contains their sources in `exporter/_assets`; in a checkout they are in the directory `grafana` next to the
package.
"""

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

import msgspec

from exporter.cli.asset_yaml import dashboard_config_map, from_yaml, to_yaml

FOLDERS: Final = {
    "dashboards": ".json",
    "rules": ".yaml",
    "optional-rules": ".yaml",
    "kubernetes": ".yaml",
    "alertmanager": ".yml",
    "examples": ".yaml",
}
"""The directories with assets, and the suffix of the files in each."""

CONFIG_MAPS: Final = "kubernetes/dashboards.yaml"
"""Path of the dashboards as ConfigMaps; the file is made of those of the package."""

_WITH_LINKS: Final = ("rules", "optional-rules", "kubernetes")
_KUSTOMIZATION: Final = "kustomization.yaml"
_HEADER: Final = "Written by `livepeer-session-exporter assets`."


class LinkBases(msgspec.Struct, frozen=True):
    """Where the links in the annotations of alerts point.

    Attributes:
        grafana: base URL of Grafana without a slash at its end; alerts without it have no `dashboard_url`.
        runbooks: URL of `docs/runbooks.md`; alerts without it keep the annotation of the package.
    """

    grafana: str | None = None
    runbooks: str | None = None


def contents(links: LinkBases) -> dict[str, str]:
    """Return the content of each file by its path.

    Raises:
        OSError: the package has no assets.
    """
    written = {}
    for path, text in packaged():
        written[path] = _with_links(text, links) if path.startswith(_WITH_LINKS) else text
    dashboards = {path.partition("/")[2]: text for path, text in written.items() if path.startswith("dashboards/")}
    written[CONFIG_MAPS] = to_yaml([dashboard_config_map(*each) for each in dashboards.items()], _HEADER)
    return written


def packaged() -> Iterator[tuple[str, str]]:
    """Return the path and the content of each file of the package.

    Raises:
        OSError: the package has no assets.
    """
    source = _source()
    for folder, suffix in FOLDERS.items():
        for each in sorted(source.joinpath(folder).iterdir(), key=lambda entry: entry.name):
            if each.name.endswith(suffix) and each.name != _KUSTOMIZATION:
                yield f"{folder}/{each.name}", each.read_text(encoding="utf-8")


def _source() -> Traversable:
    package = files("exporter")
    inside = package.joinpath("_assets")
    return inside if inside.is_dir() else package.joinpath("..", "grafana")


def _with_links(text: str, links: LinkBases) -> str:
    document = from_yaml(text)
    for group in document.get("spec", document)["groups"]:
        for rule in group["rules"]:
            if "annotations" in rule:
                rule["annotations"] = _linked(rule["annotations"], links)
    return to_yaml([document], _HEADER)


def _linked(annotations: dict[str, Any], links: LinkBases) -> dict[str, Any]:
    """Replace the base URLs: what precedes `/d/` in links to dashboards, and `#` in links to runbooks."""
    linked = {}
    for name, value in annotations.items():
        if name == "dashboard_url":
            if links.grafana is not None:
                linked[name] = f"{links.grafana}/d/{value.partition('/d/')[2]}"
        elif name in ("runbook", "runbook_url") and links.runbooks is not None:
            linked["runbook_url"] = f"{links.runbooks}#{value.partition('#')[2]}"
        else:
            linked[name] = value
    return linked
