"""The signature of a call: only the body with one of the secrets matches."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.webhooks.signature import MAX_HEADER, Signature, parse_signature, sign
from tests.webhooks.calls import SECRET, body, header

bodies = st.binary(max_size=200)
secrets = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


@given(bodies, secrets)
def test_the_signature_is_the_hmac_sha256_of_the_body(content: bytes, secret: str) -> None:
    assert sign(content, secret) == hmac.new(secret.encode(), content, "sha256").hexdigest()
    parsed = parse_signature(header(content, secret))
    assert parsed is not None
    assert parsed.matches(content, [secret])


@given(bodies, secrets, bodies, secrets)
def test_another_body_or_another_secret_does_not_match(one: bytes, secret: str, two: bytes, other: str) -> None:
    parsed = Signature(0, (sign(one, secret),))
    assert parsed.matches(two, [secret]) == (one == two)
    assert parsed.matches(one, [other]) == (secret == other)


def test_each_of_several_secrets_matches_during_a_rotation() -> None:
    content = body()
    for secret in ("old", "new"):
        parsed = parse_signature(header(content, secret))
        assert parsed is not None
        assert parsed.matches(content, ["old", "new"])
    assert not Signature(0, (sign(content, "old"),)).matches(content, [])


@given(st.text(max_size=100))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    parsed = parse_signature(text)
    assert parsed is None or (parsed.time >= 0 and parsed.digests)


@pytest.mark.parametrize(
    "text",
    ["", "t=1", f"v1={'0' * 64}", f"t=,v1={'0' * 64}", f"t=-1,v1={'0' * 64}", "t=1,v1=00", f"t=1,v1={'g' * 64}"],
)
def test_a_header_without_a_time_or_a_digest_is_refused(text: str) -> None:
    assert parse_signature(text) is None


def test_a_header_that_is_too_long_is_refused() -> None:
    longest = header(b"").ljust(MAX_HEADER, ",")
    assert parse_signature(longest) is not None
    assert parse_signature(f"{longest},") is None


def test_upper_case_digits_and_several_digests_are_accepted() -> None:
    content = body()
    text = f"t=5, v1={'0' * 64}, v1={sign(content, SECRET).upper()}"
    parsed = parse_signature(text)
    assert parsed is not None
    assert parsed.time == 5
    assert parsed.matches(content, [SECRET])
