"""``python -m grafana.builder``: generate the dashboards and rule files.

Without arguments the committed files are regenerated. ``--grafana-url`` and ``--runbook-url`` set the links of the
alerts, ``--output`` selects another directory.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from grafana.builder.base_urls import BaseUrls, project_base_urls
from grafana.builder.files import generate
from grafana.builder.thresholds import DEFAULT


def main(argv: Sequence[str] | None = None) -> None:
    """Generate all files and print their paths.

    Args:
        argv: the arguments; defaults to those of the command line.
    """
    defaults = project_base_urls()
    parser = argparse.ArgumentParser(
        prog="python -m grafana.builder", description="Generate the dashboards and rule files."
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(__file__).parent.parent,
        help="Directory to write to (default: %(default)s).",
    )
    parser.add_argument(
        "--grafana-url", default=defaults.grafana, help="Base URL of Grafana in alerts (default: %(default)s)."
    )
    parser.add_argument(
        "--runbook-url", default=defaults.runbooks, help="URL of the runbooks in alerts (default: %(default)r)."
    )
    arguments = parser.parse_args(argv)
    urls = BaseUrls(arguments.grafana_url, arguments.runbook_url)
    for name, text in generate(DEFAULT, urls).items():
        path = arguments.output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
