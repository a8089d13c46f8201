"""Constructors of the panel types, with the options that all panels of a type share.

The SDK hides legends by default. A panel passes only what distinguishes it: title, description, queries, unit, colors.
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
GREEN, ORANGE, RED, BLUE, PURPLE, GREY, TEXT = "green", "orange", "red", "blue", "purple", "#8e8e99", "text"

ColorStep = tuple[float | None, str]
"""A color and the value from which it applies; None is minus infinity."""

ValueMapping = Mapping[str, tuple[str, str]]
"""Text and color by value."""

COUNTER_INTERVAL: Final = "75s"
"""Minimum query interval on account counters. ``$__rate_interval`` is four times that, the 5 minutes they need."""

BAR_INTERVAL: Final = "2m"
"""Minimum query interval of bars that count events."""

_Query = Builder[Dataquery]
_Panel = TypeVar("_Panel", stat.Panel, table.Panel, timeseries.Panel, statetimeline.Panel)


def range_query(expr: str, legend: str = "", *, interval: str = "") -> prometheus.Dataquery:
    """Return a query over the dashboard's time range."""
    result = prometheus.Dataquery().expr(expr).legend_format(legend or "__auto").range()
    result = result.editor_mode(QueryEditorMode.CODE).datasource(DATASOURCE)
    return result.interval(interval) if interval else result


def instant_query(expr: str, legend: str = "") -> prometheus.Dataquery:
    """Return a query at the end of the dashboard's time range."""
    result = prometheus.Dataquery().expr(expr).legend_format(legend or "__auto").instant()
    return result.editor_mode(QueryEditorMode.CODE).datasource(DATASOURCE)


def table_query(expr: str) -> prometheus.Dataquery:
    """Return an instant query whose labels become columns of a table."""
    return instant_query(expr).format(PromQueryFormat.TABLE)


def color_steps(*steps: ColorStep) -> dashboard_builders.ThresholdsConfig:
    """Return Grafana thresholds: colors by value."""
    thresholds = [dashboard.Threshold(value=value, color=color) for value, color in steps]
    return dashboard_builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(thresholds)


def value_mappings(mapping: ValueMapping, empty: tuple[str, str] | None = None) -> list[dashboard.ValueMapping]:
    """Return Grafana value mappings; ``empty`` is the text and color of a missing value."""
    options = {
        value: dashboard.ValueMappingResult(text=text, color=color, index=index)
        for index, (value, (text, color)) in enumerate(mapping.items())
    }
    result: list[dashboard.ValueMapping] = [dashboard.ValueMap(options=options)] if options else []
    if empty:
        special = dashboard.DashboardSpecialValueMapOptions(
            match=dashboard.SpecialValueMatch.NULL_AND_NAN,
            result=dashboard.ValueMappingResult(text=empty[0], color=empty[1], index=len(options)),
        )
        result.append(dashboard.SpecialValueMap(options=special))
    return result


def _configure(
    panel: _Panel, title: str, description: str, queries: Sequence[prometheus.Dataquery], no_value: str
) -> _Panel:
    targets: list[_Query] = [query.ref_id(chr(ord("A") + number)) for number, query in enumerate(queries)]
    return panel.title(title).description(description).datasource(DATASOURCE).targets(targets).no_value(no_value)


def stat_panel(
    title: str,
    description: str,
    *exprs: str,
    unit: str,
    colors: Sequence[ColorStep] = ((None, TEXT),),
    no_value: str = "No data",
    mapping: ValueMapping | None = None,
    decimals: int | None = None,
    names: Sequence[str] = (),
    link: tuple[str, str] | None = None,
) -> stat.Panel:
    """Return a panel that shows the values of one or more queries at the end of the time range.

    There is no sparkline: with one, the panel would show the last known value, however old, if there is no data.

    Args:
        title: of the panel.
        description: of the panel.
        *exprs: the queries.
        unit: Grafana unit.
        colors: of the value.
        no_value: text without data; it is grey, since otherwise it has the color of a value of 0.
        mapping: text and color instead of the value.
        decimals: number of decimals.
        names: texts beside the values, if there are several queries.
        link: title and URL of a link on the value.
    """
    legends = names or ("",)
    queries = [instant_query(expr, legend) for expr, legend in zip(exprs, legends, strict=True)]
    panel = _configure(stat.Panel(), title, description, queries, no_value).unit(unit).thresholds(color_steps(*colors))
    panel = panel.color_mode(common.BigValueColorMode.VALUE).reduce_options(
        common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(False)
    )
    panel = panel.graph_mode(common.BigValueGraphMode.NONE)
    panel = panel.text_mode(common.BigValueTextMode.VALUE_AND_NAME if names else common.BigValueTextMode.VALUE)
    if decimals is not None:
        panel = panel.decimals(decimals)
    if link:
        panel = panel.data_links([dashboard_builders.DashboardLink(link[0]).url(link[1])])
    return panel.mappings(value_mappings(mapping or {}, (no_value, GREY)))


def graph_panel(
    title: str,
    description: str,
    *queries: prometheus.Dataquery,
    unit: str,
    no_value: str = "No data",
    style: Literal["line", "bars"] = "line",
    minimum: float | None = 0,
    soft_max: float | None = None,
    threshold_lines: Sequence[ColorStep] = (),
    decimals: int | None = None,
    legend: Literal["bottom", "right"] = "bottom",
    series_colors: Mapping[str, str] | None = None,
) -> timeseries.Panel:
    """Return a time series panel.

    Args:
        title: of the panel.
        description: of the panel.
        *queries: their series are drawn in this order.
        unit: Grafana unit.
        no_value: text of an empty panel.
        style: bars are stacked.
        minimum: lower bound of the axis; None fits it to the data.
        soft_max: value that the axis always includes.
        threshold_lines: dashed lines, with their colors.
        decimals: number of decimals.
        legend: where the table of the series is, with their last and maximum values; on the right for many series.
        series_colors: colors by legend. These series have no fill, since overlapping fills would hide them.
    """
    panel = _configure(timeseries.Panel(), title, description, queries, no_value).unit(unit)
    tooltip = common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
    panel = (
        panel.legend(_legend(legend))
        .tooltip(tooltip.sort(common.SortOrder.DESCENDING))
        .line_width(1)
        .fill_opacity(0 if legend == "right" else 8)
        .show_points(common.VisibilityMode.NEVER)
        .color_scheme(dashboard_builders.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC))
    )
    if style == "bars":
        stacking = common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A")
        panel = panel.draw_style(common.GraphDrawStyle.BARS).fill_opacity(60).stacking(stacking).axis_soft_max(1)
    for name, color in (series_colors or {}).items():
        properties: dict[str, object] = {"color": {"mode": "fixed", "fixedColor": color}}
        if style == "line":
            properties["custom.fillOpacity"] = 0
        panel = panel.override_by_name(name, [dashboard.DynamicConfigValue(*each) for each in properties.items()])
    if minimum is not None:
        panel = panel.min(minimum)
    if soft_max is not None:
        panel = panel.axis_soft_max(soft_max)
    if threshold_lines:
        dashed = common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds(color_steps((None, "transparent"), *threshold_lines)).thresholds_style(dashed)
    return panel.decimals(decimals) if decimals is not None else panel


def event_bars(
    title: str, description: str, *steps: tuple[str, str], series_colors: Mapping[str, str] | None = None
) -> timeseries.Panel:
    """Return a panel with a bar per interval.

    Args:
        title: of the panel.
        description: of the panel.
        *steps: expressions of the number of events since the previous bar, and their legends.
        series_colors: colors by legend.
    """
    drawn = (range_query(expr, legend, interval=BAR_INTERVAL) for expr, legend in steps)
    return graph_panel(title, description, *drawn, unit="short", style="bars", decimals=0, series_colors=series_colors)


def _legend(placement: Literal["bottom", "right"]) -> common_builders.VizLegendOptions:
    legend = common_builders.VizLegendOptions().show_legend(True).display_mode(common.LegendDisplayMode.TABLE)
    legend = legend.placement(common.LegendPlacement(placement)).calcs(["lastNotNull", "max"])
    legend = legend.sort_by("Last *").sort_desc(True)
    return legend.width(360) if placement == "right" else legend


def state_timeline(
    title: str,
    description: str,
    *queries: prometheus.Dataquery,
    mapping: ValueMapping,
    no_value: str,
    show_text: bool = False,
) -> statetimeline.Panel:
    """Return a panel with one row of states per series; ``show_text`` writes the states into the row."""
    panel = _configure(statetimeline.Panel(), title, description, queries, no_value).unit("short")
    legend = common_builders.VizLegendOptions().show_legend(True)
    legend = legend.display_mode(common.LegendDisplayMode.LIST).placement(common.LegendPlacement.BOTTOM)
    return (
        panel.mappings(value_mappings(mapping))
        .legend(legend)
        .show_value(common.VisibilityMode.AUTO if show_text else common.VisibilityMode.NEVER)
        .merge_values(True)
        .row_height(0.8)
        .fill_opacity(75)
        .color_scheme(dashboard_builders.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))
        .thresholds(color_steps((None, TEXT)))
    )


def text_panel(title: str, markdown: str) -> text.Panel:
    """Return a panel of Markdown text."""
    return text.Panel().title(title).mode(text_model.TextMode.MARKDOWN).content(markdown)
