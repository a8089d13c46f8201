"""`check`: validate the settings and the web config files, and send the requests of one poll of every account."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from exporter.cli.check_account import AccountCheck, check_account
from exporter.cli.check_table import Row, has_failed, ok_unless, print_table
from exporter.cli.progress import Progress
from exporter.cli.terminal import FAILURE, SUCCESS, Terminal
from exporter.config import Account, LoadedSettings, Settings
from exporter.runtime.environment import Environment
from exporter.runtime.trust_store import create_ssl_context
from exporter.server.tls import create_server_context
from exporter.server.web_config import WebConfigError, read_web_config

MAX_CONCURRENT_ACCOUNTS: Final = 8
"""Accounts that are checked at a time."""


async def check(loaded: LoadedSettings, environment: Environment, terminal: Terminal, *, offline: bool = False) -> int:
    """Check everything and print a table.

    Args:
        loaded: the valid settings.
        environment: clocks, randomness and the log redactor.
        terminal: the output streams.
        offline: whether only the settings and the web config files are read.

    Returns:
        The exit code; it reports failure if any check has failed.
    """
    settings = loaded.settings
    rows = [
        *_check_settings(loaded),
        *_check_web_config("web config file", settings.web_config_file, offline=offline),
        *_check_web_config("webhook config file", settings.webhook_config_file, offline=offline),
    ]
    if not offline:
        rows += await _check_accounts(settings, environment, terminal)
    print_table(rows, terminal.out)
    return FAILURE if has_failed(rows) else SUCCESS


def _check_settings(loaded: LoadedSettings) -> Iterator[Row]:
    accounts = len(loaded.settings.accounts)
    yield Row("settings", "ok", f"valid, with {'1 account' if accounts == 1 else f'{accounts} accounts'}")
    for warning in loaded.warnings:
        yield Row("settings", "warning", warning)


def _check_web_config(subject: str, path: Path | None, *, offline: bool) -> Iterator[Row]:
    """Check a web config file, and the certificates in it; unless offline also the certificates that it names."""
    if path is None:
        return
    try:
        config = read_web_config(path)
        if config.tls and not (offline and config.tls.files()):
            create_server_context(config.tls)
    except WebConfigError as error:
        yield from (Row(subject, "failed", problem) for problem in error.problems)
        return
    yield Row(subject, "ok", "valid, with TLS" if config.tls else "valid, without TLS")
    for warning in config.warnings:
        yield Row(subject, "warning", warning)


async def _check_accounts(settings: Settings, environment: Environment, terminal: Terminal) -> list[Row]:
    try:
        ssl_context = create_ssl_context(settings)
    except OSError as error:
        return [Row("certificates", "failed", str(error))]
    slots = asyncio.Semaphore(MAX_CONCURRENT_ACCOUNTS)

    async def check_one(account: Account, progress: Progress) -> AccountCheck:
        async with slots:
            found = await check_account(account, settings, environment, ssl_context, progress.on_page(account.name))
        progress.finish()
        return found

    with Progress(terminal.err, len(settings.accounts)) as progress:
        checks = await asyncio.gather(*(check_one(account, progress) for account in settings.accounts))
    known = [each.series for each in checks if each.series is not None]
    rows = [row for each in checks for row in each.rows]
    return [*rows, _check_series(sum(known), settings.max_series)] if known else rows


def _check_series(series: int, limit: int) -> Row:
    """Compare the series of the accounts that could be read with the limit that they share."""
    text = f"{series} of at most {limit} on the page (--max-series)"
    if series > limit:
        text += "; active sessions get series first, then those that were seen last"
    return Row("series", ok_unless(series > limit), text)
