"""The kinds of panels that the dashboards use, each with the manners that all of its kind share.

The SDK leaves legends hidden and panels without ids; what it lacks is set here, so that a dashboard says only what is
its own: a title, a sentence, queries, a unit, colours.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeVar

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboard_builders
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, table, text, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models import text as text_model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

DATASOURCE: Final = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
GREEN, ORANGE, RED, BLUE, GREY, TEXT = "green", "orange", "red", "blue", "#8e8e99", "text"

Step = tuple[float | None, str]
"""From this value on this colour; None is the beginning."""

SLOW_STEP: Final = "75s"
"""Lowest step of panels on an account's counters: ``$__rate_interval`` is four of it, the 5 minutes they need."""

Query = Builder[Dataquery]

_Data = TypeVar("_Data", stat.Panel, table.Panel, timeseries.Panel, statetimeline.Panel)


def query(expr: str, legend: str = "", *, interval: str = "") -> prometheus.Dataquery:
    """A query over the dashboard's time range."""
    made = prometheus.Dataquery().expr(expr).legend_format(legend or "__auto").range()
    made = made.editor_mode(QueryEditorMode.CODE).datasource(DATASOURCE)
    return made.interval(interval) if interval else made


def instant(expr: str, legend: str = "") -> prometheus.Dataquery:
    """A query at the end of the dashboard's time range."""
    made = prometheus.Dataquery().expr(expr).legend_format(legend or "__auto").instant()
    return made.editor_mode(QueryEditorMode.CODE).datasource(DATASOURCE)


def rows(expr: str) -> prometheus.Dataquery:
    """An instant query whose labels become a table's columns."""
    return instant(expr).format(PromQueryFormat.TABLE)


def steps(*given: Step) -> dashboard_builders.ThresholdsConfig:
    """Colours by value."""
    made = [dashboard.Threshold(value=value, color=color) for value, color in given]
    return dashboard_builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(made)


def words(
    meaning: Mapping[str, tuple[str, str]], missing: tuple[str, str] | None = None
) -> list[dashboard.ValueMapping]:
    """Words and colours instead of numbers, and for a cell without a value."""
    options = {
        value: dashboard.ValueMappingResult(text=name, color=color, index=index)
        for index, (value, (name, color)) in enumerate(meaning.items())
    }
    mappings: list[dashboard.ValueMapping] = [dashboard.ValueMap(options=options)]
    if missing:
        result = dashboard.ValueMappingResult(text=missing[0], color=missing[1], index=len(options))
        special = dashboard.DashboardSpecialValueMapOptions(
            match=dashboard.SpecialValueMatch.NULL_AND_NAN, result=result
        )
        mappings.append(dashboard.SpecialValueMap(options=special))
    return mappings


def _start(
    panel: _Data,
    title: str,
    about: str,
    targets: Sequence[prometheus.Dataquery],
    no_value: str,
) -> _Data:
    lettered: list[Query] = [target.ref_id(chr(ord("A") + number)) for number, target in enumerate(targets)]
    return panel.title(title).description(about).datasource(DATASOURCE).targets(lettered).no_value(no_value)


def figure(
    title: str,
    about: str,
    expr: str,
    *,
    unit: str,
    colours: Sequence[Step] = ((None, TEXT),),
    no_value: str = "No data",
    meaning: Mapping[str, tuple[str, str]] | None = None,
    legend: str = "",
    decimals: int | None = None,
    graph: bool = False,
    name: bool = False,
) -> stat.Panel:
    """One number, the newest; ``name`` shows the legend beside it, ``graph`` how it came there."""
    target = query(expr, legend) if graph else instant(expr, legend)
    made = _start(stat.Panel(), title, about, [target], no_value).unit(unit).thresholds(steps(*colours))
    made = made.color_mode(common.BigValueColorMode.VALUE).reduce_options(
        common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(False)
    )
    made = made.graph_mode(common.BigValueGraphMode.AREA if graph else common.BigValueGraphMode.NONE)
    made = made.text_mode(common.BigValueTextMode.VALUE_AND_NAME if name else common.BigValueTextMode.VALUE)
    if decimals is not None:
        made = made.decimals(decimals)
    return made.mappings(words(meaning)) if meaning else made


def graph(
    title: str,
    about: str,
    *targets: prometheus.Dataquery,
    unit: str,
    no_value: str = "No data",
    style: Literal["line", "bars"] = "line",
    low: float | None = 0,
    soft_high: float | None = None,
    limits: Sequence[Step] = (),
    decimals: int | None = None,
    dense_legend: bool = True,
    painted: Mapping[str, str] | None = None,
) -> timeseries.Panel:
    """Values over time.

    ``limits`` draws dashed lines, ``dense_legend`` is a table beside for panels of many lines, ``painted`` gives series
    whose name means something the colour of it, and no area below, which would drown the others.
    """
    made = _start(timeseries.Panel(), title, about, targets, no_value).unit(unit)
    legend = common_builders.VizLegendOptions().show_legend(True)
    if dense_legend:
        legend = legend.display_mode(common.LegendDisplayMode.TABLE).placement(common.LegendPlacement.RIGHT)
        legend = legend.calcs(["lastNotNull", "max"]).width(280).sort_by("Last *").sort_desc(True)
    else:
        legend = legend.display_mode(common.LegendDisplayMode.LIST).placement(common.LegendPlacement.BOTTOM).calcs([])
    tooltip = (
        common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
    )
    made = (
        made.legend(legend)
        .tooltip(tooltip)
        .line_width(1)
        .fill_opacity(0 if dense_legend else 8)
        .show_points(common.VisibilityMode.NEVER)
    )
    made = made.color_scheme(dashboard_builders.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC))
    if style == "bars":
        stacked = common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A")
        made = made.draw_style(common.GraphDrawStyle.BARS).fill_opacity(60).stacking(stacked)
    for name, colour in (painted or {}).items():
        properties: dict[str, object] = {"color": {"mode": "fixed", "fixedColor": colour}}
        if style == "line":
            properties["custom.fillOpacity"] = 0
        made = made.override_by_name(name, [dashboard.DynamicConfigValue(*each) for each in properties.items()])
    if low is not None:
        made = made.min(low)
    if soft_high is not None:
        made = made.axis_soft_max(soft_high)
    if limits:
        dashed = common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        made = made.thresholds(steps((None, "transparent"), *limits)).thresholds_style(dashed)
    return made.decimals(decimals) if decimals is not None else made


def timeline(
    title: str,
    about: str,
    *targets: prometheus.Dataquery,
    meaning: Mapping[str, tuple[str, str]],
    no_value: str,
    show_words: bool = False,
) -> statetimeline.Panel:
    """States over time, a row per series, the states as words."""
    made = _start(statetimeline.Panel(), title, about, targets, no_value).unit("short")
    legend = common_builders.VizLegendOptions().show_legend(True)
    legend = legend.display_mode(common.LegendDisplayMode.LIST).placement(common.LegendPlacement.BOTTOM)
    shown = common.VisibilityMode.AUTO if show_words else common.VisibilityMode.NEVER
    return (
        made.mappings(words(meaning))
        .legend(legend)
        .show_value(shown)
        .merge_values(True)
        .row_height(0.8)
        .fill_opacity(75)
        .color_scheme(dashboard_builders.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))
        .thresholds(steps((None, TEXT)))
    )


def note(title: str, markdown: str) -> text.Panel:
    """Words for people."""
    return text.Panel().title(title).mode(text_model.TextMode.MARKDOWN).content(markdown)
