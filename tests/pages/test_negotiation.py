"""What `Accept` and `Accept-Encoding` ask for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.text_format import Format
from exporter.pages.negotiation import choose_format, wants_gzip

PROMETHEUS_2_42 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"  # fmt: skip  # noqa: E501
PROMETHEUS_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"  # fmt: skip  # noqa: E501
PROTOBUF_FIRST = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,text/plain;version=0.0.4;q=0.3"  # fmt: skip  # noqa: E501


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, Format.TEXT),
        ("", Format.TEXT),
        ("*/*", Format.TEXT),
        ("text/html,application/xhtml+xml,*/*;q=0.8", Format.TEXT),
        (PROMETHEUS_2_42, Format.OPENMETRICS),
        (PROMETHEUS_3, Format.OPENMETRICS),
        (PROTOBUF_FIRST, Format.TEXT),
        ("application/openmetrics-text", Format.OPENMETRICS),
        ("Application/OpenMetrics-Text; Version=1.0.0", Format.OPENMETRICS),
        ('application/openmetrics-text; version="1.0.0"', Format.OPENMETRICS),
        ("application/openmetrics-text; version=1.0.0; q=0", Format.TEXT),
        ("application/openmetrics-text; version=0.0.1", Format.TEXT),
        ("application/openmetrics-text; version=2.0.0", Format.TEXT),
        ("application/openmetrics-text;q=0.3, text/plain;q=0.4", Format.TEXT),
        ("application/openmetrics-text;q=0.4, text/plain;q=0.3", Format.OPENMETRICS),
        ("application/openmetrics-text, text/plain", Format.OPENMETRICS),
        ("text/plain, application/openmetrics-text", Format.TEXT),
        ("application/*", Format.OPENMETRICS),
        ("text/*, application/openmetrics-text;q=0.9", Format.TEXT),
        # An exact media range takes precedence over a wildcard.
        ("text/plain;q=0.1, */*", Format.OPENMETRICS),
        ("application/openmetrics-text;q=0, */*", Format.TEXT),
        (
            "application/openmetrics-text;q=0.2, application/openmetrics-text;version=1.0.0, */*;q=0.5",
            Format.OPENMETRICS,
        ),
        # A comma or a semicolon in quotes separates nothing.
        ('text/plain;note="a,application/openmetrics-text;q=1"', Format.TEXT),
        # Garbage counts as absent.
        ("application/openmetrics-text;q=high", Format.TEXT),
        ("application/openmetrics-text;q=1.5", Format.TEXT),
        (";;;,,,", Format.TEXT),
        ('"', Format.TEXT),
        ("x" * 100_000, Format.TEXT),
    ],
)
def test_the_format_is_the_one_that_the_header_likes_best(accept: str | None, form: Format) -> None:
    assert choose_format(accept) is form


@pytest.mark.parametrize(
    ("accept_encoding", "packed"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("br", False),
        ("identity", False),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("gzip;q=0.0", False),
        ("gzip;q=0.5, identity", False),
        ("gzip;q=0.5, identity;q=0.5", True),
        ("gzip;q=0.001", True),
        ("identity;q=0, gzip;q=0.1", True),
        ("gzip;q=yes", False),
        ("gzipped", False),
    ],
)
def test_gzip_is_sent_to_those_who_want_it(accept_encoding: str | None, packed: bool) -> None:
    assert wants_gzip(accept_encoding) is packed


quality = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)


@given(text=quality, openmetrics=quality)
def test_the_greater_q_wins_whatever_the_order(text: float, openmetrics: float) -> None:
    ranges = [f"text/plain;q={text:.3f}", f"application/openmetrics-text;q={openmetrics:.3f}"]
    if text != openmetrics:
        wanted = Format.TEXT if text > openmetrics else Format.OPENMETRICS
        assert {choose_format(",".join(ranges)), choose_format(",".join(reversed(ranges)))} == {wanted}


@given(header=st.text(max_size=300) | st.text('",;= \\q*/01.', max_size=300))
def test_any_header_is_answered(header: str) -> None:
    assert choose_format(header) in Format
    assert wants_gzip(header) in (True, False)


@given(header=st.text('",;= \\q*/01.gzip', max_size=200))
def test_what_says_nothing_of_gzip_or_everything_gets_none(header: str) -> None:
    if "gzip" not in header and "*" not in header:
        assert not wants_gzip(header)
