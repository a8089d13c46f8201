"""The rate limit of the web config file."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from exporter.server.rate_limit import RateLimiter, TokenBucket
from exporter.server.web_config import RateLimit, WebConfig
from tests.server.raw_client import GET, RawClient, Response, run, running_listener, static_app

LIVEZ = GET.replace(b"/metrics", b"/livez")


@dataclass
class LimitedApp:
    """An application behind `RateLimiter`, with a clock that a test sets."""

    config: WebConfig
    seconds: float = 0.0
    limiter: RateLimiter = field(init=False)

    def __post_init__(self) -> None:
        self.limiter = RateLimiter(
            static_app(), lambda: self.config, exempt_paths=("/livez", "/readyz"), monotonic=lambda: self.seconds
        )

    async def responses(self, *requests: bytes) -> list[Response]:
        async with running_listener(self.limiter) as listener:
            client = await RawClient.connect(listener.port)
            received = [await client.request(request) for request in requests]
            await client.close()
        return received

    async def statuses(self, *requests: bytes) -> list[int]:
        return [response.status for response in await self.responses(*requests)]


def test_V14_requests_beyond_the_burst_get_429_until_an_interval_has_passed() -> None:
    async def scenario() -> None:
        app = LimitedApp(WebConfig(rate_limit=RateLimit(interval=10, burst=2)))
        assert await app.statuses(GET, GET, GET) == [200, 200, 429]
        app.seconds += 9.5
        (refused,) = await app.responses(GET)
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        app.seconds += 0.5
        assert await app.statuses(GET, GET) == [200, 429]
        app.seconds += 1000
        assert await app.statuses(GET, GET, GET) == [200, 200, 429]

    run(scenario)


def test_V14_a_refused_request_has_the_configured_headers() -> None:
    async def scenario() -> None:
        headers = ((b"x-frame-options", b"deny"),)
        app = LimitedApp(WebConfig(rate_limit=RateLimit(interval=3600, burst=1), headers=headers))
        _, refused = await app.responses(GET, GET)
        assert refused.headers["x-frame-options"] == "deny"
        assert refused.headers["retry-after"] == "3600"
        assert refused.body == b"Too Many Requests\n"

    run(scenario)


def test_V14_probes_are_neither_limited_nor_counted() -> None:
    async def scenario() -> None:
        app = LimitedApp(WebConfig(rate_limit=RateLimit(interval=10, burst=1)))
        assert await app.statuses(LIVEZ, LIVEZ, GET, GET, LIVEZ) == [200, 200, 200, 429, 200]

    run(scenario)


def test_V14_a_changed_limit_takes_effect_at_once_and_an_unchanged_one_stays() -> None:
    async def scenario() -> None:
        app = LimitedApp(WebConfig(rate_limit=RateLimit(interval=10, burst=1)))
        assert await app.statuses(GET, GET) == [200, 429]
        app.config = WebConfig(rate_limit=RateLimit(interval=10, burst=1), headers=((b"x-frame-options", b"deny"),))
        assert await app.statuses(GET) == [429]
        app.config = WebConfig(rate_limit=RateLimit(interval=10, burst=2))
        assert await app.statuses(GET, GET, GET) == [200, 200, 429]
        app.config = WebConfig()
        assert await app.statuses(GET, GET) == [200, 200]

    run(scenario)


@given(
    burst=st.integers(1, 10),
    interval=st.sampled_from([0.25, 1.0, 8.0]),
    pauses=st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 100.0]), max_size=50),
)
def test_no_period_has_more_requests_than_the_limit_allows(burst: int, interval: float, pauses: list[float]) -> None:
    now = 0.0
    bucket = TokenBucket(RateLimit(interval, burst), lambda: now)
    taken: list[float] = []
    for pause in pauses:
        now += pause
        delay = bucket.take()
        if delay:
            assert 0 < delay <= interval
        else:
            taken.append(now)
    for first, start in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + (taken[last] - start) / interval
