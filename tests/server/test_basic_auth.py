"""Passwords before the pages, and headers on every answer."""

import asyncio
import base64
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from exporter.server.basic_auth import LONGEST_PASSWORD, QUEUED, REMEMBERED, BasicAuth
from exporter.server.web_config import WebConfig
from tests.server.wire import Wire, listening, page, until

ALICE = b"hash of alice"
BOB = b"hash of bob"
RIGHT = {ALICE: b"open sesame", BOB: b"let me in"}


class Checker:
    """Stands for bcrypt: knows the right passwords, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, bytes]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.busy = 0
        self.busiest = 0

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        self.asked.append((password, hashed))
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        assert self.gate.wait(30)
        self.busy -= 1
        return RIGHT.get(hashed) == password


class Door:
    """A doorkeeper before a page that says so when it is reached."""

    def __init__(
        self, users: Mapping[bytes, bytes] | None = None, headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        self.config = WebConfig(users={b"alice": ALICE, b"bob": BOB} if users is None else users, headers=headers)
        self.check = Checker()
        self.keeper = BasicAuth(
            page(), lambda: self.config, open_paths=("/livez", "/readyz"), check=self.check, random_bytes=bytes
        )

    async def knock(self, *authorization: bytes, path: str = "/metrics") -> tuple[int, dict[bytes, bytes]]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [(b"host", b"localhost"), *((b"authorization", value) for value in authorization)]
        await self.keeper({"type": "http", "path": path, "headers": headers}, nothing, send)
        return sent[0]["status"], dict(sent[0]["headers"])

    async def status(self, *authorization: bytes, path: str = "/metrics") -> int:
        return (await self.knock(*authorization, path=path))[0]


async def nothing() -> Message:
    return {"type": "http.disconnect"}


def basic(name: bytes, password: bytes) -> bytes:
    return b"Basic " + base64.b64encode(name + b":" + password)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(bounded())


def test_S10_the_right_password_opens() -> None:
    async def scenario() -> None:
        door = Door()
        assert await door.status(basic(b"alice", b"open sesame")) == 200
        assert await door.status(basic(b"bob", b"let me in").replace(b"Basic", b"bASIC")) == 200

    run(scenario)


def test_S10_without_a_password_the_client_is_asked_for_one() -> None:
    async def scenario() -> None:
        status, headers = await Door().knock()
        assert status == 401
        assert headers[b"www-authenticate"].startswith(b"Basic ")

    run(scenario)


def test_S10_a_wrong_password_is_401() -> None:
    async def scenario() -> None:
        door = Door()
        assert await door.status(basic(b"alice", b"let me in")) == 401
        assert await door.status(basic(b"alice", b"")) == 401

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
def test_S10_a_malformed_header_is_401_and_costs_nothing(header: bytes) -> None:
    async def scenario() -> None:
        door = Door()
        assert await door.status(header) == 401
        assert door.check.asked == []

    run(scenario)


def test_S10_two_headers_are_401() -> None:
    async def scenario() -> None:
        header = basic(b"alice", b"open sesame")
        assert await Door().status(header, header) == 401

    run(scenario)


def test_S10_an_over_long_password_is_401_for_everybody_alike() -> None:
    async def scenario() -> None:
        door = Door()
        for name in (b"alice", b"nobody"):
            assert await door.status(basic(name, b"x" * (LONGEST_PASSWORD + 1))) == 401
        assert door.check.asked == []

    run(scenario)


@given(header=st.binary(max_size=100))
def test_S10_no_header_whatever_is_an_error(header: bytes) -> None:
    async def scenario() -> None:
        assert await Door().status(header) == 401
        assert await Door().status(b"Basic " + base64.b64encode(header)) == 401

    run(scenario)


def test_S10_an_unknown_user_costs_one_comparison_with_a_real_hash_as_a_known_one_does() -> None:
    async def scenario() -> None:
        door = Door()
        for number in range(20):
            assert await door.status(basic(b"nobody%d" % number, b"guess")) == 401
        assert len(door.check.asked) == 20
        assert {hashed for _, hashed in door.check.asked} == {ALICE, BOB}

    run(scenario)


def test_S10_an_unknown_user_with_somebodys_password_stays_outside() -> None:
    async def scenario() -> None:
        door = Door()
        for number in range(20):
            for password in RIGHT.values():
                assert await door.status(basic(b"nobody%d" % number, password)) == 401

    run(scenario)


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_S10_probes_need_no_password(path: str) -> None:
    async def scenario() -> None:
        assert await Door().status(path=path) == 200

    run(scenario)


@pytest.mark.parametrize("path", ["/livez/", "/livez/../metrics", "//livez", "/LIVEZ", "/"])
def test_S10_nothing_else_is_taken_for_a_probe(path: str) -> None:
    async def scenario() -> None:
        assert await Door().status(path=path) == 401

    run(scenario)


def test_S10_the_answer_of_bcrypt_is_kept_for_good_and_for_bad_passwords() -> None:
    async def scenario() -> None:
        door = Door()
        for _ in range(3):
            assert await door.status(basic(b"alice", b"open sesame")) == 200
            assert await door.status(basic(b"alice", b"guess")) == 401
        assert len(door.check.asked) == 2

    run(scenario)


def test_S10_a_flood_of_guesses_does_not_push_out_the_right_password() -> None:
    async def scenario() -> None:
        door = Door()
        await door.status(basic(b"alice", b"open sesame"))
        for number in range(REMEMBERED + 10):
            await door.status(basic(b"alice", b"%d" % number))
        asked = len(door.check.asked)
        assert await door.status(basic(b"alice", b"open sesame")) == 200
        assert len(door.check.asked) == asked
        assert await door.status(basic(b"alice", b"0")) == 401
        assert len(door.check.asked) == asked + 1, "what is kept is bounded"

    run(scenario)


def test_S10_requests_with_the_same_password_wait_for_one_answer_off_the_loop() -> None:
    async def scenario() -> None:
        door = Door()
        door.check.gate.clear()
        scrapes = [asyncio.create_task(door.status(basic(b"alice", b"open sesame"))) for _ in range(200)]
        await asyncio.sleep(0)
        assert await door.status(path="/livez") == 200, "the loop goes on meanwhile"
        door.check.gate.set()
        assert await asyncio.gather(*scrapes) == [200] * 200
        assert len(door.check.asked) == 1

    run(scenario)


def test_S10_passwords_are_checked_one_at_a_time_and_the_queue_is_bounded() -> None:
    async def scenario() -> None:
        door = Door()
        door.check.gate.clear()
        guesses = [asyncio.create_task(door.status(basic(b"alice", b"%d" % number))) for number in range(QUEUED)]
        await until(lambda: door.check.busy > 0)
        await asyncio.sleep(0.05)  # for others to come in beside it, if they could
        status, headers = await door.knock(basic(b"alice", b"one too many"))
        assert (status, headers[b"retry-after"]) == (503, b"1")
        door.check.gate.set()
        assert await asyncio.gather(*guesses) == [401] * QUEUED
        assert door.check.busiest == 1
        assert await door.status(basic(b"alice", b"one too many")) == 401

    run(scenario)


def test_S10_U19_a_password_is_checked_while_name_servers_hold_every_thread_of_the_loop() -> None:
    async def scenario() -> None:
        answered = threading.Event()
        asked = threading.Semaphore(0)

        def name_server() -> None:
            asked.release()
            answered.wait(60)

        with ThreadPoolExecutor(max_workers=2) as threads:
            loop = asyncio.get_running_loop()
            loop.set_default_executor(threads)
            questions = [loop.run_in_executor(None, name_server) for _ in range(3)]
            assert asked.acquire(timeout=30)
            assert asked.acquire(timeout=30)
            try:
                async with asyncio.timeout(20):
                    assert await Door().status(basic(b"alice", b"open sesame")) == 200
            finally:
                answered.set()
            await asyncio.gather(*questions)

    run(scenario)


def test_S10_a_client_that_gives_up_does_not_spoil_the_answer_of_another() -> None:
    async def scenario() -> None:
        door = Door()
        door.check.gate.clear()
        first, second = (asyncio.create_task(door.status(basic(b"alice", b"open sesame"))) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        door.check.gate.set()
        assert await second == 200

    run(scenario)


def test_S10_a_changed_hash_or_a_user_taken_out_is_in_force_at_once() -> None:
    async def scenario() -> None:
        door = Door()
        header = basic(b"alice", b"open sesame")
        assert await door.status(header) == 200
        door.config = WebConfig(users={b"alice": BOB})
        assert await door.status(header) == 401
        door.config = WebConfig(users={b"carol": ALICE})
        assert await door.status(header) == 401

    run(scenario)


def test_an_error_in_the_check_is_not_kept_as_an_answer() -> None:
    async def scenario() -> None:
        door = Door()
        failures = [ValueError("broken"), None]

        def check(password: bytes, hashed: bytes) -> bool:
            if (failure := failures.pop(0)) is not None:
                raise failure
            return True

        keeper = BasicAuth(page(), lambda: door.config, check=check)
        door.keeper = keeper
        with pytest.raises(ValueError, match="broken"):
            await door.status(basic(b"alice", b"open sesame"))
        assert await door.status(basic(b"alice", b"open sesame")) == 200

    run(scenario)


def test_without_users_nobody_is_asked() -> None:
    async def scenario() -> None:
        door = Door(users={})
        assert await door.status() == 200

    run(scenario)


def test_headers_of_the_file_are_on_every_answer_and_count_before_the_pages_own() -> None:
    async def scenario() -> None:
        door = Door(headers=((b"x-frame-options", b"deny"), (b"content-length", b"4")))
        for authorization in ([], [basic(b"alice", b"open sesame")]):
            headers = (await door.knock(*authorization))[1]
            assert headers[b"x-frame-options"] == b"deny"
        assert headers[b"content-length"] == b"4", "this page says 5"

    run(scenario)


def test_other_scopes_pass_by() -> None:
    async def scenario() -> None:
        seen: list[str] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(scope["type"])

        async def send(_message: Message) -> None:
            raise AssertionError("nothing is to be said")

        await BasicAuth(app, lambda: WebConfig(users={b"alice": ALICE}))({"type": "lifespan"}, nothing, send)
        assert seen == ["lifespan"]

    run(scenario)


def test_no_password_stays_in_the_doorkeepers_memory() -> None:
    async def scenario() -> None:
        door = Door()
        await door.status(basic(b"alice", b"open sesame"))
        await door.status(basic(b"alice", b"guess"))
        assert b"sesame" not in b"".join([*door.keeper._good, *door.keeper._bad])
        assert not door.keeper._asked

    run(scenario)


def test_S10_real_bcrypt_over_a_real_socket() -> None:
    async def scenario() -> None:
        users = {b"alice": bcrypt.hashpw("sésame".encode(), bcrypt.gensalt(4)).replace(b"$2b$", b"$2y$")}
        async with listening(BasicAuth(page(), lambda: WebConfig(users=users))) as listener:
            for password, status in (("sésame", 200), ("sesame", 401), ("a\0b", 401)):
                wire = await Wire.to(listener.port)
                header = basic(b"alice", password.encode())
                answer = await wire.ask(b"GET / HTTP/1.1\r\nAuthorization: " + header + b"\r\n\r\n")
                assert answer.status == status
                await wire.close()

    run(scenario)
