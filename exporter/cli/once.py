"""`once`: poll every account once and print the metrics."""

from exporter.cli.progress import Progress
from exporter.cli.terminal import FAILURE, SUCCESS, Terminal
from exporter.config import LoadedSettings
from exporter.metrics.text_format import Format
from exporter.runtime.build import (
    create_http_client,
    create_livepeer_client,
    create_page_store,
    create_poller,
    create_process_metrics,
    create_telemetry,
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
    with Progress(terminal.err, len(settings.accounts)) as progress:
        for account in settings.accounts:
            async with create_http_client(account, settings, ssl_context) as http_client:
                telemetry, on_page = create_telemetry(account.name, settings), progress.on_page(account.name)
                client = create_livepeer_client(http_client, account, settings, environment, telemetry)
                poller = create_poller(account, settings, environment, client, telemetry, page_store, on_page)
                poller.publish_initial()
                await poller.poll()
            progress.finish()
            has_failed |= poller.status.failure is not None
    for piece in page_store.page(form).plain():
        terminal.out.write(piece.decode())
    terminal.out.write(process.tail(form).decode())
    terminal.out.flush()
    return FAILURE if has_failed else SUCCESS
