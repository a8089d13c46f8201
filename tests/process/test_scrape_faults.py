"""Rows S01 to S11 of the fault matrix, for the real command; `tests/server` has more of them for the listener."""

import asyncio
import gzip
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.server.raw_client import RawClient
from tests.support.canary import KEY, MARK, Scanner, scanner
from tests.support.deadlines import HANG
from tests.support.loop import run_in_loop
from tests.support.rows import STREAM_KEY, Row
from tests.support.running import ROOT, Exporter, Response, environment, run, running_exporter
from tests.support.simulated import Upstream, live_row, serving_in_thread

pytestmark = pytest.mark.process

SESSIONS = 600
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class CountingUpstream(Upstream):
    """An account whose sessions have the number of requests so far as their values."""

    def __init__(self) -> None:
        super().__init__([live_row(number) for number in range(SESSIONS)])
        self._generation = 0

    def rows(self, now: float) -> list[Row]:
        self._generation += 1
        changed = {"sourceSegments": self._generation, "ingestRate": self._generation}
        return [row | changed for row in self.current_rows]


LONG_TIMEOUTS = ("--web.header-timeout", "1h", "--web.response-timeout", "1h", "--web.idle-timeout", "1h")
"""A scrape that waited for another connection would hang."""


@pytest.fixture(scope="module")
def exporter() -> Iterator[Exporter]:
    """An exporter with three sessions."""
    with (
        serving_in_thread(Upstream([live_row(number) for number in range(3)])) as url,
        running_exporter("--base-url", url, "--poll-interval", "1s", *LONG_TIMEOUTS) as exporter,
    ):
        exporter.wait_for_event("poll finished")
        yield exporter


@pytest.fixture(scope="module")
def large_exporter() -> Iterator[Exporter]:
    """An exporter with many sessions, which change with every poll."""
    with (
        serving_in_thread(CountingUpstream()) as url,
        running_exporter("--base-url", url, "--poll-interval", "1s", *LONG_TIMEOUTS) as exporter,
    ):
        exporter.wait_for_event("poll finished")
        yield exporter


@pytest.mark.parametrize("path", ["/", "/metrics", "/livez", "/readyz"])
def test_S01_the_response_to_head_is_that_of_get_without_the_body(exporter: Exporter, path: str) -> None:
    get, head = exporter.request(path), exporter.request(path, "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    assert int(head.headers["content-length"]) == pytest.approx(
        len(get.body), rel=0.1
    )  # there may be a poll in between


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/metrics", "/livez"])
def test_S02_other_methods_are_405_with_allow(exporter: Exporter, method: str, path: str) -> None:
    answer = exporter.request(path, method)
    assert answer.status == 405
    assert sorted(answer.headers["allow"].split(", ")) == ["GET", "HEAD"]


@pytest.mark.parametrize(
    "path",
    [
        "/nothing", "/metrics/", "/livez/", "//metrics", "/metrics/more", "/Metrics", "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd", "/metrics%00", "/metrics%2f", "/static/..%2f..%2fetc/passwd", "/favicon.ico",
    ],
)  # fmt: skip
def test_S03_unknown_paths_are_404(exporter: Exporter, path: str) -> None:
    answer = exporter.request(path)
    assert answer.status == 404
    assert "location" not in answer.headers


def test_S04_300_idle_and_slow_connections_do_not_delay_a_scrape_and_memory_is_bounded(
    large_exporter: Exporter,
) -> None:
    exporter = large_exporter
    exporter.request()
    threads, memory = exporter.process_status("Threads"), exporter.process_status("VmRSS")
    connections = [exporter.connect() for _ in range(300)]
    try:
        for number, each in enumerate(connections):
            each.sendall((b"", b"GET /metr", b"GET /metrics HTTP/1.1\r\nX: ")[number % 3])
        assert exporter.request().status == 200
        assert exporter.process_status("Threads") <= threads + 2
        assert exporter.process_status("VmRSS") < memory + 64 * 1024
    finally:
        for each in connections:
            each.close()


def test_S05_a_url_or_header_above_the_limit_is_rejected(exporter: Exporter) -> None:
    assert exporter.request("/metrics?" + "x" * 70_000).status == 414
    assert exporter.request("/metrics", X_Long="x" * 70_000).status == 431
    assert exporter.request().status == 200


def values_of(page: bytes, family: bytes) -> list[float]:
    """Return the values of a family's samples. This finds its lines without parsing the page, which takes longer."""
    _, _, rest = page.partition(b"\n# TYPE " + family + b" ")
    lines = rest.partition(b"\n# HELP ")[0].splitlines()[1:]
    return [float(line.rpartition(b" ")[2]) for line in lines]


def generation_of(page: bytes) -> float:
    """Return the generation of a page, and check that all its values are of this generation."""
    values = values_of(page, b"livepeer_studio_session_source_segments")
    assert len(values) == SESSIONS
    (generation,) = set(values)
    assert values_of(page, b"livepeer_studio_ingest_rate_bytes_per_second") == [generation * SESSIONS]
    (series,) = values_of(page, b"livepeer_studio_exporter_series")
    assert series > SESSIONS
    return generation


def test_S06_each_of_200_parallel_scrapes_has_one_generation(large_exporter: Exporter) -> None:
    async def scrape(encoding: str) -> bytes:
        client = await RawClient.connect(large_exporter.port)
        head = f"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {encoding}\r\n\r\n"
        answer = await client.request(head.encode())
        await client.close()
        assert answer.status == 200
        return gzip.decompress(answer.body) if encoding == "gzip" else answer.body

    seen: set[float] = set()

    async def rounds() -> None:
        while len(seen) < 3:  # until polls have replaced the page twice
            encodings = ["gzip", "identity"] * (4 if seen else 100)
            seen.update(map(generation_of, await asyncio.gather(*map(scrape, encodings))))

    run_in_loop(rounds)


def count_families(answer: Response) -> int:
    """Parse a page in the format of its headers and return the number of families."""
    body = gzip.decompress(answer.body) if answer.headers.get("content-encoding") == "gzip" else answer.body
    parse = parse_openmetrics if answer.headers["content-type"] == OPENMETRICS else parse_text
    return len(list(parse(body.decode())))


@pytest.mark.parametrize(
    ("accept", "encoding", "form", "packed"),
    [
        ("*/*", "gzip", TEXT, True),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3", "gzip", OPENMETRICS, True),
        ("application/openmetrics-text", "gzip;q=0", OPENMETRICS, False),
        ("application/openmetrics-text;version=0.0.1", "identity", TEXT, False),
        ("image/png", "br, zstd", TEXT, False),
        ("\xff;;q=\u00b2,,", "\xff;q=2", TEXT, False),
    ],
)
def test_S07_format_and_compression_follow_the_request(
    exporter: Exporter, accept: str, encoding: str, form: str, packed: bool
) -> None:
    answer = exporter.request("/metrics", Accept=accept, Accept_Encoding=encoding)
    assert (answer.status, answer.headers["content-type"]) == (200, form)
    assert (answer.headers.get("content-encoding") == "gzip") is packed
    assert count_families(answer) > 40


header = st.text(st.characters(min_codepoint=33, max_codepoint=255, blacklist_characters="\x7f"), max_size=200)


@settings(max_examples=100)
@given(accept=header, encoding=header)
def test_S07_no_accept_header_is_an_error(exporter: Exporter, accept: str, encoding: str) -> None:
    answer = exporter.request("/metrics", "HEAD", Accept=accept, Accept_Encoding=encoding)
    assert (answer.status, answer.headers["content-type"] in (TEXT, OPENMETRICS)) == (200, True)


def test_S08_slow_readers_occupy_little_memory(large_exporter: Exporter) -> None:
    exporter = large_exporter
    exporter.request()
    memory = exporter.process_status("VmRSS")
    connections = [exporter.connect() for _ in range(100)]
    try:
        for each in connections:
            each.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert exporter.request().status == 200
        assert exporter.process_status("VmRSS") < memory + 64 * 1024
    finally:
        for each in connections:
            each.close()


@pytest.mark.parametrize(
    "garbage",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GARBAGE\r\n\r\n", b"GET\x00/ HTTP/9\r\n\r\n", b"\r\n\x00"],
)
def test_S09_invalid_requests_are_closed_with_at_most_a_debug_line(exporter: Exporter, garbage: bytes) -> None:
    before = len(exporter.lines)
    with exporter.connect() as connection:
        connection.sendall(garbage + b"\r\n\r\n")
        while connection.recv(4096):
            pass
    assert exporter.request().status == 200
    assert not [line for line in exporter.lines[before:] if '"level": "debug"' not in line and "poll" not in line]


def test_S11_the_output_of_the_program_contains_neither_the_key_nor_playback_secrets(tmp_path: Path) -> None:
    secrets = (Scanner(STREAM_KEY.encode()), Scanner(b"playback-1"), Scanner(b"example.invalid"))
    rows = [live_row(1, name="x" * 300), live_row(2, isHealthy=False, issues=["something"]), live_row(3, lastSeen=1)]
    upstream = Upstream(rows)
    with serving_in_thread(upstream) as url, running_exporter("--base-url", url, "--poll-interval", "1s") as exporter:
        exporter.wait_for_event("poll finished")
        pages = [exporter.request(path).body for path in ("/", "/metrics", "/livez", "/readyz", "/nothing")]
        upstream.key = "another"  # from now on the API's 401 repeats the exporter's key
        exporter.wait_for_event("poll failed")
        pages += [exporter.request(path).body for path in ("/", "/metrics")]
        output = [*exporter.lines, *(page.decode() for page in pages)]
        for arguments in (["check"], ["once"]):
            finished = run(*arguments, "--base-url", url, "--log.level", "debug")
            assert finished.code == 1
            output += [finished.stdout, finished.stderr]
    output += [run("--help").stdout, run("--api-key", KEY).stderr]
    keys = {key.removeprefix("Bearer ") for key in upstream.authorization_headers}
    assert keys == {KEY}, "the upstream must have received the canary key"
    for each in secrets:
        each.scan("the program", "\n".join(output))
        assert each.scanned_bytes > 10_000
        assert not each.findings
    assert not scanner.findings


def test_S11_the_key_is_found_in_any_encoding() -> None:
    local = Scanner(MARK.encode())
    local.scan("a log", f"Authorization: Bearer {KEY}\n")
    local.scan("a url", b"/api/session?key=sk%2D" + MARK.upper().encode())
    local.scan("other text", "nothing")
    assert local.findings == ["a log", "a url"]


LEAKING_TESTS = """\
from tests.support.canary import KEY, scanner


def test_prints_the_key():
    print(KEY)


def test_runs_a_process_that_prints_the_key():
    scanner.scan("a process", KEY)
"""


@pytest.mark.parametrize("is_parallel", [False, True])
def test_S11_a_test_run_with_the_key_in_its_output_fails_without_repeating_it(
    is_parallel: bool, tmp_path: Path
) -> None:
    # Seconds, since pytest starts in a process of its own, and once with another one.
    file = tmp_path / "test_leaks.py"
    file.write_text(LEAKING_TESTS)
    options = ["-p", "tests.conftest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "-c", "pyproject.toml"]
    if is_parallel:
        options += ["--numprocesses", "1"]
    command = [sys.executable, "-m", "pytest", *options, str(file)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=HANG)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    found = [line.partition("found in ")[2] for line in done.stdout.splitlines() if line.startswith("S11: ")]
    assert "a process" in found
    assert any("test_prints_the_key" in source for source in found)
    assert MARK not in done.stdout + done.stderr
