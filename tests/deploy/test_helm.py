"""The Helm chart: its files, its committed renderings, and, where Helm is installed, what it renders."""

import base64
import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.cli.arguments import parse
from exporter.config import Settings, load
from exporter.config.account import AccountEntry
from exporter.version import VERSION
from grafana.builder.base_urls import BaseUrls
from grafana.builder.files import generate
from grafana.builder.thresholds import DEFAULT
from tests.deploy.conftest import Run
from tests.deploy.manifests import (
    EXPORTER,
    HELM,
    ROOT,
    Rendering,
    exporter_containers,
    pod_labels,
    rendered,
    rendered_charts,
    selects,
)
from tests.support import documents
from tests.support.chart_values import descriptions
from tests.support.deadlines import HANG
from tests.support.generated_docs import generated

CHART = HELM / EXPORTER
VALUES = sorted((HELM / "values").glob("*.yaml"))
CHARTS = rendered_charts()
HELM_LABELS = {
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/version",
    "helm.sh/chart",
}
"""What the chart adds to the objects of kustomize."""
SET_BY_THE_CHART = [
    *("account", "accounts", "api_key_file", "shard_count", "shard_index"),
    *("web_config_file", "web_health_listen_address", "web_listen_address"),
    *("webhook_listen_address", "webhook_secret_file"),
]

SOURCES = [*(ROOT / "grafana" / "dashboards").glob("*.json"), *(ROOT / "grafana" / "rules").glob("*.yaml")]
"""The dashboards and rules that the chart contains."""

every_chart = pytest.mark.parametrize("chart", CHARTS, ids=str)
every_values_file = pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)


def _yaml(path: Path) -> Any:
    return documents.load(path.read_text())


def _named(name: str) -> Rendering:
    return next(each for each in [*CHARTS, *rendered()] if each.name == name)


# Without Helm.


def test_the_chart_has_the_version_of_the_exporter() -> None:
    chart = _yaml(CHART / "Chart.yaml")
    assert chart["version"] == chart["appVersion"] == VERSION


def test_the_chart_has_a_link_to_each_dashboard_and_rule_file() -> None:
    links = [path for path in (CHART / "files").rglob("*") if not path.is_dir()]
    assert sorted(path.resolve() for path in links) == sorted(path.resolve() for path in SOURCES)
    # Links to single files: the build of the sdist follows links to directories, and then omits the directories.
    assert all(path.is_symlink() and not path.readlink().is_absolute() for path in links)


def test_the_renderings_have_the_version_of_the_chart() -> None:
    for chart in CHARTS:
        [workload] = chart.workloads()
        assert workload["metadata"]["labels"]["helm.sh/chart"] == f"{EXPORTER}-{VERSION}"


def test_the_table_of_values_is_current() -> None:
    page = CHART / "README.md"
    text = page.read_text(encoding="utf-8")
    assert generated(text, Path("..", page.relative_to(ROOT)).as_posix()) == text


def _paths(values: Any, above: str = "") -> Iterator[str]:
    for name, value in values.items():
        yield f"{above}{name}"
        if isinstance(value, dict):
            yield from _paths(value, f"{above}{name}.")


def test_every_value_is_described_or_part_of_one_that_is() -> None:
    described = {path for path, _ in descriptions((CHART / "values.yaml").read_text())}
    paths = set(_paths(_yaml(CHART / "values.yaml")))
    assert described <= paths
    parts = {path for path in paths if any(path.startswith(f"{above}.") for above in described)}
    groups = {path for path in paths if any(each.startswith(f"{path}.") for each in described)}
    assert paths - described - parts == groups


def test_the_schema_has_exactly_the_values() -> None:
    def compare(schema: Any, values: Any) -> None:
        if "properties" in schema:
            assert schema["additionalProperties"] is False
            assert set(schema["properties"]) - {"global"} == set(values)
            for name, value in values.items():
                if isinstance(value, dict):
                    compare(schema["properties"][name], value)

    compare(json.loads((CHART / "values.schema.json").read_text()), _yaml(CHART / "values.yaml"))


def test_the_schema_of_an_account_has_the_keys_of_the_settings_file() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    keys = set(schema["properties"]["accounts"]["items"]["properties"])
    assert keys - {"key", "webhook_key"} == set(AccountEntry.model_fields) - {"api_key_file"}


def test_the_schema_accepts_the_values(run_tool: Run) -> None:
    done = run_tool("check-jsonschema", "--schemafile", CHART / "values.schema.json", CHART / "values.yaml", *VALUES)
    assert done.returncode == 0, done.stdout


def test_the_schema_rejects_unknown_values(tmp_path: Path, run_tool: Run) -> None:
    (tmp_path / "values.yaml").write_text("serviceMonitor: {enabled: true}")
    done = run_tool("check-jsonschema", "--schemafile", CHART / "values.schema.json", tmp_path / "values.yaml")
    assert done.returncode == 1
    assert "serviceMonitor" in done.stdout


def test_every_file_of_values_is_rendered() -> None:
    assert {each.name for each in CHARTS} == {f"helm-{path.stem}" for path in VALUES}


def _comparable(each: Any) -> Any:
    """An object without what Helm and kustomize add, and with the text of the settings file as data."""
    if isinstance(each, dict):
        kept = {name: value for name, value in each.items() if name not in {*HELM_LABELS, "checksum/settings"}}
        return {name: _comparable(value) for name, value in kept.items() if value != {}} | (
            {"settings.yaml": documents.load(each["settings.yaml"])} if "settings.yaml" in each else {}
        )
    if isinstance(each, list):  # the order of volumes and their mounts has no meaning
        named = all(isinstance(item, dict) and "name" in item for item in each)
        return [_comparable(item) for item in (sorted(each, key=lambda item: item["name"]) if named else each)]
    return each


def _comparable_objects(rendering: Rendering, *, omitted_namespace: bool) -> dict[str, Any]:
    objects = {}
    for each in rendering.objects:
        if each["kind"] != "Namespace" and "helm.sh/hook" not in each["metadata"].get("annotations", {}):
            copy = json.loads(json.dumps(each))
            if omitted_namespace:
                copy["metadata"].pop("namespace", None)
            annotations = copy.get("spec", {}).get("template", {}).get("metadata", {}).get("annotations", {})
            annotations.pop("checksum/settings", None)
            objects[f"{each['kind']} {each['metadata']['name']}"] = _comparable(copy)
    return objects


def _without_hash(objects: dict[str, Any]) -> dict[str, Any]:
    """The objects without the hash that kustomize appends to the name of the ConfigMap."""
    text = json.dumps(objects)
    for name in objects:
        kind, _, full = name.partition(" ")
        if kind == "ConfigMap" and full != EXPORTER:
            text = text.replace(full, EXPORTER)
    renamed: dict[str, Any] = json.loads(text)
    return renamed


@pytest.mark.parametrize(
    ("values", "example"),
    [
        ("default", "install"),
        ("standalone", "standalone"),
        ("without-operator", "without-operator"),
        ("projects", "projects"),
        ("shards", "shards"),
        ("webhooks", "webhooks"),
    ],
)
def test_the_chart_renders_the_objects_of_kustomize(values: str, example: str) -> None:
    base = example == "install"  # it sets no namespace
    chart = _comparable_objects(_named(f"helm-{values}"), omitted_namespace=base)
    kustomize = _comparable_objects(_named(example), omitted_namespace=base)
    assert chart == _without_hash(kustomize)


@every_chart
def test_objects_have_the_labels_of_helm_and_the_namespace_of_the_release(chart: Rendering) -> None:
    for each in chart.objects:
        assert each["metadata"]["namespace"] == "livepeer-monitoring"
        if each["kind"] != "Pod":
            assert each["metadata"]["labels"].keys() >= HELM_LABELS


@every_chart
def test_a_pod_is_scraped_in_one_way_at_most(chart: Rendering) -> None:
    monitors = chart.of_kind("PodMonitor", "ServiceMonitor", "ScrapeConfig")
    [workload] = chart.workloads()
    annotations = workload["spec"]["template"]["metadata"].get("annotations", {})
    assert len(monitors) + ("prometheus.io/scrape" in annotations) <= 1


@every_chart
def test_monitors_select_the_pods_and_scrape_their_port(chart: Rendering) -> None:
    [workload] = chart.workloads()
    [container] = workload["spec"]["template"]["spec"]["containers"]
    port = next(each["containerPort"] for each in container["ports"] if each["name"] == "metrics")
    for each in chart.of_kind("PodMonitor"):
        assert all(selects(each["spec"]["selector"]["matchLabels"], labels) for labels in pod_labels(chart))
        assert [endpoint["portNumber"] for endpoint in each["spec"]["podMetricsEndpoints"]] == [port]
    for each in chart.of_kind("ServiceMonitor"):
        [service] = chart.of_kind("Service")
        assert selects(each["spec"]["selector"]["matchLabels"], service["metadata"]["labels"])
        assert [endpoint["targetPort"] for endpoint in each["spec"]["endpoints"]] == [port]
    for each in chart.of_kind("ScrapeConfig"):
        [selector] = each["spec"]["kubernetesSDConfigs"][0]["selectors"]
        selected = dict(pair.split("=") for pair in selector["label"].split(","))
        assert all(selects(selected, labels) for labels in pod_labels(chart))
        [keep] = [rule for rule in each["spec"]["relabelings"] if rule["action"] == "keep"]
        assert keep["regex"] == str(port)
        [drop] = [rule for rule in each["spec"]["relabelings"] if rule["action"] == "drop"]
        assert (drop["sourceLabels"], drop["regex"]) == (["__meta_kubernetes_pod_phase"], "Succeeded|Failed")


@every_chart
def test_the_maximum_number_of_series_passes_the_limit_of_the_monitor(chart: Rendering) -> None:
    settings = [documents.load(each["data"]["settings.yaml"]) for each in chart.of_kind("ConfigMap")]
    highest = max([each["max_series"] for each in settings if "max_series" in each], default=Settings().max_series)
    for each in chart.of_kind("PodMonitor", "ServiceMonitor", "ScrapeConfig"):
        assert each["spec"]["sampleLimit"] > highest * 1.1


@every_chart
def test_the_pod_of_helm_test_checks_the_settings_of_the_exporter(chart: Rendering, tmp_path: Path) -> None:
    [pod] = chart.of_kind("Pod")
    [workload] = chart.workloads()
    [check], [exporter] = pod["spec"]["containers"], workload["spec"]["template"]["spec"]["containers"]
    assert check["args"] == ["check", *exporter["args"]]
    for name in ("image", "securityContext", "volumeMounts"):
        assert check[name] == exporter[name]
    for name in ("securityContext", "volumes", "automountServiceAccountToken"):
        assert pod["spec"][name] == workload["spec"]["template"]["spec"][name]
    assert parse([each for each in check["args"] if "config.file" not in each]).command == "check"
    # It must not become a target or an endpoint of the Service.
    for service in chart.of_kind("Service"):
        assert not selects(service["spec"]["selector"], pod["metadata"]["labels"])
    assert "livepeer-session-exporter/scrape" not in pod["metadata"]["labels"]


def test_the_created_secret_has_a_key_for_each_account(tmp_path: Path) -> None:
    chart = _named("helm-created-secret")
    [secret], [settings] = chart.of_kind("Secret"), chart.of_kind("ConfigMap")
    (tmp_path / "settings.yaml").write_text(settings["data"]["settings.yaml"])
    loaded = load(parse([f"--config.file={tmp_path / 'settings.yaml'}"]).arguments, {})
    files = [each.api_key_file.name for each in loaded.settings.accounts if each.api_key_file]
    assert files == list(secret["data"]) == ["one", "two"]
    assert base64.b64decode(secret["data"]["one"]) == b"not-a-real-key-1"


# With Helm.

Helm = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def helm() -> Helm:
    """Run Helm; where it is not installed, only the committed renderings are tested."""
    found = shutil.which("helm")
    if found is None:
        pytest.skip("helm is not installed: only the committed renderings are tested")

    def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([found, *map(str, arguments)], capture_output=True, text=True, timeout=HANG, check=False)

    return run


def _template(helm: Helm, *arguments: str | Path) -> Rendering:
    done = helm("template", EXPORTER, CHART, "--kube-version=1.29.0", *arguments)
    assert done.returncode == 0, done.stderr
    return Rendering("helm", tuple(each for each in documents.load_all(done.stdout) if each))


@every_values_file
def test_helm_lint_finds_nothing(helm: Helm, values: Path) -> None:
    done = helm("lint", "--strict", CHART, "--kube-version=1.29.0", "--values", values)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.usefixtures("helm")
def test_the_committed_renderings_are_current(tmp_path: Path) -> None:
    done = subprocess.run([HELM / "render.sh", tmp_path], capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == 0, done.stderr

    def objects(directory: Path) -> dict[str, list[Any]]:
        return {path.name: sorted(documents.load_all(path.read_text()), key=str) for path in directory.glob("*.yaml")}

    assert objects(tmp_path / "rendered") == objects(HELM / "rendered")


@pytest.mark.parametrize("grafana", ["https://grafana.example", "https://grafana.example/"])
def test_the_rules_are_those_of_grafana_with_the_configured_links(helm: Helm, grafana: str) -> None:
    runbooks = "https://docs.example/runbooks"
    links = f"prometheusRule.enabled=true,grafanaUrl={grafana},runbookUrl={runbooks}"
    [rule] = _template(helm, "--set", links).of_kind("PrometheusRule")
    built = documents.load(
        generate(DEFAULT, BaseUrls("https://grafana.example", runbooks))["kubernetes/prometheusrule.yaml"]
    )
    assert rule["spec"] == built["spec"]


def test_without_the_url_of_grafana_alerts_have_no_dashboard_url(helm: Helm) -> None:
    [rule] = _template(helm, "--set", "prometheusRule.enabled=true").of_kind("PrometheusRule")
    alerts = [each for group in rule["spec"]["groups"] for each in group["rules"] if "alert" in each]
    assert alerts
    assert not [each["alert"] for each in alerts if "dashboard_url" in each["annotations"]]
    assert all({"runbook", "runbook_url"} & each["annotations"].keys() for each in alerts)


def test_kube_prometheus_stack_selects_the_monitor_the_rules_and_the_dashboards(helm: Helm) -> None:
    rendering = _template(helm, "--values", HELM / "values" / "kube-prometheus-stack.yaml")
    for each in rendering.of_kind("PodMonitor", "PrometheusRule"):
        assert each["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    assert len(rendering.of_kind("PodMonitor", "PrometheusRule")) == 2
    maps = rendering.of_kind("ConfigMap")
    assert {each["metadata"]["labels"]["grafana_dashboard"] for each in maps} == {"1"}
    contained = {name: json.loads(text) for each in maps for name, text in each["data"].items()}
    assert contained == {
        path.name: json.loads(path.read_text()) for path in (ROOT / "grafana" / "dashboards").glob("*.json")
    }


_WEBHOOK = "webhooks.enabled=true,accounts[0].name=a,accounts[0].key=k,accounts[0].webhook_key=w"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("shards=2,replicas=2", "replicas has to be 1 with shards"),
        ("scrape.method=annotations,clusterLabel=home", "clusterLabel has no effect"),
        ("secret.create=true", 'secret.keys has no API key "api-key"'),
        (f"{_WEBHOOK},shards=2", "shards has to be 1 with webhooks.enabled"),
        (f"{_WEBHOOK},replicas=2", "replicas has to be 1 with webhooks.enabled"),
        ("webhooks.enabled=true", "webhooks.enabled requires the webhook_key of at least one account"),
        ("accounts[0].name=a,accounts[0].key=k,accounts[0].webhook_key=w", "has no effect without webhooks.enabled"),
        (f"{_WEBHOOK},accounts[0].webhook_secret_file=f", "both webhook_key and webhook_secret_file"),
        (f"{_WEBHOOK},webhooks.ingress.enabled=true", "webhooks.ingress.host is required"),
        (f"{_WEBHOOK},secret.create=true,secret.keys.k=key", 'secret.keys has no key "w"'),
        (
            f"{_WEBHOOK},accounts[0].name=a b,webhooks.ingress.enabled=true,webhooks.ingress.host=h",
            "path of an Ingress",
        ),
        ("web.configSecret=s,web.healthPort=9877", "web.healthPort has to differ from web.port"),
        (f"{_WEBHOOK},webhooks.port=9877", "webhooks.port has to differ"),
        (f"{_WEBHOOK},web.configSecret=s,webhooks.port=9878", "webhooks.port has to differ"),
        ("serviceMonitor.enabled=true", "serviceMonitor"),
        ("scrape.method=magic", "scrape/method"),
        *((f"settings.{name}=1", f"settings.{name} is set by the chart") for name in SET_BY_THE_CHART),
    ],
)
def test_values_that_cannot_work_are_errors(helm: Helm, values: str, message: str) -> None:
    done = helm("template", EXPORTER, CHART, "--kube-version=1.29.0", "--set", values)
    assert done.returncode != 0
    assert message in done.stderr.replace(".", "/") or message in done.stderr


@pytest.mark.parametrize(
    ("method", "scheme"), [("podMonitor", "https"), ("serviceMonitor", "https"), ("scrapeConfig", "HTTPS")]
)
def test_the_scheme_has_the_case_that_every_operator_accepts(helm: Helm, method: str, scheme: str) -> None:
    rendering = _template(helm, "--set", f"scrape.method={method},scrape.endpoint.scheme=Https")
    [spec] = [each["spec"] for each in rendering.of_kind("PodMonitor", "ServiceMonitor", "ScrapeConfig")]
    [endpoint] = spec.get("podMetricsEndpoints") or spec.get("endpoints") or [spec]
    assert endpoint["scheme"] == scheme


def test_each_account_with_a_webhook_has_a_secret_file_and_a_path(helm: Helm, tmp_path: Path) -> None:
    names = ",".join(f"accounts[{number}].name={name}" for number, name in enumerate(("one", "two", "three")))
    keys = ",".join(f"accounts[{number}].key=k{number}" for number in range(3))
    hooks = "accounts[0].webhook_key=w,accounts[2].webhook_secret_file=/secrets/three"
    ingress = (
        "webhooks.enabled=true,webhooks.port=9000,webhooks.ingress.enabled=true,webhooks.ingress.host=hooks.example"
    )
    rendering = _template(helm, "--set", f"{names},{keys},{hooks},{ingress}")
    [settings], [hosts] = rendering.of_kind("ConfigMap"), rendering.of_kind("Ingress")
    (tmp_path / "settings.yaml").write_text(settings["data"]["settings.yaml"])
    [container] = exporter_containers([rendering])
    arguments = [each for each in container.spec["args"] if "config.file" not in each]
    loaded = load(parse([*arguments, f"--config.file={tmp_path / 'settings.yaml'}"]).arguments, {}).settings
    directory = "/etc/livepeer-session-exporter/key"
    files = [None if each.webhook_secret_file is None else str(each.webhook_secret_file) for each in loaded.accounts]
    assert files == [f"{directory}/w", None, "/secrets/three"]
    assert loaded.webhook_listen_address is not None
    assert loaded.webhook_listen_address.port == 9000
    [rule] = hosts["spec"]["rules"]
    assert [each["path"] for each in rule["http"]["paths"]] == ["/webhook/one", "/webhook/three"]
    assert "tls" not in hosts["spec"]


def test_names_are_short_enough_for_the_service_and_the_pods_of_shards(helm: Helm) -> None:
    done = helm("template", "r" * 53, CHART, "--kube-version=1.29.0", "--set", "shards=3")
    assert done.returncode == 0, done.stderr
    rendering = Rendering("helm", tuple(documents.load_all(done.stdout)))
    [service], [workload] = rendering.of_kind("Service"), rendering.workloads()
    assert workload["spec"]["serviceName"] == service["metadata"]["name"]
    assert len(service["metadata"]["name"]) <= 63
    # The label controller-revision-hash of the pods is this name with a dash and a hash of ten characters.
    assert len(workload["metadata"]["name"]) <= 63 - 11


def test_the_user_can_be_left_to_the_cluster(helm: Helm) -> None:
    nulls = ",".join(f"podSecurityContext.{name}=null" for name in ("runAsUser", "runAsGroup", "fsGroup"))
    [workload] = _template(helm, "--set", nulls).workloads()
    assert workload["spec"]["template"]["spec"]["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_the_settings_that_the_chart_sets_exist() -> None:
    assert set(SET_BY_THE_CHART) - {"accounts"} <= Settings.model_fields.keys()


def test_the_package_contains_dashboards_and_rules_as_files(helm: Helm, tmp_path: Path) -> None:
    done = helm("package", CHART, "--destination", tmp_path)
    assert done.returncode == 0, done.stderr
    [package] = tmp_path.glob("*.tgz")
    with tarfile.open(package) as archive:
        files = {each.name.removeprefix(f"{EXPORTER}/") for each in archive.getmembers() if each.isfile()}
    assert {f"files/{path.parent.name}/{path.name}" for path in SOURCES} <= files
