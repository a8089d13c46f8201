import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from exporter.cli.arguments import parse
from exporter.config import Settings, load
from exporter.pages.routes import Health, probes
from tests.deploy.manifests import (
    EXPORTER,
    KUBERNETES,
    ROOT,
    Container,
    Rendering,
    containers,
    exporter_containers,
    pod_labels,
    read,
    rendered,
    rendered_charts,
    selects,
)

EXAMPLES = rendered()
RENDERINGS = [*EXAMPLES, *rendered_charts()]
CONTAINERS = list(exporter_containers(RENDERINGS))
WORKLOADS = [each for each in containers(RENDERINGS) if each.spec["name"] != EXPORTER]
WORKLOAD_SECURITY = {
    example: read(KUBERNETES / "examples" / path).objects[0]["spec"]["template"]["spec"].get("securityContext")
    for example, path in {
        "sidecar": "sidecar/workload/deployment.yaml",
        "sidecar-plain": "sidecar/workload/deployment.yaml",
        "self-hosted": "self-hosted/upstream.yaml",
    }.items()
}
"""The security context of the pods of the example workloads, without the sidecar."""
OLDEST, NEWEST = "1.29.0", "1.37.0"
OLDEST_WITHOUT_NATIVE_SIDECARS = "1.25.0"

every_rendering = pytest.mark.parametrize("rendering", RENDERINGS, ids=str)
every_container = pytest.mark.parametrize("container", CONTAINERS, ids=str)
every_sidecar = pytest.mark.parametrize("container", [each for each in CONTAINERS if each.is_sidecar], ids=str)
every_standalone_exporter = pytest.mark.parametrize(
    "container", [each for each in CONTAINERS if not each.is_sidecar], ids=str
)


def _rendering(name: str) -> Rendering:
    return next(each for each in RENDERINGS if each.name == name)


@pytest.fixture(scope="module")
def kubernetes_validate() -> Any:
    """The validator, which is imported by the process only that runs these tests, since that takes seconds."""
    return importlib.import_module("kubernetes_validate")


def _is_custom(each: Any) -> bool:
    return str(each["apiVersion"]).startswith("monitoring.coreos.com/")


def test_the_program_serves_the_paths_of_the_probes() -> None:
    served = {route.path for route in probes(Health(alive=lambda: True, ready=lambda: True))}
    assert {probe["path"] for container in CONTAINERS for probe in container.probes} <= served


def test_every_example_is_rendered() -> None:
    examples = {path.parent.name for path in (KUBERNETES / "examples").glob("*/kustomization.yaml")}
    assert {each.name for each in EXAMPLES} == {"install", *examples - {"monitored"}}


@every_rendering
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_objects_are_valid_for_the_oldest_and_the_newest_kubernetes(
    kubernetes_validate: Any, rendering: Rendering, version: str
) -> None:
    for each in rendering.objects:
        if not _is_custom(each):
            assert version.startswith(kubernetes_validate.validate(each, version, strict=True))


@pytest.mark.parametrize(
    "rendering", [each for each in RENDERINGS if each.name in ("install", "standalone", "sidecar-plain")], ids=str
)
def test_objects_without_native_sidecar_are_valid_for_an_older_kubernetes(
    kubernetes_validate: Any, rendering: Rendering
) -> None:
    for each in rendering.objects:
        if not _is_custom(each):
            kubernetes_validate.validate(each, OLDEST_WITHOUT_NATIVE_SIDECARS, strict=True)


def test_the_validator_rejects_a_misspelt_field(kubernetes_validate: Any) -> None:
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


@every_rendering
def test_an_ingress_reaches_the_path_of_a_webhook_and_no_other_port_or_path(rendering: Rendering) -> None:
    ports = {
        (service["metadata"]["name"], port["name"]): port["targetPort"]
        for service in rendering.of_kind("Service")
        for port in service["spec"]["ports"]
    }
    container = next(exporter_containers([rendering]))
    for ingress in rendering.of_kind("Ingress"):
        assert [each["hosts"] for each in ingress["spec"]["tls"]] == [
            [each["host"]] for each in ingress["spec"]["rules"]
        ]
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                assert (path["path"], path["pathType"]) == ("/webhook/default", "Exact")
                backend = path["backend"]["service"]
                port = ports[backend["name"], backend["port"]["name"]]
                assert f"--webhook-listen-address=:{port}" in container.spec["args"]
                assert f"--web.listen-address=:{port}" not in container.spec["args"]


def test_webhooks_are_off_unless_an_example_is_about_them() -> None:
    receiving = {each.file for each in CONTAINERS if any("webhook" in argument for argument in each.spec["args"])}
    assert receiving == {"webhooks", "helm-webhooks"}
    assert {each.name for each in RENDERINGS if each.of_kind("Ingress")} == receiving


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


@pytest.mark.parametrize("container", WORKLOADS, ids=lambda each: f"{each.file}-{each.spec['name']}")
def test_the_example_workloads_comply_with_the_restricted_standard(container: Container) -> None:
    expected = {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
        "capabilities": {"drop": ["ALL"]},
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
    }
    security = container.security()
    assert {name: security.get(name) for name in expected} == expected
    assert security["runAsUser"] != 0
    assert set(container.spec["resources"]["limits"]) == {"memory"}
    assert container.pod["automountServiceAccountToken"] is False


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
def test_secrets_are_mounted_as_read_only_directories_without_subpath(container: Container) -> None:
    secrets = {volume["name"] for volume in container.volumes if "secret" in volume}
    mounts = [mount for mount in container.spec["volumeMounts"] if mount["name"] in secrets]
    assert "livepeer-api-key" in {mount["name"] for mount in mounts}
    assert all(mount["readOnly"] is True and "subPath" not in mount for mount in mounts)


@every_standalone_exporter
def test_a_standalone_exporter_has_no_token_and_a_group_for_its_key(container: Container) -> None:
    assert container.pod["automountServiceAccountToken"] is False
    assert container.pod["enableServiceLinks"] is False
    assert container.pod["securityContext"]["fsGroup"] == 65532
    assert {volume["secret"]["defaultMode"] for volume in container.volumes if "secret" in volume} == {0o440}


@every_sidecar
def test_a_sidecar_changes_neither_security_nor_readiness_of_its_pod(container: Container) -> None:
    assert container.pod.get("securityContext") == WORKLOAD_SECURITY[container.file]
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


@every_sidecar
def test_a_sidecar_s_account_is_the_name_of_its_workload(container: Container) -> None:
    [workload] = _rendering(container.file).workloads()
    [(label, name)] = workload["spec"]["selector"]["matchLabels"].items()
    account = container.variables()["LIVEPEER_EXPORTER_ACCOUNT"]
    assert account["valueFrom"]["fieldRef"]["fieldPath"] == f"metadata.labels['{label}']"
    assert name == workload["metadata"]["name"]


@every_sidecar
def test_a_sidecar_omits_the_metrics_of_the_exporter(container: Container) -> None:
    assert "--web.disable-exporter-metrics" in container.spec["args"]


def test_the_sidecar_is_native_and_its_fallback_a_plain_container() -> None:
    native = _rendering("sidecar").workloads()[0]["spec"]["template"]["spec"]
    plain = _rendering("sidecar-plain").workloads()[0]["spec"]["template"]["spec"]
    assert [each["name"] for each in native["initContainers"]] == [EXPORTER, "fetch-playlist"]
    assert native["initContainers"][0]["restartPolicy"] == "Always"
    assert [each["name"] for each in native["containers"]] == ["broadcaster"]
    assert [each["name"] for each in plain["initContainers"]] == ["fetch-playlist"]
    assert [each["name"] for each in plain["containers"]] == ["broadcaster", EXPORTER]
    assert "restartPolicy" not in plain["containers"][1]


@pytest.mark.parametrize("name", ["sidecar", "sidecar-plain"])
def test_a_sidecar_reads_its_stream_ids_from_the_annotation_of_its_pod(name: str) -> None:
    rendering = _rendering(name)
    container = next(iter(exporter_containers([rendering])))
    field = container.variables()["LIVEPEER_EXPORTER_STREAM_IDS"]["valueFrom"]["fieldRef"]["fieldPath"]
    annotation = field.removeprefix("metadata.annotations['").removesuffix("']")
    assert annotation in rendering.workloads()[0]["spec"]["template"]["metadata"]["annotations"]


def test_an_exporter_is_stopped_before_its_replacement_starts() -> None:
    spec = RENDERINGS[0].workloads()[0]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_the_shard_count_equals_the_replicas_and_the_pod_name_sets_the_index() -> None:
    shards = _rendering("shards").of_kind("StatefulSet")[0]["spec"]
    variables = {each["name"]: each for each in shards["template"]["spec"]["containers"][0]["env"]}
    assert int(variables["LIVEPEER_EXPORTER_SHARD_COUNT"]["value"]) == shards["replicas"]
    assert variables["LIVEPEER_EXPORTER_SHARD_INDEX"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}


def test_shards_prefer_different_nodes_and_require_none() -> None:
    [shards] = _rendering("shards").of_kind("StatefulSet")
    affinity = shards["spec"]["template"]["spec"]["affinity"]
    assert set(affinity) == {"podAntiAffinity"}
    [(kind, [preferred])] = affinity["podAntiAffinity"].items()
    assert kind == "preferredDuringSchedulingIgnoredDuringExecution"
    assert preferred["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    assert selects(
        preferred["podAffinityTerm"]["labelSelector"]["matchLabels"], shards["spec"]["template"]["metadata"]["labels"]
    )


def _by_name(rendering: Rendering) -> dict[str, Any]:
    return {f"{each['kind'].lower()}/{each['metadata']['name']}": each for each in rendering.objects}


def _immutable(each: Any) -> list[Any]:
    """The fields of which the API server rejects a change."""
    spec = each.get("spec", {})
    stateful_set = spec.get("serviceName") if each["kind"] == "StatefulSet" else None
    selector = spec.get("selector") if each["kind"] in ("Deployment", "StatefulSet") else None
    cluster_ip = spec.get("clusterIP") if each["kind"] == "Service" else None
    return [stateful_set, selector, cluster_ip]


def test_V17_shards_change_no_immutable_field_of_a_standalone_object() -> None:
    standalone, shards = _by_name(_rendering("standalone")), _by_name(_rendering("shards"))
    common = standalone.keys() & shards.keys()
    assert {each.partition("/")[0] for each in common} >= {"namespace", "serviceaccount", "networkpolicy", "podmonitor"}
    assert {name: _immutable(standalone[name]) for name in common} == {
        name: _immutable(shards[name]) for name in common
    }


@pytest.mark.parametrize(("old", "new"), [("standalone", "shards"), ("shards", "standalone")])
def test_V17_the_documented_change_deletes_what_the_new_example_lacks(old: str, new: str) -> None:
    page = (ROOT / "docs" / "kubernetes.md").read_text()
    [commands] = re.findall(rf"From `{old}` to `{new}`:\n\n```sh\n(.*?)```", page, re.DOTALL)
    delete, apply = commands.replace("\\\n", " ").strip().splitlines()
    assert set(re.findall(r"[a-z]+/[a-z-]+", delete)) == _by_name(_rendering(old)).keys() - _by_name(_rendering(new))
    assert "--cascade=foreground" in delete  # the new pods must not start next to the old ones
    assert apply.endswith(f"apply -k deploy/kubernetes/examples/{new}")


@every_container
def test_the_program_accepts_the_arguments_and_variables_of_its_container(container: Container, tmp_path: Path) -> None:
    for volume in container.volumes:
        if "configMap" in volume:
            for each in _rendering(container.file).of_kind("ConfigMap"):
                if each["metadata"]["name"] == volume["configMap"]["name"]:
                    for name, text in each["data"].items():
                        (tmp_path / name).write_text(text)
    where = {mount["name"]: mount["mountPath"] for mount in container.spec["volumeMounts"]}.get("settings", "")
    arguments = [each.replace(where, str(tmp_path)) if where else each for each in container.spec["args"]]
    in_the_pod = {
        "metadata.name": f"{EXPORTER}-3",
        "metadata.annotations['livepeer-session-exporter/stream-ids']": "a-stream",
        "metadata.labels['app.kubernetes.io/name']": "a-workload",
    }
    environ = {
        each["name"]: each.get("value") or in_the_pod[each["valueFrom"]["fieldRef"]["fieldPath"]]
        for each in container.spec.get("env", [])
    }
    loaded = load(parse(arguments).arguments, environ)
    assert not loaded.warnings
    health, metrics = loaded.settings.web_health_listen_address, loaded.settings.web_listen_address
    webhooks = loaded.settings.webhook_listen_address
    assert {each.port for each in (health, *metrics, webhooks) if each} == container.ports
    assert {probe["port"] for probe in container.probes} == {(health or metrics[0]).port}
    keys = [account.api_key_file for account in loaded.settings.accounts]
    mounted = {mount["mountPath"] for mount in container.spec["volumeMounts"]}
    assert all(key and str(key.parent) in mounted for key in keys)
    secrets = [account.webhook_secret_file for account in loaded.settings.accounts if account.webhook_secret_file]
    assert bool(secrets) == bool(webhooks)
    assert all(str(secret.parent) in mounted for secret in secrets)


@every_rendering
def test_a_namespace_is_the_first_object_and_contains_the_others(rendering: Rendering) -> None:
    if namespaces := rendering.of_kind("Namespace"):
        assert rendering.objects[0] == namespaces[0]
        assert {each["metadata"]["namespace"] for each in rendering.objects[1:]} == {namespaces[0]["metadata"]["name"]}


@pytest.mark.parametrize(
    "example", [*(each.name for each in RENDERINGS if each.of_kind("Namespace")), "monitored"], ids=str
)
def test_the_commands_of_an_example_create_the_namespace_before_the_secret(example: str) -> None:
    text = (KUBERNETES / "examples" / example / "kustomization.yaml").read_text()
    commands = [line.strip() for line in re.findall(r"^#   (kubectl .*)$", text, re.MULTILINE)]
    assert [" ".join(each.replace("-n livepeer-monitoring ", "").split()[1:3]) for each in commands] == [
        "apply -f",
        "create secret",
        "apply -k",
    ]
    created, applied = commands[0].split()[-1], commands[2].split()[-1]
    assert read(ROOT / created).objects[0]["kind"] == "Namespace"
    assert applied == f"deploy/kubernetes/examples/{example}"


def test_the_namespace_enforces_the_restricted_standard() -> None:
    namespace = _rendering("standalone").of_kind("Namespace")[0]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("rendering", [each for each in RENDERINGS if each.name != "helm-created-secret"], ids=str)
def test_no_rendering_contains_a_secret(rendering: Rendering) -> None:
    assert not rendering.of_kind("Secret")


def test_the_network_policy_blocks_the_metadata_service() -> None:
    policy = _rendering("standalone").of_kind("NetworkPolicy")[0]["spec"]
    blocks = [to["ipBlock"] for rule in policy["egress"] for to in rule["to"] if "ipBlock" in to]
    assert "169.254.0.0/16" in next(each["except"] for each in blocks if each["cidr"] == "0.0.0.0/0")
    assert policy["policyTypes"] == ["Ingress", "Egress"]


def test_the_network_policy_allows_dns_in_the_cluster_and_on_the_node_only() -> None:
    policy = _rendering("standalone").of_kind("NetworkPolicy")[0]["spec"]
    [dns] = [rule for rule in policy["egress"] if any(port["port"] == 53 for port in rule["ports"])]
    assert sorted((port["protocol"], port["port"]) for port in dns["ports"]) == [("TCP", 53), ("UDP", 53)]
    assert sorted(dns["to"], key=str) == [
        {"ipBlock": {"cidr": "169.254.20.10/32"}},
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}},
    ]


def test_the_scrape_annotations_are_those_of_the_exporter() -> None:
    [container] = exporter_containers([_rendering("without-operator")])
    [workload] = _rendering("without-operator").workloads()
    annotations = workload["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(*container.ports),
        "prometheus.io/path": Settings().web_telemetry_path,
    }
    assert not [each for each in _rendering("without-operator").objects if _is_custom(each)]
