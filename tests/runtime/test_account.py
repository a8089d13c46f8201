"""When an account is polled next after its settings have changed."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from exporter.config import Account, Settings
from exporter.runtime.account import digest_credentials, rescaled_delay
from tests.runtime.apps import ENVIRONMENT


@pytest.mark.parametrize(
    ("interval", "is_failing", "expected"),
    [
        (60.0, False, 20.0),
        (30.0, False, 10.0),
        (120.0, False, 40.0),
        (60.0, True, 20.0),
        (30.0, True, 20.0),
        (120.0, True, 40.0),
    ],
)
def test_the_delay_is_scaled_with_the_interval_and_never_shortened_after_a_failure(
    interval: float, is_failing: bool, expected: float
) -> None:
    assert rescaled_delay(20.0, previous_interval=60.0, interval=interval, is_failing=is_failing) == expected


def account(**changes: object) -> Account:
    return replace(Settings(api_key=SecretStr("one")).accounts[0], **changes)  # type: ignore[arg-type]


def test_credentials_differ_with_the_key_and_with_the_base_url() -> None:
    accounts = [account(), account(api_key=SecretStr("two")), account(base_url="https://example.com/api")]
    assert len({digest_credentials(each, ENVIRONMENT) for each in accounts}) == 3


def test_credentials_do_not_differ_with_other_settings() -> None:
    assert digest_credentials(account(poll_interval=5.0), ENVIRONMENT) == digest_credentials(account(), ENVIRONMENT)


def test_credentials_follow_the_content_of_the_key_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    with_file = account(api_key=None, api_key_file=file)
    digests = [digest_credentials(with_file, ENVIRONMENT)]  # the file is missing
    for key in ("one", "two"):
        file.write_text(key)
        digests.append(digest_credentials(with_file, ENVIRONMENT))
    assert len(set(digests)) == 3
    assert digests[1] == digest_credentials(account(), ENVIRONMENT)
