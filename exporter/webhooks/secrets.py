"""The secrets of an account's webhook, from a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from exporter.config import open_regular_file

MAX_FILE_BYTES: Final = 4096
MAX_SECRETS: Final = 8
"""Secrets that a call is compared with."""


class SecretFile:
    """The current secrets of one webhook: a line for each, several during a rotation.

    The file is read on every call, so a change applies at once. While it is empty or unreadable, for example because
    it is being rewritten, the last secrets stay in use.

    Args:
        path: the file.
        redact: called with each new secret, so that it is removed from the logs.
    """

    def __init__(self, path: Path, redact: Callable[[str], None]) -> None:
        self._path = path
        self._redact = redact
        self._secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "SecretFile(...)"

    def __call__(self) -> tuple[str, ...]:
        """Return the current secrets; none before the file could be read."""
        secrets = _read(self._path)
        if secrets and secrets != self._secrets:
            for secret in secrets:
                self._redact(secret)
            self._secrets = secrets
        return self._secrets


def _read(path: Path) -> tuple[str, ...]:
    """Return the secrets of a file; none if it cannot be read or is not text."""
    try:
        with open_regular_file(path) as file:
            text = file.read(MAX_FILE_BYTES).decode()
    except (OSError, UnicodeError):
        return ()
    lines = [line.strip() for line in text.splitlines()]
    return tuple(dict.fromkeys(line for line in lines if line))[:MAX_SECRETS]
