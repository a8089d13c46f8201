"""The section `tls_server_config` of the web config file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from exporter.config.yaml_file import is_valid_path
from exporter.server.web_config import TLSConfig
from exporter.server.web_config.section import Bool, Section
from exporter.server.web_config.tls_names import (
    CIPHERS,
    CURVES,
    HYBRID_CURVE,
    TLS13_CIPHERS,
    UNVERIFIED_MODES,
    VERIFY_MODES,
    VERSIONS,
    curve_for,
)


def _check_path(text: str) -> str:
    if text and (not text.strip() or not is_valid_path(text)):
        raise ValueError("must be a file path")
    return text


def _check_pem(text: str) -> str:
    if text and not (text.isascii() and "-----BEGIN " in text):
        raise ValueError(
            "must be PEM text, which contains -----BEGIN; the name of a file belongs into the key with _file"
        )
    return text


def _check_client_auth(value: str) -> str:
    if value in UNVERIFIED_MODES:
        raise ValueError(
            f"{value} is not supported, since Python verifies every client certificate that it requests; "
            "use VerifyClientCertIfGiven or RequireAndVerifyClientCert"
        )
    if value and value not in VERIFY_MODES:
        raise ValueError(f"must be one of {', '.join(VERIFY_MODES)}")
    return value or "NoClientCert"


def _check_version(value: str) -> str:
    if value in ("TLS10", "TLS11"):
        raise ValueError(f"{value} is not supported; use TLS12 or TLS13")
    if value not in VERSIONS:
        raise ValueError("must be TLS12 or TLS13")
    return value


def _check_cipher(name: str) -> str:
    if name in CIPHERS or name in TLS13_CIPHERS:
        return name
    for go_name, openssl_name in CIPHERS.items():
        if name == openssl_name:
            raise ValueError(f"must be Go's name of the cipher suite, {go_name}")
    raise ValueError("must be the name of a cipher suite in Go's list CipherSuites, such as " + next(iter(CIPHERS)))


def _check_curve(name: str) -> str:
    if name not in CURVES and name != HYBRID_CURVE:
        raise ValueError(f"must be one of {', '.join(CURVES)}, {HYBRID_CURVE}")
    return name


def _check_curves(names: tuple[str, ...]) -> tuple[str, ...]:
    curve_for(names)
    return names


def _check_san(name: str) -> str:
    if not name.strip():
        raise ValueError("must not be empty")
    return name


def _check_sans(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("would reject every client; list at least one name, or remove it")
    return names


_FilePath = Annotated[str, AfterValidator(_check_path)]
_Pem = Annotated[str, AfterValidator(_check_pem)]
_Version = Annotated[str, AfterValidator(_check_version)]
_Sans = Annotated[tuple[Annotated[str, AfterValidator(_check_san)], ...], AfterValidator(_check_sans)]


class TLSSection(Section):
    """Keys of `tls_server_config`; empty paths and PEM texts count as not set."""

    cert: _Pem = ""
    cert_file: _FilePath = ""
    key: _Pem = Field(default="", repr=False)
    key_file: _FilePath = ""
    client_auth_type: Annotated[str, AfterValidator(_check_client_auth)] = "NoClientCert"
    client_ca: _Pem = ""
    client_ca_file: _FilePath = ""
    client_allowed_sans: _Sans | None = None
    min_version: _Version = "TLS12"
    max_version: _Version = "TLS13"
    cipher_suites: tuple[Annotated[str, AfterValidator(_check_cipher)], ...] = ()
    prefer_server_cipher_suites: Bool = True
    curve_preferences: Annotated[
        tuple[Annotated[str, AfterValidator(_check_curve)], ...], AfterValidator(_check_curves)
    ] = ()

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        conflicts = tuple(self._conflicts())
        if conflicts:
            raise ValueError("; ".join(conflicts))
        return self

    def _conflicts(self) -> Iterator[str]:
        for name in ("cert", "key", "client_ca"):
            if getattr(self, name) and getattr(self, f"{name}_file"):
                yield f"{name} and {name}_file exclude each other; set one of them"
        for name in ("cert", "key"):
            if not getattr(self, name) and not getattr(self, f"{name}_file"):
                yield f"{name}_file or {name} is required"
        if self.client_auth_type == "NoClientCert" and (self.client_ca or self.client_ca_file):
            yield "client_ca_file and client_ca have no effect without client_auth_type; set both or neither"
        if self.client_auth_type != "RequireAndVerifyClientCert" and self.client_allowed_sans:
            yield "client_allowed_sans requires client_auth_type RequireAndVerifyClientCert"
        if self.min_version > self.max_version:
            yield "min_version must not be higher than max_version"
        elif self.max_version == "TLS12" and self.cipher_suites and not self._tls12_ciphers():
            yield "cipher_suites must contain a cipher suite for TLS 1.2, since max_version is TLS12"

    def _tls12_ciphers(self) -> tuple[str, ...]:
        return tuple(CIPHERS[name] for name in self.cipher_suites if name in CIPHERS)

    def to_config(self, directory: Path) -> TLSConfig:
        """Return the configuration, with relative paths resolved against a directory."""
        is_tls13_only = bool(self.cipher_suites) and not self._tls12_ciphers()
        return TLSConfig(
            cert=self.cert.encode() or directory / self.cert_file,
            key=self.key.encode() or directory / self.key_file,
            client_ca=self.client_ca.encode() or (directory / self.client_ca_file if self.client_ca_file else None),
            verify_mode=VERIFY_MODES[self.client_auth_type],
            allowed_sans=None if self.client_allowed_sans is None else frozenset(self.client_allowed_sans),
            min_version=VERSIONS["TLS13" if is_tls13_only else self.min_version],
            max_version=VERSIONS[self.max_version],
            ciphers=self._tls12_ciphers(),
            prefer_server_ciphers=self.prefer_server_cipher_suites,
            curve=curve_for(self.curve_preferences),
        )

    def warnings(self) -> Iterator[str]:
        """Yield a line for each combination that is valid but probably not meant."""
        has_ca = self.client_ca or self.client_ca_file
        if self.client_auth_type != "NoClientCert" and not has_ca and not self.client_allowed_sans:
            yield (
                "client_auth_type without client_ca_file accepts client certificates of every authority that the "
                "system trusts; set client_ca_file or client_allowed_sans"
            )
