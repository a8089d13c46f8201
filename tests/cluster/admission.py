"""Every example and every rendering of the chart, applied to the API server with strict validation."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.cluster.builds import KUBERNETES
from tests.cluster.shell import ClusterError, Shell
from tests.deploy.manifests import selects
from tests.support import documents
from tests.support.deadlines import HANG

NAMESPACE: Final = "livepeer-monitoring"
"""The namespace of the examples that have one, and of the chart here."""

SIDECARS: Final = "default"
"""The namespace in which the examples of sidecars are applied, which name none."""

WORKLOADS: Final = ("Deployment", "StatefulSet")
CHART: Final = "deploy/helm/livepeer-session-exporter"
OPERATOR_GROUP: Final = "monitoring.coreos.com/"


@dataclass(frozen=True, slots=True)
class Rendering:
    """Objects of one namespace, as YAML.

    Attributes:
        name: of the example or the file of values.
        text: the objects.
        fallback: the namespace to apply them to if they name none.
    """

    name: str
    text: str
    fallback: str = NAMESPACE

    @property
    def namespace(self) -> str:
        """The namespace of the objects; kubectl rejects `--namespace` with another one."""
        named = {each["metadata"].get("namespace") for each in self.objects()} - {None}
        return str(*named) if named else self.fallback

    def objects(self) -> list[Any]:
        """Return the parsed objects."""
        return [each for each in documents.load_all(self.text) if each is not None]

    def of_kind(self, *kinds: str) -> list[Any]:
        """Return the objects of some kinds."""
        return [each for each in self.objects() if each["kind"] in kinds]

    def only(self, *, namespaces: bool = False, operator: bool = False) -> "Rendering":
        """Return the objects that are namespaces, objects of the operator, or with neither, all but namespaces."""

        def belongs(each: Any) -> bool:
            if operator:
                return bool(each["apiVersion"].startswith(OPERATOR_GROUP))
            return bool((each["kind"] == "Namespace") == namespaces)

        return Rendering(self.name, documents.dump_all(filter(belongs, self.objects())), self.namespace)


def render_all(shell: Shell) -> list[Rendering]:
    """Render the base and the examples with kubectl, and the chart with each file of values with helm."""
    kubernetes = shell.directory / "deploy" / "kubernetes"
    examples = sorted(path.parent for path in (kubernetes / "examples").glob("*/kustomization.yaml"))
    values = sorted((shell.directory / "deploy" / "helm" / "values").glob("*.yaml"))
    return [
        _kustomized(shell, "base", kubernetes / "base", NAMESPACE),
        *(_kustomized(shell, directory.name, directory, SIDECARS) for directory in examples),
        *(chart(shell, path) for path in values),
    ]


def chart(shell: Shell, values: Path) -> Rendering:
    """Render the chart with a file of values."""
    options = ("--namespace", NAMESPACE, "--kube-version", KUBERNETES, "--values", str(values))
    text = shell.run("helm", "template", "livepeer-session-exporter", CHART, *options)
    return Rendering(f"helm {values.stem}", text)


def _kustomized(shell: Shell, name: str, directory: Path, fallback: str) -> Rendering:
    return Rendering(name, shell.run("kubectl", "kustomize", str(directory)), fallback)


def prepare_namespaces(shell: Shell) -> None:
    """Create the namespaces with the labels that enforce Pod Security, and the class that a file of values names."""
    shell.run("kubectl", "apply", "--filename=deploy/kubernetes/namespace/namespace.yaml")
    shell.run("kubectl", "create", "namespace", "monitoring")
    enforce(shell, SIDECARS, "restricted")
    shell.run("kubectl", "create", "priorityclass", "monitoring", "--value=1000")


def enforce(shell: Shell, namespace: str, level: str) -> None:
    """Set the level of Pod Security that a namespace enforces and warns of."""
    levels = [f"pod-security.kubernetes.io/{mode}={level}" for mode in ("enforce", "warn")]
    shell.run("kubectl", "label", "--overwrite", "namespace", namespace, *levels)


def delete_namespace(shell: Shell) -> None:
    """Delete the namespace of the exporter with everything in it."""
    shell.run("kubectl", "delete", "namespace", NAMESPACE, "--ignore-not-found", f"--timeout={HANG:.0f}s")


def install_definitions(shell: Shell, directory: Path) -> int:
    """Install the operator's custom resource definitions, and return their number."""
    command = ("kubectl", "apply", "--server-side", "--force-conflicts", f"--filename={directory}")
    count = len(shell.run(*command).splitlines())
    shell.run("kubectl", "wait", "--for=condition=Established", "crd", "--all", f"--timeout={HANG:.0f}s")
    return count


def validate_operator_objects(shell: Shell, renderings: list[Rendering]) -> int:
    """Let the API server validate the objects of the operator strictly without storing them; return their number."""
    count = 0
    for rendering in renderings:
        part = rendering.only(operator=True)
        if part.objects():
            count += len(shell.apply(part.text, part.namespace, "--dry-run=server"))
    return count


def apply(shell: Shell, rendering: Rendering) -> None:
    """Apply a rendering, and wait until its pods were admitted.

    Raises:
        ClusterError: an object or a pod was rejected.
    """
    names = shell.apply(rendering.text, rendering.namespace)
    expected = len(rendering.objects())
    if len(names) != expected:
        raise ClusterError(f"{rendering.name}: {len(names)} of {expected} objects applied: {names}")
    pods = await_pods(shell, rendering) + len(rendering.of_kind("Pod"))
    shell.report.passed(
        f"{rendering.name}: {len(names)} objects applied, {pods} pods admitted",
        renderings_applied=1,
        objects_applied=len(names),
        pods_admitted=pods,
    )


def await_pods(shell: Shell, rendering: Rendering) -> int:
    """Wait until the rollout of each workload is complete, and return the number of their pods.

    Raises:
        ClusterError: it was not completed in time, or there are other pods of the workload.
    """
    count = 0
    for workload in rendering.of_kind(*WORKLOADS):
        namespace = rendering.namespace
        name = f"{workload['kind']}/{workload['metadata']['name']}".lower()
        arguments = ("--namespace", namespace)
        result = shell.attempt("kubectl", "rollout", "status", name, *arguments, "--timeout=90s")
        if result.code != 0:
            events = shell.run("kubectl", "get", "events", *arguments)
            raise ClusterError(f"{rendering.name}: {name}: {result.stdout}{result.stderr}\n{events}")
        found = pods_of(shell, workload, namespace)
        replicas = workload["spec"].get("replicas", 1)
        if len(found) != replicas:
            raise ClusterError(f"{rendering.name}: {len(found)} pods of {name}, expected {replicas}")
        count += len(found)
    return count


def pods_of(shell: Shell, workload: Any, namespace: str) -> list[Any]:
    """Return the pods that the selector of a workload selects, without those that are being deleted."""
    selector = workload["spec"]["selector"]["matchLabels"]
    pods = shell.get("pods", f"--namespace={namespace}")["items"]
    running = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    return [pod for pod in running if selects(selector, pod["metadata"].get("labels", {}))]


def apply_everything(shell: Shell, renderings: list[Rendering]) -> None:
    """Apply each rendering, and delete it before the next."""
    for rendering in renderings:
        apply(shell, rendering)
        shell.delete(rendering.only().text, rendering.namespace)


def check_refusals(shell: Shell, base: Rendering) -> None:
    """Check that the API server refuses what it must: otherwise, what it accepts would prove nothing.

    Raises:
        ClusterError: it accepted one of them.
    """
    privileged = {"name": "a", "image": "a:1", "securityContext": {"privileged": True}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [privileged]}}
    strict = ("kubectl", "apply", "--server-side", "--validate=strict", f"--namespace={NAMESPACE}", "--filename=-")
    monitor = {"apiVersion": f"{OPERATOR_GROUP}v1", "kind": "PodMonitor", "metadata": {"name": "a"}}
    endpoint = {"portNumber": 9877, "intervall": "30s"}
    monitor |= {"spec": {"selector": {}, "podMetricsEndpoints": [endpoint]}}
    [workload] = base.of_kind("Deployment")
    workload["spec"]["template"]["spec"]["containers"][0]["livenessProb"] = {}
    controls = (
        ("a privileged pod", 'violates PodSecurity "restricted', pod),
        ("an unknown field of a Deployment", "livenessProb", workload),
        ("an unknown field of a PodMonitor", "intervall", monitor),
    )
    for title, reason, refused in controls:
        line = shell.expect_refusal(reason, *strict, stdin=documents.dump(refused))
        shell.report.passed(f"refused: {title}: {line.strip()[:160]}", controls_refused=1)
    _check_refusal_of_pods(shell, base)


def _check_refusal_of_pods(shell: Shell, base: Rendering) -> None:
    [workload] = base.of_kind("Deployment")
    pod = workload["spec"]["template"]["spec"]
    del pod["containers"][0]["securityContext"]
    del pod["serviceAccountName"]  # it is part of the base, which is not applied here
    text = documents.dump(workload)
    name = f"deployment/{workload['metadata']['name']}"
    # The API server accepts the Deployment with a warning; the pods are what Pod Security enforces.
    shell.attempt("kubectl", "apply", f"--namespace={NAMESPACE}", "--filename=-", stdin=text)
    shell.run("kubectl", f"--namespace={NAMESPACE}", "wait", "--for=condition=ReplicaFailure", name, "--timeout=90s")
    conditions = shell.get(name, f"--namespace={NAMESPACE}")["status"]["conditions"]
    [message] = [each["message"] for each in conditions if each["type"] == "ReplicaFailure"]
    if not re.search(r"violates PodSecurity .*allowPrivilegeEscalation", message) or pods_of(
        shell, workload, NAMESPACE
    ):
        raise ClusterError(f"the pods of a Deployment without a security context were not refused: {message}")
    shell.report.passed(
        "refused: the pods of a Deployment without the container's security context", controls_refused=1
    )
    shell.delete(text, NAMESPACE)
