"""Go modules: their download, and the builds of programs from them, which are kept in a cache directory."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

DOWNLOAD_TIMEOUT: Final = 3600.0
"""Seconds for one module; Kubernetes is large."""


class BuildError(Exception):
    """A program cannot be built; the message has the end of the compiler's output."""


def cache_directory(environment: Mapping[str, str], variable: str, name: str) -> Path:
    """Return the directory for builds.

    Args:
        environment: environment variables.
        variable: the variable that names the directory.
        name: of the directory in the user's cache directory if the variable is not set.
    """
    if chosen := environment.get(variable):
        return Path(chosen)
    user = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME", "~")).expanduser() / ".cache"
    return Path(user) / "livepeer-session-exporter" / name


def download(module: str, version: str) -> dict[str, str]:
    """Download a module, and return its directory (``Dir``) and the path of its go.mod (``GoMod``).

    Raises:
        BuildError: it cannot be downloaded.
    """
    # Outside of any module, so that no go.mod is read or written.
    command = ("go", "mod", "download", "-json", f"{module}@{version}")
    described: dict[str, str] = json.loads(run_go(command, Path("/"), DOWNLOAD_TIMEOUT))
    return described


def run_go(command: Sequence[str], directory: Path, timeout: float, **variables: str) -> str:
    """Run a command of Go, and return its standard output.

    Args:
        command: the command, which begins with ``go`` or with a program that runs it.
        directory: in which it runs.
        timeout: seconds that it may take.
        variables: further environment variables.

    Raises:
        BuildError: it fails, or Go is not installed.
    """
    if shutil.which("go") is None:
        raise BuildError("go is not installed; the programs are built with Go 1.26 or later")
    # The module is built alone: the source of the others in its workspace is not part of it.
    environment = {**os.environ, "GOWORK": "off", **variables}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        raise BuildError(f"{' '.join(command)}: {done.stderr[-2000:] or done.stdout[-2000:]}")
    return done.stdout
