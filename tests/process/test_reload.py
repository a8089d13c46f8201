"""Rows R04 and V04 of the fault matrix: SIGHUP."""

import os
import signal
from pathlib import Path

import pytest

from tests.process.samples import INTERVAL, RELOADED, UP
from tests.server.certificates import Authority
from tests.support.canary import KEY
from tests.support.running import running_exporter

pytestmark = pytest.mark.process


def test_R04_sighup_reloads_the_settings_and_an_invalid_file_changes_nothing(base_url: str, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("poll_interval: 30s\n")
    with running_exporter("--config.file", str(settings), "--base-url", base_url) as exporter:
        exporter.wait_for_value(UP, 1)
        settings.write_text("poll_interval: 20s\n")
        exporter.send_signal(signal.SIGHUP)
        exporter.wait_for_value(INTERVAL, 20)
        assert exporter.value(RELOADED) == 1

        loaded_at = exporter.value("livepeer_studio_exporter_config_reload_timestamp_seconds")
        settings.write_text(f"poll_interval: never\napi_key: {KEY}\n")
        exporter.send_signal(signal.SIGHUP)
        exporter.wait_for_value(RELOADED, 0)
        failed = "reload failed, the current settings stay in effect"
        exporter.wait_for_event(failed, 2)  # one line per error
        assert len(exporter.events(failed)) == 2
        assert (exporter.value(INTERVAL), exporter.value(UP)) == (20, 1)
        assert exporter.value("livepeer_studio_exporter_config_reload_timestamp_seconds") == loaded_at

        settings.write_text("poll_interval: 10s\n")
        exporter.send_signal(signal.SIGHUP)
        exporter.wait_for_value(RELOADED, 1)
        exporter.wait_for_value(INTERVAL, 10)


def test_R04_a_changed_setting_that_needs_a_restart_is_logged(base_url: str, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("issue_texts: true\n")
    with running_exporter("--config.file", str(settings), "--base-url", base_url) as exporter:
        settings.write_text("issue_texts: false\n")
        exporter.send_signal(signal.SIGHUP)
        assert (
            exporter.wait_for_event("a changed setting takes effect after a restart only")["setting"] == "issue_texts"
        )


def test_R04_a_file_with_a_yaml_tag_changes_nothing(base_url: str, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("poll_interval: 20s\n")
    with running_exporter("--config.file", str(settings), "--base-url", base_url) as exporter:
        settings.write_text(f"issue_texts: !!bool {KEY}\n")
        exporter.send_signal(signal.SIGHUP)
        exporter.wait_for_value(RELOADED, 0)
        assert exporter.value(INTERVAL) == 20


def test_R04_an_unusable_proxy_changes_nothing(base_url: str, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("poll_interval: 30s\n")
    arguments = ("--config.file", str(settings), "--base-url", base_url)
    # The first is rejected while loading the settings, the second by httpx.
    for variables in ({"ALL_PROXY": "socks5://127.0.0.1:1"}, {"HTTP_PROXY": "http://x", "NO_PROXY": "http://[::1"}):
        settings.write_text("poll_interval: 30s\n")
        with running_exporter(*arguments, variables=variables) as exporter:
            settings.write_text("trust_env: true\n")
            exporter.send_signal(signal.SIGHUP)
            exporter.wait_for_value(RELOADED, 0)
            assert exporter.request("/readyz").status == 200


@pytest.mark.parametrize("name", ["settings.yaml", "ca.pem", "web.yaml"])
def test_V04_a_pipe_in_the_place_of_a_file_fails_the_reload_and_the_next_one_works(
    base_url: str, tmp_path: Path, name: str
) -> None:
    settings, authority, web = tmp_path / "settings.yaml", Authority(tmp_path), tmp_path / "web.yaml"
    settings.write_text("poll_interval: 30s\n")
    web.write_text("")
    files = ("--config.file", str(settings), "--ca-file", str(authority.file), "--web.config.file", str(web))
    with running_exporter(*files, "--base-url", base_url) as exporter:
        exporter.wait_for_value(UP, 1)  # the CA file is read after the program listens
        (tmp_path / name).rename(tmp_path / "kept")
        os.mkfifo(tmp_path / name)
        exporter.send_signal(signal.SIGHUP)
        failed = exporter.wait_for_event("reload failed, the current settings stay in effect")
        assert failed["reason"].endswith(": Not a regular file")
        (tmp_path / "kept").rename(tmp_path / name)
        settings.write_text("poll_interval: 20s\n")
        exporter.send_signal(signal.SIGHUP)
        exporter.wait_for_value(INTERVAL, 20)
