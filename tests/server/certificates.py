"""Certificates for one test: a CA, and the servers and clients that it signs."""

import ssl
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)


class Authority:
    """A CA that writes the certificates it issues into one directory.

    Args:
        directory: where certificates and keys are written.
        name: stem of the CA's own file.
    """

    def __init__(self, directory: Path, name: str = "ca") -> None:
        self._directory = directory
        self._ca = trustme.CA()
        self.file = directory / f"{name}.pem"
        self._ca.cert_pem.write_to_path(self.file)

    def issue_server(self, name: str = "server") -> tuple[Path, Path]:
        """Write a certificate and key for 127.0.0.1, replacing those of the same name."""
        return self._issue(name, "127.0.0.1", "localhost")

    def issue_client(self, name: str = "client") -> tuple[Path, Path]:
        """Write a certificate and key of a client."""
        return self._issue(name, "scraper@example.org")

    def client_context(self, certificate: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        """Return the context of a client that trusts this CA, with an optional certificate and key."""
        context = ssl.create_default_context(cafile=str(self.file))
        if certificate is not None:
            context.load_cert_chain(*certificate)
        return context

    def _issue(self, name: str, *identities: str) -> tuple[Path, Path]:
        issued = self._ca.issue_cert(*identities)
        cert, key = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        replace_file(key, issued.private_key_pem.bytes())
        replace_file(cert, chain)
        return cert, key


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file by another one, so that the change shows whatever the resolution of timestamps."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(data)
    new.replace(path)


def encrypt_key(key: Path) -> None:
    """Encrypt a key file with a password."""
    encrypted = load_pem_private_key(key.read_bytes(), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
    )
    replace_file(key, encrypted)
