"""The command line: ``livepeer-session-exporter``, or ``python -m exporter``."""

import os
import signal
import sys


def main() -> None:
    """Run the program and exit with its code."""
    # From the first line on: whoever stops us while we still load has nothing to wait for.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.exit(_run(sys.argv[1:]))


def _run(argv: list[str]) -> int:
    from exporter.flags import PROGRAM, Answered, UsageError, parse

    try:
        invocation = parse(argv)
        if invocation.command == "healthcheck":
            return _healthcheck(invocation.url)
        from exporter.commands import Terminal, run

        return run(invocation, os.environ, Terminal(sys.stdout, sys.stderr))
    except Answered as answer:
        print(answer.text)
        return 0
    except UsageError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever read our answer has enough of it; Python must not complain about it while exiting.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1


def _healthcheck(url: str | None) -> int:
    from exporter.health import ask, url_of
    from exporter.settings import SettingsError, load

    try:
        return ask(url or url_of(load({}, os.environ).settings), sys.stdout)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    main()
