"""What `Accept` and `Accept-Encoding` ask for."""

import re
from collections.abc import Sequence
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.text_format import Format
from exporter.pages.negotiation import ESCAPINGS, ContentType, choose_content_type, wants_gzip

TEXT = "text/plain; version=0.0.4; charset=utf-8"
TEXT_1 = "text/plain; version=1.0.0; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

PROTOBUF_RANGE = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
PROTOCOLS = {
    "PrometheusProto": PROTOBUF_RANGE,
    "PrometheusText0.0.4": "text/plain;version=0.0.4",
    "PrometheusText1.0.0": "text/plain;version=1.0.0",
    "OpenMetricsText0.0.1": "application/openmetrics-text;version=0.0.1",
    "OpenMetricsText1.0.0": "application/openmetrics-text;version=1.0.0",
}
"""The values of `scrape_protocols` in Prometheus 3."""
DEFAULT = ("OpenMetricsText1.0.0", "OpenMetricsText0.0.1", "PrometheusText1.0.0", "PrometheusText0.0.4")
ESCAPED = ("PrometheusText1.0.0", "OpenMetricsText1.0.0")


def prometheus_3(protocols: Sequence[str], escaping: str) -> str:
    """Return the header of Prometheus 3: falling q-values from 0.6, and the escaping scheme with versions 1.0.0."""
    ranges = [PROTOCOLS[name] + (f";escaping={escaping}" if name in ESCAPED else "") for name in protocols]
    return ",".join(f"{each};q=0.{6 - place}" for place, each in enumerate([*ranges, "*/*"]))


CLIENTS = {
    "Prometheus 2.25": (
        "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        TEXT,
    ),
    "Prometheus 2.42": (
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
            "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
        ),
        OPENMETRICS,
    ),
    "Prometheus 2.55": (
        (
            "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
            "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        ),
        OPENMETRICS,
    ),
    "Prometheus 2.55, native histograms": (
        (
            f"{PROTOBUF_RANGE};q=0.5,application/openmetrics-text;version=1.0.0;q=0.4,"
            "application/openmetrics-text;version=0.0.1;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
        ),
        OPENMETRICS,
    ),
    "Prometheus 2.55, UTF-8 names": (
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
            "application/openmetrics-text;version=0.0.1;escaping=allow-utf-8;q=0.4,"
            "text/plain;version=0.0.4;escaping=allow-utf-8;q=0.3,*/*;q=0.2"
        ),
        f"{OPENMETRICS}; escaping=allow-utf-8",
    ),
    "Prometheus 2.55, UTF-8 names, text only": ("text/plain;version=0.0.4;escaping=allow-utf-8;q=0.5,*/*;q=0.4", TEXT),
    "Prometheus 3": (
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
            "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
            "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        ),
        f"{OPENMETRICS}; escaping=allow-utf-8",
    ),
    "Prometheus 3, native histograms, dots": (
        (
            f"{PROTOBUF_RANGE};q=0.6,application/openmetrics-text;version=1.0.0;escaping=dots;q=0.5,"
            "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=dots;q=0.3,"
            "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
        ),
        OPENMETRICS,
    ),
    # Alloy validates names as Prometheus 2 unless it is configured otherwise.
    "Alloy": (
        (
            "application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.6,"
            "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=underscores;q=0.4,"
            "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        ),
        f"{OPENMETRICS}; escaping=underscores",
    ),
    "VictoriaMetrics": ("text/plain;version=0.0.4;q=1,*/*;q=0.1", TEXT),
    "Telegraf": (f"{PROTOBUF_RANGE};q=0.7,text/plain;version=0.0.4;q=0.3,*/*;q=0.1", TEXT),
    "curl": ("*/*", TEXT),
    "Firefox": ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", TEXT),
    "Chrome": (
        (
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
            "application/signed-exchange;v=b3;q=0.7"
        ),
        TEXT,
    ),
}
"""What clients send, and the content type of the response."""


def content_type(accept: str | None) -> str:
    return choose_content_type(accept).header


@pytest.mark.parametrize(("accept", "expected"), CLIENTS.values(), ids=CLIENTS)
def test_clients_get_the_content_type_that_they_prefer(accept: str, expected: str) -> None:
    assert content_type(accept) == expected


def test_the_headers_of_prometheus_3_in_the_table_are_those_of_its_settings() -> None:
    assert prometheus_3(DEFAULT, "allow-utf-8") == CLIENTS["Prometheus 3"][0]
    assert prometheus_3(DEFAULT, "underscores") == CLIENTS["Alloy"][0]
    native = prometheus_3(("PrometheusProto", *DEFAULT), "dots")
    assert native == CLIENTS["Prometheus 3, native histograms, dots"][0]


@pytest.mark.parametrize("escaping", [*ESCAPINGS, "dots"])
@pytest.mark.parametrize("count", range(1, len(PROTOCOLS) + 1))
def test_prometheus_3_gets_the_first_protocol_offered_of_its_scrape_protocols(count: int, escaping: str) -> None:
    parameter = "" if escaping == "dots" else f"; escaping={escaping}"
    offered = {
        "PrometheusText0.0.4": TEXT,
        "PrometheusText1.0.0": TEXT_1 + parameter,
        "OpenMetricsText1.0.0": OPENMETRICS + parameter,
    }
    for protocols in permutations(PROTOCOLS, count):
        expected = next((offered[name] for name in protocols if name in offered), TEXT)
        assert content_type(prometheus_3(protocols, escaping)) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        # Without the parameter in the request there is none in the response.
        ("text/plain;version=1.0.0", TEXT_1),
        ("application/openmetrics-text;version=1.0.0", OPENMETRICS),
        # Version 0.0.4 and ranges without a version have no escaping.
        ("text/plain;version=0.0.4;escaping=values", TEXT),
        ("text/plain;escaping=values", TEXT),
        ("*/*;escaping=values", TEXT),
        ("application/openmetrics-text;escaping=values", OPENMETRICS),
        # Unknown schemes are not repeated, whatever they contain.
        ("text/plain;version=1.0.0;escaping=allow-utf8", TEXT_1),
        ("text/plain;version=1.0.0;escaping=", TEXT_1),
        ('text/plain;version=1.0.0;escaping="values\r\nX-Header: 1"', TEXT_1),
        ('text/plain;version="1.0.0";escaping="values"', f"{TEXT_1}; escaping=values"),
        ("Text/Plain; Version=1.0.0; Escaping=underscores", f"{TEXT_1}; escaping=underscores"),
        # Dots would double every underscore, so the page is not in this scheme.
        ("text/plain;version=1.0.0;escaping=dots", TEXT_1),
        # The scheme is that of the range with the highest q-value.
        (
            "text/plain;version=1.0.0;escaping=underscores;q=0.1,text/plain;version=1.0.0;escaping=values;q=0.2",
            f"{TEXT_1}; escaping=values",
        ),
        # Version 1.0.0 of the text format is only for those who name it.
        ("text/plain", TEXT),
        ("text/*", TEXT),
        ("text/plain;version=0.0.4;q=0.5,text/*;q=0.6", TEXT),
        ("text/plain;version=1.0.0;q=0,text/plain", TEXT),
        ("text/plain;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.6", TEXT),
        ("text/plain;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5", TEXT_1),
        # OpenMetrics 2.0 is not offered.
        ("application/openmetrics-text;version=2.0.0;escaping=allow-utf-8", TEXT),
        (
            "application/openmetrics-text;version=2.0.0;q=0.7,application/openmetrics-text;version=1.0.0;q=0.6",
            OPENMETRICS,
        ),
    ],
)
def test_version_and_escaping_are_repeated_only_as_requested(accept: str, expected: str) -> None:
    assert content_type(accept) == expected


@pytest.mark.parametrize("form", Format)
def test_the_content_type_of_a_format_selects_it(form: Format) -> None:
    assert choose_content_type(form.value) == ContentType(form, form.value)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, Format.TEXT),
        ("", Format.TEXT),
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
    assert choose_content_type(accept).form is form


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
        assert {choose_content_type(",".join(each)).form for each in (ranges, ranges[::-1])} == {wanted}


@given(header=st.text(max_size=300) | st.text('",;= \\q*/01.', max_size=300))
def test_any_header_is_answered(header: str) -> None:
    chosen = choose_content_type(header)
    assert re.fullmatch(rf"({TEXT}|({TEXT_1}|{OPENMETRICS})(; escaping=({'|'.join(ESCAPINGS)}))?)", chosen.header)
    assert chosen.form is (Format.OPENMETRICS if "openmetrics" in chosen.header else Format.TEXT)
    assert wants_gzip(header) in (True, False)


@given(header=st.text('",;= \\q*/01.gzip', max_size=200))
def test_what_says_nothing_of_gzip_or_everything_gets_none(header: str) -> None:
    if "gzip" not in header and "*" not in header:
        assert not wants_gzip(header)
