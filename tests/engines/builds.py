"""Builds of the engines from their Go modules, kept in a cache."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.support.go_modules import cache_directory, download, run_go

BUILD_TIMEOUT: Final = 3600.0
"""Seconds for one program; on a loaded machine with two cores a large one takes many minutes."""


@dataclass(frozen=True, slots=True)
class Module:
    """A Go module and the programs that are built from it.

    Attributes:
        name: the name on the command line and in the cache.
        path: the path of the module.
        version: its version.
        programs: the packages of the programs, relative to the module.
        tags: build tags, separated by commas.
        variable: the variable of the linker that receives the version.
    """

    name: str
    path: str
    version: str
    programs: tuple[str, ...]
    variable: str
    tags: str = ""

    def with_version(self, version: str) -> "Module":
        """Return the module with another version."""
        return replace(self, version=version)

    def command(self, program: str, output: Path) -> list[str]:
        """Return the command that builds one program, to run in the directory of the module."""
        flags = ["-p", "2", "-trimpath", "-ldflags", f"-s -w -X {self.variable}={self.version}"]
        tags = ["-tags", self.tags] if self.tags else []
        return ["nice", "-n", "15", "go", "build", *flags, *tags, "-o", str(output), program]


_PROMETHEUS_VERSION: Final = "github.com/prometheus/common/version.Version"

MODULES: Final = (
    Module(
        "prometheus",
        "github.com/prometheus/prometheus",
        "v0.316.0",  # of Prometheus 3.16.0
        ("./cmd/prometheus", "./cmd/promtool"),
        _PROMETHEUS_VERSION,
        "remove_all_sd",  # service discovery is most of the dependencies
    ),
    Module(
        "victoria-metrics",
        "github.com/VictoriaMetrics/VictoriaMetrics",
        "v1.151.0",
        ("./app/victoria-metrics", "./app/vmalert-tool"),
        "github.com/VictoriaMetrics/VictoriaMetrics/lib/buildinfo.Version",
    ),
    Module("thanos", "github.com/thanos-io/thanos", "v0.42.4", ("./cmd/thanos",), _PROMETHEUS_VERSION, "slicelabels"),
)


def default_cache(environment: Mapping[str, str]) -> Path:
    """Return the directory for builds: of the variable ENGINES_CACHE, or in the user's cache directory."""
    return cache_directory(environment, "ENGINES_CACHE", "engines")


@dataclass(frozen=True, slots=True)
class Build:
    """The programs of a module.

    Attributes:
        module: the module.
        directory: contains the programs.
        seconds: the time of the builds of this run; 0 if all were in the cache.
    """

    module: Module
    directory: Path
    seconds: float

    def path(self, program: str) -> str:
        """Return the path of a program, such as ``promtool``."""
        return str(self.directory / program)


def build(module: Module, cache: Path, log: Callable[[str], None]) -> Build:
    """Return the programs of a module; build those that are not in the cache.

    Raises:
        BuildError: a build fails, or Go is not installed.
    """
    directory = cache / f"{module.name}-{module.version}"
    missing = [program for program in module.programs if not (directory / Path(program).name).is_file()]
    if not missing:
        return Build(module, directory, 0.0)
    directory.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    source = Path(download(module.path, module.version)["Dir"])
    for program in missing:
        log(f"building {Path(program).name} {module.version}")
        output = directory / Path(program).name
        partial = output.with_suffix(".partial")
        run_go(module.command(program, partial), source, BUILD_TIMEOUT, CGO_ENABLED="0")
        partial.rename(output)  # so that an interrupted build leaves no program
    return Build(module, directory, time.monotonic() - began)
