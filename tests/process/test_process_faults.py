"""Rows R05, R06, R11 and R13 to R15 of the fault matrix: clients, descriptors, probes, logs and streams."""

import resource
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process.samples import ACTIVE, SHORT_INTERVAL, UP
from tests.process.scrapes import start_scrape
from tests.support.canary import KEY
from tests.support.deadlines import HANG
from tests.support.ports import listening_ports
from tests.support.running import COMMAND, ROOT, Exporter, environment, run, running_exporter, wait_until
from tests.support.simulated import Upstream, live_row, serving_in_thread, static_response

pytestmark = pytest.mark.process


def test_R05_a_client_that_disconnects_during_a_response_leaves_no_error(large_account: str) -> None:
    with running_exporter("--base-url", large_account) as exporter:
        exporter.wait_for_event("poll finished")
        for _ in range(5):
            with start_scrape(exporter) as scrape:
                # With this option, closing sends a reset.
                scrape.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert exporter.request().status == 200
        assert not [line for line in exporter.lines if '"level": "error"' in line or "raceback" in line]


def test_R06_after_sigkill_the_port_is_free_and_the_data_returns_with_one_poll(base_url: str) -> None:
    with running_exporter("--base-url", base_url) as exporter:
        exporter.wait_for_value(UP, 1)
        exporter.request(Connection="keep-alive")
        port = exporter.port
        exporter.process.kill()
        exporter.wait_for_exit()
        with running_exporter("--base-url", base_url, "--web.listen-address", f"127.0.0.1:{port}") as restarted:
            assert restarted.port == port
            restarted.wait_for_value(ACTIVE, 2)


def test_R11_it_recovers_after_running_out_of_descriptors(base_url: str) -> None:
    with running_exporter("--base-url", base_url, *SHORT_INTERVAL) as exporter:
        exporter.wait_for_value(UP, 1)
        resource.prlimit(exporter.process.pid, resource.RLIMIT_NOFILE, (40, 40))
        connections = [exporter.connect() for _ in range(80)]
        try:
            warning = exporter.wait_for_event("cannot accept a connection")
            assert warning["reason"] == "Too many open files"
        finally:
            for each in connections:
                each.close()
        before = len(exporter.events("poll finished"))
        exporter.wait_for_event("poll finished", before + 2)
        assert exporter.request().status == 200


def test_R11_polling_starts_as_soon_as_descriptors_are_available(base_url: str) -> None:
    # Seven are enough to listen: standard streams, three of the event loop, and the listening socket.
    limited = ("prlimit", "--nofile=7:1024")
    with running_exporter("--base-url", base_url, *SHORT_INTERVAL, wrapper=limited, wait=False) as exporter:
        assert exporter.wait_for_event("cannot start polling yet")["reason"] == "Too many open files"
        exporter.port = exporter.wait_for_event("listening")["port"]
        resource.prlimit(exporter.process.pid, resource.RLIMIT_NOFILE, (1024, 1024))
        exporter.wait_for_value(UP, 1)


def test_R11_a_signal_before_polling_could_start_stops_it_with_code_0(base_url: str) -> None:
    with running_exporter("--base-url", base_url, wrapper=("prlimit", "--nofile=7:1024"), wait=False) as exporter:
        exporter.wait_for_event("cannot start polling yet")
        exporter.send_signal(signal.SIGTERM)
        assert exporter.wait_for_exit() == 0


def test_R13_the_healthcheck_fails_while_the_process_hangs(shared_exporter: Exporter) -> None:
    url = f"http://127.0.0.1:{shared_exporter.port}/livez"
    wait_until(lambda: run("healthcheck", "--url", url).code == 0, "a response within the timeout of the check")
    shared_exporter.send_signal(signal.SIGSTOP)
    try:
        finished = run("healthcheck", "--url", url)
        assert finished.code == 1
        assert finished.stdout.startswith("no response")
    finally:
        shared_exporter.send_signal(signal.SIGCONT)
    wait_until(lambda: run("healthcheck", "--url", url).code == 0, "a response within the timeout of the check")


def test_R14_control_characters_in_a_name_do_not_break_log_lines(shared_exporter: Exporter) -> None:
    shared_exporter.wait_for_event("poll finished")
    assert all(
        line.startswith('{"time": ') and line.endswith("}") and line.isprintable() for line in shared_exporter.lines
    )


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "1>&- 2>&-"])
@pytest.mark.parametrize("command", ["once", "check"])
def test_R15_closed_streams_do_not_affect_a_command(base_url: str, command: str, closed: str) -> None:
    line = f'exec "$0" -m exporter {command} --base-url "$1" --log.level error {closed}'
    done = subprocess.run(
        ["sh", "-c", line, sys.executable, base_url], cwd=ROOT, env=environment(), capture_output=True, timeout=HANG
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_R15_closed_streams_do_not_affect_the_daemon(base_url: str) -> None:
    line = 'exec "$0" -m exporter --base-url "$1" --web.listen-address "$2" --log.level debug 0<&- 1>&- 2>&-'
    arguments = ["sh", "-c", line, sys.executable, base_url, "127.0.0.1:0"]
    with subprocess.Popen(arguments, cwd=ROOT, env=environment()) as process:
        try:
            exporter = Exporter(process)
            wait_until(lambda: process.poll() is not None or listening_ports(process.pid), "the exporter to listen")
            (exporter.port,) = listening_ports(process.pid)
            exporter.wait_for_value(UP, 1)
            exporter.send_signal(signal.SIGTERM)
            assert exporter.wait_for_exit() == 0
        finally:
            process.kill()


@pytest.mark.parametrize("command", ["once", "check", "metrics", "--help", "--version"])
def test_R15_on_a_full_disk_a_command_is_code_1_with_one_line(command: str) -> None:
    with serving_in_thread(Upstream([live_row(1)])) as url, Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, command, "--base-url", url, "--log.level", "error"],
            cwd=ROOT,
            env=environment(LIVEPEER_API_KEY=KEY),
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=HANG,
        )
    assert (done.returncode, done.stderr) == (1, b"livepeer-session-exporter: No space left on device\n")


def test_a_failing_api_does_not_affect_pages_and_probes() -> None:
    upstream = Upstream([live_row(1)])
    upstream.override = static_response(500, b'{"errors": ["no"]}')
    with serving_in_thread(upstream) as url, running_exporter("--base-url", url, *SHORT_INTERVAL) as exporter:
        exporter.wait_for_event("poll failed")
        assert exporter.value(UP) == 0
        assert [exporter.request(path).status for path in ("/", "/livez", "/readyz")] == [200, 200, 200]
