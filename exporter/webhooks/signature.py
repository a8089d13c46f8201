"""The signature of a webhook: header ``Livepeer-Signature: t=<milliseconds>,v1=<hex>``.

The signature is the HMAC-SHA256 of the body alone, so ``t`` is not signed.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Final

import msgspec

MAX_HEADER: Final = 1024
"""Characters of the header that are parsed."""

_TIME = re.compile(r"[0-9]{1,16}")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")


class Signature(msgspec.Struct, frozen=True):
    """The header of a call.

    Attributes:
        time: when the call was sent, in milliseconds; not signed.
        digests: the signatures, in lower-case hexadecimal digits.
    """

    time: int
    digests: tuple[str, ...]

    def matches(self, body: bytes, secrets: Iterable[str]) -> bool:
        """Return whether one of the digests is that of the body with one of the secrets.

        All pairs are compared, each in constant time, so the duration does not depend on the digests.
        """
        found = False
        for secret in secrets:
            expected = sign(body, secret)
            for digest in self.digests:
                found |= hmac.compare_digest(expected, digest)
        return found


def parse_signature(header: str) -> Signature | None:
    """Return the parts of the header, or None if it has no valid time or no valid signature."""
    if len(header) > MAX_HEADER:
        return None
    time: int | None = None
    digests = []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t" and _TIME.fullmatch(value):
            time = int(value)
        elif name == "v1" and _SIGNATURE.fullmatch(value.lower()):
            digests.append(value.lower())
    return Signature(time, tuple(digests)) if time is not None and digests else None


def sign(body: bytes, secret: str) -> str:
    """Return the signature of a body."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
