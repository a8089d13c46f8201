"""Reload of the web config file and its certificates when they change."""

import logging
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from exporter.logs import event
from exporter.server.tls import create_server_context
from exporter.server.web_config import WEB_CONFIG_FLAG, TLSConfig, WebConfig, WebConfigError, read_web_config

logger = logging.getLogger(__name__)

CHECK_INTERVAL: Final = 1.0
"""Seconds between checks for changes. The exporter-toolkit reads its files at each handshake; a check costs one `stat`
per file."""

_Fingerprint = tuple[int, ...] | None
"""Identity, size and times of a file; None if it cannot be found."""


@dataclass(frozen=True, slots=True)
class LoadedWebConfig:
    """The web config file and its certificates, as they were when they were read.

    Attributes:
        config: the content of the file.
        context: the TLS context for new connections; None for plain HTTP.
        fingerprints: state of each file just before it was read.
    """

    config: WebConfig
    context: ssl.SSLContext | None
    fingerprints: Mapping[Path, _Fingerprint]


class WebConfigFile:
    """The web config file, reloaded when it or one of its certificates changes.

    The first load must succeed. Later, files that cannot be used are logged once per change, and the last valid
    configuration stays in force; this bridges a certificate rotation that replaces two files one after the other.

    A file that is being rewritten can be empty or truncated for a moment, and an empty file turns off all protection.
    A change that removes TLS, all users or a requirement for client certificates therefore takes effect only with an
    explicit `load` and `apply`.

    Args:
        path: the file; None for plain HTTP without authentication.
        flag: of the setting that names the file, for messages.
        monotonic: monotonic clock, in seconds.

    Raises:
        WebConfigError: the file cannot be used.
    """

    def __init__(
        self, path: Path | None, *, flag: str = WEB_CONFIG_FLAG, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._flag = flag
        self._monotonic = monotonic
        self._fingerprints: Mapping[Path, _Fingerprint] = {}
        self._next_check = monotonic() + CHECK_INTERVAL
        self.apply(self.load())

    def config(self) -> WebConfig:
        """Return the configuration in force."""
        self._reload_if_changed()
        return self._current.config

    def context(self) -> ssl.SSLContext | None:
        """Return the TLS context for the next connection; None for plain HTTP."""
        self._reload_if_changed()
        return self._current.context

    def load(self) -> LoadedWebConfig:
        """Read all files, changed or not. They take effect with `apply`.

        Raises:
            WebConfigError: a file cannot be used.
        """
        try:
            return self._load({})
        except WebConfigError as error:
            raise WebConfigError(*error.problems, flag=self._flag) from None

    def apply(self, loaded: LoadedWebConfig) -> None:
        """Put a loaded configuration in force."""
        self._fingerprints = loaded.fingerprints
        self._current = loaded
        for warning in loaded.config.warnings:
            event(logger, logging.WARNING, "web config file warning", setting=self._flag, reason=warning)

    def _load(self, fingerprints: dict[Path, _Fingerprint]) -> LoadedWebConfig:
        """Read all files, and add the state of each to `fingerprints`, also if one of them cannot be used."""
        if self._path is None:
            return LoadedWebConfig(WebConfig(), None, fingerprints)
        # Taken before the file is read, so that a change in between is noticed by the next check.
        fingerprints[self._path] = _fingerprint(self._path)
        config = read_web_config(self._path)
        fingerprints.update(_fingerprints_of(config.tls.files() if config.tls else ()))
        return LoadedWebConfig(config, create_server_context(config.tls) if config.tls else None, fingerprints)

    def _reload_if_changed(self) -> None:
        now = self._monotonic()
        if self._path is None or now < self._next_check:
            return
        self._next_check = now + CHECK_INTERVAL
        before, self._fingerprints = self._fingerprints, _fingerprints_of(self._fingerprints)
        changed = {path for path, fingerprint in self._fingerprints.items() if fingerprint != before[path]}
        if not changed:
            return
        fingerprints: dict[Path, _Fingerprint] = {}
        try:
            loaded = self._load(fingerprints)
            _check_protection(self._current.config, loaded.config)
        except WebConfigError as error:
            # Certificates that the new file names are watched too: they may be written after it.
            self._fingerprints = {**self._fingerprints, **fingerprints}
            message = "web configuration changed but cannot be used; the previous one stays in force"
            event(logger, logging.WARNING, message, setting=self._flag, reason="; ".join(error.problems))
            self._reload_certificate(changed)
        else:
            self.apply(loaded)
            event(logger, logging.INFO, "web configuration reloaded for new connections", setting=self._flag)

    def _reload_certificate(self, changed: set[Path]) -> None:
        """Reload the certificates of the configuration in force; they would expire while the file stays invalid."""
        tls = self._current.config.tls
        if tls and changed.intersection(tls.files()):
            with suppress(WebConfigError):  # half of a rotation; the other half triggers the next reload
                self._current = replace(self._current, context=create_server_context(tls))
                event(logger, logging.INFO, "certificate reloaded for new connections", setting=self._flag)


def _check_protection(old: WebConfig, new: WebConfig) -> None:
    """Raise WebConfigError if `new` lacks a protection that `old` has."""
    if old.tls and not new.tls:
        lost = "TLS"
    elif old.users and not new.users:
        lost = "basic authentication"
    else:
        lost = _lost_requirement(old.tls, new.tls) if old.tls and new.tls else ""
    if lost:
        raise WebConfigError(f"would turn off {lost}; send SIGHUP or restart to apply it")


def _lost_requirement(old: TLSConfig, new: TLSConfig) -> str:
    if new.verify_mode < old.verify_mode:
        return "the client certificate requirement"
    if old.allowed_sans is not None and new.allowed_sans is None:
        return "the check of the names of client certificates"
    if old.client_ca is not None and new.client_ca is None:  # the authorities of the system would be accepted
        return "the restriction to a CA for client certificates"
    return ""


def _fingerprints_of(paths: Iterable[Path]) -> dict[Path, _Fingerprint]:
    return {path: _fingerprint(path) for path in paths}


def _fingerprint(path: Path) -> _Fingerprint:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
