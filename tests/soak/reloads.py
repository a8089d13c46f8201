"""Reloads of the exporter with valid settings files and with unusable ones."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.running import Exporter

SESSION_WINDOW: Final = 100.0
"""Seconds of the session window, longer than any time without a successful poll, so that every session is counted."""

WIDE_SESSION_WINDOW: Final = 160.0
"""Seconds of the session window after a reload that widens the scope."""

_RELOADED: Final = "settings reloaded"
_FAILED: Final = "reload failed, the current settings stay in effect"


@dataclass
class SettingsFile:
    """The settings file of a running exporter.

    Attributes:
        path: of the file.
        window: the session window in seconds.
    """

    path: Path
    window: float = SESSION_WINDOW

    def write(self, further: str = "") -> None:
        """Write the settings; a reader sees either the old file or the new one."""
        self._replace(f"session_window: {self.window:g}s\n{further}")

    def change_scope(self, exporter: Exporter) -> None:
        """Widen the session window, or narrow it again (D02)."""
        self.window = SESSION_WINDOW if self.window == WIDE_SESSION_WINDOW else WIDE_SESSION_WINDOW
        self.write()
        _reload(exporter, _RELOADED)

    def empty(self, exporter: Exporter) -> None:
        """Reload while the file is empty (D05)."""
        self._replace("")
        self._reload_and_restore(exporter)

    def name_pipe_as_ca_file(self, exporter: Exporter) -> None:
        """Reload with a CA file that is a pipe (V04)."""
        pipe = self.path.with_name("ca.pem")
        if not pipe.exists():
            os.mkfifo(pipe)
        self.write(f"ca_file: {pipe}\n")
        self._reload_and_restore(exporter)

    def become_pipe(self, exporter: Exporter) -> None:
        """Reload while the settings file is a pipe (V04)."""
        self.path.unlink()
        os.mkfifo(self.path)
        self._reload_and_restore(exporter)

    def _replace(self, text: str) -> None:
        temporary = self.path.with_suffix(".new")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(self.path)

    def _reload_and_restore(self, exporter: Exporter) -> None:
        try:
            _reload(exporter, _FAILED)
        finally:
            self.write()
        _reload(exporter, _RELOADED)


def _reload(exporter: Exporter, event: str) -> None:
    """Reload, and wait for the log line of the expected result.

    Raises:
        AssertionError: the line did not appear.
    """
    count = len(exporter.events(event))
    exporter.send_signal(signal.SIGHUP)
    exporter.wait_for_event(event, count + 1)
