"""The real command with two accounts: what happens to one does not disturb the other."""

import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from tests.support.canary import KEY
from tests.support.running import Exporter, running_exporter, running_prometheus, until
from tests.support.simulated import Upstream, answering, aside, live

pytestmark = pytest.mark.process

STALL = 10
"""Seconds: data this old has stalled, at an interval of one second and on a machine that others load too."""

AGE = 'time() - livepeer_studio_snapshot_timestamp_seconds{account="good"}'


def failures(exporter: Exporter, name: str) -> float:
    return exporter.value(f'livepeer_studio_exporter_poll_failures_total{{account="bad",class="{name}"}}') or 0.0


@pytest.mark.prometheus
def test_an_account_that_fails_in_every_way_does_not_stall_the_other(prometheus_binary: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    good, bad = Upstream([live(1)]), Upstream([live(2)])
    with aside(good) as good_url, aside(bad) as bad_url:
        key = str(tmp_path / "key")
        accounts = [
            {"name": "bad", "base_url": bad_url, "api_key_file": key},
            {"name": "good", "base_url": good_url, "api_key_file": key, "poll_interval": "1s"},
        ]
        # The bad account's polls have the time to be repeated, so that they fail with what the API answers.
        (tmp_path / "settings.yaml").write_text(yaml.safe_dump({"accounts": accounts, "poll_interval": "5s"}))
        arguments = ("--config.file", str(tmp_path / "settings.yaml"))
        with running_exporter(*arguments, variables={"LIVEPEER_API_KEY": ""}) as exporter:
            target = {"targets": [f"127.0.0.1:{exporter.port}"]}
            scrape = {"job_name": "livepeer", "scrape_interval": "1s", "static_configs": [target]}
            with running_prometheus(prometheus_binary, tmp_path, {"scrape_configs": [scrape]}) as prometheus:
                until(lambda: prometheus.value('livepeer_studio_up{account="bad"}') == 1, "the bad account, still good")
                bad.instead = answering(500)
                until(lambda: failures(exporter, "server"), "a poll that fails with 500")
                bad.instead = answering(401)
                until(lambda: failures(exporter, "auth"), "a poll that fails with 401")
                until(lambda: prometheus.value('livepeer_studio_up{account="bad"}') == 0, "Prometheus to see it")
                assert prometheus.value('min_over_time(livepeer_studio_up{account="good"}[5m])') == 1
                oldest = prometheus.value(f"max_over_time(({AGE})[5m:1s])")
                assert oldest is not None
                assert oldest < STALL
                # What it had is shown until it is too old.
                assert prometheus.value('livepeer_studio_session_active{account="bad"}') == 1


def test_accounts_are_added_and_removed_by_sighup(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    file = tmp_path / "settings.yaml"
    with aside(Upstream([live(1)])) as url:

        def write(names: Sequence[str]) -> None:
            accounts = [{"name": name, "base_url": url, "api_key_file": str(tmp_path / "key")} for name in names]
            file.write_text(yaml.safe_dump({"accounts": accounts, "poll_interval": "1s"}))

        write(["first"])
        with running_exporter("--config.file", str(file), variables={"LIVEPEER_API_KEY": ""}) as exporter:
            exporter.becomes('livepeer_studio_up{account="first"}', 1)
            write(["first", "second"])
            exporter.signal(signal.SIGHUP)
            exporter.becomes('livepeer_studio_up{account="second"}', 1)
            polls = exporter.value('livepeer_studio_exporter_polls_total{account="second"}')
            write(["second"])
            exporter.signal(signal.SIGHUP)
            exporter.wait_for("settings reloaded", 2)
            page = exporter.ask()
            assert b'account="first"' not in page.body
            assert polls is not None
            assert page.values['livepeer_studio_exporter_polls_total{account="second"}'] >= polls
