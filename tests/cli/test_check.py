"""`check`: the settings, the web config file, and the accounts together."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from exporter.cli.check import check
from exporter.cli.terminal import FAILURE, SUCCESS
from exporter.config import load
from exporter.simulator.serve import serving
from tests.cli.output import Output, statuses
from tests.cli.settings import ENVIRONMENT, settings_for
from tests.support.canary import KEY
from tests.support.loop import in_loop
from tests.support.simulated import Upstream, live_row, static_response


@in_loop
async def test_valid_settings_and_a_readable_page_are_ok() -> None:
    output = Output()
    async with serving(Upstream([live_row(1), live_row(2)])) as url:
        assert await check(settings_for(url), ENVIRONMENT, output.terminal) == SUCCESS
    assert set(statuses(output).values()) == {"ok"}
    assert "API key accepted; 2 sessions in 3 pages read" in output.out


@in_loop
async def test_every_warning_about_the_settings_has_its_own_line() -> None:
    environ = {"LIVEPEER_API_KEY": KEY, "LIVEPEER_EXPORTER_POL_INTERVAL": "5s", "LIVEPEER_EXPORTER_NOTHING": "x"}
    output = Output()
    async with serving(Upstream([live_row(1)])) as url:
        assert await check(load({"base_url": url}, environ), ENVIRONMENT, output.terminal) == SUCCESS
    warnings = [line for line in output.out.splitlines() if re.match(r"settings +warning ", line)]
    assert len(warnings) == 2


@pytest.mark.parametrize(
    ("status", "failure"), [(401, "auth: "), (403, "forbidden: "), (404, "not_found: "), (302, "redirect: ")]
)
@in_loop
async def test_an_error_response_is_a_failure_with_its_class(status: int, failure: str) -> None:
    upstream = Upstream([])
    upstream.override = static_response(status, f"no token {KEY} found".encode())
    output = Output()
    async with serving(upstream) as url:
        assert await check(settings_for(url), ENVIRONMENT, output.terminal) == FAILURE
    assert statuses(output)["account default"] == "failed"
    assert failure in output.out


@in_loop
async def test_a_failing_account_does_not_keep_the_others_from_being_checked(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "wrong").write_text("wrong")
    async with serving(Upstream([live_row(1)])) as url:
        settings = tmp_path / "settings.yaml"
        settings.write_text(
            f"base_url: {url}\n"
            "accounts:\n"
            f"- {{name: a, api_key_file: {tmp_path / 'wrong'}}}\n"
            f"- {{name: b, api_key_file: {tmp_path / 'key'}}}\n"
        )
        output = Output()
        loaded = load({"config_file": str(settings)}, {})
        assert await check(loaded, ENVIRONMENT, output.terminal) == FAILURE
    assert (statuses(output)["account a"], statuses(output)["account b"]) == ("failed", "ok")


@in_loop
async def test_a_missing_ca_file_is_a_failure() -> None:
    output = Output()
    settings = settings_for("https://127.0.0.1/api", ca_file="missing.pem")
    assert await check(settings, ENVIRONMENT, output.terminal) == FAILURE
    assert statuses(output)["certificates"] == "failed"
    assert "--ca-file: cannot be read: No such file or directory" in output.out


@pytest.mark.parametrize(
    "content",
    [
        "unknown_key: 1\n",
        "basic_auth_users: {a: not-a-hash}\n",
        "rate_limit: {interval: 1s}\n",
        "tls_server_config: {cert: '-----BEGIN CERTIFICATE-----', key: '-----BEGIN PRIVATE KEY-----'}\n",
    ],
)
@in_loop
async def test_an_invalid_web_config_file_is_a_failure(tmp_path: Path, content: str) -> None:
    file = tmp_path / "web.yml"
    file.write_text(content)
    for offline in (True, False):
        output = Output()
        async with serving(Upstream([live_row(1)])) as url:
            settings = settings_for(url, web_config_file=str(file))
            assert await check(settings, ENVIRONMENT, output.terminal, offline=offline) == FAILURE
        assert statuses(output)["web config file"] == "failed"


@in_loop
async def test_an_invalid_webhook_config_file_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a-secret")
    changes = {"webhook_listen_address": "127.0.0.1:0", "webhook_secret_file": str(tmp_path / "secret")}
    output = Output()
    settings = settings_for("http://127.0.0.1/api", webhook_config_file=str(tmp_path / "missing"), **changes)
    assert await check(settings, ENVIRONMENT, output.terminal, offline=True) == FAILURE
    assert statuses(output) == {"settings": "ok", "webhook config file": "failed"}


@in_loop
async def test_certificates_of_the_web_config_file_are_read_unless_offline(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    file.write_text("tls_server_config: {cert_file: missing.pem, key_file: missing.key}\n")
    async with serving(Upstream([live_row(1)])) as url:
        settings = settings_for(url, web_config_file=str(file))
        for offline, code in ((True, SUCCESS), (False, FAILURE)):
            assert await check(settings, ENVIRONMENT, Output().terminal, offline=offline) == code


@in_loop
async def test_offline_sends_no_request_and_reads_no_key() -> None:
    upstream, output = Upstream([live_row(1)]), Output()
    async with serving(upstream) as url:
        loaded = load({"base_url": url, "api_key_file": "missing", "ca_file": "missing.pem"}, {})
        assert await check(loaded, ENVIRONMENT, output.terminal, offline=True) == SUCCESS
    assert upstream.authorization_headers == []
    assert statuses(output) == {"settings": "ok"}


@in_loop
async def test_accounts_are_checked_concurrently(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    both = asyncio.Barrier(2)

    class WaitingUpstream(Upstream):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if len(self.authorization_headers) == 0:  # the first request to each account waits for the other
                self.authorization_headers.append("")
                await both.wait()
            await super().__call__(scope, receive, send)

    async with serving(WaitingUpstream([live_row(1)])) as first, serving(WaitingUpstream([live_row(2)])) as second:
        accounts = [
            {"name": name, "api_key_file": str(tmp_path / "key"), "base_url": url}
            for name, url in (("a", first), ("b", second))
        ]
        file = tmp_path / "settings.yaml"
        file.write_text(json.dumps({"accounts": accounts}))
        output = Output()
        assert await check(load({"config_file": str(file)}, {}), ENVIRONMENT, output.terminal) == SUCCESS
    assert list(statuses(output)).index("account a") < list(statuses(output)).index("account b")


@pytest.mark.parametrize("is_terminal", [True, False])
@in_loop
async def test_progress_is_shown_on_a_terminal_only_and_erased(is_terminal: bool) -> None:
    output = Output(is_terminal=is_terminal)
    async with serving(Upstream([live_row(number) for number in range(30)])) as url:
        assert await check(settings_for(url, page_limit="10"), ENVIRONMENT, output.terminal) == SUCCESS
    assert "\r" not in output.out
    assert ("1 of 1 accounts, " in output.err) is is_terminal
    assert output.err == "" or output.err.endswith("\r\x1b[K")
