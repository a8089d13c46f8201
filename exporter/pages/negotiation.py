"""Reads ``Accept`` and ``Accept-Encoding`` as RFC 9110 defines them, with q-values; garbage counts as absent."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from exporter.metrics.text_format import Format

_Q: Final = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")
_ELEMENT: Final = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_PARAMETER: Final = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*")+')

MAX_HEADER: Final = 4096
"""Characters of a header that are looked at."""

ESCAPINGS: Final = ("allow-utf-8", "underscores", "values")
"""The escaping schemes that leave names as they are if Prometheus 2 allows them, as it does all of ours.

The fourth, ``dots``, doubles every underscore, so that the queries of dashboards and rules would find nothing. Names
stay as they are if it is requested, and the response has no parameter that claims otherwise.
"""


class ContentType(msgspec.Struct, frozen=True):
    """The format of a response, and its ``Content-Type``."""

    form: Format
    header: str


class _Offer(msgspec.Struct, frozen=True):
    """What a media range can ask for.

    Attributes:
        form: the format.
        media: its media type.
        version: its version.
        needs_version: whether a range without a version, such as a wildcard, means another version.
    """

    form: Format
    media: str
    version: str
    needs_version: bool = False

    def exactness(self, media: str, version: str | None) -> int:
        """Return how exactly a media range names the offer; 0 if it does not."""
        if media == self.media and version == self.version:
            return 4
        if self.needs_version:
            return 0
        if media == self.media:
            return 3 if version is None else 0
        return 2 if media == f"{self.media.partition('/')[0]}/*" else int(media == "*/*")

    def content_type(self, parameters: Mapping[str, str]) -> ContentType:
        """Return the content type for the parameters of the media range that was chosen."""
        header = f"{self.media}; version={self.version}; charset=utf-8"
        escaping = parameters.get("escaping")
        if escaping in ESCAPINGS and parameters.get("version") == self.version == "1.0.0":
            header += f"; escaping={escaping}"
        return ContentType(self.form, header)


_OFFERS: Final = (
    _Offer(Format.TEXT, "text/plain", "0.0.4"),
    # Text 1.0.0 is 0.0.4 with quoted names, of which there are none.
    _Offer(Format.TEXT, "text/plain", "1.0.0", needs_version=True),
    _Offer(Format.OPENMETRICS, "application/openmetrics-text", "1.0.0"),
)


def choose_content_type(accept: str | None) -> ContentType:
    """Return the format that an ``Accept`` header prefers, with the version and the escaping scheme that it names.

    A format has the q-value of the range that names it most exactly; among equals the first one named wins. The
    escaping scheme is repeated only if it was requested with version 1.0.0 (Prometheus documentation on content
    negotiation). OpenMetrics 2.0 is a release candidate, OpenMetrics 0.0.1 and Protobuf are not offered: Prometheus
    always names another format with them. If nothing fits, the format is text 0.0.4 and not an error 406, as the
    documentation requires.
    """
    ranges = tuple(_elements(accept))
    best, best_rank = _OFFERS[0].content_type({}), (0.0, 0)
    for offer in _OFFERS:
        fits = [
            (exactness, q, -place)
            for place, (media, parameters, q) in enumerate(ranges)
            if (exactness := offer.exactness(media, parameters.get("version")))
        ]
        _, q, place = max(fits, default=(0, 0.0, 0))
        if q and (q, place) > best_rank:
            best, best_rank = offer.content_type(ranges[-place][1]), (q, place)
    return best


def wants_gzip(accept_encoding: str | None) -> bool:
    """Whether gzip is acceptable, and not worse than no compression at all."""
    gzip: float | None = None
    identity: float | None = None
    anything: float | None = None
    for coding, _, q in _elements(accept_encoding):
        if coding in ("gzip", "x-gzip"):
            gzip = max(q, gzip or 0.0)
        elif coding == "identity":
            identity = q
        elif coding == "*":
            anything = q
    chosen = gzip if gzip is not None else anything
    return bool(chosen) and (identity is None or (chosen or 0.0) >= identity)


def _elements(header: str | None) -> Iterator[tuple[str, dict[str, str], float]]:
    """Each element of a list: its value in lower case, its parameters, its q."""
    for element in _ELEMENT.findall((header or "")[:MAX_HEADER]):
        value, *rest = _PARAMETER.findall(element) or [""]
        parameters = {}
        for parameter in rest:
            name, _, given = parameter.partition("=")
            parameters[name.strip().lower()] = given.strip().strip('"')
        q = parameters.get("q", "1")
        if value.strip() and _Q.fullmatch(q):
            yield value.strip().lower(), parameters, float(q)
