"""The commands, and the arguments that only one of them takes."""

import argparse
from collections.abc import Mapping
from typing import Final, Literal

Command = Literal["serve", "demo", "check", "once", "metrics", "healthcheck", "assets"]

COMMANDS: Final[Mapping[str, str]] = {
    "serve": "poll the API and serve the metrics (the default command)",
    "demo": "serve the metrics of a simulated account; needs no API key",
    "check": "validate the settings, and read the sessions of every account as a poll does",
    "once": "poll every account once and print the metrics",
    "metrics": "list all metrics with their types, labels and descriptions",
    "healthcheck": "query /livez of a running exporter, for container health checks",
    "assets": "write the Grafana dashboards, the Prometheus rules and their Kubernetes objects to a directory",
}
WITHOUT_SETTINGS: Final = ("metrics", "assets")
"""Commands that use no settings; they accept the flags, but their help does not list them."""

GRAFANA_URL: Final = "--grafana-url"
RUNBOOK_URL: Final = "--runbook-url"
OVERWRITE: Final = "--overwrite"

COMMAND_FLAGS: Final = ("--format", "--json", "--offline", "--url", GRAFANA_URL, RUNBOOK_URL, OVERWRITE)


def add_own_arguments(command: argparse.ArgumentParser, name: str) -> None:
    """Add the arguments of one command to its parser."""
    if name == "once":
        choices = ("text", "openmetrics")
        command.add_argument("--format", choices=choices, default="text", help="exposition format (default: text)")
    elif name == "check":
        text = "read the settings and the web config files only, and send no requests"
        command.add_argument("--offline", action="store_true", help=text)
    elif name == "metrics":
        command.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
    elif name == "healthcheck":
        command.add_argument("--url", help="URL of the probe (default: /livez at the listen address)")
    elif name == "assets":
        command.add_argument("directory", metavar="DIR", help="target directory; created if it does not exist")
        command.add_argument(
            GRAFANA_URL, metavar="URL", help="base URL of Grafana; without it alerts have no links to dashboards"
        )
        command.add_argument(
            RUNBOOK_URL,
            metavar="URL",
            help="URL of docs/runbooks.md as you publish it; without it alerts name its section",
        )
        command.add_argument(OVERWRITE, action="store_true", help="replace existing files that have another content")
