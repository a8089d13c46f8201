"""``python -m grafana.builder``: generate the dashboards and rule files.

Without arguments the committed files are regenerated; ``--output`` selects another directory. The command ``assets`` of
the exporter writes them with other links.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from grafana.builder.base_urls import project_base_urls
from grafana.builder.files import generate
from grafana.builder.thresholds import DEFAULT


def main(argv: Sequence[str] | None = None) -> None:
    """Generate all files and print their paths.

    Args:
        argv: the arguments; defaults to those of the command line.
    """
    parser = argparse.ArgumentParser(
        prog="python -m grafana.builder", description="Generate the dashboards and rule files."
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(__file__).parent.parent,
        help="Directory to write to (default: %(default)s).",
    )
    arguments = parser.parse_args(argv)
    for name, text in generate(DEFAULT, project_base_urls()).items():
        path = arguments.output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
