"""`metrics`: list all metrics."""

import json

from exporter.cli.terminal import SUCCESS, Terminal
from exporter.metrics import catalogue
from exporter.metrics.catalogue import EVERY_OPTION


def metrics(terminal: Terminal, *, as_json: bool) -> int:
    """Print every metric with its type, labels and description, and return the exit code."""
    if as_json:
        _print_json(terminal)
    else:
        _print_text(terminal)
    return SUCCESS


def _print_json(terminal: Terminal) -> None:
    rows = [
        {
            "name": family.name,
            "type": family.type,
            "labels": [*labels, *family.labels],
            "help": family.help,
            "no_sample_when": family.absent_when,
        }
        for family, labels in catalogue.everything(EVERY_OPTION)
    ]
    print(json.dumps(rows, indent=2), file=terminal.out)


def _print_text(terminal: Terminal) -> None:
    for family, labels in catalogue.everything(EVERY_OPTION):
        print(f"{family.name}{{{','.join((*labels, *family.labels))}}}  {family.type}", file=terminal.out)
        print(f"    {family.help}", file=terminal.out)
        if family.absent_when != "never":
            print(f"    No sample when {family.absent_when}.", file=terminal.out)
    print(f"From prometheus-client: {', '.join(catalogue.EXPOSED_BY_LIBRARY)}.", file=terminal.out)
