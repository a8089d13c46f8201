"""The TCP ports on which a process listens.

A test that chose a free port beforehand could lose it to another process before it is used.
"""

from contextlib import suppress
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
