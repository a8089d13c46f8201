"""Reads flags, environment and settings file once, into one frozen value."""

from exporter.settings.account import Account
from exporter.settings.address import Address
from exporter.settings.loading import Loaded, SettingsError, Source, load
from exporter.settings.model import Settings
from exporter.settings.names import Setting, described
from exporter.settings.values import can_be_path, clean_key

__all__ = [
    "Account",
    "Address",
    "Loaded",
    "Setting",
    "Settings",
    "SettingsError",
    "Source",
    "can_be_path",
    "clean_key",
    "described",
    "load",
]
