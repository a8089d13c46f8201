"""Links between the dashboards that keep the variables and the time range."""

from typing import Final

from grafana.builder.dashboard import SESSION_UID, STREAM_UID

Link = tuple[str, str]
"""Title and URL."""

_TIME: Final = "${__url_time_range}"
_TARGET: Final = ("datasource", "cluster", "job", "instance", "account")
_KEPT: Final = "&".join(f"${{{name}:queryparam}}" for name in _TARGET)

STREAM_ID_COLUMN: Final = "Stream ID"
SESSION_ID_COLUMN: Final = "Session"


def dashboard_url(uid: str) -> str:
    """Return the URL of another dashboard with the same variables and time range."""
    return f"/d/{uid}?${{__all_variables}}&{_TIME}"


OPEN_SESSION: Final[Link] = (
    "Open session",
    f"/d/{SESSION_UID}?{_KEPT}&var-stream=$__all&var-session=${{__data.fields.{SESSION_ID_COLUMN}}}&{_TIME}",
)
"""For tables with the column ``SESSION_ID_COLUMN``."""

OPEN_STREAM: Final[Link] = (
    "Open stream",
    f'/d/{STREAM_UID}?{_KEPT}&var-stream=${{__data.fields["{STREAM_ID_COLUMN}"]}}&{_TIME}',
)
"""For tables with the column ``STREAM_ID_COLUMN``."""
