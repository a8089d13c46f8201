"""Notifications to the service manager."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.runtime.service_manager import ServiceManager, watchdog_interval
from tests.support.deadlines import HANG
from tests.support.logged import lines

PID = 17


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(HANG)
        yield receiver


@pytest.fixture
def manager(receiver: socket.socket) -> ServiceManager:
    return ServiceManager.from_environ({"NOTIFY_SOCKET": receiver.getsockname()})


def test_ready_is_notified(receiver: socket.socket, manager: ServiceManager) -> None:
    manager.ready()
    assert receiver.recv(256) == b"READY=1"


def test_the_watchdog_is_reset(receiver: socket.socket, manager: ServiceManager) -> None:
    manager.alive()
    assert receiver.recv(256) == b"WATCHDOG=1"


def test_stopping_is_notified(receiver: socket.socket, manager: ServiceManager) -> None:
    manager.stopping()
    assert receiver.recv(256) == b"STOPPING=1"


def test_reloading_is_notified_with_the_time_in_microseconds(receiver: socket.socket, manager: ServiceManager) -> None:
    manager.reloading(12.5)
    assert receiver.recv(256) == b"RELOADING=1\nMONOTONIC_USEC=12500000"


def test_an_abstract_socket_is_supported(tmp_path: Path) -> None:
    name = f"exporter-{tmp_path}"[:90]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + name)
        receiver.settimeout(HANG)
        ServiceManager.from_environ({"NOTIFY_SOCKET": "@" + name}).ready()
        assert receiver.recv(256) == b"READY=1"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}])
def test_without_a_socket_notifications_are_no_ops(environ: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    ServiceManager.from_environ(environ).ready()
    assert not caplog.records


def test_a_missing_socket_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ServiceManager.from_environ({"NOTIFY_SOCKET": str(tmp_path / "missing")}).alive()
    assert lines(caplog) == [("WARNING", "cannot notify the service manager", {"reason": "No such file or directory"})]


def test_a_full_socket_does_not_block(
    receiver: socket.socket, manager: ServiceManager, caplog: pytest.LogCaptureFixture
) -> None:
    while not caplog.records:  # until the queue of the socket is full
        manager.alive()
    assert receiver.recv(256) == b"WATCHDOG=1"


def test_an_address_that_is_too_long_for_a_socket_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    ServiceManager.from_environ({"NOTIFY_SOCKET": "/" + "x" * 200}).ready()
    assert "cannot notify the service manager" in caplog.text


@given(st.integers(min_value=1, max_value=10**12))
def test_the_watchdog_is_reset_twice_within_its_limit(microseconds: int) -> None:
    assert watchdog_interval({"WATCHDOG_USEC": str(microseconds)}, PID) == microseconds / 1e6 / 2


@given(st.text().filter(lambda text: not (text.isascii() and text.isdecimal())))
def test_an_invalid_limit_is_ignored(limit: str) -> None:
    assert watchdog_interval({"WATCHDOG_USEC": limit}, PID) is None


@pytest.mark.parametrize("environ", [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "9" * 5000}])
def test_without_a_limit_there_is_no_watchdog(environ: dict[str, str]) -> None:
    assert watchdog_interval(environ, PID) is None


def test_the_watchdog_of_another_process_is_ignored() -> None:
    environ = {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(PID)}
    assert (watchdog_interval(environ, PID), watchdog_interval(environ, PID + 1)) == (15.0, None)
