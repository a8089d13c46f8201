"""The TLS context: as strict as its configuration, with clear errors for unusable files."""

import os
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.server.tls import create_server_context
from exporter.server.web_config import TLSConfig, WebConfigError
from tests.server.certificates import Authority, encrypt_key


@pytest.fixture
def config(tmp_path: Path) -> TLSConfig:
    """Certificates that exist, with client certificates required."""
    authority = Authority(tmp_path)
    cert, key = authority.issue_server()
    return TLSConfig(
        cert=cert,
        key=key,
        client_ca=authority.file,
        verify_mode=ssl.CERT_REQUIRED,
    )


def test_client_certificates_and_versions_are_as_configured(config: TLSConfig) -> None:
    context = create_server_context(config)
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.maximum_version == ssl.TLSVersion.TLSv1_3


def test_renegotiation_is_disabled(config: TLSConfig) -> None:
    assert create_server_context(config).options & ssl.OP_NO_RENEGOTIATION


def test_tls_1_2_uses_the_configured_ciphers_only(config: TLSConfig) -> None:
    context = create_server_context(replace(config, ciphers=("ECDHE-ECDSA-AES128-GCM-SHA256",)))
    tls_1_2 = [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] == "TLSv1.2"]
    assert tls_1_2 == ["ECDHE-ECDSA-AES128-GCM-SHA256"]


@pytest.mark.parametrize("prefer_server", [True, False])
def test_the_order_of_ciphers_is_the_servers_or_the_clients(config: TLSConfig, prefer_server: bool) -> None:
    context = create_server_context(replace(config, prefer_server_ciphers=prefer_server))
    assert bool(context.options & ssl.OP_CIPHER_SERVER_PREFERENCE) == prefer_server


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("server.pem", None, "cert_file: cannot be read: No such file or directory"),
        ("server.key", None, "key_file: cannot be read: No such file or directory"),
        ("ca.pem", None, "client_ca_file: cannot be read: No such file or directory"),
        (
            "server.pem",
            b"junk",
            "cert_file or key_file: is not valid PEM, or too weak for OpenSSL's security level",
        ),
        ("ca.pem", b"junk", "client_ca_file: contains no PEM certificate"),
        ("ca.pem", b"", "client_ca_file: contains no PEM certificate"),
    ],
)
def test_an_unusable_file_is_reported_by_its_key(
    config: TLSConfig, tmp_path: Path, name: str, data: bytes | None, problem: str
) -> None:
    path = tmp_path / name
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(WebConfigError) as caught:
        create_server_context(config)
    assert caught.value.problems == (problem,)


@pytest.mark.parametrize("name", ["cert", "key", "client_ca"])
def test_R09_S10_a_device_is_refused_before_it_is_opened(config: TLSConfig, tmp_path: Path, name: str) -> None:
    device = tmp_path / "device"
    device.symlink_to(os.devnull)  # a pipe is refused by the same check, but the test would hang if it were opened
    with pytest.raises(WebConfigError, match=f"^--web.config.file: {name}_file: cannot be read: Not a regular file$"):
        create_server_context(replace(config, **{name: device}))  # type: ignore[arg-type]


def test_a_key_of_another_certificate_is_refused(config: TLSConfig, tmp_path: Path) -> None:
    other_key = Authority(tmp_path, "other").issue_server("other-server")[1]
    with pytest.raises(WebConfigError, match="cert_file and key_file do not match"):
        create_server_context(replace(config, key=other_key))


def test_an_encrypted_key_is_refused_without_a_password_prompt(config: TLSConfig) -> None:
    assert isinstance(config.key, Path)
    encrypt_key(config.key)
    with pytest.raises(WebConfigError, match="is encrypted"):
        create_server_context(config)
