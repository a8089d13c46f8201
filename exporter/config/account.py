"""One account of Livepeer Studio: as the settings file writes it, and as the poller uses it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from exporter.config.values import BaseUrl, FilePath, Interval, Label, StreamIds, Word

Detail = Annotated[Literal["session", "stream", "account"], Word]
"""How finely the sessions are told apart in the metrics."""


@dataclass(frozen=True, slots=True)
class Account:
    """What is polled, and how. Durations and windows are in seconds; `stream_ids` is empty for all streams.

    At most one of `api_key` and `api_key_file` is given. With neither, or with a file that cannot be read,
    the account is still polled, slowly, and counts as down.
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
    active_window: float
    max_staleness: float
    walk_concurrency: int
    page_limit: int
    detail: Literal["session", "stream", "account"]


class AccountEntry(BaseModel):
    """One item of `accounts` in the settings file; what it leaves out is as for the whole program."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Label
    api_key_file: FilePath
    base_url: BaseUrl | None = Field(default=None, repr=False)
    stream_ids: StreamIds = ()
    poll_interval: Interval | None = None
    detail: Detail | None = None


def default_deadline(interval: float) -> float:
    """Return the default deadline of a poll: 25 s, or 25/30 of an interval too short for that. Seconds."""
    return 25.0 if interval > 25.0 else interval * 25 / 30


def default_staleness(interval: float) -> float:
    """Return the default age at which data disappears: 5 min, or two intervals if those are longer. Seconds."""
    return max(300.0, 2 * interval)
