"""Basic authentication, and headers added to each response."""

import asyncio
import base64
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from exporter.server.basic_auth import MAX_PASSWORD_SIZE, BasicAuth
from exporter.server.password_checks import CACHE_SIZE, MAX_QUEUED, MAX_QUEUED_PER_CLIENT
from exporter.server.web_config import WebConfig
from tests.server.raw_client import RawClient, run, running_listener, static_app, wait_until
from tests.support.deadlines import HANG, NEVER

ALICE = b"hash of alice"
BOB = b"hash of bob"
PASSWORDS = {ALICE: b"open sesame", BOB: b"let me in"}


class FakeBcrypt:
    """Checks passwords against `PASSWORDS`, and records the calls; they block while `gate` is cleared."""

    def __init__(self) -> None:
        self.calls: list[tuple[bytes, bytes]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.running = 0
        self.max_running = 0

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        self.calls.append((password, hashed))
        self.running += 1
        self.max_running = max(self.max_running, self.running)
        assert self.gate.wait(HANG)
        self.running -= 1
        return PASSWORDS.get(hashed) == password


class ProtectedApp:
    """An application behind `BasicAuth`, with users whose passwords are `PASSWORDS`."""

    def __init__(
        self, users: Mapping[bytes, bytes] | None = None, headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        self.config = WebConfig(users={b"alice": ALICE, b"bob": BOB} if users is None else users, headers=headers)
        self.bcrypt = FakeBcrypt()
        self.auth = BasicAuth(
            static_app(),
            lambda: self.config,
            open_paths=("/livez", "/readyz"),
            check_password=self.bcrypt,
            random_bytes=bytes,
        )

    async def request(
        self, *authorization: bytes, path: str = "/metrics", host: str = "192.0.2.1"
    ) -> tuple[int, dict[bytes, bytes]]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [(b"host", b"localhost"), *((b"authorization", value) for value in authorization)]
        scope = {"type": "http", "path": path, "headers": headers, "client": (host, 1)}
        await self.auth(scope, receive_disconnect, send)
        return sent[0]["status"], dict(sent[0]["headers"])

    async def status(self, *authorization: bytes, path: str = "/metrics", host: str = "192.0.2.1") -> int:
        return (await self.request(*authorization, path=path, host=host))[0]

    async def guess(self, host: str, number: int) -> list[asyncio.Task[int]]:
        """Send wrong passwords, which differ, and wait until they are queued."""
        headers = [basic(b"alice", b"guess %s %d" % (host.encode(), each)) for each in range(number)]
        guesses = [asyncio.create_task(self.status(header, host=host)) for header in headers]
        await asyncio.sleep(0)
        return guesses


async def receive_disconnect() -> Message:
    return {"type": "http.disconnect"}


def basic(name: bytes, password: bytes) -> bytes:
    return b"Basic " + base64.b64encode(name + b":" + password)


def test_S10_the_correct_password_is_accepted() -> None:
    async def scenario() -> None:
        app = ProtectedApp()
        assert await app.status(basic(b"alice", b"open sesame")) == 200
        assert await app.status(basic(b"bob", b"let me in").replace(b"Basic", b"bASIC")) == 200

    run(scenario)


def test_S10_a_request_without_credentials_is_401_with_a_challenge() -> None:
    async def scenario() -> None:
        status, headers = await ProtectedApp().request()
        assert status == 401
        assert headers[b"www-authenticate"].startswith(b"Basic ")
        assert headers[b"x-content-type-options"] == b"nosniff"

    run(scenario)


def test_S10_a_wrong_password_is_401() -> None:
    async def scenario() -> None:
        app = ProtectedApp()
        assert await app.status(basic(b"alice", b"let me in")) == 401
        assert await app.status(basic(b"alice", b"")) == 401

    run(scenario)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Basic",
        b"Basic ",
        b"Basic !!!",
        b"Basic YWxpY2U",  # no padding
        b"Basic YWxpY2U=",  # no colon
        b"Basic \xff\xfe",
        b"Bearer " + base64.b64encode(b"alice:open sesame"),
        basic(b"alice", b"open sesame") + b"#",
        basic(b"alice", b"open sesame").replace(b" ", b"\t"),
    ],
)
def test_S10_a_malformed_header_is_401_without_a_bcrypt_check(header: bytes) -> None:
    async def scenario() -> None:
        app = ProtectedApp()
        assert await app.status(header) == 401
        assert app.bcrypt.calls == []

    run(scenario)


def test_S10_two_authorization_headers_are_401() -> None:
    async def scenario() -> None:
        header = basic(b"alice", b"open sesame")
        assert await ProtectedApp().status(header, header) == 401

    run(scenario)


def test_S10_an_overlong_password_is_401_without_a_bcrypt_check_for_known_and_unknown_users() -> None:
    async def scenario() -> None:
        app = ProtectedApp()
        for name in (b"alice", b"unknown"):
            assert await app.status(basic(name, b"x" * (MAX_PASSWORD_SIZE + 1))) == 401
        assert app.bcrypt.calls == []

    run(scenario)


@given(header=st.binary(max_size=100))
def test_S10_any_other_authorization_header_is_401(header: bytes) -> None:
    async def scenario() -> None:
        assert await ProtectedApp().status(header) == 401
        assert await ProtectedApp().status(b"Basic " + base64.b64encode(header)) == 401

    run(scenario)


def test_S10_an_unknown_user_is_checked_once_against_the_hash_of_a_known_one() -> None:
    async def scenario() -> None:
        app = ProtectedApp()
        for number in range(20):
            assert await app.status(basic(b"unknown%d" % number, b"guess")) == 401
        assert len(app.bcrypt.calls) == 20
        assert {hashed for _, hashed in app.bcrypt.calls} == {ALICE, BOB}

    run(scenario)


def test_S10_an_unknown_user_with_the_password_of_another_is_401() -> None:
    async def scenario() -> None:
        app = ProtectedApp()
        for number in range(20):
            for password in PASSWORDS.values():
                assert await app.status(basic(b"unknown%d" % number, password)) == 401

    run(scenario)


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_S10_probes_need_no_password(path: str) -> None:
    async def scenario() -> None:
        assert await ProtectedApp().status(path=path) == 200

    run(scenario)


@pytest.mark.parametrize("path", ["/livez/", "/livez/../metrics", "//livez", "/LIVEZ", "/"])
def test_S10_paths_similar_to_a_probe_need_a_password(path: str) -> None:
    async def scenario() -> None:
        assert await ProtectedApp().status(path=path) == 401

    run(scenario)


def test_S10_results_for_correct_and_wrong_passwords_are_cached() -> None:
    async def scenario() -> None:
        app = ProtectedApp()
        for _ in range(3):
            assert await app.status(basic(b"alice", b"open sesame")) == 200
            assert await app.status(basic(b"alice", b"guess")) == 401
        assert len(app.bcrypt.calls) == 2

    run(scenario)


def test_S10_wrong_passwords_do_not_evict_the_correct_one_from_the_bounded_cache() -> None:
    async def scenario() -> None:
        app = ProtectedApp()
        await app.status(basic(b"alice", b"open sesame"))
        for number in range(CACHE_SIZE + 10):
            await app.status(basic(b"alice", b"%d" % number))
        calls = len(app.bcrypt.calls)
        assert await app.status(basic(b"alice", b"open sesame")) == 200
        assert len(app.bcrypt.calls) == calls
        assert await app.status(basic(b"alice", b"0")) == 401
        assert len(app.bcrypt.calls) == calls + 1, "the cache is bounded"

    run(scenario)


def test_S10_concurrent_requests_with_the_same_password_share_one_check_outside_the_loop() -> None:
    async def scenario() -> None:
        app = ProtectedApp()
        app.bcrypt.gate.clear()
        scrapes = [asyncio.create_task(app.status(basic(b"alice", b"open sesame"))) for _ in range(200)]
        await asyncio.sleep(0)
        assert await app.status(path="/livez") == 200, "the loop is not blocked"
        app.bcrypt.gate.set()
        assert await asyncio.gather(*scrapes) == [200] * 200
        assert len(app.bcrypt.calls) == 1

    run(scenario)


def test_S10_passwords_are_checked_one_at_a_time_with_a_bounded_queue() -> None:
    async def scenario() -> None:
        app = ProtectedApp()
        app.bcrypt.gate.clear()
        threads = set(threading.enumerate())
        guesses = await app.guess("192.0.2.1", 1)
        await wait_until(lambda: app.bcrypt.running > 0)
        guesses += await app.guess("192.0.2.1", MAX_QUEUED_PER_CLIENT + 1)  # the first shares the running check
        # An executor starts its threads when work is submitted.
        assert len(set(threading.enumerate()) - threads) == 1
        status, headers = await app.request(basic(b"alice", b"one too many"))
        assert (status, headers[b"retry-after"]) == (503, b"1")
        app.bcrypt.gate.set()
        assert set(await asyncio.gather(*guesses)) == {401}
        assert app.bcrypt.max_running == 1
        assert await app.status(basic(b"alice", b"one too many")) == 401

    run(scenario)


@pytest.mark.parametrize("host", ["192.0.2.2", "2001:db8:0:1::1", "::ffff:192.0.2.2"])
def test_V03_wrong_passwords_from_one_address_do_not_keep_out_another(host: str) -> None:
    async def scenario() -> None:
        app = ProtectedApp()
        app.bcrypt.gate.clear()
        guesses = await app.guess("192.0.2.1", MAX_QUEUED_PER_CLIENT)
        scrape = asyncio.create_task(app.status(basic(b"alice", b"open sesame"), host=host))
        await wait_until(lambda: app.bcrypt.running > 0)
        app.bcrypt.gate.set()
        assert await scrape == 200
        assert [password for password, _ in app.bcrypt.calls].index(b"open sesame") <= 2, "they take turns"
        assert set(await asyncio.gather(*guesses)) == {401}

    run(scenario)


@pytest.mark.parametrize(
    ("host", "other"), [("2001:db8::1", "2001:db8::2:0:0:1"), ("192.0.2.1", "::ffff:192.0.2.1"), ("x", "x")]
)
def test_V03_addresses_of_one_network_share_a_turn(host: str, other: str) -> None:
    async def scenario() -> None:
        app = ProtectedApp()
        app.bcrypt.gate.clear()
        guesses = await app.guess(host, MAX_QUEUED_PER_CLIENT + 1)
        await wait_until(lambda: app.bcrypt.running > 0)
        guesses += await app.guess(host, MAX_QUEUED_PER_CLIENT + 1)
        assert await app.status(basic(b"alice", b"one too many"), host=other) == 503
        app.bcrypt.gate.set()
        await asyncio.gather(*guesses)

    run(scenario)


def test_V03_with_a_full_queue_an_address_with_few_passwords_takes_the_place_of_one_with_many() -> None:
    async def scenario() -> None:
        app = ProtectedApp()
        app.bcrypt.gate.clear()
        attackers = MAX_QUEUED // MAX_QUEUED_PER_CLIENT + 1
        guesses = [
            each for number in range(attackers) for each in await app.guess(f"192.0.2.{number}", MAX_QUEUED_PER_CLIENT)
        ]
        scrape = asyncio.create_task(app.status(basic(b"alice", b"open sesame"), host="198.51.100.1"))
        await wait_until(lambda: app.bcrypt.running > 0)
        app.bcrypt.gate.set()
        assert await scrape == 200
        assert [password for password, _ in app.bcrypt.calls].index(b"open sesame") <= attackers + 1
        assert set(await asyncio.gather(*guesses)) == {401, 503}

    run(scenario)


def test_V03_the_address_is_that_of_the_connection() -> None:
    async def scenario() -> None:
        app = ProtectedApp()
        app.bcrypt.gate.clear()
        async with running_listener(app.auth) as listener:

            async def connect(host: str, password: bytes) -> RawClient:
                streams = await asyncio.open_connection("127.0.0.1", listener.port, local_addr=(host, 0))
                client = RawClient(*streams)
                authorization = b"Authorization: " + basic(b"alice", password)
                await client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + authorization + b"\r\n\r\n")
                return client

            attackers = [await connect("127.0.0.2", b"%d" % number) for number in range(2 * MAX_QUEUED_PER_CLIENT)]
            assert (await attackers[-1].receive()).status == 503
            scraper = await connect("127.0.0.1", b"open sesame")
            app.bcrypt.gate.set()
            assert (await scraper.receive()).status == 200
            for client in (*attackers, scraper):
                await client.close()

    run(scenario)


def test_S10_U19_passwords_are_checked_while_dns_lookups_occupy_all_threads_of_the_loop() -> None:
    async def scenario() -> None:
        may_finish = threading.Event()
        started = threading.Semaphore(0)

        def look_up() -> None:
            started.release()
            may_finish.wait(NEVER)

        with ThreadPoolExecutor(max_workers=2) as threads:
            loop = asyncio.get_running_loop()
            loop.set_default_executor(threads)
            lookups = [loop.run_in_executor(None, look_up) for _ in range(3)]
            assert started.acquire(timeout=HANG)
            assert started.acquire(timeout=HANG)
            try:
                assert await ProtectedApp().status(basic(b"alice", b"open sesame")) == 200
            finally:
                may_finish.set()
            await asyncio.gather(*lookups)

    run(scenario)


def test_S10_a_cancelled_request_does_not_cancel_the_check_of_another() -> None:
    async def scenario() -> None:
        app = ProtectedApp()
        app.bcrypt.gate.clear()
        first, second = (asyncio.create_task(app.status(basic(b"alice", b"open sesame"))) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        app.bcrypt.gate.set()
        assert await second == 200

    run(scenario)


def test_S10_a_changed_hash_or_removed_user_takes_effect_at_once() -> None:
    async def scenario() -> None:
        app = ProtectedApp()
        header = basic(b"alice", b"open sesame")
        assert await app.status(header) == 200
        app.config = WebConfig(users={b"alice": BOB})
        assert await app.status(header) == 401
        app.config = WebConfig(users={b"carol": ALICE})
        assert await app.status(header) == 401

    run(scenario)


def test_an_error_of_bcrypt_is_not_cached() -> None:
    async def scenario() -> None:
        app = ProtectedApp()
        failures = [ValueError("broken"), None]

        def check(password: bytes, hashed: bytes) -> bool:
            if (failure := failures.pop(0)) is not None:
                raise failure
            return True

        app.auth = BasicAuth(static_app(), lambda: app.config, check_password=check)
        with pytest.raises(ValueError, match="broken"):
            await app.status(basic(b"alice", b"open sesame"))
        assert await app.status(basic(b"alice", b"open sesame")) == 200

    run(scenario)


def test_without_users_no_password_is_needed() -> None:
    async def scenario() -> None:
        app = ProtectedApp(users={})
        assert await app.status() == 200

    run(scenario)


def test_configured_headers_are_in_each_response_and_override_those_of_the_application() -> None:
    async def scenario() -> None:
        app = ProtectedApp(headers=((b"x-frame-options", b"deny"), (b"content-length", b"4")))
        for authorization in ([], [basic(b"alice", b"open sesame")]):
            headers = (await app.request(*authorization))[1]
            assert headers[b"x-frame-options"] == b"deny"
        assert headers[b"content-length"] == b"4", "the application sends 5"

    run(scenario)


def test_scopes_other_than_http_are_passed_through() -> None:
    async def scenario() -> None:
        seen: list[str] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(scope["type"])

        async def send(_message: Message) -> None:
            raise AssertionError("unexpected response")

        await BasicAuth(app, lambda: WebConfig(users={b"alice": ALICE}))({"type": "lifespan"}, receive_disconnect, send)
        assert seen == ["lifespan"]

    run(scenario)


def test_no_password_is_kept_in_memory() -> None:
    async def scenario() -> None:
        app = ProtectedApp()
        await app.status(basic(b"alice", b"open sesame"))
        await app.status(basic(b"alice", b"guess"))
        checks = app.auth._checks
        assert b"sesame" not in b"".join([*checks._correct, *checks._wrong])
        assert not checks._pending
        assert not checks._queues

    run(scenario)


def test_S10_real_bcrypt_over_a_real_socket() -> None:
    async def scenario() -> None:
        users = {b"alice": bcrypt.hashpw("sésame".encode(), bcrypt.gensalt(4)).replace(b"$2b$", b"$2y$")}
        async with running_listener(BasicAuth(static_app(), lambda: WebConfig(users=users))) as listener:
            for password, status in (("sésame", 200), ("sesame", 401), ("a\0b", 401)):
                client = await RawClient.connect(listener.port)
                header = basic(b"alice", password.encode())
                answer = await client.request(b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: " + header + b"\r\n\r\n")
                assert answer.status == status
                await client.close()

    run(scenario)
