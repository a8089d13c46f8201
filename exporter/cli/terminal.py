"""What every command has in common: output streams and exit codes."""

from typing import Final, TextIO

import msgspec

SUCCESS: Final = 0
FAILURE: Final = 1
"""A port is in use, a poll or a check has failed, or a file cannot be written."""
INVALID_SETTINGS: Final = 2
"""The settings or the command line are invalid."""


class Terminal(msgspec.Struct, frozen=True):
    """The output streams of a command.

    Attributes:
        out: the result.
        err: errors, logs and progress.
    """

    out: TextIO
    err: TextIO
