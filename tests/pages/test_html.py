"""HTML escapes by default."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from exporter.pages.html import BREAK, Html, join, tag


class Collector(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self, markup: Html) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.values: list[str | None] = []
        self.text = ""
        self.feed(str(markup))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [value for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"))


@given(TEXT, TEXT)
def test_any_text_and_any_attribute_value_come_back_as_they_were(text: str, value: str) -> None:
    found = Collector(tag("p", text, title=value))
    assert (found.tags, found.values, found.text) == (["p"], [value], text)


def test_markup_is_not_escaped_again() -> None:
    assert str(tag("p", tag("b", "<"), BREAK, ">")) == "<p><b>&lt;</b><br>&gt;</p>"


def test_attribute_names_use_dashes_and_drop_a_last_underscore() -> None:
    assert str(tag("td", class_="text", data_label="Name")) == '<td class="text" data-label="Name"></td>'


def test_nothing_and_empty_text_are_skipped_with_their_separator() -> None:
    assert str(join(("a", None, "", "b"), BREAK)) == "a<br>b"
