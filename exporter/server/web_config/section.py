"""What the sections of the web config file have in common: every scalar arrives as text, as it is written."""

import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

_TRUE: Final = frozenset(["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"])
_FALSE: Final = frozenset(["n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"])
_INTEGER: Final = re.compile(r"[0-9]{1,9}")


class Section(BaseModel):
    """A mapping of known keys. A key without a value counts as not set, as in the toolkit."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_unset(cls, values: object) -> object:
        if not isinstance(values, Mapping):
            return values
        names = {field.alias or name for name, field in cls.model_fields.items()}
        return {key: value for key, value in values.items() if value is not None or key not in names}


def _parse_bool(value: object) -> bool:
    if not isinstance(value, str) or value not in _TRUE | _FALSE:
        raise ValueError("must be true or false")
    return value in _TRUE


def _parse_count(value: object) -> int:
    if not isinstance(value, str) or not _INTEGER.fullmatch(value):
        raise ValueError("must be a whole number from 0 to 999999999")
    return int(value)


Bool = Annotated[bool, BeforeValidator(_parse_bool)]
"""A boolean of YAML 1.1, which the toolkit reads."""
Count = Annotated[int, BeforeValidator(_parse_count)]
