"""Parses the command line: flags generated from the settings, and the commands.

Error messages repeat only names of flags and commands, since an API key that was typed by accident must not end up in a
log.
"""

import argparse
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, takewhile
from types import MappingProxyType
from typing import Any, Final, Literal, NoReturn

from exporter.cli.command_list import COMMAND_FLAGS, COMMANDS, WITHOUT_SETTINGS, Command, add_own_arguments
from exporter.config import Setting, describe_settings
from exporter.config.names import did_you_mean, loggable_name
from exporter.version import VERSION

PROGRAM: Final = "livepeer-session-exporter"
"""The name of the command."""

_KEY_FLAGS: Final = ("apikey", "key", "token", "livepeerapikey")
_NO_KEY_FLAG: Final = (
    "there is no flag for the API key, because other users of this machine can read command lines; "
    "use --api-key-file or the environment variable LIVEPEER_API_KEY"
)
_EPILOG: Final = f"""\
Run '{PROGRAM} COMMAND --help' for the flags of a command.

examples:
  LIVEPEER_API_KEY=... {PROGRAM}
  {PROGRAM} --api-key-file /run/secrets/livepeer --poll-interval 15s
  {PROGRAM} check --config.file exporter.yaml
  {PROGRAM} once --format openmetrics
  {PROGRAM} demo

settings:
  Flags override environment variables, which override the settings file.
  One name, three spellings: --poll-interval, LIVEPEER_EXPORTER_POLL_INTERVAL, and poll_interval in the file;
  dots and dashes become underscores.
  Durations are written as 1500ms, 30s, 5m or 1h30m; without a unit they are seconds.
  The API key is read from LIVEPEER_API_KEY, LIVEPEER_EXPORTER_API_KEY or --api-key-file; there is no flag for it.

exit codes:
  0  success
  1  failure: a port is in use, a poll or a check has failed, a file cannot be written
  2  invalid settings or command line
"""


class UsageError(Exception):
    """The command line is invalid; the text has one line for each problem. The exit code is 2."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(dict.fromkeys(problems)))  # without duplicates


class HelpRequested(Exception):  # not an error
    """The command line requests a text (`--help`, `--version`) instead of a command. The exit code is 0.

    Attributes:
        text: the text to print.
    """

    def __init__(self, text: str) -> None:
        super().__init__("help requested")
        self.text = text


@dataclass(frozen=True, slots=True)
class Invocation:
    """A parsed command line.

    Attributes:
        command: the command to run.
        arguments: the given settings by field name, for `exporter.config.load`.
        format: of the metrics that `once` prints.
        as_json: whether `metrics` prints JSON.
        offline: whether `check` sends no requests.
        url: the URL that `healthcheck` queries; None for the one in the settings.
        directory: where `assets` writes.
        grafana_url: base URL of Grafana in what `assets` writes.
        runbook_url: URL of the runbooks in what `assets` writes.
        overwrite: whether `assets` replaces files.
    """

    command: Command
    arguments: Mapping[str, str | bool] = field(repr=False)
    format: Literal["text", "openmetrics"] = "text"
    as_json: bool = False
    offline: bool = False
    url: str | None = None
    directory: str | None = None
    grafana_url: str | None = None
    runbook_url: str | None = None
    overwrite: bool = False


def parse(argv: Sequence[str]) -> Invocation:
    """Parse the command line without the program's name; flags may precede or follow the command.

    Raises:
        UsageError: the command line is invalid.
        HelpRequested: it requests the help or the version.
    """
    settings = tuple(setting for setting in describe_settings() if setting.flag)
    _reject_unknown_flags(argv, settings)
    parser = _parser(settings)
    try:
        given, rest = parser.parse_known_args(argv)
    except argparse.ArgumentError as error:
        raise UsageError(_explained(error)) from None
    values = vars(given)
    command: Command = values.pop("command") or "serve"
    if rest:
        raise UsageError(*_unexpected(rest, command))
    names = {setting.name for setting in settings}
    return Invocation(
        command=command,
        arguments=MappingProxyType({name: value for name, value in values.items() if name in names}),
        **{name: value for name, value in values.items() if name not in names},
    )


def _reject_unknown_flags(argv: Sequence[str], settings: Sequence[Setting]) -> None:
    switches = [setting.flag for setting in settings if setting.flag and setting.kind == "boolean"]
    known = {
        *(setting.flag for setting in settings if setting.flag),
        *(_negated(flag) for flag in switches),
        *COMMAND_FLAGS,
        "--help",
        "--version",
    }
    problems = []
    for word in takewhile(lambda word: word != "--", argv):
        name = word.partition("=")[0]
        if word.startswith("-h") and word != "-h":
            problems.append("-h: takes no value")  # argparse of Python 3.13 reads -hX as the flags -h and -X
        if not word.startswith("--") or name in known:
            continue
        if re.sub(r"[^a-z]", "", name.lower()) in _KEY_FLAGS:
            problems.append(_NO_KEY_FLAG)
        else:
            problems.append(f"{loggable_name(name)}: unknown flag{did_you_mean(name, known)}")
    if problems:
        raise UsageError(*problems)


def _negated(flag: str) -> str:
    return flag.replace("--", "--no-", 1)


def _unexpected(rest: Sequence[str], command: str) -> list[str]:
    """One line for each word that the parser left over: flags of other commands, or else the first argument."""
    flags = [flag for word in rest if (flag := word.partition("=")[0]) in COMMAND_FLAGS]
    if flags:
        return [f"{flag}: not a flag of {command}; see '{PROGRAM} {command} --help'" for flag in flags]
    limit = "one argument" if command == "assets" else "no arguments"
    word = next((word for word in rest if word != "--"), "--")
    return [f"{command} takes {limit}: '{loggable_name(word)}'"]


def _explained(error: argparse.ArgumentError) -> str:
    """The error without the value that was given, which argparse quotes."""
    message = error.message
    if message.startswith("expected "):
        return f"{error.argument_name}: {message}"
    if error.argument_name == "command":
        return f"unknown command; choose from {', '.join(COMMANDS)}"
    choices = message.rpartition("(choose from ")[2].rstrip(")").replace("'", "") if "(choose from " in message else ""
    return f"{error.argument_name}: " + (f"choose from {choices}" if choices else "takes no value")


class _Parser(argparse.ArgumentParser):
    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", _Help)
        super().__init__(allow_abbrev=False, exit_on_error=False, **options)

    def print_help(self, file: object = None) -> NoReturn:  # noqa: ARG002  # the caller prints
        raise HelpRequested(self.format_help())

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        try:
            return super().parse_known_args(args, namespace)
        except argparse.ArgumentError as error:
            if error.argument_name is None:  # since Python 3.13 in place of a call of `error`
                self.error(error.message)
            raise

    def error(self, message: str) -> NoReturn:
        # The only remaining errors are missing arguments, which argparse lists by name.
        raise UsageError(f"{message}; see '{self.prog} --help'")


class _Help(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=110)

    def _format_action(self, action: argparse.Action) -> str:
        text = super()._format_action(action)
        # The list of commands has a heading of its own; argparse would add a line with the placeholder.
        return text.partition("\n")[2] if action.nargs == argparse.PARSER else text


class _Repeatable(argparse.Action):
    """Join the values of a flag that may be given several times, before and after the command, with commas."""

    def __init__(self, *, values: list[str], **options: Any) -> None:
        super().__init__(**options)
        self._values = values

    def __call__(self, _parser: object, namespace: argparse.Namespace, value: Any, _flag: object = None) -> None:
        self._values.append(value)
        setattr(namespace, self.dest, ",".join(self._values))


class _Version(argparse.Action):
    def __call__(self, *_: object) -> NoReturn:
        raise HelpRequested(f"{PROGRAM} {VERSION}\n")


def _parser(settings: Sequence[Setting]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        usage="%(prog)s [command] [flags]",
        description="Prometheus exporter for live streams on Livepeer Studio.",
        epilog=_EPILOG,
    )
    commands = parser.add_subparsers(title="commands", dest="command", metavar="command", prog=PROGRAM)
    # Shared by the parsers, since the values of a command's own parser would replace those before the command.
    repeated: defaultdict[str, list[str]] = defaultdict(list)
    for name, summary in COMMANDS.items():
        usage = f"{PROGRAM} {name} {'DIR ' if name == 'assets' else ''}[flags]"
        description = f"{summary[0].upper()}{summary[1:]}."
        command = commands.add_parser(name, help=summary, description=description, usage=usage)
        add_own_arguments(command, name)
        _add_settings(command, settings, repeated, are_listed=name not in WITHOUT_SETTINGS)
    _add_settings(parser, settings, repeated)  # after the commands, so that --help begins with them
    return parser


def _add_settings(
    parser: argparse.ArgumentParser,
    settings: Sequence[Setting],
    repeated: defaultdict[str, list[str]],
    *,
    are_listed: bool = True,
) -> None:
    parser.add_argument(
        "--version", action=_Version, nargs=0, default=argparse.SUPPRESS, help="print the version and exit"
    )
    for title, group in groupby(settings, key=lambda setting: setting.group):
        section = parser.add_argument_group(title)
        for setting in group:
            _add_setting(section, setting, repeated, is_listed=are_listed)


def _add_setting(
    section: "argparse._ArgumentGroup", setting: Setting, repeated: defaultdict[str, list[str]], *, is_listed: bool
) -> None:
    description = setting.description.replace("`", "").replace("%", "%%")
    text = (
        f"{description} (default: {setting.default}; {', '.join(setting.variables)})"
        if is_listed
        else argparse.SUPPRESS
    )
    options: dict[str, Any] = {"dest": setting.name, "default": argparse.SUPPRESS, "help": text}
    if setting.kind == "boolean":
        options["action"] = argparse.BooleanOptionalAction
    else:
        options["metavar"] = f"{{{setting.kind}}}" if "|" in setting.kind else setting.kind.upper()
    if setting.kind == "list":
        options["action"] = partial(_Repeatable, values=repeated[setting.name])
    section.add_argument(str(setting.flag), **options)
