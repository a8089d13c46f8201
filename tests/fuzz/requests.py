"""Makes up requests: what scrapers ask, spoilt in its parts or in its bytes, and plain nonsense."""

import random
from collections.abc import Callable, Mapping

METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE", b"CONNECT", b"get", b"G", b"")
TARGETS = (
    *(b"/metrics", b"/", b"/livez", b"/readyz", b"/metrics?x=1", b"/metrics/", b"//metrics", b"/metrics#a", b"*"),
    *(b"/../../etc/passwd", b"/%2e%2e/%2e%2e", b"/%00", b"/%ff%fe", b"/%", b"http://localhost/metrics", b"metrics"),
    *(b"/" + b"a" * 17_000, b"/?" + b"&".join([b"a=b"] * 500), b"/\xff\xfe", b"/\xe2\x80\xae", b"", b"/ /", b"/\x00"),
)
VERSIONS = (b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/9.9", b"HTTP/1", b"http/1.1", b"ICY/1.0", b"")
NAMES = (
    *(b"Host", b"Accept", b"Accept-Encoding", b"Connection", b"Content-Length", b"Transfer-Encoding", b"Expect"),
    *(b"Upgrade", b"Authorization", b"Cookie", b"Range", b"If-None-Match", b"X-Forwarded-For", b"TE", b"Keep-Alive"),
    *(b"X-" + b"n" * 300, b"", b" Host", b"X\xff", b"X:Y", b"\x00"),
)
KNOWN = 15
"""How many of the names, from the first, are real ones."""

VALUES = (
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
BODIES = (b"", b"", b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"fffffffff\r\n", b"zz\r\n", b"0\r\n\r\n")
NONSENSE = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),  # the hello of TLS
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"\r\n" * 200,
    b"\x00" * 500,
    b"GET\t/metrics\tHTTP/1.1\r\n\r\n",
    b"GET /metrics HTTP/1.1\n\n",
    b"GET /metrics\r\n\r\n",
)

Maker = Callable[[random.Random], bytes]


def good(rng: random.Random) -> bytes:
    """What a scraper asks."""
    coding = rng.choice((b"gzip", b"identity", b"br, gzip;q=0.9"))
    form = rng.choice((b"text/plain;version=0.0.4", b"application/openmetrics-text;version=1.0.0", b"*/*"))
    last = b"Connection: close\r\n" if rng.random() < 0.5 else b""
    headers = b"Host: localhost\r\nAccept: %b\r\nAccept-Encoding: %b\r\n%b" % (form, coding, last)
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (rng.choice((b"GET", b"GET", b"HEAD")), rng.choice(TARGETS[:4]), headers)


def bad_parts(rng: random.Random) -> bytes:
    """A request put together from parts that may not fit."""
    method, target, version = rng.choice(METHODS), rng.choice(TARGETS), rng.choice(VERSIONS)
    if rng.random() < 0.6:
        method, version = METHODS[rng.randrange(3)], VERSIONS[0]
    names = NAMES if rng.random() < 0.3 else NAMES[:KNOWN]
    lines = [b"%b: %b\r\n" % (rng.choice(names), rng.choice(VALUES)) for _ in range(rng.randint(0, 6))]
    return b"%b %b %b\r\n%b\r\n%b" % (method, target, version, b"".join(lines), rng.choice(BODIES))


def bad_bytes(rng: random.Random) -> bytes:
    """A request with some bytes changed, dropped or doubled."""
    text = bytearray(rng.choice((good, bad_parts))(rng))
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


def several(rng: random.Random) -> bytes:
    """Requests behind each other."""
    return b"".join(rng.choice((good, good, bad_parts, bad_bytes))(rng) for _ in range(rng.randint(2, 12)))


def nonsense(rng: random.Random) -> bytes:
    """Other protocols, and bytes of any kind."""
    return rng.choice((*NONSENSE, rng.randbytes(rng.randint(1, 2000))))


MAKERS: Mapping[str, tuple[Maker, int]] = {
    "good": (good, 20),
    "bad parts": (bad_parts, 35),
    "bad bytes": (bad_bytes, 25),
    "several at once": (several, 10),
    "nonsense": (nonsense, 10),
}
"""The kinds of requests, and how many of a hundred are of each."""
