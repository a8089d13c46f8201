"""What a service manager is told: ready, alive, reloading, stopping. The protocol is systemd's, see sd_notify(3)."""

import logging
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from exporter.logs import event

logger = logging.getLogger(__name__)


def watchdog_interval(environ: Mapping[str, str], pid: int | None = None) -> float | None:
    """Return how often to call `Notifier.alive`, in seconds: twice within the manager's limit.

    Args:
        environ: the variables of the process; `WATCHDOG_USEC` holds the limit in microseconds.
        pid: the number of this process, where the limit of another one (`WATCHDOG_PID`) must not be taken for ours.

    Returns:
        None where nobody watches.
    """
    if pid is not None and environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    limit = environ.get("WATCHDOG_USEC", "")
    if not re.fullmatch("0*[1-9][0-9]{0,17}", limit):
        return None
    return int(limit) / 1_000_000 / 2


@dataclass(frozen=True, slots=True)
class Notifier:
    """Tells the service manager behind `address` how the program is; without an address it tells nobody.

    A message that cannot be sent is logged and otherwise ignored: the service itself is in good order.
    """

    address: str | None

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Notifier":
        """Return the notifier for the socket that `NOTIFY_SOCKET` names."""
        return cls(environ.get("NOTIFY_SOCKET") or None)

    def ready(self) -> None:
        """Say that the service has started, or is done with reloading."""
        self._tell("READY=1")

    def alive(self) -> None:
        """Keep the watchdog quiet; to be said at least every `watchdog_interval`."""
        self._tell("WATCHDOG=1")

    def reloading(self, monotonic: float) -> None:
        """Say that the settings are being read anew; `ready` ends it.

        Args:
            monotonic: the time by `time.monotonic`, in seconds; units with `Type=notify-reload` ask for it.
        """
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={int(monotonic * 1_000_000)}")

    def stopping(self) -> None:
        """Say that the service has begun to stop."""
        self._tell("STOPPING=1")

    def _tell(self, message: str) -> None:
        if self.address is None:
            return
        # A leading @ stands for the zero byte of Linux's abstract sockets, which have no file.
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)  # a manager that hangs must not hang the event loop too
                sender.sendto(message.encode(), address)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            event(logger, logging.WARNING, "the service manager could not be told", reason=reason)
