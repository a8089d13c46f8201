"""Puts flags, environment and settings file together, and tells all mistakes at once."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from exporter.config.account import AccountEntry
from exporter.config.model import Contradictions, Settings
from exporter.config.names import (
    API_KEY_VARIABLES,
    ENV_PREFIX,
    describe_settings,
    did_you_mean,
    loggable_name,
    loggable_path,
)
from exporter.config.proxies import proxy_problems
from exporter.config.yaml_file import YamlFileError, read_yaml_file

Source = Literal["flag", "environment", "file", "default"]

# Kubernetes gives each pod such variables for a service named livepeer-exporter.
_SERVICE_LINK = re.compile(r"SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?")
_WORDING: Final = {
    "missing": "is missing",
    "tuple_type": "must be a list",
    "model_type": "must have keys of its own, such as name",
}


class SettingsError(Exception):
    """The settings are wrong; `problems` has one line for each mistake, and none of them shows a value."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings, what is odd about them though not wrong, and where each field's value came from."""

    settings: Settings
    warnings: tuple[str, ...]
    sources: Mapping[str, Source]


@dataclass(frozen=True, slots=True)
class _Given:
    """What one source says: values by field, how it writes each of them, and its mistakes and oddities."""

    source: Source
    values: Mapping[str, object]
    written: Mapping[str, str]
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def load(arguments: Mapping[str, str | bool], environ: Mapping[str, str]) -> LoadedSettings:
    """Return the settings: flags count before the environment, that before the settings file, that before defaults.

    Args:
        arguments: The flags that were given, by field name, as text; a switch as a bool.
        environ: All variables of the environment.

    Raises:
        SettingsError: with every mistake that could be found.
    """
    flags, environment = _from_flags(arguments), _from_environment(environ)
    givens = (flags, environment, _from_file(flags, environment))
    settings, mistakes = _validate(givens)
    proxies = proxy_problems(environ) if settings and settings.trust_env else ()
    problems = (*(problem for given in givens for problem in given.problems), *mistakes, *proxies)
    if settings is None or problems:
        raise SettingsError(problems)
    return LoadedSettings(
        settings=settings,
        warnings=tuple(warning for given in givens for warning in given.warnings),
        sources=MappingProxyType({setting.name: _source_of(setting.name, givens) for setting in describe_settings()}),
    )


def _from_flags(arguments: Mapping[str, str | bool]) -> _Given:
    flags = {setting.name: setting.flag for setting in describe_settings() if setting.flag}
    written = {
        name: flag.replace("--", "--no-", 1) if arguments.get(name) is False else flag for name, flag in flags.items()
    }
    return _Given("flag", arguments, written)


def _from_environment(environ: Mapping[str, str]) -> _Given:
    names = {variable: setting.name for setting in describe_settings() for variable in setting.variables}
    # An empty variable is how containers say "not set", except that an empty list would silently mean "all".
    filled = {
        variable: text
        for variable, text in environ.items()
        if variable in names
        and (text.strip() if variable in API_KEY_VARIABLES else text or names[variable] == "stream_ids")
    }
    problems = []
    if all(variable in filled for variable in API_KEY_VARIABLES):
        problems.append(f"{API_KEY_VARIABLES[0]}: more than one source for the key: {API_KEY_VARIABLES[1]} is set too")
    warnings = [
        f"{loggable_name(variable)}: no setting has this variable{did_you_mean(variable, names)}"
        for variable in environ
        if variable.upper().startswith(ENV_PREFIX)
        and variable not in names
        and not _SERVICE_LINK.fullmatch(variable[len(ENV_PREFIX) :])
    ]
    return _Given(
        "environment",
        {names[variable]: text for variable, text in filled.items()},
        {name: variable for variable, name in names.items() if variable in filled},
        tuple(problems),
        tuple(sorted(warnings)),
    )


def _from_file(*before: _Given) -> _Given:
    nothing = _Given("file", {}, {})
    chosen = next((given for given in before if "config_file" in given.values), None)
    path = chosen.values["config_file"] if chosen else None
    if chosen is None or not isinstance(path, str) or not path.strip() or "\0" in path:
        return nothing  # where it is a mistake, validation says so
    try:
        file = read_yaml_file(Path(path.strip()))
    except YamlFileError as problem:
        return replace(nothing, problems=(f"{chosen.written['config_file']}: {problem}",))
    known = {setting.key for setting in describe_settings() if setting.key}
    unknown = [key for key in file.values if key not in known]
    written = {
        where: f"{loggable_path(where)} (line {line} of the settings file)" for where, line in file.lines.items()
    }
    return _Given(
        "file",
        # A key without a value is how templates say "not set"; an empty list, again, would silently mean "all".
        {
            str(key): [] if value is None else value
            for key, value in file.values.items()
            if key in known and (value is not None or key in ("stream_ids", "accounts"))
        },
        written,
        tuple(f"{written.get(str(key), '…')}: {_why_unknown(str(key), known)}" for key in unknown),
    )


def _why_unknown(key: str, known: Iterable[str]) -> str:
    if key == "api_key":
        return "the key itself does not belong in this file; use api_key_file, or the environment for a single account"
    if key == "config_file":
        return "is for the flag and the variable alone"
    return f"unknown setting{did_you_mean(key, known)}"


def _source_of(name: str, givens: tuple[_Given, ...]) -> Source:
    return next((given.source for given in givens if name in given.values), "default")


def _validate(givens: tuple[_Given, ...]) -> tuple[Settings | None, tuple[str, ...]]:
    """Return the settings, or None and the mistakes; what is well-formed is checked for contradictions all the same."""
    settings, mistakes = _build(givens, frozenset())
    bad = frozenset(str(mistake["loc"][0]) for mistake in mistakes if mistake["loc"])
    if bad:
        mistakes += _build(givens, bad)[1]
    return settings, tuple(dict.fromkeys(line for mistake in mistakes for line in _lines(mistake, givens, bad)))


def _build(givens: tuple[_Given, ...], without: frozenset[str]) -> tuple[Settings | None, list[ErrorDetails]]:
    merged: dict[str, Any] = {}
    for given in reversed(givens):  # the first counts most
        merged |= {name: value for name, value in given.values.items() if name not in without}
    try:
        return Settings(**merged), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    # A default that follows another setting waits for that one to be right.
    return None, [detail for detail in details if detail["type"] != "default_factory_not_called"]


def _lines(mistake: ErrorDetails, givens: tuple[_Given, ...], bad: frozenset[str]) -> Iterator[str]:
    reason = mistake.get("ctx", {}).get("error")
    if isinstance(reason, Contradictions):
        for each in reason.found:
            if not bad.intersection(each.fields):
                names: dict[str, Any] = {name: _written(name, givens) for name in each.fields}
                yield f"{names[each.fields[0]]}: {_fill(each.text, names)}"
        return
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in mistake["loc"]).lstrip(".")
    if reason:
        text = str(reason)
    elif mistake["type"] == "extra_forbidden":
        text = _why_unknown(str(mistake["loc"][-1]), AccountEntry.model_fields)
    else:
        text = _WORDING.get(mistake["type"], mistake["msg"].replace("Input should be", "must be"))
    yield f"{_written(where, givens)}: {text}"


def _fill(text: str, names: Mapping[str, str]) -> str:
    for name, written in names.items():
        text = text.replace(f"{{{name}}}", written)
    return text


def _written(where: str, givens: tuple[_Given, ...]) -> str:
    """Return how the user wrote the setting at `where` (a field, or a path below `accounts`), else its flag."""
    top = re.split(r"[.\[]", where, maxsplit=1)[0]
    for given in givens:
        if top in given.values:
            return given.written.get(where) or loggable_path(where)
    return next((setting.flag for setting in describe_settings() if setting.name == where and setting.flag), where)
