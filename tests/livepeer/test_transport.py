"""The HTTP client; what its exceptions become is tested in ``tests/faults``."""

import asyncio

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.livepeer.transport import KEEPALIVE_EXPIRY, create_http_client
from exporter.simulator.api import create_app
from exporter.simulator.serve import serving
from tests.livepeer.clients import SSL_CONTEXT, FixedAccount
from tests.support.canary import KEY
from tests.support.loop import in_loop
from tests.support.rows import START

SERVER_KEEPALIVE = 5.0
"""Seconds after which the API closes an idle connection."""


def test_proxies_of_the_environment_are_used_only_if_enabled() -> None:
    enabled = create_http_client(SSL_CONTEXT, trust_env=True, connections=1)
    disabled = create_http_client(SSL_CONTEXT, trust_env=False, connections=1)
    assert {each.trust_env for each in (enabled.kept, enabled.fresh)} == {True}
    assert {each.trust_env for each in (disabled.kept, disabled.fresh)} == {False}


def test_redirects_are_not_followed() -> None:
    client = create_http_client(SSL_CONTEXT, trust_env=False, connections=1)
    assert {each.follow_redirects for each in (client.kept, client.fresh)} == {False}


def test_httpx_timeouts_are_disabled_since_the_whole_request_has_one() -> None:
    client = create_http_client(SSL_CONTEXT, trust_env=False, connections=1)
    assert [each.timeout for each in (client.kept, client.fresh)] == [httpx.Timeout(None)] * 2


def recording_ports(app: ASGIApp, ports: list[int]) -> ASGIApp:
    """Record the client's port of every request, which identifies its connection."""

    async def recording(scope: Scope, receive: Receive, send: Send) -> None:
        ports.append(scope["client"][1])
        await app(scope, receive, send)

    return recording


@in_loop
async def test_an_idle_connection_is_closed_before_the_server_closes_it() -> None:
    ports: list[int] = []
    api = create_app(FixedAccount(), key=KEY, now=lambda: START)
    idle = (KEEPALIVE_EXPIRY + SERVER_KEEPALIVE) / 2
    async with (
        serving(recording_ports(api, ports)) as url,
        create_http_client(SSL_CONTEXT, trust_env=False, connections=4) as client,
    ):
        for seconds in (0, 0, idle):
            await asyncio.sleep(seconds)
            await client.kept.get(f"{url}/session")
    assert KEEPALIVE_EXPIRY < SERVER_KEEPALIVE
    assert ports[0] == ports[1] != ports[2]
