"""Conflicts between settings."""

from collections.abc import Mapping

import pytest
from pydantic import ValidationError

from exporter.config import Settings, load
from tests.config.loads import problems


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            {"poll_interval": "10s", "poll_deadline": "10s"},
            "--poll-deadline: must be shorter than --poll-interval",
        ),
        ({"poll_deadline": "30s"}, "--poll-deadline: must be shorter than --poll-interval"),
        (
            {"poll_deadline": "25s", "request_timeout": "26s"},
            "--request-timeout: must not be longer than --poll-deadline",
        ),
        (
            {"max_staleness": "30s"},
            "--max-staleness: must be longer than --poll-interval; data would expire between polls",
        ),
        (
            {"request_timeout": "136s"},
            (
                "--request-timeout: must not be longer than half of --max-staleness less --poll-interval, "
                "after which a poll ends"
            ),
        ),
        ({"active_window": "2h"}, "--active-window: must not be longer than --session-window"),
        ({"recording_window": "59m"}, "--recording-window: must not be shorter than --session-window"),
        ({"shard_index": "1"}, "--shard-index: must be less than --shard-count"),
        (
            {"web_listen_address": "127.0.0.1:1,127.0.0.1:2", "web_health_listen_address": "127.0.0.1:2"},
            "--web.health-listen-address: must differ from --web.listen-address",
        ),
        (
            {"web_health_listen_address": "0.0.0.0:9877"},
            "--web.health-listen-address: must differ from --web.listen-address",
        ),
    ],
)
def test_a_conflict_names_both_settings(arguments: Mapping[str, str], problem: str) -> None:
    assert problems(arguments) == (problem,)


@pytest.mark.parametrize("host", ["example.com", "10.0.0.1", "localhost.example.com", "127.1", "[::2]"])
def test_U21_plain_http_to_another_host_must_be_allowed_explicitly(host: str) -> None:
    url = f"http://{host}/api"
    (problem,) = problems({"base_url": url})
    assert "plain http" in problem
    assert host not in problem
    assert load({"base_url": url, "allow_insecure_http": True}, {}).settings.base_url == url


def test_settings_created_in_python_are_checked_too() -> None:
    with pytest.raises(ValidationError, match="shard_index must be less than"):
        Settings(shard_index=2, shard_count=2)
