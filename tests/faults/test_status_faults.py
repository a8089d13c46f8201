"""Rows U01 to U10 of the fault matrix: statuses, redirects and empty responses."""

from collections import Counter
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path

import pytest

from tests.faults.scripted import VALID, assert_fails, polled
from tests.support.canary import KEY, MARK
from tests.support.harness import Harness, captured_log, harness
from tests.support.loop import in_loop
from tests.support.rows import START, ident, page, row
from tests.support.upstream import Request, Upstream, always, reply, upstream

UNAUTHORIZED = reply(f'{{"errors": ["no token {KEY} found"]}}'.encode(), 401)


async def assert_paused(program: Harness, server: Upstream) -> None:
    """Assert that polls in the 59 s after a rejection send no request."""
    requests = len(server.requests)
    for _ in range(59):
        program.time.advance(1)
        assert await program.poller.poll() == 1
    assert len(server.requests) == requests


@in_loop
async def test_U01_an_unknown_key_is_an_auth_failure_and_polled_slowly() -> None:
    async with polled(poll_interval=1, jitter=0) as (server, program):
        server.script = always(UNAUTHORIZED)
        await program.poll()
        program.assert_poll_failed("auth", ident(1))
        await assert_paused(program, server)


@in_loop
async def test_U01_a_changed_key_file_is_used_at_once(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("old-key\n")
    async with upstream(VALID) as server, harness(server.url, api_key_file=file) as program:

        async def script(request: Request) -> AsyncIterator[bytes]:
            file.write_text(f" {KEY}\n")
            yield reply(page(row(1))) if request.headers["authorization"] == f"Bearer {KEY}" else UNAUTHORIZED

        server.script = script
        await program.poll()
        assert program.last_scrape.value("up") == 1
        assert max(Counter(request.target for request in server.requests).values()) <= 2
        assert program.redacted_secrets == ["old-key", KEY]


@in_loop
async def test_U01_a_changed_key_is_tried_only_once(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("key-0")
    async with upstream(VALID) as server, harness(server.url, api_key_file=file) as program:

        async def script(_request: Request) -> AsyncIterator[bytes]:
            file.write_text(f"key-{len(server.requests)}")
            yield UNAUTHORIZED

        server.script = script
        await program.poll()
        assert set(program.last_scrape.failures()) == {"auth"}
        assert max(Counter(request.target for request in server.requests).values()) <= 2


@in_loop
async def test_U01_a_body_that_repeats_the_key_is_neither_logged_nor_displayed() -> None:
    with captured_log() as log:
        async with polled() as (server, program):
            server.script = always(UNAUTHORIZED)
            await program.poll()
            shown = program.last_scrape.text + await program.status_page()
    assert "the API rejected the key" in log.getvalue()
    assert MARK not in log.getvalue() + shown
    assert "no token" not in log.getvalue() + shown


@in_loop
async def test_U02_a_forbidden_key_is_polled_slowly() -> None:
    async with polled(poll_interval=1, jitter=0) as (server, program):
        server.script = always(reply(b'{"errors": ["forbidden"]}', 403))
        await program.poll()
        program.assert_poll_failed("forbidden", ident(1))
        await assert_paused(program, server)


@in_loop
async def test_U03_a_wrong_path_has_a_hint_to_check_the_base_url() -> None:
    async with polled() as (server, program):
        server.script = always(reply(b'{"errors": ["not found"]}', 404))
        await program.poll()
        program.assert_poll_failed("not_found", ident(1))
        assert "check the base URL" in await program.status_page()


@pytest.mark.parametrize("status", [400, 409, 422])
@in_loop
async def test_U04_a_rejected_request_restarts_pagination_once(status: int) -> None:
    async with polled() as (server, program):
        server.script = always(reply(b'{"errors": ["error parsing filters"]}', status))
        await program.poll()
        program.assert_poll_failed("client", ident(1))
        assert max(Counter(request.target for request in server.requests).values()) == 2


@in_loop
async def test_U04_restarted_pagination_may_succeed() -> None:
    async with polled() as (server, program):

        async def script(_request: Request) -> AsyncIterator[bytes]:
            yield reply(b"{}", 400) if len(server.requests) == 1 else reply(page(row(1)))

        server.script = script
        await program.poll()
        assert program.last_scrape.value("up") == 1


def http_date(seconds: float) -> str:
    return formatdate(START + seconds, usegmt=True)


@pytest.mark.parametrize(
    ("retry_after", "date", "wait"),
    [
        ("120", None, 120),
        ("0", None, 1),
        ("1000000000", None, 900),
        (http_date(300), http_date(0), 300),
        (http_date(86_700), http_date(86_400), 300),  # compared with the response's Date, not with the local clock
        (http_date(-300), http_date(0), 1),
        (http_date(1e9), http_date(0), 900),
        (None, None, 1),
        ("-5", None, 1),
        ("1e9", None, 1),
        ("soon", None, 1),
        ("", None, 1),
    ],
)
@in_loop
async def test_U05_retry_after_is_respected_between_1_second_and_15_minutes(
    retry_after: str | None, date: str | None, wait: float
) -> None:
    async with polled(poll_interval=1, jitter=0) as (server, program):
        headers = {"Retry-After": retry_after, "Date": date}
        server.script = always(reply(b"", 429, {name: value for name, value in headers.items() if value is not None}))
        assert await program.poll() == wait
        program.assert_poll_failed("rate_limited", ident(1))
        assert (program.last_scrape.value("exporter_api_throttled_total") or 0) >= 1


@pytest.mark.parametrize(
    ("status", "failure"), [(401, "auth"), (403, "forbidden"), (404, "not_found"), (408, "client"), (501, "server")]
)
@in_loop
async def test_U05_retry_after_is_respected_with_every_error_status(status: int, failure: str) -> None:
    async with polled(poll_interval=1, jitter=0) as (server, program):
        server.script = always(reply(b"{}", status, {"Retry-After": "700"}))
        assert await program.poll() == 700
        program.assert_poll_failed(failure, ident(1))


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@in_loop
async def test_U06_a_failing_request_is_retried_twice(status: int) -> None:
    async with polled(walk_concurrency=1) as (server, program):
        server.script = always(reply(b"<h1>Bad gateway</h1>", status))
        await program.poll()
        program.assert_poll_failed("server", ident(1))
        assert max(Counter(request.target for request in server.requests).values()) == 3
        assert all(0.5 <= slept <= 2 for slept in program.time.slept)


@in_loop
async def test_U06_a_successful_retry_is_no_failure() -> None:
    async with polled() as (server, program):

        async def script(_request: Request) -> AsyncIterator[bytes]:
            unavailable = reply(b"", 503, {"Retry-After": "2"})
            yield unavailable if len(server.requests) == 1 else reply(page(row(1)))

        server.script = script
        await program.poll()
        assert program.last_scrape.value("up") == 1
        assert program.last_scrape.value("exporter_api_retries_total") == 1
        assert program.time.slept == [2]


@in_loop
async def test_U06_with_a_long_retry_after_the_poll_fails_without_a_retry() -> None:
    async with polled(poll_interval=1) as (server, program):
        server.script = always(reply(b"", 503, {"Retry-After": "600"}))
        assert await program.poll() == 600
        program.assert_poll_failed("server", ident(1))
        assert program.time.slept == []


@in_loop
async def test_U06_a_slow_failure_is_not_retried_if_the_retry_would_exceed_the_deadline() -> None:
    async with polled(poll_interval=30, walk_concurrency=1) as (server, program):

        async def script(_request: Request) -> AsyncIterator[bytes]:
            program.time.advance(0.6 * program.poller.plan.deadline)
            yield reply(b"", 504)

        server.script = script
        await program.poll()
        program.assert_poll_failed("server", ident(1))
        assert program.time.slept == []


@in_loop
async def test_U06_a_slow_failure_during_pagination_does_not_lead_to_offsets() -> None:
    async with polled(poll_interval=30, walk_concurrency=1, page_limit=2) as (server, program):

        async def script(request: Request) -> AsyncIterator[bytes]:
            if "cursor" in request.query:
                program.time.advance(0.6 * program.poller.plan.deadline)
                yield reply(b"", 500)
            else:
                more = '<http://x.invalid/api/session?cursor=skip2>; rel="next"'
                yield reply(page(row(1), row(2)), headers={"Link": more})

        server.script = script
        before = len(server.requests)
        await program.poll()
        program.assert_poll_failed("server", ident(1))
        assert not [request for request in server.requests[before:] if "skip" in request.query.get("cursor", "")]


@in_loop
async def test_U06_stale_data_disappears_and_the_other_metrics_stay() -> None:
    async with polled(max_staleness=300) as (server, program):
        server.script = always(reply(b"", 502))
        for _ in range(3):
            program.time.advance(80)
            await program.poll()
            program.assert_poll_failed("server", ident(1))
        program.time.advance(100)
        await program.scrape()
        assert program.last_scrape.sessions() == set()
        assert not program.last_scrape.all("sessions")
        assert program.last_scrape.value("up") == 0
        assert program.last_scrape.value("snapshot_timestamp_seconds") == START
        assert program.last_scrape.value("exporter_poll_failures_total", **{"class": "server"}) == 3
        assert program.last_scrape.value("exporter_poll_consecutive_failures") == 3
        assert program.last_scrape.value("source_bytes_total") == 0


@in_loop
async def test_U07_a_missing_ingest_is_a_server_failure_with_a_hint() -> None:
    async with polled() as (server, program):
        server.script = always(reply(b"", 501))
        await program.poll()
        program.assert_poll_failed("server", ident(1))
        assert "no ingest configured" in await program.status_page()
        assert program.time.slept == []


@pytest.mark.parametrize(
    "response", [b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", reply(b""), reply(b" \n")]
)
@in_loop
async def test_U08_an_empty_response_does_not_mean_no_sessions(response: bytes) -> None:
    await assert_fails(always(response), "decode")


@in_loop
async def test_U09_an_empty_array_means_no_sessions() -> None:
    async with polled() as (server, program):
        server.script = always(reply(b"[]"))
        await program.poll()
        assert program.last_scrape.value("up") == 1
        assert program.last_scrape.sessions() == set()
        assert {value for _, value in program.last_scrape.all("sessions")} == {0}
        assert program.last_scrape.value("ingest_rate_bytes_per_second") == 0


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
@in_loop
async def test_U10_a_redirect_is_not_followed(status: int) -> None:
    async with upstream(VALID) as other:
        for target in (f"{other.url}/session", "/api/elsewhere"):
            await assert_fails(always(reply(b"", status, {"Location": target})), "redirect")
        assert other.connections == 0
