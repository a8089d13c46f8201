"""The API key of an account, from the environment or from a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from exporter.config import normalize_api_key, open_regular_file
from exporter.livepeer.errors import MissingKeyError

MAX_KEY_BYTES: Final = 4096


class APIKey:
    """The current API key of one account.

    A key file is read on every call, so a rotated key is used at once. While the file is empty or unreadable, for
    example because it is being rewritten, the last valid key stays in use.

    Args:
        value: a fixed key; None if the key is in a file.
        path: the key file; None if the key is fixed.
        redact: called with each new key, so that it is removed from the logs.
    """

    def __init__(self, value: str | None, path: Path | None, redact: Callable[[str], None]) -> None:
        self._key = value
        self._path = path
        self._redact = redact
        if value:
            redact(value)

    def __repr__(self) -> str:
        return "APIKey(...)"

    def __call__(self) -> str:
        """Return the current key.

        Raises:
            MissingKeyError: there is no valid key, and there has not been one before.
        """
        problem = "no API key is set; use LIVEPEER_API_KEY or --api-key-file"
        if self._path is not None:
            try:
                key = normalize_api_key(_read(self._path))
            except OSError as error:
                problem = f"the API key file cannot be read: {error.strerror or type(error).__name__}"
            except ValueError as error:
                problem = f"the content of the API key file {error}"
            else:
                problem = "the API key file is empty"
                if key and key != self._key:
                    self._redact(key)
                    self._key = key
        if self._key is None:
            raise MissingKeyError(problem)
        return self._key


def _read(path: Path) -> str:
    with open_regular_file(path) as file:
        return file.read(MAX_KEY_BYTES).decode("utf-8", "replace")
