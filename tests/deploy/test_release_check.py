"""What the release check refuses; the check itself runs with `make release-check`."""

import sys
from pathlib import Path

import pytest

from deploy.release_check import (
    ROOT,
    ReleaseError,
    Report,
    Section,
    changelog_section,
    check_metadata,
    check_sdist_files,
    check_tag,
    check_wheel_files,
    main,
    run,
)
from exporter.version import VERSION

CHANGELOG = """# Changelog

## [Unreleased]

## [0.2.0] - 2026-12-01

### Added

- Something.

## [0.1.0] - unreleased

- The first.
"""
METADATA = """Metadata-Version: 2.4
Name: livepeer-session-exporter
Version: 0.1.0
Summary: One line.
Author: Authors
License-Expression: MIT
License-File: LICENSE
Keywords: one,two
Classifier: Typing :: Typed
Requires-Python: >=3.11
Description-Content-Type: text/markdown

The description.
"""
WHEEL = [
    "exporter/__init__.py",
    "exporter/py.typed",
    *(
        f"exporter/_assets/{folder}/{path.name}"
        for folder in ("dashboards", "rules", "optional-rules", "kubernetes", "alertmanager", "examples")
        for path in (ROOT / "grafana" / folder).iterdir()
    ),
    "livepeer_session_exporter-0.1.0.dist-info/METADATA",
]


def test_a_section_is_found_with_its_date_and_its_text() -> None:
    assert changelog_section(CHANGELOG, "0.2.0") == Section("2026-12-01", "### Added\n\n- Something.")
    assert changelog_section(CHANGELOG, "0.1.0") == Section(None, "- The first.")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("## [0.1.1] - 2026-12-01\n\n- It.\n", "no section for 0.1.0"),
        ("## [0.1.0] - 2026-12-01\n\n## [0.0.1] - 2026-11-01\n\n- It.\n", "no section for 0.1.0"),
        ("## [0.1.0] - soon\n\n- It.\n", "write YYYY-MM-DD"),
        ("## [0a1b0] - 2026-12-01\n\n- It.\n", "no section for 0.1.0"),
    ],
)
def test_a_changelog_without_the_version_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ReleaseError, match=reason):
        changelog_section(text, "0.1.0")


def test_the_changelog_has_a_section_for_the_version() -> None:
    assert changelog_section((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), VERSION).text


def test_a_tag_must_match_the_version() -> None:
    check_tag("v0.2.0", "0.2.0", CHANGELOG)
    with pytest.raises(ReleaseError, match=r"expected v0\.1\.0"):
        check_tag("v0.2.0", "0.1.0", CHANGELOG)


def test_a_tag_needs_a_date_in_the_changelog() -> None:
    with pytest.raises(ReleaseError, match="still unreleased"):
        check_tag("v0.1.0", "0.1.0", CHANGELOG)


@pytest.mark.parametrize("entry", ["### Changed\n\n- More.\n", "- More.\n"])
def test_a_tag_needs_all_changes_in_the_section_of_its_version(entry: str) -> None:
    changelog = CHANGELOG.replace("## [Unreleased]\n", f"## [Unreleased]\n\n{entry}")
    with pytest.raises(ReleaseError, match="under Unreleased"):
        check_tag("v0.2.0", "0.2.0", changelog)


def test_the_sdist_must_have_exactly_the_tracked_files() -> None:
    assert check_sdist_files(["PKG-INFO", "Makefile", "tests/test_it.py"], ["Makefile", "tests/test_it.py"]) == 2
    with pytest.raises(ReleaseError, match="missing in the sdist: Makefile"):
        check_sdist_files(["PKG-INFO", "tests/test_it.py"], ["Makefile", "tests/test_it.py"])
    with pytest.raises(ReleaseError, match=r"not tracked by git: \.env"):
        check_sdist_files(["PKG-INFO", "Makefile", ".env"], ["Makefile"])


def test_the_wheel_must_have_the_package_and_its_assets_and_nothing_else() -> None:
    assert check_wheel_files(WHEEL) == len(WHEEL)
    with pytest.raises(ReleaseError, match=r"not of the package: tests/conftest\.py"):
        check_wheel_files([*WHEEL, "tests/conftest.py"])
    with pytest.raises(ReleaseError, match=r"missing in the wheel: exporter/py\.typed"):
        check_wheel_files([name for name in WHEEL if name != "exporter/py.typed"])
    with pytest.raises(ReleaseError, match="missing in the wheel: exporter/_assets/"):
        check_wheel_files([name for name in WHEEL if "_assets" not in name])


def test_valid_metadata_is_accepted() -> None:
    assert str(check_metadata(METADATA, METADATA).version) == "0.1.0"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("License-Expression: MIT", "License-Expression: Mine", "license"),
        ("Requires-Python: >=3.11", "Requires-Python: three", "requires-python"),
        ("Version: 0.1.0", "Version: first", "version"),
        ("Author: Authors\n", "", "missing in the metadata: author"),
        ("\nThe description.\n", "", "missing in the metadata: description"),
    ],
)
def test_invalid_or_incomplete_metadata_is_refused(old: str, new: str, reason: str) -> None:
    changed = METADATA.replace(old, new)
    assert changed != METADATA
    with pytest.raises(ReleaseError, match=reason):
        check_metadata(changed, changed)


def test_the_metadata_of_sdist_and_wheel_must_agree() -> None:
    with pytest.raises(ReleaseError, match="differ"):
        check_metadata(METADATA, METADATA.replace("One line.", "Another line."))


def test_a_command_that_fails_is_reported_with_its_output(tmp_path: Path) -> None:
    assert run([sys.executable, "-c", "print('fine')"], cwd=tmp_path) == "fine\n"
    with pytest.raises(ReleaseError, match=r"exit code 3, expected 0\nno"):
        run([sys.executable, "-c", "print('no'); raise SystemExit(3)"], cwd=tmp_path)
    with pytest.raises(ReleaseError, match="No such file"):
        run([tmp_path / "absent"], cwd=tmp_path)


def test_a_step_is_reported_with_its_time() -> None:
    lines: list[str] = []
    times = iter([10.0, 12.5, 13.0])
    report = Report(lines.append, lambda: next(times))
    report.passed("build", "two files")
    report.passed("install", "fine")
    assert [line.split() for line in lines] == [
        ["ok", "build", "2.5", "s", "two", "files"],
        ["ok", "install", "0.5", "s", "fine"],
    ]


def test_a_tag_of_another_version_ends_the_check_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--tag", "v99.0.0"]) == 1
    assert "FAILED: the tag is v99.0.0" in capsys.readouterr().err


def test_the_notes_of_a_release_are_its_section(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--notes"]) == 0
    section = changelog_section((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), VERSION)
    assert capsys.readouterr().out == f"{section.text}\n"
