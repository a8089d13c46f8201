"""Captures the output of commands."""

import io
import re

from exporter.cli.terminal import Terminal
from tests.support.canary import scanner


class _Stream(io.StringIO):
    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def statuses(output: "Output") -> dict[str, str]:
    """The status of each subject in the table that `check` prints."""
    table, _, _ = output.out.partition("\n\n")
    rows = [re.split(r"\s{2,}", line.strip(), maxsplit=2) for line in table.splitlines()]
    assert rows[0] == ["CHECK", "STATUS", "RESULT"]
    return {subject: status for subject, status, _ in rows[1:]}


class Output:
    """The output streams of one command; whatever is read from them is searched for the canary key.

    Args:
        is_terminal: whether the streams claim to be a terminal.
    """

    def __init__(self, *, is_terminal: bool = False) -> None:
        self._out, self._err = _Stream(is_terminal=is_terminal), _Stream(is_terminal=is_terminal)
        self.terminal = Terminal(self._out, self._err)

    @property
    def out(self) -> str:
        """The result."""
        return _searched(self._out)

    @property
    def err(self) -> str:
        """Errors, logs and progress."""
        return _searched(self._err)


def _searched(stream: _Stream) -> str:
    scanner.scan("a command", stream.getvalue())
    return stream.getvalue()
