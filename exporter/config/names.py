"""How each setting is written: one rule joins flag, variable and key of the settings file.

Flag `--poll-interval`, variable `LIVEPEER_EXPORTER_POLL_INTERVAL`, key `poll_interval`: a dot or dash of the flag
is an underscore elsewhere.
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
"""What the names of all our variables begin with."""
API_KEY_VARIABLES: Final = ("LIVEPEER_API_KEY", "LIVEPEER_EXPORTER_API_KEY")
"""The two variables for the key; the first is the one that Livepeer's own tools use."""

_DOTTED: Final = {  # what every exporter has carries the name that every exporter uses
    "config_file": "config.file",
    "web_listen_address": "web.listen-address",
    "web_health_listen_address": "web.health-listen-address",
    "web_telemetry_path": "web.telemetry-path",
    "web_config_file": "web.config.file",
    "web_max_connections": "web.max-connections",
    "web_max_header_bytes": "web.max-header-bytes",
    "web_header_timeout": "web.header-timeout",
    "web_answer_timeout": "web.answer-timeout",
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
    """One setting as people meet it; a form in which it cannot be given is None (`variables`: empty).

    `kind` is `boolean`, `duration`, `number`, `file`, `address`, `list` or `text`, or the words to choose from with
    `|` between them.
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
    """Return all settings in the order in which they are explained."""
    defaults = Settings()
    return tuple(_describe(name, field, getattr(defaults, name)) for name, field in Settings.model_fields.items())


def _describe(name: str, field: FieldInfo, default: object) -> Setting:
    extra = field.json_schema_extra
    from_file_alone = field.validation_alias is not None
    return Setting(
        name=field.validation_alias if isinstance(field.validation_alias, str) else name,
        group=str(extra["group"]) if isinstance(extra, dict) else "",
        description=field.description or "",
        default=_as_text(name, default),
        flag=None if from_file_alone or name == "api_key" else "--" + _DOTTED.get(name, name.replace("_", "-")),
        variables=() if from_file_alone else API_KEY_VARIABLES if name == "api_key" else (ENV_PREFIX + name.upper(),),
        key=None if name in ("api_key", "config_file") else str(field.validation_alias or name),
        kind=_kind(field.annotation),
    )


def _kind(annotation: object) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return "|".join(inner)
    if origin in (Annotated, UnionType, Union):  # the first inner type is the one that is not None
        return _kind(inner[0])
    return _KINDS.get(origin or annotation, "text")


def _as_text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return format_duration(value)
    if value == ():
        return "all" if name == "stream_ids" else "none"
    return "none" if value is None else str(value)


def did_you_mean(written: str, known: Iterable[str]) -> str:
    """Return `; did you mean ...?` for a misspelt name, or nothing when no known name is near."""
    from difflib import get_close_matches  # only a mistake needs it, and each idle process would keep it in memory

    near = get_close_matches(written, list(known), n=1, cutoff=0.7)
    return f"; did you mean {near[0]}?" if near else ""


def loggable_name(written: str) -> str:
    """Return a misspelt name for a message, or an ellipsis if it may be a key pasted where a name belongs.

    None of our names has a digit in it, and all keys that we know of do.
    """
    return written if re.fullmatch(r"[A-Za-z_.-]{1,48}", written) else "…"


def loggable_path(where: str) -> str:
    """Return `accounts[0].name` and the like for a message, each name of it made loggable."""

    def part(match: re.Match[str]) -> str:
        is_index = match[0].isdigit() and len(match[0]) < 5
        return match[0] if is_index else loggable_name(match[0])

    return re.sub(r"[^.\[\]]+", part, where)
