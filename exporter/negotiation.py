"""Reads ``Accept`` and ``Accept-Encoding`` as RFC 9110 defines them, with q-values; garbage counts as absent."""

import re
from collections.abc import Iterator
from typing import Final

from exporter.exposition import Format

_Q: Final = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")
_ELEMENT: Final = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_PARAMETER: Final = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*")+')

MAX_HEADER: Final = 4096
"""Characters of a header that are looked at."""


def choose_format(accept: str | None) -> Format:
    """The format that an ``Accept`` header likes best.

    Prometheus lists several versions of OpenMetrics with falling q-values; only 1.0.0 is ours (a media range without
    a version means the same). Among equals the first one named wins. Where nothing fits we answer text 0.0.4 all the
    same, as Prometheus's own libraries do: a page is more use than a 406.
    """
    best, best_q = Format.TEXT, 0.0
    for media, parameters, q in _elements(accept):
        form = _format(media, parameters.get("version"))
        if form is not None and q > best_q:
            best, best_q = form, q
    return best


def _format(media: str, version: str | None) -> Format | None:
    if media == "application/openmetrics-text" and version in (None, "1.0.0"):
        return Format.OPENMETRICS
    if media == "text/plain" and version in (None, "0.0.4"):
        return Format.TEXT
    return Format.TEXT if media in ("text/*", "*/*") else None


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
