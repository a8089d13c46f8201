"""Check that a release can be published: ``make release-check``, or ``python -m deploy.release_check``.

Builds the sdist, and the wheel from the sdist, with the pinned build tools; compares the sdist with the repository;
validates the metadata of both; collects the tests from the unpacked sdist; installs the wheel into a new environment
with the pinned dependencies; runs the installed commands against the simulator, from a directory outside the
repository. Only if all of it passes are the two files copied to ``dist/``.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_string
from pathlib import Path
from typing import Final, Literal

from build import BuildBackendException, BuildException, ProjectBuilder
from packaging.metadata import Metadata

from exporter.cli import asset_files
from exporter.version import VERSION

ROOT: Final = Path(__file__).parent.parent
PROGRAM: Final = "livepeer-session-exporter"
COMMAND_TIMEOUT_SECONDS: Final = 600
TESTS_TIMEOUT_SECONDS: Final = 3600
KEY: Final = "release-check-key"
"""The key of the simulator; not a secret."""


class ReleaseError(Exception):
    """The release must not be published; the message names the reason."""


@dataclass(frozen=True, slots=True)
class Section:
    """One version's part of the changelog.

    Attributes:
        date: as ``YYYY-MM-DD``, or None as long as the version is unreleased.
        text: the text of the section, without its heading.
    """

    date: str | None
    text: str


def changelog_section(changelog: str, version: str) -> Section:
    """Find a version's section.

    Raises:
        ReleaseError: there is no such section, it is empty, or its heading has neither a date nor "unreleased".
    """
    found = re.search(
        rf"^## \[{re.escape(version)}\] - ([^\n]+)$\n(.*?)(?=^## |\Z)", changelog, flags=re.MULTILINE | re.DOTALL
    )
    if not found or not found[2].strip():
        raise ReleaseError(f"CHANGELOG.md has no section for {version}")
    if found[1] != "unreleased" and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", found[1]):
        raise ReleaseError(f"CHANGELOG.md: {version} is dated {found[1]!r}; write YYYY-MM-DD, or unreleased")
    return Section(None if found[1] == "unreleased" else found[1], found[2].strip())


def check_tag(tag: str, version: str, changelog: str) -> None:
    """Compare a tag with the version and the changelog.

    Raises:
        ReleaseError: the tag is of another version, the version is still marked as unreleased, or there are changes
            that are not in its section.
    """
    if tag != f"v{version}":
        raise ReleaseError(f"the tag is {tag}, but exporter/version.py has {version}; expected v{version}")
    if re.search(r"^## \[Unreleased\]\s++(?!## |\Z)", changelog, flags=re.MULTILINE):
        raise ReleaseError(f"CHANGELOG.md: move the changes under Unreleased to {version} before tagging")
    if changelog_section(changelog, version).date is None:
        raise ReleaseError(f"CHANGELOG.md: {version} is still unreleased; give it a date before tagging")


def check_sdist_files(packed: Iterable[str], tracked: Iterable[str]) -> int:
    """Compare the files of the sdist with those of the repository, and count them.

    Raises:
        ReleaseError: a tracked file is missing, or there is one that is not tracked.
    """
    inside, expected = set(packed) - {"PKG-INFO"}, set(tracked)
    if missing := sorted(expected - inside):
        raise ReleaseError(f"missing in the sdist: {', '.join(missing)}")
    if untracked := sorted(inside - expected):
        raise ReleaseError(f"in the sdist, but not tracked by git: {', '.join(untracked)}")
    return len(inside)


def check_metadata(sdist: str, wheel: str) -> Metadata:
    """Validate core metadata, and compare that of the sdist with that of the wheel.

    Raises:
        ReleaseError: a field is invalid or missing, or the two differ.
    """
    try:
        metadata = Metadata.from_email(wheel, validate=True)
    except ExceptionGroup as error:
        raise ReleaseError("; ".join(map(str, error.exceptions))) from error
    fields, described = (sorted(message_from_string(text).items()) for text in (sdist, wheel))
    if fields != described:
        raise ReleaseError("the metadata of the sdist and of the wheel differ")
    needed = ("summary", "description", "description_content_type", "license_expression", "license_files", "author")
    missing = [name for name in (*needed, "requires_python", "keywords", "classifiers") if not getattr(metadata, name)]
    if missing:
        raise ReleaseError(f"missing in the metadata: {', '.join(missing)}")
    return metadata


def check_wheel_files(packed: Iterable[str]) -> int:
    """Check that a wheel has the package, its assets and nothing else, and count its files.

    Raises:
        ReleaseError: something is missing, or there is something else.
    """
    names = set(packed)
    if odd := sorted(
        name for name in names if not re.match(r"exporter/|livepeer_session_exporter-[^/]+\.dist-info/", name)
    ):
        raise ReleaseError(f"in the wheel, but not of the package: {', '.join(odd)}")
    wanted = {"exporter/py.typed", *(f"exporter/_assets/{name}" for name, _ in asset_files.packaged())}
    if missing := sorted(wanted - names):
        raise ReleaseError(f"missing in the wheel: {', '.join(missing)}")
    return len(names)


@dataclass(slots=True)
class Report:
    """Prints one line per step, with its result and how long it took."""

    write: Callable[[str], object]
    clock: Callable[[], float]
    begun: float = field(init=False)

    def __post_init__(self) -> None:
        self.begun = self.clock()

    def passed(self, step: str, result: str) -> None:
        """Report a step that passed; its time is that since the step before it."""
        now = self.clock()
        self.write(f"  ok  {step:<12} {now - self.begun:6.1f} s  {result}\n")
        self.begun = now


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    expect: int = 0,
    timeout: float = COMMAND_TIMEOUT_SECONDS,
) -> str:
    """Run a command and return what it wrote to stdout.

    Raises:
        ReleaseError: it ended with another exit code than expected; its output is in the message.
    """
    line = " ".join(map(str, command))
    try:
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=timeout)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ReleaseError(f"{line}: {error}") from error
    if done.returncode != expect:
        output = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise ReleaseError(f"{line}: exit code {done.returncode}, expected {expect}\n{output}")
    return done.stdout


def create_environment(directory: Path, pins: Path) -> Path:
    """Create an environment with exactly the pinned packages, and return its interpreter."""
    venv.create(directory, with_pip=True)
    python = directory / "bin" / "python"
    run(
        [*_pip(python), "install", "--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", pins], cwd=directory
    )
    run([*_pip(python), "check"], cwd=directory)
    return python


def _pip(python: Path) -> list[str | Path]:
    return [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]


def build_package(source: Path, kind: Literal["sdist", "wheel"], python: Path, target: Path) -> Path:
    """Build an sdist or a wheel with the build backend that an interpreter's environment has."""

    def run_hook(cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None) -> None:
        run(cmd, cwd=Path(cwd or source), env={**os.environ, **(extra_environ or {})})

    builder = ProjectBuilder(source, python_executable=str(python), runner=run_hook)
    try:
        return Path(builder.build(kind, target))
    except (BuildException, BuildBackendException) as error:
        raise ReleaseError(f"cannot build the {kind}: {error}") from error


@contextlib.contextmanager
def simulator(programs: Path, cwd: Path, env: Mapping[str, str]) -> Iterator[str]:
    """Run the installed simulator, and yield the base URL of its API."""
    command = [str(programs / "python"), "-m", "exporter.simulator", "--key", KEY]
    with subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip() if process.stdout else ""
            _require(url.startswith("http://"), "the simulator did not start")
            yield url
        finally:
            process.terminate()


def check_commands(programs: Path, scratch: Path, report: Report) -> None:
    """Run the installed program as a user would: nothing of the repository and of the caller's environment is in reach.

    Raises:
        ReleaseError: a command fails, or answers something else than it should.
    """
    cwd = scratch / "elsewhere"
    cwd.mkdir()
    env = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(cwd), "LIVEPEER_API_KEY": KEY}
    program = programs / PROGRAM
    place = run([programs / "python", "-c", "import exporter; print(exporter.__file__)"], cwd=cwd, env=env).strip()
    _require(Path(place).is_relative_to(scratch / "installed"), f"the package is imported from {place}")

    version = run([program, "--version"], cwd=cwd, env=env).strip()
    _require(VERSION in version.split(), f"--version prints {version!r}, expected {VERSION}")
    report.passed("--version", version)

    with simulator(programs, cwd, env) as url:
        account = ["--base-url", url]
        table = run([program, "check", *account], cwd=cwd, env=env)
        fine = re.findall(r"\bok\b", table)
        report.passed("check", f"ok, {len(fine)} of {len(table.splitlines())} lines of its table")
        run([program, "check", *account], cwd=cwd, env={**env, "LIVEPEER_API_KEY": "wrong"}, expect=1)
        report.passed("check", "fails with a wrong key, as it should")
        for form, ending in (("text", ""), ("openmetrics", "# EOF")):
            page = run([program, "once", "--format", form, *account], cwd=cwd, env=env)
            sessions = len(re.findall(r"^livepeer_studio_session_info\{", page, flags=re.MULTILINE))
            up = re.search(r"^livepeer_studio_up\{[^}]*\} 1(\.0)?$", page, flags=re.MULTILINE)
            _require(bool(up and sessions and page.rstrip().endswith(ending)), f"once --format {form}: {page[-500:]}")
            report.passed("once", f"{form}: up, {sessions} sessions, {len(page.splitlines())} lines")

    listed = json.loads(run([program, "metrics", "--json"], cwd=cwd, env=env))
    report.passed("metrics", f"{len(listed)} metrics")
    check_assets([program, "assets"], cwd, env, report)


def check_assets(command: Sequence[str | Path], cwd: Path, env: Mapping[str, str], report: Report) -> None:
    """Write the assets with and without links, and compare them with those of the repository.

    Raises:
        ReleaseError: a file is missing or different, or an invalid URL is accepted.
    """
    links = {"--grafana-url": "https://grafana.example.com/base", "--runbook-url": "https://docs.example.com/runbooks"}
    flags = {"without": [], "with": [part for each in links.items() for part in each]}
    bases = {"without": asset_files.LinkBases(), "with": asset_files.LinkBases(*links.values())}
    for name, expected in bases.items():
        run([*command, name, *flags[name]], cwd=cwd, env=env)
        paths = [path for path in (cwd / name).rglob("*") if path.is_file()]
        written = {path.relative_to(cwd / name).as_posix(): path.read_text(encoding="utf-8") for path in paths}
        _require(
            written == asset_files.contents(expected), f"assets {name} links writes other files: {sorted(written)}"
        )
        report.passed("assets", f"{len(written)} files, made of those in grafana/, {name} links")
    run([*command, "with"], cwd=cwd, env=env, expect=1)
    run([*command, "other", "--grafana-url", "grafana"], cwd=cwd, env=env, expect=2)
    report.passed("assets", "keeps files with another content and rejects an invalid URL, as it should")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ReleaseError(otherwise)


def check(arguments: argparse.Namespace, scratch: Path, report: Report) -> None:
    """Do all the steps.

    Raises:
        ReleaseError: one of them failed.
    """
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    section = changelog_section(changelog, VERSION)
    if arguments.tag is not None:
        check_tag(arguments.tag, VERSION, changelog)
    report.passed("changelog", f"{VERSION}, {section.date or 'unreleased'}")

    python = create_environment(scratch / "tools", ROOT / "deploy" / "container" / "build.txt")
    report.passed("tools", "an environment with the pinned build tools")
    sdist = build_package(ROOT, "sdist", python, scratch)
    with tarfile.open(sdist) as archive:
        archive.extractall(scratch / "unpacked", filter="data")
        packed = [member.name.partition("/")[2] for member in archive.getmembers() if not member.isdir()]
    source = scratch / "unpacked" / sdist.name.removesuffix(".tar.gz")
    wheel = build_package(source, "wheel", python, scratch)
    sizes = [f"{path.name} ({path.stat().st_size:,} bytes)" for path in (sdist, wheel)]
    report.passed("build", " and from it ".join(sizes))
    tracked = run(["git", "ls-files", "-z"], cwd=ROOT).rstrip("\0").split("\0")
    report.passed("sdist", f"{check_sdist_files(packed, tracked)} files, the same as in the repository")

    with zipfile.ZipFile(wheel) as zipped:
        count = check_wheel_files(zipped.namelist())
        (name,) = (name for name in zipped.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = check_metadata((source / "PKG-INFO").read_text(encoding="utf-8"), zipped.read(name).decode())
    report.passed("wheel", f"{count} files: the package and its assets")
    report.passed("metadata", f"valid, Metadata-Version {metadata.metadata_version}, Python {metadata.requires_python}")

    tests = ["--numprocesses", "auto", "--dist", "loadfile"] if arguments.tests else ["--collect-only"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    outcome = run(command, cwd=source, timeout=TESTS_TIMEOUT_SECONDS)
    report.passed("tests", f"from the sdist: {outcome.strip().splitlines()[-1].strip('= ')}")

    python = create_environment(scratch / "installed", ROOT / "requirements" / "run.txt")
    run([*_pip(python), "install", "--no-deps", "--no-index", wheel], cwd=scratch)
    run([*_pip(python), "check"], cwd=scratch)
    report.passed("install", "the wheel and the pinned dependencies in a new environment, pip check")
    check_commands(python.parent, scratch, report)

    target = ROOT / "dist"
    target.mkdir(exist_ok=True)
    for old in (*target.glob("*.whl"), *target.glob("*.tar.gz")):
        old.unlink()
    for path in (sdist, wheel):
        shutil.copy2(path, target)
    report.passed("dist", "the checked files are in dist/")


def main(given: Sequence[str] | None = None) -> int:
    """Check the release; 0 if it can be published, 1 if not."""
    parser = argparse.ArgumentParser(prog="python -m deploy.release_check", description="Check a release.")
    parser.add_argument("--tag", help="the tag to be released: must match the version, and the changelog must be dated")
    parser.add_argument("--tests", action="store_true", help="run the tests from the sdist instead of collecting them")
    parser.add_argument("--notes", action="store_true", help="print the changelog's section of this version, and stop")
    arguments = parser.parse_args(given)
    try:
        if arguments.notes:
            print(changelog_section((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), VERSION).text)
            return 0
        print(f"{PROGRAM} {VERSION}, Python {sys.version.split()[0]}")
        with tempfile.TemporaryDirectory(prefix="release-check-") as scratch:
            check(arguments, Path(scratch).resolve(), Report(sys.stdout.write, time.monotonic))
    except ReleaseError as error:
        print(f"  FAILED: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
