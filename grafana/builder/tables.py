"""Table panels: instant queries joined on their labels, and the columns that show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import common, dashboard

from grafana.builder.panels import DATASOURCE, ColorStep, ValueMapping, table_query, value_mappings

EMPTY_CELL: Final = "–"
COLORED_TEXT: Final = {"type": "color-text"}

_OrganizeOptions = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table.

    Attributes:
        title: the header; empty hides the column, which sorting can still use.
        expr: the query whose value is shown; empty for a label of another column's query.
        label: the label that is shown. With ``expr`` that query's value is not shown.
        unit: Grafana unit.
        width: pixels; 0 fits the column to the table.
        decimals: number of decimals.
        colors: text color by value.
        mapping: text and color instead of the value.
        empty: text and color of an empty cell.
        link: title and URL of a link on the cell.
    """

    title: str
    expr: str = ""
    label: str = ""
    unit: str = ""
    width: int = 0
    decimals: int | None = None
    colors: Sequence[ColorStep] = ()
    mapping: ValueMapping | None = None
    empty: tuple[str, str] | None = None
    link: tuple[str, str] | None = None


def table_panel(
    title: str,
    description: str,
    columns: Sequence[Column],
    *,
    no_value: str,
    hidden_labels: Sequence[str] = (),
    sort_by: str = "",
    paginate: bool = False,
) -> table.Panel:
    """Return a table with one row per set of labels that the queries share.

    Args:
        title: of the panel.
        description: of the panel.
        columns: from left to right. Their queries are lettered in this order.
        no_value: text of an empty table.
        hidden_labels: labels of the queries that are not shown.
        sort_by: title or field name of the column to sort by, descending.
        paginate: for tables that can have more rows than fit.
    """
    queried = [column for column in columns if column.expr]
    letters = {id(column): chr(ord("A") + number) for number, column in enumerate(queried)}
    fields = {_field_name(column, letters): column for column in columns}
    panel = table.Panel().title(title).description(description).datasource(DATASOURCE).no_value(no_value)
    panel = panel.targets([table_query(column.expr).ref_id(letters[id(column)]) for column in queried])
    hidden = [*hidden_labels, "Time", *(f"Value #{letters[id(column)]}" for column in queried if column.label)]
    organize = _organize(fields, hidden)
    if len(queried) > 1:
        panel = panel.with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={}))
    elif queried:
        organize = _with_plain_value(organize, letters[id(queried[0])])
    if sort_by:
        field = next(name for name, column in fields.items() if sort_by in (column.title, name))
        order = {"sort": [{"field": field, "desc": True}]}
        panel = panel.with_transformation(dashboard.DataTransformerConfig(id_val="sortBy", options=order))
    panel = panel.with_transformation(dashboard.DataTransformerConfig(id_val="organize", options=organize))
    footer = common_builders.TableFooterOptions().enable_pagination(paginate)
    panel = panel.cell_height(common.TableCellHeight.SM).footer(footer)
    for column in columns:
        if column.title:
            panel = panel.override_by_name(column.title, _properties(column))
    return panel


def _field_name(column: Column, letters: Mapping[int, str]) -> str:
    return column.label or f"Value #{letters[id(column)]}"


def _organize(fields: Mapping[str, Column], hidden: Sequence[str]) -> _OrganizeOptions:
    """Return the options of the transformation that hides, orders and renames fields."""
    untitled = [name for name, column in fields.items() if not column.title]
    return {
        "excludeByName": dict.fromkeys([*hidden, *untitled], True),
        "indexByName": {name: index for index, name in enumerate(fields)},
        "renameByName": {name: column.title for name, column in fields.items() if column.title},
    }


def _with_plain_value(organize: _OrganizeOptions, letter: str) -> _OrganizeOptions:
    """Rename the value field: Grafana calls it ``Value``, without the letter, if there is one query only."""
    lettered = f"Value #{letter}"
    return {
        option: {"Value" if name == lettered else name: value for name, value in names.items()}
        for option, names in organize.items()
    }


def _properties(column: Column) -> list[dashboard.DynamicConfigValue]:
    properties: dict[str, object] = {"noValue": EMPTY_CELL}  # otherwise Grafana shows the panel's noValue
    if column.unit:
        properties["unit"] = column.unit
    if column.decimals is not None:
        properties["decimals"] = column.decimals
    if column.width:
        properties["custom.width"] = column.width
    if column.colors:
        properties["thresholds"] = dashboard.ThresholdsConfig(
            mode=dashboard.ThresholdsMode.ABSOLUTE,
            steps=[dashboard.Threshold(value=value, color=color) for value, color in column.colors],
        )
    if column.mapping or column.empty:
        properties["mappings"] = value_mappings(column.mapping or {}, column.empty)
    if column.colors or (column.mapping and not column.label):
        properties["custom.cellOptions"] = COLORED_TEXT
    if column.link:
        title, url = column.link
        properties["links"] = [{"title": title, "url": url}]
    return [dashboard.DynamicConfigValue(id_val=name, value=value) for name, value in properties.items()]
