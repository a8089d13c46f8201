"""Reads ``Accept`` and ``Accept-Encoding`` as RFC 9110 defines them, with q-values; garbage counts as absent."""

import re
from collections.abc import Iterator
from typing import Final

from exporter.metrics.text_format import Format

_Q: Final = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")
_ELEMENT: Final = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_PARAMETER: Final = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*")+')

MAX_HEADER: Final = 4096
"""Characters of a header that are looked at."""


_NAMES: Final = {
    Format.TEXT: ("text/plain", "0.0.4"),
    Format.OPENMETRICS: ("application/openmetrics-text", "1.0.0"),
}


def choose_format(accept: str | None) -> Format:
    """The format that an ``Accept`` header likes best.

    A format has the q-value of the range that names it most exactly; among equals the first one named wins. Prometheus
    lists several versions of OpenMetrics with falling q-values; only 1.0.0 is ours (a media range without a version
    means the same). Where nothing fits we answer text 0.0.4 all the same, as Prometheus's own libraries do: a page is
    more use than a 406.
    """
    ranges = tuple(_elements(accept))
    best, best_rank = Format.TEXT, (0.0, 0)
    for form in Format:
        fits = [
            (exactness, q, -place)
            for place, (media, parameters, q) in enumerate(ranges)
            if (exactness := _exactness(form, media, parameters.get("version")))
        ]
        _, q, place = max(fits, default=(0, 0.0, 0))
        if q and (q, place) > best_rank:
            best, best_rank = form, (q, place)
    return best


def _exactness(form: Format, media: str, version: str | None) -> int:
    """How exactly a media range names a format; 0 where it does not."""
    name, ours = _NAMES[form]
    if media == name:
        return {None: 3, ours: 4}.get(version, 0)
    return 2 if media == f"{name.partition('/')[0]}/*" else int(media == "*/*")


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
