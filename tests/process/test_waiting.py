"""What the real command must not wait for: name servers, passwords being checked, pipes, full disks."""

import os
import signal
import subprocess
from base64 import b64encode
from pathlib import Path

import bcrypt
import pytest

from tests.support.canary import KEY, heard
from tests.support.running import COMMAND, ROOT, environment, running_exporter, until
from tests.support.simulated import Upstream, aside, live

pytestmark = pytest.mark.process

SLOW = "slow.invalid"
SLOW_NAME_SERVER = f"""\
import socket
import sys
import time

asked = socket.getaddrinfo

def getaddrinfo(host, *rest, **more):
    if host in ("{SLOW}", b"{SLOW}"):
        print("asking", file=sys.stderr, flush=True)
        time.sleep(60)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")
    return asked(host, *rest, **more)

socket.getaddrinfo = getaddrinfo
"""


@pytest.fixture
def slow_name_server(tmp_path: Path) -> dict[str, str]:
    """The variables of a Python whose name server answers after a minute for one host."""
    (tmp_path / "sitecustomize.py").write_text(SLOW_NAME_SERVER)
    return {"PYTHONPATH": str(tmp_path)}


def test_R03_a_name_server_that_does_not_answer_does_not_hold_up_the_end(slow_name_server: dict[str, str]) -> None:
    with running_exporter("--base-url", f"https://{SLOW}/api", variables=slow_name_server) as exporter:
        until(lambda: "asking" in exporter.lines, "the name server to be asked")
        exporter.signal(signal.SIGTERM)
        assert exporter.ends(5) == 0
        assert not [line for line in exporter.lines if "raceback" in line]


def test_R03_once_does_not_wait_for_a_name_server_longer_than_for_the_poll(slow_name_server: dict[str, str]) -> None:
    flags = ("--base-url", f"https://{SLOW}/api", "--poll-interval", "2s", "--poll-deadline", "1s")
    done = subprocess.run(
        [*COMMAND, "once", *flags], cwd=ROOT, env=environment(**slow_name_server), capture_output=True, timeout=30
    )
    heard.take("once", done.stdout + done.stderr)
    assert done.returncode == 1
    assert b"livepeer_studio_up{" in done.stdout


@pytest.fixture
def costly(tmp_path: Path) -> Path:
    """A web config file with a hash that takes long to check."""
    hashed = bcrypt.hashpw(b"open sesame", bcrypt.gensalt(4)).decode().replace("$04$", "$18$")
    path = tmp_path / "web.yml"
    path.write_text(f"basic_auth_users:\n  alice: {hashed}\n")
    return path


def test_R03_passwords_that_wait_to_be_checked_do_not_hold_up_the_end(costly: Path) -> None:
    with (
        aside(Upstream([live(1)])) as url,
        running_exporter("--base-url", url, "--web.config.file", str(costly)) as exporter,
    ):
        exporter.wait_for("poll finished")
        crowd = [exporter.connect() for _ in range(5)]
        try:
            for place, each in enumerate(crowd):
                login = b64encode(b"alice:guess %d" % place)
                each.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic " + login + b"\r\n\r\n")
            assert exporter.ask("/livez").status == 200
            exporter.signal(signal.SIGTERM)
            assert exporter.ends(8) == 0  # they have the grace of a scrape, 3 s; the rest is for a machine under load
        finally:
            for each in crowd:
                each.close()
        assert not [line for line in exporter.lines if "raceback" in line or '"level": "error"' in line]


def test_R09_a_pipe_in_the_place_of_the_key_file_does_not_stop_the_pages(tmp_path: Path) -> None:
    pipe = tmp_path / "key"
    os.mkfifo(pipe)
    flags = ("--base-url", "http://127.0.0.1:1/api", "--api-key-file", str(pipe))
    with running_exporter(*flags, variables={"LIVEPEER_API_KEY": ""}) as exporter:
        failed = exporter.wait_for("poll failed")
        assert failed["failure"] == "auth"
        assert "Not a regular file" in failed["reason"]
        assert exporter.value('livepeer_studio_up{account="default"}') == 0
        exporter.signal(signal.SIGTERM)
        assert exporter.ends(5) == 0


@pytest.mark.parametrize("command", ["once", "check", "metrics", "--help", "--version"])
def test_R15_on_a_full_disk_a_command_answers_1_with_one_line(command: str) -> None:
    with aside(Upstream([live(1)])) as url, Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, command, "--base-url", url, "--log.level", "error"],
            cwd=ROOT,
            env=environment(LIVEPEER_API_KEY=KEY),
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=30,
        )
    assert (done.returncode, done.stderr) == (1, b"livepeer-session-exporter: No space left on device\n")
