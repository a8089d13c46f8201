"""The program: `livepeer-session-exporter`, or `python -m exporter`."""

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
    """Run the program and exit with its exit code."""
    # Modules are imported after this: a signal that arrives during the imports must already have its meaning.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # The program uses no plugins; to find them, pydantic would read the metadata of every installed package.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    # With either variable prometheus-client would store metrics in files, which process metrics do not support.
    for name in ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"):
        os.environ.pop(name, None)
    gc.disable()  # during the imports, which create no garbage
    _open_closed_streams()
    code = _run(sys.argv[1:])
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    # A normal exit would wait for threads that resolve host names or check passwords.
    os._exit(code)


def _open_closed_streams() -> None:
    """Connect standard streams that are closed to /dev/null, or the next file or socket would take their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115 - open until the end
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # the exposition formats are UTF-8 in every locale


def _run(argv: list[str]) -> int:
    from exporter.cli.arguments import PROGRAM

    try:
        code = _dispatch(argv)
        sys.stdout.flush()
    except BrokenPipeError:  # such as `... once | head`
        return 1
    except OSError as error:
        with contextlib.suppress(OSError):
            print(f"{PROGRAM}: {error.strerror or str(error) or type(error).__name__}", file=sys.stderr)
        return 1
    return code


def _dispatch(argv: list[str]) -> int:
    from exporter.cli.arguments import PROGRAM, HelpRequested, UsageError, parse

    try:
        invocation = parse(argv)
        if invocation.command not in ("serve", "demo"):
            # A command that a signal interrupts has not succeeded.
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
        if invocation.command == "healthcheck":
            return _healthcheck(invocation)
        from exporter.cli.commands import run
        from exporter.cli.terminal import Terminal

        gc.freeze()  # excludes the imported modules from collections, which saves 30 ms of the start
        gc.enable()
        return run(invocation, os.environ, Terminal(sys.stdout, sys.stderr))
    except HelpRequested as request:
        print(request.text, end="")
        return 0
    except UsageError as error:
        for line in str(error).splitlines():
            print(f"{PROGRAM}: {line}", file=sys.stderr)
        return 2


def _healthcheck(invocation: "Invocation") -> int:
    from exporter.cli.healthcheck import query, url_of
    from exporter.config import SettingsError, load
    from exporter.server.web_config import WebConfigError

    try:
        url = invocation.url or url_of(load(invocation.arguments, os.environ).settings)
    except (SettingsError, WebConfigError) as error:
        print(error, file=sys.stderr)
        return 2
    return query(url, sys.stdout)


if __name__ == "__main__":
    main()
