"""A real Prometheus with a configuration that discovers targets from the API server."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from tests.cluster.control_plane import ControlPlane
from tests.cluster.shell import ClusterError, Shell
from tests.support.running import Prometheus, running_prometheus, wait_until

IN_POD: Final = "/etc/prometheus"
"""The directory of Prometheus's files in its pod, which a configuration refers to."""

_SHARD: Final = "$(SHARD)"
"""What the operator's configuration has in place of the shard's number, which its program in the pod fills in."""

JOB: Final = "livepeer-session-exporter"


@dataclass(frozen=True, slots=True)
class Access:
    """What a Prometheus outside of the cluster needs for its discovery, which a pod would have from its account.

    Attributes:
        url: address of the API server.
        authority: file with the certificate of its authority.
        token: token of the account.
    """

    url: str
    authority: Path
    token: str


def administrator(plane: ControlPlane) -> Access:
    """Return the access of the administrator."""
    return Access(plane.url, plane.authority, plane.token)


def localized(config: Any, access: Access, root: Path) -> Any:
    """Return a configuration for a Prometheus outside of the cluster.

    Only what a pod would provide changes: the access to the API server, the directory of files, and the number of the
    shard.
    """
    if isinstance(config, Mapping):
        changed = {key: localized(value, access, root) for key, value in config.items()}
        for discovery in changed.get("kubernetes_sd_configs", ()):
            discovery["api_server"] = access.url
            discovery["authorization"] = {"credentials": access.token}
            discovery["tls_config"] = {"ca_file": str(access.authority)}
        return changed
    if isinstance(config, list):
        return [localized(each, access, root) for each in config]
    if isinstance(config, str):
        path = str(root) + config.removeprefix(IN_POD) if config.startswith(f"{IN_POD}/") else config
        return path.replace(_SHARD, "0")
    return config


def endpoint(pod: Any, port: int) -> str:
    """Return the address of a pod's metrics."""
    return f"{pod['status']['podIP']}:{port}"


@contextmanager
def discovering(
    binary: Path, config: Any, access: Access, directory: Path, files: Mapping[str, str]
) -> Iterator[Prometheus]:
    """Run Prometheus within the context.

    Args:
        binary: path of the program.
        config: its configuration, as in a pod.
        access: its access to the API server.
        directory: directory for its files; it must not exist.
        files: the files that the configuration refers to, by their paths below `IN_POD`.
    """
    directory.mkdir(parents=True)
    directory.chmod(0o700)  # the configuration contains the token
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    with running_prometheus(str(binary), directory, localized(config, access, directory)) as prometheus:
        yield prometheus


def check_config(shell: Shell, config: Any, access: Access, directory: Path) -> None:
    """Let promtool check a configuration.

    Raises:
        ClusterError: it is not valid.
    """
    path = directory / "checked.yml"
    path.write_text(yaml.safe_dump(localized(config, access, directory)), encoding="utf-8")
    path.chmod(0o600)
    shell.run("promtool", "check", "config", "--syntax-only", str(path))


def await_targets(prometheus: Prometheus, expected: set[str]) -> list[dict[str, Any]]:
    """Wait until the active targets are exactly those expected, and return them.

    Args:
        prometheus: a running Prometheus.
        expected: addresses with ports.

    Raises:
        ClusterError: it discovered others, or not all of them.
    """

    def found() -> set[str]:
        return {target["labels"]["instance"] for target in prometheus.targets()}

    try:
        wait_until(lambda: found() == expected, "the targets", seconds=60)
    except AssertionError as error:
        raise ClusterError(f"discovered {sorted(found())}, expected {sorted(expected)}") from error
    return prometheus.targets()


def rule_count(prometheus: Prometheus) -> int:
    """Return the number of rules that Prometheus has loaded."""
    response = httpx.get(f"http://127.0.0.1:{prometheus.port}/api/v1/rules", trust_env=False)
    return sum(len(group["rules"]) for group in response.raise_for_status().json()["data"]["groups"])


def check_labels(targets: list[dict[str, Any]], namespace: str, pods: set[str]) -> None:
    """Check the labels that rules and dashboards use.

    Raises:
        ClusterError: a label is missing or has another value.
    """
    labels = [target["labels"] for target in targets]
    if {each["job"] for each in labels} != {JOB} or {each.get("namespace") for each in labels} != {namespace}:
        raise ClusterError(f"other labels than expected: {labels}")
    if {each.get("pod") for each in labels} != pods:
        raise ClusterError(f"the label pod is not one of {sorted(pods)}: {labels}")
