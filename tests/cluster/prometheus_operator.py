"""The real Prometheus Operator, and what it makes of the monitors and rules."""

import base64
import gzip
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from tests.cluster.admission import NAMESPACE, Rendering, await_pods, pods_of
from tests.cluster.builds import PROMETHEUS
from tests.cluster.control_plane import ControlPlane, running
from tests.cluster.scraping import (
    administrator,
    await_targets,
    check_config,
    check_labels,
    discovering,
    endpoint,
    rule_count,
)
from tests.cluster.shell import ClusterError, Shell
from tests.support.ports import free_ports
from tests.support.running import Prometheus, wait_until

STACK: Final = "kube-prometheus-stack"
"""A Prometheus that selects as that of the chart of this name does: by the label ``release``."""

EVERYTHING: Final = "everything"
"""A Prometheus that selects every monitor and rule."""

PROMETHEUS_NAMESPACE: Final = "monitoring"

_SELECTED: Final = ("podMonitor", "serviceMonitor", "scrapeConfig", "rule", "probe")


def prometheus_object(name: str, version: str, labels: Mapping[str, str], role: str) -> dict[str, Any]:
    """Return a Prometheus of the operator.

    Args:
        name: its name.
        version: version of Prometheus, which decides on the configuration that the operator writes.
        labels: the labels of the monitors and rules that it selects; empty for all.
        role: the objects in which it discovers the targets of Services.
    """
    selected = {f"{kind}Selector": {"matchLabels": {**labels}} for kind in _SELECTED}
    namespaces: dict[str, Any] = {f"{kind}NamespaceSelector": {} for kind in _SELECTED}
    spec = {"version": version, "serviceDiscoveryRole": role, "serviceAccountName": "prometheus"}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Prometheus",
        "metadata": {"name": name, "namespace": PROMETHEUS_NAMESPACE},
        "spec": {**spec, **selected, **namespaces},
    }


@dataclass(frozen=True, slots=True)
class Operator:
    """A running operator.

    Attributes:
        shell: runs commands against its cluster.
        plane: its cluster.
        client: of the API.
        directory: for files of Prometheus.
        binaries: directory with the program of Prometheus.
    """

    shell: Shell
    plane: ControlPlane
    client: httpx.Client
    directory: Path
    binaries: Path

    def config(self, name: str) -> Any:
        """Return the configuration that the operator wrote for a Prometheus, or None."""
        response = self.client.get(f"/api/v1/namespaces/{PROMETHEUS_NAMESPACE}/secrets/prometheus-{name}")
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        packed = response.raise_for_status().json().get("data", {}).get("prometheus.yaml.gz")
        return yaml.safe_load(gzip.decompress(base64.b64decode(packed))) if packed else None

    def await_jobs(self, name: str, expected: set[str]) -> Any:
        """Wait until the configuration of a Prometheus has exactly these jobs, and return it.

        Raises:
            ClusterError: it has others.
        """

        def jobs(config: Any) -> set[str]:
            return {each["job_name"] for each in (config or {}).get("scrape_configs", ())}

        def reached() -> Any:
            config = self.config(name)
            return config if config is not None and jobs(config) == expected else None

        try:
            return wait_until(reached, "the jobs", seconds=90)
        except AssertionError as error:
            raise ClusterError(f"{name} has the jobs {jobs(self.config(name))}, expected {expected}") from error

    def await_rules(self, name: str, rendering: Rendering) -> int:
        """Wait until the rules of a rendering are among the files of a Prometheus, and return their number."""
        expected = len(_rules(each["spec"] for each in rendering.of_kind("PrometheusRule")))

        def written() -> int:
            texts = (text for path, text in self.files(name).items() if path.startswith("rules/"))
            return len(_rules(yaml.safe_load(text) for text in texts))

        wait_until(lambda: written() == expected, f"{expected} rules of the operator", seconds=90)
        return expected

    def files(self, name: str) -> dict[str, str]:
        """Return the files that the operator provides to a Prometheus, by their paths below its directory."""
        owned = f"/api/v1/namespaces/{PROMETHEUS_NAMESPACE}"
        files: dict[str, str] = {}
        for each in self.client.get(f"{owned}/configmaps").raise_for_status().json()["items"]:
            map_name = each["metadata"]["name"]
            if map_name.startswith(f"prometheus-{name}-rulefiles-"):
                files |= {f"rules/{map_name}/{file}": text for file, text in (each.get("data") or {}).items()}
        for each in self.client.get(f"{owned}/secrets").raise_for_status().json()["items"]:
            if each["metadata"]["name"].startswith(f"prometheus-{name}-tls-assets-"):
                encoded = each.get("data") or {}
                files |= {f"certs/{file}": base64.b64decode(text).decode() for file, text in encoded.items()}
        return files

    @contextmanager
    def prometheus(self, name: str, config: Any, title: str) -> Iterator[Prometheus]:
        """Run the real Prometheus with a configuration of the operator within the context."""
        directory = self.directory / title.replace(" ", "-")
        access = administrator(self.plane)
        with discovering(self.binaries / "prometheus", config, access, directory, self.files(name)) as prometheus:
            check_config(self.shell, config, access, directory)
            yield prometheus


@contextmanager
def running_operator(binaries: Path, shell: Shell, plane: ControlPlane, directory: Path) -> Iterator[Operator]:
    """Run the operator within the context, with two Prometheus objects: `STACK` and `EVERYTHING`."""
    [port] = free_ports(1)
    # It reads the file that the variable KUBECONFIG names.
    command = [str(binaries / "operator"), f"--web.listen-address=127.0.0.1:{port}"]
    version = f"v{PROMETHEUS}"
    objects = [
        prometheus_object(STACK, version, {"release": STACK}, "EndpointSlice"),
        prometheus_object(EVERYTHING, version, {}, "Endpoints"),
    ]
    with running(command, directory / "operator.log", shell.environment), plane.client() as client:
        shell.apply(yaml.safe_dump_all(objects), PROMETHEUS_NAMESPACE)
        operator = Operator(shell, plane, client, directory, binaries)
        for name in (STACK, EVERYTHING):
            operator.await_jobs(name, set())
        yield operator


def jobs_of(rendering: Rendering) -> set[str]:
    """Return the names that the operator gives the jobs of a rendering."""
    jobs, namespace = set(), rendering.namespace
    for each in rendering.of_kind("PodMonitor", "ServiceMonitor", "ScrapeConfig"):
        kind, name = each["kind"], each["metadata"]["name"]
        path = f"{kind[:1].lower()}{kind[1:]}/{namespace}/{name}"
        jobs.add(path if kind == "ScrapeConfig" else f"{path}/0")
    return jobs


def create_tls_secrets(operator: Operator) -> None:
    """Create the Secrets that the endpoint of the values file ``tls`` names; without them, it is not selected."""
    authority = f"--from-file=ca.pem={operator.plane.authority}"
    password = ("--from-literal=username=prometheus", f"--from-literal=password={secrets.token_hex(16)}")
    for name, sources in (("exporter-ca", (authority,)), ("exporter-password", password)):
        operator.shell.run("kubectl", "create", "secret", "generic", name, f"--namespace={NAMESPACE}", *sources)


def check_selected(operator: Operator, rendering: Rendering) -> None:
    """Apply a rendering, and check that the Prometheus that selects everything discovers exactly its pods.

    Raises:
        ClusterError: an object was rejected, or the targets are others.
    """
    shell = operator.shell
    shell.apply(rendering.text, rendering.namespace)
    await_pods(shell, rendering)
    check_discovery(operator, EVERYTHING, rendering)
    operator.await_jobs(STACK, set())  # without its label, nothing is selected
    shell.delete(rendering.only().text, rendering.namespace)
    operator.await_jobs(EVERYTHING, set())


def check_discovery(operator: Operator, name: str, rendering: Rendering) -> None:
    """Check that a Prometheus of the operator discovers exactly the pods of an applied rendering.

    Raises:
        ClusterError: the configuration is not valid, or the targets are others.
    """
    config = operator.await_jobs(name, jobs_of(rendering))
    rules = operator.await_rules(name, rendering)
    pods = [
        pod
        for workload in rendering.of_kind("Deployment", "StatefulSet")
        for pod in pods_of(operator.shell, workload, rendering.namespace)
    ]
    expected = {endpoint(pod, metrics_port(rendering)) for pod in pods}
    with operator.prometheus(name, config, f"{name} {rendering.name}") as prometheus:
        targets = await_targets(prometheus, expected)
        check_labels(targets, rendering.namespace, {pod["metadata"]["name"] for pod in pods})
        wait_until(lambda: rule_count(prometheus) == rules, f"{rules} rules in Prometheus", seconds=60)
    operator.shell.report.passed(
        f"{rendering.name}: {', '.join(sorted(jobs_of(rendering)))}: {len(expected)} targets, {rules} rules",
        configurations_of_the_operator=1,
        targets_discovered=len(expected),
        rules_loaded=rules,
    )


def metrics_port(rendering: Rendering) -> int:
    """Return the port of the metrics that the monitors of a rendering name."""
    for each in rendering.of_kind("PodMonitor", "ServiceMonitor"):
        [only] = each["spec"].get("podMetricsEndpoints") or each["spec"]["endpoints"]
        return int(only.get("portNumber") or only["targetPort"])
    return 9877


def _rules(files: Iterable[Any]) -> list[Any]:
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]
