"""Some simulated hours of a fleet; `make soak-fleet` simulates a whole day, and checks memory."""

from pathlib import Path

import pytest

from tests.fleet.day import simulate
from tests.support.canary import KEY
from tests.support.loop import in_loop

pytestmark = pytest.mark.untraced


@in_loop
async def test_counters_are_correct_while_accounts_are_added_and_removed(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    hours = [hour async for hour in simulate(3, str(tmp_path / "key"), interval=240.0)]
    assert [hour.errors for hour in hours] == [()] * 3
