"""Rows R09 and R10 of the fault matrix: API keys that are missing, unreadable or rotated."""

import os
import signal
from pathlib import Path

import pytest

from tests.process.samples import SHORT_INTERVAL, UP
from tests.support.canary import KEY
from tests.support.running import Exporter, running_exporter, wait_until
from tests.support.simulated import Upstream, live_row, serving_in_thread

pytestmark = pytest.mark.process


def auth_failures(exporter: Exporter) -> float | None:
    return exporter.value('livepeer_studio_exporter_poll_failures_total{account="default",class="auth"}')


def wait_for_failure(exporter: Exporter, reason: str) -> None:
    wait_until(lambda: [each for each in exporter.events("poll failed") if reason in each["reason"]], reason)


def test_R09_without_a_key_it_runs_and_reads_the_file_at_every_interval(base_url: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    arguments = ("--base-url", base_url, "--api-key-file", str(file), *SHORT_INTERVAL)
    with running_exporter(*arguments, variables={"LIVEPEER_API_KEY": ""}) as exporter:
        exporter.wait_for_event("poll failed", 2)
        assert exporter.value(UP) == 0
        assert (auth_failures(exporter) or 0) >= 2
        assert exporter.request("/readyz").status == exporter.request("/livez").status == 200
        file.write_text("")
        wait_for_failure(exporter, "empty")
        file.unlink()
        file.mkdir()  # unreadable for every user
        wait_for_failure(exporter, "cannot be read: Is a directory")
        file.rmdir()
        file.write_text(f"{KEY}\n")
        exporter.wait_for_value(UP, 1)


def test_R09_a_pipe_as_key_file_does_not_block_the_pages(tmp_path: Path) -> None:
    pipe = tmp_path / "key"
    os.mkfifo(pipe)
    flags = ("--base-url", "http://127.0.0.1:1/api", "--api-key-file", str(pipe))
    with running_exporter(*flags, variables={"LIVEPEER_API_KEY": ""}) as exporter:
        failed = exporter.wait_for_event("poll failed")
        assert failed["failure"] == "auth"
        assert "Not a regular file" in failed["reason"]
        assert exporter.value('livepeer_studio_up{account="default"}') == 0
        exporter.send_signal(signal.SIGTERM)
        assert exporter.wait_for_exit() == 0


def wait_for_key(upstream: Upstream, key: str) -> None:
    """Wait until the upstream receives a new request with a key."""
    received = len(upstream.authorization_headers) + 1
    wait_until(lambda: f"Bearer {key}" in upstream.authorization_headers[received:], "the key to be used")


def test_R10_a_rotated_key_is_used_within_one_poll_and_an_empty_file_keeps_the_old_one(tmp_path: Path) -> None:
    upstream = Upstream([live_row(1)])
    for name, key in (("first", KEY), ("second", f"{KEY}-2")):
        (tmp_path / name).write_text(key)
    file = tmp_path / "key"
    file.symlink_to("first")
    with serving_in_thread(upstream) as url:
        arguments = ("--base-url", url, "--api-key-file", str(file), *SHORT_INTERVAL)
        with running_exporter(*arguments, variables={"LIVEPEER_API_KEY": ""}) as exporter:
            exporter.wait_for_value(UP, 1)
            # A replaced symlink, as in Kubernetes.
            upstream.key = f"{KEY}-2"
            (tmp_path / "new").symlink_to("second")
            (tmp_path / "new").replace(file)
            wait_for_key(upstream, f"{KEY}-2")
            # A truncated and rewritten file; in between, the old key is used.
            (tmp_path / "second").write_text("")
            wait_for_key(upstream, f"{KEY}-2")
            upstream.key = f"{KEY}-3"
            (tmp_path / "second").write_text(f"{KEY}-3\n")
            wait_for_key(upstream, f"{KEY}-3")
            exporter.wait_for_event("poll finished", len(exporter.events("poll finished")) + 1)
            failures = [each["failure"] for each in exporter.events("poll failed")]
            assert set(failures) <= {"auth", "timeout"}, "timeouts are those of a loaded machine"
            # A poll may have been running while the key was changed on both sides.
            assert failures.count("auth") <= 2
