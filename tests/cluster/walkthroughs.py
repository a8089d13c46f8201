"""The commands of the documentation, typed as a new user would, and what they must have led to."""

import secrets
import sys
from pathlib import Path
from typing import Final

import yaml

from tests.cluster.admission import NAMESPACE, SIDECARS, Rendering, await_pods, delete_namespace, pods_of
from tests.cluster.control_plane import running
from tests.cluster.documents import code_blocks, section
from tests.cluster.kubelet import running_status, set_status
from tests.cluster.prometheus_operator import EVERYTHING, PROMETHEUS_NAMESPACE, STACK, Operator, check_discovery
from tests.cluster.scraping import JOB, Access, await_targets, check_labels, discovering, endpoint
from tests.cluster.shell import ClusterError, Shell
from tests.support.running import wait_until

KEY_FILE: Final = "KEY_FILE"
"""The name of the file with the key, as the documentation writes it."""

_PREFACE: Final = """\
# What was typed, and what the API server answered. There is no kubelet: in its place, and in that of the scheduler, the
# test binds pods to a node and writes that they are running. Their containers do not exist, so kubectl shows them as
# not ready.
"""

SECRET: Final = "livepeer-session-exporter"


def check_five_minutes(operator: Operator, current: list[Rendering]) -> None:
    """Follow the three ways of deploy/README.md.

    Raises:
        ClusterError: a command failed, or did not lead to targets in Prometheus.
    """
    shell = operator.shell
    (shell.directory / KEY_FILE).write_text(secrets.token_hex(16), encoding="utf-8")
    by_name = {rendering.name: rendering for rendering in current}
    helm, plain, sidecar = code_blocks(section(shell.directory / "deploy" / "README.md", "## Five minutes"))
    delete_namespace(shell)
    _with_stack(operator, helm, by_name["helm kube-prometheus-stack"])
    _without_operator(operator, plain, by_name["without-operator"])
    _as_sidecar(operator, sidecar, by_name["sidecar"])


def _with_stack(operator: Operator, commands: list[str], rendering: Rendering) -> None:
    shell = operator.shell
    shell.report.note("Helm, with kube-prometheus-stack; its operator and a Prometheus with its selectors are running")
    for line in commands:
        shell.type(line)
    await_pods(shell, rendering)
    check_discovery(operator, STACK, rendering)
    _note_targets(shell, rendering, "Prometheus, with the operator's configuration,")
    _scrape(operator, rendering)
    shell.run("helm", "uninstall", "--namespace", NAMESPACE, SECRET)
    delete_namespace(shell)


def _scrape(operator: Operator, rendering: Rendering) -> None:
    """Scrape an exporter in demo mode at the address of the pod, with the configuration of the operator.

    Raises:
        ClusterError: it has no configuration.
        AssertionError: the series are not those of the exporter.
    """
    shell, address = operator.shell, "127.77.0.1"
    [pod] = pods_of(shell, rendering.of_kind("Deployment")[0], NAMESPACE)
    name = pod["metadata"]["name"]
    command = [sys.executable, "-m", "exporter", "demo", f"--web.listen-address={address}:9877"]
    environment = {**shell.environment, "PYTHONPATH": str(shell.directory)}
    with running(command, operator.directory / "exporter.log", environment), operator.plane.client() as client:
        set_status(client, pod["metadata"], running_status(address))
        with operator.prometheus(STACK, operator.config(STACK), "scrape") as prometheus:
            labels = f'job="{JOB}",namespace="{NAMESPACE}",pod="{name}"'
            wait_until(lambda: prometheus.value(f"livepeer_studio_up{{{labels}}}") == 1, "a scrape of the exporter")
            [(target, up)] = prometheus.query("up")
            samples = prometheus.value("scrape_samples_post_metric_relabeling")
    if target["pod"] != name or up != 1 or not samples:
        raise ClusterError(f"up is {up} for {target}, with {samples} samples")
    shell.report.passed(
        f"{rendering.name}: {samples:.0f} samples of an exporter at the pod's address", samples_scraped=int(samples)
    )


def _without_operator(operator: Operator, commands: list[str], rendering: Rendering) -> None:
    shell = operator.shell
    shell.report.note("kubectl, without the Prometheus Operator")
    for line in commands:
        shell.type(line)
    await_pods(shell, rendering)
    # The rights of Prometheus, as docs/kubernetes.md grants them.
    guide = section(shell.directory / "docs" / "kubernetes.md", "## Prometheus without the operator")
    shell.run("kubectl", "create", "serviceaccount", "prometheus", f"--namespace={PROMETHEUS_NAMESPACE}")
    for line in code_blocks(guide)[0]:
        shell.type(line)
    token = shell.run("kubectl", "create", "token", "prometheus", f"--namespace={PROMETHEUS_NAMESPACE}").strip()
    config = yaml.safe_load((shell.directory / "deploy" / "prometheus" / "kubernetes.yml").read_text(encoding="utf-8"))
    rules = shell.directory / "grafana" / "rules"
    files = {f"rules/{path.name}": path.read_text(encoding="utf-8") for path in rules.glob("*.yaml")}
    access = Access(operator.plane.url, operator.plane.authority, token)
    pods = pods_of(shell, rendering.of_kind("Deployment")[0], NAMESPACE)
    binary, directory = operator.binaries / "prometheus", operator.directory / "without-operator"
    with discovering(binary, config, access, directory, files) as prometheus:
        targets = await_targets(prometheus, {endpoint(pod, 9877) for pod in pods})
    check_labels(targets, NAMESPACE, {pod["metadata"]["name"] for pod in pods})
    _note_targets(shell, rendering, "Prometheus, with deploy/prometheus/kubernetes.yml,")
    shell.report.passed("without-operator: discovered with the documented rights", targets_discovered=len(targets))
    delete_namespace(shell)


def _as_sidecar(operator: Operator, commands: list[str], rendering: Rendering) -> None:
    shell = operator.shell
    shell.report.note("As a sidecar; the operator and a Prometheus that selects every monitor are running")
    for line in commands[:-1]:
        shell.type(line)
    await_pods(shell, rendering)
    listed = shell.type(commands[-1])
    [pod] = pods_of(shell, rendering.of_kind("Deployment")[0], SIDECARS)
    if pod["metadata"]["name"] not in listed:
        raise ClusterError(f"the last command does not list the pod: {listed}")
    check_discovery(operator, EVERYTHING, rendering)
    _note_targets(shell, rendering, "Prometheus, with the operator's configuration,")
    shell.delete(rendering.only().text, SIDECARS)
    shell.run("kubectl", "delete", "secret", SECRET, f"--namespace={SIDECARS}")


def _note_targets(shell: Shell, rendering: Rendering, program: str) -> None:
    [workload] = rendering.of_kind("Deployment")
    for pod in pods_of(shell, workload, rendering.namespace):
        shell.report.note(f"{program} discovered {endpoint(pod, 9877)}, the pod {pod['metadata']['name']}")


def write_transcript(shell: Shell, path: Path) -> None:
    """Write what was typed, and what was printed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([_PREFACE, *shell.report.transcript, ""]), encoding="utf-8")
