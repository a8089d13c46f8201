"""The settings: types, defaults and descriptions."""

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from exporter.config.account import Account, AccountEntry, Detail, default_staleness, longest_poll
from exporter.config.address import Address
from exporter.config.conflicts import SettingsConflicts, find_conflicts
from exporter.config.values import (
    ApiKey,
    BaseUrl,
    Boolean,
    CaseInsensitive,
    Concurrency,
    Duration,
    FilePath,
    HeaderBytes,
    Label,
    ListenAddress,
    ListenAddresses,
    MaxConnections,
    MaxSeries,
    PageLimit,
    PollInterval,
    RequestsPerMinute,
    ShardCount,
    ShardIndex,
    StreamIds,
    TelemetryPath,
    Timeout,
)

DEFAULT_LISTEN_ADDRESS: Final = Address("0.0.0.0", 9877)  # noqa: S104  # Prometheus scrapes from another host


def _setting(group: str, default: object, description: str) -> Any:
    return Field(default=default, description=description, json_schema_extra={"group": group})


def _derived(group: str, default: Callable[[dict[str, Any]], object], description: str) -> Any:
    """Declare a setting whose default depends on settings declared before it."""
    return Field(default_factory=default, description=description, json_schema_extra={"group": group})


def _not_empty(value: object) -> object:
    if value == []:
        raise ValueError("must not be empty; omit it to poll a single account")
    return value


class Settings(BaseSettings):
    """All settings. Durations are in seconds; an empty `stream_ids` means all streams.

    The constructor reads neither the environment nor a file; `exporter.config.load` does.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    config_file: FilePath | None = _setting("Files", None, "settings file in YAML; reloaded on SIGHUP")

    web_listen_address: ListenAddresses = _setting(
        "Web",
        (DEFAULT_LISTEN_ADDRESS,),
        "address to listen on; `:9877` for all interfaces, port 0 for any free port; repeat the flag, or separate "
        "several addresses with commas, to listen on all of them",
    )
    web_health_listen_address: ListenAddress | None = _setting(
        "Web", None, "additional address for the probes `/livez` and `/readyz`, without TLS and authentication"
    )
    web_telemetry_path: TelemetryPath = _setting("Web", "/metrics", "URL path of the metrics")
    web_disable_exporter_metrics: Boolean = _setting(
        "Web",
        False,
        "omit the metrics of the process and detailed metrics of the exporter; shipped rules do not need them",
    )
    web_config_file: FilePath | None = _setting(
        "Web", None, "TLS and basic authentication, in the format of the Prometheus exporter-toolkit"
    )
    web_max_connections: MaxConnections = _setting(
        "Web", 512, "maximum concurrent connections; when full, the longest-idle one is closed"
    )
    web_max_header_bytes: HeaderBytes = _setting(
        "Web", 16_384, "maximum size of a request line and its headers together, in bytes"
    )
    web_header_timeout: Timeout = _setting(
        "Web", 10.0, "timeout for receiving the headers, including the TLS handshake"
    )
    web_response_timeout: Timeout = _setting("Web", 60.0, "timeout for sending a complete response")
    web_idle_timeout: Timeout = _setting("Web", 120.0, "timeout of an idle connection between two requests")

    log_level: Annotated[Literal["debug", "info", "warning", "error"], CaseInsensitive] = _setting(
        "Logs", "info", "minimum level of the log lines"
    )
    log_format: Annotated[Literal["auto", "logfmt", "json"], CaseInsensitive] = _setting(
        "Logs", "auto", "format of the log lines; `auto` is logfmt on a terminal and JSON otherwise"
    )

    base_url: BaseUrl = Field(
        default="https://livepeer.studio/api",
        description="base URL of the API; plain http to loopback only, or with `--allow-insecure-http`",
        json_schema_extra={"group": "Livepeer"},
        repr=False,
    )
    allow_insecure_http: Boolean = _setting(
        "Livepeer", False, "allow plain http to other hosts, which sends the API key unencrypted"
    )
    api_key: ApiKey | None = _setting("Livepeer", None, "API key; environment variable only")
    api_key_file: FilePath | None = _setting("Livepeer", None, "file with the API key; read again when it changes")
    account: Label = _setting("Livepeer", "default", "value of the label `account`")
    stream_ids: StreamIds = _setting("Livepeer", (), "IDs of the parent streams to include, separated by commas")
    account_entries: Annotated[tuple[AccountEntry, ...], BeforeValidator(_not_empty)] = Field(
        default=(),
        validation_alias="accounts",
        description="several accounts, each with its own name and API key file",
        json_schema_extra={"group": "Livepeer"},
    )
    ca_file: FilePath | None = _setting(
        "Livepeer", None, "CA certificates to trust for the API instead of the default ones; a PEM file"
    )
    trust_env: Boolean = _setting(
        "Livepeer",
        False,
        "use the variables of the environment for proxies (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY) and TLS "
        "(SSL_CERT_FILE, SSL_CERT_DIR, SSLKEYLOGFILE)",
    )

    poll_interval: PollInterval = _setting("Polling", 30.0, "time between two polls, at least 1s")
    max_staleness: Duration = _derived(
        "Polling",
        lambda earlier: default_staleness(earlier["poll_interval"]),
        "age at which data expires while polls fail; defaults to two intervals if that is longer",
    )
    poll_deadline: Duration | None = _setting(
        "Polling",
        None,
        "maximum duration of a poll, shorter than the interval; without one, a poll continues while pages arrive, for "
        "at most half of `--max-staleness` less the interval",
    )
    request_timeout: Duration = _derived(
        "Polling",
        lambda earlier: min(
            10.0, longest_poll(earlier["poll_interval"], earlier["max_staleness"], earlier["poll_deadline"])
        ),
        "timeout of one API request; defaults to the maximum duration of a poll if that is shorter",
    )
    walk_concurrency: Concurrency = _setting("Polling", 2, "maximum concurrent API requests of one poll, 1 to 32")
    page_limit: PageLimit = _setting("Polling", 1000, "sessions per page of the API, 1 to 1000")

    session_window: Duration = _setting("Sessions", 3600.0, "how long a session is exported after it was last seen")
    recording_window: Duration = _derived(
        "Sessions",
        lambda earlier: max(4 * 3600.0, earlier["session_window"]),
        "how long a session with an unfinished or failed recording is exported after it was last seen; "
        "defaults to the session window if that is longer",
    )
    recording_interval: Duration = _setting(
        "Sessions",
        300.0,
        "time between two requests for recordings before the session window, whose series are kept in between",
    )
    active_window: Duration = _derived(
        "Sessions",
        lambda earlier: min(90.0, earlier["session_window"]),
        "how long a session counts as active after it was last seen; defaults to the session window if that is shorter",
    )

    detail: Detail = _setting("Series", "session", "granularity of the series: per session, per stream, or per account")
    max_series: MaxSeries = _setting(
        "Series",
        200_000,
        "maximum series of sessions and streams; active ones take precedence, then recently seen ones",
    )
    issue_texts: Boolean = _setting("Series", True, "export the issue texts of sessions")
    profile_series: Boolean = _setting("Series", False, "export series per transcoding profile")
    playback_ids: Boolean = _setting("Series", False, "export the playback ID as a label")
    project_ids: Boolean = _setting("Series", False, "export the project ID as a label")

    webhook_listen_address: ListenAddress | None = _setting(
        "Webhooks", None, "address to receive Livepeer's webhooks on; not together with several shards"
    )
    webhook_config_file: FilePath | None = _setting(
        "Webhooks", None, "TLS for the webhooks, in the format of `--web.config.file`"
    )
    webhook_secret_file: FilePath | None = _setting(
        "Webhooks",
        None,
        "file with the secret of the webhook, one per line during a rotation; read again for each call",
    )
    webhook_max_requests_per_minute: RequestsPerMinute = _setting(
        "Webhooks", 60, "maximum API requests per minute and account that webhooks cause, 3 to 6000"
    )

    shard_index: ShardIndex = _setting("Shards", 0, "index of this shard, from 0, or its StatefulSet pod name")
    shard_count: ShardCount = _setting("Shards", 1, "number of shards among which the sessions are divided")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the signature of pydantic-settings
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Disable the sources that pydantic-settings would read by itself."""
        return (init_settings,)

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        if conflicts := tuple(find_conflicts(self)):
            raise SettingsConflicts(conflicts)
        return self

    @property
    def accounts(self) -> tuple[Account, ...]:
        """The accounts to poll: those of `accounts` in the settings file, or else a single one."""
        if not self.account_entries:
            return (self._account(self.account, self.api_key, None),)
        return tuple(self._account(entry.name, None, entry) for entry in self.account_entries)

    def _account(self, name: str, api_key: SecretStr | None, entry: AccountEntry | None) -> Account:
        interval = (entry and entry.poll_interval) or self.poll_interval
        max_staleness = max(self.max_staleness, 2 * interval) if entry else self.max_staleness
        deadline = longest_poll(interval, max_staleness, self.poll_deadline)
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
            recording_interval=self.recording_interval,
            active_window=self.active_window,
            max_staleness=max_staleness,
            walk_concurrency=self.walk_concurrency,
            page_limit=self.page_limit,
            detail=(entry and entry.detail) or self.detail,
            webhook_secret_file=entry.webhook_secret_file if entry else self.webhook_secret_file,
            webhook_max_requests_per_minute=self.webhook_max_requests_per_minute,
        )
