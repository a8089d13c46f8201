"""What was measured, against what was asked for; as a table for people and as JSON for programs."""

import math
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured again and again.

    Attributes:
        what: in words.
        who: the contestant.
        sessions: how many there were.
        unit: of the values.
        values: every measurement, in the order they were made.
    """

    what: str
    who: str
    sessions: int
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest."""
        return min(self.values), max(self.values)

    def to(self, other: "Figure") -> float:
        """The ratio to what another contestant did in the same rounds: the median of the ratios of each round.

        What loads the machine for some seconds loads both, so it weighs less than in a ratio of medians.
        """
        return statistics.median(mine / theirs for mine, theirs in zip(self.values, other.values, strict=True))


@dataclass(frozen=True, slots=True)
class Verdict:
    """A line of what is to be reached.

    Attributes:
        line: its name, such as `P1`.
        text: what is compared with what.
        goal: the most that is allowed.
        unit: of the goal; empty for a ratio.
        measured: what it came to.
        binding: whether the goal was set for as many sessions as there were.
    """

    line: str
    text: str
    goal: float
    unit: str = ""
    measured: float = math.inf
    binding: bool = True

    @property
    def met(self) -> bool:
        """Whether it is reached."""
        return self.measured <= self.goal

    @property
    def word(self) -> str:
        """The same in words; nothing where the goal is not about this."""
        return ("met" if self.met else "NOT MET") if self.binding else ""

    def of(self, measured: float) -> "Verdict":
        """The verdict on a measurement."""
        return replace(self, measured=measured)


@dataclass(frozen=True, slots=True)
class Findings:
    """What some benchmarks brought."""

    figures: tuple[Figure, ...] = ()
    verdicts: tuple[Verdict, ...] = ()

    def __add__(self, others: "Findings") -> "Findings":
        return Findings(self.figures + others.figures, self.verdicts + others.verdicts)

    def judged(self, *, binding: bool) -> "Findings":
        """The same, with goals that do or do not hold for it; what binds nobody goes on to bind nobody."""
        return Findings(self.figures, tuple(replace(each, binding=each.binding and binding) for each in self.verdicts))


def table(findings: Findings) -> str:
    """Everything as two tables: what was measured, and what was asked for."""
    rows = [("", "sessions", "contestant", "median", "lowest", "highest", "unit", "x ours")]
    told = ""
    for figure in findings.figures:
        what = figure.what if figure.what != told else ""
        told = figure.what
        low, high = figure.spread
        rows.append(
            (
                what,
                f"{figure.sessions:,}",
                figure.who,
                number(figure.median),
                number(low),
                number(high),
                figure.unit,
                _ratio(figure, findings),
            )
        )
    lines = [("line", "goal", "measured", "", "what")]
    lines += [
        (
            verdict.line,
            f"<= {number(verdict.goal)} {verdict.unit}".rstrip(),
            f"{number(verdict.measured)} {verdict.unit}".rstrip(),
            verdict.word,
            verdict.text,
        )
        for verdict in findings.verdicts
    ]
    return f"{_aligned(rows)}\n\n{_aligned(lines)}\n"


def _ratio(figure: Figure, findings: Findings) -> str:
    for other in findings.figures:
        if (other.what, other.sessions, other.who) == (figure.what, figure.sessions, OURS) and other is not figure:
            return number(figure.median / other.median) if other.median else ""
    return ""


OURS = "this program"


def number(value: float) -> str:
    """Three digits that count, and never an exponent."""
    if value and abs(value) < 0.01:
        return f"{value:.5f}".rstrip("0")
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def document(findings: Findings) -> dict[str, Any]:
    """The same for programs, with every single measurement."""
    return {
        "machine": asdict(machine()),
        "figures": [asdict(figure) | {"median": figure.median} for figure in findings.figures],
        "verdicts": [asdict(verdict) | {"met": verdict.met} for verdict in findings.verdicts],
    }


@dataclass(frozen=True, slots=True)
class Machine:
    """What the measurements were made on."""

    processor: str
    cores: int
    system: str
    python: str


def machine() -> Machine:
    """This machine, without its name."""
    found = Machine("unknown", 0, f"{platform.system()} {platform.machine()}", platform.python_version())
    processors = Path("/proc/cpuinfo")
    if processors.exists():
        models = [line.split(":", 1)[1].strip() for line in processors.open() if line.startswith("model name")]
        found = replace(found, processor=models[0] if models else "unknown", cores=len(models))
    return found
