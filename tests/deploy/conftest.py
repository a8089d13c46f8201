import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.deadlines import HANG

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def _find_tool(name: str) -> str | None:
    beside_python = Path(sys.executable).with_name(name)
    return str(beside_python) if beside_python.exists() else shutil.which(name)


@pytest.fixture(scope="session")
def run_tool() -> Run:
    """Run a tool; if it is not installed, the test fails in CI and is skipped elsewhere."""

    def run(name: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        found = _find_tool(name)
        if found is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed")
        return subprocess.run([found, *map(str, arguments)], capture_output=True, text=True, timeout=HANG, check=False)

    return run


@pytest.fixture(scope="session")
def kustomize() -> str:
    """The program that renders; without one, the tests fail in CI and cover only the committed renderings elsewhere."""
    found = shutil.which("kustomize") or shutil.which("kubectl")
    if found is None:
        skip_or_fail = pytest.fail if os.environ.get("CI") else pytest.skip
        skip_or_fail("neither kubectl nor kustomize is installed: only the committed renderings are tested")
    return found
