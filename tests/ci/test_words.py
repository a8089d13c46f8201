from pathlib import Path

import pytest

from words import ALLOWED, PHRASES, ROOT, Allowed, checked_files, findings, main, unused


def found(name: str, text: str, *allowed: Allowed) -> list[tuple[int, str]]:
    return [(each.line, each.phrase) for each in findings(name, text, allowed)]


@pytest.mark.parametrize("phrase", PHRASES)
def test_each_phrase_of_the_list_is_found(phrase: str) -> None:
    assert found("page.md", f"A sentence with {phrase}, at some place.") == [(1, phrase)]


@pytest.mark.parametrize("text", ["Everybody", "the programme TOLD us", "one (mistake)"])
def test_a_phrase_is_found_in_any_case_and_beside_punctuation(text: str) -> None:
    assert len(found("page.md", text)) == 1


def test_a_phrase_is_found_across_a_line_break() -> None:
    assert found("page.md", "one\ntwo by\nchance") == [(2, "by chance")]


def test_a_part_of_a_longer_word_is_not_a_phrase() -> None:
    assert found("page.md", "retold essays, amended, mistaken, asksum") == []


def test_inline_code_is_not_prose() -> None:
    assert found("page.md", "the flag `--tells` and ``says`` are names") == []


def test_a_code_block_is_prose_since_it_has_comments() -> None:
    assert found("page.md", "```sh\nmake demo  # for people\n```\n") == [(2, "for people")]


@pytest.mark.parametrize(
    "source",
    [
        '"""A module that tells."""\n',
        'def f() -> None:\n    """Do what the caller\n    knows."""\n',
        "x = 1  # as somebody wrote\n",
        "# a comment that lets\n# be wrapped\n",
        'raise ValueError("nobody listens")\n',
        'raise ValueError(f"{name} says no")\n',
    ],
    ids=["docstring", "wrapped docstring", "comment", "wrapped comment", "string", "f-string"],
)
def test_a_phrase_is_found_in_the_prose_of_python(source: str) -> None:
    assert len(found("exporter/x.py", source)) == 1


def test_a_finding_in_python_has_its_line() -> None:
    assert found("x.py", '"""First line.\n\nHe told.\n"""\n\nx = 1  # anybody\n') == [(3, "told"), (6, "anybody")]


def test_names_in_python_are_not_prose() -> None:
    assert found("x.py", 'told = asks("says", knows="mistake")\n') == []


def test_the_text_of_another_file_is_prose() -> None:
    assert found("x.yaml", "key: value  # whoever reads it\n") == [(1, "whoever")]


def test_an_allowed_use_is_ignored_in_its_file_alone() -> None:
    allowed = Allowed("page.md", "as the standard says", "a quotation")
    text = "It is so, as the\nstandard says. The program says nothing."
    assert found("page.md", text, allowed) == [(2, "says")]
    assert len(found("other.md", text, allowed)) == 2


def test_an_allowed_use_that_does_not_appear_is_reported(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("the standard says")
    assert not list(unused([Allowed("page.md", "standard says", "a quotation")], tmp_path))
    assert len(list(unused([Allowed("page.md", "program says", "gone")], tmp_path))) == 1
    assert len(list(unused([Allowed("gone.md", "standard says", "gone")], tmp_path))) == 1


def test_every_allowed_use_has_a_reason() -> None:
    assert all(each.reason for each in ALLOWED)


def test_the_readme_and_the_pages_of_docs_are_checked() -> None:
    checked = checked_files(ROOT)
    assert {ROOT / "README.md", ROOT / "docs" / "architecture.md"} <= set(checked)


def test_the_exit_code_is_1_for_a_finding_and_the_line_names_a_replacement(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "page.md").write_text("by chance")
    assert main([str(tmp_path / "page.md")], root=tmp_path) == 1
    assert capsys.readouterr().out == 'page.md:1: "by chance"; write: random, with jitter\n'


def test_the_exit_code_is_0_for_plain_english(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("with jitter")
    assert main([str(tmp_path / "page.md")], root=tmp_path) == 0
    assert capsys.readouterr().out == ""
