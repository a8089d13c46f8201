"""The programs that the checks run."""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.engines.builds import MODULES, build
from tests.engines.servers import version


@dataclass(frozen=True, slots=True)
class Programs:
    """Paths of the programs; those of Debian are None if they are not installed.

    Attributes:
        prometheus: the newest Prometheus.
        promtool: its promtool.
        victoria_metrics: the newest VictoriaMetrics.
        vmalert_tool: its tool for tests of rules.
        thanos: all components of Thanos.
        debian_prometheus: Debian's Prometheus.
        debian_promtool: its promtool.
        debian_victoria_metrics: Debian's VictoriaMetrics.
    """

    prometheus: str
    promtool: str
    victoria_metrics: str
    vmalert_tool: str
    thanos: str
    debian_prometheus: str | None
    debian_promtool: str | None
    debian_victoria_metrics: str | None


def find_programs(cache: Path, versions: Mapping[str, str], log: Callable[[str], None]) -> Programs:
    """Build what is not in the cache, one program at a time, and find those of Debian.

    Args:
        cache: the directory for builds.
        versions: versions by the name of the module, instead of the tested ones.
        log: receives progress.
    """
    builds = {}
    for module in MODULES:
        chosen = module.with_version(versions.get(module.name, module.version))
        builds[module.name] = build(chosen, cache, log)
        if seconds := builds[module.name].seconds:
            log(f"built {module.name} {chosen.version} in {seconds:.0f} s")
    prometheus, victoria_metrics = builds["prometheus"], builds["victoria-metrics"]
    return Programs(
        prometheus=prometheus.path("prometheus"),
        promtool=prometheus.path("promtool"),
        victoria_metrics=victoria_metrics.path("victoria-metrics"),
        vmalert_tool=victoria_metrics.path("vmalert-tool"),
        thanos=builds["thanos"].path("thanos"),
        debian_prometheus=shutil.which("prometheus"),
        debian_promtool=shutil.which("promtool"),
        debian_victoria_metrics=shutil.which("victoria-metrics"),
    )


def named(name: str, binary: str) -> str:
    """Return the name of an engine with the version that the program reports."""
    return f"{name} {version(binary)}"


def package_version(package: str) -> str:
    """Return the version of an installed Debian package, whose program reports none."""
    command = ["dpkg-query", "--show", "--showformat=${Version}", package]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
