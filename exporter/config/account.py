"""One account of Livepeer Studio: its entry in the settings file, and its settings for polling."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from exporter.config.values import BaseUrl, CaseInsensitive, FilePath, Label, PollInterval, StreamIds

Detail = Annotated[Literal["session", "stream", "account"], CaseInsensitive]
"""Granularity of the exported series."""


@dataclass(frozen=True, slots=True)
class Account:
    """Settings of one account. Durations and windows are in seconds; an empty `stream_ids` means all streams.

    At most one of `api_key` and `api_key_file` is set. Without a key, or with an unreadable file, the account is still
    polled, and reported as down.
    """

    name: str
    base_url: str = field(repr=False)
    api_key: SecretStr | None
    api_key_file: Path | None
    stream_ids: tuple[str, ...]
    poll_interval: float
    poll_deadline: float
    request_timeout: float
    session_window: float
    recording_window: float
    recording_interval: float
    active_window: float
    max_staleness: float
    walk_concurrency: int
    page_limit: int
    detail: Literal["session", "stream", "account"]
    webhook_secret_file: Path | None = None
    webhook_max_requests_per_minute: int = 60


class AccountEntry(BaseModel):
    """One item of `accounts` in the settings file. Omitted values default to the global settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Label
    api_key_file: FilePath
    base_url: BaseUrl | None = Field(default=None, repr=False)
    stream_ids: StreamIds = ()
    poll_interval: PollInterval | None = None
    detail: Detail | None = None
    webhook_secret_file: FilePath | None = None


def longest_poll(interval: float, max_staleness: float, deadline: float | None) -> float:
    """Return the maximum duration of a poll's requests in seconds.

    Without a deadline: data is published at most this time after its poll began, the next poll begins within an
    interval after that, and is published within this time again. Then the first data is not yet older than
    `max_staleness`, so it does not expire during a slow poll (V07).

    Args:
        interval: the poll interval.
        max_staleness: age at which data expires.
        deadline: the setting; for an account with a shorter interval, it is 25/30 of the interval instead.
    """
    if deadline is None:
        return max(0.001, (max_staleness - interval) / 2)
    return deadline if deadline < interval else interval * 25 / 30


def default_staleness(interval: float) -> float:
    """Return the default age in seconds at which data expires: 5 min, or two intervals if that is longer."""
    return max(300.0, 2 * interval)
