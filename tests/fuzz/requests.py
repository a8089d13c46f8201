"""Random requests: those of scrapers, requests with errors in parts or bytes, and arbitrary data."""

import random
from collections.abc import Callable, Mapping
from typing import Final

METHODS: Final = (
    b"GET",
    b"HEAD",
    b"POST",
    b"PUT",
    b"DELETE",
    b"OPTIONS",
    b"PATCH",
    b"TRACE",
    b"CONNECT",
    b"get",
    b"G",
    b"",
)
TARGETS: Final = (
    *(b"/metrics", b"/", b"/livez", b"/readyz", b"/metrics?x=1", b"/metrics/", b"//metrics", b"/metrics#a", b"*"),
    *(b"/../../etc/passwd", b"/%2e%2e/%2e%2e", b"/%00", b"/%ff%fe", b"/%", b"http://localhost/metrics", b"metrics"),
    *(b"/" + b"a" * 17_000, b"/?" + b"&".join([b"a=b"] * 500), b"/\xff\xfe", b"/\xe2\x80\xae", b"", b"/ /", b"/\x00"),
)
VERSIONS: Final = (
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"HTTP/2.0",
    b"HTTP/0.9",
    b"HTTP/9.9",
    b"HTTP/1",
    b"http/1.1",
    b"ICY/1.0",
    b"",
)
NAMES: Final = (
    *(b"Host", b"Accept", b"Accept-Encoding", b"Connection", b"Content-Length", b"Transfer-Encoding", b"Expect"),
    *(b"Upgrade", b"Authorization", b"Cookie", b"Range", b"If-None-Match", b"X-Forwarded-For", b"TE", b"Keep-Alive"),
    *(b"X-" + b"n" * 300, b"", b" Host", b"X\xff", b"X:Y", b"\x00"),
)
STANDARD_NAMES: Final = 15
"""The number of names, from the first, of standard headers."""

VALUES: Final = (
    *(b"localhost", b"close", b"keep-alive", b"upgrade", b"websocket", b"h2c", b"chunked", b"gzip", b"gzip;q=0"),
    *(
        b"identity;q=0",
        b"*;q=0.5",
        b"br, gzip;q=1.0, *;q=0",
        b"application/openmetrics-text;version=1.0.0",
        b"text/plain",
    ),
    *(
        b"text/plain;q=abc",
        b"*/*;q=2",
        b";;;,,,",
        b'a="',
        b'"' * 200,
        b"0",
        b"5",
        b"-1",
        b"99999999999999999999",
        b"1e3",
    ),
    *(
        b"100-continue",
        b"Basic Zm9vOmJhcg==",
        b"Basic %%%",
        b"Bearer x",
        b"bytes=0-1",
        b"a" * 5000,
        b"a" * 20_000,
        b"\xff",
    ),
    *(b"\x00", b"a\rb", b"a\nb", b"\t", b"", b"q=" + b"9" * 400, b"," * 3000),
)
BODIES: Final = (b"", b"", b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"fffffffff\r\n", b"zz\r\n", b"0\r\n\r\n")
OTHER_PROTOCOLS: Final = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),  # a TLS ClientHello
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"\r\n" * 200,
    b"\x00" * 500,
    b"GET\t/metrics\tHTTP/1.1\r\n\r\n",
    b"GET /metrics HTTP/1.1\n\n",
    b"GET /metrics\r\n\r\n",
)

Generator = Callable[[random.Random], bytes]


def valid(rng: random.Random) -> bytes:
    """Generate a request of a scraper."""
    coding = rng.choice((b"gzip", b"identity", b"br, gzip;q=0.9"))
    form = rng.choice(
        (
            b"text/plain;version=0.0.4",
            b"text/plain;version=1.0.0;escaping=underscores",
            b"application/openmetrics-text;version=1.0.0",
            b"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8",
            b"*/*",
        )
    )
    last = b"Connection: close\r\n" if rng.random() < 0.5 else b""
    headers = b"Host: localhost\r\nAccept: %b\r\nAccept-Encoding: %b\r\n%b" % (form, coding, last)
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (rng.choice((b"GET", b"GET", b"HEAD")), rng.choice(TARGETS[:4]), headers)


def invalid_parts(rng: random.Random) -> bytes:
    """Generate a request of randomly chosen parts."""
    method, target, version = rng.choice(METHODS), rng.choice(TARGETS), rng.choice(VERSIONS)
    if rng.random() < 0.6:
        method, version = METHODS[rng.randrange(3)], VERSIONS[0]
    names = NAMES if rng.random() < 0.3 else NAMES[:STANDARD_NAMES]
    lines = [b"%b: %b\r\n" % (rng.choice(names), rng.choice(VALUES)) for _ in range(rng.randint(0, 6))]
    return b"%b %b %b\r\n%b\r\n%b" % (method, target, version, b"".join(lines), rng.choice(BODIES))


def corrupted_bytes(rng: random.Random) -> bytes:
    """Generate a request with bytes that are changed, deleted or repeated."""
    text = bytearray(rng.choice((valid, invalid_parts))(rng))
    for _ in range(rng.randint(1, 6)):
        start = rng.randrange(len(text))
        match rng.randrange(3):
            case 0:
                text[start] = rng.randrange(256)
            case 1 if len(text) > 1:
                del text[start : start + rng.randint(1, 20)]
                text = text or bytearray(b"\r")
            case _:
                text[start:start] = text[start : start + rng.randint(1, 40)]
    return bytes(text)


def pipelined(rng: random.Random) -> bytes:
    """Generate several requests on one connection."""
    return b"".join(rng.choice((valid, valid, invalid_parts, corrupted_bytes))(rng) for _ in range(rng.randint(2, 12)))


def not_http(rng: random.Random) -> bytes:
    """Generate data of other protocols, or arbitrary bytes."""
    return rng.choice((*OTHER_PROTOCOLS, rng.randbytes(rng.randint(1, 2000))))


GENERATORS: Final[Mapping[str, tuple[Generator, int]]] = {
    "valid": (valid, 20),
    "invalid parts": (invalid_parts, 35),
    "corrupted bytes": (corrupted_bytes, 25),
    "pipelined": (pipelined, 10),
    "not HTTP": (not_http, 10),
}
"""The kinds of requests, with the percentage of each."""
