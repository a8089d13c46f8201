from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it carries no types
import pytest

from exporter.cli.arguments import parse
from exporter.config import load
from exporter.pages.routes import Health, probes
from tests.deploy.manifests import (
    EXPORTER,
    KUBERNETES,
    Container,
    Rendering,
    exporter_containers,
    pod_labels,
    rendered,
    selects,
)

RENDERINGS = rendered()
CONTAINERS = list(exporter_containers(RENDERINGS))
OLDEST, NEWEST = "1.29.0", "1.37.0"
OLDEST_WITHOUT_NATIVE_SIDECARS = "1.25.0"

every_rendering = pytest.mark.parametrize("rendering", RENDERINGS, ids=str)
every_container = pytest.mark.parametrize("container", CONTAINERS, ids=str)
every_sidecar = pytest.mark.parametrize("container", [each for each in CONTAINERS if each.is_sidecar], ids=str)
every_standalone_exporter = pytest.mark.parametrize(
    "container", [each for each in CONTAINERS if not each.is_sidecar], ids=str
)


def _is_custom(each: Any) -> bool:
    return str(each["apiVersion"]).startswith("monitoring.coreos.com/")


def test_the_program_serves_the_paths_of_the_probes() -> None:
    served = {route.path for route in probes(Health(alive=lambda: True, ready=lambda: True))}
    assert {probe["path"] for container in CONTAINERS for probe in container.probes} <= served


def test_every_example_is_rendered() -> None:
    examples = {path.parent.name for path in (KUBERNETES / "examples").glob("*/kustomization.yaml")}
    assert {each.name for each in RENDERINGS} == {"install", *examples - {"monitored"}}


@every_rendering
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_objects_are_valid_for_the_oldest_and_the_newest_kubernetes(rendering: Rendering, version: str) -> None:
    for each in rendering.objects:
        if not _is_custom(each):
            assert version.startswith(kubernetes_validate.validate(each, version, strict=True))


@pytest.mark.parametrize(
    "rendering", [each for each in RENDERINGS if each.name in ("install", "standalone", "sidecar-plain")], ids=str
)
def test_objects_without_native_sidecar_are_valid_for_an_older_kubernetes(rendering: Rendering) -> None:
    for each in rendering.objects:
        if not _is_custom(each):
            kubernetes_validate.validate(each, OLDEST_WITHOUT_NATIVE_SIDECARS, strict=True)


def test_the_validator_rejects_a_misspelt_field() -> None:
    service = next(each for each in RENDERINGS[0].objects if each["kind"] == "Service")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**service, "spce": {}}, NEWEST, strict=True)


@every_rendering
def test_selectors_match_the_labels_of_their_pods(rendering: Rendering) -> None:
    for workload in rendering.workloads():
        spec = workload["spec"]
        assert selects(spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"])
    for service in rendering.of_kind("Service"):
        assert any(selects(service["spec"]["selector"], labels) for labels in pod_labels(rendering))
    for policy in rendering.of_kind("NetworkPolicy"):
        selector = policy["spec"]["podSelector"]["matchLabels"]
        assert any(selects(selector, labels) for labels in pod_labels(rendering))


@every_rendering
def test_services_and_policies_use_the_container_s_port(rendering: Rendering) -> None:
    listening = {port for container in exporter_containers([rendering]) for port in container.ports}
    for service in rendering.of_kind("Service"):
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= listening
    for policy in rendering.of_kind("NetworkPolicy"):
        assert {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]} == listening


def test_every_rendering_has_an_exporter_container() -> None:
    assert {container.file for container in CONTAINERS} == {each.name for each in RENDERINGS}


@every_container
def test_a_container_complies_with_the_restricted_standard(container: Container) -> None:
    expected = {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
        "capabilities": {"drop": ["ALL"]},
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
    }
    security = container.security()
    assert {name: security.get(name) for name in expected} == expected
    assert "privileged" not in security
    assert not any(container.pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC"))


@every_container
def test_a_container_has_a_memory_limit_and_no_cpu_limit(container: Container) -> None:
    resources = container.spec["resources"]
    assert set(resources["limits"]) == {"memory"}
    assert set(resources["requests"]) == {"cpu", "memory"}


@every_container
def test_probes_use_a_port_number_of_the_container(container: Container) -> None:
    assert container.probes
    assert {probe["port"] for probe in container.probes} <= container.ports


@every_container
def test_no_secret_is_in_the_environment(container: Container) -> None:
    assert "envFrom" not in container.spec
    for variable in container.spec.get("env", []):
        assert "secretKeyRef" not in variable.get("valueFrom", {})
        assert "KEY" not in variable["name"]


@every_container
def test_the_key_is_mounted_as_a_read_only_directory_without_subpath(container: Container) -> None:
    secrets = {volume["name"] for volume in container.volumes if "secret" in volume}
    mounts = [mount for mount in container.spec["volumeMounts"] if mount["name"] in secrets]
    assert len(mounts) == 1
    assert mounts[0]["readOnly"] is True
    assert "subPath" not in mounts[0]


@every_standalone_exporter
def test_a_standalone_exporter_has_no_token_and_a_group_for_its_key(container: Container) -> None:
    assert container.pod["automountServiceAccountToken"] is False
    assert container.pod["enableServiceLinks"] is False
    assert container.pod["securityContext"]["fsGroup"] == 65532
    assert [volume["secret"]["defaultMode"] for volume in container.volumes if "secret" in volume] == [0o440]


@every_sidecar
def test_a_sidecar_changes_neither_security_nor_readiness_of_its_pod(container: Container) -> None:
    assert "securityContext" not in container.pod
    assert "readinessProbe" not in container.spec
    assert "startupProbe" not in container.spec
    # Readable without fsGroup; a missing Secret must not block the workload.
    secret = next(volume["secret"] for volume in container.volumes if "secret" in volume)
    assert (secret["defaultMode"], secret["optional"]) == (0o444, True)


@every_sidecar
def test_a_sidecar_does_not_mount_the_token_of_its_workload(container: Container) -> None:
    paths = {mount["mountPath"]: mount["name"] for mount in container.spec["volumeMounts"]}
    empty = {volume["name"] for volume in container.volumes if "emptyDir" in volume}
    assert paths["/var/run/secrets/kubernetes.io/serviceaccount"] in empty


def test_the_sidecar_is_native_and_its_fallback_a_plain_container() -> None:
    native = next(each for each in RENDERINGS if each.name == "sidecar").workloads()[0]["spec"]["template"]["spec"]
    plain = next(each for each in RENDERINGS if each.name == "sidecar-plain").workloads()[0]["spec"]["template"]["spec"]
    assert [each["name"] for each in native["initContainers"]] == [EXPORTER, "fetch-playlist"]
    assert native["initContainers"][0]["restartPolicy"] == "Always"
    assert [each["name"] for each in native["containers"]] == ["broadcaster"]
    assert [each["name"] for each in plain["initContainers"]] == ["fetch-playlist"]
    assert [each["name"] for each in plain["containers"]] == ["broadcaster", EXPORTER]
    assert "restartPolicy" not in plain["containers"][1]


@pytest.mark.parametrize("name", ["sidecar", "sidecar-plain"])
def test_a_sidecar_reads_its_stream_ids_from_the_annotation_of_its_pod(name: str) -> None:
    rendering = next(each for each in RENDERINGS if each.name == name)
    container = next(iter(exporter_containers([rendering])))
    field = container.spec["env"][0]["valueFrom"]["fieldRef"]["fieldPath"]
    annotation = field.removeprefix("metadata.annotations['").removesuffix("']")
    assert container.spec["env"][0]["name"] == "LIVEPEER_EXPORTER_STREAM_IDS"
    assert annotation in rendering.workloads()[0]["spec"]["template"]["metadata"]["annotations"]


def test_an_exporter_is_stopped_before_its_replacement_starts() -> None:
    spec = RENDERINGS[0].workloads()[0]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_the_shard_count_equals_the_replicas_and_the_pod_name_sets_the_index() -> None:
    shards = next(each for each in RENDERINGS if each.name == "shards").of_kind("StatefulSet")[0]["spec"]
    variables = {each["name"]: each for each in shards["template"]["spec"]["containers"][0]["env"]}
    assert int(variables["LIVEPEER_EXPORTER_SHARD_COUNT"]["value"]) == shards["replicas"]
    assert variables["LIVEPEER_EXPORTER_SHARD_INDEX"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}


@every_container
def test_the_program_accepts_the_arguments_and_variables_of_its_container(container: Container, tmp_path: Path) -> None:
    for volume in container.volumes:
        if "configMap" in volume:
            maps = next(each for each in RENDERINGS if each.name == container.file).of_kind("ConfigMap")
            data = next(each["data"] for each in maps if each["metadata"]["name"] == volume["configMap"]["name"])
            for name, text in data.items():
                (tmp_path / name).write_text(text)
    where = {mount["name"]: mount["mountPath"] for mount in container.spec["volumeMounts"]}.get("settings", "")
    arguments = [each.replace(where, str(tmp_path)) if where else each for each in container.spec["args"]]
    in_the_pod = {"metadata.name": f"{EXPORTER}-3"}  # any other downward field is the annotation with a stream id
    environ = {
        each["name"]: each.get("value") or in_the_pod.get(each["valueFrom"]["fieldRef"]["fieldPath"], "a-stream")
        for each in container.spec.get("env", [])
    }
    loaded = load(parse(arguments).arguments, environ)
    assert not loaded.warnings
    assert {each.port for each in loaded.settings.web_listen_address} == container.ports
    keys = [account.api_key_file for account in loaded.settings.accounts]
    mounted = {mount["mountPath"] for mount in container.spec["volumeMounts"]}
    assert all(key and str(key.parent) in mounted for key in keys)


def test_the_namespace_enforces_the_restricted_standard() -> None:
    namespace = next(each for each in RENDERINGS if each.name == "standalone").of_kind("Namespace")[0]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@every_rendering
def test_no_rendering_contains_a_secret(rendering: Rendering) -> None:
    assert not rendering.of_kind("Secret")


def test_the_network_policy_blocks_the_metadata_service() -> None:
    policy = next(each for each in RENDERINGS if each.name == "standalone").of_kind("NetworkPolicy")[0]["spec"]
    blocks = [to["ipBlock"] for rule in policy["egress"] for to in rule["to"] if "ipBlock" in to]
    assert "169.254.0.0/16" in next(each["except"] for each in blocks if each["cidr"] == "0.0.0.0/0")
    assert policy["policyTypes"] == ["Ingress", "Egress"]
