"""Samples of the metrics page, and flags, that several tests use."""

from typing import Final

UP: Final = 'livepeer_studio_up{account="default"}'
ACTIVE: Final = 'livepeer_studio_sessions{account="default",state="active"}'
INTERVAL: Final = 'livepeer_studio_exporter_poll_interval_seconds{account="default"}'
RELOADED: Final = "livepeer_studio_exporter_config_reload_successful"

SHORT_INTERVAL: Final = ("--poll-interval", "1s")
