"""The sources of settings: flags, environment variables and the settings file."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.config.names import (
    API_KEY_VARIABLES,
    ENV_PREFIX,
    describe_settings,
    did_you_mean,
    loggable_name,
    loggable_path,
)
from exporter.config.yaml_file import YamlFileError, read_yaml_file

# Kubernetes sets such variables in each pod for a service named livepeer-exporter.
_SERVICE_LINK = re.compile(r"SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?")


@dataclass(frozen=True, slots=True)
class Source:
    """Settings from one source.

    Attributes:
        values: unvalidated value by field of `Settings`.
        names: name of each setting in this source, for messages; by field, or by path in `accounts`.
        problems: errors, one line each.
        warnings: one line each.
    """

    values: Mapping[str, object] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read_flags(arguments: Mapping[str, str | bool]) -> Source:
    """Return the settings of the command line."""
    flags = {setting.name: setting.flag for setting in describe_settings() if setting.flag}
    names = {
        name: flag.replace("--", "--no-", 1) if arguments.get(name) is False else flag for name, flag in flags.items()
    }
    return Source(arguments, names)


def read_environment(environ: Mapping[str, str]) -> Source:
    """Return the settings of the environment, with a warning for each unknown variable that has the prefix."""
    fields = {variable: setting.name for setting in describe_settings() for variable in setting.variables}
    # Container tools cannot unset a variable, so an empty one counts as unset. Not so for lists, where that would
    # silently select everything.
    present = {
        variable: text
        for variable, text in environ.items()
        if variable in fields
        and (text.strip() if variable in API_KEY_VARIABLES else text or fields[variable] == "stream_ids")
    }
    first, second = API_KEY_VARIABLES
    problems = [f"{first}: conflicts with {second}; set only one of them"] if {first, second} <= set(present) else []
    warnings = [
        f"{loggable_name(variable)}: unknown environment variable{did_you_mean(variable, fields)}"
        for variable in environ
        if variable.upper().startswith(ENV_PREFIX)
        and variable not in fields
        and not _SERVICE_LINK.fullmatch(variable[len(ENV_PREFIX) :])
    ]
    return Source(
        {fields[variable]: text for variable, text in present.items()},
        {field: variable for variable, field in fields.items() if variable in present},
        tuple(problems),
        tuple(sorted(warnings)),
    )


def read_settings_file(*sources: Source) -> Source:
    """Return the settings of the file that the first of `sources` with a `config_file` names, if any."""
    source = next((source for source in sources if "config_file" in source.values), None)
    path = source.values["config_file"] if source else None
    if source is None or not isinstance(path, str) or not path.strip() or "\0" in path:
        return Source()  # validation reports an invalid path
    try:
        file = read_yaml_file(Path(path.strip()))
    except YamlFileError as error:
        return Source(problems=(f"{source.names['config_file']}: {error}",))
    if not file.values:  # a file that is being rewritten, or a mount that failed; every setting would be its default
        return Source(problems=(f"{source.names['config_file']}: contains no settings",))
    known = {setting.key for setting in describe_settings() if setting.key}
    names = {path: f"{loggable_path(path)} (line {line} of the settings file)" for path, line in file.lines.items()}
    unknown = [str(key) for key in file.values if key not in known]
    return Source(
        # Templates leave keys without a value, so such a key counts as unset; for lists as above.
        {
            str(key): [] if value is None else value
            for key, value in file.values.items()
            if key in known and (value is not None or key in ("stream_ids", "accounts"))
        },
        names,
        tuple(f"{names.get(key, '…')}: {unknown_key(key, known)}" for key in unknown),
    )


def unknown_key(key: str, known: Iterable[str]) -> str:
    """Return the message for a key of the settings file that is not among the known ones."""
    if key == "api_key":
        return "the settings file must not contain an API key; use api_key_file or an environment variable"
    if key == "config_file":
        return "cannot be set here; use the flag or the environment variable"
    return f"unknown setting{did_you_mean(key, known)}"
