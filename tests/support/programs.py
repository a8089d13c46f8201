"""Programs of benchmarks and simulations, which are installed separately."""

import shutil


def required_program(name: str) -> str:
    """Return the path of a program.

    Raises:
        SystemExit: it is not installed.
    """
    path = shutil.which(name)
    if path is None:
        raise SystemExit(f"{name} is missing; install Prometheus and Alertmanager")
    return path
