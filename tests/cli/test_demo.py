"""`demo`: serve the metrics of a simulated account."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from exporter.cli.arguments import parse
from exporter.cli.demo import DEMO_SETTINGS, demo, greeting, hold_text
from exporter.cli.terminal import SUCCESS
from exporter.config import Settings, SettingsError
from exporter.logs import Redactor
from tests.cli.output import Output
from tests.cli.settings import ENVIRONMENT
from tests.support.loop import in_loop

pytestmark = pytest.mark.usefixtures("root_logger_as_before")


async def output_until_first_poll(*flags: str, environ: Mapping[str, str] | None = None) -> Output:
    """Run the demo until its first poll, end it by a signal, and return its output; it must end with success."""
    output = Output()
    invocation = parse(["demo", *flags, "--web.listen-address", "127.0.0.1:0", "--log.format", "json"])
    running = asyncio.create_task(demo(invocation, environ or {}, ENVIRONMENT, Redactor(), output.terminal))
    while not running.done() and '"msg": "poll finished"' not in output.err:  # noqa: ASYNC110 - there is no event
        await asyncio.sleep(0.01)
    if not running.done():  # otherwise nothing handles the signal, and it would end the test run
        os.kill(os.getpid(), signal.SIGINT)
    assert await running == SUCCESS
    return output


@in_loop
async def test_the_demo_serves_a_simulated_account_without_the_users_key_until_a_signal() -> None:
    environ = {"LIVEPEER_API_KEY": "the user's own", "LIVEPEER_EXPORTER_API_KEY_FILE": "no-such-file"}
    output = await output_until_first_poll(environ=environ)
    assert "metrics      http://localhost:" in output.out
    assert f'"account": "{DEMO_SETTINGS["account"]}"' in output.err
    assert "the user's own" not in output.err
    assert "poll failed" not in output.err
    assert '"msg": "listening for webhooks"' in output.err


@pytest.mark.parametrize(
    ("address", "base"),
    [
        (":0", "http://localhost:8000"),
        ("127.0.0.1:9877,192.0.2.1:9877", "http://localhost:8000"),
        ("192.0.2.1:9877", "http://192.0.2.1:8000"),
        ("[2001:db8::1]:9877", "http://[2001:db8::1]:8000"),
    ],
)
def test_the_greeting_has_the_urls_of_the_pages(address: str, base: str) -> None:
    text = greeting(Settings(web_listen_address=address, web_telemetry_path="/custom"), 8000)
    assert f"status page  {base}/\n" in text
    assert f"metrics      {base}/custom\n" in text


def test_the_greeting_has_the_scheme_of_the_web_config_file(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    file.write_text("tls_server_config: {cert_file: server.pem, key_file: server.key}\n")
    assert "status page  https://localhost:8000/\n" in greeting(Settings(web_config_file=str(file)), 8000)


@in_loop
async def test_the_text_of_a_key_is_a_file_until_the_end() -> None:
    async with AsyncExitStack() as closing:
        files = [Path(hold_text(closing, text)) for text in ("a key", "a secret")]
        for _ in range(2):
            assert [file.read_text() for file in files] == ["a key", "a secret"]
        # In memory: a container with a read-only root has no writable directory.
        assert sys.platform != "linux" or all(file.is_relative_to("/proc/self/fd") for file in files)
    assert not any(file.exists() for file in files)


@in_loop
async def test_the_key_of_the_users_settings_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("api_key_file: no-such-file\ndetail: account\n")
    output = await output_until_first_poll("--config.file", str(tmp_path / "settings.yaml"), "--api-key-file", "none")
    assert "poll failed" not in output.err


@in_loop
async def test_several_accounts_are_an_error_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("accounts:\n- {name: a, api_key_file: b}\n")
    invocation = parse(["demo", "--config.file", str(tmp_path / "settings.yaml")])
    with pytest.raises(SettingsError, match=r"^accounts \(line 1 of the settings file\): not for the demo"):
        await demo(invocation, {}, ENVIRONMENT, Redactor(), Output().terminal)


@in_loop
async def test_a_shard_of_the_demo_receives_no_webhooks() -> None:
    output = await output_until_first_poll("--shard-count", "2")
    assert "listening for webhooks" not in output.err
