"""Makes text from outside safe for labels, log lines and pages."""

import re
from typing import Final

_WHITE: Final = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]")
_UNSEEN: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufffe\uffff\u061c]"
)


def clean(text: str, limit: int) -> str:
    """A customer's text as a label or a log may hold it: at most ``limit`` characters, all of them visible.

    Line breaks and tabs become spaces; control characters, marks that change the writing direction, invisible ones
    and lone surrogates (which make the library's exposition fail as a whole) become U+FFFD.
    """
    text = text[:limit]
    if text.isprintable():  # none of the characters below is
        return text
    return _UNSEEN.sub("\ufffd", _WHITE.sub(" ", text))
