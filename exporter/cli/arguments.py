"""The command line: flags made from the settings' own descriptions, and the commands beside them.

Nothing here repeats what was typed, except names of flags: a key on the command line must not reach a log too.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, takewhile
from types import MappingProxyType
from typing import Any, Final, Literal, NoReturn

from exporter.config import Setting, describe_settings
from exporter.config.names import did_you_mean, loggable_name
from exporter.version import VERSION

PROGRAM: Final = "livepeer-session-exporter"
"""The command's name."""

Command = Literal["serve", "demo", "check", "once", "metrics", "healthcheck", "assets"]

_COMMANDS: Final[Mapping[str, str]] = {
    "serve": "poll, and serve the metrics; what it does without a command too",
    "demo": "serve against a built-in simulator; needs no account and no key",
    "check": "try the settings, the key and one page of sessions; a table for people",
    "once": "poll once and print the metrics",
    "metrics": "print what metrics there are, and what they mean",
    "healthcheck": "ask a running exporter whether it is alive; for containers",
    "assets": "write the dashboards and rules into a directory",
}
_COMMAND_FLAGS: Final = ("--format", "--json", "--url")
_KEY_FLAGS: Final = ("apikey", "key", "token", "livepeerapikey")
_NO_KEY_FLAG: Final = (
    "there is no flag for the API key, since everybody on the machine can read a command line; "
    "use --api-key-file, or the variable LIVEPEER_API_KEY"
)
_EXAMPLES: Final = f"""\
examples:
  LIVEPEER_API_KEY=... {PROGRAM}
  {PROGRAM} --api-key-file /run/secrets/livepeer --poll-interval 15s
  {PROGRAM} check --config.file exporter.yaml
  {PROGRAM} once --format openmetrics
  {PROGRAM} demo

settings:
  A flag counts before its variable, that before its key in the settings file, that before the default.
  Flag --poll-interval, variable LIVEPEER_EXPORTER_POLL_INTERVAL, key poll_interval: a dot or dash of the flag
  is an underscore elsewhere. Durations are 1500ms, 30s, 5m, 1h30m, or seconds without a unit.
  The API key comes from LIVEPEER_API_KEY, LIVEPEER_EXPORTER_API_KEY or --api-key-file; there is no flag for it.

exit codes:
  0  fine
  1  it did not work: a port is taken, a check failed
  2  the settings or the command line are wrong
"""


class UsageError(Exception):
    """The command line is wrong; the text says how, a line for each mistake, without values. The exit code is 2."""

    def __init__(self, *mistakes: str) -> None:
        super().__init__("\n".join(dict.fromkeys(mistakes)))  # each once


class HelpRequested(Exception):  # nothing went wrong
    """The command line asked for a text alone (`--help`, `--version`), which is in `text`. The exit code is 0."""

    def __init__(self, text: str) -> None:
        super().__init__("answered")
        self.text = text


@dataclass(frozen=True, slots=True)
class Invocation:
    """What the command line asks for.

    `arguments` has the settings that were given, by field name, for `exporter.settings.load`. The rest belongs to
    single commands: `format` to once, `as_json` to metrics, `url` to healthcheck, `directory` to assets.
    """

    command: Command
    arguments: Mapping[str, str | bool] = field(repr=False)
    format: Literal["text", "openmetrics"] = "text"
    as_json: bool = False
    url: str | None = None
    directory: str | None = None


def parse(argv: Sequence[str]) -> Invocation:
    """Read the command line without the program's name; flags may stand before or after the command.

    Raises:
        UsageError: it makes no sense.
        Answered: it asks for help or for the version.
    """
    settings = tuple(setting for setting in describe_settings() if setting.flag)
    _refuse_unknown_flags(argv, settings)
    parser = _parser(settings)
    try:
        given, left = parser.parse_known_args(argv)
    except argparse.ArgumentError as error:
        problem = f"{error.argument_name}: {_without_value(error.message)}"
        raise UsageError(problem) from None  # argparse's own text quotes what was typed
    values = vars(given)
    if left:
        flags = [flag for word in left if (flag := word.partition("=")[0]) in _COMMAND_FLAGS]
        purpose = values["command"] or "serving"
        raise UsageError(*(f"{what}: not for {purpose}; see --help" for what in flags or ["a word too many"]))
    names = {setting.name for setting in settings}
    return Invocation(
        command=values.pop("command") or "serve",
        arguments=MappingProxyType({name: value for name, value in values.items() if name in names}),
        **{name: value for name, value in values.items() if name not in names},
    )


def _refuse_unknown_flags(argv: Sequence[str], settings: Sequence[Setting]) -> None:
    switches = [setting.flag for setting in settings if setting.flag and setting.kind == "boolean"]
    known = {
        *(setting.flag for setting in settings if setting.flag),
        *(_negated(flag) for flag in switches),
        *_COMMAND_FLAGS,
        "--help",
        "--version",
    }
    mistakes = []
    for word in takewhile(lambda word: word != "--", argv):
        name = word.partition("=")[0]
        if not word.startswith("--") or name in known:
            continue
        if re.sub(r"[^a-z]", "", name.lower()) in _KEY_FLAGS:
            mistakes.append(_NO_KEY_FLAG)
        else:
            mistakes.append(f"{loggable_name(name)}: unknown flag{did_you_mean(name, known)}")
    if mistakes:
        raise UsageError(*mistakes)


def _negated(flag: str) -> str:
    return flag.replace("--", "--no-", 1)


def _without_value(message: str) -> str:
    if message.startswith("expected "):
        return message
    choices = message.rpartition("(choose from ")[2] if "(choose from " in message else ""
    return f"choose from {choices.rstrip(')')}" if choices else "takes no such value"


class _Parser(argparse.ArgumentParser):
    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", _Help)
        super().__init__(allow_abbrev=False, exit_on_error=False, **options)

    def print_help(self, file: object = None) -> NoReturn:  # noqa: ARG002  # the caller prints
        raise HelpRequested(self.format_help())

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)  # here only of arguments that are missing, by name


class _Help(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=110)


class _Version(argparse.Action):
    def __call__(self, *_: object) -> NoReturn:
        raise HelpRequested(f"{PROGRAM} {VERSION}\n")


def _parser(settings: Sequence[Setting]) -> argparse.ArgumentParser:
    shared = _Parser(add_help=False)
    _add_all(shared, settings)
    parser = _Parser(
        prog=PROGRAM,
        usage="%(prog)s [command] [flags]",
        description="Live streams on Livepeer Studio, visible in Prometheus. Without a command it serves.",
        epilog=_EXAMPLES,
    )
    commands = parser.add_subparsers(title="commands", dest="command", metavar="command", prog=PROGRAM)
    for name, meaning in _COMMANDS.items():
        usage = f"{PROGRAM} {name} {'DIR ' if name == 'assets' else ''}[flags]"
        command = commands.add_parser(name, help=meaning, description=meaning, usage=usage, parents=[shared])
        if name == "once":
            command.add_argument(
                "--format", choices=("text", "openmetrics"), default="text", help="form of the answer (default: text)"
            )
        elif name == "metrics":
            command.add_argument("--json", action="store_true", dest="as_json", help="for programs")
        elif name == "healthcheck":
            command.add_argument("--url", help="address of the probe (default: /livez at the listen address)")
        elif name == "assets":
            command.add_argument("directory", metavar="DIR", help="where to write; it is made if it is not there")
    _add_all(parser, settings)  # after the commands, so that --help begins with them
    return parser


def _add_all(parser: argparse.ArgumentParser, settings: Sequence[Setting]) -> None:
    parser.add_argument(
        "--version", action=_Version, nargs=0, default=argparse.SUPPRESS, help="print the version and end"
    )
    for title, group in groupby(settings, key=lambda setting: setting.group):
        section = parser.add_argument_group(title)
        for setting in group:
            _add(section, setting)


def _add(section: "argparse._ArgumentGroup", setting: Setting) -> None:
    meaning = setting.description.replace("`", "").replace("%", "%%")
    text = f"{meaning} (default: {setting.default}; {', '.join(setting.variables)})"
    if setting.kind == "boolean":
        section.add_argument(
            str(setting.flag),
            action=argparse.BooleanOptionalAction,
            dest=setting.name,
            default=argparse.SUPPRESS,
            help=text,
        )
    else:
        metavar = f"{{{setting.kind}}}" if "|" in setting.kind else setting.kind.upper()
        section.add_argument(
            str(setting.flag), dest=setting.name, default=argparse.SUPPRESS, metavar=metavar, help=text
        )
