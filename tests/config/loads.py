"""Loading of settings for tests."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import pytest

from exporter.config import LoadedSettings, Settings, SettingsError, load

T = TypeVar("T")
SECRET = "canary-7f3a-secret"
EMPTY: Mapping[str, str] = {}


def problems(arguments: Mapping[str, str | bool] = EMPTY, environ: Mapping[str, str] = EMPTY) -> tuple[str, ...]:
    """Return the errors of invalid settings."""
    with pytest.raises(SettingsError) as caught:
        load(arguments, environ)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None  # errors of libraries contain values
    return caught.value.problems


def settings_or_problems(arguments: Mapping[str, str | bool]) -> Settings | tuple[str, ...]:
    try:
        return load(arguments, {}).settings
    except SettingsError as error:
        return error.problems


def result_or_message(parse: Callable[[str], T], text: str) -> T | str:
    """Return what `parse` returns, or the message of its ValueError."""
    try:
        return parse(text)
    except ValueError as error:
        return str(error)


def load_file(tmp_path: Path, text: str, environ: Mapping[str, str] = EMPTY) -> LoadedSettings:
    path = tmp_path / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return load({"config_file": str(path)}, environ)


def file_problems(tmp_path: Path, text: str | bytes, environ: Mapping[str, str] = EMPTY) -> tuple[str, ...]:
    """Return the errors of an invalid settings file."""
    path = tmp_path / "settings.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return problems({"config_file": str(path)}, environ)
