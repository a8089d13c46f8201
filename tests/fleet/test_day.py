"""Some simulated hours in the life of a fleet; `make soak-fleet` lives through a whole day, and looks at memory."""

from pathlib import Path

import pytest

from tests.fleet.day import day
from tests.support.canary import KEY
from tests.support.loop import in_loop

pytestmark = pytest.mark.untraced


@in_loop
async def test_counters_are_right_while_accounts_come_and_go(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    moments = [moment async for moment in day(3, str(tmp_path / "key"), interval=240.0)]
    assert [moment.wrong for moment in moments] == [()] * 3
