"""The rendered bytes equal what prometheus-client renders of the same families, in both formats, packed and plain."""

import gzip
import random
import re
import zlib
from itertools import chain
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from prometheus_client import CollectorRegistry
from prometheus_client import generate_latest as as_text
from prometheus_client.openmetrics.exposition import generate_latest as as_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.cooperative import BATCH_SIZE, SMALL_BATCH_SIZE
from exporter.metrics.catalogue import Family, Options, session_families
from exporter.metrics.chunks import BLOCK_SIZE, EMPTY, Chunk, deflate, inflate, join, slices_of
from exporter.metrics.page_store import PageStore
from exporter.metrics.process import Process
from exporter.metrics.series_limit import series_per_subject
from exporter.metrics.text_format import (
    Format,
    Rendered,
    escape,
    header,
    render_family,
    render_subjects,
    session_labels,
)
from exporter.sessions.session import Profile, Session
from exporter.sessions.snapshot import ACTIVE, State
from tests.support.accounts import Accounts, session, session_lists
from tests.support.collector import ReferenceCollector
from tests.support.cooperative import count_steps, run_to_end
from tests.support.rows import START

accounts = st.dictionaries(
    st.sampled_from(["default", 'a "quoted" name', "back\\slash", "ä€😀", "{}"]),
    st.tuples(session_lists, st.sampled_from(["session", "stream", "account"])),
    min_size=1,  # there is always an account
    max_size=3,
)
options = st.builds(
    Options,
    issue_texts=st.booleans(),
    profile_series=st.booleans(),
    playback_ids=st.booleans(),
    project_ids=st.booleans(),
)


def parsed(text: str, form: Format) -> list[tuple[Any, ...]]:
    """Return name, type, help and samples of each family, in the order of the page."""
    parse = parse_openmetrics if form is Format.OPENMETRICS else parse_text
    return [
        (each.name, each.type, each.documentation, [(s.name, s.labels, s.value) for s in each.samples])
        for each in parse(text)
    ]


def reference(shown: Accounts, tail: bytes, form: Format) -> str:
    """Return the same page as prometheus-client renders it."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ReferenceCollector(shown.published, shown.options))
    text: bytes = (as_openmetrics if form is Format.OPENMETRICS else as_text)(registry)
    return (text.removesuffix(b"# EOF\n") + tail).decode()


def tail_of(pages: PageStore, form: Format) -> bytes:
    process = Process(revision="r", series=pages.series, series_limit=1, shard=(0, 1), now=lambda: 1.0)
    return process.tail(form)


@settings(max_examples=settings().max_examples // 2)
@given(accounts=accounts, options=options)
def test_any_page_equals_the_one_of_prometheus_client_and_has_no_duplicate(accounts: Any, options: Options) -> None:
    # Seconds, since prometheus-client parses four whole pages of each example.
    shown = Accounts(options)
    for account, (sessions, detail) in accounts.items():
        shown.publish(sessions, account, detail=detail)
    for form in Format:
        tail = tail_of(shown.pages, form)
        page = shown.pages.page(form)
        plain = b"".join((*page.plain(), tail))
        assert gzip.decompress(b"".join(page.packed(tail))) == plain
        families = parsed(plain.decode(), form)
        assert families == parsed(reference(shown, tail, form), form)
        samples = [(name, frozenset(labels.items())) for *_, found in families for name, labels, _ in found]
        assert len(samples) == len(set(samples)), "a name with the same labels twice"


def page_of_two() -> tuple[bytes, bytes]:
    """Return a packed page with several accounts, and its text."""
    shown = Accounts()
    shown.publish([session(number) for number in range(3)], "a")
    shown.publish([session(number) for number in range(BATCH_SIZE + 1)], "b")
    page = shown.pages.page(Format.TEXT)
    return b"".join(page.packed(b"tail 1\n")), b"".join((*page.plain(), b"tail 1\n"))


def test_a_packed_page_is_one_gzip_member_with_the_right_crc_and_length() -> None:
    packed, text = page_of_two()
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)  # checks both at the end
    assert inflater.decompress(packed) == text
    assert inflater.eof
    assert inflater.unused_data == b""


def test_httpx_reads_the_whole_of_a_packed_page() -> None:
    packed, text = page_of_two()
    assert httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=packed).content == text


def test_a_packed_page_is_less_than_a_tenth_of_its_text() -> None:
    packed, text = page_of_two()
    assert len(packed) < len(text) / 10


@pytest.mark.parametrize("place", [0, 100, -9, -5, -1])
def test_a_wrong_byte_in_a_packed_page_is_an_error(place: int) -> None:
    packed, _ = page_of_two()
    broken = bytearray(packed)
    broken[place] ^= 0xFF
    with pytest.raises((gzip.BadGzipFile, zlib.error, EOFError)):
        gzip.decompress(bytes(broken))


@given(texts=st.lists(st.binary(max_size=2000), max_size=8))
def test_joined_chunks_are_one_stream_with_the_right_crc(texts: list[bytes]) -> None:
    whole = join([*map(deflate, texts), deflate(b"end", last=True)])
    text = b"".join(texts) + b"end"
    assert zlib.decompress(whole.data, -zlib.MAX_WBITS) == text
    assert (whole.size, whole.crc) == (len(text), zlib.crc32(text))


@given(text=st.binary(max_size=5000))
def test_a_chunk_inflates_to_its_text(text: bytes) -> None:
    assert b"".join(inflate(deflate(text))) == text
    assert (deflate(text) is EMPTY) == (not text)


@pytest.mark.parametrize("size", [1, BLOCK_SIZE, BLOCK_SIZE + 1, 5 * BLOCK_SIZE - 1])
def test_V01_a_page_is_inflated_in_blocks_of_limited_size(size: int) -> None:
    texts = [random.Random(size).randbytes(size), b"x" * size]
    head, joined = deflate(b"head"), join(list(map(deflate, texts)))
    first, second = slices_of(join([head, joined]), [head, joined], 0)
    blocks = [*inflate(first), *inflate(second)]
    assert b"".join(blocks) == b"".join((b"head", *texts))
    assert max(map(len, blocks)) <= BLOCK_SIZE


def test_rendering_yields_after_every_step() -> None:
    shown = Accounts()
    count = 5 * BATCH_SIZE
    sessions = [session(number) for number in range(count)]
    families = shown.pages.session_families
    steps = render_subjects([(each, ACTIVE) for each in sessions], families, lambda each: f'session_id="{each.id}"', {})
    pauses = sum(1 for _ in steps)
    assert pauses >= 5 * len(families)


def test_V02_series_per_profile_are_counted_and_rendered_in_small_steps() -> None:
    families = [each for each in session_families(Options(profile_series=True)) if each.max_series is None]
    sessions: list[tuple[Session, State]] = [(session(number), ACTIVE) for number in range(BATCH_SIZE)]
    steps = BATCH_SIZE // SMALL_BATCH_SIZE
    assert families
    assert count_steps(series_per_subject(sessions, families)) > steps
    assert count_steps(render_subjects(sessions, families, lambda each: each.id, {})) > steps * len(families)


def test_the_number_of_series_is_the_number_of_lines() -> None:
    shown = Accounts()
    sessions = [session(1), session(2, ingest_rate=None, record=True), session(3, last_seen=0.0)]
    families = shown.pages.session_families
    steps = render_subjects([(each, ACTIVE) for each in sessions], families, lambda each: f'session_id="{each.id}"', {})
    rendered = run_to_end(steps)
    chunks = list(chain.from_iterable(rendered.chunks.values()))
    assert rendered.series == sum(block.count(b"\n") for chunk in chunks for block in inflate(chunk))


def rendered_text(rendered: Rendered) -> dict[str, bytes]:
    return {
        name: b"".join(block for chunk in chunks for block in inflate(chunk))
        for name, chunks in rendered.chunks.items()
    }


def by_key(rendered: Rendered) -> dict[bytes, Chunk]:
    return {chunk.key: chunk for chunk in chain.from_iterable(rendered.chunks.values())}


@given(session_lists, session_lists, options, options)
@settings(max_examples=30, deadline=None)
def test_chunks_of_the_last_poll_change_nothing(
    first: list[Session], second: list[Session], before: Options, after: Options
) -> None:
    polls = [(first, before), (first, after), (second, after)]
    labels = session_labels("default")
    known: dict[bytes, Chunk] = {}
    for sessions, each in polls:
        subjects: list[tuple[Session, State]] = [(each, ACTIVE) for each in sessions]
        found = run_to_end(render_subjects(subjects, session_families(each), labels, known))
        fresh = run_to_end(render_subjects(subjects, session_families(each), labels, {}))
        assert rendered_text(found) == rendered_text(fresh)
        assert found.series == fresh.series
        known = by_key(found)


def test_each_step_of_a_batch_has_its_own_sessions_although_all_values_are_the_same() -> None:
    families = [each for each in session_families(Options(profile_series=True)) if each.max_series is None]
    profiles = (Profile(name="720p", bitrate=8.0),)
    shown = [session(number, profiles=profiles) for number in range(3 * SMALL_BATCH_SIZE)]
    subjects: list[tuple[Session, State]] = [(each, ACTIVE) for each in shown]
    labels = session_labels("default")
    first = run_to_end(render_subjects(subjects, families, labels, {}))
    again = run_to_end(render_subjects(subjects, families, labels, by_key(first)))
    for texts in map(rendered_text, (first, again)):
        assert texts
        for text in texts.values():
            assert re.findall('session_id="(.*?)"', text.decode()) == [each.id for each in shown]


def test_only_families_whose_values_have_changed_are_rendered_again() -> None:
    families, labels = session_families(Options(profile_series=True)), session_labels("default")
    before = session(1, record=True, source_bytes=1.0)
    first = run_to_end(render_subjects([(before, ACTIVE)], families, labels, {}))
    after = replace(before, source_bytes=2.0)
    second = run_to_end(render_subjects([(after, ACTIVE)], families, labels, by_key(first)))
    changed = {name for name, chunks in second.chunks.items() if chunks[0] is not first.chunks[name][0]}
    assert changed == {"livepeer_studio_session_source_bytes"}
    assert rendered_text(second)["livepeer_studio_session_source_bytes"].endswith(b"} 2.0\n")


def test_the_same_values_of_other_sessions_or_other_labels_are_rendered_again() -> None:
    labels = session_labels("default")
    one, other = session(1, playback_id="a", project_id="a"), session(2, playback_id="a", project_id="a")
    first = run_to_end(render_subjects([(one, ACTIVE)], session_families(Options(playback_ids=True)), labels, {}))
    for subject, project_ids in ((one, True), (other, False)):
        families = session_families(Options(playback_ids=not project_ids, project_ids=project_ids))
        found = run_to_end(render_subjects([(subject, ACTIVE)], families, labels, by_key(first)))
        text = rendered_text(found)["livepeer_studio_session_info"].decode()
        assert ("project_id=" in text) == project_ids
        assert f'session_id="{subject.id}"' in text


def test_backslashes_and_line_breaks_are_escaped_in_help() -> None:
    family = Family(name="a", help="one\\two\nthree")
    assert header(family, Format.TEXT) == "# HELP a one\\\\two\\nthree\n# TYPE a gauge\n"


def test_backslashes_line_breaks_and_quotes_are_escaped_in_label_values() -> None:
    assert escape('a\\b\nc"d') == 'a\\\\b\\nc\\"d'


def test_samples_with_labels_depend_on_the_state_of_the_session() -> None:
    shown = Accounts()
    shown.publish([session(1, issues=("active",)), session(2, issues=("ended",), last_seen=(START - 600) * 1000)])
    text = b"".join(shown.pages.page(Format.TEXT).plain()).decode()
    assert re.findall('issue="([^"]*)"', text) == ["active"]


def test_a_family_without_samples_has_no_header() -> None:
    shown = Accounts()
    shown.publish([session(1)])
    text = b"".join(shown.pages.page(Format.TEXT).plain()).decode()
    assert "livepeer_studio_session_info{" in text
    assert "stream_info" not in text
    assert "session_issue_info" not in text


def test_openmetrics_names_counter_families_without_total() -> None:
    shown = Accounts()
    shown.publish([session(1)])
    pages = {form: b"".join(shown.pages.page(form).plain()).decode() for form in Format}
    assert "# TYPE livepeer_studio_source_bytes_total counter" in pages[Format.TEXT]
    assert "# TYPE livepeer_studio_source_bytes counter" in pages[Format.OPENMETRICS]
    assert all("livepeer_studio_source_bytes_total{" in page for page in pages.values())


def test_neither_format_has_created_series_or_sample_timestamps() -> None:
    shown = Accounts()
    shown.publish([session(1)])
    for form in Format:
        families = parsed(b"".join((*shown.pages.page(form).plain(), tail_of(shown.pages, form))).decode(), form)
        assert not [name for *_, samples in families for name, _, _ in samples if name.endswith("_created")]


def test_empty_chunks_join_to_an_empty_chunk() -> None:
    assert join([EMPTY, Chunk(b"", 0, 0)]) == Chunk(b"", 0, 0)


def test_a_family_has_a_line_for_each_sample_and_no_braces_without_labels() -> None:
    family = Family(name="a", help="b", labels=("c",))
    head = "# HELP a b\n# TYPE a gauge\n"
    assert render_family(family, {("1",): 1.0, ("2",): 2.0}, Format.TEXT) == head + 'a{c="1"} 1.0\na{c="2"} 2.0\n'
    assert render_family(replace(family, labels=()), {(): 1.0}, Format.TEXT) == head + "a 1.0\n"
