"""Rows P01 to P23 of the fault matrix: invalid and hostile pages.

The property tests of rows P22 and P23 are in ``tests/livepeer/test_pagination.py``, those of single values in
``tests/livepeer/test_lenient.py``.
"""

import asyncio
import json
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.livepeer.json_tokens import MAX_REPLACED_BYTES
from exporter.livepeer.page_reader import MAX_SESSIONS
from tests.support.harness import Harness, harness
from tests.support.loop import in_loop
from tests.support.rows import START, Row, encoded, ident, page, row
from tests.support.upstream import Request, Script, Upstream, always, reply, upstream

pytestmark = pytest.mark.untraced


@asynccontextmanager
async def polled(script: Script, **settings: Any) -> AsyncIterator[tuple[Upstream, Harness]]:
    """Run the exporter against a scripted upstream, and poll once."""
    async with upstream(script) as server, harness(server.url, **settings) as program:
        await program.poll()
        yield server, program


async def poll_page(body: bytes, **settings: Any) -> Harness:
    """Poll one page, which must succeed."""
    async with polled(always(reply(body)), **settings) as (_, program):
        assert program.last_scrape.value("up") == 1, program.poller.status.failure
        return program


async def poll_rejected(script: Script, failure: str, **settings: Any) -> Harness:
    """Poll a valid page, and then a script that must fail in a class and keep the data."""
    async with polled(always(reply(page(row(1)))), **settings) as (server, program):
        server.script = script
        await program.poll()
        program.assert_poll_failed(failure, ident(1))
        return program


def paged(rows: Sequence[Row], limit: int, *, link: str, keyset: bool = True, count: bool = True) -> Script:
    """Page as the API does, but with a given ``Link`` to the next page."""
    ids = [each["id"] for each in rows]

    async def script(request: Request) -> AsyncIterator[bytes]:
        cursor = request.query.get("cursor", "")
        start = bisect_right(ids, cursor) if keyset and cursor else 0
        if cursor.startswith("skip"):
            start = int(cursor[4:])
        part = rows[start : start + limit]
        headers = {"Link": link} if len(part) == limit else {}
        if count and "count" in request.query:
            headers["X-Total-Count"] = str(len(rows))
        yield reply(page(*part), headers=headers)

    return script


NEXT_LINK = '<http://x.invalid/api/session?cursor=skip2>; rel="next"'
SIX = [row(number) for number in range(1, 7)]
SIX_IDS = {each["id"] for each in SIX}


@pytest.mark.parametrize("path", ["/api/session", "/elsewhere", ""])
@pytest.mark.parametrize("scheme", ["http", "https", "ftp"])
@in_loop
async def test_P01_a_link_to_another_host_scheme_or_path_is_not_followed(scheme: str, path: str) -> None:
    async with upstream(always(reply(b"[]"))) as other:
        link = f'<{scheme}://127.0.0.1:{other.port}{path}?cursor=skip2>; rel="next"'
        async with polled(paged(SIX, 2, link=link), page_limit=2) as (server, program):
            assert program.last_scrape.sessions() == SIX_IDS
            assert {request.target.partition("?")[0] for request in server.requests} == {"/api/session"}
        assert other.connections == 0


@in_loop
async def test_P02_an_oversized_cursor_is_a_pagination_failure() -> None:
    link = f'<http://x.invalid/api/session?cursor=skip{"9" * 10_000}>; rel="next"'
    await poll_rejected(paged(SIX, 2, link=link), "pagination", page_limit=2)


@in_loop
async def test_P02_a_long_link_header_without_a_next_page_is_ignored() -> None:
    link = ", ".join(f"</static/{number}.css>; rel=preload" for number in range(100))
    async with polled(always(reply(page(row(1)), headers={"Link": link}))) as (_, program):
        assert program.last_scrape.sessions() == {ident(1)}


@in_loop
async def test_P02_an_oversized_id_is_never_sent_as_a_cursor() -> None:
    rows = [row(1), row(2, id="f" * 10_000), row(3)]
    async with polled(paged(rows, 2, link=NEXT_LINK), page_limit=2) as (server, program):
        assert program.last_scrape.sessions() == {ident(1), ident(3)}
        assert max(len(request.target) for request in server.requests) < 1_000


@in_loop
async def test_P03_the_same_page_for_every_cursor_is_a_pagination_failure() -> None:
    await poll_rejected(always(reply(page(row(1), row(2)), headers={"Link": NEXT_LINK})), "pagination", page_limit=2)


@in_loop
async def test_P03_a_cycle_of_pages_is_a_pagination_failure() -> None:
    requests = 0

    async def script(_request: Request) -> AsyncIterator[bytes]:
        nonlocal requests
        requests += 1
        start = 1 + 2 * (requests % 3)
        yield reply(page(row(start), row(start + 1)), headers={"Link": NEXT_LINK})

    await poll_rejected(script, "pagination", page_limit=2)
    assert requests < 100


@in_loop
async def test_P04_endless_pages_are_limited_by_their_number_of_sessions() -> None:
    # Seconds, since as many sessions are read as the limit allows.
    size, requests = 20_000, 0

    async def script(_request: Request) -> AsyncIterator[bytes]:
        nonlocal requests
        requests += 1
        ids = [f'{{"id":"{requests:04x}{number:08x}"}}' for number in range(size)]
        yield reply(f"[{','.join(ids)}]".encode(), headers={"Link": NEXT_LINK})

    await poll_rejected(script, "pagination")
    assert requests <= 2 * (MAX_SESSIONS // size + 1)  # two queries are read at the same time


@in_loop
async def test_P05_a_page_of_known_ids_is_counted_and_ends_pagination() -> None:
    headers = {"Link": NEXT_LINK, "X-Total-Count": "2"}
    async with polled(always(reply(page(row(1), row(2)), headers=headers)), page_limit=2) as (server, program):
        assert program.last_scrape.value("up") == 1
        assert program.last_scrape.sessions() == {ident(1), ident(2)}
        assert (program.last_scrape.value("exporter_walk_duplicates_total") or 0) >= 2
        assert len(server.requests) < 20


@in_loop
async def test_P06_of_two_sessions_with_the_same_id_the_one_seen_later_is_exported() -> None:
    late, early = row(1, name="late"), row(1, name="early", lastSeen=(START - 60) * 1000)
    for body in (page(early, late), page(late, early)):
        program = await poll_page(body)
        assert program.last_scrape.value("session_info", session_id=ident(1), name="late") == 1
        assert len(program.last_scrape.all("session_info")) == 1
        assert (program.last_scrape.value("exporter_walk_duplicates_total") or 0) >= 1


@in_loop
async def test_P06_the_same_id_twice_on_a_full_page_does_not_end_pagination() -> None:
    rows = [row(1), row(2), row(2), row(3), row(4)]
    async with polled(paged(rows, 3, link=NEXT_LINK), page_limit=3) as (_, program):
        assert program.last_scrape.sessions() == {ident(number) for number in (1, 2, 3, 4)}


@pytest.mark.parametrize("bad", [..., None, "", 7])
@in_loop
async def test_P07_a_session_without_an_id_is_dropped_and_counted(bad: object) -> None:
    program = await poll_page(page(row(1), row(2, id=bad)))
    assert program.last_scrape.sessions() == {ident(1)}
    assert (program.last_scrape.value("exporter_invalid_sessions_total", reason="no_id") or 0) >= 1
    assert program.last_scrape.value("sessions", state="active") == 1


@pytest.mark.parametrize("bad", [..., None, ""])
@in_loop
async def test_P08_a_missing_name_is_an_empty_label(bad: object) -> None:
    program = await poll_page(page(row(1, name=bad)))
    ((labels, value),) = program.last_scrape.all("session_info")
    assert (labels.get("name", ""), value) == ("", 1)
    assert not program.last_scrape.invalid()


METRICS_OF = {
    "sourceBytes": {"session_source_bytes"},
    "transcodedBytes": {"session_transcoded_bytes"},
    "sourceSegments": {"session_source_segments"},
    "transcodedSegments": {"session_transcoded_segments"},
    "sourceSegmentsDuration": {"session_source_segments_duration_seconds", "session_transcoding_lag_seconds"},
    "transcodedSegmentsDuration": {"session_transcoded_segments_duration_seconds", "session_transcoding_lag_seconds"},
    "ingestRate": {"session_ingest_rate_bytes_per_second"},
    "outgoingRate": {"session_outgoing_rate_bytes_per_second"},
    "isHealthy": {"session_healthy", "session_health_since_timestamp_seconds"},
    "issues": {"session_issues"},
    "profiles": {"session_profiles", "session_transcoding_lag_seconds"},
    "createdAt": {"session_created_timestamp_seconds"},
}
"""By field, the metrics that are missing if the field is invalid."""


async def drops(field: str, text: str, reason: str) -> None:
    """Check that a value, given as JSON text, is counted as invalid and only the metrics made from it are missing."""
    valid = await poll_page(page(row(1)))
    rest = json.dumps(row(1, **{field: ...}))
    program = await poll_page(f'[{{"{field}": {text}, {rest[1:]}]'.encode())
    assert set(program.last_scrape.invalid()) == {(field, reason)}
    names, others = ({name for name, _ in each.last_scrape.samples} for each in (valid, program))
    assert names - others == {f"livepeer_studio_{name}" for name in METRICS_OF[field]}


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("sourceBytes", '"12"'),
        ("sourceSegments", "true"),
        ("issues", "{}"),
        ("profiles", "{}"),
        ("isHealthy", "1"),
        ("createdAt", '"2025-10-09T00:00:00Z"'),
    ],
)
@in_loop
async def test_P09_a_value_of_the_wrong_type_is_dropped(field: str, text: str) -> None:
    await drops(field, text, "type")


@pytest.mark.parametrize("body", [b'{"errors": ["something"]}', b"{}", b"null", b'"sessions"', b"42"])
@in_loop
async def test_P10_json_that_is_not_an_array_is_a_schema_failure(body: bytes) -> None:
    await poll_rejected(always(reply(body)), "schema")


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400"])
@in_loop
async def test_P11_a_number_that_is_not_finite_is_dropped(text: str) -> None:
    await drops("sourceBytes", text, "not_finite")


@pytest.mark.parametrize("field", ["sourceSegments", "transcodedBytes", "sourceSegmentsDuration", "ingestRate"])
@in_loop
async def test_P12_a_negative_number_is_dropped(field: str) -> None:
    await drops(field, "-0.001", "range")


@pytest.mark.parametrize("digits", [400, 5_000])
@in_loop
async def test_P13_a_number_with_many_digits_is_dropped(digits: int) -> None:
    await drops("sourceBytes", "1" + "0" * digits, "not_finite")


@in_loop
async def test_P14_deep_nesting_is_a_decode_failure() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    for body in (deep, b'[{"id": "a", "parentStream": ' + deep + b"}]", b'[{"id": 1}, ' + deep + b"]"):
        await poll_rejected(always(reply(body)), "decode")


@in_loop
async def test_P15_of_a_repeated_key_the_last_value_is_exported() -> None:
    body = page(row(1))[:-2] + b', "sourceBytes": 1, "sourceBytes": 77}]'
    program = await poll_page(body)
    assert program.last_scrape.value("session_source_bytes") == 77


@in_loop
async def test_P16_unknown_fields_are_ignored_and_an_unknown_recording_status_is_unknown() -> None:
    program = await poll_page(page(row(1, recordingStatus="archived", brandNew={"a": [1]}, kind=7)))
    assert program.last_scrape.value("session_recording_status", status="unknown") == 1
    assert program.last_scrape.value("sessions_by_recording_status", status="unknown") == 1
    assert not program.last_scrape.invalid()


HOSTILE = (
    'say "hi"',
    "back\\slash\\n",
    "line\nfeed\r\nand\ttab",
    '"} 1\nfake{x="',
    "nul\0nul",
    "line\u2028paragraph\u2029",
    "right\u202eto\u200fleft\u2066",
    "\x1b[31mred",
    "{}[]#=,",
    "# HELP fake",
    "caf\u00e9 \U0001f600",
    "\ufeffmark\u200bnothing",
)


@pytest.mark.parametrize("text", HOSTILE)
@in_loop
async def test_P17_a_hostile_text_is_one_label_with_its_invisible_characters_replaced(text: str) -> None:
    program = await poll_page(page(row(1, name=text, issues=[text], parentId=text)))
    ((labels, _),) = program.last_scrape.all("session_info")
    assert labels["name"].isprintable()
    assert len(labels["name"]) == len(text)
    if text.isprintable():
        assert labels["name"] == labels["stream_id"] == text
    assert len(program.last_scrape.all("session_issue_info")) == 1
    assert not [name for name, _ in program.last_scrape.samples if "fake" in name]
    assert "\x1b" not in await program.status_page()


@in_loop
async def test_P18_a_lone_surrogate_is_replaced_and_nothing_else_is_lost() -> None:
    program = await poll_page(page(row(1, name="a\ud800b", issues=["c\udfffd"], parentId="\ud800"), row(2)))
    assert program.last_scrape.value("session_info", session_id=ident(1), name="a\ufffdb", stream_id="\ufffd") == 1
    assert program.last_scrape.value("session_issue_info", issue="c\ufffdd") == 1
    assert program.last_scrape.sessions() == {ident(1), ident(2)}
    assert not program.last_scrape.invalid()
    await program.status_page()


@in_loop
async def test_P18_a_large_page_with_a_lone_surrogate_is_too_large() -> None:
    await poll_rejected(always(reply(page(row(1, name="\U0001f600\ud800" + "x" * MAX_REPLACED_BYTES)))), "too_large")


@in_loop
async def test_P19_a_long_text_is_truncated_between_characters() -> None:
    program = await poll_page(page(row(1, name="\U0001f600" * 16_384, issues=["\u00e9" * 65_536] * 9)))
    ((labels, _),) = program.last_scrape.all("session_info")
    assert labels["name"] == "\U0001f600" * 128
    issues = program.last_scrape.all("session_issue_info")
    assert {labels["issue"] for labels, _ in issues} == {"\u00e9" * 160}
    assert program.last_scrape.value("session_issues") == 9


@in_loop
async def test_P20_of_100000_sessions_the_series_are_limited_and_the_totals_are_complete() -> None:
    # Seconds, since that many sessions are served, read and shared out.
    times = [f'"lastSeen":{(START - age) * 1000:.0f}' for age in (10, 1000)]
    rows = [f'{{"id":"{number:08x}",{times[number % 2]},"ingestRate":1}}' for number in range(100_000)]
    pages = [f"[{','.join(rows[start : start + 1000])}]".encode() for start in range(0, 100_000, 1000)]

    async def script(request: Request) -> AsyncIterator[bytes]:
        cursor = request.query.get("cursor")
        headers = {"X-Total-Count": "100000"} if cursor is None else {}
        number = int(cursor, 16) + 1 if cursor else 0
        yield reply(_page_from(pages, rows, number), headers=headers)

    async def only_recently_seen(request: Request) -> AsyncIterator[bytes]:
        # The other two queries find nothing, or the test would read everything three times.
        if "lt" in request.query["filters"] or "createdAt" in request.query["filters"]:
            yield reply(b"[]")
        else:
            async for piece in script(request):
                yield piece

    async with polled(only_recently_seen, max_series=20_000) as (_, program):
        assert program.last_scrape.value("up") == 1
        assert program.last_scrape.value("sessions", state="active") == 50_000
        assert program.last_scrape.value("sessions", state="ended") == 50_000
        assert program.last_scrape.value("ingest_rate_bytes_per_second") == 50_000
        exported = len(program.last_scrape.sessions())
        assert program.last_scrape.value("exporter_sessions_dropped", reason="series_limit") == 100_000 - exported
        assert {value for _, value in program.last_scrape.all("session_active")} == {1}
        series = program.last_scrape.value("exporter_series") or 0
        assert 19_000 < series <= 20_000


def _page_from(pages: Sequence[bytes], rows: Sequence[str], number: int) -> bytes:
    if number % 1000 == 0:
        return pages[number // 1000] if number < len(rows) else b"[]"
    return f"[{','.join(rows[number : number + 1000])}]".encode()


@pytest.mark.parametrize(
    "time", [(START + 90_000) * 1000, START, 1.0, 1e300, 1_420_070_399_999], ids=["future", "s", "1", "huge", "2014"]
)
@in_loop
async def test_P21_an_impossible_last_seen_is_dropped(time: float) -> None:
    program = await poll_page(page(row(1, lastSeen=time)))
    assert program.last_scrape.value("session_last_seen_timestamp_seconds") is None
    assert program.last_scrape.value("session_active") == 0
    assert program.last_scrape.value("session_source_bytes") == 1_000_000
    assert set(program.last_scrape.invalid()) == {("lastSeen", "range")}


@in_loop
async def test_P21_a_last_seen_slightly_in_the_future_is_treated_as_now() -> None:
    program = await poll_page(page(row(1, lastSeen=(START + 120) * 1000, isHealthy=False)))
    assert program.last_scrape.value("session_active") == 1
    assert program.last_scrape.value("session_last_seen_timestamp_seconds") == START + 120
    assert not program.last_scrape.invalid()
    data = program.page_store.account_pages()["default"].data
    assert data is not None
    assert [(each.session.id, each.seen_ago) for each in data.problems.worst] == [(ident(1), 0)]


@pytest.mark.parametrize("count", [True, False])
@in_loop
async def test_P22_without_keyset_pagination_no_session_is_missed(count: bool) -> None:
    rows = [row(number) for number in range(1, 40)]
    script = paged(rows, 10, link=NEXT_LINK, keyset=False, count=count)
    async with polled(script, page_limit=10) as (server, program):
        assert program.last_scrape.sessions() == {each["id"] for each in rows}
        assert any(request.query.get("cursor", "").startswith("skip") for request in server.requests)


@in_loop
async def test_P23_sessions_that_come_and_go_between_pages_do_not_hide_others() -> None:
    rows = {each["id"]: each for each in (row(number) for number in range(10, 400))}
    always_present = set(rows)
    requests = 0

    async def script(request: Request) -> AsyncIterator[bytes]:
        nonlocal requests
        requests += 1
        rows[ident(requests)] = row(requests)
        if (removed := ident(10 + requests * 7)) in rows and rows.pop(removed):
            always_present.discard(removed)
        for number in range(300, 310):
            rows[ident(number)] = row(number, lastSeen=(START + requests) * 1000)
        inner = paged(sorted(rows.values(), key=lambda each: each["id"]), 20, link=NEXT_LINK)
        async for piece in inner(request):
            yield piece

    async with polled(script, page_limit=20) as (_, program):
        assert program.last_scrape.value("up") == 1
        assert always_present <= program.last_scrape.sessions()
        assert requests > 20


ANY_TEXT = st.text(st.characters())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)
SESSIONS = st.lists(
    st.fixed_dictionaries({}, optional={**dict.fromkeys(row(1), JSON), "id": ANY_TEXT | JSON, "name": ANY_TEXT}),
    max_size=3,
)


@pytest.fixture(scope="module")
def poll_response() -> Iterator[Callable[[bytes], None]]:
    """Polls a response, which must succeed or fail without an internal error, and checks the exposition.

    All responses are polled by the same exporter, since starting one takes too long for each of them.
    """
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        settings = {"profile_series": True, "playback_ids": True, "project_ids": True}
        server, program = runner.run(stack.enter_async_context(polled(always(reply(b"[]")), **settings)))

        async def poll(response: bytes) -> None:
            server.script = always(response)
            await program.poll()
            assert "internal" not in program.last_scrape.failures()
            await program.status_page()

        yield lambda response: runner.run(poll(response))
        runner.run(stack.aclose())


# Each example of these is a poll with three scrapes, whose pages are parsed: with 60 of them, a test takes seconds.
@settings(max_examples=60)
@given(value=JSON | SESSIONS)
def test_any_json_as_a_page_leaves_a_valid_exposition(poll_response: Callable[[bytes], None], value: Any) -> None:
    poll_response(reply(encoded(value)))


@settings(max_examples=60)
@given(body=st.binary(max_size=300))
def test_any_bytes_as_a_page_leave_a_valid_exposition(poll_response: Callable[[bytes], None], body: bytes) -> None:
    poll_response(reply(body))


@settings(max_examples=60)
@given(position=st.integers(0, 120), corruption=st.binary(max_size=8), width=st.integers(0, 8))
def test_any_corrupted_response_leaves_a_valid_exposition(
    poll_response: Callable[[bytes], None], position: int, corruption: bytes, width: int
) -> None:
    whole = reply(page(row(1)))
    poll_response(whole[:position] + corruption + whole[position + width :])
