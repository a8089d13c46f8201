"""The outcomes that are label values: of polls, requests, values and sessions, connections, and webhook calls.

They are here because the API client and the server, which report most of them, do not depend on metrics; tests compare
them with what is reported. The states of sessions, streams and recordings are in `exporter.sessions.snapshot`.
"""

from typing import Final

FAILURES: Final = (
    "auth",
    "forbidden",
    "not_found",
    "rate_limited",
    "client",
    "server",
    "dns",
    "connect",
    "tls",
    "timeout",
    "too_large",
    "decode",
    "schema",
    "redirect",
    "pagination",
    "clock",
    "internal",
)
"""Classes of poll failures: one for each class of `exporter.livepeer.errors`, and ``internal`` for a bug."""

CODES: Final = ("200", "400", "401", "403", "404", "429", "500", "501", "502", "503", "504", "none", "other")
"""Status codes of API responses; ``none`` is a request without a response, ``other`` any other status."""

VALUE_FAULTS: Final = ("type", "range", "not_finite")
"""Why a value of a session was dropped."""

SESSION_FAULTS: Final = ("not_an_object", "no_id")
"""Why a session was dropped."""

CLOSE_REASONS: Final = ("evicted", "slow", "header_timeout", "response_timeout", "idle_timeout")
"""Why the server closed a connection: `exporter.server.connection_table.CloseReason`."""

WEBHOOK_RESULTS: Final = ("accepted", "repeated", "unauthorized", "expired", "invalid", "too_large", "too_slow")
"""What becomes of a call: `exporter.webhooks.intake`."""

TARGET_RESULTS: Final = ("connected", "disconnected", "error")
"""What happens to a multistream target."""

HINT_RESULTS: Final = ("success", "failure", "skipped")
"""What becomes of a poll of a single stream; skipped if a poll of the account ends it, or its data is not used."""
