"""Reads flags, environment and settings file once, into one frozen value."""

from exporter.config.account import Account
from exporter.config.address import Address
from exporter.config.loading import Loaded, SettingsError, Source, load
from exporter.config.model import Settings
from exporter.config.names import Setting, described
from exporter.config.values import can_be_path, clean_key

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
