"""Row R03 of the fault matrix: SIGTERM and SIGINT in every state of the program."""

import signal
import subprocess
import time
from base64 import b64encode
from contextlib import suppress
from pathlib import Path

import bcrypt
import pytest

from tests.process.samples import LONG_TIMEOUTS
from tests.process.scrapes import read_rest, start_scrape
from tests.support.canary import scanner
from tests.support.deadlines import HANG, NEVER
from tests.support.running import COMMAND, ROOT, environment, running_exporter, wait_until
from tests.support.simulated import Upstream, live_row, never_respond, serving_in_thread

pytestmark = pytest.mark.process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_R03_a_signal_stops_an_idle_exporter_with_code_0(base_url: str, number: int) -> None:
    with running_exporter("--base-url", base_url) as exporter:
        exporter.wait_for_event("poll finished")
        exporter.send_signal(number)
        assert exporter.wait_for_exit() == 0
        assert not exporter.events("poll failed")


def test_R03_a_signal_during_a_poll_stops_it_with_code_0() -> None:
    upstream = Upstream([])
    upstream.override = never_respond
    with serving_in_thread(upstream) as url, running_exporter("--base-url", url, *LONG_TIMEOUTS) as exporter:
        wait_until(lambda: upstream.authorization_headers, "a poll")
        exporter.send_signal(signal.SIGTERM)
        assert exporter.wait_for_exit() == 0
        assert not [line for line in exporter.lines if "traceback" in line]


def test_V07_a_signal_during_a_poll_longer_than_the_interval_stops_it_with_code_0() -> None:
    upstream = Upstream([])
    upstream.override = never_respond
    with serving_in_thread(upstream) as url, running_exporter("--base-url", url, "--poll-interval", "1s") as exporter:
        exporter.wait_for_event("poll skipped, the previous one is still running")
        exporter.send_signal(signal.SIGTERM)
        assert exporter.wait_for_exit() == 0
        assert not exporter.events("poll failed")


def test_R03_a_signal_during_a_scrape_lets_the_scrape_finish(large_account: str) -> None:
    with running_exporter("--base-url", large_account) as exporter:
        exporter.wait_for_event("poll finished")
        with start_scrape(exporter) as scrape:
            exporter.send_signal(signal.SIGTERM)
            exporter.wait_for_event("stopping")
            head, _, body = read_rest(scrape).partition(b"\r\n\r\n")
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        assert len(body) == int(length.split(b":")[1]) > 2_000_000
        assert exporter.wait_for_exit() == 0


def test_R03_a_second_signal_stops_it_immediately_with_code_1(large_account: str) -> None:
    with running_exporter("--base-url", large_account) as exporter:
        exporter.wait_for_event("poll finished")
        with start_scrape(exporter):
            exporter.send_signal(signal.SIGTERM)
            exporter.wait_for_event("stopping")
            exporter.send_signal(signal.SIGTERM)
            assert exporter.wait_for_exit() == 1  # the first one alone leads to 0, after the grace period


def handles_signals(pid: int) -> bool:
    """Whether `main` has set its signal handlers; SIGHUP, which it ignores, is the last one."""
    status = dict(line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines())
    caught, ignored = (int(status[name], 16) for name in ("SigCgt", "SigIgn"))
    return bool(caught & 1 << (signal.SIGTERM - 1) and ignored & 1 << (signal.SIGHUP - 1))


@pytest.mark.parametrize(
    ("number", "delay"),
    [(signal.SIGTERM, 0.0), (signal.SIGINT, 0.0), (signal.SIGTERM, 0.15), (signal.SIGINT, 0.3), (signal.SIGTERM, 0.5)],
)
def test_R03_a_signal_during_the_start_stops_it_with_code_0(base_url: str, number: int, delay: float) -> None:
    with running_exporter("--base-url", base_url, wait=False) as exporter:
        wait_until(lambda: handles_signals(exporter.process.pid), "the signal handlers")
        time.sleep(delay)  # at different stages of the start
        exporter.send_signal(number)
        assert exporter.wait_for_exit() == 0, exporter.lines
        assert not [line for line in exporter.lines if "raceback" in line]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_R03_once_does_not_report_success_if_a_signal_interrupts_it(number: int) -> None:
    upstream = Upstream([])
    upstream.override = never_respond
    with (
        serving_in_thread(upstream) as url,
        subprocess.Popen(
            [*COMMAND, "once", "--base-url", url, *LONG_TIMEOUTS],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        wait_until(lambda: upstream.authorization_headers, "the poll")
        process.send_signal(number)
        out, err = process.communicate(timeout=HANG)
        assert process.returncode == -number  # a shell reports 128 + number
        assert (out, err) == (b"", b"")


SLOW = "slow.invalid"
SLOW_RESOLVER = f"""\
import socket
import sys
import time

getaddrinfo_of_system = socket.getaddrinfo

def getaddrinfo(host, *rest, **more):
    if host in ("{SLOW}", b"{SLOW}"):
        print("resolving", file=sys.stderr, flush=True)
        time.sleep({NEVER})
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")
    return getaddrinfo_of_system(host, *rest, **more)

socket.getaddrinfo = getaddrinfo
"""


@pytest.fixture
def slow_resolver(tmp_path: Path) -> dict[str, str]:
    """Variables with which Python does not resolve one host name within the duration of a test."""
    (tmp_path / "sitecustomize.py").write_text(SLOW_RESOLVER)
    return {"PYTHONPATH": str(tmp_path)}


def test_R03_shutdown_does_not_wait_for_a_dns_lookup(slow_resolver: dict[str, str]) -> None:
    with running_exporter("--base-url", f"https://{SLOW}/api", variables=slow_resolver) as exporter:
        wait_until(lambda: "resolving" in exporter.lines, "the DNS lookup")
        exporter.send_signal(signal.SIGTERM)
        assert exporter.wait_for_exit() == 0
        assert not [line for line in exporter.lines if "raceback" in line]


def test_R03_once_does_not_wait_for_a_dns_lookup_after_the_deadline_of_the_poll(slow_resolver: dict[str, str]) -> None:
    flags = ("--base-url", f"https://{SLOW}/api", "--poll-interval", "2s", "--poll-deadline", "1s")
    done = subprocess.run(
        [*COMMAND, "once", *flags], cwd=ROOT, env=environment(**slow_resolver), capture_output=True, timeout=HANG
    )
    scanner.scan("once", done.stdout + done.stderr)
    assert done.returncode == 1
    assert b"livepeer_studio_up{" in done.stdout


@pytest.fixture
def web_config_with_slow_hash(tmp_path: Path) -> Path:
    """A web config file with a password hash that takes seconds to check."""
    hashed = bcrypt.hashpw(b"open sesame", bcrypt.gensalt(4)).decode().replace("$04$", "$18$")
    path = tmp_path / "web.yml"
    path.write_text(f"basic_auth_users:\n  alice: {hashed}\n")
    return path


def test_R03_shutdown_does_not_wait_for_password_checks(web_config_with_slow_hash: Path) -> None:
    with (
        serving_in_thread(Upstream([live_row(1)])) as url,
        running_exporter("--base-url", url, "--web.config.file", str(web_config_with_slow_hash)) as exporter,
    ):
        exporter.wait_for_event("poll finished")
        connections = [exporter.connect() for _ in range(5)]
        try:
            for number, each in enumerate(connections):
                login = b64encode(b"alice:guess %d" % number)
                each.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic " + login + b"\r\n\r\n")
            assert exporter.request("/livez").status == 200
            exporter.send_signal(signal.SIGTERM)
            assert exporter.wait_for_exit() == 0
            with suppress(ConnectionResetError):
                assert connections[-1].recv(1) == b"", "its password was never checked"
        finally:
            for each in connections:
                each.close()
        assert not [line for line in exporter.lines if "raceback" in line or '"level": "error"' in line]
