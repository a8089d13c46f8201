import shutil
from collections.abc import Callable
from configparser import RawConfigParser
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from exporter.cli.arguments import parse
from exporter.config import load
from tests.deploy.manifests import DEPLOY

UNIT = DEPLOY / "systemd" / "livepeer-session-exporter.service"
DEFAULTS = DEPLOY / "systemd" / "livepeer-session-exporter.default"
EXPOSURE = 15
"""The highest allowed exposure score, in tenths."""

Run = Callable[..., CompletedProcess[str]]


class _RepeatedKeys(dict[str, Any]):
    """Collects all values of a key that may appear several times."""

    def __setitem__(self, key: str, value: Any) -> None:
        if isinstance(value, list) and key in self:
            self[key].extend(value)
        else:
            super().__setitem__(key, value)


@pytest.fixture(scope="module")
def service() -> dict[str, list[str]]:
    parser = RawConfigParser(dict_type=_RepeatedKeys, strict=False, empty_lines_in_values=False)
    parser.optionxform = str  # type: ignore[method-assign, assignment]  # the documented way to keep the case of keys
    parser.read(UNIT)
    return {key: value.splitlines() for key, value in parser["Service"].items()}


def _verify(run_tool: Run, root: Path, unit: str) -> CompletedProcess[str]:
    """Verify in a separate root directory with the program installed, independent of this machine."""
    for path, executable in [
        ("opt/livepeer-session-exporter/bin/livepeer-session-exporter", "/bin/true"),
        ("bin/kill", "/bin/true"),
    ]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(executable, root / path)
    units = root / "etc" / "systemd" / "system"
    units.mkdir(parents=True)
    (units / UNIT.name).write_text(unit)
    return run_tool("systemd-analyze", "verify", f"--root={root}", "--man=no", "--recursive-errors=no", UNIT.name)


def test_systemd_accepts_the_unit(run_tool: Run, tmp_path: Path) -> None:
    done = _verify(run_tool, tmp_path, UNIT.read_text())
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_rejects_a_misspelt_setting(run_tool: Run, tmp_path: Path) -> None:
    done = _verify(run_tool, tmp_path, UNIT.read_text().replace("ProtectHome=", "ProtectHone="))
    assert "Unknown key" in done.stderr


def test_the_exposure_is_low(run_tool: Run) -> None:
    done = run_tool("systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}", UNIT)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Overall exposure level" in done.stdout


def test_the_exposure_without_the_sandbox_exceeds_the_threshold(run_tool: Run, tmp_path: Path) -> None:
    bare = tmp_path / UNIT.name
    bare.write_text("[Service]\nExecStart=/bin/true\n")
    done = run_tool("systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}", bare)
    assert done.returncode != 0


def test_systemd_waits_for_readiness_and_runs_a_watchdog(service: dict[str, list[str]]) -> None:
    assert service["Type"] == ["notify"]
    assert service["WatchdogSec"] == ["60s"]


def test_invalid_settings_cause_no_restart(service: dict[str, list[str]]) -> None:
    assert service["RestartPreventExitStatus"] == ["2"]


def test_the_key_is_a_credential_and_only_its_path_is_a_variable(service: dict[str, list[str]]) -> None:
    [credential] = service["LoadCredential"]
    name = credential.partition(":")[0]
    assert service["Environment"] == [f"LIVEPEER_EXPORTER_API_KEY_FILE=%d/{name}"]


def test_the_program_accepts_the_variables_of_the_unit_and_of_its_defaults(service: dict[str, list[str]]) -> None:
    proposed = [line.removeprefix("# ") for line in DEFAULTS.read_text().splitlines() if line.startswith("# LIVEPEER_")]
    environ = dict(line.split("=", 1) for line in [*proposed, *service["Environment"]])
    [command] = service["ExecStart"]
    assert proposed
    assert not load(parse(command.split()[1:]).arguments, environ).warnings
