"""Builds each object of the program from the settings; every function here only passes values on."""

import ssl
from collections.abc import Callable

from exporter.config import Account, Settings
from exporter.livepeer import transport
from exporter.livepeer.api_key import APIKey
from exporter.livepeer.client import LivepeerClient
from exporter.livepeer.endpoint import Meter, SessionsEndpoint
from exporter.livepeer.id_range import ALL_IDS
from exporter.livepeer.page_reader import OnPage, no_progress
from exporter.livepeer.query import Scope
from exporter.livepeer.server_clock import ServerClock
from exporter.livepeer.transport import HTTPClient
from exporter.metrics.catalogue import Options
from exporter.metrics.instruments import Telemetry
from exporter.metrics.page_store import PageStore
from exporter.metrics.process import Process
from exporter.metrics.series_limit import SeriesBudget
from exporter.polling.plan import Plan
from exporter.polling.poller import Poller, StreamPolling
from exporter.runtime.environment import Environment
from exporter.sessions.snapshot import Windows


def create_page_store(settings: Settings, environment: Environment) -> PageStore:
    """Create an empty page store."""
    options = Options(
        issue_texts=settings.issue_texts,
        profile_series=settings.profile_series,
        playback_ids=settings.playback_ids,
        project_ids=settings.project_ids,
    )
    return PageStore(options, SeriesBudget(settings.max_series), environment.monotonic)


def create_process_metrics(settings: Settings, environment: Environment, page_store: PageStore) -> Process:
    """Create the metrics of the process itself."""
    return Process(
        revision=environment.revision,
        series=page_store.series,
        series_limit=settings.max_series,
        shard=(settings.shard_index, settings.shard_count),
        now=environment.now,
        reduced=settings.web_disable_exporter_metrics,
    )


def create_telemetry(account: str, settings: Settings) -> Telemetry:
    """Create the instruments of the account with this name."""
    return Telemetry(account, reduced=settings.web_disable_exporter_metrics)


def create_http_client(account: Account, settings: Settings, ssl_context: ssl.SSLContext) -> HTTPClient:
    """Create the HTTP client of an account, which the caller closes.

    Args:
        account: the account.
        settings: the settings that all accounts share.
        ssl_context: the TLS context that all accounts share.

    Raises:
        OSError: the proxy variables of the environment cannot be used.
    """
    try:
        return transport.create_http_client(
            ssl_context, trust_env=settings.trust_env, connections=account.walk_concurrency
        )
    except Exception as error:
        if isinstance(error, OSError) or not settings.trust_env:
            raise
        # httpx has no common error for unusable proxies, and the texts of its errors contain the proxy's password.
        raise OSError("cannot use the proxy variables of the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY)") from None


def create_api_key(account: Account, environment: Environment) -> APIKey:
    """Create the source of an account's API key."""
    given = account.api_key.get_secret_value() if account.api_key else None
    return APIKey(given, account.api_key_file, environment.redact)


def create_livepeer_client(
    http_client: HTTPClient,
    account: Account,
    settings: Settings,
    environment: Environment,
    meter: Meter,
    permit: Callable[[], None] = lambda: None,
) -> LivepeerClient:
    """Create an API client of an account.

    Args:
        http_client: sends the requests.
        account: the account.
        settings: the settings that all accounts share.
        environment: clocks, randomness and the log redactor.
        meter: receives measurements of the requests.
        permit: called before each request.
    """
    endpoint = SessionsEndpoint(
        http_client,
        account.base_url,
        key=create_api_key(account, environment),
        clock=ServerClock(environment.now, environment.monotonic),
        meter=meter,
        jitter=environment.jitter,
        sleep=environment.sleep,
        request_timeout=account.request_timeout,
        concurrency=account.walk_concurrency,
        permit=permit,
    )
    return LivepeerClient(
        endpoint,
        page_limit=account.page_limit,
        # All shards together send as many requests at a time as a single exporter would.
        parts=max(1, account.walk_concurrency // settings.shard_count),
    )


def create_plan(account: Account, settings: Settings) -> Plan:
    """Create the plan by which an account is polled."""
    return Plan(
        account=account.name,
        base_url=account.base_url,
        interval=account.poll_interval,
        recording_interval=account.recording_interval,
        deadline=account.poll_deadline,
        max_staleness=account.max_staleness,
        detail=account.detail,
        scope=_scope(account, settings),
        windows=Windows(session=account.session_window, active=account.active_window),
        shard=(settings.shard_index, settings.shard_count),
    )


def create_poller(
    account: Account,
    settings: Settings,
    environment: Environment,
    client: LivepeerClient,
    telemetry: Telemetry,
    page_store: PageStore,
    on_page: OnPage = no_progress,
    streams: StreamPolling | None = None,
) -> Poller:
    """Create the poller of an account; `on_page` is called after every page of sessions."""
    return Poller(
        create_plan(account, settings),
        client,
        telemetry,
        page_store,
        now=environment.now,
        monotonic=environment.monotonic,
        jitter=environment.jitter,
        on_page=on_page,
        streams=streams,
    )


def _scope(account: Account, settings: Settings) -> Scope:
    """The sessions to request; a shard requests its part of the id space."""
    shards = ALL_IDS.split(settings.shard_count)
    return Scope(
        session_window=account.session_window,
        recording_window=account.recording_window,
        stream_ids=frozenset(account.stream_ids),
        ids=shards[settings.shard_index],
    )
