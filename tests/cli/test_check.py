"""`check`: validate the settings, the API keys and one page of sessions of every account."""

import re
import time
from pathlib import Path

import pytest

from exporter.cli.check import check
from exporter.cli.terminal import FAILURE, SUCCESS
from exporter.config import load
from exporter.simulator.serve import serving
from tests.cli.output import Output
from tests.cli.settings import ENVIRONMENT, settings_for
from tests.support.canary import KEY
from tests.support.loop import in_loop
from tests.support.simulated import Upstream, live_row, static_response


def statuses(output: Output) -> dict[str, str]:
    """The status of each subject."""
    rows = [re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in output.out.splitlines()]
    return {subject: rest.split()[0] for subject, rest in rows}


@in_loop
async def test_valid_settings_and_a_readable_page_are_ok() -> None:
    output = Output()
    async with serving(Upstream([live_row(1), live_row(2)])) as url:
        assert await check(settings_for(url), ENVIRONMENT, output.terminal) == SUCCESS
    assert set(statuses(output).values()) == {"ok"}
    assert "API key accepted; 2 sessions in total" in output.out


@in_loop
async def test_invalid_values_are_counted_in_a_warning() -> None:
    output = Output()
    async with serving(Upstream([live_row(1, sourceBytes="many"), live_row(2)])) as url:
        assert await check(settings_for(url), ENVIRONMENT, output.terminal) == SUCCESS
    assert statuses(output)["values"] == "warning"
    assert "1 invalid values on the first page" in output.out


@pytest.mark.parametrize(("offset", "text"), [(-600, "behind"), (600, "ahead of")])
@in_loop
async def test_a_clock_that_differs_from_the_apis_is_a_warning(offset: float, text: str) -> None:
    output = Output()
    async with serving(Upstream([live_row(1)], now=lambda: time.time() + offset)) as url:
        assert await check(settings_for(url), ENVIRONMENT, output.terminal) == SUCCESS
    assert statuses(output)["clock"] == "warning"
    assert re.search(rf"the API's clock is (599|600|601)\.\d s {text} this machine's", output.out)


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
    assert "cannot use the CA file: No such file or directory" in output.out
