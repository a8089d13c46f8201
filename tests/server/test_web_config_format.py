"""Every key of the exporter-toolkit's web config format, valid and invalid, in files that this module writes (V14)."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.server.tls import create_server_context
from exporter.server.web_config import RateLimit, TLSConfig, WebConfig, WebConfigError, read_web_config
from exporter.server.web_config.tls_names import CIPHERS, CURVES, HYBRID_CURVE, TLS13_CIPHERS, curve_for
from tests.server.certificates import Authority

HASH = "$2y$10$" + "abcdefghijklmnopqrstuO" + "0123456789012345678901234567890"
FILES = "cert_file: server.pem, key_file: server.key"
REQUIRED = "client_auth_type: RequireAndVerifyClientCert"
CA = "client_ca_file: ca.pem"


@contextmanager
def refused(problem: str) -> Iterator[None]:
    """Check that a file is refused for one problem alone, whose text contains the given one."""
    with pytest.raises(WebConfigError) as caught:
        yield
    assert len(caught.value.problems) == 1
    assert problem in caught.value.problems[0]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with a CA, and a certificate and key of a server."""
    Authority(tmp_path).issue_server()
    return tmp_path


def read(directory: Path, text: str) -> WebConfig:
    path = directory / "web.yml"
    path.write_text(text, encoding="utf-8")
    return read_web_config(path)


def read_tls(directory: Path, keys: str, files: str = FILES) -> TLSConfig:
    tls = read(directory, f"tls_server_config: {{{', '.join(filter(None, (files, keys)))}}}\n").tls
    assert tls is not None
    return tls


def block(directory: Path, **keys: str) -> str:
    """A TLS section whose keys are the texts of files."""
    lines = [f"  {key}: |\n" + (directory / name).read_text().replace("\n", "\n    ") for key, name in keys.items()]
    return "tls_server_config:\n" + "\n".join(line.replace("|\n", "|\n    ", 1) for line in lines)


@pytest.mark.parametrize(
    "keys",
    [
        "",
        "client_auth_type: ''",
        "client_auth_type: NoClientCert",
        "client_auth_type: NoClientCert, client_ca_file: '', client_ca: ''",
        "client_auth_type: VerifyClientCertIfGiven",
        f"client_auth_type: VerifyClientCertIfGiven, {CA}",
        REQUIRED,
        f"{REQUIRED}, {CA}",
        f"{REQUIRED}, {CA}, client_allowed_sans: [scraper.example.org, 192.0.2.1, a@example.org, 'spiffe://x/y']",
        f"{REQUIRED}, client_allowed_sans: [scraper.example.org]",
        "min_version: TLS12",
        "min_version: TLS13, max_version: TLS13",
        "max_version: TLS12",
        "min_version: , max_version: , cipher_suites: , curve_preferences: , client_allowed_sans: ",
        "cipher_suites: []",
        f"cipher_suites: [{', '.join([*CIPHERS, *sorted(TLS13_CIPHERS)])}]",
        f"cipher_suites: [{min(TLS13_CIPHERS)}]",
        "prefer_server_cipher_suites: true",
        "prefer_server_cipher_suites: false",
        "prefer_server_cipher_suites: No",
        "curve_preferences: []",
        "curve_preferences: [CurveP521]",
        f"curve_preferences: [{', '.join(CURVES)}]",
    ],
)
def test_V14_valid_tls_keys_are_accepted_with_a_context(directory: Path, keys: str) -> None:
    create_server_context(read_tls(directory, keys))


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("client_auth_type: RequestClientCert", "RequestClientCert is not supported, since Python verifies"),
        ("client_auth_type: RequireAnyClientCert", "RequireAnyClientCert is not supported, since Python verifies"),
        ("client_auth_type: RequireClientCert", "RequireClientCert is not supported, since Python verifies"),
        ("client_auth_type: Whenever", "must be one of NoClientCert, "),
        (CA, "client_ca_file and client_ca have no effect without client_auth_type"),
        (f"client_auth_type: NoClientCert, {CA}", "client_ca_file and client_ca have no effect"),
        (f"{REQUIRED}, client_ca: server.pem", "must be PEM text, which contains -----BEGIN"),
        ("client_allowed_sans: [a.example.org]", "requires client_auth_type RequireAndVerifyClientCert"),
        (
            "client_auth_type: VerifyClientCertIfGiven, client_allowed_sans: [a.example.org]",
            "requires client_auth_type RequireAndVerifyClientCert",
        ),
        (f"{REQUIRED}, client_allowed_sans: []", "would reject every client"),
        (f"{REQUIRED}, client_allowed_sans: ['']", "must not be empty"),
        (f"{REQUIRED}, client_allowed_sans: a.example.org", "must be a list"),
        ("min_version: TLS10", "TLS10 is not supported; use TLS12 or TLS13"),
        ("max_version: TLS11", "TLS11 is not supported; use TLS12 or TLS13"),
        ("min_version: TLS111", "must be TLS12 or TLS13"),
        ("min_version: TLS13, max_version: TLS12", "min_version must not be higher than max_version"),
        ("cipher_suites: [TLS_INVENTED_WITH_AES_999]", "must be the name of a cipher suite in Go's list"),
        ("cipher_suites: [TLS_RSA_WITH_3DES_EDE_CBC_SHA]", "must be the name of a cipher suite in Go's list"),
        (
            "cipher_suites: [ECDHE-RSA-AES128-GCM-SHA256]",
            "must be Go's name of the cipher suite, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        ),
        (
            "cipher_suites: [TLS_AES_128_GCM_SHA256], max_version: TLS12",
            "cipher_suites must contain a cipher suite for TLS 1.2",
        ),
        ("prefer_server_cipher_suites: 1", "must be true or false"),
        ("curve_preferences: [CurveP256, CurveP999]", "must be one of X25519, "),
        ("curve_preferences: [CurveP256, CurveP384]", "list one curve or all of X25519, "),
        ("invented: 1", "unknown key"),
    ],
)
def test_V14_invalid_tls_keys_are_refused_with_a_reason(directory: Path, keys: str, problem: str) -> None:
    with refused(problem):
        read_tls(directory, keys)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("cert_file: server.pem", "key_file or key is required"),
        ("key_file: server.key", "cert_file or cert is required"),
        ("cert_file: '', key_file: ''", "cert_file or cert is required; key_file or key is required"),
        ("cert: '', key: ''", "cert_file or cert is required; key_file or key is required"),
        (f"{FILES}, cert: '-----BEGIN CERTIFICATE-----'", "cert and cert_file exclude each other; set one of them"),
        (f"{FILES}, key: '-----BEGIN PRIVATE KEY-----'", "key and key_file exclude each other; set one of them"),
        (
            f"{FILES}, {REQUIRED}, {CA}, client_ca: '-----BEGIN CERTIFICATE-----'",
            "client_ca and client_ca_file exclude each other; set one of them",
        ),
        ("min_version: TLS13", "cert_file or cert is required; key_file or key is required"),
        ("cert: server.pem, key_file: server.key", "must be PEM text"),
        ("cert_file: server.pem, key: 's\u00e9cret -----BEGIN '", "must be PEM text"),
    ],
)
def test_V14_a_certificate_and_its_key_are_set_exactly_once(directory: Path, keys: str, problem: str) -> None:
    with refused(problem):
        read_tls(directory, keys, files="")


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("cert_file: none.pem, key_file: server.key", "cert_file: cannot be read: No such file or directory"),
        ("cert_file: server.pem, key_file: none.key", "key_file: cannot be read: No such file or directory"),
        (f"{FILES}, {REQUIRED}, client_ca_file: none.pem", "client_ca_file: cannot be read: No such file or directory"),
        (f"{FILES}, {REQUIRED}, client_ca_file: server.key", "client_ca_file: contains no PEM certificate"),
        (
            f"{FILES}, {REQUIRED}, client_ca: '-----BEGIN CERTIFICATE-----'",
            "client_ca: contains no PEM certificate",
        ),
        (
            "cert: '-----BEGIN CERTIFICATE-----', key_file: server.key",
            "cert or key_file: is not valid PEM, or too weak for OpenSSL's security level",
        ),
    ],
)
def test_V14_unusable_certificates_are_refused(directory: Path, keys: str, problem: str) -> None:
    with pytest.raises(WebConfigError) as caught:
        create_server_context(read_tls(directory, keys, files=""))
    assert caught.value.problems == (problem,)


def test_V14_inline_pem_replaces_files_and_is_in_no_repr(directory: Path) -> None:
    config = read(directory, block(directory, cert="server.pem", key="server.key"))
    assert config.tls is not None
    assert config.tls.files() == ()
    assert "PRIVATE KEY" not in repr(config)
    create_server_context(config.tls)


def test_V14_inline_pem_and_files_can_be_mixed(directory: Path) -> None:
    text = f"{block(directory, key='server.key')}\n  cert_file: server.pem\n"
    config = read(directory, text)
    assert config.tls is not None
    assert config.tls.files() == (directory / "server.pem",)
    create_server_context(config.tls)


def test_V14_an_inline_key_of_another_certificate_is_refused(directory: Path) -> None:
    Authority(directory, "other").issue_server("other-server")
    config = read(directory, block(directory, cert="server.pem", key="other-server.key"))
    assert config.tls is not None
    with pytest.raises(WebConfigError, match="cert and key do not match"):
        create_server_context(config.tls)


def test_V14_the_names_of_cipher_suites_are_those_of_openssl(directory: Path) -> None:
    tls = read_tls(directory, f"cipher_suites: [{', '.join(CIPHERS)}]")
    enabled = [cipher["name"] for cipher in create_server_context(tls).get_ciphers()]
    assert enabled[-len(CIPHERS) :] == list(CIPHERS.values())
    assert set(enabled[: -len(CIPHERS)]) == {"TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"} | {
        "TLS_AES_128_GCM_SHA256"
    }


def test_V14_cipher_suites_for_tls_1_3_alone_disable_tls_1_2(directory: Path) -> None:
    tls = read_tls(directory, "cipher_suites: [TLS_AES_128_GCM_SHA256]")
    assert create_server_context(tls).minimum_version == ssl.TLSVersion.TLSv1_3


def test_V14_a_cipher_suite_that_openssl_lacks_is_an_error_although_it_knows_others(directory: Path) -> None:
    cert, key = directory / "server.pem", directory / "server.key"
    config = TLSConfig(cert, key, ciphers=("ECDHE-RSA-AES128-GCM-SHA256", "NO-SUCH-SUITE"))
    with pytest.raises(WebConfigError, match="cipher_suites: OpenSSL has no NO-SUCH-SUITE"):
        create_server_context(config)
    with pytest.raises(WebConfigError, match="cipher_suites: OpenSSL has no NO-SUCH-SUITE"):
        create_server_context(TLSConfig(cert, key, ciphers=("NO-SUCH-SUITE",)))


def test_V14_a_curve_that_openssl_lacks_is_an_error(directory: Path) -> None:
    config = TLSConfig(directory / "server.pem", directory / "server.key", curve="no-such-curve")
    with pytest.raises(WebConfigError, match="curve_preferences: this Python cannot use no-such-curve"):
        create_server_context(config)


def test_V14_curves_are_one_or_all() -> None:
    assert curve_for(()) is None
    assert curve_for(("CurveP256", "CurveP256")) == "prime256v1"
    assert curve_for((HYBRID_CURVE,), openssl=(3, 5, 0)) == HYBRID_CURVE
    assert curve_for((*CURVES, HYBRID_CURVE), openssl=(3, 5, 0)) is None
    with pytest.raises(ValueError, match=r"requires OpenSSL 3\.5 or later; this Python uses OpenSSL 3\.0"):
        curve_for((*CURVES, HYBRID_CURVE), openssl=(3, 0, 22))
    with pytest.raises(ValueError, match="list one curve or all of"):
        curve_for(("X25519", HYBRID_CURVE), openssl=(3, 5, 0))


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("Content-Security-Policy: default-src 'self'", [(b"content-security-policy", b"default-src 'self'")]),
        ("X-Frame-Options: deny", [(b"x-frame-options", b"deny")]),
        ("X-Frame-Options: sameorigin", [(b"x-frame-options", b"sameorigin")]),
        ("X-Content-Type-Options: nosniff", [(b"x-content-type-options", b"nosniff")]),
        ("X-XSS-Protection: 1", [(b"x-xss-protection", b"1")]),
        ("X-XSS-Protection: 1; mode=block", [(b"x-xss-protection", b"1; mode=block")]),
        ("Strict-Transport-Security: max-age=1", [(b"strict-transport-security", b"max-age=1")]),
        ("X-Frame-Options:", []),
        ("X-XSS-Protection: ''", []),
    ],
)
def test_V14_headers_are_sent_as_written(directory: Path, text: str, headers: list[tuple[bytes, bytes]]) -> None:
    assert list(read(directory, f"http_server_config:\n  headers:\n    {text}\n").headers) == headers


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("headers: {X-Frame-Options: allow}", "must be '', 'deny' or 'sameorigin'"),
        ("headers: {X-Content-Type-Options: sniff}", "must be '' or 'nosniff'"),
        ("headers: {X-Invented: 1}", "unknown key"),
        ("headers: {x-frame-options: deny}", "unknown key"),
        ("http2: true", "the server speaks HTTP/1.1 only"),
        ("http2: maybe", "must be true or false"),
    ],
)
def test_V14_invalid_http_keys_are_refused_with_a_reason(directory: Path, text: str, problem: str) -> None:
    with refused(problem):
        read(directory, f"http_server_config: {{{text}}}\n")


@pytest.mark.parametrize("value", ["", "false", "off"])
def test_V14_http2_can_be_disabled(directory: Path, value: str) -> None:
    assert read(directory, f"http_server_config:\n  http2: {value}\n") == WebConfig()


@pytest.mark.parametrize("name", ["alice", "123", "yes", "1.50", "2026-01-02", "0x1F"])
def test_V14_user_names_are_read_as_written(directory: Path, name: str) -> None:
    assert read(directory, f"basic_auth_users:\n  {name}: {HASH}\n").users == {name.encode(): HASH.encode()}


def test_V14_user_names_that_are_written_alike_are_a_duplicate(directory: Path) -> None:
    with pytest.raises(WebConfigError, match="has a duplicate key in line 3"):
        read(directory, f"basic_auth_users:\n  12: {HASH}\n  '12': {HASH}\n")


@pytest.mark.parametrize("value", ["short", "", "$2y$99$" + HASH[7:]])
def test_V14_an_invalid_hash_is_refused(directory: Path, value: str) -> None:
    with pytest.raises(WebConfigError, match="basic_auth_users"):
        read(directory, f"basic_auth_users:\n  alice: {value}\n")


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("interval: 1s, burst: 10", RateLimit(1, 10)),
        ("interval: 500ms, burst: 1", RateLimit(0.5, 1)),
        ("interval: 1h, burst: 1", RateLimit(3600, 1)),
        ("interval: 1m1.5s, burst: 3", RateLimit(61.5, 3)),
        ("interval: .5s100us, burst: 3", RateLimit(0.5001, 3)),
        ("interval: 0, burst: 3", None),
        ("interval: 0s, burst: 0", None),
        ("burst: 3", None),
        ("", None),
    ],
)
def test_V14_a_rate_limit_is_read(directory: Path, text: str, limit: RateLimit | None) -> None:
    assert read(directory, f"rate_limit: {{{text}}}\n").rate_limit == limit


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("interval: 1s", "burst must be at least 1"),
        ("interval: 1s, burst: 0", "burst must be at least 1"),
        ("interval: 1s, burst: -1", "must be a whole number"),
        ("interval: 1s, burst: 1.5", "must be a whole number"),
        ("interval: 5, burst: 1", "must be a duration with a unit"),
        ("interval: -1s, burst: 1", "must be a duration with a unit"),
        ("interval: 1 day, burst: 1", "must be a duration with a unit"),
        ("interval: 1s, burst: 1, per: client", "unknown key"),
    ],
)
def test_V14_an_invalid_rate_limit_is_refused_with_a_reason(directory: Path, text: str, problem: str) -> None:
    with refused(problem):
        read(directory, f"rate_limit: {{{text}}}\n")


@pytest.mark.parametrize(
    ("keys", "count"),
    [
        ("client_auth_type: VerifyClientCertIfGiven", 1),
        (REQUIRED, 1),
        (f"{REQUIRED}, {CA}", 0),
        (f"{REQUIRED}, client_allowed_sans: [a.example.org]", 0),
        ("", 0),
    ],
)
def test_V14_client_certificates_of_any_authority_are_a_warning(directory: Path, keys: str, count: int) -> None:
    warnings = read(directory, f"tls_server_config: {{{', '.join(filter(None, (FILES, keys)))}}}\n").warnings
    assert len(warnings) == count
