"""Names of each setting: flag, environment variable and key of the settings file, all derived from one name.

Flag `--poll-interval`, variable `LIVEPEER_EXPORTER_POLL_INTERVAL`, key `poll_interval`: dots and dashes of the flag
become underscores.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Final, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from exporter.config.address import Address
from exporter.config.durations import format_duration
from exporter.config.model import Settings

ENV_PREFIX: Final = "LIVEPEER_EXPORTER_"
"""Prefix of the environment variables."""
API_KEY_VARIABLES: Final = ("LIVEPEER_API_KEY", "LIVEPEER_EXPORTER_API_KEY")
"""The environment variables for the API key; Livepeer's own tools read the first."""

_DOTTED_FLAGS: Final = {  # flags that are named as in other exporters
    "config_file": "config.file",
    "web_listen_address": "web.listen-address",
    "web_health_listen_address": "web.health-listen-address",
    "web_telemetry_path": "web.telemetry-path",
    "web_disable_exporter_metrics": "web.disable-exporter-metrics",
    "web_config_file": "web.config.file",
    "web_max_connections": "web.max-connections",
    "web_max_header_bytes": "web.max-header-bytes",
    "web_header_timeout": "web.header-timeout",
    "web_response_timeout": "web.response-timeout",
    "web_idle_timeout": "web.idle-timeout",
    "log_level": "log.level",
    "log_format": "log.format",
}
_KINDS: Final[dict[object, str]] = {
    bool: "boolean",
    float: "duration",
    int: "number",
    Path: "file",
    Address: "address",
    tuple: "list",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, as documented for users.

    Attributes:
        name: field of `Settings`.
        group: heading in the help.
        description: what it does, with its unit.
        default: in the notation of flags.
        flag: None if it cannot be set by flag.
        variables: environment variables; empty if it cannot be set in the environment.
        key: key of the settings file; None if it cannot be set there.
        kind: `boolean`, `duration`, `number`, `file`, `address`, `list`, `text`, or choices separated by `|`.
    """

    name: str
    group: str
    description: str
    default: str
    flag: str | None
    variables: tuple[str, ...]
    key: str | None
    kind: str


def describe_settings() -> tuple[Setting, ...]:
    """Return all settings in the order of the documentation."""
    defaults = Settings()
    return tuple(_describe(name, field, getattr(defaults, name)) for name, field in Settings.model_fields.items())


def _describe(name: str, field: FieldInfo, default: object) -> Setting:
    extra = field.json_schema_extra
    is_file_only = field.validation_alias is not None
    return Setting(
        name=field.validation_alias if isinstance(field.validation_alias, str) else name,
        group=str(extra["group"]) if isinstance(extra, dict) else "",
        description=field.description or "",
        default=_format(name, default),
        flag=None if is_file_only or name == "api_key" else "--" + _DOTTED_FLAGS.get(name, name.replace("_", "-")),
        variables=() if is_file_only else API_KEY_VARIABLES if name == "api_key" else (ENV_PREFIX + name.upper(),),
        key=None if name in ("api_key", "config_file") else str(field.validation_alias or name),
        kind=_kind(field.annotation),
    )


def _kind(annotation: object) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return "|".join(arguments)
    if origin in (Annotated, UnionType, Union):  # in an optional type, None is the last argument
        return _kind(arguments[0])
    return _KINDS.get(origin or annotation, "text")


def _format(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return format_duration(value)
    if value == ():
        return "all" if name == "stream_ids" else "none"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "none" if value is None else str(value)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean ...?` for an unknown name, or an empty string if no known name is similar."""
    from difflib import get_close_matches  # deferred: only errors need it, and it would stay in memory

    matches = get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f"; did you mean {matches[0]}?" if matches else ""


def loggable_name(name: str) -> str:
    """Return an unknown name for a message, or an ellipsis if it may be an API key in the wrong place.

    Names of settings contain no digits; API keys do.
    """
    return name if re.fullmatch(r"[A-Za-z_.-]{1,48}", name) else "…"


def loggable_path(path: str) -> str:
    """Return a path such as `accounts[0].name` for a message, with `loggable_name` applied to each name in it."""

    def loggable_part(match: re.Match[str]) -> str:
        is_index = match[0].isdigit() and len(match[0]) < 5
        return match[0] if is_index else loggable_name(match[0])

    return re.sub(r"[^.\[\]]+", loggable_part, path)
