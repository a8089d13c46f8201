"""Flags, environment variables and the settings file, merged into one frozen value."""

from exporter.config.account import Account
from exporter.config.address import Address
from exporter.config.loading import LoadedSettings, SettingsError, load
from exporter.config.model import Settings
from exporter.config.names import Setting, describe_settings
from exporter.config.regular_file import open_regular_file
from exporter.config.values import normalize_api_key

__all__ = [
    "Account",
    "Address",
    "LoadedSettings",
    "Setting",
    "Settings",
    "SettingsError",
    "describe_settings",
    "load",
    "normalize_api_key",
    "open_regular_file",
]
