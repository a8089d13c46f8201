"""Settings: defaults that depend on each other, and accounts."""

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from pydantic import ValidationError

from exporter.config import Account, Settings, load
from tests.config.loads import SECRET, file_problems, load_file


def test_the_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().page_limit = 3  # type: ignore[misc]


def test_V07_there_is_no_default_deadline_and_polls_are_bounded_by_the_staleness() -> None:
    settings = load({"poll_interval": "6s"}, {}).settings
    assert (settings.poll_deadline, settings.request_timeout) == (None, 10.0)
    assert settings.accounts[0].poll_deadline == (300 - 6) / 2


def test_the_maximum_duration_of_a_poll_shortens_the_default_timeout() -> None:
    assert load({"poll_deadline": "5s"}, {}).settings.request_timeout == 5.0
    assert load({"max_staleness": "36s"}, {}).settings.request_timeout == 3.0


def test_V07_a_deadline_adjusts_to_the_interval_of_an_account(tmp_path: Path) -> None:
    studio, events, slow = load_file(tmp_path, "poll_deadline: 20s\n" + ACCOUNTS).settings.accounts
    assert (studio.poll_deadline, events.poll_deadline, slow.poll_deadline) == (20.0, 10.0, 20.0)


def test_a_long_interval_lengthens_the_default_staleness() -> None:
    assert load({"poll_interval": "10m"}, {}).settings.max_staleness == 1200.0


def test_the_session_window_adjusts_the_defaults_of_the_other_windows() -> None:
    assert load({"session_window": "1d"}, {}).settings.recording_window == 86_400.0
    assert load({"session_window": "1m"}, {}).settings.active_window == 60.0


def test_without_accounts_there_is_a_single_account() -> None:
    settings = load(
        {"account": "studio", "stream_ids": "a,b", "poll_interval": "6s", "detail": "stream"},
        {"LIVEPEER_API_KEY": SECRET},
    ).settings
    (account,) = settings.accounts
    assert account == Account(
        name="studio",
        base_url="https://livepeer.studio/api",
        api_key=settings.api_key,
        api_key_file=None,
        stream_ids=("a", "b"),
        poll_interval=6.0,
        poll_deadline=147.0,
        request_timeout=10.0,
        session_window=3600.0,
        recording_window=14_400.0,
        recording_interval=300.0,
        active_window=90.0,
        max_staleness=300.0,
        walk_concurrency=2,
        page_limit=1000,
        detail="stream",
    )
    with pytest.raises(FrozenInstanceError):
        account.name = "other"  # type: ignore[misc]


ACCOUNTS = """\
page_limit: 500
accounts:
  - {name: studio, api_key_file: keys/studio}
  - name: events
    api_key_file: keys/events
    base_url: http://localhost:8080/api/
    stream_ids: [a]
    poll_interval: 12s
    detail: account
  - {name: slow, api_key_file: keys/slow, poll_interval: 10m}
"""


def test_an_account_overrides_the_global_settings(tmp_path: Path) -> None:
    studio, events, slow = load_file(tmp_path, ACCOUNTS).settings.accounts
    assert (studio.name, studio.api_key, studio.api_key_file) == ("studio", None, Path("keys/studio"))
    assert (studio.page_limit, studio.poll_interval, studio.detail) == (500, 30.0, "session")
    assert (events.base_url, events.stream_ids, events.detail) == ("http://localhost:8080/api", ("a",), "account")
    assert (events.poll_interval, events.poll_deadline, events.request_timeout) == (12.0, 144.0, 10.0)
    assert (slow.poll_deadline, slow.max_staleness) == (300.0, 1200.0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "accounts: []",
            "accounts (line 1 of the settings file): must not be empty; omit it to poll a single account",
        ),
        (
            "accounts:",
            "accounts (line 1 of the settings file): must not be empty; omit it to poll a single account",
        ),
        ("accounts: 3", "accounts (line 1 of the settings file): must be a list"),
        ("accounts:\n- x", "accounts[0]: must be a mapping with keys such as name"),
        ("accounts:\n- name: a", "accounts[0].api_key_file: is required"),
        (
            "accounts:\n- {name: a, api_key_file: k}\n- {name: a, api_key_file: k}",
            "accounts[1].name (line 3 of the settings file): must be unique; another account has this name",
        ),
        (
            "accounts:\n- {name: a, api_key_file: k, nam: b}",
            "accounts[0].nam (line 2 of the settings file): unknown setting; did you mean name?",
        ),
        (
            f"accounts:\n- {{name: a, api_key_file: k, api_key: {SECRET}}}",
            (
                "accounts[0].api_key (line 2 of the settings file): the settings file must not contain an API key; "
                "use api_key_file or an environment variable"
            ),
        ),
        (
            "accounts:\n- {name: a, api_key_file: k, base_url: 'http://example.com'}",
            (
                "accounts[0].base_url (line 2 of the settings file): is plain http to another host, "
                "which exposes the API key; use https or --allow-insecure-http"
            ),
        ),
        (
            "account: x\naccounts:\n- {name: a, api_key_file: k}",
            (
                "account (line 1 of the settings file): applies to a single account only; "
                "remove it, or remove accounts (line 2 of the settings file)"
            ),
        ),
    ],
)
def test_an_error_in_an_account_names_its_place(tmp_path: Path, text: str, problem: str) -> None:
    assert file_problems(tmp_path, text) == (problem,)


def test_accounts_conflict_with_an_api_key_for_a_single_account(tmp_path: Path) -> None:
    (problem,) = file_problems(tmp_path, ACCOUNTS, {"LIVEPEER_API_KEY": SECRET})
    assert problem.startswith(
        "LIVEPEER_API_KEY: applies to a single account only; remove it, or remove accounts (line 2"
    )
