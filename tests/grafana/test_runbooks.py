"""Every alert has a runbook, and every runbook an alert."""

import re
from typing import Final

import pytest
import yaml

from grafana.builder.alert import Alert
from grafana.builder.alerting_rules import alerting_rules
from grafana.builder.base_urls import RUNBOOKS, project_base_urls
from grafana.builder.thresholds import DEFAULT
from tests.grafana.dashboards import GRAFANA

ALERTS: Final = alerting_rules(DEFAULT)
TEXT: Final = (GRAFANA.parent / RUNBOOKS).read_text(encoding="utf-8")


def test_runbooks_are_in_the_order_of_the_alerts_that_refer_to_them() -> None:
    headings = re.findall(r"^## (\w+)$", TEXT, re.MULTILINE)
    rule_file = yaml.safe_load((GRAFANA / "rules" / "livepeer-alerts.yaml").read_text(encoding="utf-8"))
    (annotation,) = project_base_urls().runbook_annotation("")
    references = [rule["annotations"][annotation] for group in rule_file["groups"] for rule in group["rules"]]
    assert [reference.partition("#")[2] for reference in references] == [heading.lower() for heading in headings]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_runbook_has_meaning_diagnosis_and_mitigation(alert: Alert) -> None:
    section = re.search(rf"^## {alert.name}$(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert section
    assert re.findall(r"^\*\*(\w+)\.\*\*", section[1], re.MULTILINE) == ["Meaning", "Diagnosis", "Mitigation"]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_table_of_runbooks_has_severity_and_duration(alert: Alert) -> None:
    assert f"| [{alert.name}](#{alert.name.lower()}) | {alert.severity} | {alert.for_duration} |" in TEXT
