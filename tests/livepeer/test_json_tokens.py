"""Numbers that are not finite and lone surrogates are replaced, and nothing else."""

import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.livepeer.errors import DecodeError, ResponseTooLargeError
from exporter.livepeer.json_tokens import (
    MAX_ESCAPES,
    MAX_REPLACED_BYTES,
    STEP_BYTES,
    STEP_TOKENS,
    replace_tokens,
)
from tests.livepeer.pages import ANY_TEXT, JSON
from tests.support.cooperative import count_steps, run_to_end


def replaced(text: bytes) -> bytes:
    return run_to_end(replace_tokens(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"[NaN]", b"[1e999]"),
        (b'{"a":-Infinity,"b":Infinity}', b'{"a":-1e999,"b":1e999}'),
        (b'["NaN",NaN]', b'["NaN",1e999]'),
        (rb'["a\"NaN",NaN]', rb'["a\"NaN",1e999]'),
        (rb'["\\",NaN,"\\"]', rb'["\\",1e999,"\\"]'),
        (rb'["\ud800"]', rb'["\ufffd"]'),
        (rb'["\uDFFFx\ud83d\ude00\uD800"]', rb'["\ufffdx\ud83d\ude00\ufffd"]'),
        (rb'["\ud800\ud83d\ude00"]', rb'["\ufffd\ud83d\ude00"]'),
        (rb'["\ud800\u0041"]', rb'["\ufffd\u0041"]'),
        (rb'["\\ud800",NaN]', rb'["\\ud800",1e999]'),
        (rb'["\\\ud800"]', rb'["\\\ufffd"]'),
        (b'[NaN,"no end', b'[1e999,"no end'),
        (b'[NaN,"no end\\', b'[1e999,"no end\\'),
    ],
)
def test_a_token_is_replaced_unless_it_is_part_of_a_text(text: bytes, expected: bytes) -> None:
    assert replaced(text) == expected


@given(st.lists(JSON | ANY_TEXT, max_size=5))
@example([math.nan, "\ud800", "\\ud800", 'NaN"'])
def test_python_reads_the_same_afterwards_except_for_the_tokens(values: list[object]) -> None:
    text = json.dumps([*values, math.nan]).encode()
    found = json.loads(replaced(text), parse_constant=pytest.fail)
    assert found == json.loads(_by_hand(text.decode()))


def _by_hand(text: str) -> str:
    """Return the text with the tokens replaced one character after the other."""
    pieces, index, in_text = [], 0, False
    while index < len(text):
        rest = text[index:]
        token = next((each for each in ("NaN", "Infinity", "-Infinity") if not in_text and rest.startswith(each)), "")
        if token:
            pieces.append("-1e999" if token[0] == "-" else "1e999")
            index += len(token)
        elif in_text and rest[0] == "\\":
            size = 2 if rest[1] != "u" else 6
            unit = int(rest[2:6], 16) if size == 6 else 0
            low = int(rest[8:12], 16) if rest[6:8] == "\\u" else 0
            if 0xD800 <= unit < 0xDC00 <= low < 0xE000:
                size = 12
            pieces.append("\\ufffd" if size == 6 and 0xD800 <= unit < 0xE000 else rest[:size])
            index += size
        else:
            in_text ^= rest[0] == '"'
            pieces.append(rest[0])
            index += 1
    return "".join(pieces)


@pytest.mark.parametrize("body", [b"<html>", b"", b"[", b'["\\ude"]', b"\xef\xbb\xbf[]"])
def test_a_page_without_such_a_token_is_not_json(body: bytes) -> None:
    if b"\\ud" in body:
        assert replaced(body) == body
        return
    with pytest.raises(DecodeError):
        replaced(body)


def test_a_large_page_is_an_error() -> None:
    with pytest.raises(ResponseTooLargeError, match="bytes"):
        replaced(b"[NaN]".ljust(MAX_REPLACED_BYTES + 1))


def test_too_many_escape_sequences_are_an_error() -> None:
    with pytest.raises(ResponseTooLargeError, match="escape"):
        replaced(b'[NaN,"' + b"\\n" * (MAX_ESCAPES + 1) + b'"]')


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        (b'["' + b"x" * STEP_BYTES + b'",NaN,' + b'"' + b"x" * STEP_BYTES + b'"]', 2),
        (b"[" + b'"",' * 4 * STEP_TOKENS + b"NaN]", 4),
        (b"[" + b"NaN," * 4 * STEP_TOKENS + b"NaN]", 4),
    ],
)
def test_V02_tokens_are_replaced_in_steps(text: bytes, steps: int) -> None:
    assert count_steps(replace_tokens(text)) >= steps
