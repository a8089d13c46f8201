"""Tables of the status page."""

from collections.abc import Iterable, Sequence

from exporter.pages.html import Html, Node, tag

Column = tuple[str, str]
"""The name of a column, and the class of its cells: ``text`` and ``ids`` may wrap, others do not."""


def table(columns: Sequence[Column], rows: Iterable[Iterable[Node]]) -> Html:
    """Return a table.

    Args:
        columns: of the table.
        rows: the cells of each.
    """
    head = tag("thead", tag("tr", *(tag("th", name, scope="col") for name, _ in columns)))
    body = tag("tbody", *(tag("tr", *map(_cell, columns, cells)) for cells in rows))
    return tag("div", tag("table", head, body), class_="wide")


def _cell(column: Column, content: Node) -> Html:
    """Return a cell; on a narrow screen the name of its column precedes it."""
    name, style = column
    return tag("td", tag("div", content), class_=style, data_label=name) if content and str(content) else tag("td")
