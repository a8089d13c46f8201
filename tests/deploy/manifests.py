"""Access to the rendered Kubernetes objects, as plain functions over parsed YAML."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import documents

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
HELM = DEPLOY / "helm"
EXPORTER = "livepeer-session-exporter"

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Rendering:
    """The objects of one rendered file."""

    name: str
    objects: tuple[Object, ...]

    def __str__(self) -> str:
        return self.name

    def of_kind(self, *kinds: str) -> list[Object]:
        return [each for each in self.objects if each["kind"] in kinds]

    def workloads(self) -> list[Object]:
        return self.of_kind("Deployment", "StatefulSet")


def read(path: Path) -> Rendering:
    return Rendering(path.stem, tuple(documents.load_all(path.read_text())))


def rendered() -> list[Rendering]:
    """Every committed rendering."""
    return [read(KUBERNETES / "install.yaml"), *map(read, sorted((KUBERNETES / "rendered").glob("*.yaml")))]


def rendered_charts() -> list[Rendering]:
    """Every committed rendering of the Helm chart, named after its file of values."""
    charts = map(read, sorted((HELM / "rendered").glob("*.yaml")))
    return [Rendering(f"helm-{each.name}", each.objects) for each in charts]


@dataclass(frozen=True)
class Container:
    """A container and its pod."""

    file: str
    spec: Object
    pod: Object

    def __str__(self) -> str:
        return self.file

    @property
    def is_sidecar(self) -> bool:
        return self.spec.get("restartPolicy") == "Always" or len(self.pod["containers"]) > 1

    @property
    def probes(self) -> list[Object]:
        return [value["httpGet"] for name, value in self.spec.items() if name.endswith("Probe")]

    @property
    def ports(self) -> set[int]:
        return {port["containerPort"] for port in self.spec["ports"]}

    @property
    def volumes(self) -> list[Object]:
        mounted = {mount["name"] for mount in self.spec.get("volumeMounts", [])}
        return [volume for volume in self.pod["volumes"] if volume["name"] in mounted]

    def security(self) -> dict[str, Any]:
        """The container's security context merged over that of its pod, as in Kubernetes."""
        return {**self.pod.get("securityContext", {}), **self.spec["securityContext"]}

    def variables(self) -> dict[str, Object]:
        return {each["name"]: each for each in self.spec.get("env", [])}


def containers(renderings: list[Rendering]) -> Iterator[Container]:
    """Every container, of the exporter and of the workloads that it is added to."""
    for rendering in renderings:
        for workload in rendering.workloads():
            pod = workload["spec"]["template"]["spec"]
            for spec in [*pod.get("initContainers", []), *pod["containers"]]:
                yield Container(rendering.name, spec, pod)


def exporter_containers(renderings: list[Rendering]) -> Iterator[Container]:
    return (each for each in containers(renderings) if each.spec["name"] == EXPORTER)


def pod_labels(rendering: Rendering) -> list[Mapping[str, str]]:
    return [workload["spec"]["template"]["metadata"]["labels"] for workload in rendering.workloads()]


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return bool(selector) and selector.items() <= labels.items()
