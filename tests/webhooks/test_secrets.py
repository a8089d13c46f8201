"""The secrets of a file: read for each call, kept while it cannot be read, and redacted."""

from pathlib import Path

from exporter.webhooks.secrets import MAX_FILE_BYTES, MAX_SECRETS, SecretFile


def test_each_line_is_a_secret_and_a_change_applies_at_once(tmp_path: Path) -> None:
    path, redacted = tmp_path / "secret", list[str]()
    path.write_text("one\n")
    secrets = SecretFile(path, redacted.append)
    assert secrets() == ("one",)
    path.write_text("two\r\n\n  one  \ntwo\n")
    assert secrets() == ("two", "one")
    path.write_text("two")
    assert secrets() == ("two",)
    assert redacted == ["one", "two", "one", "two"]


def test_the_last_secrets_stay_while_the_file_is_empty_missing_or_not_text(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("one")
    secrets = SecretFile(path, lambda _: None)
    assert secrets() == ("one",)
    path.write_bytes(b"")
    assert secrets() == ("one",)
    path.write_bytes(b"\xff\xfe")
    assert secrets() == ("one",)
    path.unlink()
    assert secrets() == ("one",)
    path.mkdir()
    assert secrets() == ("one",)


def test_without_a_file_there_is_no_secret(tmp_path: Path) -> None:
    assert SecretFile(tmp_path / "missing", lambda _: None)() == ()


def test_a_file_is_read_up_to_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("one\n" + "x" * MAX_FILE_BYTES + "\nlast")
    assert [len(secret) for secret in SecretFile(path, lambda _: None)()] == [3, MAX_FILE_BYTES - 4]


def test_the_number_of_secrets_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("\n".join(map(str, range(100))))
    assert len(SecretFile(path, lambda _: None)()) == MAX_SECRETS
    assert repr(SecretFile(path, lambda _: None)) == "SecretFile(...)"
