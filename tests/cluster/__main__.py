"""Try the Kubernetes manifests, the Helm chart and their documentation on a real API server.

``python -m tests.cluster``, or ``make test-cluster``: builds etcd, the API server, the controllers, kubectl, Helm and
the Prometheus Operator from their Go modules; starts a control plane on loopback; applies every example and every
rendering of the chart with strict validation and Pod Security ``restricted``; upgrades from the earlier manifests and
rolls back; lets the real operator turn the monitors into a configuration that a real Prometheus discovers the pods
with; and types the commands of the documentation.

There is no kubelet and no network of pods: no container runs, the test writes the status of running pods, and
Prometheus discovers targets that it cannot scrape. ``helm test`` and probes therefore remain untested.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.cluster import admission, builds, upgrades, walkthroughs
from tests.cluster.control_plane import ControlPlane, running_control_plane
from tests.cluster.kubelet import running_kubelet
from tests.cluster.prometheus_operator import (
    Operator,
    check_selected,
    create_tls_secrets,
    running_operator,
)
from tests.cluster.report import Report
from tests.cluster.shell import ClusterError, Shell, copy_of_repository
from tests.support.go_modules import BuildError

ROOT: Final = Path(__file__).parents[2]

DISCOVERED: Final = (
    *("standalone", "shards", "sidecar-plain", "self-hosted", "projects"),
    *("helm service-monitor", "helm scrape-config", "helm shards", "helm tls"),
)
"""Renderings whose monitors the operator turns into a configuration, beside those of the walk-throughs."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything; the exit code is 0 if all checks passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description="Try the manifests on an API server.")
    parser.add_argument("--cache", type=Path, default=builds.default_cache(os.environ), help="directory of the builds")
    parser.add_argument("--build-only", action="store_true", help="build the programs and stop")
    parser.add_argument("--keep", type=Path, help="directory for data and logs, to be kept (default: a temporary one)")
    parser.add_argument("--transcript", type=Path, default=ROOT / "dist" / "test-cluster.txt", help="file to write")
    options = parser.parse_args(arguments)
    report = Report(sys.stdout.write, time.monotonic)
    with tempfile.TemporaryDirectory(prefix="test-cluster-") as temporary:
        directory = options.keep or Path(temporary)
        try:
            binaries = _build(report, options.cache, directory / "bin")
            if not options.build_only:
                _run(report, binaries, directory, options.transcript)
        except (ClusterError, BuildError, AssertionError) as error:
            print(f"  FAILED: {error}", file=sys.stderr)
            return 1
    print(report.summary())
    return 0


def _build(report: Report, cache: Path, binaries: Path) -> Path:
    binaries.mkdir(parents=True)
    cache.mkdir(parents=True, exist_ok=True)
    with report.step("build"):
        for program in builds.PROGRAMS:
            begun = report.clock()
            (binaries / program.name).symlink_to(builds.build(program, cache))
            report.version(program.name, program.version)
            report.passed(f"{program.name} {program.version}: {report.clock() - begun:.1f} s")
    return binaries


def _run(report: Report, binaries: Path, directory: Path, transcript: Path) -> None:
    checkout, state = directory / "checkout", directory / "state"
    copy_of_repository(ROOT, checkout)
    state.mkdir(mode=0o700)
    path = f"{binaries}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(state), "KUBECONFIG": str(state / "kubeconfig")}
    shell = Shell(checkout, environment, report)
    with running_control_plane(binaries, state, environment) as plane, running_kubelet(plane):
        try:
            _check(shell, plane, binaries, state)
        finally:
            walkthroughs.write_transcript(shell, transcript)


def _check(shell: Shell, plane: ControlPlane, binaries: Path, state: Path) -> None:
    report = shell.report
    with report.step("render the examples, and the chart with each file of values"):
        current = admission.render_all(shell)
        admission.prepare_namespaces(shell)
    with report.step(f"operator's definitions {builds.OLDEST_OPERATOR} and {builds.OPERATOR}"):
        admission.install_definitions(shell, builds.operator_definitions(builds.OLDEST_OPERATOR))
        count = admission.validate_operator_objects(shell, current)
        report.passed(f"{count} monitors and rules are valid for {builds.OLDEST_OPERATOR}", objects_validated=count)
        count = admission.install_definitions(shell, builds.operator_definitions(builds.OPERATOR))
        report.passed(f"{count} definitions installed")
    with report.step("server-side apply with strict validation, Pod Security restricted"):
        admission.apply_everything(shell, current)
        admission.check_refusals(shell, current[0])
    with report.step("upgrades and rollbacks"):
        upgrades.check_upgrades(shell, upgrades.earlier_manifests(ROOT), current)
        upgrades.check_change_of_kind(shell, current)
        upgrades.check_new_image(shell, current)
        upgrades.check_helm(shell, current)
    with running_operator(binaries, shell, plane, state) as operator:
        with report.step("the operator's scrape configurations, in a real Prometheus"):
            _discover(operator, current)
        with report.step("the documentation's five minutes"):
            walkthroughs.check_five_minutes(operator, current)


def _discover(operator: Operator, current: list[admission.Rendering]) -> None:
    create_tls_secrets(operator)
    for rendering in current:
        if rendering.name in DISCOVERED:
            check_selected(operator, rendering)


if __name__ == "__main__":
    sys.exit(main())
