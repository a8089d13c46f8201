import json
import subprocess
from operator import itemgetter
from pathlib import Path

import pytest

from tests.deploy.manifests import KUBERNETES, ROOT, Rendering
from tests.support import documents
from tests.support.deadlines import HANG

APPLY_LIMIT = 262_144
"""Maximum size in bytes of the annotation in which `kubectl apply` stores an object."""


def _render(kustomize: str, directory: Path) -> Rendering:
    command = [kustomize, "kustomize" if Path(kustomize).name == "kubectl" else "build", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return Rendering(directory.name, tuple(documents.load_all(done.stdout)))


@pytest.fixture(scope="module")
def monitored(kustomize: str) -> Rendering:
    return _render(kustomize, KUBERNETES / "examples" / "monitored")


@pytest.mark.usefixtures("kustomize")
def test_the_committed_renderings_are_current(tmp_path: Path) -> None:
    def files(root: Path) -> dict[str, str]:
        return {path.name: path.read_text() for path in [root / "install.yaml", *(root / "rendered").iterdir()]}

    command = [KUBERNETES / "render.sh", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert files(KUBERNETES) == files(tmp_path)


def test_the_config_maps_contain_the_dashboards_unchanged(monitored: Rendering) -> None:
    maps = monitored.of_kind("ConfigMap")
    assert {each["metadata"]["labels"]["grafana_dashboard"] for each in maps} == {"1"}
    contained = {name: text for each in maps for name, text in each["data"].items()}
    assert contained == {path.name: path.read_text() for path in (ROOT / "grafana" / "dashboards").glob("*.json")}


def test_kube_prometheus_stack_selects_the_monitor_and_the_rules(monitored: Rendering) -> None:
    selected = [each["kind"] for each in monitored.objects if each["metadata"]["labels"].get("release")]
    assert {"PodMonitor", "PrometheusRule"} <= {*selected}
    # The label must not reach selectors, which are immutable.
    assert "release" not in json.dumps([each["spec"]["selector"] for each in monitored.workloads()])


def test_each_dashboard_is_small_enough_for_kubectl_apply(monitored: Rendering) -> None:
    assert max(len(json.dumps(each)) for each in monitored.of_kind("ConfigMap")) < APPLY_LIMIT


def test_the_prometheus_rule_has_the_groups_of_the_rule_files(monitored: Rendering) -> None:
    [rule] = monitored.of_kind("PrometheusRule")
    files = sorted((ROOT / "grafana" / "rules").glob("*.yaml"))
    groups = [group for path in files for group in documents.load(path.read_text())["groups"]]
    by_name = itemgetter("name")
    assert sorted(rule["spec"]["groups"], key=by_name) == sorted(groups, key=by_name)


def test_the_sidecar_is_added_to_annotated_workloads_only(kustomize: str, tmp_path: Path) -> None:
    def workload(kind: str, name: str, annotations: dict[str, str]) -> object:
        pod = {"metadata": {"labels": {"a": name}}, "spec": {"containers": [{"name": "main", "image": "main:1"}]}}
        spec = {"selector": {"matchLabels": {"a": name}}, "template": pod}
        return {
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": {"name": name, "annotations": annotations},
            "spec": spec,
        }

    inject = {"livepeer-session-exporter/inject": "true"}
    annotated, other = workload("StatefulSet", "annotated", inject), workload("Deployment", "other", {})
    (tmp_path / "workloads.yaml").write_text(documents.dump_all([annotated, other]))
    component = Path(*[".."] * len(tmp_path.resolve().parts[1:])) / str(KUBERNETES / "components" / "sidecar").lstrip(
        "/"
    )
    kustomization = {"resources": ["workloads.yaml"], "components": [str(component)]}
    (tmp_path / "kustomization.yaml").write_text(documents.dump(kustomization))

    rendering = _render(kustomize, tmp_path)

    [changed] = rendering.of_kind("StatefulSet")
    assert [each["name"] for each in changed["spec"]["template"]["spec"]["initContainers"]] == [
        "livepeer-session-exporter"
    ]
    [unchanged] = rendering.of_kind("Deployment")
    assert [each["name"] for each in unchanged["spec"]["template"]["spec"]["containers"]] == ["main"]
    assert "initContainers" not in unchanged["spec"]["template"]["spec"]
