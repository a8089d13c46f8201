"""What a run has checked: one line per result, with the time of each step, and a transcript."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Report:
    """Prints results as they arrive, and collects what the summary prints.

    Attributes:
        write: receives each line.
        clock: seconds of a monotonic clock.
        counts: how many of each thing were checked.
        transcript: typed commands and what they printed.
    """

    write: Callable[[str], object]
    clock: Callable[[], float]
    counts: Counter[str] = field(default_factory=Counter)
    transcript: list[str] = field(default_factory=list)
    _times: list[tuple[str, float]] = field(default_factory=list)
    _versions: list[tuple[str, str]] = field(default_factory=list)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Measure what runs within the context."""
        self.write(f"{title}\n")
        begun = self.clock()
        yield
        self._times.append((title, self.clock() - begun))

    def passed(self, result: str, **counts: int) -> None:
        """Print a result, and add to the counts; an underscore stands for a space."""
        self.write(f"  {result}\n")
        self.counts.update({name.replace("_", " "): count for name, count in counts.items()})

    def version(self, program: str, version: str) -> None:
        """Note the version of a program."""
        self._versions.append((program, version))

    def note(self, text: str) -> None:
        """Add an explanation to the transcript."""
        self.transcript.append(f"# {text}")

    def summary(self) -> str:
        """Return versions, counts and times as text."""
        lines = ["", "versions"]
        lines += [f"  {name:<28} {version}" for name, version in self._versions]
        lines += ["counts", *(f"  {name:<28} {count}" for name, count in sorted(self.counts.items()))]
        lines += ["seconds", *(f"  {title:<60} {seconds:6.1f}" for title, seconds in self._times)]
        return "\n".join([*lines, ""])
