"""The web config file: what it means, what is refused and with which words."""

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
def test_an_empty_file_means_plain_and_open(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == WebConfig()


def test_paths_are_relative_to_the_files_own_directory(tmp_path: Path) -> None:
    tls = read(tmp_path, TLS).tls
    assert tls is not None
    assert tls.files() == (tmp_path / "server.pem", Path("/etc/server.key"))


def test_tls_is_1_2_or_later_and_asks_for_no_certificate_by_default(tmp_path: Path) -> None:
    tls = read(tmp_path, TLS).tls
    assert tls is not None
    assert (tls.minimum, tls.maximum) == (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    assert (tls.verify, tls.ciphers, tls.prefer_own_order) == (ssl.CERT_NONE, (), True)


def test_every_supported_key_is_understood(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
        "  min_version: TLS13\n  max_version: TLS13\n"
        "  cipher_suites: [ECDHE-RSA-AES128-GCM-SHA256]\n  prefer_server_cipher_suites: false\n"
        "http_server_config:\n  headers:\n"
        "    Content-Security-Policy: default-src 'self'\n    X-Frame-Options: deny\n"
        "    X-Content-Type-Options: nosniff\n    X-XSS-Protection: ''\n    Strict-Transport-Security: max-age=1\n"
        f"basic_auth_users:\n  alice: {HASH}\n",
    )
    assert config.tls is not None
    assert config.tls.verify == ssl.CERT_REQUIRED
    assert config.tls.client_ca_file == tmp_path / "ca.pem"
    assert config.tls.minimum == ssl.TLSVersion.TLSv1_3
    assert (config.tls.ciphers, config.tls.prefer_own_order) == (("ECDHE-RSA-AES128-GCM-SHA256",), False)
    assert config.users == {b"alice": HASH.encode()}
    assert config.headers == (
        (b"content-security-policy", b"default-src 'self'"),
        (b"x-frame-options", b"deny"),
        (b"x-content-type-options", b"nosniff"),
        (b"strict-transport-security", b"max-age=1"),
    )
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("written", "meant"),
    [("NoClientCert", ssl.CERT_NONE), ("VerifyClientCertIfGiven", ssl.CERT_OPTIONAL)],
)
def test_the_other_client_auth_types(tmp_path: Path, written: str, meant: ssl.VerifyMode) -> None:
    ca = "" if meant == ssl.CERT_NONE else "  client_ca_file: ca.pem\n"
    tls = read(tmp_path, f"{TLS}  client_auth_type: {written}\n{ca}").tls
    assert tls is not None
    assert tls.verify == meant


@pytest.mark.parametrize("written", ["RequestClientCert", "RequireAnyClientCert"])
def test_client_auth_types_that_python_lacks_are_refused_by_name(tmp_path: Path, written: str) -> None:
    (problem,) = problems(tmp_path, f"{TLS}  client_auth_type: {written}\n")
    assert problem.startswith(f"tls_server_config.client_auth_type (line 4): {written} is not possible here")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("http_server_config:\n  http2: true\n", "http2"),
        ("http_server_config:\n  http2: false\n", "http2"),
        (TLS + "  curve_preferences: [X25519]\n", "curve_preferences"),
        (TLS + "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n", "cipher_suites"),
    ],
)
def test_what_only_go_has_is_ignored_with_a_warning(tmp_path: Path, text: str, word: str) -> None:
    config = read(tmp_path, text)
    assert [word in warning for warning in config.warnings] == [True]
    assert config.tls is None or config.tls.ciphers == ()


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
def test_an_unknown_key_is_refused_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(tmp_path, text) == (problem,)


@pytest.mark.parametrize("key", ["cert", "key", "client_ca", "client_allowed_sans"])
def test_a_key_of_the_toolkit_that_is_missing_here_is_refused_with_advice(tmp_path: Path, key: str) -> None:
    (problem,) = problems(tmp_path, f"{TLS}  {key}: x\n")
    assert problem.startswith(f"tls_server_config.{key} (line 4): is not supported: ")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tls_server_config:\n  cert_file: a\n", "tls_server_config.key_file (line 1): is missing"),
        ("tls_server_config: x\n", "tls_server_config (line 1): must have keys of its own"),
        (TLS + "  client_ca_file: ca\n", "tls_server_config (line 1): client_ca_file is of no use"),
        (TLS + "  client_auth_type: VerifyClientCertIfGiven\n", "tls_server_config (line 1): VerifyClientCertIfGiven"),
        (TLS + "  client_auth_type: [1]\n", "tls_server_config.client_auth_type (line 4): must be text"),
        (TLS + "  client_auth_type: Sometimes\n", "tls_server_config.client_auth_type (line 4): must be one of NoCl"),
        (TLS + "  min_version: TLS11\n", "tls_server_config.min_version (line 4): TLS11 is too old"),
        (TLS + "  max_version: 1.3\n", "tls_server_config.max_version (line 4): must be text"),
        (TLS + "  max_version: TLS14\n", "tls_server_config.max_version (line 4): must be TLS12 or TLS13"),
        (TLS + "  min_version: TLS13\n  max_version: TLS12\n", "tls_server_config (line 1): min_version is above"),
        (TLS + "  cipher_suites: [RC4-MD5]\n", "tls_server_config.cipher_suites (line 4): must be one of OpenSSL's"),
        (TLS + "  cipher_suites: ['ALL:@SECLEVEL=0']\n", "tls_server_config.cipher_suites (line 4): must be one of"),
        (TLS + "  prefer_server_cipher_suites: 1\n", "tls_server_config.prefer_server_cipher_suites (line 4): must be"),
        ("tls_server_config:\n  cert_file: ''\n  key_file: a\n", "tls_server_config.cert_file (line 2): must be the"),
        ("basic_auth_users: [a]\n", "basic_auth_users (line 1): must have lines such as name: hash"),
        ("basic_auth_users:\n  a: plain\n", "basic_auth_users (line 2): must be a bcrypt hash"),
        (f"basic_auth_users:\n  a: {HASH.replace('$10$', '$31$')}\n", "basic_auth_users (line 2): must be a bcrypt"),
        (f"basic_auth_users:\n  'a:b': {HASH}\n", "basic_auth_users (line 2): a user's name must not"),
        (f"basic_auth_users:\n  12: {HASH}\n", "basic_auth_users (line 2): must be text, in quotes"),
        (
            "http_server_config:\n  headers:\n    X-Frame-Options: maybe\n",
            "http_server_config.headers.X-Frame-Options (line 3): Input should be '', 'deny' or 'sameorigin'",
        ),
        (
            'http_server_config:\n  headers:\n    Content-Security-Policy: "a\\r\\nSet-Cookie: b"\n',
            "http_server_config.headers.Content-Security-Policy (line 3): must be printable ASCII in one line",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    (told,) = problems(tmp_path, text)
    assert told.startswith(problem)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = "tls_server_config:\n  key_file: a\n  min_version: x\nbasic_auth_users:\n  a: b\nmore: 1\n"
    assert len(problems(tmp_path, text)) == 4


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(WebConfigError, match=r"^cannot be read: No such file or directory$"):
        read_web_config(tmp_path / "none.yml")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            f'basic_auth_users:\n  "\\uD800": {HASH}\n',
            "basic_auth_users (line 1): a user's name must not be empty, hold a colon or half a character",
        ),
        (
            'tls_server_config:\n  key_file: k\n  cert_file: "\\uD800"\n',
            "tls_server_config.cert_file (line 3): must be the path of a file",
        ),
    ],
)
def test_R04_what_the_libraries_choke_on_is_a_mistake_like_any_other(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(tmp_path, text) == (problem,)


def test_R04_a_tag_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(WebConfigError, match=r"^has a tag \(!\) in line 2; write"):
        read(tmp_path, f"basic_auth_users:\n  a: !!bool {HASH}\n")


def test_R04_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "web.yml")
    with pytest.raises(WebConfigError, match="is not a regular file"):
        read_web_config(tmp_path / "web.yml")


def test_neither_hashes_nor_names_show_in_text_or_repr(tmp_path: Path) -> None:
    config = read(tmp_path, f"basic_auth_users:\n  alice: {HASH}\n")
    assert "alice" not in repr(config)
    assert "$2y$" not in repr(config)
    told = " ".join(problems(tmp_path, "basic_auth_users:\n  alice: secret-password\n  'secret:b': c\n$2y$10$x: 1\n"))
    assert not {word for word in ("alice", "secret", "$2y$") if word in told}


KEYS = st.sampled_from(
    ["tls_server_config", "http_server_config", "basic_auth_users", "cert_file", "headers", "cipher_suites", "http2"]
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.just(HASH)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.one_of(KEYS, st.text()), inner)),
    max_leaves=8,
)


def told(path: Path) -> tuple[str, ...]:
    """The problems of a file; none if it is understood."""
    try:
        read_web_config(path)
    except WebConfigError as error:
        return error.problems
    return ()


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=st.one_of(st.dictionaries(st.one_of(KEYS, st.text()), VALUES, max_size=4), VALUES))
def test_any_yaml_is_understood_or_refused_in_lines_of_text(tmp_path: Path, written: object) -> None:
    path = tmp_path / "web.yml"
    path.write_text(yaml.safe_dump(written, allow_unicode=False), encoding="utf-8")
    assert all(problem and problem.isprintable() for problem in told(path))


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_any_bytes_are_understood_or_refused_in_lines_of_text(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "web.yml"
    path.write_bytes(data)
    assert all(problem and problem.isprintable() for problem in told(path))
