"""P5: decoding pages, compared with raw msgspec decoding of the same fields."""

import random
import time
from collections.abc import Callable
from typing import Final

import msgspec

from exporter.livepeer.decoding import DecodedPage, decode_page
from exporter.simulator.bulk import bulk_rows
from exporter.simulator.query import Row
from tests.bench.report import EXPORTER, GoalResult, Measurement, Results
from tests.support.cooperative import run_to_end

PAGE_SIZE: Final = 1000
RAW: Final = "raw msgspec"
VALID: Final = "decoding valid pages"
DIFFERENT_PROFILES: Final = "decoding valid pages in which all sessions have different profiles"
INVALID_VALUE: Final = "decoding pages with one invalid value each"
NAN: Final = "decoding pages with one NaN each, which msgspec rejects"


class Profile(msgspec.Struct, gc=False):
    """A rendition, with the fields that the exporter decodes and without any constraint."""

    name: str | None = None
    width: float | None = None
    height: float | None = None
    bitrate: float | None = None
    fps: float | None = None
    gop: str | None = None
    encoder: str | None = None


class Session(msgspec.Struct, gc=False, rename="camel"):
    """A session, with the fields that the exporter decodes and without any constraint."""

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


def compare(sessions: int, rounds: int) -> Results:
    """Compare the exporter's decoder with raw msgspec on valid pages, and measure it on pages with an invalid value.

    The sessions of an account mostly have the same profiles, and equal profiles are decoded once. Pages whose sessions
    all have different profiles are measured too, without a goal.

    Raises:
        RuntimeError: not exactly the invalid value was dropped.
    """
    now = time.time()
    rows = bulk_rows(sessions, seed=1, now=now)
    pages = [rows[start : start + PAGE_SIZE] for start in range(0, sessions, PAGE_SIZE)]
    valid = [msgspec.json.encode(page) for page in pages]
    different = [msgspec.json.encode([_own_profiles(row, at) for at, row in enumerate(page)]) for page in pages]
    invalid = [msgspec.json.encode(_with_negative_bytes(page)) for page in pages]
    nan = [body.replace(b'"sourceBytes":-1', b'"sourceBytes":NaN') for body in invalid]
    for bodies, reason in ((invalid, "range"), (nan, "not_finite")):
        _check_dropped([run_to_end(decode_page(body, now)) for body in bodies], sessions, ("sourceBytes", reason))
    decoder = msgspec.json.Decoder(list[Session])
    measurements = _measure(
        {
            (VALID, RAW): lambda: [decoder.decode(body) for body in valid],
            (VALID, EXPORTER): lambda: [run_to_end(decode_page(body, now)) for body in valid],
            (DIFFERENT_PROFILES, RAW): lambda: [decoder.decode(body) for body in different],
            (DIFFERENT_PROFILES, EXPORTER): lambda: [run_to_end(decode_page(body, now)) for body in different],
            (INVALID_VALUE, EXPORTER): lambda: [run_to_end(decode_page(body, now)) for body in invalid],
            (NAN, EXPORTER): lambda: [run_to_end(decode_page(body, now)) for body in nan],
        },
        sessions,
        rounds,
    )
    raw, exporter, raw_different, exporter_different, exporter_invalid, _ = measurements
    to_raw = f"compared with raw msgspec, {sessions:,} sessions"
    to_raw_valid = f"compared with raw msgspec on valid pages, {sessions:,} sessions"
    different_ratio = exporter_different.ratio_to(raw_different)
    return Results(
        measurements,
        (
            GoalResult("P5", f"{VALID}, {to_raw}", exporter.ratio_to(raw), goal=1.1),
            GoalResult("P5", f"{DIFFERENT_PROFILES}, {to_raw}", different_ratio, goal=1.1, binding=False),
            GoalResult("P5", f"{INVALID_VALUE}, {to_raw_valid}", exporter_invalid.ratio_to(raw), goal=2.5),
        ),
    )


def _own_profiles(row: Row, number: int) -> Row:
    return row | {"profiles": [profile | {"bitrate": profile["bitrate"] + number} for profile in row["profiles"]]}


def _with_negative_bytes(page: list[Row]) -> list[Row]:
    # In the last item, so that the fast decoder fails as late as it can.
    return [*page[:-1], page[-1] | {"sourceBytes": -1}]


def _check_dropped(pages: list[DecodedPage], sessions: int, invalid: tuple[str, str]) -> None:
    if sum(len(page.sessions) for page in pages) != sessions:
        raise RuntimeError("sessions were dropped")
    if any(dict(page.invalid_values) != {invalid: 1} for page in pages):
        raise RuntimeError("not exactly the invalid value was dropped")


def _measure(
    decoders: dict[tuple[str, str], Callable[[], object]], sessions: int, rounds: int
) -> tuple[Measurement, ...]:
    milliseconds: dict[tuple[str, str], list[float]] = {key: [] for key in decoders}
    order = list(decoders)
    shuffle = random.Random(1).shuffle
    for _ in range(rounds):
        # The order affects which pages are in the processor's cache; the lenient decoder evicts most of them.
        shuffle(order)
        for key in order:
            began = time.process_time()
            decoders[key]()
            milliseconds[key].append((time.process_time() - began) * 1000)
    return tuple(
        Measurement(quantity, candidate, sessions, "ms", tuple(values))
        for (quantity, candidate), values in milliseconds.items()
    )
