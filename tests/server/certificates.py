"""Certificates for one test: a CA, and the servers and clients that it signs."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from trustme import KeyType


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

    def issue_server(self, name: str = "server", key_type: KeyType = KeyType.ECDSA) -> tuple[Path, Path]:
        """Write a certificate and key for 127.0.0.1, replacing those of the same name."""
        return self._issue(name, "127.0.0.1", "localhost", key_type=key_type)

    def issue_client(self, name: str = "client") -> tuple[Path, Path]:
        """Write a certificate and key of a client."""
        return self._issue(name, "scraper@example.org")

    def issue_client_with(self, name: str, *sans: x509.GeneralName) -> tuple[Path, Path]:
        """Write a certificate and key of a client with subject alternative names of any kind, possibly none."""
        issuer_key = load_pem_private_key(self._ca.private_key_pem.bytes(), None)
        assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
        issuer = x509.load_pem_x509_certificate(self._ca.cert_pem.bytes())
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        builder = x509.CertificateBuilder(
            subject_name=x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "scraper.example.org")]),
            issuer_name=issuer.subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - timedelta(days=1),
            not_valid_after=now + timedelta(days=1),
        )
        if sans:
            builder = builder.add_extension(x509.SubjectAlternativeName(sans), critical=False)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return self._write(name, builder.sign(issuer_key, SHA256()).public_bytes(Encoding.PEM), pem)

    def client_context(self, certificate: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        """Return the context of a client that trusts this CA, with an optional certificate and key."""
        context = ssl.create_default_context(cafile=str(self.file))
        if certificate is not None:
            context.load_cert_chain(*certificate)
        return context

    def _issue(self, name: str, *identities: str, key_type: KeyType = KeyType.ECDSA) -> tuple[Path, Path]:
        issued = self._ca.issue_cert(*identities, key_type=key_type)
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        return self._write(name, chain, issued.private_key_pem.bytes())

    def _write(self, name: str, chain: bytes, key_pem: bytes) -> tuple[Path, Path]:
        cert, key = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        replace_file(key, key_pem)
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
