"""Rows R01 of the fault matrix: the wall clock steps."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.process.samples import ACTIVE, SHORT_INTERVAL, UP
from tests.support.deadlines import HANG
from tests.support.running import running_exporter, wait_until

pytestmark = pytest.mark.process

CLOCK_SKEW = 'livepeer_studio_exporter_clock_skew_seconds{account="default"}'


def fake_clock(directory: Path) -> tuple[dict[str, str], Path]:
    """Variables that give a process its own wall clock, and the file that sets its offset; monotonic time is real."""
    program = shutil.which("faketime")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("faketime is missing, and CI must have it")
        pytest.skip("faketime is missing: apt-get install faketime")
    found = subprocess.run([program, "-f", "+0", "printenv", "LD_PRELOAD"], capture_output=True, text=True, check=True)
    offset = directory / "offset"
    offset.write_text("+0")
    variables = {
        "LD_PRELOAD": found.stdout.strip(),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    return variables, offset


def test_R01_polls_continue_when_the_wall_clock_steps_by_an_hour(base_url: str, tmp_path: Path) -> None:
    variables, offset = fake_clock(tmp_path)
    with running_exporter("--base-url", base_url, *SHORT_INTERVAL, variables=variables) as exporter:
        exporter.wait_for_value(UP, 1)
        for count, (step, skew) in enumerate([("-3600", 3600), ("+3600", -3600)], start=1):
            offset.write_text(step)
            exporter.wait_for_event("wall clock stepped, jobs rescheduled", count)
            before = exporter.poll_count()
            # A poll that waited for the old time would be an hour late, longer than the test waits.
            wait_until(lambda seen=before: exporter.poll_count() >= seen + 2, "two more polls")  # type: ignore[misc]
            assert exporter.value(CLOCK_SKEW) == pytest.approx(skew, abs=HANG)
            assert exporter.value(ACTIVE) == 2
