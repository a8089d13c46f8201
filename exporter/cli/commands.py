"""What the commands do; each answers the exit code: 0 fine, 1 it did not work, 2 the settings are wrong."""

import asyncio
import json
import random
import ssl
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from exporter.cli.arguments import Invocation
from exporter.config import Account, LoadedSettings, Settings, SettingsError, load
from exporter.config.durations import format_duration
from exporter.config.names import API_KEY_VARIABLES, ENV_PREFIX
from exporter.livepeer.errors import PollError
from exporter.livepeer.page_reader import OnPage
from exporter.logs import Redactor, configure
from exporter.metrics import catalogue
from exporter.metrics.catalogue import EVERY_OPTION
from exporter.metrics.instruments import Telemetry
from exporter.metrics.process import Process
from exporter.metrics.text_format import Format
from exporter.runtime.app import Environment, create_board, create_poller, create_trust, open_studio
from exporter.runtime.daemon import Daemon
from exporter.server.web_config import WebConfigError

FINE: Final = 0
FAILED: Final = 1
WRONG_SETTINGS: Final = 2

DEMO_SETTINGS: Final = {"account": "demo", "poll_interval": "5s", "active_window": "15s"}
"""What the demo sets unless the user does: its world runs faster than the real one."""

_SECRET_VARIABLES: Final = (*API_KEY_VARIABLES, f"{ENV_PREFIX}API_KEY_FILE")


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where a command's words go: its answer, and what it has to say beside."""

    out: TextIO
    err: TextIO


def run(invocation: Invocation, environ: Mapping[str, str], terminal: Terminal) -> int:
    """Do what the command line asks for."""
    redactor = Redactor()
    # The revision is baked into an image by its build; it is no setting.
    revision = environ.get("SOURCE_REVISION", "unknown")
    environment = Environment(time.time, time.monotonic, random.random, redactor.add, revision)
    if invocation.command == "metrics":
        return metrics(terminal, as_json=invocation.as_json)
    if invocation.command == "assets":
        return assets(Path(invocation.directory or "."), terminal)
    if invocation.command == "demo":
        return _in_loop(demo(invocation, environ, environment, redactor, terminal))
    try:
        loaded = load(invocation.arguments, environ)
    except SettingsError as error:
        return _wrong(error, terminal)
    configure(loaded.settings.log_level, loaded.settings.log_format, terminal.err, redact=redactor)
    if invocation.command == "check":
        return _in_loop(check(loaded, environment, terminal))
    if invocation.command == "once":
        form = Format.OPENMETRICS if invocation.format == "openmetrics" else Format.TEXT
        return _in_loop(once(loaded, environment, terminal, form))
    return _in_loop(serve(lambda: load(invocation.arguments, environ), loaded, environment, environ, terminal))


class _Threads(ThreadPoolExecutor):
    """The loop's threads, which ask for the addresses of hosts. The end does not wait for a name server."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = True) -> None:  # noqa: ARG002 - asyncio says True
        super().shutdown(wait=False, cancel_futures=cancel_futures)


def _in_loop(command: Coroutine[Any, Any, int]) -> int:
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(_Threads(thread_name_prefix="asyncio"))
        return runner.run(command)


def _wrong(error: Exception, terminal: Terminal) -> int:
    for line in str(error).splitlines():
        print(line, file=terminal.err)
    return WRONG_SETTINGS


async def serve(
    read: Callable[[], LoadedSettings],
    loaded: LoadedSettings,
    environment: Environment,
    environ: Mapping[str, str],
    terminal: Terminal,
    announce: Callable[[int], None] = lambda _: None,
) -> int:
    """Serve until a signal says stop.

    Args:
        read: reads the settings again, on SIGHUP.
        loaded: the settings to start with.
        environment: the clocks and the randomness.
        environ: what a service manager tells its services.
        terminal: where to say what is wrong.
        announce: told the port once the pages can be asked for.
    """
    try:
        await Daemon(read, loaded, environment, environ=environ, announce=announce).run()
    except WebConfigError as error:
        return _wrong(error, terminal)
    except OSError as error:
        print(error, file=terminal.err)
        return FAILED
    return FINE


async def demo(
    invocation: Invocation, environ: Mapping[str, str], environment: Environment, redactor: Redactor, terminal: Terminal
) -> int:
    """Serve against a simulator of our own, over HTTP on loopback; no account of the user's is touched."""
    from exporter.simulator.api import create_app
    from exporter.simulator.serve import serving
    from exporter.simulator.world import DEMO_SPEED, DEMO_STREAMS, World

    key = f"demo-{random.getrandbits(64):016x}"
    world = World(random.getrandbits(32), DEMO_STREAMS, start=environment.now(), speed=DEMO_SPEED)
    variables = {name: value for name, value in environ.items() if name not in _SECRET_VARIABLES}
    async with serving(create_app(world, key=key, now=environment.now)) as url:
        # Whatever the user's own settings say of an account, the demo must not send its key anywhere, nor theirs here.
        arguments = {**DEMO_SETTINGS, **invocation.arguments, "base_url": url}

        def read() -> LoadedSettings:
            return load(arguments, {**variables, "LIVEPEER_API_KEY": key})

        def announce(port: int) -> None:
            print(_INVITATION.format(port=port), file=terminal.out, flush=True)

        try:
            loaded = read()
        except SettingsError as error:
            return _wrong(error, terminal)
        configure(loaded.settings.log_level, loaded.settings.log_format, terminal.err, redact=redactor)
        return await serve(read, loaded, environment, environ, terminal, announce)


_INVITATION: Final = """
Livepeer Studio is simulated on this machine; streams start, suffer and end faster than real ones.

  for people      http://localhost:{port}/
  for Prometheus  http://localhost:{port}/metrics

Ctrl-C ends it.
"""


async def once(loaded: LoadedSettings, environment: Environment, terminal: Terminal, form: Format) -> int:
    """Poll every account once and print the exposition; 1 if a poll failed, with what there is all the same."""
    settings = loaded.settings
    board = create_board(settings, environment)
    process = Process(
        revision=environment.revision,
        series=board.series,
        series_limit=settings.max_series,
        shard=(settings.shard_index, settings.shard_count),
        now=environment.now,
    )
    failed = False
    try:
        trust = create_trust(settings)
    except OSError as error:
        print(error, file=terminal.err)
        return FAILED
    for account in settings.accounts:
        async with AsyncExitStack() as resources:
            telemetry = Telemetry(account.name)
            try:
                studio = await open_studio(account, settings, environment, telemetry, resources, trust)
            except OSError as error:
                print(f"{account.name}: {error}", file=terminal.err)
                return FAILED
            with _progress(account.name, terminal.err) as on_page:
                poller = create_poller(account, settings, environment, studio, telemetry, board, on_page)
                poller.publish_initial()
                await poller.poll()
        failed |= poller.status.failure is not None
    page = board.page(form)
    for piece in page.plain():
        terminal.out.write(piece.decode())
    terminal.out.write(process.tail(form).decode())
    terminal.out.flush()
    return FAILED if failed else FINE


@contextmanager
def _progress(account: str, stream: TextIO) -> Iterator[OnPage]:
    """Show on a terminal how far a long walk has come, and wipe it out at the end."""
    shown = False

    def on_page(pages: int, sessions: int) -> None:
        nonlocal shown
        if pages > 1 and stream.isatty():
            shown = True
            print(f"\r{account}: {pages} pages, {sessions} sessions", end="", file=stream, flush=True)

    try:
        yield on_page
    finally:
        if shown:
            print("\r\x1b[K", end="", file=stream, flush=True)


async def check(loaded: LoadedSettings, environment: Environment, terminal: Terminal) -> int:
    """Try the settings, the key and one page of every account; a table for people."""
    rows = [("settings", "ok", "; ".join(loaded.warnings) or "nothing odd")]
    try:
        trust = create_trust(loaded.settings)
    except OSError as error:
        rows.append(("certificates", "failed", str(error)))
    else:
        for account in loaded.settings.accounts:
            rows += await _check_account(account, loaded.settings, environment, trust)
    for what, verdict, text in rows:
        print(f"{what:<24} {verdict:<6} {text}", file=terminal.out)
    return FAILED if any(verdict == "failed" for _, verdict, _ in rows) else FINE


async def _check_account(
    account: Account, settings: Settings, environment: Environment, trust: ssl.SSLContext
) -> list[tuple[str, str, str]]:
    name = f"account {account.name}"
    async with AsyncExitStack() as resources:
        try:
            studio = await open_studio(account, settings, environment, Telemetry(account.name), resources, trust)
            began = environment.monotonic()
            page = await studio.check()
        except OSError as error:
            return [(name, "failed", str(error))]
        except PollError as error:
            return [(name, "failed", f"{error.failure}: {error}")]
    seconds = environment.monotonic() - began
    total = page.decoded.items if page.total is None else page.total
    skew = studio.clock.skew
    unread = sum(page.decoded.invalid_sessions.values()) + sum(page.decoded.invalid_values.values())
    rows = [
        (name, "ok", f"the key is good; {total} sessions in its whole history, a page took {seconds:.2f} s"),
        ("  values", "ok" if not unread else "odd", f"{unread} of this page could not be read"),
        ("  polled every", "ok", format_duration(account.poll_interval)),
    ]
    if skew is not None:
        verdict = "ok" if abs(skew) < 5 else "odd"
        rows.append(("  clock", verdict, f"the API's clock is {skew:+.1f} s from ours; ages go by the API's"))
    return rows


def metrics(terminal: Terminal, *, as_json: bool) -> int:
    """Print every metric with its type, labels and meaning."""
    families = catalogue.everything(EVERY_OPTION)
    if as_json:
        rows = [
            {
                "name": family.name,
                "type": family.type,
                "labels": [*labels, *family.labels],
                "help": family.help,
                "no_sample_when": family.absent_when,
            }
            for family, labels in families
        ]
        print(json.dumps(rows, indent=2), file=terminal.out)
        return FINE
    for family, labels in families:
        print(f"{family.name}{{{','.join((*labels, *family.labels))}}}  {family.type}", file=terminal.out)
        print(f"    {family.help}", file=terminal.out)
        if family.absent_when != "never":
            print(f"    No sample when {family.absent_when}.", file=terminal.out)
    print(f"Beside them: {', '.join(catalogue.EXPOSED_BY_LIBRARY)}.", file=terminal.out)
    return FINE


def assets(directory: Path, terminal: Terminal) -> int:
    """Write the dashboards and rules into a directory."""
    from exporter.cli.assets import write

    try:
        for path in write(directory):
            print(path, file=terminal.out)
    except OSError as error:
        print(f"the directory cannot be written: {error.strerror}", file=terminal.err)
        return FAILED
    return FINE
