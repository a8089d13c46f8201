"""Cleaning of text from outside."""

from hypothesis import given
from hypothesis import strategies as st

from exporter.text import clean


@given(st.text(st.characters()), st.integers(0, 40))
def test_cleaned_text_is_short_printable_and_unchanged_by_cleaning(text: str, limit: int) -> None:
    found = clean(text, limit)
    assert len(found) <= limit
    assert clean(found, limit) == found
    found.encode()
    assert not set(found) & set("\n\r\t\0\u2028\u2029\u202e\u200f\ufeff")


@given(st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters="\ufffe\uffff"), max_size=40))
def test_letters_numbers_punctuation_and_symbols_are_kept(text: str) -> None:
    assert clean(text, 40) == text
