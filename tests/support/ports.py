"""The TCP ports on which a process listens, and free ports for programs that do not accept port 0."""

import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

_LISTEN: Final = "0A"
"""TCP_LISTEN of the kernel's include/net/tcp_states.h."""


def listening_ports(pid: int) -> set[int]:
    """Return the TCP ports on which a process listens, on addresses of IPv4."""
    process, sockets = Path(f"/proc/{pid}"), set()
    for descriptor in (process / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            sockets.add(str(descriptor.readlink()))
    ports = set()
    for line in (process / "net" / "tcp").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        local, state, inode = fields[1], fields[3], fields[9]
        if state == _LISTEN and f"socket:[{inode}]" in sockets:
            ports.add(int(local.partition(":")[2], 16))
    return ports


def free_ports(count: int) -> list[int]:
    """Return free ports of loopback, for a program that accepts no port 0.

    Another process could take a port before the program listens on it. So tests use port 0 and `listening_ports`
    wherever they can.
    """
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
