"""Certificates made for one test: a CA, servers and clients that it signs."""

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
    """A CA of the test's own that writes what it signs into one directory."""

    def __init__(self, directory: Path, name: str = "ca") -> None:
        self._directory = directory
        self._ca = trustme.CA()
        self.file = directory / f"{name}.pem"
        self._ca.cert_pem.write_to_path(self.file)

    def server(self, name: str = "server") -> tuple[Path, Path]:
        """Certificate and key for 127.0.0.1, written to files (over those of the same name)."""
        return self._write(name, "127.0.0.1", "localhost")

    def client(self, name: str = "client") -> tuple[Path, Path]:
        """Certificate and key of a client."""
        return self._write(name, "scraper@example.org")

    def trusting(self, client: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        """A client's context that trusts this CA, and shows a certificate if it has one."""
        context = ssl.create_default_context(cafile=str(self.file))
        if client is not None:
            context.load_cert_chain(*client)
        return context

    def _write(self, name: str, *identities: str) -> tuple[Path, Path]:
        issued = self._ca.issue_cert(*identities)
        cert, key = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        replace(key, issued.private_key_pem.bytes())
        replace(cert, chain)
        return cert, key


def replace(path: Path, data: bytes) -> None:
    """Write a file anew, as another one of the same name: a change that shows whatever the clock's grain."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(data)
    new.replace(path)


def encrypt(key: Path) -> None:
    """Lock a key file with a password that nobody is told."""
    locked = load_pem_private_key(key.read_bytes(), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"never told")
    )
    replace(key, locked)
