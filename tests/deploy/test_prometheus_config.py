import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from tests.deploy.manifests import DEPLOY, KUBERNETES, ROOT

CONFIGS = DEPLOY / "prometheus"

Run = Callable[..., CompletedProcess[str]]


def _read(name: str) -> Any:
    return yaml.safe_load((CONFIGS / name).read_text())


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
    inhibit = yaml.safe_load((ROOT / "grafana" / "alertmanager" / "inhibit.yml").read_text())
    assert _read("alertmanager.yml")["inhibit_rules"] == inhibit["inhibit_rules"]


@pytest.mark.parametrize("name", ["prometheus.yml", "agent.yml"])
def test_the_limits_are_those_of_kubernetes(name: str) -> None:
    [scrape] = _read(name)["scrape_configs"]
    monitor = yaml.safe_load((KUBERNETES / "components" / "podmonitor" / "podmonitor.yaml").read_text())["spec"]
    assert _limits(scrape) == {
        "sample_limit": monitor["sampleLimit"],
        "body_size_limit": monitor["bodySizeLimit"],
        "label_limit": monitor["labelLimit"],
        "label_name_length_limit": monitor["labelNameLengthLimit"],
        "label_value_length_limit": monitor["labelValueLengthLimit"],
    }


@pytest.mark.parametrize("name", ["prometheus.yml", "agent.yml"])
def test_the_job_has_the_same_name_everywhere(name: str) -> None:
    [scrape] = _read(name)["scrape_configs"]
    monitor = yaml.safe_load((KUBERNETES / "components" / "podmonitor" / "podmonitor.yaml").read_text())["spec"]
    [relabeling] = monitor["podMetricsEndpoints"][0]["relabelings"]
    assert (relabeling["targetLabel"], relabeling["replacement"]) == ("job", scrape["job_name"])
