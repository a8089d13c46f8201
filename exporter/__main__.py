"""The command line: ``livepeer-session-exporter``, or ``python -m exporter``."""

import contextlib
import gc
import io
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.cli.arguments import Invocation


def main() -> None:
    """Run the program and exit with its code."""
    # From the first line on: whoever stops us while we still load has nothing to wait for.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # We have none; to look for them, pydantic would read the metadata of everything that is installed.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    # With either, prometheus-client would keep what it counts in files, which the process's own metrics cannot do.
    for name in ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"):
        os.environ.pop(name, None)
    gc.disable()  # until all is loaded: what loads stays, so there is no garbage to look for
    _open_closed_streams()
    code = _run(sys.argv[1:])
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    # Python would wait for threads: for a name server that does not answer, or for bcrypt.
    os._exit(code)


def _open_closed_streams() -> None:
    """Lead streams that were closed before the start nowhere; else the next file or socket would take their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115 - open until the end
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # the text formats are UTF-8, whatever the locale says


def _run(argv: list[str]) -> int:
    from exporter.cli.arguments import PROGRAM

    try:
        code = _dispatch(argv)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our answer has enough of it
        return 1
    except OSError as error:
        with contextlib.suppress(OSError):
            print(f"{PROGRAM}: {error.strerror or type(error).__name__}", file=sys.stderr)
        return 1
    return code


def _dispatch(argv: list[str]) -> int:
    from exporter.cli.arguments import PROGRAM, HelpRequested, UsageError, parse

    try:
        invocation = parse(argv)
        if invocation.command not in ("serve", "demo"):
            # A single task that is cut short has not succeeded.
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
        if invocation.command == "healthcheck":
            return _healthcheck(invocation)
        from exporter.cli.commands import Terminal, run

        gc.freeze()  # the collector need not look through it later either, which took 30 ms of the start
        gc.enable()
        return run(invocation, os.environ, Terminal(sys.stdout, sys.stderr))
    except HelpRequested as answer:
        print(answer.text)
        return 0
    except UsageError as error:
        for line in str(error).splitlines():
            print(f"{PROGRAM}: {line}", file=sys.stderr)
        return 2


def _healthcheck(invocation: "Invocation") -> int:
    from exporter.cli.healthcheck import ask, url_of
    from exporter.config import SettingsError, load
    from exporter.server.web_config import WebConfigError

    try:
        url = invocation.url or url_of(load(invocation.arguments, os.environ).settings)
    except (SettingsError, WebConfigError) as error:
        print(error, file=sys.stderr)
        return 2
    return ask(url, sys.stdout)


if __name__ == "__main__":
    main()
