"""``make bad-evening``: how many alerts are notified of each fault in an evening with many of them.

The exporters, the rules and Alertmanager are real; the API is simulated and time is not real. It fails if a fault is
not notified as expected, or if something is notified without a fault.
"""

import asyncio
import logging
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from tests.bad_evening.alerts import Alert, firing_alerts, used_metrics
from tests.bad_evening.faults import Fault, make_evening
from tests.bad_evening.notifications import Notification, notifications
from tests.bad_evening.recording import INTERVAL, record
from tests.bad_evening.world import MINUTE
from tests.support.programs import required_program


@dataclass(frozen=True, slots=True)
class Result:
    """What was notified of a fault.

    Attributes:
        fault: the fault.
        fired: the alerts that fired because of it.
        notified: by notification with new alerts of the fault, the names of these alerts.
    """

    fault: Fault
    fired: Collection[Alert]
    notified: Sequence[str]

    def is_expected(self) -> bool:
        return tuple(self.notified) == self.fault.notified

    def __str__(self) -> str:
        """Return the row of the table."""
        result = "" if self.is_expected() else f"expected: {', '.join(self.fault.notified)}"
        return f"| {self.fault.cause} | {len(self.fired)} | {', '.join(self.notified) or 'none'} | {result} |"


def main() -> int:
    """Print the table, and return the exit code."""
    logging.getLogger("exporter").setLevel(logging.ERROR)  # polls fail on purpose
    evening = make_evening()
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        series = asyncio.run(record(evening, used_metrics(), directory))
        firing = firing_alerts(required_program("promtool"), directory, series)
        sent = notifications(required_program("prometheus-alertmanager"), directory, firing)
    results, others = attribute(evening.faults, firing, sent)
    print(f"{len(results)} faults, {len(sent)} notifications\n")
    print("| fault | alerts | notified | |\n|---|---:|---|---|")
    print("\n".join(map(str, results)))
    print(f"\nnotified without a fault: {len(others)}", *map(dict, others), sep="\n")
    return 0 if not others and all(each.is_expected() for each in results) else 1


def attribute(
    faults: Sequence[Fault], firing: Sequence[Set[Alert]], sent: Sequence[Notification]
) -> tuple[list[Result], list[Alert]]:
    """Return what was notified of each fault, and the alerts that were notified without one.

    Args:
        faults: the faults.
        firing: the alerts that fire at each step.
        sent: the notifications in the order of time.
    """
    fired: list[set[Alert]] = [set() for _ in faults]
    notified: list[list[str]] = [[] for _ in faults]
    others: set[Alert] = set()
    for step, new in _begins(firing):
        for alert in new:
            for index in _causes(faults, alert, step):
                fired[index].add(alert)
    for notification in sent:
        causes: dict[int, set[str]] = {}
        for alert in notification.new:
            found = _causes(faults, alert, notification.step)
            others |= set() if found else {alert}
            for index in found:
                causes.setdefault(index, set()).add(dict(alert)["alertname"])
        for index, names in causes.items():
            notified[index].append(" and ".join(sorted(names)))
    return [Result(*each) for each in zip(faults, fired, notified, strict=True)], list(others)


def _causes(faults: Sequence[Fault], alert: Alert, step: int) -> list[int]:
    """Return the indexes of the faults that an alert belongs to if it is new at a step."""
    minute = step * INTERVAL / MINUTE
    return [index for index, fault in enumerate(faults) if fault.covers(dict(alert), minute)]


def _begins(steps: Sequence[Set[Alert]]) -> Iterator[tuple[int, Set[Alert]]]:
    """Yield each step with the alerts that are new in it."""
    before: Set[Alert] = frozenset()
    for step, alerts in enumerate(steps):
        yield step, alerts - before
        before = alerts


if __name__ == "__main__":
    sys.exit(main())
