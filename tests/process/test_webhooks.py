"""Webhooks of the running program: a signed call shows a session seconds before the next poll."""

import http.client
import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.webhooks.signature import sign
from tests.process.samples import UP
from tests.support.canary import KEY, MARK
from tests.support.deadlines import HANG
from tests.support.rows import ident
from tests.support.running import Exporter, run, running_exporter, wait_until
from tests.support.simulated import Upstream, live_row, serving_in_thread, static_response
from tests.webhooks.calls import body

pytestmark = pytest.mark.process

SECRET = f"secret-of-{KEY}"
"""Contains the mark of the canary, so that a run fails if any output contains it."""
MARKED = {"id": "parent-1", "streamKey": f"key-of-{KEY}"}

STARTED = 'livepeer_studio_webhooks_total{account="default",event="stream.started",result="accepted"}'
REFUSED = 'livepeer_studio_webhooks_total{account="default",event="none",result="unauthorized"}'
HINTED = 'livepeer_studio_exporter_hinted_polls_total{account="default",result="success"}'


@contextmanager
def exporter_with_webhook(upstream: Upstream, directory: Path, *arguments: str) -> Iterator[tuple[Exporter, int]]:
    """Run an exporter that polls once a minute; yield it and the port of its webhooks."""
    (directory / "secret").write_text(f"{SECRET}\n")
    flags = ("--webhook-listen-address", "127.0.0.1:0", "--webhook-secret-file", str(directory / "secret"))
    with (
        serving_in_thread(upstream) as url,
        running_exporter("--base-url", url, "--poll-interval", "60s", *flags, *arguments) as exporter,
    ):
        port = exporter.wait_for_event("listening for webhooks")["port"]
        exporter.wait_for_value(UP, 1)
        yield exporter, port


def call(port: int, content: bytes, secret: str = SECRET, path: str = "/webhook/default") -> int:
    """Send a call and return the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG)
    try:
        headers = {"Livepeer-Signature": f"t={int(time.time() * 1000)},v1={sign(content, secret)}"}
        connection.request("POST", path, content, headers)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def event(number: int, name: str = "stream.started") -> bytes:
    return body(name, number, timestamp=int(time.time() * 1000), stream=MARKED)


def session_metric(number: int, parent: int = 1) -> str:
    labels = f'account="default",stream_id="parent-{parent}",session_id="{ident(number)}"'
    return f"livepeer_studio_session_source_bytes{{{labels}}}"


def test_V19_a_call_shows_the_new_session_of_its_stream_before_the_next_poll(tmp_path: Path) -> None:
    upstream = Upstream([live_row(1), live_row(2)])
    with exporter_with_webhook(upstream, tmp_path) as (exporter, port):
        polls = exporter.poll_count()
        before = exporter.request().values
        upstream.current_rows = (live_row(1), live_row(2), live_row(3, parentId="parent-1"), live_row(4))
        assert call(port, event(1)) == 204
        wait_until(lambda: exporter.value(session_metric(3)), "the new session")
        assert exporter.value(HINTED) == 1
        assert exporter.value(STARTED) == 1
        assert exporter.value(session_metric(4, parent=4)) is None
        assert exporter.poll_count() == polls
        for name in ("up", "snapshot_timestamp_seconds", "exporter_poll_last_success_timestamp_seconds"):
            sample = f'livepeer_studio_{name}{{account="default"}}'
            assert exporter.value(sample) == before[sample]
        assert exporter.request("/webhook/default", "POST").status == 404  # not on the port of the pages
        assert exporter.events("poll of a stream failed") == []


def test_V20_calls_without_the_secret_cause_no_request_and_a_rotation_needs_no_reload(tmp_path: Path) -> None:
    upstream = Upstream([live_row(1)])
    with exporter_with_webhook(upstream, tmp_path) as (exporter, port):
        requests = len(upstream.authorization_headers)
        assert [call(port, event(number), "wrong") for number in range(20)] == [401] * 20
        assert exporter.value(REFUSED) == 20  # at the next scrape
        assert call(port, event(1), path="/webhook/other") == 404
        assert len(upstream.authorization_headers) == requests
        (tmp_path / "secret").write_text(f"new-{SECRET}\n{SECRET}\n")
        assert call(port, event(1)) == call(port, event(2), f"new-{SECRET}") == 204
        (tmp_path / "secret").write_text(f"new-{SECRET}\n")
        assert call(port, event(3)) == 401
        assert exporter.value(REFUSED) == 21
        exporter.send_signal(signal.SIGHUP)
        exporter.wait_for_event("settings reloaded")
        assert call(port, event(4), f"new-{SECRET}") == 204


def test_V19_a_flood_of_calls_causes_a_bounded_number_of_requests(tmp_path: Path) -> None:
    upstream = Upstream([live_row(1)])
    with exporter_with_webhook(upstream, tmp_path, "--webhook-max-requests-per-minute", "6") as (exporter, port):
        requests = len(upstream.authorization_headers)
        content = event(1)
        assert {call(port, content) for _ in range(300)} == {204}  # one call again and again
        wait_until(lambda: (exporter.value(HINTED) or 0) >= 1, "a poll of the stream")
        assert {call(port, event(number)) for number in range(300)} == {204}
        assert exporter.value(UP) == 1
        assert len(upstream.authorization_headers) <= requests + 6


def test_S11_no_output_contains_the_stream_key_of_a_body(tmp_path: Path) -> None:
    upstream = Upstream([live_row(1)])
    key = MARKED["streamKey"]
    valid = event(1)
    now = int(time.time() * 1000)
    bodies = {
        valid: 204,
        valid[:-1]: 400,  # cut off behind the key
        valid.replace(b'"streamKey"', b'"streamKey" '): 204,
        b"\xff" + valid: 400,
        key.encode(): 400,
        json.dumps(key).encode(): 400,
        json.dumps({"id": 1, "event": key, "stream": key}).encode(): 400,
        b'{"id": "a", "event": "b", "stream": {"id": "' + key.encode() + b'", "x": ' + b"[" * 60_000: 400,
        body("stream.started", id=f"{key} "): 400,
        body("stream.started", id=key, timestamp=now, stream=MARKED): 204,
        body(key, 2, timestamp=now, stream=MARKED): 204,
        body("stream.started", 3, timestamp=key, createdAt=key, stream=MARKED): 204,
        body("stream.started", 4, timestamp=now, stream={"id": f"{key} ", "parentId": [key]}): 204,
        body("stream.started", 5, timestamp=1, stream=MARKED): 401,
        body("stream.started", 6, timestamp=now, stream=MARKED, payload={key: "x" * 70_000}): 413,
    }
    outputs: list[str] = []
    with exporter_with_webhook(upstream, tmp_path) as (exporter, port):
        upstream.override = static_response(500, b"an error")  # the polls of streams fail, and are logged
        for content, status in bodies.items():
            assert call(port, content) == status
            assert call(port, content, "wrong") in (401, 413)
        exporter.wait_for_event("poll of a stream failed")
        outputs += [exporter.request(path).body.decode() for path in ("/metrics", "/", "/?live")]
        exporter.send_signal(signal.SIGTERM)
        exporter.wait_for_exit()
        wait_until(lambda: exporter.at_end, "the end of the log")
        outputs += exporter.lines
    assert "poll of a stream failed" in "".join(outputs)
    assert [each for each in outputs if MARK in each] == []


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--shard-count", "2"], "--shard-count"),
        (["--web.listen-address", "127.0.0.1:9"], "must differ from --web.listen-address"),
    ],
)
def test_a_conflict_is_an_error_of_the_command_line(flags: list[str], reason: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a")
    secret = ("--webhook-secret-file", str(tmp_path / "secret"))
    result = run("--webhook-listen-address", "127.0.0.1:9", *secret, *flags)
    assert result.code == 2
    assert reason in result.stderr
    assert json.dumps(SECRET) not in result.stderr


@pytest.mark.parametrize("flag", ["--webhook-secret-file", "--webhook-listen-address"])
def test_an_address_needs_a_secret_and_a_secret_needs_an_address(flag: str) -> None:
    result = run(flag, "127.0.0.1:9")
    assert result.code == 2
    assert flag in result.stderr
