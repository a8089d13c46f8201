"""The orders in which PostgreSQL may sort ids: by code point, or as a language sorts words.

Livepeer Studio sorts by the collation of its database, in `ORDER BY` as well as in `id > cursor`. Ids in the form of
lower-case UUIDs are in the same order in all collations; other ids are not.
"""

from collections.abc import Callable, Mapping
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Any, Final

Collation = Callable[[str], Any]
"""Returns the sort key of a text."""

_PUNCTUATION: Final = " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$"
"""Before digits and letters, in the order of CLDR's root collation."""

_WEIGHTS: Final = {
    character: weight
    for weight, characters in enumerate((*_PUNCTUATION, *digits, *map(str.__add__, ascii_lowercase, ascii_uppercase)))
    for character in characters
}


def code_points(text: str) -> str:
    """Sort by code point: the collations `C` and `C.UTF-8`, with which upper-case letters precede lower-case ones."""
    return text


def icu_en_us(text: str) -> tuple[list[int], list[bool], str]:
    """Sort as ICU's `en-US` sorts ASCII texts.

    Texts are compared without regard to case first; if they are equal, lower case precedes upper case at the first
    difference. Characters that are not ASCII follow in the order of their code points, unlike in ICU.
    """
    weights = [_WEIGHTS.get(character, len(_WEIGHTS) + ord(character)) for character in text]
    return weights, [character.isupper() for character in text], text


COLLATIONS: Final[Mapping[str, Collation]] = {"C": code_points, "en-US": icu_en_us}
"""The collations by the names that PostgreSQL has for them."""
