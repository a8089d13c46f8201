"""Log lines that pytest captured."""

from typing import Any

import pytest


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, dict[str, Any]]]:
    """Return level, event and fields of each line."""
    return [(each.levelname, each.getMessage(), getattr(each, "fields", {})) for each in caplog.records]
