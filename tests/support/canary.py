"""The canary: the API key of the test suite, with a mark that no captured output may contain (S11).

`scanner` searches everything that a test run captures: what pytest captures of each test, and what the processes of
`tests.support.running` write and respond. `tests/conftest.py` fails the run if there is a finding.
"""

from dataclasses import dataclass, field
from typing import Final

MARK: Final = "c4n4ry7d1fe0b52a96"
"""Letters and digits only, so that it is the same in a URL, in JSON, in a label and in a repr."""

KEY: Final = f"sk-{MARK}"
"""The API key of the test suite. Never write it into a fixture, and never print it."""


@dataclass
class Scanner:
    """Searches output for a secret.

    Attributes:
        secret: the secret, in lower case.
        findings: the sources whose output contained it.
        scanned_bytes: the number of bytes searched, so that a test can check that there was any output.
    """

    secret: bytes
    findings: list[str] = field(default_factory=list)
    scanned_bytes: int = 0

    def scan(self, source: str, output: bytes | str) -> None:
        """Search output, which must be complete or end at a line break."""
        data = output.encode("utf-8", "surrogatepass") if isinstance(output, str) else output
        self.scanned_bytes += len(data)
        if self.secret in data.lower():
            self.findings.append(source)


scanner: Final = Scanner(MARK.encode())
"""The scanner of this test run."""
