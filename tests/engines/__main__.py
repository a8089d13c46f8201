"""Check the exporter, its dashboards and its rules on the engines that people run; see docs/engines.md.

``python -m tests.engines``: builds Prometheus 3, VictoriaMetrics and Thanos from their Go modules into a cache, and
runs the checks one after the other. Debian's Prometheus and VictoriaMetrics are checked too if they are installed.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from tests.engines.builds import MODULES, default_cache
from tests.engines.programs import Programs, find_programs
from tests.engines.protocol_check import check_protocols
from tests.engines.query_check import check_queries
from tests.engines.remote_write_check import check_remote_write
from tests.engines.replica_check import check_replicas
from tests.engines.report import Report
from tests.engines.restart_check import check_restarts
from tests.engines.rule_check import check_rules
from tests.support.canary import scanner

Check = Callable[[Programs, Path, Report], None]

CHECKS: Final[Mapping[str, Check]] = {
    "queries": check_queries,
    "rules": check_rules,
    "protocols": check_protocols,
    "remote-write": check_remote_write,
    "replicas": check_replicas,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the checks and print what they find; the exit code is 0 if all passed."""
    options = _parse(arguments)
    versions = dict(each.split("=", 1) for each in options.module)
    programs = find_programs(options.cache, versions, lambda text: print(text, flush=True))
    report = Report()
    checks: dict[str, Check] = {**CHECKS, "restarts": partial(check_restarts, minutes=options.minutes)}
    for name in options.only:
        with tempfile.TemporaryDirectory(prefix="engines-") as directory:
            checks[name](programs, Path(directory), report)
    report.add("no output contains the API key", not scanner.findings, f"{len(scanner.findings)} findings")
    return 0 if report.passed else 1


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.engines", description="Checks on real engines.")
    parser.add_argument(
        "--cache", type=Path, default=default_cache(os.environ), help="directory for builds (default: %(default)s)"
    )
    parser.add_argument(
        "--module",
        action="append",
        default=[],
        metavar="NAME=VERSION",
        help=f"another version of a module, of {', '.join(module.name for module in MODULES)}",
    )
    parser.add_argument(
        "--only",
        type=lambda text: text.split(","),
        default=[*CHECKS, "restarts"],
        help=f"checks to run, separated by commas (default: {','.join(CHECKS)},restarts)",
    )
    parser.add_argument(
        "--minutes", type=float, default=30.0, help="duration of the restarts, after five minutes (default: 30)"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
