"""Options of all tests, programs of Prometheus, and the check that no output contains the canary key (S11)."""

import importlib
import logging
import os
import pkgutil
import shutil
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, Phase, settings

import exporter
from tests.support.canary import MARK, scanner

if TYPE_CHECKING:
    from _typeshed import TraceFunction as Tracer
    from xdist.workermanage import WorkerController

# Hypothesis's deadline and its check for slow data generation would depend on the load of the machine.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# `make mutants` runs the tests of a function once for each of its mutants.
settings.register_profile(
    "mutants",
    max_examples=10,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # a failing example is not shrunk
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("default")

BESIDE_THE_PROGRAM: Final = frozenset(
    ("bad_evening", "bench", "ci", "cluster", "deploy", "docs", "engines", "golden", "grafana", "soak")
)
"""Directories of tests of files and tools, not of the program."""

TRACER: Final = pytest.StashKey["Tracer | None"]()
"""The tracer of coverage, None without coverage."""


def program(name: str) -> str:
    """Return the path of a program; without it the test fails in CI, and is skipped elsewhere."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is missing, but required in CI")
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
    """Restore the root logger after a test that configures it."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
    """Report the failure of a shared fixture once, for the first test that uses it; skip the other tests.

    pytest caches the exception of a fixture, and would raise it again for each of these tests.
    """
    try:
        return (yield)
    except (Exception, pytest.fail.Exception):
        if fixturedef.scope != "function" and fixturedef.cached_result is not None:
            first = os.environ.get("PYTEST_CURRENT_TEST", "").removesuffix(" (setup)")
            failed = pytest.skip.Exception(f"the fixture {fixturedef.argname} failed: see {first}")
            fixturedef.cached_result = (None, fixturedef.cached_result[1], (failed, None))
        raise


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect without coverage's tracer, which would double the time that each process takes to collect all tests."""
    if sys.gettrace() is not None and not session.config.pluginmanager.hasplugin("dsession"):
        # What a module of the program executes when it is imported counts as covered.
        for module in pkgutil.walk_packages(exporter.__path__, "exporter."):
            importlib.import_module(module.name)
    with traced(None):
        return (yield)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Run pytest itself without the tracer, and so all that the controller of pytest-xdist does.

    pytest-cov stops the tracer after this, since its wrapper is an outer one.
    """
    session.config.stash[TRACER] = sys.gettrace()
    with traced(None):
        return (yield)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, object]:
    """Set up a test with the tracer, if it counts for coverage."""
    with traced(tracer_of(item)):
        return (yield)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, object]:
    """Run a test with the tracer, if it counts for coverage; ``no_cover`` of pytest-cov fails under pytest-xdist."""
    with traced(tracer_of(item)):
        return (yield)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, object]:
    """Tear down a test with the tracer, if it counts for coverage."""
    with traced(tracer_of(item)):
        return (yield)


@contextmanager
def traced(tracer: "Tracer | None") -> Iterator[None]:
    """Set the tracer, none if None, for a while."""
    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        yield
    finally:
        sys.settrace(before)


def tracer_of(item: pytest.Item) -> "Tracer | None":
    """Return coverage's tracer if the test counts for coverage.

    The tracer doubles the time of a test. Tests of what is beside the program run through little of it. A test with
    random data runs through the same lines many times, and which other lines it reaches differs from run to run.
    """
    is_beside_the_program = not BESIDE_THE_PROGRAM.isdisjoint(item.nodeid.split("/")[:-1])
    is_random = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    if is_beside_the_program or is_random or item.get_closest_marker("untraced"):
        return None
    return item.config.stash.get(TRACER, None)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Scan everything that pytest captured of a test."""
    scanner.scan(report.nodeid, report.longreprtext)
    for name, text in report.sections:
        scanner.scan(f"{report.nodeid}: {name}", text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the sources of the findings without the key."""
    for source in scanner.findings:
        terminalreporter.write_line(f"S11: the API key was found in {source.replace(MARK, '...')}", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run if there is a finding; a worker of pytest-xdist sends its findings to the controller."""
    worker_output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if worker_output is not None:
        worker_output["canary_findings"] = scanner.findings
    if scanner.findings:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return two more than the number of processors, since the tests wait for a third of their time."""
    return (os.cpu_count() or 1) + 2


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: "WorkerController") -> None:
    """Collect the findings of a worker."""
    scanner.findings.extend(getattr(node, "workeroutput", {}).get("canary_findings", []))
