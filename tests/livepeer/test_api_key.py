"""The API key: its source, its rotation, and that it is never shown."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.livepeer.api_key import MAX_KEY_BYTES, APIKey
from exporter.livepeer.errors import MissingKeyError


def ignore(_key: str) -> None:
    pass


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("first-key")
    return path


@contextmanager
def fifo(path: Path, content: bytes) -> Iterator[None]:
    """Create a FIFO with some content. It has a writer, so that opening it to read would not block."""
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    os.write(writer, content)
    try:
        yield
    finally:
        os.close(writer)


def test_a_fixed_key_is_returned() -> None:
    assert APIKey("some-key", None, ignore)() == "some-key"


def test_white_space_around_the_key_in_a_file_is_ignored(file: Path) -> None:
    file.write_bytes(b" first-key \r\n")
    assert APIKey(None, file, ignore)() == "first-key"


def test_the_key_of_a_changed_file_is_used_at_once(file: Path) -> None:
    key = APIKey(None, file, ignore)
    assert key() == "first-key"
    file.write_text("second-key")
    assert key() == "second-key"


def test_the_key_of_a_replaced_symbolic_link_is_used_at_once(file: Path) -> None:
    link, other = file.with_name("link"), file.with_name("other")
    other.write_text("second-key")
    link.symlink_to(file)
    key = APIKey(None, link, ignore)
    assert key() == "first-key"
    new_link = file.with_name("new")
    new_link.symlink_to(other)
    new_link.replace(link)
    assert key() == "second-key"


@pytest.mark.parametrize("content", [b"", b" \n", b"two words", b"\xff\xfe", b"k" * (MAX_KEY_BYTES + 1)])
def test_while_the_file_has_no_valid_key_the_last_one_stays_in_use(file: Path, content: bytes) -> None:
    key = APIKey(None, file, ignore)
    assert key() == "first-key"
    file.write_bytes(content)
    assert key() == "first-key"


def test_while_the_file_is_missing_the_last_key_stays_in_use(file: Path) -> None:
    key = APIKey(None, file, ignore)
    assert key() == "first-key"
    file.unlink()
    assert key() == "first-key"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "the API key file cannot be read: No such file or directory"),
        (b"\n", "the API key file is empty"),
        (b"secret word", "the content of the API key file is not an API key"),
    ],
)
def test_without_a_valid_key_the_error_has_the_reason_but_not_the_content_of_the_file(
    file: Path, content: bytes | None, reason: str
) -> None:
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(MissingKeyError) as caught:
        APIKey(None, file, ignore)()
    assert str(caught.value).startswith(reason)
    assert "secret" not in str(caught.value)


def test_R09_a_fifo_is_rejected_at_once(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    with (
        fifo(path, b"k" * MAX_KEY_BYTES),
        pytest.raises(MissingKeyError, match=r"^the API key file cannot be read: Not a regular file$") as caught,
    ):
        APIKey(None, path, ignore)()
    assert caught.value.failure == "auth"


def test_R09_if_the_file_is_replaced_with_a_fifo_the_last_key_stays_in_use(file: Path) -> None:
    key = APIKey(None, file, ignore)
    assert key() == "first-key"
    file.unlink()
    with fifo(file, b"second-key".ljust(MAX_KEY_BYTES)):
        assert key() == "first-key"


def test_without_a_fixed_key_and_a_file_there_is_no_key() -> None:
    with pytest.raises(MissingKeyError, match="no API key is set; use LIVEPEER_API_KEY or --api-key-file"):
        APIKey(None, None, ignore)()


def test_a_file_that_is_created_later_is_used(tmp_path: Path) -> None:
    key = APIKey(None, tmp_path / "key", ignore)
    with pytest.raises(MissingKeyError):
        key()
    (tmp_path / "key").write_text("late-key")
    assert key() == "late-key"


def test_each_new_key_is_redacted(file: Path) -> None:
    redacted: list[str] = []
    key = APIKey(None, file, redacted.append)
    for content in ("first-key", "first-key", "second-key"):
        file.write_text(content)
        key()
    APIKey("fixed-key", None, redacted.append)
    assert redacted == ["first-key", "second-key", "fixed-key"]


def test_the_representation_does_not_contain_the_key(file: Path) -> None:
    assert repr(APIKey("fixed-key", file, ignore)) == "APIKey(...)"
