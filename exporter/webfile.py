"""Keeps the web config file and its certificates current: what changed is read again, what is bad changes nothing."""

import logging
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exporter.tls import server_context
from exporter.webconfig import WebConfig, WebConfigError, read_web_config

logger = logging.getLogger(__name__)

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the files. The toolkit reads them at each handshake; a look costs one `stat` a file."""

_Look = tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class _Served:
    config: WebConfig
    context: ssl.SSLContext | None


class WebConfigFile:
    """The web config file, as it is at the moment of asking.

    The first reading is strict. Afterwards a file that cannot be used is told in the log, once for each change, and
    the last good one stays: half a rotation (a new certificate beside the old key) passes by itself. A file that is
    being rewritten may be empty or cut short for a moment, and an empty file lets everybody in; so a change that takes
    all of a protection away (TLS, passwords, client certificates) waits until it is asked for by `reload`.

    Args:
        path: the file, or None where there is none and everything is plain and open.
        monotonic: seconds of a clock that never steps.

    Raises:
        WebConfigError: the file cannot be used.
    """

    def __init__(self, path: Path | None, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._monotonic = monotonic
        self._problem: str | None = None
        self._served = _Served(WebConfig(), None)
        self._seen: dict[Path, _Look] = {}
        self._next_look = monotonic() + LOOK_EVERY
        self.reload()

    @property
    def problem(self) -> str | None:
        """Why the file as it stands is not in force, in one line; None if it is."""
        return self._problem

    def config(self) -> WebConfig:
        """What is in force."""
        self._look()
        return self._served.config

    def context(self) -> ssl.SSLContext | None:
        """The TLS context for the next connection; None for plain HTTP."""
        self._look()
        return self._served.context

    def reload(self) -> None:
        """Read everything again, whether it changed or not.

        Raises:
            WebConfigError: the file cannot be used; the last good one stays in force.
        """
        if self._path is not None:
            self._take(self._path, may_open=True)

    def _look(self) -> None:
        now = self._monotonic()
        if self._path is None or now < self._next_look:
            return
        self._next_look = now + LOOK_EVERY
        if all(_stat(path) == seen for path, seen in self._seen.items()):
            return
        try:
            self._take(self._path, may_open=False)
        except WebConfigError as error:
            logger.warning("the web config file or a certificate changed, but cannot be used: %s", error)
        else:
            logger.info("the web config file or a certificate changed and is in force for new connections")

    def _take(self, path: Path, *, may_open: bool) -> None:
        # Each file is looked at before it is read: what changes in between will differ from this look.
        self._seen[path] = _stat(path)
        try:
            config = read_web_config(path)
            tls = config.tls
            self._seen = {path: self._seen[path]} | {file: _stat(file) for file in (tls.files() if tls else ())}
            context = server_context(tls) if tls else None
            if not may_open:
                _check_protection(self._served.config, config)
        except WebConfigError as error:
            self._problem = str(error)
            raise
        self._problem = None
        self._served = _Served(config, context)
        for warning in config.warnings:
            logger.warning("web config file: %s", warning)


def _check_protection(old: WebConfig, new: WebConfig) -> None:
    """Refuse a file that gives no more of a protection that the old one gives."""
    if old.tls and not new.tls:
        lost = "TLS"
    elif old.users and not new.users:
        lost = "all passwords"
    elif old.tls and new.tls and new.tls.verify < old.tls.verify:
        lost = "the need for client certificates"
    else:
        return
    raise WebConfigError(f"it would take away {lost}; reload or restart if that is meant")


def _stat(path: Path) -> _Look:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
