"""Every alert has a runbook, and every runbook an alert, a query, the way to the customer and a silence."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from promql_parser import parse

from grafana.builder.alert import Alert
from grafana.builder.alerting_rules import alerting_rules
from grafana.builder.base_urls import RUNBOOKS, project_base_urls
from grafana.builder.thresholds import DEFAULT
from tests.conftest import program
from tests.grafana.dashboards import GRAFANA
from tests.grafana.promql_ast import selectors
from tests.support.alertmanager import running_alertmanager
from tests.support.deadlines import HANG
from tests.support.running import wait_until

ALERTS: Final = alerting_rules(DEFAULT)
TEXT: Final = (GRAFANA.parent / RUNBOOKS).read_text(encoding="utf-8")
INHIBIT_RULES: Final[dict[str, Any]] = yaml.safe_load((GRAFANA / "alertmanager" / "inhibit.yml").read_text())
SILENCE: Final = ["amtool", "silence", "add", "--duration=2h", "--comment=REASON"]

every_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)


def _parts(alert: Alert) -> dict[str, str]:
    """Return the parts of an alert's section by their name."""
    section = re.search(rf"^## {alert.name}$(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert section, f"no section {alert.name}"
    names = re.split(r"^\*\*(\w+)\.\*\*", section[1], flags=re.MULTILINE)
    return dict(zip(names[1::2], names[2::2], strict=True))


def _code(text: str, language: str) -> str:
    """Return the only code block of a text."""
    (code,) = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert code[0] == language
    return str(code[1])


def _matchers(alert: Alert) -> dict[str, str]:
    """Return the labels by which the command of an alert silences it."""
    words = shlex.split(_code(_parts(alert)["Silence"], "sh"))
    assert words[: len(SILENCE)] == SILENCE
    return dict(word.split("=") for word in words[len(SILENCE) :])


def _placeholders(alert: Alert) -> dict[str, str]:
    """Return labels of the alert; the value of each is its placeholder in the runbooks."""
    extra = ("class",) if alert.name == "LivepeerApiErrors" else ()
    return {"alertname": alert.name} | {label: label.upper() for label in (*alert.labels, *extra)}


def test_runbooks_are_in_the_order_of_the_alerts_that_refer_to_them() -> None:
    headings = re.findall(r"^## (\w+)$", TEXT, re.MULTILINE)
    files = ("rules/livepeer-alerts.yaml", "optional-rules/livepeer-slo-alerts.yaml")
    groups = [group for name in files for group in yaml.safe_load((GRAFANA / name).read_text())["groups"]]
    (annotation,) = project_base_urls().runbook_annotation("")
    references = [rule["annotations"][annotation] for group in groups for rule in group["rules"]]
    assert [reference.partition("#")[2] for reference in references] == [heading.lower() for heading in headings]


@every_alert
def test_a_runbook_has_all_parts_in_the_same_order(alert: Alert) -> None:
    assert list(_parts(alert)) == ["Meaning", "Query", "Diagnosis", "Mitigation", "Customer", "Silence"]
    assert all(text.strip() for text in _parts(alert).values())


@every_alert
def test_table_of_runbooks_has_severity_and_duration(alert: Alert) -> None:
    assert f"| [{alert.name}](#{alert.name.lower()}) | {alert.severity} | {alert.for_duration} |" in TEXT


@every_alert
def test_the_query_of_a_runbook_selects_by_labels_of_the_alert(alert: Alert) -> None:
    """That it parses and has metrics of the catalogue is tested for all pages in ``tests/docs/test_promql.py``."""
    query = _code(_parts(alert)["Query"], "promql")
    parse(query)
    values = {
        (matcher.name, matcher.value)
        for selector, _ in selectors(query)
        for matcher in selector.matchers.matchers
        if matcher.value.isupper()
    }
    assert values <= _placeholders(alert).items()


@every_alert
def test_a_runbook_leads_to_the_customers_of_its_subject(alert: Alert) -> None:
    if "stream_id" in alert.labels:
        anchor = "customer-of-a-stream"
    elif "account" in alert.labels:
        anchor = "customers-of-an-account"
    else:
        anchor = "customers-of-an-exporter"
    assert f"](#{anchor})" in _parts(alert)["Customer"]


@every_alert
def test_the_silence_of_a_runbook_matches_the_alert_on_one_subject(alert: Alert) -> None:
    """A silence of a stream also covers its next sessions."""
    matchers = _matchers(alert)
    assert matchers.items() <= _placeholders(alert).items()
    assert matchers["alertname"] == alert.name
    required = {"account", "stream_id"} if "stream_id" in alert.labels else set(alert.labels)
    assert required <= matchers.keys()


@pytest.mark.prometheus
@pytest.mark.untraced
def test_the_commands_silence_all_alerts_and_suppressed_ones_remain_so(tmp_path: Path) -> None:
    """With a real Alertmanager, which receives each alert with the labels of the runbooks."""
    names = {alert.name for alert in ALERTS}
    with running_alertmanager(program("prometheus-alertmanager"), tmp_path, INHIBIT_RULES) as alertmanager:

        def suppressed() -> set[str]:
            return {labels["alertname"] for labels, is_suppressed in alertmanager.alerts() if is_suppressed}

        def silenced() -> set[str]:
            return {labels["alertname"] for labels in alertmanager.silenced()}

        alertmanager.post([_placeholders(alert) for alert in ALERTS])
        wait_until(lambda: suppressed() == names - {"LivepeerExporterAbsent"}, "the alerts to be suppressed")
        assert silenced() == set()
        for alert in ALERTS:
            words = shlex.split(_code(_parts(alert)["Silence"], "sh"))
            command = [program("amtool"), f"--alertmanager.url=http://127.0.0.1:{alertmanager.port}", *words[1:]]
            done = subprocess.run(command, capture_output=True, text=True, timeout=HANG)
            assert done.returncode == 0, done.stderr
        wait_until(lambda: silenced() == names, "the alerts to be silenced")
        assert suppressed() == names - {"LivepeerExporterAbsent"}
