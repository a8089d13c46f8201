"""A dashboard as a whole: its place in the set, its variables, its grid.

The schema's version is 39, Grafana 11's, although the SDK would write its own: Grafana reads older versions and brings
them up to date, but promises nothing about newer ones.
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

SCHEMA: Final = 39
WIDTH: Final = 24
TAG: Final = "livepeer"
REFRESH: Final = "30s"
"""The default poll interval: a page that refreshes faster shows the same figures again."""

OVERVIEW, SESSION, EXPORTER = "livepeer-overview", "livepeer-session", "livepeer-exporter"
TITLES: Final = {OVERVIEW: "Livepeer / Overview", SESSION: "Livepeer / Session", EXPORTER: "Livepeer / Exporter"}


class Builder(Protocol):
    """What the SDK's panel builders have in common."""

    def build(self) -> dashboard.Panel:
        """The panel."""
        ...


Sized = tuple[Builder, int]
"""A panel and how many of the 24 columns it is wide."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Panels side by side, of one height in grid units.

    A title makes it the start of a section; a section that is folded up asks nothing until it is opened.
    """

    height: int
    panels: Sequence[Sized]
    title: str = ""
    folded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What one dashboard consists of."""

    uid: str
    about: str
    variables: Sequence[dashboard.VariableModel]
    shelves: Sequence[Shelf]
    annotations: Sequence[dashboard.AnnotationQuery] = ()
    since: str = "now-1h"


def write(page: Page) -> str:
    """The dashboard as JSON text, as Grafana imports and provisions it."""
    made = dashboard.Dashboard(
        uid=page.uid,
        title=TITLES[page.uid],
        description=page.about,
        tags=[TAG],
        timezone="browser",
        editable=False,
        graph_tooltip=dashboard.DashboardCursorSync.CROSSHAIR,
        time=dashboard.DashboardDashboardTime(from_val=page.since, to="now"),
        timepicker=dashboard.TimePickerConfig(refresh_intervals=[REFRESH, "1m", "5m", "15m"]),
        refresh=REFRESH,
        schema_version=SCHEMA,
        panels=_place(page.shelves),
        templating=dashboard.DashboardDashboardTemplating(list_val=list(page.variables)),
        annotations=dashboard.AnnotationContainer(list_val=list(page.annotations)),
        links=[_link(uid) for uid in TITLES if uid != page.uid],
    )
    plain: Any = json.loads(json.dumps(made, cls=JSONEncoder))
    return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


def _place(shelves: Sequence[Shelf]) -> list[dashboard.Panel | dashboard.RowPanel]:
    placed: list[dashboard.Panel | dashboard.RowPanel] = []
    ids = itertools.count(1)
    y = 0
    for shelf in shelves:
        row = None
        if shelf.title:
            at = dashboard.GridPos(h=1, w=WIDTH, x=0, y=y)
            row = dashboard.RowPanel(
                title=shelf.title, id_val=next(ids), grid_pos=at, panels=[], collapsed=shelf.folded
            )
            placed.append(row)
            y += 1
        panels = _beside(shelf, y, ids)
        if row is not None and shelf.folded:
            row.panels = panels
        else:
            placed += panels
            y += shelf.height
    return placed


def _beside(shelf: Shelf, y: int, ids: Iterator[int]) -> list[dashboard.Panel]:
    panels = []
    x = 0
    for builder, width in shelf.panels:
        panel = builder.build()
        panel.id_val = next(ids)
        panel.grid_pos = dashboard.GridPos(h=shelf.height, w=width, x=x, y=y)
        panels.append(panel)
        x += width
    return panels


def _link(uid: str) -> dashboard.DashboardLink:
    return dashboard.DashboardLink(
        title=TITLES[uid].rpartition(" ")[2],
        type_val=dashboard.DashboardLinkType.LINK,
        icon="dashboard",
        tooltip=f"Open {TITLES[uid]} with the same variables and time range",
        url=f"/d/{uid}",
        include_vars=True,
        keep_time=True,
    )
