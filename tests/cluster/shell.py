"""Commands against the cluster, in a copy of the repository as a new user has it."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.cluster.report import Report
from tests.support.deadlines import HANG
from tests.support.running import CommandResult

_APPLIED: Final = re.compile(r"^(\S+/\S+) (?:serverside-applied|created|configured|unchanged)", re.MULTILINE)


class ClusterError(Exception):
    """A check failed; the message has the output of the command."""


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs commands.

    Attributes:
        directory: the copy of the repository, in which they run.
        environment: their environment variables; PATH has the programs of the cluster.
        report: has the transcript of typed commands.
    """

    directory: Path
    environment: Mapping[str, str]
    report: Report

    def attempt(self, *command: str, stdin: str | None = None) -> CommandResult:
        """Run a command, and return its result whatever it is."""
        found = shutil.which(command[0], path=self.environment["PATH"])
        if found is None:
            raise ClusterError(f"{command[0]} is not installed")
        done = subprocess.run(
            [found, *command[1:]],
            cwd=self.directory,
            env=dict(self.environment),
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            timeout=HANG,
        )
        return CommandResult(done.returncode, done.stdout, done.stderr)

    def run(self, *command: str, stdin: str | None = None) -> str:
        """Run a command, and return its standard output.

        Raises:
            ClusterError: it failed, or the API server warned.
        """
        result = self.attempt(*command, stdin=stdin)
        if result.code != 0 or "Warning:" in result.stderr:
            raise ClusterError(f"{' '.join(command)}: {result.stderr}{result.stdout[-1000:]}")
        return result.stdout

    def type(self, line: str) -> str:
        """Run a line with bash, as typed, and record it with what it prints.

        Raises:
            ClusterError: it failed, or the API server warned.
        """
        result = self.attempt("bash", "-c", line)
        output = result.stdout + result.stderr
        printed = output.replace(str(self.directory), ".").rstrip().splitlines()
        self.report.transcript += [f"$ {line}", *printed]
        if result.code != 0 or "Warning:" in output:
            raise ClusterError(f"$ {line}\n{output}")
        self.report.counts["commands typed"] += 1
        return output

    def get(self, *arguments: str) -> Any:
        """Return what `kubectl get` finds, parsed."""
        return json.loads(self.run("kubectl", "get", *arguments, "--output=json"))

    def apply(self, objects: str, namespace: str, *flags: str) -> list[str]:
        """Apply objects on the server with strict validation, and return their names, such as ``service/a``.

        Raises:
            ClusterError: one was rejected, or the API server warned.
        """
        options = ("--server-side", "--validate=strict", "--field-manager=test-cluster", *flags)
        return applied(
            self.run("kubectl", "apply", *options, f"--namespace={namespace}", "--filename=-", stdin=objects)
        )

    def delete(self, objects: str, namespace: str) -> None:
        """Delete objects, and wait until they and what belongs to them are gone."""
        options = ("--cascade=foreground", "--ignore-not-found", f"--timeout={HANG:.0f}s")
        self.run("kubectl", "delete", *options, f"--namespace={namespace}", "--filename=-", stdin=objects)

    def expect_refusal(self, reason: str, *command: str, stdin: str) -> str:
        """Run a command that must fail for a reason, and return the line of its output with the reason.

        Raises:
            ClusterError: it succeeded, or failed for another reason.
        """
        result = self.attempt(*command, stdin=stdin)
        lines = [line for line in (result.stderr + result.stdout).splitlines() if reason in line]
        if result.code == 0 or not lines:
            raise ClusterError(f"{' '.join(command)}: expected a refusal with {reason!r}: {result}")
        return lines[0]


def applied(output: str) -> list[str]:
    """Return the names of the objects that `kubectl apply` reports as applied."""
    return _APPLIED.findall(output)


def copy_of_repository(source: Path, target: Path) -> None:
    """Copy the files that git tracks, with their symbolic links, as a clone has them; local changes included."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=source, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if not (source / name).is_symlink() and not (source / name).exists():
            continue  # deleted, but not committed yet
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / name, path, follow_symlinks=False)
