"""The tests of rules and of real scrapes with Prometheus 3, and the tests of alerts with vmalert-tool."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from grafana.builder import rule_files
from grafana.builder.alerting_rules import alerting_rules
from grafana.builder.thresholds import DEFAULT
from tests.engines.programs import Programs, named
from tests.engines.report import Report
from tests.grafana.alert_cases import CASES
from tests.grafana.promtool import SCRAPE_INTERVAL, Case, Value, alert_groups
from tests.support import documents
from tests.support.running import ROOT

YEAR_2000: Final = 946_684_800
"""Unix seconds."""

TIMESTAMP: Final = re.compile(r"\w+_timestamp_seconds\b")

VMALERT_FIRING: Final = {
    ("LivepeerRecordingFailed", "none since the exporter started"): 1,
    ("LivepeerRecordingFailed", "the exporter restarts"): 1,
    ("LivepeerStreamReconnecting", "a restarted exporter starts at 0"): 1,
}
"""Numbers of alerts that differ from those of Prometheus: VictoriaMetrics's `increase()` includes the first value of a
series, which is not 0 in these cases."""

TIMEOUT: Final = 1800.0
"""Seconds for the tests of one program; on a loaded machine they take many minutes."""


def check_rules(programs: Programs, directory: Path, report: Report) -> None:
    """Run the tests that need Prometheus with version 3, and those of alerts with vmalert-tool."""
    _run_marked_tests(programs, report)
    _run_vmalert_tests(programs, directory, report)


def _run_marked_tests(programs: Programs, report: Report) -> None:
    """Run the test suite's tests of rules and queries, which find the programs in PATH."""
    path = f"{Path(programs.promtool).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "pytest", "-q", "-m", "prometheus", "-p", "no:cacheprovider", "tests"]
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT)
    subject = f"tests marked prometheus, with {named('promtool', programs.promtool)}"
    report.add(subject, done.returncode == 0, done.stdout.strip().splitlines()[-1])
    for line in re.findall(r"^FAILED .*", done.stdout, re.MULTILINE):
        report.note(line)


def _run_vmalert_tests(programs: Programs, parent: Path, report: Report) -> None:
    """Run the cases of each alert in a process of its own, which evaluates the rules of this alert only."""
    name, failed, count = named("vmalert-tool", programs.vmalert_tool), [], 0
    for alert, document in vmalert_documents():
        directory = parent / f"vmalert-{alert}"
        directory.mkdir()
        groups = alert_groups(DEFAULT)
        for group in groups["groups"]:
            group["rules"] = [rule for rule in group["rules"] if rule["alert"] == alert]
        (directory / "rules.yaml").write_text(rule_files.to_yaml(groups), encoding="utf-8")
        (directory / "tests.yaml").write_text(documents.dump(document), encoding="utf-8")
        command = [programs.vmalert_tool, "unittest", "--files", "tests.yaml", "--disableAlertgroupLabel"]
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=TIMEOUT)
        count += len(document["tests"])
        if done.returncode != 0:
            failed.append(alert)
            report.note(f"{alert}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    report.add(f"cases of alerts with {name}", not failed, f"{count} cases; alerts with failed cases: {failed}")


def vmalert_documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each alert and its cases as a test file of vmalert-tool."""
    for alert in alerting_rules(DEFAULT):
        tests = [_vmalert_test(case) for case in CASES if case.alert == alert.name]
        yield (
            alert.name,
            {"rule_files": ["rules.yaml"], "evaluation_interval": f"{SCRAPE_INTERVAL}s", "tests": tests},
        )


def _vmalert_test(case: Case) -> dict[str, Any]:
    """Return a case as a test of vmalert-tool, which has another name for one field and starts at another time."""
    series = {name: _since_2000(value) if TIMESTAMP.match(name) else value for name, value in case.input_series.items()}
    firing = VMALERT_FIRING.get((case.alert, case.description), case.firing)
    test = replace(case, input_series=series, firing=firing).to_test()
    test["metricsql_expr_test"] = test.pop("promql_expr_test")
    return test


def _since_2000(value: Value) -> Value:
    """Return a timestamp as vmalert-tool's clock has it, which starts at the year 2000."""

    def shifted(time: float) -> float | None:
        timestamp = value(time)
        return None if timestamp is None else YEAR_2000 + timestamp

    return shifted
