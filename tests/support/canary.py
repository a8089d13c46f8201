"""The canary: a marked key that the suite runs with, and an ear for every byte that the suite captures (S11).

Whatever a test run captures goes through `heard`: what pytest captures of each test, and what the real processes of
`tests.support.running` write and answer. At the end of the run `tests/conftest.py` asks it for findings.
"""

from dataclasses import dataclass, field
from typing import Final

MARK: Final = "c4n4ry7d1fe0b52a96"
"""Letters and digits alone, so that it looks the same in a URL, in JSON, in a label and in a repr."""

KEY: Final = f"sk-{MARK}"
"""The API key of the whole suite. Never write it into a fixture, and never print it."""


@dataclass
class Ear:
    """Searches what it hears for a mark, and remembers where it was.

    Attributes:
        mark: what must not be heard.
        findings: the sources in which it was.
        size: bytes heard so far, so that a test can see that something was.
    """

    mark: bytes
    findings: list[str] = field(default_factory=list)
    size: int = 0

    def take(self, source: str, said: bytes | str) -> None:
        """Search some bytes; they come whole, or at least in lines."""
        data = said.encode("utf-8", "surrogatepass") if isinstance(said, str) else said
        self.size += len(data)
        if self.mark in data.lower():
            self.findings.append(source)


heard: Final = Ear(MARK.encode())
"""The ear of this test run."""
