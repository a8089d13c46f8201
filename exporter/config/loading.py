"""Loading of the settings: merges the sources, validates the result and reports all errors at once."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from exporter.config.account import AccountEntry
from exporter.config.conflicts import SettingsConflicts
from exporter.config.model import Settings
from exporter.config.names import describe_settings, loggable_path
from exporter.config.proxies import proxy_problems
from exporter.config.sources import Source, read_environment, read_flags, read_settings_file, unknown_key

_MESSAGES: Final = {
    "missing": "is required",
    "tuple_type": "must be a list",
    "model_type": "must be a mapping with keys such as name",
}


class SettingsError(Exception):
    """The settings are invalid.

    Attributes:
        problems: all errors, one line each, prefixed with the name of the setting and without its value.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Valid settings, and warnings about them, one line each."""

    settings: Settings
    warnings: tuple[str, ...]


def load(arguments: Mapping[str, str | bool], environ: Mapping[str, str]) -> LoadedSettings:
    """Load the settings: flags override environment variables, which override the settings file.

    Args:
        arguments: the given flags by field name; text, or a bool for a boolean flag.
        environ: all environment variables.

    Raises:
        SettingsError: the settings are invalid.
    """
    flags, environment = read_flags(arguments), read_environment(environ)
    sources = (flags, environment, read_settings_file(flags, environment))
    settings, invalid = _validate(sources)
    proxies = proxy_problems(environ) if settings and settings.trust_env else ()
    problems = (*(problem for source in sources for problem in source.problems), *invalid, *proxies)
    if settings is None or problems:
        raise SettingsError(problems)
    return LoadedSettings(settings, tuple(warning for source in sources for warning in source.warnings))


def _validate(sources: tuple[Source, ...]) -> tuple[Settings | None, tuple[str, ...]]:
    """Return the settings, or None and the errors; valid fields are checked for conflicts among themselves too."""
    settings, errors = _merge(sources, frozenset())
    invalid = frozenset(str(error["loc"][0]) for error in errors if error["loc"])
    if invalid:
        errors += _merge(sources, invalid)[1]
    return settings, tuple(dict.fromkeys(line for error in errors for line in _messages(error, sources, invalid)))


def _merge(sources: tuple[Source, ...], excluded: frozenset[str]) -> tuple[Settings | None, list[ErrorDetails]]:
    merged: dict[str, Any] = {}
    for source in reversed(sources):  # the first source takes precedence
        merged |= {name: value for name, value in source.values.items() if name not in excluded}
    try:
        return Settings(**merged), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    # A default that depends on an invalid setting cannot be computed; only the invalid setting is reported.
    return None, [detail for detail in details if detail["type"] != "default_factory_not_called"]


def _messages(error: ErrorDetails, sources: tuple[Source, ...], invalid: frozenset[str]) -> Iterator[str]:
    reason = error.get("ctx", {}).get("error")
    if isinstance(reason, SettingsConflicts):
        for conflict in reason.conflicts:
            if not invalid.intersection(conflict.fields):
                names = {field: _name(field, sources) for field in conflict.fields}
                yield f"{names[conflict.fields[0]]}: {conflict.message.format_map(names)}"
        return
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    if reason:
        text = str(reason)
    elif error["type"] == "extra_forbidden":
        text = unknown_key(str(error["loc"][-1]), AccountEntry.model_fields)
    else:
        text = _MESSAGES.get(error["type"], error["msg"].replace("Input should be", "must be"))
    yield f"{_name(path, sources)}: {text}"


def _name(path: str, sources: tuple[Source, ...]) -> str:
    """Return how the source that sets `path` (such as `detail` or `accounts[0].detail`) names it, or else its flag."""
    field = re.split(r"[.\[]", path, maxsplit=1)[0]
    for source in sources:
        if field in source.values:
            return source.names.get(path) or loggable_path(path)
    return next((setting.flag for setting in describe_settings() if setting.name == path and setting.flag), path)
