"""One connection with a transport that is not a socket."""

import asyncio

from uvicorn import Config
from uvicorn.server import ServerState

from exporter.server.connection import WRITE_BUFFER_SIZE, Connection, Limits
from tests.server.raw_client import run, static_app


class FakeTransport(asyncio.Transport):
    """Records the limit of its write buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.high: int | None = None

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high


def test_S08_the_write_buffer_of_a_slow_reader_is_small() -> None:
    async def scenario() -> None:
        config = Config(static_app(), http=Connection, ws="none", lifespan="off", log_config=None, workers=1)
        transport = FakeTransport()
        Connection(config, ServerState(), Limits(), lambda: None, lambda: None).connection_made(transport)
        assert transport.high == WRITE_BUFFER_SIZE

    run(scenario)
