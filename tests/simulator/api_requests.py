"""Requests to a simulator with constant rows."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from exporter.simulator.api import Keys, Row, create_app

KEY = "synthetic-key-of-the-tests"
KEYS = Keys(
    KEY,
    admin="admin-key",
    restricted=frozenset({"restricted-key"}),
    suspended=frozenset({"suspended-key"}),
    orphaned=frozenset({"orphaned-key"}),
)
NOW = 1_800_000_000.0
ERRORS_TYPE = "application/json; charset=utf-8"


class FixedSource:
    """Constant rows, and the times at which they were requested."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self.times: list[float] = []

    def rows(self, now: float) -> Sequence[Row]:
        self.times.append(now)
        return self._rows


def row(number: int, **fields: Any) -> Row:
    return {
        "id": f"{number:08x}-0000-4000-8000-000000000000",
        "name": f"name {number}",
        "lastSeen": 1_000 * number,
        "createdAt": 500 * number,
        "parentId": f"parent-{number % 3}",
        "record": number % 2 == 0,
        "parentStream": {"streamKey": f"synthetic-{number}"},
    } | fields


def rows_of(count: int) -> list[Row]:
    return [row(number) for number in range(1, count + 1)]


def get(
    rows: Sequence[Row],
    path: str = "/session",
    *,
    authorization: str | None = f"Bearer {KEY}",
    host: str = "studio.test",
    method: str = "GET",
    base: str = "/api",
    app: Mapping[str, Any] | None = None,
    **parameters: Any,
) -> httpx.Response:
    """Send one request; `app` are further arguments of `create_app`."""
    api = create_app(FixedSource(rows), key=KEYS, now=lambda: NOW, **(app or {}))
    headers = {"Authorization": authorization} if authorization is not None else {}

    async def request() -> httpx.Response:
        transport = httpx.ASGITransport(api)
        async with httpx.AsyncClient(transport=transport, base_url=f"https://{host}") as client:
            return await client.request(method, f"{base}{path}", params=parameters or None, headers=headers)

    return asyncio.run(request())


def numbers(response: httpx.Response) -> list[int]:
    assert response.status_code == 200, response.text
    return [int(item["id"][:8], 16) for item in response.json()]


def filters(*conditions: dict[str, Any]) -> str:
    return json.dumps(conditions)


def error(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == ERRORS_TYPE
    (text,) = response.json()["errors"]
    assert list(response.json()) == ["errors"]
    return response.status_code, text
