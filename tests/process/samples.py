"""Samples of the metrics page, and flags, that several tests use."""

from typing import Final

UP: Final = 'livepeer_studio_up{account="default"}'
ACTIVE: Final = 'livepeer_studio_sessions{account="default",state="active"}'
INTERVAL: Final = 'livepeer_studio_exporter_poll_interval_seconds{account="default"}'
RELOADED: Final = "livepeer_studio_exporter_config_reload_successful"

SHORT_INTERVAL: Final = ("--poll-interval", "1s")

LONG_TIMEOUTS: Final = ("--poll-interval", "3h", "--poll-deadline", "2h", "--request-timeout", "1h")
"""A test that waits for the end of a request without a response hangs, and fails."""
