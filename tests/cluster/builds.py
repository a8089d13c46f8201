"""Build the programs of a cluster from their Go modules, once per version, and keep them in a cache directory."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.go_modules import BuildError, cache_directory, download, run_go

BUILD_TIMEOUT_SECONDS: Final = 4 * 3600

KUBERNETES: Final = "v1.37.2"
ETCD: Final = "v3.7.3"
OPERATOR: Final = "v0.93.0"
OLDEST_OPERATOR: Final = "v0.79.2"
"""The oldest version that deploy/README.md names; only its custom resource definitions are used."""
HELM: Final = "v4.3.1"

PROMETHEUS: Final = "3.16.0"
"""The module of Prometheus 3.X.Y has the version v0.3XX.Y."""

_COMMON_VERSION: Final = "github.com/prometheus/common/version.Version"
_OPERATOR_MODULE: Final = "github.com/prometheus-operator/prometheus-operator"


@dataclass(frozen=True, slots=True)
class Program:
    """A program, and where its source is.

    Attributes:
        name: name of the executable.
        module: path of the Go module.
        version: version of the module.
        package: path of the main package in the module; empty for the module itself.
        version_variables: the variables of Go that the program reports its version from, with their values.
        tags: the build tags.
    """

    name: str
    module: str
    version: str
    package: str
    version_variables: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """Name of the executable in the cache, which has the versions side by side."""
        return f"{self.name}-{self.version}"


def _of_kubernetes(name: str) -> Program:
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    values = {"gitVersion": KUBERNETES, "gitMajor": major, "gitMinor": minor}
    variables = tuple((f"k8s.io/component-base/version.{key}", value) for key, value in values.items())
    return Program(name, "k8s.io/kubernetes", KUBERNETES, f"cmd/{name}", variables)


def _of_prometheus(name: str) -> Program:
    major, minor, patch = PROMETHEUS.split(".")
    version = f"v0.{major}{minor:>02}.{patch}"
    # Debian's Prometheus cannot discover targets in Kubernetes; of all discoveries, only this one is built.
    tags = ("remove_all_sd", "enable_kubernetes_sd")
    variables = ((_COMMON_VERSION, PROMETHEUS),)
    return Program(name, "github.com/prometheus/prometheus", version, f"cmd/{name}", variables, tags)


PROGRAMS: Final = (
    Program("etcd", "go.etcd.io/etcd/server/v3", ETCD, ""),
    _of_kubernetes("kube-apiserver"),
    _of_kubernetes("kube-controller-manager"),
    _of_kubernetes("kubectl"),
    Program(
        "operator",
        _OPERATOR_MODULE,
        OPERATOR,
        "cmd/operator",
        ((_COMMON_VERSION, OPERATOR.removeprefix("v")),),
    ),
    _of_prometheus("prometheus"),
    _of_prometheus("promtool"),
    Program("helm", "helm.sh/helm/v4", HELM, "cmd/helm", (("helm.sh/helm/v4/internal/version.version", HELM),)),
)


def default_cache(environment: Mapping[str, str]) -> Path:
    """Return the cache directory: CLUSTER_TEST_CACHE, or one in the user's cache directory."""
    return cache_directory(environment, "CLUSTER_TEST_CACHE", "cluster")


def build_module(program: Program, go_mod: str) -> str:
    """Return the go.mod of a module that only requires the program's.

    Args:
        program: what is built.
        go_mod: go.mod of the program's module. Kubernetes replaces its libraries by directories that the published
            module lacks. Replacements are ignored unless they are those of the main module, so here they refer to the
            published libraries, whose version v0.X.Y belongs to v1.X.Y.

    Raises:
        BuildError: it names no version of Go.
    """
    go = re.search(r"^go (\S+)$", go_mod, re.MULTILINE)
    if go is None:
        raise BuildError(f"{program.module}: go.mod has no version of Go")
    libraries = re.findall(r"^\s*(?:replace )?(\S+) => \./staging/", go_mod, re.MULTILINE)
    version = re.sub(r"^v1\.", "v0.", program.version)
    replacements = "".join(f"replace {library} => {library} {version}\n" for library in libraries)
    return f"module build\n\ngo {go[1]}\n\nrequire {program.module} {program.version}\n\n{replacements}"


def build(program: Program, cache: Path) -> Path:
    """Return the executable from the cache; build it first if it is not there.

    Raises:
        BuildError: the module cannot be downloaded or built.
    """
    target = cache / program.file_name
    if target.exists():
        return target
    work = cache / f"{program.file_name}.build"
    work.mkdir(parents=True, exist_ok=True)
    go_mod = download(program.module, program.version)["GoMod"]
    (work / "go.mod").write_text(build_module(program, Path(go_mod).read_text(encoding="utf-8")), encoding="utf-8")
    variables = " ".join(f"-X {name}={value}" for name, value in program.version_variables)
    flags = ("-mod=mod", "-ldflags", f"-s -w {variables}".strip(), "-tags", ",".join(program.tags))
    output = ("-o", str(work / program.name))
    package = "/".join(filter(None, (program.module, program.package)))
    run_go(("go", "build", *flags, *output, package), work, BUILD_TIMEOUT_SECONDS)
    (work / program.name).rename(target)
    return target


def operator_definitions(version: str) -> Path:
    """Return the directory with the custom resource definitions of a version of the operator."""
    return Path(download(_OPERATOR_MODULE, version)["Dir"]) / "example" / "prometheus-operator-crd"
