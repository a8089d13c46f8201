"""Runs the command that the command line names."""

import asyncio
import random
import time
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from exporter.cli.arguments import Invocation
from exporter.cli.assets import assets
from exporter.cli.check import check
from exporter.cli.metrics import metrics
from exporter.cli.once import once
from exporter.cli.terminal import INVALID_SETTINGS, SUCCESS, Terminal
from exporter.config import LoadedSettings, SettingsError, load
from exporter.logs import Redactor, configure
from exporter.metrics.text_format import Format
from exporter.runtime.daemon import Daemon
from exporter.runtime.environment import Environment
from exporter.server.web_config import WebConfigError


def run(invocation: Invocation, environ: Mapping[str, str], terminal: Terminal) -> int:
    """Run a command, other than `healthcheck`, and return its exit code.

    Args:
        invocation: the parsed command line.
        environ: environment variables.
        terminal: the output streams.

    Raises:
        OSError: an address cannot be listened on, the CA file or the proxy variables cannot be used, or the output
            cannot be written.
    """
    try:
        return _run(invocation, environ, terminal)
    except (SettingsError, WebConfigError) as error:
        print(error, file=terminal.err)
        return INVALID_SETTINGS


def _run(invocation: Invocation, environ: Mapping[str, str], terminal: Terminal) -> int:
    if invocation.command == "metrics":
        return metrics(terminal, as_json=invocation.as_json)
    if invocation.command == "assets":
        return assets(invocation, terminal)
    redactor = Redactor()
    # The build of a container image sets the variable; it is not a setting.
    revision = environ.get("SOURCE_REVISION", "unknown")
    environment = Environment(time.time, time.monotonic, random.random, redactor.add, revision)
    if invocation.command == "demo":
        from exporter.cli.demo import demo  # the other commands do not load the simulator

        return _run_in_loop(demo(invocation, environ, environment, redactor, terminal))
    loaded = load(invocation.arguments, environ)
    configure(loaded.settings.log_level, loaded.settings.log_format, terminal.err, redact=redactor)
    if invocation.command == "check":
        return _run_in_loop(check(loaded, environment, terminal, offline=invocation.offline))
    if invocation.command == "once":
        form = Format.OPENMETRICS if invocation.format == "openmetrics" else Format.TEXT
        return _run_in_loop(once(loaded, environment, terminal, form))
    return _run_in_loop(_serve(invocation, loaded, environ, environment))


async def _serve(
    invocation: Invocation, loaded: LoadedSettings, environ: Mapping[str, str], environment: Environment
) -> int:
    await Daemon(lambda: load(invocation.arguments, environ), loaded, environment, environ=environ).run()
    return SUCCESS


class _Executor(ThreadPoolExecutor):
    """The event loop's threads, which resolve host names; exit does not wait for a DNS server that does not respond."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = True) -> None:  # noqa: ARG002 - asyncio passes True
        super().shutdown(wait=False, cancel_futures=cancel_futures)


def _run_in_loop(command: Coroutine[Any, Any, int]) -> int:
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(_Executor(thread_name_prefix="asyncio"))
        return runner.run(command)
