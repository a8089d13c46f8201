"""Dispatch to the commands, and the exit codes that they share."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from exporter.cli.arguments import parse
from exporter.cli.commands import run
from exporter.cli.terminal import FAILURE, INVALID_SETTINGS, SUCCESS
from tests.cli.output import Output
from tests.support.canary import KEY

pytestmark = pytest.mark.usefixtures("root_logger_as_before")


def run_command(argv: Sequence[str], environ: Mapping[str, str] | None = None) -> tuple[int, Output]:
    output = Output()
    return run(parse(argv), environ or {"LIVEPEER_API_KEY": KEY}, output.terminal), output


@pytest.mark.parametrize("command", [[], ["check"], ["once"], ["demo"]])
def test_R08_invalid_settings_exit_with_2_and_one_line_each(command: list[str]) -> None:
    code, output = run_command([*command, "--poll-interval", "soon", "--max-series", "-1"])
    assert (code, output.out) == (INVALID_SETTINGS, "")
    assert [line.partition(":")[0] for line in output.err.splitlines()] == ["--poll-interval", "--max-series"]


@pytest.mark.parametrize("command", [["metrics"], ["metrics", "--json"]])
def test_metrics_does_not_load_the_settings(command: list[str]) -> None:
    code, output = run_command(command, {"LIVEPEER_EXPORTER_POLL_INTERVAL": "soon"})
    assert (code, output.err) == (SUCCESS, "")
    assert output.out


@pytest.mark.parametrize("command", ["check", "once"])
def test_an_unreachable_api_exits_with_1_and_a_result(command: str) -> None:
    code, output = run_command([command, "--base-url", "http://127.0.0.1:1/api", "--log.level", "error"])
    assert code == FAILURE
    assert output.out


def test_assets_writes_files_and_prints_their_paths(tmp_path: Path) -> None:
    code, output = run_command(["assets", str(tmp_path / "new")])
    assert code == SUCCESS
    assert output.out
    assert all(Path(path).is_file() for path in output.out.splitlines())


def test_assets_exits_with_1_if_the_directory_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, output = run_command(["assets", str(tmp_path / "file")])
    assert (code, output.out) == (FAILURE, "")
    assert output.err.startswith("cannot write to the directory: ")


def test_an_invalid_web_config_file_exits_with_2_and_every_error(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    file.write_text("nonsense: 1\nmore_nonsense: 2\n")
    code, output = run_command(["--web.config.file", str(file), "--web.listen-address", "127.0.0.1:0"])
    assert (code, output.out) == (INVALID_SETTINGS, "")
    assert "nonsense (line 1)" in output.err
    assert "more_nonsense (line 2)" in output.err
