"""What is committed is what the source builds, fits together, and is accepted by Prometheus and Alertmanager."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from grafana.builder.__main__ import main
from grafana.builder.alert import Places
from grafana.builder.alerting_rules import alerts
from grafana.builder.dashboard import TITLES
from grafana.builder.files import build
from grafana.builder.published import places
from grafana.builder.thresholds import DEFAULT
from tests.conftest import program
from tests.grafana.dashboards import GRAFANA

BUILT = build(DEFAULT, places())
RUNBOOKS = (GRAFANA.parent / "docs" / "runbooks.md").read_text(encoding="utf-8")


def _yaml(name: str) -> Any:
    return yaml.safe_load((GRAFANA / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", BUILT)
def test_the_committed_file_is_what_the_source_builds(name: str) -> None:
    assert (GRAFANA / name).read_text(encoding="utf-8") == BUILT[name]


def test_nothing_else_lies_where_files_are_built() -> None:
    folders = {Path(name).parent for name in BUILT}
    found = {str(path.relative_to(GRAFANA)) for folder in folders for path in (GRAFANA / folder).glob("*.*")}
    assert {name for name in found - set(BUILT) if not name.endswith("/kustomization.yaml")} == set()


def test_the_command_writes_all_files_with_links_of_ones_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--to", str(tmp_path), "--grafana", "https://grafana.test", "--runbooks", "https://books.test/r"])
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")}
    assert written == set(BUILT)
    assert len(capsys.readouterr().out.splitlines()) == len(BUILT)
    text = (tmp_path / "rules" / "livepeer-alerts.yaml").read_text(encoding="utf-8")
    assert "https://grafana.test/d/livepeer-session?var-job=" in text
    assert "https://books.test/r#livepeerdatastale" in text


def test_the_object_for_the_operator_has_the_same_groups() -> None:
    groups = [group for name in ("recordings", "alerts") for group in _yaml(f"rules/livepeer-{name}.yaml")["groups"]]
    assert _yaml("kubernetes/prometheusrule.yaml")["spec"]["groups"] == groups


def test_every_alert_has_severity_duration_words_and_links() -> None:
    for group in _yaml("rules/livepeer-alerts.yaml")["groups"]:
        for rule in group["rules"]:
            assert rule["for"]
            assert rule["labels"]["severity"] in ("warning", "critical")
            assert set(rule["annotations"]) == {"summary", "description", *places().runbook(""), "dashboard_url"}
            assert all(rule["annotations"].values())


def test_every_alert_leads_to_a_heading_of_the_runbooks_and_back() -> None:
    headings = re.findall(r"^## (\w+)$", RUNBOOKS, re.MULTILINE)
    rules = [rule for group in _yaml("rules/livepeer-alerts.yaml")["groups"] for rule in group["rules"]]
    (name,) = places().runbook("")
    anchors = [rule["annotations"][name].partition("#")[2] for rule in rules]
    assert anchors == [heading.lower() for heading in headings]


def test_without_a_public_address_an_alert_names_the_runbook_s_path_and_has_no_link() -> None:
    projects: list[dict[str, Any]] = [{}, {"urls": {}}, {"urls": {"Source": ""}}]
    for project in projects:
        assert places({"project": project}).runbook("one") == {"runbook": "docs/runbooks.md#one"}


def test_with_a_public_address_an_alert_links_to_the_runbook() -> None:
    link = "https://example.org/project/blob/main/docs/runbooks.md#one"
    for source in ("https://example.org/project", "https://example.org/project/"):
        assert places({"project": {"urls": {"Source": source}}}).runbook("one") == {"runbook_url": link}


def test_the_runbooks_say_what_to_check_and_to_do_and_how_bad_it_is() -> None:
    for alert in alerts(DEFAULT):
        section = re.search(rf"^## {alert.name}$(.*?)(?=^## |\Z)", RUNBOOKS, re.MULTILINE | re.DOTALL)
        assert section, alert.name
        assert all(f"**{word}.**" in section[1] for word in ("Means", "Check", "Do")), alert.name
        lasts = re.sub(r"(\d+)m", r"\1 m", alert.lasts)
        assert f"| [{alert.name}](#{alert.name.lower()}) | {alert.severity} | {lasts} |" in RUNBOOKS


def test_every_alert_leads_to_a_dashboard_by_variables_that_it_has() -> None:
    for alert in alerts(DEFAULT):
        url = alert.plain(Places())["annotations"]["dashboard_url"]
        uid = re.match(r"http://localhost:3000/d/([\w-]+)", url)
        assert uid, url
        assert uid[1] in TITLES, url
        known = {variable["name"] for variable in json.loads(BUILT[f"dashboards/{uid[1]}.json"])["templating"]["list"]}
        assert set(re.findall(r"var-(\w+)=", url)) <= known, url


def test_the_inhibit_example_names_alerts_that_exist() -> None:
    names = {alert.name for alert in alerts(DEFAULT)}
    for rule in _yaml("alertmanager/inhibit.yml")["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            pattern = re.fullmatch(r'alertname(?:=|!=|=~|!~)"(.+)"', matcher)
            assert pattern, matcher
            assert any(re.fullmatch(pattern[1], name) for name in names), matcher


def _silenced(by: str) -> set[str]:
    """Alerts that the example keeps quiet while another fires, when the labels to compare are equal."""
    names = {alert.name for alert in alerts(DEFAULT)}
    quiet = set()
    for rule in _yaml("alertmanager/inhibit.yml")["inhibit_rules"]:
        if all(_matches(matcher, by) for matcher in rule["source_matchers"]):
            quiet |= {name for name in names if all(_matches(matcher, name) for matcher in rule["target_matchers"])}
    return quiet


def _matches(matcher: str, name: str) -> bool:
    parts = re.fullmatch(r'alertname(=~|!~|!=|=)"(.+)"', matcher)
    assert parts
    same = bool(re.fullmatch(parts[2], name)) if "~" in parts[1] else parts[2] == name
    return same != parts[1].startswith("!")


def test_exporter_down_silences_the_rest_and_never_itself() -> None:
    names = {alert.name for alert in alerts(DEFAULT)}
    assert _silenced("LivepeerExporterAbsent") == names - {"LivepeerExporterAbsent"}
    assert _silenced("LivepeerExporterDown") == names - {"LivepeerExporterDown", "LivepeerExporterAbsent"}
    assert _silenced("LivepeerDataStale") >= {"LivepeerApiErrors", "LivepeerStreamUnhealthy"}
    assert not any(name in _silenced(name) for name in names)


@pytest.mark.prometheus
@pytest.mark.parametrize("name", [name for name in BUILT if name.startswith(("rules/", "examples/"))])
def test_promtool_accepts_the_rules(name: str, promtool: str) -> None:
    result = subprocess.run(
        [promtool, "check", "rules", str(GRAFANA / name)], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.prometheus
def test_alertmanager_accepts_the_inhibit_example(tmp_path: Path) -> None:
    config = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}], **_yaml("alertmanager/inhibit.yml")}
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    result = subprocess.run([program("amtool"), "check-config", str(path)], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


def test_provisioning_names_what_the_dashboards_need() -> None:
    source = _yaml("provisioning/datasources/prometheus.yaml")["datasources"][0]
    provider = _yaml("provisioning/dashboards/livepeer.yaml")["providers"][0]
    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    assert provider["type"] == "file"
