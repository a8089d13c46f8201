"""One connection without a network: what it asks of its transport."""

import asyncio

from uvicorn import Config
from uvicorn.server import ServerState

from exporter.server.connection import HELD, Connection, Limits
from tests.server.wire import page, run


class Quiet(asyncio.Transport):
    """A transport that notes how much it shall hold."""

    def __init__(self) -> None:
        super().__init__()
        self.high: int | None = None

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high


def test_S08_a_connection_holds_little_beside_the_slice_for_a_slow_reader() -> None:
    async def scenario() -> None:
        config = Config(page(), http=Connection, ws="none", lifespan="off", log_config=None, workers=1)
        transport = Quiet()
        Connection(config, ServerState(), Limits(), lambda: None).connection_made(transport)
        assert transport.high == HELD

    run(scenario)
