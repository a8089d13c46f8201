"""The HTTP client; what its exceptions become is tested in ``tests/faults``."""

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.livepeer.transport import KEEPALIVE_EXPIRY, create_http_client
from exporter.simulator.api import create_app
from exporter.simulator.serve import serving
from tests.livepeer.clients import SSL_CONTEXT, FixedAccount
from tests.support.canary import KEY
from tests.support.deadlines import NEVER
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


def test_an_idle_connection_is_closed_before_the_server_closes_it() -> None:
    assert create_http_client.__kwdefaults__ == {"keepalive_expiry": KEEPALIVE_EXPIRY}
    assert KEEPALIVE_EXPIRY < SERVER_KEEPALIVE


@pytest.mark.parametrize(("keepalive_expiry", "is_reused"), [(NEVER, True), (0.0, False)])
@in_loop
async def test_a_connection_is_reused_until_its_expiry(keepalive_expiry: float, is_reused: bool) -> None:
    ports: list[int] = []
    api = create_app(FixedAccount(), key=KEY, now=lambda: START)
    async with (
        serving(recording_ports(api, ports)) as url,
        create_http_client(SSL_CONTEXT, trust_env=False, connections=4, keepalive_expiry=keepalive_expiry) as client,
    ):
        for _ in range(2):
            await client.kept.get(f"{url}/session")
    assert (ports[0] == ports[1]) is is_reused
