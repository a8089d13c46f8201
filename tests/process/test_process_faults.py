"""Rows R01 to R15 of the fault matrix: what happens to the process, its clock and its files."""

import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.canary import KEY, MARK
from tests.support.running import COMMAND, ROOT, Exporter, environment, run, running_exporter, until
from tests.support.simulated import Upstream, answering, aside, live, silent

pytestmark = pytest.mark.process

UP = 'livepeer_studio_up{account="default"}'
ACTIVE = 'livepeer_studio_sessions{account="default",state="active"}'
RELOADED = "livepeer_studio_exporter_config_reload_successful"
INTERVAL = 'livepeer_studio_exporter_poll_interval_seconds{account="default"}'
QUICK = ("--poll-interval", "1s")


def auth_failures(exporter: Exporter) -> float | None:
    return exporter.value('livepeer_studio_exporter_poll_failures_total{account="default",class="auth"}')


@pytest.fixture(scope="module")
def upstream() -> Upstream:
    return Upstream([live(1), live(2, name="nasty \n\x1b[31m%s%d\u202e name")])


@pytest.fixture(scope="module")
def base_url(upstream: Upstream) -> Iterator[str]:
    with aside(upstream) as url:
        yield url


@pytest.fixture(scope="module")
def quiet(base_url: str) -> Iterator[Exporter]:
    """An exporter that tests look at, and that none of them disturbs."""
    with running_exporter("--base-url", base_url, *QUICK) as exporter:
        exporter.becomes(UP, 1)
        yield exporter


def faked_clock(directory: Path) -> tuple[dict[str, str], Path]:
    """The variables that give a process a wall clock of its own, and the file that moves it; monotonic time stays."""
    program = shutil.which("faketime")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("faketime is missing, and CI must have it")
        pytest.skip("faketime is missing: apt-get install faketime")
    found = subprocess.run([program, "-f", "+0", "printenv", "LD_PRELOAD"], capture_output=True, text=True, check=True)
    offset = directory / "offset"
    offset.write_text("+0")
    variables = {
        "LD_PRELOAD": found.stdout.strip(),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    return variables, offset


def test_R01_polls_go_on_when_the_wall_clock_steps_back_and_forth_by_an_hour(base_url: str, tmp_path: Path) -> None:
    variables, offset = faked_clock(tmp_path)
    with running_exporter("--base-url", base_url, *QUICK, variables=variables) as exporter:
        exporter.becomes(UP, 1)
        for count, (step, skew) in enumerate([("-3600", 3600), ("+3600", -3600)], start=1):
            offset.write_text(step)
            exporter.wait_for("wall clock stepped, jobs rescheduled", count)
            before = exporter.polls()
            began = time.monotonic()
            until(lambda seen=before: exporter.polls() >= seen + 2, "two more polls", seconds=15)  # type: ignore[misc]
            assert time.monotonic() - began < 10  # two intervals are 2 s; the rest is for a machine under load
            told = exporter.value('livepeer_studio_exporter_clock_skew_seconds{account="default"}')
            assert told == pytest.approx(skew, abs=5)
            assert exporter.value(ACTIVE) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_R03_a_signal_ends_an_idle_exporter_with_code_0(base_url: str, number: int) -> None:
    with running_exporter("--base-url", base_url) as exporter:
        exporter.wait_for("poll finished")
        exporter.signal(number)
        assert exporter.ends(5) == 0
        assert not exporter.events("poll failed")


def test_R03_a_signal_in_mid_poll_ends_it_with_code_0() -> None:
    upstream = Upstream([])
    upstream.instead = silent
    with aside(upstream) as url, running_exporter("--base-url", url) as exporter:
        until(lambda: upstream.keys, "a poll")
        exporter.signal(signal.SIGTERM)
        assert exporter.ends(5) == 0
        assert not [line for line in exporter.lines if "traceback" in line]


def slow_scrape(exporter: Exporter) -> socket.socket:
    """A scrape that has begun and is not read further, so that the exporter cannot finish it."""
    scrape = socket.socket()
    scrape.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    scrape.settimeout(30)
    scrape.connect(("127.0.0.1", exporter.port))
    scrape.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert scrape.recv(15) == b"HTTP/1.1 200 OK"
    return scrape


def read_on(scrape: socket.socket) -> bytes:
    parts = []
    while part := scrape.recv(65536):
        parts.append(part)
    return b"".join(parts)


@pytest.fixture(scope="module")
def crowd() -> Iterator[str]:
    """An account whose page is larger than what the system holds for a connection."""
    with aside(Upstream([live(number, name="n" * 120) for number in range(4000)])) as url:
        yield url


def test_R03_a_signal_in_mid_scrape_lets_the_scrape_finish(crowd: str) -> None:
    with running_exporter("--base-url", crowd) as exporter:
        exporter.wait_for("poll finished")
        with slow_scrape(exporter) as scrape:
            exporter.signal(signal.SIGTERM)
            exporter.wait_for("stopping")
            head, _, body = read_on(scrape).partition(b"\r\n\r\n")
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        assert len(body) == int(length.split(b":")[1]) > 2_000_000
        assert exporter.ends(5) == 0


def test_R03_a_second_signal_ends_it_at_once(crowd: str) -> None:
    with running_exporter("--base-url", crowd) as exporter:
        exporter.wait_for("poll finished")
        with slow_scrape(exporter):
            exporter.signal(signal.SIGTERM)
            exporter.wait_for("stopping")
            exporter.signal(signal.SIGTERM)
            assert exporter.ends(5) == 1  # the first one alone would end it with 0, after the grace


def has_begun(pid: int) -> bool:
    """Whether `main` has taken the signals over: it catches SIGTERM, and ignores SIGHUP, the last of them."""
    status = dict(line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines())
    caught, ignored = (int(status[name], 16) for name in ("SigCgt", "SigIgn"))
    return bool(caught & 1 << (signal.SIGTERM - 1) and ignored & 1 << (signal.SIGHUP - 1))


@pytest.mark.parametrize(
    ("number", "delay"),
    [(signal.SIGTERM, 0.0), (signal.SIGINT, 0.0), (signal.SIGTERM, 0.15), (signal.SIGINT, 0.3), (signal.SIGTERM, 0.5)],
)
def test_R03_a_signal_while_it_starts_ends_it_with_code_0(base_url: str, number: int, delay: float) -> None:
    with running_exporter("--base-url", base_url, wait=False) as exporter:
        until(lambda: has_begun(exporter.process.pid), "main")
        time.sleep(delay)  # any moment of the start will do; these are some
        exporter.signal(number)
        assert exporter.ends(5) == 0, exporter.lines
        assert not [line for line in exporter.lines if "raceback" in line]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_R03_a_signal_that_cuts_a_single_poll_short_is_no_success(number: int) -> None:
    upstream = Upstream([])
    upstream.instead = silent
    with (
        aside(upstream) as url,
        subprocess.Popen(
            [*COMMAND, "once", "--base-url", url],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        until(lambda: upstream.keys, "the poll")
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert process.returncode == -number  # a shell calls that 128 + number
        assert (out, err) == (b"", b"")


def test_R04_sighup_reads_the_settings_again_and_a_bad_file_changes_nothing(base_url: str, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("poll_interval: 30s\n")
    with running_exporter("--config.file", str(settings), "--base-url", base_url) as exporter:
        exporter.becomes(UP, 1)
        settings.write_text("poll_interval: 20s\n")
        exporter.signal(signal.SIGHUP)
        exporter.becomes(INTERVAL, 20)
        assert exporter.value(RELOADED) == 1

        read_at = exporter.value("livepeer_studio_exporter_config_reload_timestamp_seconds")
        settings.write_text(f"poll_interval: never\napi_key: {KEY}\n")
        exporter.signal(signal.SIGHUP)
        exporter.becomes(RELOADED, 0)
        refused = "reload failed, the current settings stay in effect"
        exporter.wait_for(refused, 2)  # a line for each mistake
        assert len(exporter.events(refused)) == 2
        assert (exporter.value(INTERVAL), exporter.value(UP)) == (20, 1)
        assert exporter.value("livepeer_studio_exporter_config_reload_timestamp_seconds") == read_at

        settings.write_text("poll_interval: 10s\n")
        exporter.signal(signal.SIGHUP)
        exporter.becomes(RELOADED, 1)
        exporter.becomes(INTERVAL, 10)


def test_R04_a_setting_that_needs_a_restart_is_named(base_url: str, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("issue_texts: true\n")
    with running_exporter("--config.file", str(settings), "--base-url", base_url) as exporter:
        settings.write_text("issue_texts: false\n")
        exporter.signal(signal.SIGHUP)
        assert exporter.wait_for("a changed setting takes effect after a restart only")["setting"] == "issue_texts"


def test_R04_a_file_that_the_yaml_library_chokes_on_changes_nothing(base_url: str, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("poll_interval: 20s\n")
    with running_exporter("--config.file", str(settings), "--base-url", base_url) as exporter:
        settings.write_text(f"issue_texts: !!bool {KEY}\n")
        exporter.signal(signal.SIGHUP)
        exporter.becomes(RELOADED, 0)
        assert exporter.value(INTERVAL) == 20


def test_R04_a_proxy_that_cannot_be_used_changes_nothing(base_url: str, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("poll_interval: 30s\n")
    arguments = ("--config.file", str(settings), "--base-url", base_url)
    # The first is refused with the settings; the second only the HTTP library can judge.
    for variables in ({"ALL_PROXY": "socks5://127.0.0.1:1"}, {"HTTP_PROXY": "http://x", "NO_PROXY": "http://[::1"}):
        settings.write_text("poll_interval: 30s\n")
        with running_exporter(*arguments, variables=variables) as exporter:
            settings.write_text("trust_env: true\n")
            exporter.signal(signal.SIGHUP)
            exporter.becomes(RELOADED, 0)
            assert exporter.ask("/readyz").status == 200


def test_R03_a_signal_while_a_reload_is_stuck_ends_it_with_code_0(base_url: str, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("poll_interval: 30s\n")
    with running_exporter("--config.file", str(settings), "--base-url", base_url) as exporter:
        settings.unlink()
        os.mkfifo(settings)  # nobody will ever write into it
        exporter.signal(signal.SIGHUP)
        exporter.becomes(UP, 1)
        exporter.signal(signal.SIGTERM)
        assert exporter.ends(5) == 0


def test_R05_a_client_that_vanishes_in_mid_answer_leaves_no_traceback(crowd: str) -> None:
    with running_exporter("--base-url", crowd) as exporter:
        exporter.wait_for("poll finished")
        for _ in range(5):
            with slow_scrape(exporter) as scrape:
                # Closing now sends a reset.
                scrape.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert exporter.ask().status == 200
        assert not [line for line in exporter.lines if '"level": "error"' in line or "raceback" in line]


def test_R06_after_kill_9_the_port_is_free_and_a_poll_later_everything_is_back(base_url: str) -> None:
    with running_exporter("--base-url", base_url) as exporter:
        exporter.becomes(UP, 1)
        exporter.ask(Connection="keep-alive")
        port = exporter.port
        exporter.process.kill()
        exporter.ends()
        with running_exporter("--base-url", base_url, "--web.listen-address", f"127.0.0.1:{port}") as again:
            assert again.port == port
            again.becomes(ACTIVE, 2)


def test_R07_a_taken_port_ends_it_with_code_1_and_one_line(quiet: Exporter, base_url: str) -> None:
    said = run("--base-url", base_url, "--web.listen-address", f"127.0.0.1:{quiet.port}", "--log.format", "plain")
    assert (said.code, said.out) == (1, "")
    problem = f"cannot listen on 127.0.0.1:{quiet.port}: Address already in use"
    assert said.err == f"livepeer-session-exporter: {problem}; choose another address with --web.listen-address\n"


@pytest.mark.parametrize("address", ["192.0.2.1:9877", "no-such-host.invalid:9877"])
def test_R07_an_address_that_is_not_ours_ends_it_with_code_1_and_one_line(base_url: str, address: str) -> None:
    said = run("--base-url", base_url, "--web.listen-address", address)
    assert (said.code, said.out) == (1, "")
    assert len(said.err.splitlines()) == 1
    assert address in said.err


def test_R07_a_ca_file_that_is_not_there_ends_it_with_code_1_and_one_line_that_names_it() -> None:
    said = run("--web.listen-address", "127.0.0.1:0", "--ca-file", "no-such-file.pem", "--log.level", "error")
    assert (said.code, said.out) == (1, "")
    assert said.err == "livepeer-session-exporter: cannot use the CA file: No such file or directory\n"


def test_R08_bad_settings_end_it_with_code_2_and_every_mistake_without_the_secret() -> None:
    said = run(
        "--poll-interval", "soon", "--max-series", "-1", "--base-url", f"http://{KEY}@127.0.0.1/api",
        variables={"LIVEPEER_EXPORTER_API_KEY": f"{KEY}2"},
    )  # fmt: skip
    assert (said.code, said.out) == (2, "")
    lines = said.err.splitlines()
    assert [line.partition(":")[0] for line in lines if line.startswith("--")] == [
        "--base-url",
        "--poll-interval",
        "--max-series",
    ]
    assert any(line.startswith("LIVEPEER_") for line in lines)
    assert MARK not in said.err


@pytest.mark.parametrize("text", [f"issue_texts: !!bool {KEY}", 'page_limit: !!int ""'])
def test_R08_a_value_that_the_yaml_library_chokes_on_is_a_mistake_like_any_other(tmp_path: Path, text: str) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(text)
    said = run("--config.file", str(settings))
    assert (said.code, said.out) == (2, "")
    assert said.err == "--config.file: has a YAML tag (!) in line 1; remove it, and quote the value if it is text\n"


@pytest.mark.parametrize(
    "variables",
    [{"SOURCE_REVISION": "\udcff\n"}, {"PROMETHEUS_MULTIPROC_DIR": "/nonexistent"}, {"prometheus_multiproc_dir": "/"}],
)
def test_R08_variables_of_others_do_not_spoil_the_page(base_url: str, variables: dict[str, str]) -> None:
    said = run("once", "--base-url", base_url, "--log.level", "error", variables=variables)
    assert (said.code, said.err) == (0, "")
    assert f"{UP} 1" in said.out


@pytest.mark.parametrize("command", ["serve", "check", "once"])
@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"ALL_PROXY": "socks5://127.0.0.1:1"}, 2),
        ({"HTTPS_PROXY": f"foo://{KEY}:pw@x:1"}, 2),
        ({"HTTPS_PROXY": f"http://{KEY}:pw@x:1", "NO_PROXY": "http://[::1"}, 1),
    ],
)
def test_R08_a_proxy_that_cannot_be_used_ends_it_with_a_line_that_does_not_show_it(
    command: str, variables: dict[str, str], code: int
) -> None:
    said = run(
        command, "--trust-env", "--web.listen-address", "127.0.0.1:0", "--log.level", "error", variables=variables
    )
    assert said.code == code
    assert "prox" in f"{said.err}{said.out}".lower()
    assert "raceback" not in said.err
    assert "pw@" not in f"{said.err}{said.out}"


def fails_because(exporter: Exporter, reason: str) -> None:
    until(lambda: [each for each in exporter.events("poll failed") if reason in each["reason"]], reason)


def test_R09_without_a_key_it_runs_and_looks_for_one_at_every_interval(base_url: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    arguments = ("--base-url", base_url, "--api-key-file", str(file), *QUICK)
    with running_exporter(*arguments, variables={"LIVEPEER_API_KEY": ""}) as exporter:
        exporter.wait_for("poll failed", 2)
        assert exporter.value(UP) == 0
        assert (auth_failures(exporter) or 0) >= 2
        assert exporter.ask("/readyz").status == exporter.ask("/livez").status == 200
        file.write_text("")  # empty
        fails_because(exporter, "empty")
        file.unlink()
        file.mkdir()  # unreadable, whoever we are
        fails_because(exporter, "cannot be read: Is a directory")
        file.rmdir()
        file.write_text(f"{KEY}\n")
        exporter.becomes(UP, 1)


def wait_for_key(upstream: Upstream, key: str) -> None:
    """Wait until the upstream is asked with a key by a question that is put from now on."""
    under_way = len(upstream.keys) + 1
    until(lambda: f"Bearer {key}" in upstream.keys[under_way:], "the key to be used")


def test_R10_a_rotated_key_is_used_within_one_poll_and_an_empty_read_keeps_the_old_one(tmp_path: Path) -> None:
    upstream = Upstream([live(1)])
    for name, key in (("first", KEY), ("second", f"{KEY}-2")):
        (tmp_path / name).write_text(key)
    file = tmp_path / "key"
    file.symlink_to("first")
    with aside(upstream) as url:
        arguments = ("--base-url", url, "--api-key-file", str(file), *QUICK)
        with running_exporter(*arguments, variables={"LIVEPEER_API_KEY": ""}) as exporter:
            exporter.becomes(UP, 1)
            # By a symlink that is swapped, as Kubernetes does.
            upstream.key = f"{KEY}-2"
            (tmp_path / "new").symlink_to("second")
            (tmp_path / "new").replace(file)
            wait_for_key(upstream, f"{KEY}-2")
            # By truncating and writing; in between the old key stays in use.
            (tmp_path / "second").write_text("")
            wait_for_key(upstream, f"{KEY}-2")
            upstream.key = f"{KEY}-3"
            (tmp_path / "second").write_text(f"{KEY}-3\n")
            wait_for_key(upstream, f"{KEY}-3")
            exporter.wait_for("poll finished", len(exporter.events("poll finished")) + 1)
            failures = exporter.events("poll failed")
            # A poll may have been under way while both sides were changed.
            assert len(failures) <= 2
            assert all(each["failure"] == "auth" for each in failures)


def test_R11_without_descriptors_polls_fail_and_all_is_well_afterwards(base_url: str) -> None:
    with running_exporter("--base-url", base_url, *QUICK) as exporter:
        exporter.becomes(UP, 1)
        resource.prlimit(exporter.process.pid, resource.RLIMIT_NOFILE, (40, 40))
        crowd = [exporter.connect() for _ in range(80)]
        try:
            told = exporter.wait_for("cannot accept a connection")
            assert told["reason"] == "Too many open files"
        finally:
            for each in crowd:
                each.close()
        before = len(exporter.events("poll finished"))
        exporter.wait_for("poll finished", before + 2)
        assert exporter.ask().status == 200


def test_R11_without_descriptors_at_the_start_polling_begins_when_there_are_some(base_url: str) -> None:
    # Seven are enough to listen: the standard streams, three of the loop, the listening socket.
    few = ("prlimit", "--nofile=7:1024")
    with running_exporter("--base-url", base_url, *QUICK, wrapper=few, wait=False) as exporter:
        assert exporter.wait_for("cannot start polling yet")["reason"] == "Too many open files"
        exporter.port = exporter.wait_for("listening")["port"]
        resource.prlimit(exporter.process.pid, resource.RLIMIT_NOFILE, (1024, 1024))
        exporter.becomes(UP, 1)


def test_R11_a_stop_before_polling_could_start_ends_it_with_code_0(base_url: str) -> None:
    with running_exporter("--base-url", base_url, wrapper=("prlimit", "--nofile=7:1024"), wait=False) as exporter:
        exporter.wait_for("cannot start polling yet")
        exporter.signal(signal.SIGTERM)
        assert exporter.ends(5) == 0


def test_R13_the_probe_times_out_while_the_loop_hangs(quiet: Exporter) -> None:
    url = f"http://127.0.0.1:{quiet.port}/livez"
    assert (said := run("healthcheck", "--url", url)).code == 0, said.err
    quiet.signal(signal.SIGSTOP)
    try:
        said = run("healthcheck", "--url", url)
        assert said.code == 1
        assert said.out.startswith("no response")
    finally:
        quiet.signal(signal.SIGCONT)
    assert run("healthcheck", "--url", url).code == 0


def test_R14_a_nasty_name_never_makes_a_second_log_line(quiet: Exporter) -> None:
    quiet.wait_for("poll finished")
    assert all(line.startswith('{"time": ') and line.endswith("}") and line.isprintable() for line in quiet.lines)


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "1>&- 2>&-"])
@pytest.mark.parametrize("command", ["once", "check"])
def test_R15_closed_streams_do_not_disturb_a_command(base_url: str, command: str, closed: str) -> None:
    line = f'exec "$0" -m exporter {command} --base-url "$1" --log.level error {closed}'
    done = subprocess.run(
        ["sh", "-c", line, sys.executable, base_url], cwd=ROOT, env=environment(), capture_output=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_R15_closed_streams_do_not_disturb_the_daemon(base_url: str) -> None:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    line = 'exec "$0" -m exporter --base-url "$1" --web.listen-address "$2" --log.level debug 0<&- 1>&- 2>&-'
    arguments = ["sh", "-c", line, sys.executable, base_url, f"127.0.0.1:{port}"]
    with subprocess.Popen(arguments, cwd=ROOT, env=environment()) as process:
        try:
            exporter = Exporter(process, port=port)
            until(lambda: process.poll() is not None or _answers(exporter), "an answer")
            exporter.becomes(UP, 1)
            exporter.signal(signal.SIGTERM)
            assert exporter.ends(5) == 0
        finally:
            process.kill()


def _answers(exporter: Exporter) -> bool:
    try:
        return exporter.ask("/livez").status == 200
    except OSError:
        return False


def test_a_failing_upstream_leaves_pages_and_probes_alone(tmp_path: Path) -> None:
    upstream = Upstream([live(1)])
    upstream.instead = answering(500, b'{"errors": ["no"]}')
    with aside(upstream) as url, running_exporter("--base-url", url, *QUICK) as exporter:
        exporter.wait_for("poll failed")
        assert exporter.value(UP) == 0
        assert [exporter.ask(path).status for path in ("/", "/livez", "/readyz")] == [200, 200, 200]
