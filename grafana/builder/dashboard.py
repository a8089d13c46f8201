"""Dashboards: uid and title, variables, the panel grid, and the JSON model.

The schema version is 39, that of Grafana 11, and not the SDK's: Grafana migrates older versions on import but does not
support newer ones.
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

SCHEMA_VERSION: Final = 39
GRID_COLUMNS: Final = 24
TAG: Final = "livepeer"
REFRESH_INTERVAL: Final = "30s"
"""The default poll interval; a faster refresh shows the same values again."""

OVERVIEW_UID, SESSION_UID, EXPORTER_UID = "livepeer-overview", "livepeer-session", "livepeer-exporter"
STREAMS_UID, STREAM_UID = "livepeer-streams", "livepeer-stream"
TITLES: Final = {
    OVERVIEW_UID: "Livepeer / Overview",
    STREAMS_UID: "Livepeer / Streams",
    STREAM_UID: "Livepeer / Stream",
    SESSION_UID: "Livepeer / Session",
    EXPORTER_UID: "Livepeer / Exporter",
}


class PanelBuilder(Protocol):
    """The interface that the SDK's panel builders share."""

    def build(self) -> models.Panel:
        """Return the panel."""
        ...


PanelWidth = tuple[PanelBuilder, int]
"""A panel and its width in grid columns."""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels side by side.

    Attributes:
        height: of every panel, in grid units.
        panels: from left to right, with their widths.
        title: starts a section with this heading; empty continues the section above.
        collapsed: collapse the section, so that its queries run only when it is opened.
    """

    height: int
    panels: Sequence[PanelWidth]
    title: str = ""
    collapsed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One dashboard.

    Attributes:
        uid: a key of ``TITLES``.
        description: shown in the list of dashboards.
        variables: in the order of the selectors at the top.
        rows: from top to bottom.
        annotations: annotation queries of the graphs.
        time_from: start of the default time range.
    """

    uid: str
    description: str
    variables: Sequence[models.VariableModel]
    rows: Sequence[Row]
    annotations: Sequence[models.AnnotationQuery] = ()
    time_from: str = "now-1h"


def to_json(dashboard: Dashboard) -> str:
    """Return the JSON model that Grafana imports and provisions."""
    model = models.Dashboard(
        uid=dashboard.uid,
        title=TITLES[dashboard.uid],
        description=dashboard.description,
        tags=[TAG],
        timezone="browser",
        editable=False,
        graph_tooltip=models.DashboardCursorSync.CROSSHAIR,
        time=models.DashboardDashboardTime(from_val=dashboard.time_from, to="now"),
        timepicker=models.TimePickerConfig(refresh_intervals=[REFRESH_INTERVAL, "1m", "5m", "15m"]),
        refresh=REFRESH_INTERVAL,
        schema_version=SCHEMA_VERSION,
        panels=_layout(dashboard.rows),
        templating=models.DashboardDashboardTemplating(list_val=list(dashboard.variables)),
        annotations=models.AnnotationContainer(list_val=list(dashboard.annotations)),
        links=[_link(uid) for uid in TITLES if uid != dashboard.uid],
    )
    plain: Any = json.loads(json.dumps(model, cls=JSONEncoder))
    return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


def _layout(rows: Sequence[Row]) -> list[models.Panel | models.RowPanel]:
    """Assign ids and grid positions, which the SDK leaves unset."""
    result: list[models.Panel | models.RowPanel] = []
    ids = itertools.count(1)
    y = 0
    for row in rows:
        header = None
        if row.title:
            position = models.GridPos(h=1, w=GRID_COLUMNS, x=0, y=y)
            header = models.RowPanel(
                title=row.title, id_val=next(ids), grid_pos=position, panels=[], collapsed=row.collapsed
            )
            result.append(header)
            y += 1
        panels = _side_by_side(row, y, ids)
        if header is not None and row.collapsed:
            header.panels = panels
        else:
            result += panels
            y += row.height
    return result


def _side_by_side(row: Row, y: int, ids: Iterator[int]) -> list[models.Panel]:
    panels = []
    x = 0
    for builder, width in row.panels:
        panel = builder.build()
        panel.id_val = next(ids)
        panel.grid_pos = models.GridPos(h=row.height, w=width, x=x, y=y)
        panels.append(panel)
        x += width
    return panels


def _link(uid: str) -> models.DashboardLink:
    return models.DashboardLink(
        title=TITLES[uid].rpartition(" ")[2],
        type_val=models.DashboardLinkType.LINK,
        icon="dashboard",
        tooltip=f"Open {TITLES[uid]} with the same variables and time range",
        url=f"/d/{uid}",
        include_vars=True,
        keep_time=True,
    )
