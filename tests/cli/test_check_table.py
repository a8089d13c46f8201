"""The table that `check` prints."""

import io

import pytest

from exporter.cli.check_table import Row, has_failed, print_table


def printed(*rows: Row) -> str:
    out = io.StringIO()
    print_table(rows, out)
    return out.getvalue()


def test_columns_are_aligned_below_a_header() -> None:
    text = printed(Row("settings", "ok", "valid"), Row("  stream a-long-id", "warning", "no session"))
    assert text.splitlines()[:3] == [
        "CHECK               STATUS   RESULT",
        "settings            ok       valid",
        "  stream a-long-id  warning  no session",
    ]


def test_a_long_subject_does_not_widen_the_other_rows() -> None:
    text = printed(Row("x" * 500, "ok", "one"), Row("b", "ok", "two"))
    assert max(map(len, text.replace("x" * 500, "").splitlines())) < 70


@pytest.mark.parametrize(
    ("statuses", "summary"),
    [
        (["ok"], "no failures, no warnings"),
        (["ok", "warning"], "1 warning"),
        (["warning", "failed", "warning"], "1 failed, 2 warnings"),
    ],
)
def test_the_last_line_counts_failures_and_warnings(statuses: list[str], summary: str) -> None:
    rows = [Row("a", status, "b") for status in statuses]  # type: ignore[arg-type]
    assert printed(*rows).splitlines()[-2:] == ["", summary]
    assert has_failed(rows) == ("failed" in statuses)
