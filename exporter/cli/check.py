"""`check`: validate the settings, the API keys and one page of sessions of every account."""

import ssl
from dataclasses import dataclass
from typing import Final, Literal

from exporter.cli.terminal import FAILURE, SUCCESS, Terminal
from exporter.config import Account, LoadedSettings, Settings
from exporter.config.durations import format_duration
from exporter.livepeer.errors import PollError
from exporter.metrics.instruments import Telemetry
from exporter.runtime.build import create_http_client, create_livepeer_client
from exporter.runtime.environment import Environment
from exporter.runtime.trust_store import create_ssl_context

MAX_CLOCK_SKEW: Final = 5.0
"""Seconds of difference between the clocks above which the check warns."""


@dataclass(frozen=True, slots=True)
class _Result:
    """One line of the output."""

    subject: str
    status: Literal["ok", "warning", "failed"]
    text: str


async def check(loaded: LoadedSettings, environment: Environment, terminal: Terminal) -> int:
    """Check everything and print a table.

    Returns:
        The exit code; it reports failure if any check has failed.
    """
    results = [_Result("settings", "warning", warning) for warning in loaded.warnings]
    results = results or [_Result("settings", "ok", "valid")]
    try:
        ssl_context = create_ssl_context(loaded.settings)
    except OSError as error:
        results.append(_Result("certificates", "failed", str(error)))
    else:
        for account in loaded.settings.accounts:
            results += await _check_account(account, loaded.settings, environment, ssl_context)
    for each in results:
        print(f"{each.subject:<24} {each.status:<8} {each.text}", file=terminal.out)
    return FAILURE if any(each.status == "failed" for each in results) else SUCCESS


async def _check_account(
    account: Account, settings: Settings, environment: Environment, ssl_context: ssl.SSLContext
) -> list[_Result]:
    name = f"account {account.name}"
    try:
        async with create_http_client(account, settings, ssl_context) as http_client:
            client = create_livepeer_client(http_client, account, settings, environment, Telemetry(account.name))
            began = environment.monotonic()
            page = await client.check()
            seconds = environment.monotonic() - began
    except OSError as error:
        return [_Result(name, "failed", str(error))]
    except PollError as error:
        return [_Result(name, "failed", f"{error.failure}: {error}")]
    total = page.decoded.items if page.total is None else page.total
    invalid = sum(page.decoded.invalid_sessions.values()) + sum(page.decoded.invalid_values.values())
    results = [
        _Result(name, "ok", f"API key accepted; {total} sessions in total; first page read in {seconds:.2f} s"),
        _Result("  values", "warning" if invalid else "ok", f"{invalid} invalid values on the first page"),
        _Result("  poll interval", "ok", format_duration(account.poll_interval)),
    ]
    if client.clock.skew is not None:
        results.append(_check_clock(client.clock.skew))
    return results


def _check_clock(skew: float) -> _Result:
    direction = "ahead of" if skew > 0 else "behind"
    text = f"the API's clock is {abs(skew):.1f} s {direction} this machine's"
    if abs(skew) < MAX_CLOCK_SKEW:
        return _Result("  clock", "ok", text)
    return _Result("  clock", "warning", f"{text}; check that this machine synchronizes its clock")
