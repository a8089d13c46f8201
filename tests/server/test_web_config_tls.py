"""TLS options of the web config file on real sockets: names of clients, PEM texts, suites, curves, authorities."""

import asyncio
import gc
import ipaddress
import logging
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from trustme import KeyType

from exporter.server.client_sans import names_of
from exporter.server.web_config import WebConfigError
from exporter.server.web_config_reload import CHECK_INTERVAL, WebConfigFile
from tests.server.certificates import Authority, replace_file
from tests.server.raw_client import GET, RawClient, run, running_listener, static_app
from tests.support.deadlines import HANG
from tests.support.running import running_exporter

FILES = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
REQUIRED = "  client_auth_type: RequireAndVerifyClientCert\n"
CA = "  client_ca_file: ca.pem\n"
REJECTED = (ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
URI = x509.UniformResourceIdentifier


@dataclass
class Server:
    """A web config file with a CA and a server certificate, and the clock of its reload."""

    directory: Path
    authority: Authority
    seconds: float = 0.0

    def write(self, text: str) -> Path:
        path = self.directory / "web.yml"
        replace_file(path, text.encode())
        return path

    def file(self, text: str) -> WebConfigFile:
        return WebConfigFile(self.write(text), monotonic=lambda: self.seconds)

    def advance_to_next_check(self) -> None:
        self.seconds += CHECK_INTERVAL

    def sans(self, *names: str) -> str:
        return f"{FILES}{REQUIRED}{CA}  client_allowed_sans:\n" + "".join(f"  - '{name}'\n" for name in names)

    def client(self, *sans: x509.GeneralName) -> ssl.SSLContext:
        return self.authority.client_context(self.authority.issue_client_with("client", *sans))


@pytest.fixture
def server(tmp_path: Path) -> Server:
    authority = Authority(tmp_path)
    authority.issue_server()
    return Server(tmp_path, authority)


async def status(port: int, context: ssl.SSLContext) -> int:
    client = await RawClient.connect(port, tls=context)
    try:
        return (await client.request()).status
    finally:
        await client.close()


def handshake(
    port: int, context: ssl.SSLContext, session: ssl.SSLSession | None
) -> tuple[ssl.SSLSession | None, bool | None]:
    """Connect and read a response; return the session, and whether it was resumed."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=HANG) as plain,
        context.wrap_socket(plain, server_hostname="localhost", session=session) as tls,
    ):
        tls.sendall(GET)
        assert tls.recv(16).startswith(b"HTTP/1.1 200")
        return tls.session, tls.session_reused


def open_descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


async def cipher(port: int, context: ssl.SSLContext) -> str:
    client = await RawClient.connect(port, tls=context)
    name: str = client.writer.get_extra_info("cipher")[0]
    await client.close()
    return name


DNS = x509.DNSName("scraper.example.org")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("name", "san"),
    [
        ("scraper.example.org", DNS),
        ("192.0.2.7", x509.IPAddress(ipaddress.ip_address("192.0.2.7"))),
        ("2001:db8::7", x509.IPAddress(ipaddress.ip_address("2001:db8::7"))),
        ("192.0.2.8", x509.IPAddress(ipaddress.ip_address("::ffff:192.0.2.8"))),
        ("ops@example.org", x509.RFC822Name("ops@example.org")),
        ("spiffe://example.org/prometheus", URI("spiffe://example.org/prometheus")),
    ],
)
def test_V14_a_client_with_an_allowed_name_is_accepted(
    server: Server, name: str, san: x509.GeneralName, version: ssl.TLSVersion
) -> None:
    async def scenario() -> None:
        tls = server.file(server.sans("unrelated.example.org", name)).context
        async with running_listener(static_app(), tls=tls) as listener:
            context = server.client(x509.DNSName("other.example.org"), san)
            context.maximum_version = version
            assert await status(listener.port, context) == 200

    run(scenario)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "sans",
    [
        [],  # its common name is the allowed name
        [x509.DNSName("other.example.org")],
        [x509.DNSName("SCRAPER.example.org")],
        [x509.DNSName("*.example.org")],
        [x509.DNSName("scraper.example.org.evil.example.net")],
        [x509.RFC822Name("scraper.example.org@example.net"), URI("https://scraper.example.org")],
        [x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "scraper.example.org")]))],
    ],
)
def test_V14_a_client_without_an_allowed_name_is_disconnected(
    server: Server, sans: list[x509.GeneralName], version: ssl.TLSVersion, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    requests: list[str] = []

    async def scenario() -> None:
        tls = server.file(server.sans("scraper.example.org")).context
        app = static_app()

        async def recording(scope, receive, send):  # type: ignore[no-untyped-def]
            requests.append(scope["path"])
            await app(scope, receive, send)

        async with running_listener(recording, tls=tls) as listener:
            context = server.client(*sans)
            context.maximum_version = version
            with pytest.raises(REJECTED):
                await status(listener.port, context)
            assert await status(listener.port, server.client(DNS)) == 200

    run(scenario)
    assert requests == ["/metrics"]
    assert caplog.records == []


def test_V14_an_allowed_name_in_a_certificate_of_another_ca_is_rejected(server: Server, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_listener(static_app(), tls=server.file(server.sans(DNS.value)).context) as listener:
            untrusted = Authority(tmp_path, "other").issue_client_with("untrusted", DNS)
            with pytest.raises(REJECTED):
                await status(listener.port, server.authority.client_context(untrusted))

    run(scenario)


def test_V14_changed_names_apply_to_new_connections(server: Server) -> None:
    async def scenario() -> None:
        async with running_listener(static_app(), tls=server.file(server.sans("old.example.org")).context) as listener:
            old, new = server.client(x509.DNSName("old.example.org")), server.client(x509.DNSName("new.example.org"))
            assert await status(listener.port, old) == 200
            server.write(server.sans("new.example.org"))
            server.advance_to_next_check()
            assert await status(listener.port, new) == 200
            with pytest.raises(REJECTED):
                await status(listener.port, old)

    run(scenario)


def test_V14_a_resumed_session_of_an_allowed_client_is_accepted(server: Server) -> None:
    async def scenario() -> None:
        async with running_listener(static_app(), tls=server.file(server.sans(DNS.value)).context) as listener:
            context = server.client(DNS)
            context.maximum_version = ssl.TLSVersion.TLSv1_2  # session tickets are part of the handshake
            session, _ = await asyncio.to_thread(handshake, listener.port, context, None)
            _, is_resumed = await asyncio.to_thread(handshake, listener.port, context, session)
            assert is_resumed

    run(scenario)


def test_V14_a_name_that_is_not_valid_is_no_name() -> None:
    assert list(names_of({})) == []
    assert list(names_of({"subjectAltName": (("DNS", "a"), ("Registered ID", "1.2.3"))})) == ["a"]
    with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 address"):
        list(names_of({"subjectAltName": (("IP Address", "<invalid>"),)}))


def test_V14_pem_texts_are_served_without_a_file(server: Server) -> None:
    def indented(name: str) -> str:
        return (server.directory / name).read_text().replace("\n", "\n    ")

    text = (
        f"tls_server_config:\n  cert: |\n    {indented('server.pem')}\n  key: |\n    {indented('server.key')}\n"
        f"{REQUIRED}  client_ca: |\n    {indented('ca.pem')}\n"
    )

    async def scenario() -> None:
        gc.collect()
        before = open_descriptors()
        tls = server.file(text).context
        assert open_descriptors() == before
        async with running_listener(static_app(), tls=tls) as listener:
            for name in ("server.pem", "server.key"):
                (server.directory / name).unlink()
            assert await status(listener.port, server.client(DNS)) == 200
            with pytest.raises(REJECTED):
                await status(listener.port, server.authority.client_context())

    run(scenario)


@pytest.mark.parametrize(("prefer_server", "expected"), [("true", 256), ("false", 128)])
def test_V14_the_order_of_cipher_suites_is_the_servers_or_the_clients(
    server: Server, prefer_server: str, expected: int
) -> None:
    text = (
        f"{FILES}  max_version: TLS12\n  prefer_server_cipher_suites: {prefer_server}\n  cipher_suites:\n"
        "  - TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA\n  - TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\n"
    )

    async def scenario() -> None:
        async with running_listener(static_app(), tls=server.file(text).context) as listener:
            context = server.authority.client_context()
            context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-SHA")
            assert f"AES{expected}" in await cipher(listener.port, context)
            context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
            with pytest.raises(REJECTED):
                await status(listener.port, context)

    run(scenario)


def test_V14_by_default_a_client_without_forward_secrecy_is_rejected(server: Server) -> None:
    async def scenario() -> None:
        server.authority.issue_server(key_type=KeyType.RSA)
        async with running_listener(static_app(), tls=server.file(FILES).context) as listener:
            context = server.authority.client_context()
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            assert "ECDHE" in await cipher(listener.port, context)
            context.set_ciphers("AES128-GCM-SHA256")  # the key exchange of RSA
            with pytest.raises(REJECTED):
                await status(listener.port, context)

    run(scenario)


def test_V14_cipher_suites_for_tls_1_3_alone_refuse_tls_1_2(server: Server) -> None:
    text = f"{FILES}  cipher_suites: [TLS_AES_256_GCM_SHA384]\n"

    async def scenario() -> None:
        async with running_listener(static_app(), tls=server.file(text).context) as listener:
            context = server.authority.client_context()
            assert await status(listener.port, context) == 200
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            with pytest.raises(REJECTED):
                await status(listener.port, context)

    run(scenario)


OPENSSL_CURVES = {"X25519": "X25519", "CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1"}


def _can_select(curve: str) -> bool:
    """Whether this Python can select a curve; early releases of 3.11 cannot select X25519."""
    try:
        ssl.create_default_context().set_ecdh_curve(OPENSSL_CURVES[curve])
    except ssl.SSLError:
        return False
    return True


SELECTABLE = [curve for curve in OPENSSL_CURVES if _can_select(curve)]


@pytest.mark.parametrize("curve", OPENSSL_CURVES)
def test_V14_a_curve_is_accepted_if_python_can_select_it(server: Server, curve: str) -> None:
    text = f"{FILES}  curve_preferences: [{curve}]\n"
    if curve in SELECTABLE:
        server.file(text)
    else:
        with pytest.raises(WebConfigError, match=f"curve_preferences: this Python cannot use {curve} "):
            server.file(text)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("selected", [*SELECTABLE, ", ".join(OPENSSL_CURVES), ""])
def test_V14_a_handshake_needs_a_selected_curve(server: Server, selected: str, version: ssl.TLSVersion) -> None:
    async def scenario() -> None:
        any_curve = server.authority.client_context()
        any_curve.maximum_version = version
        server.authority.issue_server()
        async with running_listener(
            static_app(), tls=server.file(f"{FILES}  curve_preferences: [{selected}]\n").context
        ) as listener:
            assert await status(listener.port, any_curve) == 200
        # With TLS 1.2, a client must support the curve of an ECDSA certificate too.
        server.authority.issue_server(key_type=KeyType.RSA)
        text = f"{FILES}  curve_preferences: [{selected}]\n"
        async with running_listener(static_app(), tls=server.file(text).context) as listener:
            for name in SELECTABLE:
                context = server.authority.client_context()
                context.maximum_version = version
                context.set_ecdh_curve(OPENSSL_CURVES[name])
                context.set_ciphers("ECDHE")  # the Python of some distributions also offers suites without a curve
                if not selected or name in selected:
                    assert await status(listener.port, context) == 200
                else:
                    with pytest.raises(REJECTED):
                        await status(listener.port, context)

    run(scenario)


@pytest.mark.process
def test_V14_without_a_client_ca_the_authorities_of_the_system_are_used(server: Server) -> None:
    path = server.write(FILES + REQUIRED)
    arguments = ("--web.config.file", str(path), "--base-url", "https://127.0.0.1:9/api")

    async def statuses(port: int, context: ssl.SSLContext, expected: int | None) -> None:
        if expected is None:
            with pytest.raises(REJECTED):
                await status(port, context)
        else:
            assert await status(port, context) == expected

    trusted = server.client(DNS)
    for variables, expected in (({"SSL_CERT_FILE": str(server.authority.file)}, 200), ({}, None)):
        with running_exporter(*arguments, variables=variables) as exporter:
            run(lambda port=exporter.port, expected=expected: statuses(port, trusted, expected))  # type: ignore[misc]
            run(lambda port=exporter.port: statuses(port, server.authority.client_context(), None))  # type: ignore[misc]
