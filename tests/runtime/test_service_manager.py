import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.runtime.service_manager import Notifier, watchdog_interval
from tests.support.logged import lines


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(5)
        yield receiver


@pytest.fixture
def notifier(manager: socket.socket) -> Notifier:
    return Notifier.of({"NOTIFY_SOCKET": manager.getsockname()})


def test_ready_is_said(manager: socket.socket, notifier: Notifier) -> None:
    notifier.ready()
    assert manager.recv(256) == b"READY=1"


def test_the_watchdog_is_kept_quiet(manager: socket.socket, notifier: Notifier) -> None:
    notifier.alive()
    assert manager.recv(256) == b"WATCHDOG=1"


def test_stopping_is_said(manager: socket.socket, notifier: Notifier) -> None:
    notifier.stopping()
    assert manager.recv(256) == b"STOPPING=1"


def test_reloading_carries_the_time_in_microseconds(manager: socket.socket, notifier: Notifier) -> None:
    notifier.reloading(12.5)
    assert manager.recv(256) == b"RELOADING=1\nMONOTONIC_USEC=12500000"


def test_an_abstract_socket_is_reached(tmp_path: Path) -> None:
    name = f"exporter-{tmp_path}"[:90]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + name)
        receiver.settimeout(5)
        Notifier.of({"NOTIFY_SOCKET": "@" + name}).ready()
        assert receiver.recv(256) == b"READY=1"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}])
def test_without_a_socket_nobody_is_told(environ: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    Notifier.of(environ).ready()
    assert not caplog.records


def test_a_socket_that_is_gone_is_logged_and_does_no_harm(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Notifier.of({"NOTIFY_SOCKET": str(tmp_path / "gone")}).alive()
    assert lines(caplog) == [
        ("WARNING", "the service manager could not be told", {"reason": "No such file or directory"})
    ]


def test_a_manager_that_takes_nothing_does_not_block(
    manager: socket.socket, notifier: Notifier, caplog: pytest.LogCaptureFixture
) -> None:
    while not caplog.records:  # until the socket's queue is full
        notifier.alive()
    assert manager.recv(256) == b"WATCHDOG=1"


def test_an_address_too_long_for_a_socket_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    Notifier.of({"NOTIFY_SOCKET": "/" + "x" * 200}).ready()
    assert "could not be told" in caplog.text


@given(st.integers(min_value=1, max_value=10**12))
def test_the_watchdog_is_served_twice_within_its_limit(microseconds: int) -> None:
    assert watchdog_interval({"WATCHDOG_USEC": str(microseconds)}) == microseconds / 1e6 / 2


@given(st.text().filter(lambda text: not (text.isascii() and text.isdecimal())))
def test_an_unreadable_limit_is_no_watchdog(limit: str) -> None:
    assert watchdog_interval({"WATCHDOG_USEC": limit}) is None


@pytest.mark.parametrize("environ", [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "9" * 5000}])
def test_without_a_limit_nobody_watches(environ: dict[str, str]) -> None:
    assert watchdog_interval(environ) is None


def test_the_watchdog_of_another_process_is_not_ours() -> None:
    environ = {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "17"}
    assert (watchdog_interval(environ, pid=17), watchdog_interval(environ, pid=18)) == (15.0, None)
