"""Conflicts between settings that are valid one by one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.config.values import is_loopback

if TYPE_CHECKING:
    from exporter.config.model import Settings


@dataclass(frozen=True, slots=True)
class Conflict:
    """Settings that exclude each other.

    Attributes:
        fields: the settings, as fields of `Settings` or paths in `accounts`; the message is about the first.
        message: refers to the others in braces, to be replaced by their names in their sources.
    """

    fields: tuple[str, ...]
    message: str


class SettingsConflicts(ValueError):
    """All conflicts of the settings."""

    def __init__(self, conflicts: tuple[Conflict, ...]) -> None:
        super().__init__("; ".join(f"{conflict.fields[0]} {conflict.message}" for conflict in conflicts))
        self.conflicts = conflicts


def find_conflicts(settings: "Settings") -> Iterator[Conflict]:
    """Yield all conflicts."""
    yield from _duration_conflicts(settings)
    if settings.shard_index >= settings.shard_count:
        yield Conflict(("shard_index", "shard_count"), "must be less than {shard_count}")
    health = settings.web_health_listen_address
    if health and health.port and health in settings.web_listen_address:
        yield Conflict(("web_health_listen_address", "web_listen_address"), "must differ from {web_listen_address}")
    yield from _webhook_conflicts(settings)
    if settings.api_key and settings.api_key_file:
        yield Conflict(("api_key", "api_key_file"), "conflicts with {api_key_file}; set only one of them")
    yield from _account_conflicts(settings)


def _duration_conflicts(settings: "Settings") -> Iterator[Conflict]:
    deadline, longest = settings.poll_deadline, (settings.max_staleness - settings.poll_interval) / 2
    if deadline is not None and deadline >= settings.poll_interval:
        yield Conflict(("poll_deadline", "poll_interval"), "must be shorter than {poll_interval}")
    if deadline is not None and settings.request_timeout > deadline:
        yield Conflict(("request_timeout", "poll_deadline"), "must not be longer than {poll_deadline}")
    if settings.max_staleness <= settings.poll_interval:
        yield Conflict(
            ("max_staleness", "poll_interval"), "must be longer than {poll_interval}; data would expire between polls"
        )
    elif deadline is None and settings.request_timeout > longest:
        yield Conflict(
            ("request_timeout", "max_staleness", "poll_interval"),
            "must not be longer than half of {max_staleness} less {poll_interval}, after which a poll ends",
        )
    if settings.active_window > settings.session_window:
        yield Conflict(("active_window", "session_window"), "must not be longer than {session_window}")
    if settings.recording_window < settings.session_window:
        yield Conflict(("recording_window", "session_window"), "must not be shorter than {session_window}")


def _webhook_conflicts(settings: "Settings") -> Iterator[Conflict]:
    address, entries = settings.webhook_listen_address, settings.account_entries
    secrets = [
        f"accounts[{index}].webhook_secret_file" for index, each in enumerate(entries) if each.webhook_secret_file
    ]
    if settings.webhook_secret_file and not entries:
        secrets.append("webhook_secret_file")
    if address is None:
        for name in secrets:
            yield Conflict((name, "webhook_listen_address"), "has no effect without {webhook_listen_address}")
        return
    if not secrets:
        message = "requires {webhook_secret_file}, of at least one account"
        yield Conflict(("webhook_listen_address", "webhook_secret_file"), message)
    if settings.shard_count > 1:
        message = (
            "cannot be combined with {shard_count} greater than 1, since a stream's sessions lie in several shards"
        )
        yield Conflict(("webhook_listen_address", "shard_count"), message)
    for name in ("web_listen_address", "web_health_listen_address"):
        others = settings.web_listen_address if name == "web_listen_address" else (settings.web_health_listen_address,)
        if address.port and address in others:
            yield Conflict(("webhook_listen_address", name), f"must differ from {{{name}}}")


def _account_conflicts(settings: "Settings") -> Iterator[Conflict]:
    insecure = "is plain http to another host, which exposes the API key; use https or {allow_insecure_http}"
    if not settings.allow_insecure_http:
        if _is_insecure(settings.base_url):
            yield Conflict(("base_url", "allow_insecure_http"), insecure)
        for index, entry in enumerate(settings.account_entries):
            if entry.base_url and _is_insecure(entry.base_url):
                yield Conflict((f"accounts[{index}].base_url", "allow_insecure_http"), insecure)
    if settings.account_entries:
        for name in ("account", "api_key", "api_key_file", "stream_ids", "webhook_secret_file"):
            if name in settings.model_fields_set:
                yield Conflict((name, "accounts"), "applies to a single account only; remove it, or remove {accounts}")
    names = [entry.name for entry in settings.account_entries]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Conflict((f"accounts[{index}].name", "accounts"), "must be unique; another account has this name")


def _is_insecure(url: str) -> bool:
    return url.startswith("http://") and not is_loopback(url)
