"""Where a server listens: `host:port`, `:port` for every interface, `[::1]:port` for IPv6."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Self

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")  # RFC 1035, section 2.3.4, has the lengths
_ZONED = re.compile(r"[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?")
_WRITTEN = re.compile(r"(?P<host>|\[[^\[\]]+\]|[^:\[\]]+):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a TCP port; the host is empty for every interface, the port 0 for any free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address as exporters write it.

        Raises:
            ValueError: `text` is not of that form. The message does not repeat it.
        """
        match = _WRITTEN.fullmatch(text)
        if match is None:
            raise ValueError("not an address such as 0.0.0.0:9877, :9877 or [::]:9877")
        host, port = match["host"], int(match["port"])
        if port > 65_535:
            raise ValueError("has a port above 65535")
        if host.startswith("["):
            host = host[1:-1]
            if not (_is_ip(host, IPv6Address) and _ZONED.fullmatch(host)):
                raise ValueError("has no IPv6 address between its brackets")
        elif host and not (_is_ip(host, IPv4Address) if _looks_numeric(host) else _NAME.fullmatch(host)):
            raise ValueError("has neither an IP address nor a host name before the port")
        return cls(host, port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _looks_numeric(host: str) -> bool:
    return host.replace(".", "").isdigit()


def _is_ip(host: str, kind: type[IPv4Address | IPv6Address]) -> bool:
    try:
        kind(host)
    except AddressValueError:
        return False
    return True
