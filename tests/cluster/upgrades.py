"""Upgrades and rollbacks: from earlier manifests, between one exporter and shards, and with Helm."""

import re
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cluster.admission import (
    CHART,
    NAMESPACE,
    SIDECARS,
    WORKLOADS,
    Rendering,
    await_pods,
    delete_namespace,
    enforce,
    pods_of,
)
from tests.cluster.documents import code_blocks, section
from tests.cluster.shell import ClusterError, Shell

RENDERED: Final = "deploy/kubernetes/rendered"

_MARK: Final = "deploy/kubernetes/namespace/namespace.yaml"
"""The file whose addition begins the present manifests; the commit before it has the earlier ones."""

_RECREATED: Final = "shards"
"""The example whose StatefulSet has another serviceName than before, which the API server rejects as a change."""


def earlier_manifests(repository: Path) -> dict[str, str]:
    """Return the renderings of the examples before the present manifests, by example; none in a shallow clone."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=repository, capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else ""

    before = git("log", "--diff-filter=A", "--format=%P", "--", _MARK).split()
    if not before:
        return {}
    paths = git("ls-tree", "--name-only", before[-1], f"{RENDERED}/").split()
    return {Path(path).stem: git("show", f"{before[-1]}:{path}") for path in paths}


def check_upgrades(shell: Shell, earlier: dict[str, str], current: list[Rendering]) -> None:
    """Upgrade each example from the earlier manifests to the current ones, and roll back.

    Raises:
        ClusterError: a command failed, or pods were replaced or kept wrongly.
    """
    if not earlier:
        shell.report.passed("SKIPPED: this clone lacks the history with the earlier manifests", upgrades_skipped=1)
    # kubectl warns if it applies on the client what was applied on the server.
    delete_namespace(shell)
    # The earlier workloads of the sidecar's examples do not comply with Pod Security.
    enforce(shell, SIDECARS, "privileged")
    by_name = {rendering.name: rendering for rendering in current}
    for name, text in earlier.items():
        _upgrade(shell, Rendering(f"{name}, earlier", text, SIDECARS), by_name[name])
    enforce(shell, SIDECARS, "restricted")


def _upgrade(shell: Shell, before: Rendering, after: Rendering) -> None:
    recreated = after.name == _RECREATED
    pods = [_apply(shell, before)]
    if recreated:
        stateful = yaml.safe_dump_all(after.of_kind("StatefulSet"))
        command = ("kubectl", "apply", "--filename=-")
        line = shell.expect_refusal("field is immutable", *command, stdin=stateful)
        shell.report.passed(f"refused: {after.name} over its earlier StatefulSet: {line[:160]}", controls_refused=1)
    for last, following in ((before, after), (after, before)):
        if recreated:
            shell.delete(last.only().text, last.namespace)
        pods.append(_apply(shell, following))
    replaced = recreated or _templates(before) != _templates(after)
    for old, new in pairwise(pods):
        if not old or (old & new if replaced else old != new):
            raise ClusterError(f"{after.name}: pods were {'not ' if replaced else ''}replaced: {pods}")
    how = "after the deletion of the earlier ones" if recreated else "over them"
    shell.report.passed(
        f"{after.name}: the current manifests {how}, and back; pods {'replaced' if replaced else 'kept'}",
        upgrades=1,
        rollbacks=1,
    )
    for rendering in (before, after):
        shell.delete(rendering.only().text, rendering.namespace)


def _templates(rendering: Rendering) -> list[Any]:
    return [each["spec"]["template"] for each in rendering.of_kind(*WORKLOADS)]


def _apply(shell: Shell, rendering: Rendering) -> set[str]:
    """Apply as a user does, on the client, and return the ids of the pods."""
    shell.run("kubectl", "apply", f"--namespace={rendering.namespace}", "--filename=-", stdin=rendering.text)
    await_pods(shell, rendering)
    workloads = rendering.of_kind(*WORKLOADS)
    return {pod["metadata"]["uid"] for each in workloads for pod in pods_of(shell, each, rendering.namespace)}


def check_change_of_kind(shell: Shell, current: list[Rendering]) -> None:
    """Change between one exporter and shards with the commands of the documentation.

    Raises:
        ClusterError: a command failed, or objects of the other way were left over.
    """
    by_name = {rendering.name: rendering for rendering in current}
    blocks = code_blocks(section(shell.directory / "docs" / "kubernetes.md", "## One exporter and shards"))
    shell.report.note("One exporter and shards, from docs/kubernetes.md; standalone is installed")
    _apply(shell, by_name["standalone"])
    for commands, after in zip(blocks, ("shards", "standalone"), strict=True):
        for line in commands:
            shell.type(line)
        await_pods(shell, by_name[after])
        _check_only(shell, by_name[after])
        shell.report.passed(f"changed to {after} as documented, nothing of the other left", upgrades=1)
    shell.delete(by_name["standalone"].only().text, NAMESPACE)


def check_new_image(shell: Shell, current: list[Rendering]) -> None:
    """Change the image in a kustomization of the user's own, and back.

    Raises:
        ClusterError: a command failed, or the image is not what it has to be.
    """
    [standalone] = [rendering for rendering in current if rendering.name == "standalone"]
    guide = section(shell.directory / "docs" / "kubernetes.md", "## The image")
    [example] = re.findall(r"^```yaml\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    kustomization = yaml.safe_load(example)
    for tag in ("0.1.0", "0.2.0", "0.1.0"):
        kustomization["images"][0]["newTag"] = tag
        (shell.directory / "kustomization.yaml").write_text(yaml.safe_dump(kustomization), encoding="utf-8")
        shell.run("kubectl", "apply", "--kustomize=.")
        await_pods(shell, standalone)
        _check_image(shell, standalone, f"registry.example/livepeer-session-exporter:{tag}")
    shell.report.passed("kustomize: a kustomization of one's own, its image changed and back", upgrades=1, rollbacks=1)
    shell.delete(standalone.only().text, NAMESPACE)


def _check_image(shell: Shell, rendering: Rendering, expected: str) -> None:
    [pod] = pods_of(shell, rendering.of_kind("Deployment")[0], NAMESPACE)
    if (image := pod["spec"]["containers"][0]["image"]) != expected:
        raise ClusterError(f"{rendering.name}: the image is {image}, expected {expected}")


def check_helm(shell: Shell, current: list[Rendering]) -> None:
    """Install the chart, upgrade it to shards and roll back; change its image as documented; uninstall.

    Raises:
        ClusterError: a command failed, or the objects are not those of the rendering.
    """
    by_name = {rendering.name: rendering for rendering in current}
    release = ("--namespace", NAMESPACE, "livepeer-session-exporter")
    values = "deploy/helm/values"
    steps = (
        ("install", (*release, CHART, f"--values={values}/standalone.yaml"), "helm standalone"),
        ("upgrade", (*release, CHART, f"--values={values}/shards.yaml"), "helm shards"),
        ("rollback", (*release, "1"), "helm standalone"),
    )
    for command, arguments, rendering in steps:
        shell.run("helm", command, *arguments)
        await_pods(shell, by_name[rendering])
        _check_only(shell, by_name[rendering])
    shell.report.passed("helm: installed, upgraded to shards, rolled back", upgrades=1, rollbacks=1)
    shell.report.note("Upgrade and rollback, from deploy/README.md; NEW is a placeholder of the text")
    [commands] = code_blocks(section(shell.directory / "deploy" / "README.md", "## Upgrade and rollback"))
    for line, tag in zip(commands, ("0.2.0", "0.1.0"), strict=True):
        shell.type(line.replace("=NEW", "=0.2.0"))
        await_pods(shell, by_name["helm standalone"])
        _check_image(shell, by_name["helm standalone"], f"livepeer-session-exporter:{tag}")
    shell.report.passed("helm: image changed and rolled back as documented", upgrades=1, rollbacks=1)
    shell.run("helm", "uninstall", *release, "--cascade=foreground")


def _objects(shell: Shell) -> set[tuple[str, str]]:
    kinds = "deployments,statefulsets,services,podmonitors,networkpolicies"
    found = shell.get(kinds, f"--namespace={NAMESPACE}")["items"]
    return {(each["kind"], each["metadata"]["name"]) for each in found if "deletionTimestamp" not in each["metadata"]}


def _check_only(shell: Shell, rendering: Rendering) -> None:
    kinds = ("Deployment", "StatefulSet", "Service", "PodMonitor", "NetworkPolicy")
    expected = {(each["kind"], each["metadata"]["name"]) for each in rendering.of_kind(*kinds)}
    if (found := _objects(shell)) != expected:
        raise ClusterError(f"{rendering.name}: found {sorted(found)}, expected {sorted(expected)}")
