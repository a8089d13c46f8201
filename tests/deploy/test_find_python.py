"""`.ci/find-python` finds the interpreter that the Makefile, the check of the pins and CI use."""

import os
import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess

from deploy.lock import ROOT

NAME = "python-under-test"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def _program(directory: Path, text: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / NAME
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def _working(directory: Path) -> Path:
    return _program(directory, f'exec "{sys.executable}" "$@"')


def _find(*names: str, path: list[Path]) -> CompletedProcess[str]:
    env = {"PATH": os.pathsep.join([*map(str, path), "/usr/bin", "/bin"])}
    return subprocess.run([ROOT / ".ci" / "find-python", *names], env=env, capture_output=True, text=True, check=False)


def test_it_prints_the_version_and_the_interpreter(tmp_path: Path) -> None:
    _working(tmp_path)
    assert _find(NAME, path=[tmp_path]).stdout == f"{VERSION} {sys.executable}\n"


def test_a_shim_that_does_not_run_is_skipped(tmp_path: Path) -> None:
    _program(tmp_path / "shims", "exit 127")
    _working(tmp_path / "bin")
    assert _find(NAME, path=[tmp_path / "shims", tmp_path / "bin"]).stdout == f"{VERSION} {sys.executable}\n"


def test_the_versions_of_pyenv_are_searched(tmp_path: Path) -> None:
    _working(tmp_path / "root" / "versions" / "1.2.3" / "bin")
    pyenv = _program(tmp_path / "bin", f'[ "$1" = root ] && echo "{tmp_path}/root"')
    pyenv.rename(pyenv.with_name("pyenv"))
    assert _find(NAME, path=[tmp_path / "bin"]).stdout == f"{VERSION} {sys.executable}\n"


def test_the_first_name_that_works_is_taken(tmp_path: Path) -> None:
    _working(tmp_path)
    assert _find("no-such-python", NAME, path=[tmp_path]).stdout == f"{VERSION} {sys.executable}\n"


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    assert _find(str(_working(tmp_path)), path=[]).stdout == f"{VERSION} {sys.executable}\n"


def test_no_working_interpreter_is_an_error_with_the_names(tmp_path: Path) -> None:
    _program(tmp_path, "exit 127")
    done = _find(NAME, path=[tmp_path])
    assert (done.returncode, done.stdout) == (1, "")
    assert NAME in done.stderr
