"""The API key: where it comes from, that a new one is used at once, and that none is ever shown."""

import os
from pathlib import Path

import pytest

from exporter.livepeer.api_key import MAX_KEY_BYTES, APIKey
from exporter.livepeer.errors import MissingKeyError


def silent(_key: str) -> None:
    pass


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("first-key")
    return path


def test_a_given_key_is_used() -> None:
    assert APIKey("some-key", None, silent)() == "some-key"


def test_a_file_is_read_without_the_white_space_around_the_key(file: Path) -> None:
    file.write_bytes(b" first-key \r\n")
    assert APIKey(None, file, silent)() == "first-key"


def test_a_file_that_is_written_anew_is_used_at_once(file: Path) -> None:
    key = APIKey(None, file, silent)
    assert key() == "first-key"
    file.write_text("second-key")
    assert key() == "second-key"


def test_a_symbolic_link_that_is_swapped_is_used_at_once(file: Path) -> None:
    link, other = file.with_name("link"), file.with_name("other")
    other.write_text("second-key")
    link.symlink_to(file)
    key = APIKey(None, link, silent)
    assert key() == "first-key"
    fresh = file.with_name("fresh")
    fresh.symlink_to(other)
    fresh.replace(link)
    assert key() == "second-key"


@pytest.mark.parametrize("content", [b"", b" \n", b"two words", b"\xff\xfe", b"k" * (MAX_KEY_BYTES + 1)])
def test_a_file_with_no_key_in_it_leaves_the_last_good_one_in_use(file: Path, content: bytes) -> None:
    key = APIKey(None, file, silent)
    assert key() == "first-key"
    file.write_bytes(content)
    assert key() == "first-key"


def test_a_file_that_is_gone_leaves_the_last_good_key_in_use(file: Path) -> None:
    key = APIKey(None, file, silent)
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
def test_without_any_good_key_the_reason_is_told_but_not_what_the_file_holds(
    file: Path, content: bytes | None, reason: str
) -> None:
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(MissingKeyError) as caught:
        APIKey(None, file, silent)()
    assert str(caught.value).startswith(reason)
    assert "secret" not in str(caught.value)


def test_R09_a_pipe_is_refused_at_once_and_is_no_key(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # Somebody writes into it, or whoever opened it to read would wait for ever.
    writer = os.open(pipe, os.O_RDWR)
    os.write(writer, b"k" * MAX_KEY_BYTES)
    try:
        with pytest.raises(MissingKeyError, match=r"^the API key file cannot be read: Not a regular file$") as caught:
            APIKey(None, pipe, silent)()
    finally:
        os.close(writer)
    assert caught.value.failure == "auth"


def test_R09_a_file_that_becomes_a_pipe_leaves_the_last_good_key_in_use(file: Path) -> None:
    key = APIKey(None, file, silent)
    assert key() == "first-key"
    file.unlink()
    os.mkfifo(file)
    writer = os.open(file, os.O_RDWR)
    os.write(writer, b"second-key".ljust(MAX_KEY_BYTES))
    try:
        assert key() == "first-key"
    finally:
        os.close(writer)


def test_without_key_and_file_there_is_none() -> None:
    with pytest.raises(MissingKeyError, match="no API key is set"):
        APIKey(None, None, silent)()


def test_a_file_that_appears_later_is_used(tmp_path: Path) -> None:
    key = APIKey(None, tmp_path / "key", silent)
    with pytest.raises(MissingKeyError):
        key()
    (tmp_path / "key").write_text("late-key")
    assert key() == "late-key"


def test_every_key_that_comes_into_use_is_told_once(file: Path) -> None:
    told: list[str] = []
    key = APIKey(None, file, told.append)
    for content in ("first-key", "first-key", "second-key"):
        file.write_text(content)
        key()
    APIKey("given-key", None, told.append)
    assert told == ["first-key", "second-key", "given-key"]


def test_a_key_does_not_show_itself(file: Path) -> None:
    assert "key" not in repr(APIKey("given-key", file, silent)).removeprefix("APIKey(").lower()
