"""The measurements of a benchmark run and their goals, as tables and as JSON."""

import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

EXPORTER = "exporter"
"""The name of the exporter among the candidates."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """The values of one quantity for one candidate.

    Attributes:
        quantity: a description of the quantity.
        candidate: the name of the program.
        sessions: the number of sessions.
        unit: of the values.
        values: all of them, in the order of the rounds.
    """

    quantity: str
    candidate: str
    sessions: int
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median of the values."""
        return statistics.median(self.values)

    @property
    def extremes(self) -> tuple[float, float]:
        """The lowest and the highest value."""
        return min(self.values), max(self.values)

    def ratio_to(self, baseline: "Measurement") -> float:
        """Return the median of the ratios of all rounds.

        A load of the machine that lasts for some seconds affects both programs of a round. It therefore changes this
        ratio less than the ratio of the medians.
        """
        return statistics.median(value / base for value, base in zip(self.values, baseline.values, strict=True))


@dataclass(frozen=True, slots=True)
class GoalResult:
    """A measured value and its goal.

    Attributes:
        line: the name of the goal, such as ``P1``.
        description: what is compared with what.
        measured: the value.
        goal: the upper limit of the value.
        unit: of both; empty for a ratio.
        binding: whether the goal was set for this number of sessions.
    """

    line: str
    description: str
    measured: float
    goal: float
    unit: str = ""
    binding: bool = True

    @property
    def met(self) -> bool:
        """Whether the value is within its goal."""
        return self.measured <= self.goal

    @property
    def verdict(self) -> str:
        """A word for the table, empty if the goal is not binding."""
        return ("met" if self.met else "NOT MET") if self.binding else ""


@dataclass(frozen=True, slots=True)
class Results:
    """The results of one or more benchmarks."""

    measurements: tuple[Measurement, ...] = ()
    goals: tuple[GoalResult, ...] = ()

    def __add__(self, other: "Results") -> "Results":
        return Results(self.measurements + other.measurements, self.goals + other.goals)

    def with_goals(self, *, binding: bool) -> "Results":
        """Return the same results; if ``binding`` is false, none of their goals is binding."""
        goals = tuple(replace(each, binding=each.binding and binding) for each in self.goals)
        return Results(self.measurements, goals)


def tables(results: Results) -> str:
    """Format all measurements and all goals as two tables of plain text."""
    rows = [("quantity", "sessions", "candidate", "median", "lowest", "highest", "unit", "/ exporter")]
    previous = ""
    for each in results.measurements:
        quantity = each.quantity if each.quantity != previous else ""
        previous = each.quantity
        lowest, highest = map(number, each.extremes)
        ratio = _ratio_to_exporter(each, results)
        rows.append(
            (quantity, f"{each.sessions:,}", each.candidate, number(each.median), lowest, highest, each.unit, ratio)
        )
    lines = [("line", "goal", "measured", "", "description")]
    lines += [
        (
            each.line,
            f"<= {number(each.goal)} {each.unit}".rstrip(),
            f"{number(each.measured)} {each.unit}".rstrip(),
            each.verdict,
            each.description,
        )
        for each in results.goals
    ]
    return f"{aligned(rows)}\n\n{aligned(lines)}\n"


def _ratio_to_exporter(measurement: Measurement, results: Results) -> str:
    """Return the ratio of the medians; empty for the exporter itself, and if it was not measured."""
    key = measurement.quantity, measurement.sessions, EXPORTER
    for each in results.measurements:
        if (each.quantity, each.sessions, each.candidate) == key and each is not measurement and each.median:
            return number(measurement.median / each.median)
    return ""


def number(value: float) -> str:
    """Format a number with three significant digits and without an exponent."""
    if value and abs(value) < 0.01:
        return f"{value:.5f}".rstrip("0")
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Format rows as a table of plain text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def document(results: Results) -> dict[str, Any]:
    """Return all values of all measurements, for JSON."""
    return {
        "machine": asdict(machine()),
        "measurements": [asdict(each) | {"median": each.median} for each in results.measurements],
        "goals": [asdict(each) | {"met": each.met} for each in results.goals],
    }


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine of a benchmark run."""

    processor: str
    cores: int
    system: str
    python: str


def machine() -> Machine:
    """Return the properties of this machine, without its host name."""
    found = Machine("unknown", 0, f"{platform.system()} {platform.machine()}", platform.python_version())
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        found = replace(found, processor=models[0] if models else "unknown", cores=len(models))
    return found
