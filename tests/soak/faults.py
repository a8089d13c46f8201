"""Faults of the upstream for a running exporter, named by the ids of their rows in docs/reliability.md.

A fault changes whole responses, the contents of a page, or how the upstream responds. None of them replaces an amount
by another plausible one, which no client could tell from the true one.
"""

import asyncio
import gzip
import json
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from functools import cache
from typing import Any, Final

from tests.support.canary import KEY
from tests.support.rows import Row
from tests.support.upstream import Reset, reply

ResponseFault = Callable[[bytes, random.Random], AsyncIterator[bytes]]
"""From a valid response to the bytes that are sent instead; then the connection is closed, or reset."""

ContentFault = Callable[[Sequence[Row], random.Random], bytes]
"""From the rows of a page, which must not be changed in place, to its body."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of the matrix.

    Attributes:
        id: of its row.
        response: the fault of responses, or None.
        content: the fault of contents, or None.
        drops_connections: whether connections are closed instead of a response, unless it is their first (V05).
        is_replica: whether every second response is that of a replica that is some seconds behind (D04).
        pauses_polls: whether the exporter pauses its polls for a minute after it.
    """

    id: str
    response: ResponseFault | None = None
    content: ContentFault | None = None
    drops_connections: bool = False
    is_replica: bool = False
    pauses_polls: bool = False


def _status(*statuses: int, headers: Callable[[random.Random], Mapping[str, str]] = lambda _: {}) -> ResponseFault:
    async def fault(_valid: bytes, rng: random.Random) -> AsyncIterator[bytes]:
        body = json.dumps({"errors": [f"no token {KEY} found"]}).encode()
        yield reply(body, rng.choice(statuses), headers(rng))

    return fault


def _responses(*responses: bytes) -> ResponseFault:
    async def fault(_valid: bytes, rng: random.Random) -> AsyncIterator[bytes]:
        yield rng.choice(responses)

    return fault


def _retry_headers(rng: random.Random) -> Mapping[str, str]:
    date, later = formatdate(0, usegmt=True), formatdate(2, usegmt=True)
    return rng.choice(({"Retry-After": "2"}, {"Retry-After": "-5"}, {"Retry-After": "soon"}, {},
                       {"Date": date, "Retry-After": later}))  # fmt: skip


def _with_date(*steps: float) -> ResponseFault:
    """Set the clock of the server ahead by one of some numbers of seconds."""

    async def fault(valid: bytes, rng: random.Random) -> AsyncIterator[bytes]:
        date = formatdate(time.time() + rng.choice(steps), usegmt=True).encode()
        changed = re.sub(rb"\r\nDate: [^\r]*", b"\r\nDate: " + date, valid, count=1)
        yield changed.replace(b"Connection: keep-alive", b"Connection: close", 1)

    return fault


async def _exhausted_pool(valid: bytes, _rng: random.Random) -> AsyncIterator[bytes]:
    """Fail if the page has more recorded rows than the database has time for."""
    is_large = valid.count(b'"record":true') > MAX_RECORDED
    yield reply(b'{"errors": ["timeout exceeded when trying to connect"]}', 500) if is_large else valid


async def _compressed(valid: bytes, _rng: random.Random) -> AsyncIterator[bytes]:
    yield reply(gzip.compress(valid.partition(b"\r\n\r\n")[2]), headers={"Content-Encoding": "gzip"})


@cache  # not made on import, since each process that collects the tests imports this
def _bomb() -> bytes:
    return reply(gzip.compress(bytes(64 * 2**20)), headers={"Content-Encoding": "gzip"})


async def _decompression_bomb(_valid: bytes, _rng: random.Random) -> AsyncIterator[bytes]:
    yield _bomb()


async def _endless(_valid: bytes, _rng: random.Random) -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for _ in range(40):  # 40 MiB, more than the limit of a body
        yield b"100000\r\n" + b" " * 0x100000 + b"\r\n"


async def _drip(valid: bytes, rng: random.Random) -> AsyncIterator[bytes]:
    start = rng.choice((0, len(valid) // 2))  # in the headers or in the body
    yield valid[:start]
    for index in range(start, start + 100):
        yield valid[index : index + 1]
        await asyncio.sleep(0.1)


async def _truncated(valid: bytes, rng: random.Random) -> AsyncIterator[bytes]:
    yield valid[: rng.randrange(len(valid))]
    if rng.random() < 0.5:
        await asyncio.sleep(0.05)
        raise Reset


async def _reset(_valid: bytes, _rng: random.Random) -> AsyncIterator[bytes]:
    yield b""
    raise Reset


async def _invalid_json(valid: bytes, rng: random.Random) -> AsyncIterator[bytes]:
    body = valid.partition(b"\r\n\r\n")[2]
    yield reply(rng.choice((b"\xef\xbb\xbf" + body, body + b"x", body[:-1] + b",", b"[" + body)))


def _with_link(*links: str) -> ResponseFault:
    async def fault(valid: bytes, rng: random.Random) -> AsyncIterator[bytes]:
        yield reply(valid.partition(b"\r\n\r\n")[2], headers={"Link": f'<{rng.choice(links)}>; rel="next"'})

    return fault


def _changed_rows(change: Callable[[Row, random.Random], Row]) -> ContentFault:
    """Replace fields in some rows of a page."""

    def fault(rows: Sequence[Row], rng: random.Random) -> bytes:
        return _encoded([row | change(row, rng) if rng.random() < 0.2 else row for row in rows])

    return fault


def _encoded(rows: Sequence[Row]) -> bytes:
    return json.dumps(rows).encode()  # with NaN and Infinity, which are not valid JSON


def _replaced_field(names: Sequence[str], values: Sequence[Any]) -> ContentFault:
    return _changed_rows(lambda _, rng: {rng.choice(names): rng.choice(values)})


def _duplicated(rows: Sequence[Row], rng: random.Random) -> bytes:
    older = {"lastSeen": 1_700_000_000_000}
    return _encoded([each for row in rows for each in ((row, row | older) if rng.random() < 0.2 else (row,))])


def _replaced_text(old: bytes, new: bytes) -> ContentFault:
    """Replace some text of the body by text that JSON libraries do not generate."""
    return lambda rows, _: _encoded(rows).replace(old, new)


MAX_RECORDED: Final = 120
"""Recorded rows that the exhausted pool of V08 can still deliver in one page."""

HOUR: Final = 3600.0

_AMOUNTS: Final = (
    "sourceSegments",
    "transcodedSegments",
    "sourceSegmentsDuration",
    "transcodedSegmentsDuration",
    "sourceBytes",
    "transcodedBytes",
    "ingestRate",
    "outgoingRate",
)
_TEXTS: Final = ("name", "parentId", "playbackId", "projectId")
_SPECIAL_TEXTS: Final = (
    '"} 1\nfake{',
    "a\\",
    "line\nbreak",
    "\x00",
    "\u2028",
    "\u202eright",
    "%s %d",
    "\x1b[31mred",
    "\ufeff",
)
_OTHER_HOSTS: Final = ("http://other.example.invalid/api/session?cursor=skip1", "ftp://x", "//x/y?cursor=skip2")

FAULTS: Final = (
    Fault("U01", _status(401), pauses_polls=True),
    Fault("U02", _status(403), pauses_polls=True),
    Fault("U03", _status(404)),
    Fault("U04", _status(400, 409, 422)),
    Fault("U05", _status(429, headers=_retry_headers)),
    Fault("U06", _status(500, 502, 503, 504, headers=_retry_headers)),
    Fault("U07", _status(501)),
    Fault("U08", _responses(reply(b""), b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")),
    Fault("U09", _responses(reply(b"[]"))),
    Fault("U10", _status(301, 302, 307, 308, headers=lambda _: {"Location": "http://127.0.0.1:9/"})),
    Fault(
        "U11", _responses(reply(b"<html>Bad gateway</html>", headers={"Content-Type": "text/html"}), reply(b"hello"))
    ),
    Fault("U12", _compressed),
    Fault("U13", _endless),
    Fault("U13", _responses(reply(b"[]", headers={"Content-Length": "99999999999"}))),
    Fault("U14", _decompression_bomb),
    Fault("U15", _responses(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 500_000 + b"\r\n\r\n[]")),
    Fault("U16", _drip),
    Fault("U17", _truncated),
    Fault("U17", _reset),
    Fault("U18", _invalid_json),
    Fault("P01", _with_link(*_OTHER_HOSTS)),
    Fault("P02", _with_link("http://x/?cursor=skip" + "9" * 5000, "http://x/?cursor=" + "z" * 7000)),
    Fault("P06", content=_duplicated),
    Fault("P07", content=_changed_rows(lambda _, rng: {"id": rng.choice((None, "", 7))})),
    Fault("P08", content=_replaced_field(("name",), (None, ""))),
    Fault("P09", content=_replaced_field((*_AMOUNTS, *_TEXTS), ({}, [], True))),
    Fault(
        "P09", content=_replaced_field((*_AMOUNTS, "isHealthy", "issues", "record", "lastSeen", "profiles"), ("3", {}))
    ),
    Fault("P10", _responses(reply(b'{"errors": ["no"]}'), reply(b"null"), reply(b"3"))),
    Fault("P11", content=_replaced_field(_AMOUNTS, (float("nan"), float("inf"), -float("inf")))),
    Fault("P12", content=_replaced_field(_AMOUNTS, (-1, -0.5, -(2**60)))),
    Fault("P13", content=_replaced_text(b'"projectId": "project-1"', b'"ingestRate": 1' + b"0" * 400)),
    Fault("P13", content=_replaced_text(b'"projectId": "project-1"', b'"ingestRate": ' + b"9" * 5000)),
    Fault("P14", _responses(reply(b"[" * 100_000), reply(b"[" + b'{"id":' * 100_000))),
    Fault("P15", content=_replaced_text(b'"kind": "session"', b'"name": "first", "name": "second"')),
    Fault("P16", content=_changed_rows(lambda *_: {"brandNew": {"a": [1]}, "recordingStatus": "paused"})),
    Fault(
        "P17",
        content=_changed_rows(
            lambda _, rng: {"name": rng.choice(_SPECIAL_TEXTS), "issues": [rng.choice(_SPECIAL_TEXTS)]}
        ),
    ),
    Fault("P18", content=_replaced_field(_TEXTS, ("\ud800", "a\udfffb"))),
    Fault("P19", content=_replaced_field(_TEXTS, ("é" * 65_536,))),
    Fault("D01", _with_date(2 * HOUR)),
    Fault("D01", _with_date(-2 * HOUR, 2 * HOUR, 72 * HOUR)),
    Fault("D04", is_replica=True),
    Fault("V05", drops_connections=True),
    Fault("V08", _exhausted_pool),
    Fault("P21", content=_changed_rows(lambda row, rng: {"lastSeen": rng.choice((4e15, row["lastSeen"] / 1000))})),
)
"""All faults of a soak."""
