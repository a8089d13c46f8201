"""Limit for the rate of requests, as ASGI middleware."""

import math
from collections.abc import Callable, Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.server.middleware import respond, with_headers
from exporter.server.web_config import RateLimit, WebConfig


class TokenBucket:
    """A bucket that holds up to `burst` tokens and gains one per interval; it is full at first.

    Args:
        limit: interval and burst.
        monotonic: monotonic clock, in seconds.
    """

    def __init__(self, limit: RateLimit, monotonic: Callable[[], float]) -> None:
        self.limit = limit
        self._monotonic = monotonic
        self._tokens = float(limit.burst)
        self._updated = monotonic()

    def take(self) -> float:
        """Take a token; return 0, or the seconds until there is one."""
        now = self._monotonic()
        gained = (now - self._updated) / self.limit.interval
        self._tokens = min(self._tokens + gained, float(self.limit.burst))
        self._updated = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) * self.limit.interval


class RateLimiter:
    """Respond with 429 to requests beyond the rate limit of the web config file.

    As in the exporter-toolkit, one bucket serves all clients and precedes authentication. Unlike there, paths can be
    exempt, so that scrapes do not make probes fail, and a changed limit takes effect without a restart, with a new
    bucket.

    Args:
        app: ASGI application.
        config: returns the configuration in force.
        exempt_paths: paths without a limit, as the application sees them.
        monotonic: monotonic clock, in seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        config: Callable[[], WebConfig],
        *,
        exempt_paths: Collection[str],
        monotonic: Callable[[], float],
    ) -> None:
        self._app = app
        self._config = config
        self._exempt_paths = frozenset(exempt_paths)
        self._monotonic = monotonic
        self._bucket: TokenBucket | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, or respond with 429."""
        if scope["type"] != "http" or scope["path"] in self._exempt_paths:
            await self._app(scope, receive, send)
            return
        config = self._config()
        delay = self._take(config.rate_limit)
        if delay:
            retry_after = (b"retry-after", str(math.ceil(delay)).encode())
            await respond(with_headers(send, config.headers), 429, b"Too Many Requests\n", retry_after)
        else:
            await self._app(scope, receive, send)

    def _take(self, limit: RateLimit | None) -> float:
        if limit is None:
            self._bucket = None
            return 0.0
        if self._bucket is None or self._bucket.limit != limit:
            self._bucket = TokenBucket(limit, self._monotonic)
        return self._bucket.take()
