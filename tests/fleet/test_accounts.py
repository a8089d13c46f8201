"""The real command with several accounts, which are independent of each other."""

import signal
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.canary import KEY
from tests.support.running import Exporter, running_exporter, wait_until
from tests.support.simulated import Upstream, live_row, never_respond, serving_in_thread, static_response

pytestmark = pytest.mark.process


def write_settings(path: Path, accounts: Iterable[Mapping[str, Any]], **others: str) -> None:
    """Write a settings file, in which all accounts share a key file."""
    key_file = path.with_name("key")
    key_file.write_text(KEY)
    entries = [{"api_key_file": str(key_file), **account} for account in accounts]
    path.write_text(yaml.safe_dump({"accounts": entries, **others}))


def failures(exporter: Exporter, account: str) -> dict[str, float]:
    """Return the number of failed polls of an account by class, without zeros."""
    prefix = f'livepeer_studio_exporter_poll_failures_total{{account="{account}",class="'
    return {
        sample.removeprefix(prefix).removesuffix('"}'): count
        for sample, count in exporter.request().values.items()
        if sample.startswith(prefix) and count
    }


def wait_for_two_snapshots(exporter: Exporter, account: str) -> None:
    """Wait until two more polls of an account have succeeded."""
    sample = f'livepeer_studio_snapshot_timestamp_seconds{{account="{account}"}}'
    seen = {exporter.value(sample)}

    def has_two_more() -> bool:
        seen.add(exporter.value(sample))
        return len(seen) > 2

    wait_until(has_two_more, "two more snapshots")


def test_an_account_is_polled_while_others_fail_or_get_no_response(tmp_path: Path) -> None:
    # Several seconds, since it waits for real polls on intervals of one and two seconds.
    good, failing, hanging = Upstream([live_row(1)]), Upstream([live_row(2)]), Upstream([])
    hanging.override = never_respond
    with (
        serving_in_thread(good) as good_url,
        serving_in_thread(failing) as failing_url,
        serving_in_thread(hanging) as hanging_url,
    ):
        settings = tmp_path / "settings.yaml"
        accounts = (
            {"name": "hanging", "base_url": hanging_url},  # the first one, since the others start after a delay
            {"name": "failing", "base_url": failing_url, "poll_interval": "2s"},
            {"name": "good", "base_url": good_url, "poll_interval": "1s"},
        )
        # A poll that waited for the one of the hanging account would take an hour.
        write_settings(settings, accounts, poll_interval="3h", poll_deadline="2h", request_timeout="1h")
        with running_exporter("--config.file", str(settings), variables={"LIVEPEER_API_KEY": ""}) as exporter:
            exporter.wait_for_value('livepeer_studio_up{account="failing"}', 1)
            wait_until(lambda: hanging.authorization_headers, "a request of the hanging account")
            failing.override = static_response(500)
            wait_until(lambda: failures(exporter, "failing").get("server"), "a poll that fails with 500")
            wait_for_two_snapshots(exporter, "good")
            failing.override = static_response(401)
            wait_until(lambda: failures(exporter, "failing").get("auth"), "a poll that fails with 401")
            wait_for_two_snapshots(exporter, "good")
            assert failures(exporter, "good").keys() <= {"timeout"}, "no failures but those of a machine under load"
            assert exporter.value('livepeer_studio_up{account="failing"}') == 0
            assert exporter.value('livepeer_studio_sessions{account="failing",state="active"}') == 1, "its last data"
            assert failures(exporter, "hanging") == {}, "its poll still waits"


def test_accounts_are_added_and_removed_by_sighup(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    with serving_in_thread(Upstream([live_row(1)])) as url:

        def write_accounts(*names: str) -> None:
            write_settings(settings, [{"name": name, "base_url": url} for name in names], poll_interval="1s")

        write_accounts("first")
        with running_exporter("--config.file", str(settings), variables={"LIVEPEER_API_KEY": ""}) as exporter:
            exporter.wait_for_value('livepeer_studio_up{account="first"}', 1)
            write_accounts("first", "second")
            exporter.send_signal(signal.SIGHUP)
            exporter.wait_for_value('livepeer_studio_up{account="second"}', 1)
            polls = exporter.value('livepeer_studio_exporter_polls_total{account="second"}')
            write_accounts("second")
            exporter.send_signal(signal.SIGHUP)
            exporter.wait_for_event("settings reloaded", 2)
            page = exporter.request()
            assert b'account="first"' not in page.body
            assert polls is not None
            assert page.values['livepeer_studio_exporter_polls_total{account="second"}'] >= polls
