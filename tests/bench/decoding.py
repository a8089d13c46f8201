"""P5: reading pages, next to the least that msgspec can do for the same fields."""

import random
import time
from collections.abc import Callable

import msgspec

from exporter.livepeer.decoding import DecodedPage, decode_page
from exporter.simulator.bulk import bulk_rows
from exporter.simulator.query import Row
from tests.bench.report import OURS, Figure, Findings, Verdict

PAGE = 1000
RAW = "raw msgspec"
GOOD = "reading good pages"
DIFFERENT = "reading good pages, no two sessions with the same profiles"
ONE_BAD = "reading, one bad value to a page"
REFUSED = "reading, one value to a page that msgspec refuses"
NAMES = {ONE_BAD: ("sourceBytes", "range"), REFUSED: ("sourceBytes", "not_finite")}


class Profile(msgspec.Struct, gc=False):
    """One rendition, with the fields that we read, and nothing asked of them."""

    name: str | None = None
    width: float | None = None
    height: float | None = None
    bitrate: float | None = None
    fps: float | None = None
    gop: str | None = None
    encoder: str | None = None


class Raw(msgspec.Struct, gc=False, rename="camel"):
    """One session, likewise."""

    id: str
    name: str | None = None
    parent_id: str | None = None
    created_at: float | None = None
    last_seen: float | None = None
    source_segments: float | None = None
    transcoded_segments: float | None = None
    source_segments_duration: float | None = None
    transcoded_segments_duration: float | None = None
    source_bytes: float | None = None
    transcoded_bytes: float | None = None
    ingest_rate: float | None = None
    outgoing_rate: float | None = None
    is_healthy: bool | None = None
    issues: tuple[str, ...] | None = None
    record: bool | None = None
    recording_status: str | None = None
    recording_url: str | None = None
    mp4_url: str | None = None
    playback_id: str | None = None
    project_id: str | None = None
    profiles: tuple[Profile, ...] | None = None


def compare(sessions: int, rounds: int) -> Findings:
    """Our reader and raw msgspec in turns, on good pages; then our reader on pages with one bad value each.

    The sessions of an account mostly have the same profiles, and equal ones are read once; where no two are equal
    our reader has nothing to save, so that is measured too. No goal is about it.

    Raises:
        RuntimeError: something else than the bad value was lost.
    """
    now = time.time()
    rows = bulk_rows(sessions, seed=1, now=now)
    pages = [rows[start : start + PAGE] for start in range(0, sessions, PAGE)]
    good = [msgspec.json.encode(page) for page in pages]
    different = [msgspec.json.encode([_unlike(row, number) for number, row in enumerate(page)]) for page in pages]
    bad = [msgspec.json.encode(_spoilt(page, -1)) for page in pages]
    refused = [body.replace(b'"sourceBytes":-1', b'"sourceBytes":NaN') for body in bad]
    for what, bodies in ((ONE_BAD, bad), (REFUSED, refused)):
        _lost_one([decode_page(body, now) for body in bodies], sessions, NAMES[what])
    decoder = msgspec.json.Decoder(list[Raw])
    found = _in_turns(
        {
            (GOOD, RAW): lambda: [decoder.decode(body) for body in good],
            (GOOD, OURS): lambda: [decode_page(body, now) for body in good],
            (DIFFERENT, RAW): lambda: [decoder.decode(body) for body in different],
            (DIFFERENT, OURS): lambda: [decode_page(body, now) for body in different],
            (ONE_BAD, OURS): lambda: [decode_page(body, now) for body in bad],
            (REFUSED, OURS): lambda: [decode_page(body, now) for body in refused],
        },
        sessions,
        rounds,
    )
    raw, ours, raw_different, ours_different, one_bad, _ = found
    at = f"{sessions:,} sessions"
    return Findings(
        found,
        (
            Verdict("P5", f"{GOOD}, to raw msgspec, {at}", 1.1).of(ours.to(raw)),
            Verdict("P5", f"{DIFFERENT}, to raw msgspec, {at}", 1.1, binding=False).of(
                ours_different.to(raw_different)
            ),
            Verdict("P5", f"{ONE_BAD}, to raw msgspec on good ones, {at}", 2.5).of(one_bad.to(raw)),
        ),
    )


def _unlike(row: Row, number: int) -> Row:
    return row | {"profiles": [profile | {"bitrate": profile["bitrate"] + number} for profile in row["profiles"]]}


def _spoilt(page: list[Row], value: float) -> list[Row]:
    # The last item: everything before it is decoded in vain.
    return [*page[:-1], page[-1] | {"sourceBytes": value}]


def _lost_one(readings: list[DecodedPage], sessions: int, fault: tuple[str, str]) -> None:
    if sum(len(reading.sessions) for reading in readings) != sessions:
        raise RuntimeError("sessions were lost")
    if any(dict(reading.invalid_values) != {fault: 1} for reading in readings):
        raise RuntimeError("not exactly the bad value was lost")


def _in_turns(
    contestants: dict[tuple[str, str], Callable[[], object]], sessions: int, rounds: int
) -> tuple[Figure, ...]:
    seconds: dict[tuple[str, str], list[float]] = {name: [] for name in contestants}
    order = list(contestants)
    shuffle = random.Random(1).shuffle
    for _ in range(rounds):
        # Who reads a page second finds it in the processor's cache, and the lenient decoder leaves little in there.
        shuffle(order)
        for name in order:
            began = time.process_time()
            contestants[name]()
            seconds[name].append((time.process_time() - began) * 1000)
    return tuple(Figure(what, who, sessions, "ms", tuple(values)) for (what, who), values in seconds.items())
