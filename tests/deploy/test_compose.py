import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from exporter.cli.arguments import parse
from exporter.config import load
from tests.deploy.manifests import DEPLOY, ROOT
from tests.support import documents

COMPOSE = DEPLOY / "compose.yaml"
ACCOUNT = DEPLOY / "compose.account.yaml"
SERVICES: dict[str, Any] = documents.load(COMPOSE.read_text())["services"]

every_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)

Run = Callable[..., CompletedProcess[str]]


def _mounts(service: Any) -> list[tuple[str, str]]:
    """Source and target of what is mounted from the repository."""
    parts = [volume.split(":") for volume in service.get("volumes", [])]
    return [(source, target) for source, target, *_ in parts if source.startswith(".")]


def test_the_files_are_valid_by_the_compose_schema(run_tool: Run) -> None:
    done = run_tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE, ACCOUNT)
    assert done.returncode == 0, done.stdout


def test_the_schema_rejects_a_misspelt_key(run_tool: Run, tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(COMPOSE.read_text().replace("cap_drop", "cap_dorp"))
    assert run_tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", path).returncode != 0


@every_service
def test_a_service_is_read_only_and_unprivileged(service: Any) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@every_service
def test_a_service_publishes_its_port_on_loopback_only(service: Any) -> None:
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


@every_service
def test_mounted_files_exist_and_are_read_only(service: Any) -> None:
    for source, _ in _mounts(service):
        assert (DEPLOY / source).exists()
    assert all(volume.endswith(":ro") for volume in service.get("volumes", []) if volume.startswith("."))


def test_third_party_images_have_an_exact_version() -> None:
    images = [service["image"] for service in SERVICES.values()]
    assert all(re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+", image) for image in images)


@pytest.mark.parametrize(("path", "command"), [(COMPOSE, "demo"), (ACCOUNT, "serve")], ids=["demo", "account"])
def test_the_program_accepts_the_command(path: Path, command: str) -> None:
    invocation = parse(documents.load(path.read_text())["services"]["exporter"]["command"])
    assert invocation.command == command
    assert not load(invocation.arguments, {}).warnings


def test_the_key_file_is_mounted_at_the_configured_path() -> None:
    account = documents.load(ACCOUNT.read_text())
    [secret] = account["secrets"]
    assert account["services"]["exporter"]["secrets"] == [secret]
    assert account["services"]["exporter"]["command"] == [f"--api-key-file=/run/secrets/{secret}"]


def test_prometheus_scrapes_the_exporter_and_sends_alerts_to_alertmanager() -> None:
    config = documents.load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    [scrape], [manager] = config["scrape_configs"], config["alerting"]["alertmanagers"]
    hosts = [scrape["static_configs"][0]["targets"][0], manager["static_configs"][0]["targets"][0]]
    assert [(host.split(":")[0], f"127.0.0.1:{host.split(':')[1]}") for host in hosts] == [
        (name, SERVICES[name]["ports"][0].rpartition(":")[0]) for name in ("exporter", "alertmanager")
    ]


def test_the_rules_are_mounted_at_the_configured_path() -> None:
    config = documents.load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    targets = {target for _, target in _mounts(SERVICES["prometheus"])}
    assert {str(Path(pattern).parent) for pattern in config["rule_files"]} <= targets


def test_the_dashboards_are_mounted_at_the_provisioned_path() -> None:
    [file] = (ROOT / "grafana" / "provisioning" / "dashboards").iterdir()
    provider = documents.load(file.read_text())
    targets = {target: source for source, target in _mounts(SERVICES["grafana"])}
    assert targets[provider["providers"][0]["options"]["path"]] == "../grafana/dashboards"


def test_the_data_source_of_grafana_is_the_prometheus_of_compose() -> None:
    [source] = (ROOT / "grafana" / "provisioning" / "datasources").iterdir()
    given = SERVICES["grafana"]["environment"]
    assert set(re.findall(r"\$\{(\w+)\}", source.read_text())) <= set(given)
    assert given["PROMETHEUS_URL"] == "http://prometheus:9090"
