"""Address of a listener: `host:port`, `:port` for all interfaces, `[::1]:port` for IPv6."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Self

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")  # lengths: RFC 1035, section 2.3.4
_IPV6_WITH_ZONE = re.compile(r"[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?")
_ADDRESS = re.compile(r"(?P<host>|\[[^\[\]]+\]|[^:\[\]]+):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a TCP port. An empty host means all interfaces, port 0 any free port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse an address in the notation of Prometheus exporters.

        Raises:
            ValueError: `text` is not an address. The message does not contain `text`.
        """
        match = _ADDRESS.fullmatch(text)
        if match is None:
            raise ValueError("must be an address such as 0.0.0.0:9877, :9877 or [::]:9877")
        host, port = match["host"], int(match["port"])
        if port > 65_535:
            raise ValueError("must have a port of at most 65535")
        if host.startswith("["):
            host = host[1:-1]
            if not (_is_ip(host, IPv6Address) and _IPV6_WITH_ZONE.fullmatch(host)):
                raise ValueError("must have an IPv6 address between the brackets")
        elif host and not (_is_ip(host, IPv4Address) if _is_numeric(host) else _HOST_NAME.fullmatch(host)):
            raise ValueError("must have an IP address or a host name before the port")
        return cls(host, port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _is_numeric(host: str) -> bool:
    return host.replace(".", "").isdigit()


def _is_ip(host: str, kind: type[IPv4Address | IPv6Address]) -> bool:
    try:
        kind(host)
    except AddressValueError:
        return False
    return True
