"""What the statements of a request cost, on a pool that all requests share."""

import asyncio

import pytest

from exporter.simulator.pool import ConnectionPool
from exporter.simulator.query import SqlError
from tests.simulator.api_requests import error, get, rows_of


class Clock:
    """A clock that sleeping does not advance, and the durations of the sleeps."""

    def __init__(self) -> None:
        self.time = 100.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))


def pool_of(connections: int, clock: Clock, *, statement: float = 1.0) -> ConnectionPool:
    return ConnectionPool(statement, connections=connections, timeout=5.0, monotonic=clock.monotonic, sleep=clock.sleep)


def run(pool: ConnectionPool, statements: int) -> None:
    asyncio.run(pool.run(statements))


@pytest.mark.parametrize(("statements", "seconds"), [(1, 1.0), (2, 1.0), (3, 2.0), (12, 6.0)])
def test_a_request_takes_as_long_as_its_statements_on_the_free_connections(statements: int, seconds: float) -> None:
    clock = Clock()
    run(pool_of(2, clock), statements)
    assert clock.slept == [seconds]


def test_concurrent_requests_share_the_connections() -> None:
    clock = Clock()
    pool = pool_of(2, clock)
    run(pool, 4)
    run(pool, 2)
    assert clock.slept == [2.0, 3.0]
    clock.time += 3.0
    run(pool, 1)
    assert clock.slept[-1] == 1.0


def test_a_statement_without_a_connection_in_time_fails_the_request() -> None:
    clock = Clock()
    pool = pool_of(2, clock)
    with pytest.raises(SqlError):
        run(pool, 13)
    assert (clock.slept, pool.statements) == ([5.0], 12)


def test_statements_that_take_no_time_do_not_wait() -> None:
    clock = Clock()
    run(pool_of(1, clock, statement=0.0), 1000)
    assert clock.slept == []


def test_each_page_is_a_statement_and_each_recorded_row_another_one() -> None:
    pool = pool_of(10, Clock(), statement=0.0)
    get(rows_of(9), app={"pool": pool})
    assert pool.statements == 1 + 4
    get(rows_of(9), f"/session/{rows_of(2)[1]['id']}", app={"pool": pool})
    assert pool.statements == 5 + 2


def test_a_page_with_too_many_recorded_rows_is_an_internal_error() -> None:
    pool = pool_of(1, Clock())
    assert error(get(rows_of(20), app={"pool": pool})) == (500, "Internal server error: error")
    assert get(rows_of(8), app={"pool": pool_of(1, Clock())}).status_code == 200
