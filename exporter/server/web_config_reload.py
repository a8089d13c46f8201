"""Keeps the web config file and its certificates current: what changed is read again, what is bad changes nothing."""

import logging
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from exporter.logs import event
from exporter.server.tls import server_context
from exporter.server.web_config import WebConfig, WebConfigError, read_web_config

logger = logging.getLogger(__name__)

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the files. The toolkit reads them at each handshake; a look costs one `stat` a file."""

_Look = tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Reading:
    """What the file and its certificates said when they were read.

    Attributes:
        config: what the file says.
        context: what new connections are encrypted with; None for plain HTTP.
        looks: how each file looked just before.
    """

    config: WebConfig
    context: ssl.SSLContext | None
    looks: Mapping[Path, _Look]


class WebConfigFile:
    """The web config file, as it is at the moment of asking.

    The first reading is strict. Afterwards a file that cannot be used is told in the log, once for each change, and
    the last good one stays: half a rotation (a new certificate beside the old key) passes by itself. A file that is
    being rewritten may be empty or cut short for a moment, and an empty file lets everybody in; so a change that takes
    all of a protection away (TLS, passwords, client certificates) waits until somebody asks for it: `read`, `use`.

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
        self._seen: Mapping[Path, _Look] = {}
        self._next_look = monotonic() + LOOK_EVERY
        self.use(self.read())

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

    def read(self) -> Reading:
        """Read everything again, whether it changed or not; nothing of it is in force before `use`.

        Raises:
            WebConfigError: the file cannot be used.
        """
        return self._read({})

    def _read(self, looks: dict[Path, _Look]) -> Reading:
        """Read everything; `looks` takes in how each file looked, up to the one that cannot be used."""
        if self._path is None:
            return Reading(WebConfig(), None, looks)
        # Each file is looked at before it is read: what changes in between will differ from this look.
        looks[self._path] = _stat(self._path)
        config = read_web_config(self._path)
        looks.update(_stats(config.tls.files() if config.tls else ()))
        return Reading(config, server_context(config.tls) if config.tls else None, looks)

    def use(self, reading: Reading) -> None:
        """Put in force what was read."""
        self._problem = None
        self._seen = reading.looks
        self._served = reading
        for warning in reading.config.warnings:
            event(logger, logging.WARNING, "odd web config file", reason=warning)

    def _look(self) -> None:
        now = self._monotonic()
        if self._path is None or now < self._next_look:
            return
        self._next_look = now + LOOK_EVERY
        before, self._seen = self._seen, _stats(self._seen)
        changed = {path for path, look in self._seen.items() if look != before[path]}
        if not changed:
            return
        looks: dict[Path, _Look] = {}
        try:
            reading = self._read(looks)
            _check_protection(self._served.config, reading.config)
        except WebConfigError as error:
            self._problem = str(error)
            self._seen = {**self._seen, **looks}  # a certificate that is not there yet may come
            message = "the web config file or a certificate changed, but cannot be used"
            event(logger, logging.WARNING, message, reason=str(error))
            self._renew(changed)
        else:
            self.use(reading)
            logger.info("the web config file or a certificate changed and is in force for new connections")

    def _renew(self, changed: set[Path]) -> None:
        """Take up new certificates where only the file beside them is not to be used; the old ones will expire."""
        tls = self._served.config.tls
        if tls and changed.intersection(tls.files()):
            with suppress(WebConfigError):  # half a rotation: the other half is a change again
                self._served = replace(self._served, context=server_context(tls))
                logger.info("the certificate changed and is in force for new connections")


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


def _stats(paths: Iterable[Path]) -> dict[Path, _Look]:
    return {path: _stat(path) for path in paths}


def _stat(path: Path) -> _Look:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
