import fnmatch
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from exporter.config import Settings
from tests.deploy.manifests import DEPLOY, ROOT

DOCKERFILE = DEPLOY / "container" / "Dockerfile"
TEXT = DOCKERFILE.read_text()
RUNTIME = TEXT.split("FROM ")[-1]

Run = Callable[..., CompletedProcess[str]]


def test_hadolint_reports_nothing(run_tool: Run) -> None:
    done = run_tool("hadolint", "--no-color", DOCKERFILE)
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_rejects_a_bad_dockerfile(run_tool: Run, tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text("FROM python\nRUN cd /tmp\n")
    assert run_tool("hadolint", path).returncode != 0


def test_both_base_images_are_arguments_and_default_to_one() -> None:
    assert re.findall(r"^FROM (\S+)", TEXT, re.MULTILINE) == ["${BUILD_BASE}", "${BASE}"]
    assert "ARG BUILD_BASE=${BASE}" in TEXT


def test_nothing_is_run_in_the_final_stage() -> None:
    assert not re.findall(r"^RUN", RUNTIME, re.MULTILINE)


def test_only_the_environment_is_copied_to_the_final_stage() -> None:
    assert re.findall(r"^COPY (.*)", RUNTIME, re.MULTILINE) == ["--from=build /opt/exporter /opt/exporter"]


def test_the_user_is_a_number_that_is_not_root() -> None:
    assert re.findall(r"^USER (.*)", RUNTIME, re.MULTILINE) == ["65532:65532"]


@pytest.mark.parametrize("instruction", ["ENTRYPOINT", "HEALTHCHECK .*CMD"])
def test_commands_need_no_shell(instruction: str) -> None:
    [command] = re.findall(rf"^{instruction} (.*)", RUNTIME, re.MULTILINE)
    assert command.startswith('["livepeer-session-exporter"')


def test_every_package_is_installed_with_hashes() -> None:
    installs = re.findall(r"install (.*)", TEXT.replace("\\\n", " "))
    assert installs
    assert all("--require-hashes" in each or "--no-deps --no-index" in each for each in installs)


def test_the_exposed_port_is_the_default_one() -> None:
    assert re.findall(r"^EXPOSE (\d+)", RUNTIME, re.MULTILINE) == [
        str(each.port) for each in Settings().web_listen_address
    ]


def test_build_tools_are_pinned_with_hashes_and_without_addresses() -> None:
    lock = (DEPLOY / "container" / "build.txt").read_text()
    packages = [line for line in lock.splitlines() if re.match(r"[a-z]", line)]
    assert all(re.fullmatch(r"[a-z0-9._-]+==\S+ \\", line) for line in packages)
    assert lock.count("--hash=sha256:") >= len(packages)
    assert "://" not in lock


@pytest.mark.parametrize(
    "path", ["api-key", ".env", ".git/config", "deploy/compose.yaml", "tests/conftest.py", ".venv/x"]
)
def test_the_build_context_excludes(path: str) -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert not any(path == each or path.startswith(f"{each}/") or fnmatch.fnmatch(path, each) for each in allowed)


def test_the_build_context_contains_every_copied_file() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [word for line in re.findall(r"^COPY (?!--)(.*) \S+$", TEXT, re.MULTILINE) for word in line.split()]
    assert copied
    assert all(any(each == word or each.startswith(f"{word}/") for each in allowed) for word in copied)
