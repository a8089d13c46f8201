"""Rows P01 to P23 of the fault matrix: whatever the pages and what they hold can do to a poll.

The property tests of rows P22 and P23 stand in ``tests/test_walk.py``, those of single values in ``test_session.py``.
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

from exporter.livepeer.lenient import MAX_LENIENT_BYTES
from tests.support.harness import Harness, harness
from tests.support.loop import in_loop
from tests.support.rows import START, Row, encoded, ident, page, row
from tests.support.upstream import Request, Script, Upstream, always, reply, upstream

pytestmark = pytest.mark.untraced


@asynccontextmanager
async def polled(script: Script, **settings: Any) -> AsyncIterator[tuple[Upstream, Harness]]:
    """An upstream with a script, and the program that has polled it once."""
    async with upstream(script) as server, harness(server.url, **settings) as program:
        await program.poll()
        yield server, program


async def shows(body: bytes, **settings: Any) -> Harness:
    """What the program makes of one page, which it must be able to read."""
    async with polled(always(reply(body)), **settings) as (_, program):
        assert program.shown.value("up") == 1, program.poller.status.failure
        return program


async def refuses(script: Script, failure: str, **settings: Any) -> Harness:
    """What the program shows when a page is a failure of this class after a good one."""
    async with polled(always(reply(page(row(1)))), **settings) as (server, program):
        server.script = script
        await program.poll()
        program.keeps(failure, ident(1))
        return program


def paging(rows: Sequence[Row], limit: int, *, link: str, keyset: bool = True, count: bool = True) -> Script:
    """A script that pages as the API does, with a ``Link`` of one's own to the next page."""
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


NEXT = '<http://x.invalid/api/session?cursor=skip2>; rel="next"'
SIX = [row(number) for number in range(1, 7)]
SIX_IDS = {each["id"] for each in SIX}


@pytest.mark.parametrize("path", ["/api/session", "/elsewhere", ""])
@pytest.mark.parametrize("scheme", ["http", "https", "ftp"])
@in_loop
async def test_P01_a_link_to_another_place_is_not_followed(scheme: str, path: str) -> None:
    async with upstream(always(reply(b"[]"))) as other:
        link = f'<{scheme}://127.0.0.1:{other.port}{path}?cursor=skip2>; rel="next"'
        async with polled(paging(SIX, 2, link=link), page_limit=2) as (server, program):
            assert program.shown.sessions() == SIX_IDS
            assert {request.target.partition("?")[0] for request in server.requests} == {"/api/session"}
        assert other.connections == 0


@in_loop
async def test_P02_a_monstrous_cursor_is_no_cursor() -> None:
    link = f'<http://x.invalid/api/session?cursor=skip{"9" * 10_000}>; rel="next"'
    await refuses(paging(SIX, 2, link=link), "pagination", page_limit=2)


@in_loop
async def test_P02_a_long_header_without_a_cursor_is_none_of_our_business() -> None:
    link = ", ".join(f"</static/{number}.css>; rel=preload" for number in range(100))
    async with polled(always(reply(page(row(1)), headers={"Link": link}))) as (_, program):
        assert program.shown.sessions() == {ident(1)}


@in_loop
async def test_P02_a_monstrous_id_is_never_sent_as_a_cursor() -> None:
    rows = [row(1), row(2, id="f" * 10_000), row(3)]
    async with polled(paging(rows, 2, link=NEXT), page_limit=2) as (server, program):
        assert program.shown.sessions() == {ident(1), ident(3)}
        assert max(len(request.target) for request in server.requests) < 1_000


@in_loop
async def test_P03_the_same_page_for_every_cursor_ends_the_walk_as_a_failure() -> None:
    await refuses(always(reply(page(row(1), row(2)), headers={"Link": NEXT})), "pagination", page_limit=2)


@in_loop
async def test_P03_a_cycle_of_pages_ends_the_walk_as_a_failure() -> None:
    turns = 0

    async def script(_request: Request) -> AsyncIterator[bytes]:
        nonlocal turns
        turns += 1
        start = 1 + 2 * (turns % 3)
        yield reply(page(row(start), row(start + 1)), headers={"Link": NEXT})

    await refuses(script, "pagination", page_limit=2)
    assert turns < 100


@in_loop
async def test_P04_new_cursors_without_end_are_bounded_by_the_records() -> None:
    size, turns = 100_000, 0

    async def script(_request: Request) -> AsyncIterator[bytes]:
        nonlocal turns
        turns += 1
        ids = [f'{{"id":"{turns:04x}{number:08x}"}}' for number in range(size)]
        yield reply(f"[{','.join(ids)}]".encode(), headers={"Link": NEXT})

    await refuses(script, "pagination")
    assert turns <= 12


@in_loop
async def test_P05_a_page_of_known_ids_is_counted_and_ends_the_walk() -> None:
    headers = {"Link": NEXT, "X-Total-Count": "2"}
    async with polled(always(reply(page(row(1), row(2)), headers=headers)), page_limit=2) as (server, program):
        assert program.shown.value("up") == 1
        assert program.shown.sessions() == {ident(1), ident(2)}
        assert (program.shown.value("exporter_walk_duplicates_total") or 0) >= 2
        assert len(server.requests) < 20


@in_loop
async def test_P06_of_the_same_id_twice_the_one_seen_later_is_shown() -> None:
    late, early = row(1, name="late"), row(1, name="early", lastSeen=(START - 60) * 1000)
    for body in (page(early, late), page(late, early)):
        program = await shows(body)
        assert program.shown.value("session_info", session_id=ident(1), name="late") == 1
        assert len(program.shown.all("session_info")) == 1
        assert (program.shown.value("exporter_walk_duplicates_total") or 0) >= 1


@in_loop
async def test_P06_the_same_id_twice_on_a_full_page_does_not_end_the_walk() -> None:
    rows = [row(1), row(2), row(2), row(3), row(4)]
    async with polled(paging(rows, 3, link=NEXT), page_limit=3) as (_, program):
        assert program.shown.sessions() == {ident(number) for number in (1, 2, 3, 4)}


@pytest.mark.parametrize("bad", [..., None, "", 7])
@in_loop
async def test_P07_a_session_without_an_id_is_left_out_and_counted(bad: object) -> None:
    program = await shows(page(row(1), row(2, id=bad)))
    assert program.shown.sessions() == {ident(1)}
    assert (program.shown.value("exporter_invalid_sessions_total", reason="no_id") or 0) >= 1
    assert program.shown.value("sessions", state="active") == 1


@pytest.mark.parametrize("bad", [..., None, ""])
@in_loop
async def test_P08_a_missing_name_is_an_empty_label(bad: object) -> None:
    program = await shows(page(row(1, name=bad)))
    ((labels, value),) = program.shown.all("session_info")
    assert (labels.get("name", ""), value) == ("", 1)
    assert not program.shown.invalid()


SAMPLE_OF = {
    "sourceBytes": "session_source_bytes",
    "transcodedBytes": "session_transcoded_bytes",
    "sourceSegments": "session_source_segments",
    "transcodedSegments": "session_transcoded_segments",
    "sourceSegmentsDuration": "session_source_segments_duration_seconds",
    "transcodedSegmentsDuration": "session_transcoded_segments_duration_seconds",
    "ingestRate": "session_ingest_rate_bytes_per_second",
    "outgoingRate": "session_outgoing_rate_bytes_per_second",
    "isHealthy": "session_healthy",
    "issues": "session_issues",
    "profiles": "session_profiles",
    "createdAt": "session_created_timestamp_seconds",
}
"""Per field a series that goes with it."""


async def loses(field: str, text: str, reason: str) -> None:
    """Hold that a value, written just so, costs its own series and no other, and is counted."""
    good = await shows(page(row(1)))
    rest = json.dumps(row(1, **{field: ...}))
    program = await shows(f'[{{"{field}": {text}, {rest[1:]}]'.encode())
    assert set(program.shown.invalid()) == {(field, reason)}
    lost = {name for name, _ in good.shown.samples.keys() - program.shown.samples.keys()}
    assert lost == {f"livepeer_studio_{SAMPLE_OF[field]}"}


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
async def test_P09_a_value_of_the_wrong_type_is_left_out(field: str, text: str) -> None:
    await loses(field, text, "type")


@pytest.mark.parametrize("body", [b'{"errors": ["something"]}', b"{}", b"null", b'"sessions"', b"42"])
@in_loop
async def test_P10_json_that_is_no_list_is_a_wrong_schema(body: bytes) -> None:
    await refuses(always(reply(body)), "schema")


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400"])
@in_loop
async def test_P11_a_number_that_is_none_is_left_out(text: str) -> None:
    await loses("sourceBytes", text, "not_finite")


@pytest.mark.parametrize("field", ["sourceSegments", "transcodedBytes", "sourceSegmentsDuration", "ingestRate"])
@in_loop
async def test_P12_a_negative_number_is_left_out(field: str) -> None:
    await loses(field, "-0.001", "range")


@pytest.mark.parametrize("digits", [400, 5_000])
@in_loop
async def test_P13_a_number_of_many_digits_is_left_out(digits: int) -> None:
    await loses("sourceBytes", "1" + "0" * digits, "not_finite")


@in_loop
async def test_P14_nesting_without_end_is_not_decoded() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    for body in (deep, b'[{"id": "a", "parentStream": ' + deep + b"}]", b'[{"id": 1}, ' + deep + b"]"):
        await refuses(always(reply(body)), "decode")


@in_loop
async def test_P15_of_a_key_that_is_there_twice_the_last_wins() -> None:
    body = page(row(1))[:-2] + b', "sourceBytes": 1, "sourceBytes": 77}]'
    program = await shows(body)
    assert program.shown.value("session_source_bytes") == 77


@in_loop
async def test_P16_what_is_new_upstream_does_no_harm() -> None:
    program = await shows(page(row(1, recordingStatus="archived", brandNew={"a": [1]}, kind=7)))
    assert program.shown.value("session_recording_status", status="unknown") == 1
    assert program.shown.value("sessions_by_recording_status", status="unknown") == 1
    assert not program.shown.invalid()


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
async def test_P17_a_hostile_text_is_one_series_with_its_unseen_characters_replaced(text: str) -> None:
    program = await shows(page(row(1, name=text, issues=[text], parentId=text)))
    ((labels, _),) = program.shown.all("session_info")
    assert labels["name"].isprintable()
    assert len(labels["name"]) == len(text)
    if text.isprintable():
        assert labels["name"] == labels["stream_id"] == text
    assert len(program.shown.all("session_issue_info")) == 1
    assert not [name for name, _ in program.shown.samples if "fake" in name]
    assert "\x1b" not in await program.people()


@in_loop
async def test_P18_a_lone_surrogate_is_replaced_and_nothing_else_is_lost() -> None:
    program = await shows(page(row(1, name="a\ud800b", issues=["c\udfffd"], parentId="\ud800"), row(2)))
    assert program.shown.value("session_info", session_id=ident(1), name="a\ufffdb", stream_id="\ufffd") == 1
    assert program.shown.value("session_issue_info", issue="c\ufffdd") == 1
    assert program.shown.sessions() == {ident(1), ident(2)}
    assert not program.shown.invalid()
    await program.people()


@in_loop
async def test_P18_a_huge_page_that_only_the_second_decoder_could_read_is_given_up() -> None:
    await refuses(always(reply(page(row(1, name="\U0001f600\ud800" + "x" * MAX_LENIENT_BYTES)))), "too_large")


@in_loop
async def test_P19_a_long_text_is_cut_by_character() -> None:
    program = await shows(page(row(1, name="\U0001f600" * 16_384, issues=["\u00e9" * 65_536] * 9)))
    ((labels, _),) = program.shown.all("session_info")
    assert labels["name"] == "\U0001f600" * 128
    issues = program.shown.all("session_issue_info")
    assert {labels["issue"] for labels, _ in issues} == {"\u00e9" * 160}
    assert program.shown.value("session_issues") == 9


@in_loop
async def test_P20_a_hundred_thousand_sessions_keep_to_the_budget_with_whole_totals() -> None:
    moments = [f'"lastSeen":{(START - age) * 1000:.0f}' for age in (10, 1000)]
    rows = [f'{{"id":"{number:08x}",{moments[number % 2]},"ingestRate":1}}' for number in range(100_000)]
    pages = [f"[{','.join(rows[start : start + 1000])}]".encode() for start in range(0, 100_000, 1000)]

    async def script(request: Request) -> AsyncIterator[bytes]:
        cursor = request.query.get("cursor")
        headers = {"X-Total-Count": "100000"} if cursor is None else {}
        number = int(cursor, 16) + 1 if cursor else 0
        yield reply(_behind(pages, rows, number), headers=headers)

    async def window_alone(request: Request) -> AsyncIterator[bytes]:
        # The other two questions have no answers here, or the test would read everything three times.
        if "lt" in request.query["filters"] or "createdAt" in request.query["filters"]:
            yield reply(b"[]")
        else:
            async for piece in script(request):
                yield piece

    async with polled(window_alone, max_series=20_000) as (_, program):
        assert program.shown.value("up") == 1
        assert program.shown.value("sessions", state="active") == 50_000
        assert program.shown.value("sessions", state="ended") == 50_000
        assert program.shown.value("ingest_rate_bytes_per_second") == 50_000
        exported = len(program.shown.sessions())
        assert program.shown.value("exporter_sessions_dropped", reason="series_limit") == 100_000 - exported
        assert {value for _, value in program.shown.all("session_active")} == {1}
        series = program.shown.value("exporter_series") or 0
        assert 19_000 < series <= 20_000


def _behind(pages: Sequence[bytes], rows: Sequence[str], number: int) -> bytes:
    if number % 1000 == 0:
        return pages[number // 1000] if number < len(rows) else b"[]"
    return f"[{','.join(rows[number : number + 1000])}]".encode()


@pytest.mark.parametrize(
    "moment", [(START + 90_000) * 1000, START, 1.0, 1e300, 1_420_070_399_999], ids=["future", "s", "1", "huge", "2014"]
)
@in_loop
async def test_P21_a_last_seen_that_cannot_be_is_left_out(moment: float) -> None:
    program = await shows(page(row(1, lastSeen=moment)))
    assert program.shown.value("session_last_seen_timestamp_seconds") is None
    assert program.shown.value("session_active") == 0
    assert program.shown.value("session_source_bytes") == 1_000_000
    assert set(program.shown.invalid()) == {("lastSeen", "range")}


@in_loop
async def test_P21_a_last_seen_slightly_in_the_future_is_now() -> None:
    program = await shows(page(row(1, lastSeen=(START + 120) * 1000, isHealthy=False)))
    assert program.shown.value("session_active") == 1
    assert program.shown.value("session_last_seen_timestamp_seconds") == START + 120
    assert not program.shown.invalid()
    data = program.board.account_pages()["default"].data
    assert data is not None
    assert [(each.session.id, each.seen_ago) for each in data.problems.worst] == [(ident(1), 0)]


@pytest.mark.parametrize("count", [True, False])
@in_loop
async def test_P22_a_keyset_cursor_that_is_not_honoured_costs_nothing(count: bool) -> None:
    rows = [row(number) for number in range(1, 40)]
    script = paging(rows, 10, link=NEXT, keyset=False, count=count)
    async with polled(script, page_limit=10) as (server, program):
        assert program.shown.sessions() == {each["id"] for each in rows}
        assert any(request.query.get("cursor", "").startswith("skip") for request in server.requests)


@in_loop
async def test_P23_sessions_that_come_and_go_between_pages_hide_no_other() -> None:
    rows = {each["id"]: each for each in (row(number) for number in range(10, 400))}
    throughout = set(rows)
    turns = 0

    async def script(request: Request) -> AsyncIterator[bytes]:
        nonlocal turns
        turns += 1
        rows[ident(turns)] = row(turns)
        if (gone := ident(10 + turns * 7)) in rows and rows.pop(gone):
            throughout.discard(gone)
        for number in range(300, 310):
            rows[ident(number)] = row(number, lastSeen=(START + turns) * 1000)
        inner = paging(sorted(rows.values(), key=lambda each: each["id"]), 20, link=NEXT)
        async for piece in inner(request):
            yield piece

    async with polled(script, page_limit=20) as (_, program):
        assert program.shown.value("up") == 1
        assert throughout <= program.shown.sessions()
        assert turns > 20


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
def survives() -> Iterator[Callable[[bytes], None]]:
    """Takes an answer: it must be read or refused with a class that is not our own mistake, and scrapes must be fine.

    All answers go to the same program, which starts up too slowly for each to have its own.
    """
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        settings = {"profile_series": True, "playback_ids": True, "project_ids": True}
        server, program = runner.run(stack.enter_async_context(polled(always(reply(b"[]")), **settings)))

        async def poll(answer: bytes) -> None:
            server.script = always(answer)
            await program.poll()
            assert "internal" not in program.shown.failures()
            await program.people()

        yield lambda answer: runner.run(poll(answer))
        runner.run(stack.aclose())


@settings(max_examples=60)
@given(value=JSON | SESSIONS)
def test_any_json_as_a_page_leaves_a_page_that_parses(survives: Callable[[bytes], None], value: Any) -> None:
    survives(reply(encoded(value)))


@settings(max_examples=60)
@given(body=st.binary(max_size=300))
def test_any_bytes_as_a_page_leave_a_page_that_parses(survives: Callable[[bytes], None], body: bytes) -> None:
    survives(reply(body))


@settings(max_examples=60)
@given(place=st.integers(0, 120), spoilt=st.binary(max_size=8), width=st.integers(0, 8))
def test_any_spoilt_answer_leaves_a_page_that_parses(
    survives: Callable[[bytes], None], place: int, spoilt: bytes, width: int
) -> None:
    whole = reply(page(row(1)))
    survives(whole[:place] + spoilt + whole[place + width :])
