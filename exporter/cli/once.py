"""`once`: poll every account once and print the metrics."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from exporter.cli.terminal import FAILURE, SUCCESS, Terminal
from exporter.config import LoadedSettings
from exporter.livepeer.page_reader import OnPage
from exporter.metrics.instruments import Telemetry
from exporter.metrics.text_format import Format
from exporter.runtime.build import (
    create_http_client,
    create_livepeer_client,
    create_page_store,
    create_poller,
    create_process_metrics,
)
from exporter.runtime.environment import Environment
from exporter.runtime.trust_store import create_ssl_context


async def once(loaded: LoadedSettings, environment: Environment, terminal: Terminal, form: Format) -> int:
    """Poll every account once and print the exposition, also if a poll has failed.

    Returns:
        The exit code; it reports failure if any poll has failed.

    Raises:
        OSError: the CA file or the proxy variables cannot be used, or the result cannot be written.
    """
    settings = loaded.settings
    page_store = create_page_store(settings, environment)
    process = create_process_metrics(settings, environment, page_store)
    has_failed = False
    ssl_context = create_ssl_context(settings)
    for account in settings.accounts:
        async with create_http_client(account, settings, ssl_context) as http_client:
            telemetry = Telemetry(account.name)
            client = create_livepeer_client(http_client, account, settings, environment, telemetry)
            with _progress(account.name, terminal.err) as on_page:
                poller = create_poller(account, settings, environment, client, telemetry, page_store, on_page)
                poller.publish_initial()
                await poller.poll()
            has_failed |= poller.status.failure is not None
    for piece in page_store.page(form).plain():
        terminal.out.write(piece.decode())
    terminal.out.write(process.tail(form).decode())
    terminal.out.flush()
    return FAILURE if has_failed else SUCCESS


@contextmanager
def _progress(account: str, stream: TextIO) -> Iterator[OnPage]:
    """Show the progress of a long pagination on a terminal, and erase it at the end."""
    is_shown = False

    def on_page(pages: int, sessions: int) -> None:
        nonlocal is_shown
        if pages > 1 and stream.isatty():
            is_shown = True
            print(f"\r{account}: {pages} pages, {sessions} sessions", end="", file=stream, flush=True)

    try:
        yield on_page
    finally:
        if is_shown:
            print("\r\x1b[K", end="", file=stream, flush=True)
