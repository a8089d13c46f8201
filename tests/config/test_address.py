"""Addresses of listeners."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import Address
from tests.config.loads import result_or_message


@given(st.text())
def test_any_text_is_parsed_or_rejected_without_being_repeated(text: str) -> None:
    outcome = result_or_message(Address.parse, text)
    if isinstance(outcome, Address):
        assert Address.parse(str(outcome)) == outcome
    else:
        assert len(text) < 8 or text not in outcome


@pytest.mark.parametrize("host", ["a..b", ".a", "a.", "x" * 64, f"{'x' * 63}.{'x' * 64}", ".".join(["x" * 63] * 4)])
def test_R07_an_invalid_host_name_is_rejected(host: str) -> None:
    with pytest.raises(ValueError, match="an IP address or a host name"):
        Address.parse(f"{host}:9877")


@pytest.mark.parametrize("zone", ["\udcff", "\0", " ", "", "e th0"])
def test_R07_an_invalid_zone_is_rejected(zone: str) -> None:
    with pytest.raises(ValueError, match="an IPv6 address between the brackets"):
        Address.parse(f"[fe80::1%{zone}]:9877")


@given(st.sampled_from(["", "localhost", "a-b.c", "10.0.0.1", "::", "::1", "fe80::1%eth0"]), st.integers(0, 65_535))
def test_a_formatted_address_is_parsed_to_the_same_address(host: str, port: int) -> None:
    assert Address.parse(str(Address(host, port))) == Address(host, port)
