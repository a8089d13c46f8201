"""The rows of `check` about one account."""

import re
import time
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from exporter.cli.check import check
from exporter.cli.once import once
from exporter.cli.terminal import FAILURE, SUCCESS
from exporter.config import load
from exporter.metrics.text_format import Format
from exporter.simulator.serve import serving
from tests.cli.output import Output, statuses
from tests.cli.settings import ENVIRONMENT, environment_with, settings_for
from tests.support.canary import KEY
from tests.support.clock import ManualClock
from tests.support.loop import advance, in_loop
from tests.support.rows import START, row
from tests.support.simulated import Upstream, live_row, never_respond


class RecordingUpstream(Upstream):
    """An upstream that records the query string of each request; its clock stands still."""

    def __init__(self, *rows: dict[str, object]) -> None:
        super().__init__(rows, now=lambda: START)
        self.queries: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.queries.append(scope["query_string"].decode())
        await super().__call__(scope, receive, send)


@pytest.mark.parametrize("changes", [{}, {"stream_ids": "parent-1,parent-2"}, {"session_window": "5m"}])
@in_loop
async def test_D08_it_sends_exactly_the_requests_of_a_poll(changes: dict[str, str]) -> None:
    queries = []
    for command in ("check", "once"):
        upstream = RecordingUpstream(*(row(number) for number in range(1, 30)))
        async with serving(upstream) as url:
            settings = settings_for(url, page_limit="10", **changes)
            if command == "check":
                assert await check(settings, environment_with(ManualClock()), Output().terminal) == SUCCESS
            else:
                assert await once(settings, environment_with(ManualClock()), Output().terminal, Format.TEXT) == SUCCESS
        queries.append(sorted(upstream.queries))
    assert queries[0] == queries[1]
    assert len(queries[0]) > 3


@in_loop
async def test_D08_it_names_the_url_the_window_and_the_series_of_the_budget() -> None:
    output = Output()
    sessions = [live_row(1), live_row(2), live_row(3, age=4000.0, record=False), live_row(4, age=1000.0)]
    async with serving(Upstream(sessions)) as url:
        assert await check(settings_for(url, max_series="10000"), ENVIRONMENT, output.terminal) == SUCCESS
        exposition = Output()
        await once(settings_for(url), ENVIRONMENT, exposition.terminal, Format.TEXT)
    series = sum(
        line.startswith(("livepeer_studio_session_", "livepeer_studio_stream_")) for line in exposition.out.splitlines()
    )
    assert re.search(rf"base URL +ok +{re.escape(url)}\n", output.out)
    assert "3 in the window of 1h: 0 pending, 2 active, 1 ended" in output.out
    assert f"{series} of at most 10000 on the page" in output.out
    assert KEY not in output.out


@in_loop
async def test_D08_recordings_before_the_window_are_counted_on_their_own() -> None:
    output = Output()
    in_five_days = (time.time() + 432_000) * 1000
    sessions = [live_row(1), live_row(2, lastSeen=0), live_row(3, age=4000.0), live_row(4, lastSeen=in_five_days)]
    async with serving(Upstream(sessions)) as url:
        assert await check(settings_for(url), ENVIRONMENT, output.terminal) == SUCCESS
    text = "3 in the window of 1h, 1 before it with unfinished or failed recordings: 1 pending, 1 active, 2 ended\n"
    assert text in output.out


@pytest.mark.parametrize(("count", "verb"), [(1, "is"), (2, "are")])
@in_loop
async def test_the_sessions_that_are_read_but_not_exported_are_counted(count: int, verb: str) -> None:
    output = Output()
    finished = [live_row(3 + number, age=4000.0, recordingStatus="ready") for number in range(count)]
    async with serving(Upstream([live_row(1), live_row(2, age=4000.0), *finished])) as url:
        assert await check(settings_for(url), ENVIRONMENT, output.terminal) == SUCCESS
    assert f"API key accepted; {2 + count} sessions in " in output.out
    assert (
        "1 in the window of 1h, 1 before it with unfinished or failed recordings: 0 pending, 1 active, 1 ended; "
        f"{count} more before it, with finished recordings, {verb} not exported\n"
    ) in output.out


@pytest.mark.parametrize(("detail", "prefix"), [("stream", "livepeer_studio_stream_"), ("account", "no such prefix")])
@in_loop
async def test_D08_the_series_are_those_of_the_detail(detail: str, prefix: str) -> None:
    output, exposition = Output(), Output()
    async with serving(Upstream([live_row(1), live_row(2), live_row(3, parentId="parent-1")])) as url:
        await check(settings_for(url, detail=detail), ENVIRONMENT, output.terminal)
        await once(settings_for(url, detail=detail), ENVIRONMENT, exposition.terminal, Format.TEXT)
    series = sum(line.startswith(prefix) for line in exposition.out.splitlines())
    assert f"{series} of sessions or streams, at detail {detail}" in output.out


@in_loop
async def test_D08_more_series_than_the_limit_are_a_warning() -> None:
    output = Output()
    async with serving(Upstream([live_row(number) for number in range(20)])) as url:
        assert await check(settings_for(url, max_series="100"), ENVIRONMENT, output.terminal) == SUCCESS
    assert re.search(r"\nseries +warning +\d+ of at most 100 on the page", output.out)


@in_loop
async def test_D08_an_admin_key_is_a_warning_with_the_number_of_users() -> None:
    output = Output()
    async with serving(Upstream([live_row(number, userId=f"user-{number % 3}") for number in range(9)])) as url:
        assert await check(settings_for(url), ENVIRONMENT, output.terminal) == SUCCESS
    assert statuses(output)["user scope"] == "warning"
    assert "this key sees 3 users" in output.out
    assert "user-1" not in output.out


@pytest.mark.parametrize(("rows", "text"), [([live_row(1)], "one user"), ([], "unknown: no session has a user id")])
@in_loop
async def test_D08_the_key_of_one_user_is_ok(rows: list[dict[str, object]], text: str) -> None:
    output = Output()
    async with serving(Upstream(rows)) as url:
        assert await check(settings_for(url), ENVIRONMENT, output.terminal) == SUCCESS
    assert re.search(rf"user scope +ok +{text}\n", output.out)


@in_loop
async def test_D08_V12_every_configured_stream_without_a_session_is_named() -> None:
    output = Output()
    async with serving(Upstream([live_row(1), live_row(2)])) as url:
        settings = settings_for(url, stream_ids="parent-1,typo-1,typo-2")
        assert await check(settings, ENVIRONMENT, output.terminal) == SUCCESS
    named = {subject for subject, status in statuses(output).items() if status == "warning"}
    assert named == {"stream typo-1", "stream typo-2"}
    assert "1 of 3 configured streams have sessions" in output.out


@in_loop
async def test_D08_a_shard_does_not_check_the_configured_streams() -> None:
    output = Output()
    async with serving(Upstream([live_row(1)])) as url:
        settings = settings_for(url, stream_ids="parent-1,typo", shard_count="2", shard_index="0")
        assert await check(settings, ENVIRONMENT, output.terminal) == SUCCESS
    assert "2 configured; not checked" in output.out
    assert set(statuses(output).values()) == {"ok"}


@in_loop
async def test_D08_a_poll_that_exceeds_its_deadline_shows_how_long_the_requests_took() -> None:
    clock = ManualClock()

    async def time_out(scope: Scope, receive: Receive, send: Send) -> None:
        clock.advance(1)
        advance(3600)
        await never_respond(scope, receive, send)

    upstream = Upstream([])
    upstream.override = time_out
    output = Output()
    async with serving(upstream) as url:
        settings = settings_for(url, request_timeout="1h", poll_deadline="20h", poll_interval="21h")
        assert await check(settings, environment_with(clock), output.terminal) == FAILURE
    assert re.search(r"account default +failed +timeout: ", output.out)
    sent = r"requests +ok +\d sent, 0 kB received, 0 repeated; \d\.00 s on average, at most \d\.00 s"
    assert re.search(sent, output.out)


@in_loop
async def test_a_poll_longer_than_the_interval_is_a_warning() -> None:
    clock = ManualClock()

    class SlowUpstream(Upstream):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            clock.advance(20)
            await super().__call__(scope, receive, send)

    output = Output()
    async with serving(SlowUpstream([row(1)], now=clock.now)) as url:
        assert await check(settings_for(url), environment_with(clock), output.terminal) == SUCCESS
    assert re.search(r"poll duration +warning +60.00 s, longer than the poll interval of 30s", output.out)


@in_loop
async def test_the_key_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    output = Output()
    async with serving(Upstream([live_row(1)])) as url:
        assert await check(load({"base_url": url, "api_key_file": str(file)}, {}), ENVIRONMENT, output.terminal) == 0
    assert f"read from {file}" in output.out


@in_loop
async def test_invalid_values_are_counted_in_a_warning() -> None:
    output = Output()
    async with serving(Upstream([live_row(1, sourceBytes="many"), live_row(2)])) as url:
        assert await check(settings_for(url), ENVIRONMENT, output.terminal) == SUCCESS
    assert statuses(output)["values"] == "warning"
    assert "1 invalid values, 0 invalid sessions" in output.out


@pytest.mark.parametrize(("offset", "text"), [(-600, "behind"), (600, "ahead of")])
@in_loop
async def test_a_clock_that_differs_from_the_apis_is_a_warning(offset: float, text: str) -> None:
    output = Output()
    async with serving(Upstream([live_row(1)], now=lambda: time.time() + offset)) as url:
        assert await check(settings_for(url), ENVIRONMENT, output.terminal) == SUCCESS
    assert statuses(output)["clock"] == "warning"
    assert re.search(rf"the API's clock is (599|600|601)\.\d s {text} this machine's", output.out)


@pytest.mark.parametrize("content", [None, "", "two words"])
@in_loop
async def test_a_missing_key_is_not_reported_as_ok(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
    sources = [({"api_key_file": str(file)}, f"not read from {file}")]
    if content is None:
        sources.append(({}, "not set in the environment"))
    async with serving(Upstream([live_row(1)])) as url:
        for arguments, result in sources:
            output = Output()
            assert await check(load({"base_url": url, **arguments}, {}), ENVIRONMENT, output.terminal) == FAILURE
            assert statuses(output) == {
                "settings": "ok",
                "account default": "failed",
                "base URL": "ok",
                "API key": "failed",
            }
            assert result in output.out


@pytest.mark.parametrize(
    ("content", "status", "result"),
    [
        (b"a-secret\nanother\n", "ok", "2 read from"),
        (None, "failed", "calls get 401"),
        (b"\n", "failed", "calls get 401"),
        (b"\xff", "failed", "calls get 401"),
    ],
)
@in_loop
async def test_the_secrets_of_a_webhook_are_read(
    tmp_path: Path, content: bytes | None, status: str, result: str
) -> None:
    file, output = tmp_path / "secret", Output()
    if content is not None:
        file.write_bytes(content)
    async with serving(Upstream([live_row(1)])) as url:
        settings = settings_for(url, webhook_listen_address="127.0.0.1:0", webhook_secret_file=str(file))
        code = await check(settings, ENVIRONMENT, output.terminal)
    assert code == (SUCCESS if status == "ok" else FAILURE)
    assert statuses(output)["webhook secret"] == status
    assert result in output.out
    assert "a-secret" not in output.out
