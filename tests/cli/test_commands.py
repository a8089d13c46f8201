"""What each command answers, and with which exit code."""

import asyncio
import io
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.cli import commands
from exporter.cli.arguments import parse
from exporter.cli.commands import DEMO_SETTINGS, FAILED, FINE, WRONG_SETTINGS, Terminal
from exporter.config import LoadedSettings, load
from exporter.logs import Redactor
from exporter.metrics import catalogue
from exporter.metrics.text_format import Format
from exporter.runtime.app import Environment
from exporter.simulator.serve import serving
from tests.support.canary import KEY, heard
from tests.support.loop import in_loop
from tests.support.running import Answer
from tests.support.simulated import Upstream, answering, live

pytestmark = pytest.mark.usefixtures("root_logger_as_before")

OUTSIDE = Environment(time.time, time.monotonic, lambda: 0.5, lambda _: None)


class Screen(io.StringIO):
    """A terminal's screen, or a file."""

    def __init__(self, *, is_terminal: bool = False) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def screens(*, is_terminal: bool = False) -> tuple[Terminal, Screen, Screen]:
    out, err = Screen(is_terminal=is_terminal), Screen(is_terminal=is_terminal)
    return Terminal(out, err), out, err


def said(*streams: Screen) -> list[str]:
    """What stands on each screen; the canary's ear listens."""
    texts = [stream.getvalue() for stream in streams]
    for text in texts:
        heard.take("a command", text)
    return texts


def loaded(url: str, **changes: str) -> LoadedSettings:
    return load({"base_url": url, **changes}, {"LIVEPEER_API_KEY": KEY})


@pytest.mark.parametrize("form", Format)
@in_loop
async def test_once_prints_a_whole_exposition(form: Format) -> None:
    terminal, out, err = screens()
    async with serving(Upstream([live(1), live(2)])) as url:
        assert await commands.once(loaded(url), OUTSIDE, terminal, form) == FINE
    text, beside = said(out, err)
    parse = parse_openmetrics if form is Format.OPENMETRICS else parse_text
    families = list(parse(text))
    assert "livepeer_studio_session_active" in {each.name for each in families}
    assert "livepeer_studio_exporter_build_info" in {each.name for each in families}
    assert text.endswith("# EOF\n") is (form is Format.OPENMETRICS)
    assert beside == ""


@in_loop
async def test_once_that_fails_prints_what_there_is_and_answers_1() -> None:
    upstream = Upstream([])
    upstream.instead = answering(500)
    terminal, out, _ = screens()
    async with serving(upstream) as url:
        quick = loaded(url, poll_interval="2s", poll_deadline="1s")
        assert await commands.once(quick, OUTSIDE, terminal, Format.TEXT) == FAILED
    assert Answer(200, {}, said(out)[0].encode()).values['livepeer_studio_up{account="default"}'] == 0


@in_loop
async def test_once_says_what_is_wrong_with_the_ca_file() -> None:
    terminal, out, err = screens()
    assert (
        await commands.once(loaded("https://127.0.0.1/api", ca_file="missing.pem"), OUTSIDE, terminal, Format.TEXT) == 1
    )
    assert said(out, err) == ["", "the CA file cannot be used: No such file or directory\n"]


@pytest.mark.parametrize("is_terminal", [True, False])
@in_loop
async def test_a_long_walk_shows_its_progress_on_a_terminal_alone_and_wipes_it_out(is_terminal: bool) -> None:
    terminal, out, err = screens(is_terminal=is_terminal)
    async with serving(Upstream([live(number) for number in range(30)])) as url:
        assert await commands.once(loaded(url, page_limit="10"), OUTSIDE, terminal, Format.TEXT) == FINE
    text, progress = said(out, err)
    assert "\r" not in text
    assert ("pages, " in progress) is is_terminal
    assert progress == "" or progress.endswith("\r\x1b[K")


@in_loop
async def test_check_says_for_people_that_all_is_well() -> None:
    terminal, out, _ = screens()
    async with serving(Upstream([live(1), live(2)])) as url:
        assert await commands.check(loaded(url), OUTSIDE, terminal) == FINE
    (text,) = said(out)
    assert "the key is good; 2 sessions" in text
    assert "nothing odd" in text


@in_loop
async def test_check_names_values_that_cannot_be_read() -> None:
    terminal, out, _ = screens()
    async with serving(Upstream([live(1, sourceBytes="many"), live(2)])) as url:
        assert await commands.check(loaded(url), OUTSIDE, terminal) == FINE
    assert "1 of this page could not be read" in said(out)[0]


@in_loop
async def test_check_notices_a_clock_that_is_wrong() -> None:
    terminal, out, _ = screens()
    async with serving(Upstream([live(1)], now=lambda: time.time() - 600)) as url:
        assert await commands.check(loaded(url), OUTSIDE, terminal) == FINE
    (text,) = said(out)
    assert "the API's clock is -" in text
    assert "odd" in text


@pytest.mark.parametrize(
    ("status", "word"), [(401, "auth: "), (403, "forbidden: "), (404, "not_found: "), (302, "redirect: ")]
)
@in_loop
async def test_check_that_fails_says_why_and_answers_1(status: int, word: str) -> None:
    upstream = Upstream([])
    upstream.instead = answering(status, f"no token {KEY} found".encode())
    terminal, out, _ = screens()
    async with serving(upstream) as url:
        assert await commands.check(loaded(url), OUTSIDE, terminal) == FAILED
    (text,) = said(out)
    assert "failed" in text
    assert word in text


@in_loop
async def test_check_says_what_is_wrong_with_the_ca_file() -> None:
    terminal, out, _ = screens()
    assert await commands.check(loaded("https://127.0.0.1/api", ca_file="missing.pem"), OUTSIDE, terminal) == FAILED
    assert "the CA file cannot be used: No such file or directory" in said(out)[0]


def test_metrics_names_every_metric_with_type_labels_and_meaning() -> None:
    terminal, out, _ = screens()
    assert commands.metrics(terminal, as_json=False) == FINE
    (text,) = said(out)
    for family, labels in catalogue.everything(catalogue.EVERY_OPTION):
        assert f"{family.name}{{{','.join((*labels, *family.labels))}}}  {family.type}\n    {family.help}\n" in text


def test_metrics_for_programs_is_json_of_the_same() -> None:
    terminal, out, _ = screens()
    assert commands.metrics(terminal, as_json=True) == FINE
    rows = json.loads(said(out)[0])
    families = [family for family, _ in catalogue.everything(catalogue.EVERY_OPTION)]
    assert [row["name"] for row in rows] == [family.name for family in families]
    assert set(rows[0]) == {"name", "type", "labels", "help", "no_sample_when"}


def test_assets_writes_files_and_names_them(tmp_path: Path) -> None:
    terminal, out, _ = screens()
    assert commands.assets(tmp_path / "new", terminal) == FINE
    written = said(out)[0].splitlines()
    assert written
    assert all(Path(path).is_file() for path in written)


def test_assets_into_what_is_no_directory_answers_1_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    terminal, out, err = screens()
    assert commands.assets(tmp_path / "file", terminal) == FAILED
    assert said(out, err)[1].startswith("the directory cannot be written: ")


def run(argv: Sequence[str], environ: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    terminal, out, err = screens()
    code = commands.run(parse(argv), environ or {"LIVEPEER_API_KEY": KEY}, terminal)
    text, beside = said(out, err)
    return code, text, beside


@pytest.mark.parametrize("command", [[], ["check"], ["once"], ["demo"]])
def test_R08_wrong_settings_are_2_with_a_line_each(command: list[str]) -> None:
    code, out, err = run([*command, "--poll-interval", "soon", "--max-series", "-1"])
    assert (code, out) == (WRONG_SETTINGS, "")
    assert [line.partition(":")[0] for line in err.splitlines()] == ["--poll-interval", "--max-series"]


@pytest.mark.parametrize("command", [["metrics"], ["metrics", "--json"]])
def test_metrics_needs_no_settings(command: list[str]) -> None:
    code, out, err = run(command, {"LIVEPEER_EXPORTER_POLL_INTERVAL": "soon"})
    assert (code, err) == (FINE, "")
    assert out


def test_check_and_once_run_by_their_names() -> None:
    for command in ("check", "once"):
        code, out, _ = run([command, "--base-url", "http://127.0.0.1:1/api", "--log.level", "error"])
        assert code == FAILED
        assert out


def test_assets_runs_by_its_name(tmp_path: Path) -> None:
    code, out, _ = run(["assets", str(tmp_path)])
    assert (code, bool(out)) == (FINE, True)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - it becomes so without an event
        await asyncio.sleep(0.01)


async def ended_by_a_signal(running: Awaitable[int], listens: Callable[[], bool]) -> int:
    """Wait until a daemon listens, stop it as a terminal would, and give its exit code."""
    task = asyncio.ensure_future(running)
    await until(lambda: listens() or task.done())
    if not task.done():  # else the signal would be for us
        os.kill(os.getpid(), signal.SIGINT)
    return await task


@in_loop
async def test_the_demo_invites_and_ends_with_0() -> None:
    terminal, out, err = screens()
    environ = {"LIVEPEER_API_KEY": "somebody's own", "LIVEPEER_EXPORTER_API_KEY_FILE": "no-such-file"}
    invocation = parse(["demo", "--web.listen-address", "127.0.0.1:0", "--log.format", "json"])
    running = commands.demo(invocation, environ, OUTSIDE, Redactor(), terminal)
    finished = 'event": "poll finished"'
    assert await ended_by_a_signal(running, lambda: finished in err.getvalue()) == FINE
    invitation, log = said(out, err)
    assert "for Prometheus  http://localhost:" in invitation
    assert f'"account": "{DEMO_SETTINGS["account"]}"' in log
    assert "somebody's own" not in log
    assert "poll failed" not in log


@in_loop
async def test_serving_on_a_taken_port_is_1_with_a_line() -> None:
    terminal, out, err = screens()
    async with serving(Upstream([])) as url:
        port = url.removesuffix("/api").rpartition(":")[2]
        settings = loaded(url, web_listen_address=f"127.0.0.1:{port}")
        assert await commands.serve(lambda: settings, settings, OUTSIDE, {}, terminal) == FAILED
    assert said(out, err) == ["", f"cannot listen on 127.0.0.1:{port}: Address already in use\n"]


@in_loop
async def test_serving_with_a_wrong_web_configuration_is_2_with_every_mistake(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    file.write_text("nonsense: 1\nmore_nonsense: 2\n")
    terminal, out, err = screens()
    settings = loaded("http://127.0.0.1:1/api", web_config_file=str(file), web_listen_address="127.0.0.1:0")
    assert await commands.serve(lambda: settings, settings, OUTSIDE, {}, terminal) == WRONG_SETTINGS
    text, mistakes = said(out, err)
    assert text == ""
    assert "nonsense (line 1)" in mistakes
    assert "more_nonsense (line 2)" in mistakes
