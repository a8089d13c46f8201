"""Notifications to the service manager: ready, alive, reloading, stopping. The protocol is systemd's, sd_notify(3)."""

import logging
import re
import socket
from collections.abc import Mapping

import msgspec

from exporter.logs import event

logger = logging.getLogger(__name__)


def watchdog_interval(environ: Mapping[str, str], pid: int) -> float | None:
    """Return the seconds between two calls of `ServiceManager.alive`: half of the service manager's limit.

    Args:
        environ: environment variables; `WATCHDOG_USEC` is the limit in microseconds.
        pid: this process; a limit for another one (`WATCHDOG_PID`) is ignored.

    Returns:
        None without a watchdog.
    """
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    limit = environ.get("WATCHDOG_USEC", "")
    if not re.fullmatch("0*[1-9][0-9]{0,17}", limit):
        return None
    return int(limit) / 1_000_000 / 2


class ServiceManager(msgspec.Struct, frozen=True):
    """The service manager that started the program; without an address every notification is a no-op.

    A notification that cannot be sent is logged and otherwise ignored, since the service itself works.

    Attributes:
        address: its Unix socket; a leading `@` marks an abstract one.
    """

    address: str | None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "ServiceManager":
        """Return the service manager behind the socket in `NOTIFY_SOCKET`."""
        return cls(environ.get("NOTIFY_SOCKET") or None)

    def ready(self) -> None:
        """Report that the start, or a reload, is complete."""
        self._notify("READY=1")

    def alive(self) -> None:
        """Reset the watchdog; to be called every `watchdog_interval` seconds."""
        self._notify("WATCHDOG=1")

    def reloading(self, monotonic: float) -> None:
        """Report the begin of a reload; `ready` reports its end.

        Args:
            monotonic: current time of `time.monotonic` in seconds, which units with `Type=notify-reload` require.
        """
        self._notify(f"RELOADING=1\nMONOTONIC_USEC={int(monotonic * 1_000_000)}")

    def stopping(self) -> None:
        """Report the begin of the shutdown."""
        self._notify("STOPPING=1")

    def _notify(self, message: str) -> None:
        if self.address is None:
            return
        # Abstract sockets of Linux begin with a zero byte instead of the @.
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)  # a service manager that hangs must not block the event loop
                sender.sendto(message.encode(), address)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            event(logger, logging.WARNING, "cannot notify the service manager", reason=reason)
