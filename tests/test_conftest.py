"""Hooks for all tests."""

import subprocess
import sys
from pathlib import Path

from tests.support.deadlines import HANG
from tests.support.running import ROOT, environment

SHARED_FIXTURE = """\
import pytest


@pytest.fixture(scope="module")
def service():
    {body}


def test_one(service):
    pass


@pytest.mark.parametrize("number", [1, 2])
def test_two(service, number):
    pass


def test_without_it():
    pass
"""


def run_pytest(directory: Path, body: str) -> subprocess.CompletedProcess[str]:
    """Run tests that share a fixture with the given body."""
    (directory / "test_service.py").write_text(SHARED_FIXTURE.format(body=body))
    options = ("-p", "tests.conftest", "-p", "no:cacheprovider", "--rootdir", str(directory), "-c", "pyproject.toml")
    command = [sys.executable, "-m", "pytest", *options, str(directory)]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=HANG)


def test_a_shared_fixture_that_fails_is_one_error_and_skips_the_other_tests(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "assert 1 == 2")
    assert done.returncode == 1
    assert "1 passed, 2 skipped, 1 error" in done.stdout
    assert "assert 1 == 2" in done.stdout
    assert "the fixture service failed: see test_service.py::test_one" in done.stdout
