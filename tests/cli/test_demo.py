"""`demo`: serve the metrics of a simulated account."""

import asyncio
import os
import signal

import pytest

from exporter.cli.arguments import parse
from exporter.cli.demo import DEMO_SETTINGS, demo
from exporter.cli.terminal import SUCCESS
from exporter.logs import Redactor
from tests.cli.output import Output
from tests.cli.settings import ENVIRONMENT
from tests.support.loop import in_loop

pytestmark = pytest.mark.usefixtures("root_logger_as_before")


@in_loop
async def test_the_demo_serves_a_simulated_account_without_the_users_key_until_a_signal() -> None:
    output = Output()
    environ = {"LIVEPEER_API_KEY": "the user's own", "LIVEPEER_EXPORTER_API_KEY_FILE": "no-such-file"}
    invocation = parse(["demo", "--web.listen-address", "127.0.0.1:0", "--log.format", "json"])
    running = asyncio.create_task(demo(invocation, environ, ENVIRONMENT, Redactor(), output.terminal))
    while not running.done() and 'event": "poll finished"' not in output.err:  # noqa: ASYNC110 - there is no event
        await asyncio.sleep(0.01)
    if not running.done():  # otherwise nothing handles the signal, and it would end the test run
        os.kill(os.getpid(), signal.SIGINT)
    assert await running == SUCCESS
    assert "metrics      http://localhost:" in output.out
    assert f'"account": "{DEMO_SETTINGS["account"]}"' in output.err
    assert "the user's own" not in output.err
    assert "poll failed" not in output.err
    assert 'event": "listening for webhooks"' in output.err


@in_loop
async def test_a_shard_of_the_demo_receives_no_webhooks() -> None:
    output = Output()
    flags = ["--shard-count", "2", "--web.listen-address", "127.0.0.1:0", "--log.format", "json"]
    running = asyncio.create_task(demo(parse(["demo", *flags]), {}, ENVIRONMENT, Redactor(), output.terminal))
    while not running.done() and 'event": "poll finished"' not in output.err:  # noqa: ASYNC110 - there is no event
        await asyncio.sleep(0.01)
    if not running.done():
        os.kill(os.getpid(), signal.SIGINT)
    assert await running == SUCCESS
    assert "listening for webhooks" not in output.err
