"""A Livepeer Studio in a process of its own whose clock runs: any number of accounts see the same crowd of sessions."""

import argparse
import time

from exporter.simulator.api import create_app
from exporter.simulator.dense import Crowd, dense_rows
from tests.bench.processes import KEY
from tests.bench.upstream import serve


def main() -> None:
    """Serve until a signal says stop."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--sessions", type=int, required=True)
    now = time.time()
    crowd = Crowd(dense_rows(parser.parse_args().sessions, 1, now), now)
    serve(create_app(crowd, key=KEY, now=time.time))


if __name__ == "__main__":
    main()
