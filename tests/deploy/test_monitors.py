"""The Prometheus Operator's objects, for which the validator has no schema."""

from typing import Any

import pytest

from exporter.config import Settings
from exporter.metrics.catalogue import EVERY_OPTION, MAX_ISSUE, everything
from tests.deploy.manifests import KUBERNETES, exporter_containers, pod_labels, rendered, selects
from tests.support import documents

RENDERINGS = rendered()
POD_MONITORS = [each for each in RENDERINGS if each.of_kind("PodMonitor")]


def _component(name: str) -> Any:
    return documents.load((KUBERNETES / "components" / name / f"{name}.yaml").read_text())


monitors = pytest.mark.parametrize(
    "monitor", [_component("podmonitor"), _component("servicemonitor")], ids=lambda m: m["kind"]
)


def _endpoints(monitor: Any) -> Any:
    return monitor["spec"].get("podMetricsEndpoints") or monitor["spec"]["endpoints"]


@monitors
def test_a_monitor_has_only_fields_that_the_operator_supports(monitor: Any) -> None:
    limits = {"sampleLimit", "bodySizeLimit", "labelLimit", "labelNameLengthLimit", "labelValueLengthLimit"}
    endpoints = {"PodMonitor": "podMetricsEndpoints", "ServiceMonitor": "endpoints"}[monitor["kind"]]
    port = {"PodMonitor": "portNumber", "ServiceMonitor": "targetPort"}[monitor["kind"]]
    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert set(monitor["spec"]) == {"selector", endpoints, *limits}
    assert [set(each) for each in _endpoints(monitor)] == [{port, "path", "interval", "scrapeTimeout", "relabelings"}]


@monitors
def test_the_maximum_number_of_series_passes_the_limits(monitor: Any) -> None:
    spec = monitor["spec"]
    assert spec["sampleLimit"] > Settings().max_series * 1.1


@monitors
def test_the_longest_label_and_the_largest_number_of_labels_pass_the_limits(monitor: Any) -> None:
    spec = monitor["spec"]
    targets = 12  # labels that the operator and Prometheus add to a pod's series
    assert spec["labelValueLengthLimit"] >= MAX_ISSUE * len("\N{VIDEO CAMERA}".encode())
    assert spec["labelLimit"] >= max(len(labels) for _, labels in everything(EVERY_OPTION)) + targets
    assert spec["labelNameLengthLimit"] >= max(len(name) for _, labels in everything(EVERY_OPTION) for name in labels)


@monitors
def test_the_port_is_the_container_s_port_number(monitor: Any) -> None:
    [container, *_] = exporter_containers([RENDERINGS[0]])
    assert {each.get("portNumber", each.get("targetPort")) for each in _endpoints(monitor)} == container.ports


@monitors
def test_the_scraped_path_is_the_default_telemetry_path(monitor: Any) -> None:
    assert [each["path"] for each in _endpoints(monitor)] == [Settings().web_telemetry_path]


@pytest.mark.parametrize("rendering", POD_MONITORS, ids=str)
def test_a_pod_monitor_selects_every_pod_with_the_exporter(rendering: Any) -> None:
    for monitor in rendering.of_kind("PodMonitor"):
        assert all(selects(monitor["spec"]["selector"]["matchLabels"], labels) for labels in pod_labels(rendering))


def test_the_service_monitor_selects_the_service() -> None:
    [service] = RENDERINGS[0].of_kind("Service")
    assert selects(_component("servicemonitor")["spec"]["selector"]["matchLabels"], service["metadata"]["labels"])
