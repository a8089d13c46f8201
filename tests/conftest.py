"""Fixtures for all tests: Hypothesis's profile, and the real programs of Prometheus."""

import os
import shutil

import pytest
from hypothesis import HealthCheck, settings

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
