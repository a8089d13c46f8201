"""Check of the subject alternative names (SANs) of client certificates, as the last step of a TLS handshake.

Python's TLS has no callback for it. It creates an object of the class `SSLContext.sslobject_class` for each connection;
the class here checks the certificate as soon as its handshake has finished. A certificate without an allowed name
therefore fails the handshake, before the connection counts as open and reads a request.
"""

import ipaddress
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, Final

_TEXT_KINDS: Final = frozenset({"DNS", "email", "URI"})


def checking_class(allowed: frozenset[str]) -> type[ssl.SSLObject]:
    """Return a class for `SSLContext.sslobject_class` that accepts certificates with one of these names only."""

    class SansCheckingSSLObject(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            try:
                names = frozenset(names_of(self.getpeercert() or {}))
            except ValueError as error:  # a name that is not valid UTF-8
                raise ssl.SSLCertVerificationError("the client certificate has an invalid name") from error
            if not names & allowed:
                raise ssl.SSLCertVerificationError("the client certificate has none of the allowed names")

    return SansCheckingSSLObject


def names_of(certificate: Mapping[str, Any]) -> Iterator[str]:
    """Yield the DNS names, e-mail addresses, URIs and IP addresses of a certificate.

    Args:
        certificate: in the form that `getpeercert` returns.
    """
    for kind, value in certificate.get("subjectAltName", ()):
        if kind in _TEXT_KINDS:
            yield value
        elif kind == "IP Address":
            # OpenSSL writes IPv6 addresses without abbreviation, and some versions add a line break.
            address = ipaddress.ip_address(value.strip())
            mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
            yield str(mapped or address)
