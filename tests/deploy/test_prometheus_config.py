import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.deploy.manifests import DEPLOY, KUBERNETES, ROOT, Rendering, pod_labels, rendered, selects
from tests.support import documents

CONFIGS = DEPLOY / "prometheus"

Run = Callable[..., CompletedProcess[str]]


def _read(name: str) -> Any:
    return documents.load((CONFIGS / name).read_text())


def _limits(scrape: Any) -> dict[str, Any]:
    return {name: value for name, value in scrape.items() if name.endswith("_limit")}


@pytest.mark.prometheus
def test_promtool_accepts_the_configuration_with_the_rules(run_tool: Run, tmp_path: Path) -> None:
    rules = shutil.copytree(ROOT / "grafana" / "rules", tmp_path / "rules")
    config = tmp_path / "prometheus.yml"
    config.write_text((CONFIGS / "prometheus.yml").read_text().replace("/etc/prometheus/rules", str(rules)))
    done = run_tool("promtool", "check", "config", config)
    assert done.returncode == 0, done.stderr
    assert "rules found" in done.stdout


@pytest.mark.prometheus
def test_promtool_accepts_the_configuration_of_the_agent(run_tool: Run) -> None:
    done = run_tool("promtool", "check", "config", "--agent", CONFIGS / "agent.yml")
    assert done.returncode == 0, done.stderr


@pytest.mark.prometheus
def test_promtool_rejects_a_misspelt_field(run_tool: Run, tmp_path: Path) -> None:
    config = tmp_path / "agent.yml"
    config.write_text((CONFIGS / "agent.yml").read_text().replace("sample_limit", "samples_limit"))
    assert run_tool("promtool", "check", "config", "--agent", config).returncode != 0


@pytest.mark.prometheus
def test_amtool_accepts_the_configuration_of_alertmanager(run_tool: Run) -> None:
    done = run_tool("amtool", "check-config", CONFIGS / "alertmanager.yml")
    assert done.returncode == 0, done.stderr


def test_alertmanager_has_the_shipped_inhibit_rules() -> None:
    inhibit = documents.load((ROOT / "grafana" / "alertmanager" / "inhibit.yml").read_text())
    assert _read("alertmanager.yml")["inhibit_rules"] == inhibit["inhibit_rules"]


def _without_discovery(scrape: Any, targets: list[dict[str, Any]]) -> Any:
    """The configuration with fixed targets, because Debian's Prometheus is built without Kubernetes."""
    kept = {name: value for name, value in scrape.items() if name != "kubernetes_sd_configs"}
    return {"scrape_configs": [{**kept, "static_configs": targets}]}


@pytest.mark.prometheus
def test_the_targets_in_a_cluster_are_the_exporter_s_ports_of_running_pods(run_tool: Run, tmp_path: Path) -> None:
    def target(port: int, phase: str) -> dict[str, Any]:
        found = {"container_port_number": str(port), "phase": phase, "name": "exporter-1"}
        labels = {f"__meta_kubernetes_pod_{name}": value for name, value in found.items()}
        return {"targets": [f"127.0.0.1:{port}"], "labels": {**labels, "__meta_kubernetes_namespace": "livepeer"}}

    [scrape] = _read("kubernetes.yml")["scrape_configs"]
    targets = [target(9877, "Running"), target(9877, "Failed"), target(3004, "Running")]
    config = tmp_path / "kubernetes.yml"
    config.write_text(documents.dump(_without_discovery(scrape, targets)))
    done = run_tool("promtool", "check", "service-discovery", "--timeout=1s", config, scrape["job_name"])
    assert done.returncode == 0, done.stderr
    [labels] = [each["labels"] for each in json.loads(done.stdout) if each["labels"]]
    shown = {name: value for name, value in labels.items() if not name.startswith("__")}
    assert shown == {
        "instance": "127.0.0.1:9877",
        "job": "livepeer-session-exporter",
        "namespace": "livepeer",
        "pod": "exporter-1",
    }
    assert labels["__metrics_path__"] == "/metrics"


@pytest.mark.parametrize("rendering", rendered(), ids=str)
def test_the_discovery_in_a_cluster_selects_every_pod_with_the_exporter(rendering: Rendering) -> None:
    [scrape] = _read("kubernetes.yml")["scrape_configs"]
    [discovery] = scrape["kubernetes_sd_configs"]
    [selector] = discovery["selectors"]
    assert discovery["role"] == selector["role"] == "pod"
    name, _, value = selector["label"].partition("=")
    assert all(selects({name: value}, labels) for labels in pod_labels(rendering))


every_configuration = pytest.mark.parametrize("name", ["prometheus.yml", "agent.yml", "kubernetes.yml"])


@every_configuration
def test_the_limits_are_those_of_kubernetes(name: str) -> None:
    [scrape] = _read(name)["scrape_configs"]
    monitor = documents.load((KUBERNETES / "components" / "podmonitor" / "podmonitor.yaml").read_text())["spec"]
    assert _limits(scrape) == {
        "sample_limit": monitor["sampleLimit"],
        "body_size_limit": monitor["bodySizeLimit"],
        "label_limit": monitor["labelLimit"],
        "label_name_length_limit": monitor["labelNameLengthLimit"],
        "label_value_length_limit": monitor["labelValueLengthLimit"],
    }


@every_configuration
def test_the_job_has_the_same_name_everywhere(name: str) -> None:
    [scrape] = _read(name)["scrape_configs"]
    monitor = documents.load((KUBERNETES / "components" / "podmonitor" / "podmonitor.yaml").read_text())["spec"]
    [relabeling] = monitor["podMetricsEndpoints"][0]["relabelings"]
    assert (relabeling["targetLabel"], relabeling["replacement"]) == ("job", scrape["job_name"])
