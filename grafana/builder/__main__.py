"""``python -m grafana.builder``: write the dashboards and the rules anew.

Without arguments it writes what is committed. ``--grafana`` and ``--runbooks`` make rules whose links lead to a place
of one's own, ``--to`` puts everything elsewhere.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from grafana.builder.alert import Places
from grafana.builder.files import build
from grafana.builder.published import places
from grafana.builder.thresholds import DEFAULT


def main(arguments: Sequence[str] | None = None) -> None:
    """Write all files; without arguments those of the command line count."""
    usual = places()
    parser = argparse.ArgumentParser(prog="python -m grafana.builder", description="Write dashboards and rules.")
    parser.add_argument("--to", type=Path, default=Path(__file__).parent.parent, help="where (default: %(default)s)")
    parser.add_argument("--grafana", default=usual.grafana, help="base URL of Grafana (default: %(default)s)")
    parser.add_argument("--runbooks", default=usual.runbooks, help="URL of the runbooks (default: %(default)r)")
    given = parser.parse_args(arguments)
    for name, text in build(DEFAULT, Places(given.grafana, given.runbooks)).items():
        path = given.to / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
