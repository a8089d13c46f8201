"""A day in the life of a fleet, at speed: accounts come and go by reload, and every counter is held against the truth.

The clocks are ours, so a day lasts as long as its polls take: ``python -m tests.fleet.day --hours 24``, or
``make soak-fleet``. The truth is worked out from the simulated worlds, by other ways than the program's.
"""

import argparse
import asyncio
import gc
import logging
import os
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from exporter.sessions.snapshot import FINISHED
from exporter.simulator.world import World
from tests.fleet.hand import Fleet, fleet
from tests.support.canary import KEY
from tests.support.rows import START

HOUR = 3600.0
ACCOUNTS = ("anna", "bert", "cleo", "dora")
STREAMS = 7
WIRE = {
    "source_segments": "sourceSegments",
    "transcoded_segments": "transcodedSegments",
    "source_segments_duration": "sourceSegmentsDuration",
    "transcoded_segments_duration": "transcodedSegmentsDuration",
    "source_bytes": "sourceBytes",
    "transcoded_bytes": "transcodedBytes",
}
SHOWN = {name: f"{name}_seconds_total" if "duration" in name else f"{name}_total" for name in WIRE}


def world(name: str, history: float) -> World:
    """The world of an account, that remembers ended sessions for so many seconds."""
    return World(ACCOUNTS.index(name), STREAMS, start=START, history=history)


@dataclass(frozen=True, slots=True)
class Stay:
    """From when to when an account has been polled, as Unix seconds of its first and of its last poll."""

    account: str
    first: float
    last: float

    def truth(self) -> dict[str, float]:
        """What its counters must say after the last poll, by the names of the page."""
        whole = world(self.account, self.last - START + 48 * HOUR)
        before = {row["id"]: row for row in whole.rows(self.first)}
        after = {row["id"]: row for row in whole.rows(self.last)}
        grown = {
            SHOWN[name]: sum(row.get(wire, 0) - before.get(key, {}).get(wire, 0) for key, row in after.items())
            for name, wire in WIRE.items()
        }
        started = sum(key not in before for key in after)
        finished = {
            f"recordings_finished_total {result}": sum(
                _finished(row, result) and not _finished(before.get(key, {}), result) for key, row in after.items()
            )
            for result in FINISHED
        }
        return {**grown, "sessions_started_total": started, **finished}


def _finished(row: Mapping[str, object], result: str) -> bool:
    return row.get("recordingStatus") == result


def counted(running: Fleet, account: str) -> dict[str, float]:
    """What the page says of an account, in the form of ``Stay.truth``."""
    page = running.scrape()
    names = (*SHOWN.values(), "sessions_started_total")
    plain = {name: page.value(name, account=account) or 0.0 for name in names}
    finished = page.all("recordings_finished_total", account=account)
    return plain | {f"recordings_finished_total {labels['result']}": value for labels, value in finished}


def differences(stay: Stay, found: Mapping[str, float]) -> list[str]:
    """Where counters and truth are apart by more than the rounding of sums."""
    truth = stay.truth()
    assert truth.keys() == found.keys()
    return [
        f"{stay.account}: {name} is {found[name]!r}, and should be {value!r}"
        for name, value in truth.items()
        if abs(found[name] - value) > 1e-9 * max(abs(value), 1.0)
    ]


@dataclass(frozen=True, slots=True)
class Moment:
    """How it stands after an hour: resident bytes, polls so far, and what is wrong with the counters."""

    hour: int
    memory: int
    polls: int
    wrong: tuple[str, ...]


async def day(hours: float, key_file: str, interval: float = 60.0) -> AsyncIterator[Moment]:
    """Live through so many hours.

    Every hour one account is added and another one removed, by turns; the first two stay, and one of these changes
    its interval back and forth.
    """
    sources = {name: world(name, 5 * HOUR) for name in ACCOUNTS}
    async with fleet(sources, *ACCOUNTS[:2], key_file=key_file, poll_interval=interval) as running:
        hand = running.hand
        first: dict[str, float] = {}
        end, hour = hand.time.now() + hours * HOUR, 0
        present: tuple[str, ...] = ACCOUNTS[:2]
        while hand.time.now() < end:
            began = hand.time.now()
            await hand.turn(HOUR)
            hour += 1
            for name in present:
                first.setdefault(name, began + hand.delays[name])
            stays = [Stay(name, first[name], hand.polled[name]) for name in present]
            wrong = [line for stay in stays for line in differences(stay, counted(running, stay.account))]
            shown = {labels["account"] for labels, _ in running.scrape().all("up")}
            wrong += [] if shown == set(present) else [f"the page shows {sorted(shown)}"]
            yield Moment(hour, _resident(), hand.polls, tuple(wrong))
            present = (*ACCOUNTS[:2], ACCOUNTS[2 + hour % 2])
            first = {name: since for name, since in first.items() if name in present}
            pace = {"poll_interval": f"{interval * (1 + hour % 2):g}s"}
            await running.apply(ACCOUNTS[0], {"name": ACCOUNTS[1], **pace}, *present[2:])


def _resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def _report(hours: float) -> int:
    """Print a line an hour; 1 if a counter was wrong, or if memory grew after the first quarter."""
    began = time.monotonic()
    moments = []
    with tempfile.TemporaryDirectory() as directory:
        key_file = Path(directory) / "key"
        key_file.write_text(KEY, encoding="ascii")
        async for moment in day(hours, str(key_file)):
            moments.append(moment)
            verdict = "; ".join(moment.wrong) or "counters right"
            print(f"hour {moment.hour:3}  {moment.polls:6} polls  {moment.memory / 1e6:6.1f} MB  {verdict}", flush=True)
    warm = max(moment.memory for moment in moments[: max(1, len(moments) // 4)])
    grown = moments[-1].memory / warm - 1
    print(f"{time.monotonic() - began:.0f} s; memory grew by {grown:+.1%} since the first quarter")
    return int(grown > MOST_GROWTH or any(moment.wrong for moment in moments))


MOST_GROWTH = 0.05
"""Of resident memory, from the first quarter to the end: what an allocator may do by chance."""


def main() -> int:
    """Live through some hours, by default a day."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--hours", type=float, default=24.0)
    logging.getLogger("exporter").setLevel(logging.ERROR)
    return asyncio.run(_report(parser.parse_args().hours))


if __name__ == "__main__":
    raise SystemExit(main())
