"""Tables: queries that are joined on their labels, and columns that say how each value is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import common, dashboard

from grafana.builder.panels import DATASOURCE, Step, rows, words

NOTHING: Final = "–"

_Names = Mapping[str, Mapping[str, object]]

COLOURED_TEXT: Final = {"type": "color-text"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table.

    Attributes:
        title: its head; empty keeps the column out of sight, though links and sorting know it.
        expr: the query whose value it shows; empty for a label.
        label: the label it shows, of whichever query has it; with ``expr`` that query's value is dropped.
        unit, width, decimals: how it looks; pixels.
        colours: by value.
        meaning: words instead of numbers.
        missing: what an empty cell says.
        link: where a click leads.
    """

    title: str
    expr: str = ""
    label: str = ""
    unit: str = ""
    width: int = 0
    decimals: int | None = None
    colours: Sequence[Step] = ()
    meaning: Mapping[str, tuple[str, str]] | None = None
    missing: tuple[str, str] | None = None
    link: tuple[str, str] | None = None


def grid(
    title: str,
    about: str,
    columns: Sequence[Column],
    *,
    no_value: str,
    drop: Sequence[str] = (),
    worst_first: str = "",
    long: bool = False,
) -> table.Panel:
    """A table of instant queries, one row for each set of labels that the queries share.

    Args:
        title: the panel's.
        about: the panel's description.
        columns: from left to right; the order of the queries is that of the columns that have one.
        no_value: what an empty table says.
        drop: labels that are not shown.
        worst_first: the title of the column to sort by, largest first.
        long: whether it may have more rows than find room, and needs pages.
    """
    asked = [column for column in columns if column.expr]
    letters = {id(column): chr(ord("A") + number) for number, column in enumerate(asked)}
    made = table.Panel().title(title).description(about).datasource(DATASOURCE).no_value(no_value)
    made = made.targets([rows(column.expr).ref_id(letters[id(column)]) for column in asked])
    fields = {_field(column, letters): column for column in columns}
    hidden = [*drop, "Time", *(f"Value #{letters[id(column)]}" for column in asked if column.label)]
    organize: _Names = {
        "excludeByName": dict.fromkeys(hidden, True)
        | {name: True for name, column in fields.items() if not column.title},
        "indexByName": {name: place for place, name in enumerate(fields)},
        "renameByName": {name: column.title for name, column in fields.items() if column.title},
    }
    if len(asked) > 1:
        made = made.with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={}))
    elif asked:
        organize = _single(organize, letters[id(asked[0])])
    if worst_first:
        by = next(name for name, column in fields.items() if column.title == worst_first or name == worst_first)
        sort = {"sort": [{"field": by, "desc": True}]}
        made = made.with_transformation(dashboard.DataTransformerConfig(id_val="sortBy", options=sort))
    made = made.with_transformation(dashboard.DataTransformerConfig(id_val="organize", options=organize))
    made = made.cell_height(common.TableCellHeight.SM).footer(
        common_builders.TableFooterOptions().enable_pagination(long)
    )
    for column in columns:
        if column.title:
            made = made.override_by_name(column.title, _properties(column))
    return made


def _field(column: Column, letters: Mapping[int, str]) -> str:
    return column.label or f"Value #{letters[id(column)]}"


def _single(organize: _Names, letter: str) -> _Names:
    """With one query Grafana calls its value plainly Value."""
    value = f"Value #{letter}"
    return {
        what: {"Value" if name == value else name: to for name, to in names.items()} for what, names in organize.items()
    }


def _properties(column: Column) -> list[dashboard.DynamicConfigValue]:
    given: dict[str, object] = {"noValue": NOTHING}  # else an empty cell says what an empty table says
    if column.unit:
        given["unit"] = column.unit
    if column.decimals is not None:
        given["decimals"] = column.decimals
    if column.width:
        given["custom.width"] = column.width
    if column.colours:
        given["thresholds"] = dashboard.ThresholdsConfig(
            mode=dashboard.ThresholdsMode.ABSOLUTE,
            steps=[dashboard.Threshold(value=value, color=color) for value, color in column.colours],
        )
    if column.meaning or column.missing:
        given["mappings"] = words(column.meaning or {}, column.missing)
    if column.colours or (column.meaning and not column.label):
        given["custom.cellOptions"] = COLOURED_TEXT
    if column.link:
        title, url = column.link
        given["links"] = [{"title": title, "url": url}]
    return [dashboard.DynamicConfigValue(id_val=name, value=value) for name, value in given.items()]
