"""The committed files equal the output of the builder, are consistent with each other, and are valid."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from grafana.builder.__main__ import main
from grafana.builder.alert import Alert
from grafana.builder.alerting_rules import alerting_rules
from grafana.builder.base_urls import BaseUrls, project_base_urls
from grafana.builder.dashboard import SESSION_UID, TITLES
from grafana.builder.files import generate
from grafana.builder.thresholds import DEFAULT
from tests.grafana.dashboards import GRAFANA
from tests.support import documents
from tests.support.deadlines import HANG

FILES: Final = generate(DEFAULT, project_base_urls())
ALERT_RULES: Final = "rules/livepeer-alerts.yaml"
RECORDING_RULES: Final = "rules/livepeer-recording-rules.yaml"


def _yaml(name: str) -> Any:
    return documents.load((GRAFANA / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", FILES)
def test_committed_file_equals_the_generated_file(name: str) -> None:
    assert (GRAFANA / name).read_text(encoding="utf-8") == FILES[name]


def test_directories_of_generated_files_contain_no_other_files() -> None:
    directories = {Path(name).parent for name in FILES}
    found = {str(path.relative_to(GRAFANA)) for directory in directories for path in (GRAFANA / directory).glob("*.*")}
    assert {name for name in found - set(FILES) if not name.endswith("/kustomization.yaml")} == set()


def test_command_writes_and_prints_all_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--output", str(tmp_path)])
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")}
    assert written == set(FILES)
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / name) for name in FILES]


def test_prometheus_rule_has_the_groups_of_the_rule_files() -> None:
    groups = [group for name in (RECORDING_RULES, ALERT_RULES) for group in _yaml(name)["groups"]]
    assert _yaml("kubernetes/prometheusrule.yaml")["spec"]["groups"] == groups


def test_optional_alerts_are_in_files_of_their_own_and_their_prometheus_rule_has_its_own_name() -> None:
    groups = _yaml("optional-rules/livepeer-slo-alerts.yaml")["groups"]
    optional, default = _yaml("optional-rules/prometheusrule-slo.yaml"), _yaml("kubernetes/prometheusrule.yaml")
    assert optional["spec"]["groups"] == groups
    assert optional["metadata"]["name"] != default["metadata"]["name"]
    assert not any(group in default["spec"]["groups"] for group in groups)


def test_alerts_have_duration_severity_and_annotations() -> None:
    annotations = {"summary", "description", *project_base_urls().runbook_annotation(""), "dashboard_url"}
    for group in _yaml(ALERT_RULES)["groups"]:
        for rule in group["rules"]:
            assert rule["for"]
            assert rule["labels"]["severity"] in ("warning", "critical")
            assert set(rule["annotations"]) == annotations
            assert all(rule["annotations"].values())


@pytest.mark.parametrize("alert", alerting_rules(DEFAULT), ids=lambda alert: alert.name)
def test_alert_links_to_variables_of_a_dashboard(alert: Alert) -> None:
    url = alert.to_rule(BaseUrls())["annotations"]["dashboard_url"]
    uids = re.findall(r"livepeer-\w+", url)
    assert uids
    assert set(uids) <= TITLES.keys()
    for uid in uids:
        dashboard = json.loads(FILES[f"dashboards/{uid}.json"])
        variables = {variable["name"] for variable in dashboard["templating"]["list"]}
        optional = {"session"} if uid != SESSION_UID else set()
        assert set(re.findall(r"var-(\w+)=", url)) - optional <= variables


@pytest.mark.prometheus
@pytest.mark.parametrize(
    "name", [name for name in FILES if name.startswith(("rules/", "optional-rules/livepeer", "examples/"))]
)
def test_promtool_accepts_the_rule_file(name: str, promtool: str) -> None:
    command = [promtool, "check", "rules", str(GRAFANA / name)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=HANG)
    assert result.returncode == 0, result.stdout + result.stderr


def test_provisioning_defines_a_prometheus_data_source_and_a_file_provider() -> None:
    source = _yaml("provisioning/datasources/prometheus.yaml")["datasources"][0]
    provider = _yaml("provisioning/dashboards/livepeer.yaml")["providers"][0]
    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    assert provider["type"] == "file"
