"""For all tests: Hypothesis's profile, the real programs of Prometheus, and the canary that nobody may hear (S11)."""

import logging
import os
import shutil
import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.support.canary import MARK, heard

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

# A deadline would be a timed assertion on a machine that others load as well.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")


def program(name: str) -> str:
    """Where a program is; in CI a missing one is a failure, elsewhere a skip."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is missing, and CI must have it")
        pytest.skip(f"{name} is missing: apt-get install prometheus prometheus-alertmanager")
    return path


@pytest.fixture(scope="session")
def promtool() -> str:
    """The path of promtool."""
    return program("promtool")


@pytest.fixture(scope="session")
def prometheus_binary() -> str:
    """The path of Prometheus."""
    return program("prometheus")


@pytest.fixture
def root_logger_as_before() -> Iterator[None]:
    """For tests that configure the root logger, as the program does."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, object]:
    """Run a test that is marked so without coverage's tracer; pytest-cov's own mark does not work side by side."""
    trace = sys.gettrace()
    if item.get_closest_marker("untraced"):
        sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(trace)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Listen to everything that pytest captured of a test."""
    heard.take(report.nodeid, report.longreprtext)
    for name, text in report.sections:
        heard.take(f"{report.nodeid}: {name}", text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say where the canary was heard, without saying it again."""
    for source in heard.findings:
        terminalreporter.write_line(f"S11: the API key was heard in {source.replace(MARK, '...')}", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run if the canary was heard anywhere; where tests run side by side, each process tells what it heard."""
    told: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["heard"] = heard.findings
    if heard.findings:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more process than there are processors: some tests wait more than they compute."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: "WorkerController") -> None:
    """Take over what another process heard."""
    heard.findings.extend(getattr(node, "workeroutput", {}).get("heard", []))
