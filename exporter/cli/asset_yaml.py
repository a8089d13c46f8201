"""Rules and Kubernetes objects as YAML; also for the builder of the dashboards and rules."""

from collections.abc import Sequence
from typing import Any, Final

import yaml

try:  # with libyaml it takes a tenth of the time, but PyYAML can be built without it
    from yaml import CSafeDumper as SafeDumper
    from yaml import CSafeLoader as SafeLoader
except ImportError:
    from yaml import SafeDumper, SafeLoader  # type: ignore[assignment]

NAME: Final = "livepeer-session-exporter"


def to_yaml(documents: Sequence[Any], header: str) -> str:
    """Return documents as YAML, with multi-line texts such as queries as block scalars.

    Args:
        documents: the content, of one or several documents.
        header: a comment for the first line.
    """
    options: dict[str, Any] = {"sort_keys": False, "width": 110, "allow_unicode": True}
    text = yaml.dump_all(documents, Dumper=_Dumper, explicit_start=len(documents) > 1, **options)
    return f"# {header}\n{text}"


def from_yaml(text: str) -> Any:
    """Return the document of a YAML text."""
    return yaml.load(text, Loader=SafeLoader)


def prometheus_rule(groups: Sequence[Any], name: str = NAME) -> dict[str, Any]:
    """Return groups of rules as a PrometheusRule of the Prometheus operator."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/name": NAME}},
        "spec": {"groups": groups},
    }


def dashboard_config_map(file_name: str, dashboard: str) -> dict[str, Any]:
    """Return a ConfigMap with a dashboard, with the label that the sidecar of Grafana's Helm chart selects."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"{file_name.removesuffix('.json')}-dashboard",
            "labels": {"app.kubernetes.io/name": NAME, "grafana_dashboard": "1"},
        },
        "data": {file_name: dashboard},
    }


class _Dumper(SafeDumper):
    """Writes multi-line strings as block scalars, and repeated values in full instead of as aliases."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Disable anchors and aliases."""
        return True


def _represent_string(dumper: SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _represent_string)
