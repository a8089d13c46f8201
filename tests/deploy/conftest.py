import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def _find(name: str) -> str | None:
    beside_python = Path(sys.executable).with_name(name)
    return str(beside_python) if beside_python.exists() else shutil.which(name)


@pytest.fixture(scope="session")
def run_tool() -> Run:
    """Runs a tool to its end; one that is not installed is a failure in CI and a skip elsewhere."""

    def run(name: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        found = _find(name)
        if found is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed")
        return subprocess.run([found, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)

    return run


@pytest.fixture(scope="session")
def kustomize() -> str:
    """A program that renders. CI may have none; the committed renderings and their own tests stand in then."""
    found = shutil.which("kustomize") or shutil.which("kubectl")
    if found is None:
        pytest.skip("neither kubectl nor kustomize is installed: only the committed renderings are tested")
    return found
