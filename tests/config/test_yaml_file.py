"""Strict reading of YAML files."""

import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.yaml_file import YamlFile, YamlFileError, is_valid_path, read_yaml_file
from tests.config.loads import SECRET


def read(directory: Path, content: str | bytes) -> YamlFile:
    path = directory / "file.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return read_yaml_file(path)


def error_of(directory: Path, content: str | bytes) -> str:
    with pytest.raises(YamlFileError) as caught:
        read(directory, content)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None  # errors of the YAML library quote the file
    return str(caught.value)


def file_or_error(directory: Path, content: str) -> YamlFile | YamlFileError:
    try:
        return read(directory, content)
    except YamlFileError as error:
        return error


def test_the_values_are_read_with_the_line_of_each_key(tmp_path: Path) -> None:
    file = read(tmp_path, "a: 1\n\nb:\n  - {c: 2}\n  - d: {e: 3}\n")
    assert file.values == {"a": 1, "b": [{"c": 2}, {"d": {"e": 3}}]}
    assert file.lines == {"a": 1, "b": 3, "b[0].c": 4, "b[1].d": 5, "b[1].d.e": 5}


@pytest.mark.parametrize("content", ["", "# comment\n", "---\n", "null\n"])
def test_an_empty_file_is_an_empty_mapping(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content) == YamlFile({}, {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("page_limit: 1\npage_limit: 2", "has a duplicate key in line 2"),
        (f"- {SECRET}", "must be a mapping, with lines such as key: value"),
        (SECRET, "must be a mapping, with lines such as key: value"),
        (f"a: [\n{SECRET}", "is not valid YAML (line 2)"),
        (
            f"a: 1\nb: !!python/name:{SECRET} x",
            "has a YAML tag (!) in line 2; remove it, and quote the value if it is text",
        ),
        (f"a: *{SECRET}", "is not valid YAML (line 1)"),
        ("page_limit: " + "9" * 5000, "is not valid YAML"),
        (b"\xff\xfe\xff", "is not valid YAML"),
        ("a\x00: 1", "is not valid YAML"),
        ("[" * 1_000, "is nested too deeply"),
        ("#" * 2_000_000, "is larger than 1 MiB"),
    ],
    ids=lambda value: None if len(value) < 50 else "long",
)
def test_an_unusable_file_is_an_error_without_its_content(tmp_path: Path, content: str | bytes, message: str) -> None:
    assert error_of(tmp_path, content) == message


@pytest.mark.parametrize("value", [f"!!bool {SECRET}", '!!int ""', '!!float ""', f"!!timestamp {SECRET}", "! 3"])
@pytest.mark.parametrize("place", ["a: {}", "- {}", "{}: 1", "a: [{{b: {}}}]"])
def test_R08_a_tag_is_an_error_whether_or_not_it_matches_its_value(tmp_path: Path, place: str, value: str) -> None:
    assert error_of(tmp_path, "\n" + place.format(value)) == (
        "has a YAML tag (!) in line 2; remove it, and quote the value if it is text"
    )


@given(
    st.sampled_from(["bool", "int", "float", "timestamp", "binary", "null", "set", "omap", "pairs", "value", "merge"]),
    st.sampled_from(["", "x", "[]", "{}", "[1]", "'", "0b", ":"]) | st.text(max_size=5),
)
def test_R08_no_other_exception_of_the_yaml_library_is_raised(
    tmp_path_factory: pytest.TempPathFactory, tag: str, text: str
) -> None:
    directory = tmp_path_factory.mktemp("tagged")
    for content in (f"a: !!{tag} {text}", f"a: {text}"):
        outcome = file_or_error(directory, content)
        assert isinstance(outcome, YamlFile) or outcome.__context__ is None


def test_aliases_that_expand_exponentially_are_not_expanded(tmp_path: Path) -> None:
    letters = [chr(ord("a") + number) for number in range(25)]
    bomb = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in pairwise(letters))
    assert list(read(tmp_path, bomb).lines) == letters


@pytest.mark.parametrize(
    ("name", "reason"),
    [("absent.yaml", "No such file or directory"), (".", "Is a directory"), ("a\0b", "invalid file name")],
)
def test_a_file_that_cannot_be_read_is_an_error_with_the_reason(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(YamlFileError, match=f"^cannot be read: {reason}$"):
        read_yaml_file(tmp_path / name)


def test_V04_a_pipe_is_rejected_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(YamlFileError, match=r"^cannot be read: Not a regular file$"):
        read_yaml_file(tmp_path / "pipe")


@pytest.mark.parametrize(("text", "is_valid"), [("a/b", True), ("ä", True), ("a\0b", False), ("\ud800", False)])
def test_a_path_is_valid_if_the_operating_system_accepts_it(text: str, is_valid: bool) -> None:
    assert is_valid_path(text) == is_valid


def test_scalars_can_be_read_as_the_text_that_they_are_written_as(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("a: 1\nb: [yes, 0x1F, 1.50, 2026-01-02, =]\n3: text\nc:\nd: {<<: {e: 1_000}}\n", encoding="utf-8")
    values = read_yaml_file(path, as_text=True).values
    assert values == {
        "a": "1",
        "b": ["yes", "0x1F", "1.50", "2026-01-02", "="],
        "3": "text",
        "c": None,
        "d": {"e": "1_000"},
    }
