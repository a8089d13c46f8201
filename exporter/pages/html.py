"""HTML that escapes by default: text becomes markup only where it is wrapped in `Html`."""

from collections.abc import Iterable
from html import escape
from typing import Final

import msgspec


class Html(msgspec.Struct, frozen=True):
    """Markup that is safe to put on a page."""

    markup: str

    def __str__(self) -> str:
        return self.markup


Node = Html | str | None
"""Markup, text that will be escaped, or nothing."""

_VOID: Final = frozenset({"br", "meta"})


def tag(element: str, /, *children: Node, **attributes: str) -> Html:
    """Return an element.

    Args:
        element: its name.
        children: its content.
        attributes: an underscore becomes a dash, and one at the end is dropped (``class_``). Values are escaped.
    """
    written = "".join(f' {_attribute(key)}="{escape(value, quote=True)}"' for key, value in attributes.items())
    return Html(f"<{element}{written}>" if element in _VOID else f"<{element}{written}>{join(children)}</{element}>")


def join(nodes: Iterable[Node], separator: Node = None) -> Html:
    """Return nodes one after the other; those that are nothing or empty are skipped."""
    return Html(_markup(separator).join(markup for node in nodes if (markup := _markup(node))))


BREAK: Final = tag("br")


def _attribute(key: str) -> str:
    return key.removesuffix("_").replace("_", "-")


def _markup(node: Node) -> str:
    return "" if node is None else node.markup if isinstance(node, Html) else escape(node)
