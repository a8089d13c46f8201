"""Every setting: its name, kind, default and meaning, and which of them contradict each other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from exporter.config.account import Account, AccountEntry, Detail, default_deadline, default_staleness
from exporter.config.address import Address
from exporter.config.values import (
    BaseUrl,
    Budget,
    Connections,
    FilePath,
    HeaderBytes,
    Interval,
    Key,
    Label,
    ListenAddress,
    PageLimit,
    Patience,
    ShardCount,
    ShardIndex,
    Span,
    StreamIds,
    Switch,
    TelemetryPath,
    Word,
    Workers,
    is_loopback,
)

DEFAULT_LISTEN_ADDRESS: Final = Address("0.0.0.0", 9877)  # noqa: S104  # Prometheus scrapes from another machine
"""The address that is listened on by default; 9877 is our port."""


def _setting(group: str, default: object, meaning: str) -> Any:
    return Field(default=default, description=meaning, json_schema_extra={"group": group})


def _not_empty(value: object) -> object:
    if value == []:
        raise ValueError("is set but empty; leave it out to poll a single account")
    return value


def _derived(group: str, default: Callable[[dict[str, Any]], object], meaning: str) -> Any:
    # The default follows settings above it, so that `--poll-interval 5s` alone makes sense.
    return Field(default_factory=default, description=meaning, json_schema_extra={"group": group})


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Settings that cannot hold together: `fields` name them, the first is to blame; `text` has them in braces."""

    fields: tuple[str, ...]
    text: str


class Contradictions(ValueError):
    """All the contradictions found at once, in `found`."""

    def __init__(self, found: tuple[Contradiction, ...]) -> None:
        super().__init__("; ".join(f"{each.fields[0]} {each.text}" for each in found))
        self.found = found


class Settings(BaseSettings):
    """All that can be set, as one frozen value. Durations are seconds; an empty `stream_ids` means all streams.

    Made in Python it takes its arguments alone: only `exporter.settings.load` looks at the environment and at
    the settings file, and only at those it is given.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    config_file: FilePath | None = _setting("Files", None, "settings file in YAML; read again on SIGHUP")

    web_listen_address: ListenAddress = _setting(
        "Web", DEFAULT_LISTEN_ADDRESS, "where to listen; `:9877` and `[::]:9877` too, port 0 for any free one"
    )
    web_health_listen_address: ListenAddress | None = _setting(
        "Web", None, "a plain port of their own for the probes `/livez` and `/readyz`"
    )
    web_telemetry_path: TelemetryPath = _setting("Web", "/metrics", "path of the page for Prometheus")
    web_config_file: FilePath | None = _setting(
        "Web", None, "TLS and basic auth, in the format of Prometheus's exporter-toolkit"
    )
    web_max_connections: Connections = _setting(
        "Web", 512, "most connections at once; for one more, the one that has been silent longest is closed"
    )
    web_max_header_bytes: HeaderBytes = _setting("Web", 16_384, "most bytes of a request's line and headers together")
    web_header_timeout: Patience = _setting("Web", 10.0, "longest time for the headers of a request, and for TLS")
    web_answer_timeout: Patience = _setting("Web", 60.0, "longest time for a client to take the whole answer")
    web_idle_timeout: Patience = _setting("Web", 120.0, "longest time between an answer and the next request")

    log_level: Annotated[Literal["debug", "info", "warning", "error"], Word] = _setting(
        "Logs", "info", "the least important lines that are written"
    )
    log_format: Annotated[Literal["auto", "plain", "json"], Word] = _setting(
        "Logs", "auto", "form of the log lines; `auto` is plain on a terminal, else json"
    )

    base_url: BaseUrl = Field(
        default="https://livepeer.studio/api",
        description="address of the API; http only to this machine, or when allowed",
        json_schema_extra={"group": "Livepeer"},
        repr=False,
    )
    allow_insecure_http: Switch = _setting(
        "Livepeer", False, "allow a base URL with plain http to another machine: the key crosses the network readable"
    )
    api_key: Key | None = _setting("Livepeer", None, "the API key itself; only from the environment")
    api_key_file: FilePath | None = _setting(
        "Livepeer", None, "file that holds the API key; read again when it changes"
    )
    account: Label = _setting("Livepeer", "default", "value of the label `account`")
    stream_ids: StreamIds = _setting("Livepeer", (), "only these parent streams, with commas between their ids")
    account_entries: Annotated[tuple[AccountEntry, ...], BeforeValidator(_not_empty)] = Field(
        default=(),
        validation_alias="accounts",
        description="several accounts, each with a name and a key file of its own",
        json_schema_extra={"group": "Livepeer"},
    )
    ca_file: FilePath | None = _setting("Livepeer", None, "trust these certificate authorities instead of the usual")
    trust_env: Switch = _setting(
        "Livepeer", False, "obey the proxy variables of the environment (HTTPS_PROXY and so on)"
    )

    poll_interval: Interval = _setting("Polling", 30.0, "time from one poll to the next, at least 1s")
    poll_deadline: Span = _derived(
        "Polling",
        lambda above: default_deadline(above["poll_interval"]),
        "longest time for a poll; shorter than the interval, and by default 25/30 of an interval of 25s or less",
    )
    request_timeout: Span = _derived(
        "Polling",
        lambda above: min(10.0, above["poll_deadline"]),
        "longest time for one request; by default never longer than the deadline",
    )
    max_staleness: Span = _derived(
        "Polling",
        lambda above: default_staleness(above["poll_interval"]),
        "age at which data that could not be renewed disappears; by default at least two intervals",
    )
    walk_concurrency: Workers = _setting("Polling", 6, "requests side by side in one poll, 1 to 32")
    page_limit: PageLimit = _setting("Polling", 1000, "sessions asked for in one page, 1 to 1000")

    session_window: Span = _setting("Sessions", 3600.0, "how long after it was last seen a session is shown")
    recording_window: Span = _derived(
        "Sessions",
        lambda above: max(4 * 3600.0, above["session_window"]),
        "how long a session with an unfinished or failed recording is shown; by default at least the session window",
    )
    active_window: Span = _derived(
        "Sessions",
        lambda above: min(90.0, above["session_window"]),
        "how recently a session was seen to count as active; by default at most the session window",
    )

    detail: Detail = _setting(
        "Series", "session", "series for each session, sums for each stream, or account totals alone"
    )
    max_series: Budget = _setting(
        "Series", 200_000, "most series about sessions; active sessions first, then the most recently seen"
    )
    issue_texts: Switch = _setting("Series", True, "show the texts of a session's issues")
    profile_series: Switch = _setting("Series", False, "show series for each transcoding profile")
    playback_ids: Switch = _setting("Series", False, "show the playback id as a label")
    project_ids: Switch = _setting("Series", False, "show the project id as a label")

    shard_index: ShardIndex = _setting("Shards", 0, "which shard this is, from 0; a StatefulSet's pod name will do")
    shard_count: ShardCount = _setting("Shards", 1, "how many shards share the sessions")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave out the sources that pydantic-settings would read by itself."""
        return (init_settings,)

    @model_validator(mode="after")
    def _hold_together(self) -> Self:
        if found := tuple(_contradictions(self)):
            raise Contradictions(found)
        return self

    @property
    def accounts(self) -> tuple[Account, ...]:
        """The accounts to poll, at least one: those of `accounts` in the settings file, else the single one."""
        if not self.account_entries:
            return (self._account(self.account, self.api_key, None),)
        return tuple(self._account(entry.name, None, entry) for entry in self.account_entries)

    def _account(self, name: str, api_key: SecretStr | None, entry: AccountEntry | None) -> Account:
        interval = (entry and entry.poll_interval) or self.poll_interval
        deadline = self.poll_deadline if self.poll_deadline < interval else default_deadline(interval)
        return Account(
            name=name,
            base_url=(entry and entry.base_url) or self.base_url,
            api_key=api_key,
            api_key_file=entry.api_key_file if entry else self.api_key_file,
            stream_ids=entry.stream_ids if entry else self.stream_ids,
            poll_interval=interval,
            poll_deadline=deadline,
            request_timeout=min(self.request_timeout, deadline),
            session_window=self.session_window,
            recording_window=self.recording_window,
            active_window=self.active_window,
            max_staleness=max(self.max_staleness, 2 * interval) if entry else self.max_staleness,
            walk_concurrency=self.walk_concurrency,
            page_limit=self.page_limit,
            detail=(entry and entry.detail) or self.detail,
        )


def _contradictions(settings: Settings) -> Iterator[Contradiction]:
    if settings.poll_deadline >= settings.poll_interval:
        yield Contradiction(("poll_deadline", "poll_interval"), "must be shorter than {poll_interval}")
    if settings.request_timeout > settings.poll_deadline:
        yield Contradiction(("request_timeout", "poll_deadline"), "must not be longer than {poll_deadline}")
    if settings.max_staleness < settings.poll_interval:
        yield Contradiction(
            ("max_staleness", "poll_interval"), "must not be shorter than {poll_interval}, or good data would disappear"
        )
    if settings.active_window > settings.session_window:
        yield Contradiction(("active_window", "session_window"), "must not be longer than {session_window}")
    if settings.recording_window < settings.session_window:
        yield Contradiction(("recording_window", "session_window"), "must not be shorter than {session_window}")
    if settings.shard_index >= settings.shard_count:
        yield Contradiction(("shard_index", "shard_count"), "must be less than {shard_count}")
    listen = settings.web_listen_address
    if listen == settings.web_health_listen_address and listen.port:
        yield Contradiction(
            ("web_health_listen_address", "web_listen_address"), "must not be the same as {web_listen_address}"
        )
    if settings.api_key and settings.api_key_file:
        yield Contradiction(("api_key", "api_key_file"), "more than one source for the key: {api_key_file} is set too")
    yield from _account_contradictions(settings)


def _account_contradictions(settings: Settings) -> Iterator[Contradiction]:
    readable = "is plain http to another machine; use https, or {allow_insecure_http} if everybody may read the key"
    if not settings.allow_insecure_http:
        if _crosses_network(settings.base_url):
            yield Contradiction(("base_url", "allow_insecure_http"), readable)
        for index, entry in enumerate(settings.account_entries):
            if entry.base_url and _crosses_network(entry.base_url):
                yield Contradiction((f"accounts[{index}].base_url", "allow_insecure_http"), readable)
    if settings.account_entries:
        for name in ("account", "api_key", "api_key_file", "stream_ids"):
            if name in settings.model_fields_set:
                yield Contradiction((name, "accounts"), "is for a single account; {accounts} is set too")
    names = [entry.name for entry in settings.account_entries]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Contradiction((f"accounts[{index}].name", "accounts"), "is the name of another account too")


def _crosses_network(url: str) -> bool:
    return url.startswith("http://") and not is_loopback(url)
