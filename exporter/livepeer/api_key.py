"""The API key: where it comes from, and that it is never shown."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from exporter.config import normalize_api_key
from exporter.livepeer.errors import MissingKeyError

MAX_KEY_BYTES: Final = 4096


class APIKey:
    """The API key of one account, read anew whenever it is asked for, so that a rotated file is used at once.

    A file that is empty or unreadable for a moment (it is being rewritten) leaves the last good key in use.

    Args:
        given: a key that does not change, from the environment; None where a file holds it.
        path: the file that holds it.
        redact: told every key that comes into use, so that the logs can leave it out.
    """

    def __init__(self, given: str | None, path: Path | None, redact: Callable[[str], None]) -> None:
        self._key = given
        self._path = path
        self._redact = redact
        if given:
            redact(given)

    def __repr__(self) -> str:
        return "APIKey(...)"

    def __call__(self) -> str:
        """The key of the moment.

        Raises:
            MissingKeyError: there is none, and there never was a good one.
        """
        problem = "no API key is set"
        if self._path is not None:
            try:
                key = normalize_api_key(_read(self._path))
            except OSError as error:
                problem = f"the API key file cannot be read: {error.strerror or type(error).__name__}"
            except ValueError as error:
                problem = f"what the API key file holds {error}"
            else:
                problem = "the API key file is empty"
                if key and key != self._key:
                    self._redact(key)
                    self._key = key
        if self._key is None:
            raise MissingKeyError(problem)
        return self._key


def _read(path: Path) -> str:
    # Not `Path.open`: a pipe would stop the whole program until somebody writes into it.
    with open(path, "rb", opener=_open_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "Not a regular file")
        return file.read(MAX_KEY_BYTES).decode("utf-8", "replace")


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
