"""What the checks found."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        subject: what was checked, with the versions of the engines.
        passed: whether it is as the docs say.
        text: figures, or what is wrong.
    """

    subject: str
    passed: bool
    text: str

    def __str__(self) -> str:
        """Return the line."""
        return f"{'ok  ' if self.passed else 'FAIL'} {self.subject}: {self.text}"


@dataclass
class Report:
    """The findings, which are printed as they are added."""

    findings: list[Finding] = field(default_factory=list)

    def add(self, subject: str, passed: bool, text: str) -> None:
        """Add a finding."""
        finding = Finding(subject, passed, text)
        self.findings.append(finding)
        print(finding, flush=True)

    def note(self, text: str) -> None:
        """Print a detail of the finding before."""
        print(f"       {text}", flush=True)

    @property
    def passed(self) -> bool:
        """Whether there are findings, and all passed."""
        return bool(self.findings) and all(finding.passed for finding in self.findings)
