"""Replaces the parts of a page that JavaScript or Python may write, but msgspec rejects as a whole.

These are NaN, Infinity and lone surrogates. The page can then be divided into items by msgspec, and only the affected
values are invalid.
"""

import re
from typing import Final

from exporter.cooperative import Cooperative
from exporter.livepeer.body import Body
from exporter.livepeer.errors import DecodeError, ResponseTooLargeError

MAX_REPLACED_BYTES: Final = 4 * 1024 * 1024
"""Bytes of a page in which tokens are replaced."""

MAX_ESCAPES: Final = 100_000
"""Backslashes of a page in which tokens are replaced; a page of 1000 sessions has about 1,200."""

STEP_BYTES: Final = 64 * 1024
STEP_TOKENS: Final = 5_000
"""Bytes and tokens after which other tasks run."""

_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|NaN|-?Infinity', re.DOTALL)
"""A string, up to the end of the page if it is not terminated, or a number that is not finite."""

_NOT_FINITE: Final = {b"NaN": b"1e999", b"Infinity": b"1e999", b"-Infinity": b"-1e999"}
"""Numbers that msgspec accepts as JSON, and that exceed the range of a float."""

_SURROGATE: Final = re.compile(
    rb"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\[^u]|\\u(?![dD][89a-fA-F]))"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}",
    re.DOTALL,
)
"""A pair of surrogates or another escape sequence, which stays (group 1), or a lone surrogate."""


def replace_tokens(body: Body) -> Cooperative[bytes]:
    """Replace numbers that are not finite by numbers out of range, and lone surrogates by U+FFFD.

    Raises:
        ResponseTooLargeError: the page is too large for this, or has too many escape sequences.
        DecodeError: there is nothing to replace.
    """
    if not (b"NaN" in body or b"Infinity" in body or b"\\ud" in body or b"\\uD" in body):
        raise DecodeError("the response is not JSON")
    if len(body) > MAX_REPLACED_BYTES:
        raise ResponseTooLargeError(f"a page with NaN or lone surrogates has more than {MAX_REPLACED_BYTES} bytes")
    if body.count(b"\\") > MAX_ESCAPES:
        raise ResponseTooLargeError(f"a page with NaN or lone surrogates has more than {MAX_ESCAPES} escape sequences")
    replaced, copied, step_end = bytearray(), 0, STEP_BYTES
    for count, match in enumerate(_TOKEN.finditer(body), 1):
        token = match[0]
        new = _NOT_FINITE.get(token) or _without_lone_surrogates(token)
        if new != token:
            replaced += body[copied : match.start()]
            replaced += new
            copied = match.end()
        if match.end() > step_end or count % STEP_TOKENS == 0:
            step_end = match.end() + STEP_BYTES
            yield
    replaced += body[copied:]
    return bytes(replaced)


def _without_lone_surrogates(token: bytes) -> bytes:
    if b"\\ud" not in token and b"\\uD" not in token:
        return token
    return _SURROGATE.sub(lambda match: match[1] or rb"\ufffd", token)
