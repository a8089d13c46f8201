"""Cleaning of text from outside for labels, log lines and pages."""

import re
from typing import Final

_WHITE_SPACE: Final = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]")
_INVISIBLE: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufffe\uffff\u061c]"
)


def clean(text: str, limit: int) -> str:
    """Return at most `limit` characters of a text, without invisible characters.

    Line breaks and tabs become spaces. Control characters, directional marks, zero-width characters and lone
    surrogates become U+FFFD; prometheus-client cannot encode lone surrogates.
    """
    text = text[:limit]
    if text.isprintable():  # the common case: all characters replaced below are unprintable
        return text
    return _INVISIBLE.sub("\ufffd", _WHITE_SPACE.sub(" ", text))
