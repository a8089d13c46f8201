"""The web config file: what it configures, and the errors and warnings about it."""

import os
import ssl
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.server.web_config import WebConfig, WebConfigError, read_web_config

HASH = "$2y$10$" + "abcdefghijklmnopqrstuO" + "0123456789012345678901234567890"
TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: /etc/server.key\n"


def read(directory: Path, text: str) -> WebConfig:
    path = directory / "web.yml"
    path.write_text(text, encoding="utf-8")
    return read_web_config(path)


def problems(directory: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(WebConfigError) as caught:
        read(directory, text)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value.problems


@pytest.mark.parametrize("text", ["", "# nothing\n", "tls_server_config:\nhttp_server_config:\nbasic_auth_users:\n"])
def test_an_empty_file_is_plain_http_without_authentication(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == WebConfig()


def test_paths_are_resolved_against_the_directory_of_the_file(tmp_path: Path) -> None:
    tls = read(tmp_path, TLS).tls
    assert tls is not None
    assert tls.files() == (tmp_path / "server.pem", Path("/etc/server.key"))


def test_tls_defaults_to_1_2_or_later_without_client_certificates(tmp_path: Path) -> None:
    tls = read(tmp_path, TLS).tls
    assert tls is not None
    assert (tls.min_version, tls.max_version) == (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    assert (tls.verify_mode, tls.ciphers, tls.prefer_server_ciphers) == (ssl.CERT_NONE, (), True)


def test_every_supported_key_is_read(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
        "  min_version: TLS13\n  max_version: TLS13\n"
        "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n  prefer_server_cipher_suites: false\n"
        "http_server_config:\n  headers:\n"
        "    Content-Security-Policy: default-src 'self'\n    X-Frame-Options: deny\n"
        "    X-Content-Type-Options: nosniff\n    X-XSS-Protection: ''\n    Strict-Transport-Security: max-age=1\n"
        f"basic_auth_users:\n  alice: {HASH}\n",
    )
    assert config.tls is not None
    assert config.tls.verify_mode == ssl.CERT_REQUIRED
    assert config.tls.client_ca == tmp_path / "ca.pem"
    assert config.tls.min_version == ssl.TLSVersion.TLSv1_3
    assert (config.tls.ciphers, config.tls.prefer_server_ciphers) == (("ECDHE-RSA-AES128-GCM-SHA256",), False)
    assert config.users == {b"alice": HASH.encode()}
    assert config.headers == (
        (b"content-security-policy", b"default-src 'self'"),
        (b"x-frame-options", b"deny"),
        (b"x-content-type-options", b"nosniff"),
        (b"strict-transport-security", b"max-age=1"),
    )
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("client_auth_type", "verify_mode"),
    [("NoClientCert", ssl.CERT_NONE), ("VerifyClientCertIfGiven", ssl.CERT_OPTIONAL)],
)
def test_client_auth_types_other_than_required(
    tmp_path: Path, client_auth_type: str, verify_mode: ssl.VerifyMode
) -> None:
    ca = "" if verify_mode == ssl.CERT_NONE else "  client_ca_file: ca.pem\n"
    tls = read(tmp_path, f"{TLS}  client_auth_type: {client_auth_type}\n{ca}").tls
    assert tls is not None
    assert tls.verify_mode == verify_mode


@pytest.mark.parametrize("client_auth_type", ["RequestClientCert", "RequireAnyClientCert"])
def test_client_auth_types_without_verification_are_not_supported(tmp_path: Path, client_auth_type: str) -> None:
    (problem,) = problems(tmp_path, f"{TLS}  client_auth_type: {client_auth_type}\n")
    assert problem.startswith(f"tls_server_config.client_auth_type (line 4): {client_auth_type} is not supported")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tls_config: {}\n", "tls_config (line 1): unknown key"),
        ("\n\nhttp_server_config:\n  http3: true\n", "http_server_config.http3 (line 4): unknown key"),
        (TLS + "  nonsense: 1\n", "tls_server_config.nonsense (line 4): unknown key"),
        (
            "http_server_config:\n  headers:\n    X-Powered-By: us\n",
            "http_server_config.headers.X-Powered-By (line 3): unknown key",
        ),
        ("1: 2\n", "line 1: unknown key"),
    ],
)
def test_an_unknown_key_is_an_error_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(tmp_path, text) == (problem,)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tls_server_config:\n  cert_file: a\n", "tls_server_config (line 1): key_file or key is required"),
        ("tls_server_config: x\n", "tls_server_config (line 1): must be a mapping"),
        (TLS + "  client_ca_file: ca\n", "tls_server_config (line 1): client_ca_file and client_ca have no effect"),
        (TLS + "  client_auth_type: [1]\n", "tls_server_config.client_auth_type (line 4): must be a string"),
        (TLS + "  client_auth_type: Sometimes\n", "tls_server_config.client_auth_type (line 4): must be one of NoCl"),
        (TLS + "  min_version: TLS11\n", "tls_server_config.min_version (line 4): TLS11 is not supported"),
        (TLS + "  max_version: 1.3\n", "tls_server_config.max_version (line 4): must be TLS12"),
        (TLS + "  max_version: TLS14\n", "tls_server_config.max_version (line 4): must be TLS12 or TLS13"),
        (TLS + "  min_version: TLS13\n  max_version: TLS12\n", "tls_server_config (line 1): min_version must not"),
        (TLS + "  cipher_suites: [RC4-MD5]\n", "tls_server_config.cipher_suites (line 4): must be the name"),
        (TLS + "  cipher_suites: ['ALL:@SECLEVEL=0']\n", "tls_server_config.cipher_suites (line 4): must be the"),
        (TLS + "  prefer_server_cipher_suites: 1\n", "tls_server_config.prefer_server_cipher_suites (line 4): must be"),
        (
            "tls_server_config:\n  cert_file: ' '\n  key_file: a\n",
            "tls_server_config.cert_file (line 2): must be a file",
        ),
        ("basic_auth_users: [a]\n", "basic_auth_users (line 1): must be a mapping of user names to"),
        ("basic_auth_users:\n  a: plain\n", "basic_auth_users (line 2): must be a bcrypt hash"),
        (f"basic_auth_users:\n  a: {HASH.replace('$10$', '$31$')}\n", "basic_auth_users (line 2): must be a bcrypt"),
        (f"basic_auth_users:\n  'a:b': {HASH}\n", "basic_auth_users (line 2): user names must not"),
        (f"basic_auth_users:\n  null: {HASH}\n", "basic_auth_users (line 1): must be a string"),
        (
            "http_server_config:\n  headers:\n    X-Frame-Options: maybe\n",
            "http_server_config.headers.X-Frame-Options (line 3): must be '', 'deny' or 'sameorigin'",
        ),
        (
            'http_server_config:\n  headers:\n    Content-Security-Policy: "a\\r\\nSet-Cookie: b"\n',
            "http_server_config.headers.Content-Security-Policy (line 3): must be printable ASCII on one line",
        ),
    ],
)
def test_an_error_names_its_key_and_line(tmp_path: Path, text: str, problem: str) -> None:
    (found,) = problems(tmp_path, text)
    assert found.startswith(problem)


def test_all_errors_are_reported_at_once(tmp_path: Path) -> None:
    text = "tls_server_config:\n  max_version: y\n  min_version: x\nbasic_auth_users:\n  a: b\nmore: 1\n"
    assert len(problems(tmp_path, text)) == 4


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WebConfigError, match=r"^--web.config.file: cannot be read: No such file or directory$"):
        read_web_config(tmp_path / "none.yml")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            f'basic_auth_users:\n  "\\uD800": {HASH}\n',
            "basic_auth_users (line 1): user names must not be empty or contain a colon or a lone surrogate",
        ),
        (
            'tls_server_config:\n  key_file: k\n  cert_file: "\\uD800"\n',
            "tls_server_config.cert_file (line 3): must be a file path",
        ),
    ],
)
def test_R04_lone_surrogates_are_reported_like_any_other_error(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(tmp_path, text) == (problem,)


def test_R04_a_tag_is_an_error_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(WebConfigError, match=r"has a YAML tag \(!\) in line 2; remove it"):
        read(tmp_path, f"basic_auth_users:\n  a: !!bool {HASH}\n")


def test_R04_V04_a_pipe_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "web.yml")
    with pytest.raises(WebConfigError, match=r"^--web.config.file: cannot be read: Not a regular file$"):
        read_web_config(tmp_path / "web.yml")


def test_user_names_and_hashes_are_in_no_message_or_repr(tmp_path: Path) -> None:
    config = read(tmp_path, f"basic_auth_users:\n  alice: {HASH}\n")
    assert "alice" not in repr(config)
    assert "$2y$" not in repr(config)
    messages = " ".join(
        problems(tmp_path, "basic_auth_users:\n  alice: secret-password\n  'secret:b': c\n$2y$10$x: 1\n")
    )
    assert not {word for word in ("alice", "secret", "$2y$") if word in messages}


KEYS = st.sampled_from(
    ["tls_server_config", "http_server_config", "basic_auth_users", "cert_file", "headers", "cipher_suites", "http2"]
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.just(HASH)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.one_of(KEYS, st.text()), inner)),
    max_leaves=8,
)


def problems_of(path: Path) -> tuple[str, ...]:
    """Errors of a file; empty if it is valid."""
    try:
        read_web_config(path)
    except WebConfigError as error:
        return error.problems
    return ()


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.dictionaries(st.one_of(KEYS, st.text()), VALUES, max_size=4), VALUES))
def test_any_yaml_is_accepted_or_rejected_with_printable_messages(tmp_path: Path, content: object) -> None:
    path = tmp_path / "web.yml"
    path.write_text(yaml.safe_dump(content, allow_unicode=False), encoding="utf-8")
    assert all(problem and problem.isprintable() for problem in problems_of(path))


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_any_bytes_are_accepted_or_rejected_with_printable_messages(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "web.yml"
    path.write_bytes(data)
    assert all(problem and problem.isprintable() for problem in problems_of(path))
