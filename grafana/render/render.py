"""``python -m grafana.render.render``: screenshots of the dashboards, for development only.

Runs the demo and a Prometheus that scrapes it, evaluates the queries of every panel after some minutes, and lets
Chromium draw the results with Grafana's React components. Requires Node, Chromium, Prometheus, and ``npm install`` in
this directory.
"""

import argparse
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import urlencode
from urllib.request import urlopen

DIRECTORY: Final = Path(__file__).parent
DASHBOARDS: Final = DIRECTORY.parent / "dashboards"
PICTURES: Final = DIRECTORY.parent / "pictures"
SCRAPE_INTERVAL: Final = 5
"""Seconds; also the step of range queries."""

PAGE_WIDTH: Final = 24 * 64 + 16
ROW_HEIGHT: Final = 38
"""Pixels of a grid row, as in ``viewer.jsx``."""

_PAGE: Final = """<!doctype html>
<meta charset="utf-8">
<link rel="stylesheet" href="viewer.css">
<div id="page"></div>
<script>window.INPUT = INPUT_JSON</script>
<script src="viewer.js"></script>
"""


def main() -> None:
    """Write one picture per dashboard."""
    parser = argparse.ArgumentParser(
        prog="python -m grafana.render.render", description="Render screenshots of the dashboards."
    )
    parser.add_argument(
        "--minutes", type=float, default=6, help="Minutes of demo data to collect (default: %(default)s)."
    )
    parser.add_argument("--theme", choices=("dark", "light"), default="dark", help="Default: %(default)s.")
    parser.add_argument("--output", type=Path, default=PICTURES, help="Directory to write to (default: %(default)s).")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as name, _demo() as target, _prometheus(Path(name), target) as prometheus:
        directory = Path(name)
        _bundle(directory)
        start = time.time()
        time.sleep(arguments.minutes * 60)
        for path in sorted(DASHBOARDS.glob("*.json")):
            dashboard = json.loads(path.read_text(encoding="utf-8"))
            page_input = _page_input(prometheus, dashboard, start, time.time(), arguments.theme)
            picture = arguments.output / f"{path.stem}.png"
            _screenshot(directory, dashboard, page_input, picture)
            print(picture)


@contextmanager
def _demo() -> Iterator[str]:
    """Run the demo; yield its address as a scrape target."""
    command = [sys.executable, "-m", "exporter", "demo", "--web.listen-address", "127.0.0.1:0", "--profile-series"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # noqa: S603
    try:
        line = next(line for line in process.stdout or () if "/metrics" in line)
        yield f"127.0.0.1:{line.rpartition(':')[2].partition('/')[0]}"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _prometheus(directory: Path, target: str) -> Iterator[str]:
    """Run a Prometheus that scrapes one target; yield its base URL."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    scrape = {
        "job_name": "livepeer",
        "scrape_interval": f"{SCRAPE_INTERVAL}s",
        "static_configs": [{"targets": [target]}],
    }
    (directory / "prometheus.yml").write_text(json.dumps({"scrape_configs": [scrape]}), encoding="utf-8")
    flags = [
        f"--config.file={directory}/prometheus.yml",
        f"--storage.tsdb.path={directory}/data",
        f"--web.listen-address={address}",
    ]
    process = subprocess.Popen([_program("prometheus"), *flags], stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait()


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        sys.exit(f"{name} is not installed")
    return path


def _bundle(directory: Path) -> None:
    """Bundle the viewer and Grafana's components into one script."""
    options = ["--bundle", "--loader:.js=jsx", "--jsx=automatic", "--format=iife", "--log-level=error"]
    options += ['--define:process.env.NODE_ENV="production"', "--define:global=window", "--minify"]
    options += [f"--loader:{extension}=dataurl" for extension in (".svg", ".woff2", ".png", ".gif", ".ttf")]
    esbuild = DIRECTORY / "node_modules" / ".bin" / "esbuild"
    command = [str(esbuild), str(DIRECTORY / "viewer.jsx"), f"--outfile={directory / 'viewer.js'}", *options]
    subprocess.run(command, check=True)  # noqa: S603


def _page_input(prometheus: str, dashboard: dict[str, Any], start: float, end: float, theme: str) -> dict[str, Any]:
    """Return the dashboard, the results of its queries, the time range and the theme."""
    session = _session_with_issues(prometheus)
    results: dict[str, Any] = {}
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            expr = _interpolate(target["expr"], session, int(end - start))
            results[f"{panel['id']}/{target['refId']}"] = _query(prometheus, expr, target, start, end)
    return {"dashboard": dashboard, "results": results, "from": start * 1000, "to": end * 1000, "theme": theme}


def _session_with_issues(prometheus: str) -> str:
    """Return the session that the Session dashboard shows: active, recorded, and with issues for long."""
    issues = "count_over_time(livepeer_studio_session_issue_info[10m])"
    sessions = "livepeer_studio_session_active == 1 and livepeer_studio_session_recording_enabled == 1"
    series = _get(prometheus, "query", query=f"topk(1, {issues} and on (session_id) ({sessions}))")
    return str(series[0]["metric"]["session_id"]) if series else ".+"


def _interpolate(expr: str, session: str, range_seconds: int) -> str:
    values = {
        "$__range_s": f"{range_seconds}",
        "$__range": f"{range_seconds}s",
        "$__rate_interval": f"{4 * SCRAPE_INTERVAL}s",
    }
    values |= {"$job": ".+", "$instance": ".+", "$account": ".+", "$stream": ".*", "$session": session}
    for name, value in values.items():
        expr = expr.replace(name, value)
    return expr


def _query(prometheus: str, expr: str, target: dict[str, Any], start: float, end: float) -> list[dict[str, Any]]:
    if target.get("instant"):
        return _get(prometheus, "query", query=expr, time=end)
    return _get(prometheus, "query_range", query=expr, start=start, end=end, step=SCRAPE_INTERVAL)


def _get(prometheus: str, endpoint: str, **parameters: Any) -> list[dict[str, Any]]:
    with urlopen(f"{prometheus}/api/v1/{endpoint}?{urlencode(parameters)}") as response:  # noqa: S310  loopback
        result: list[dict[str, Any]] = json.load(response)["data"]["result"]
        return result


def _screenshot(directory: Path, dashboard: dict[str, Any], page_input: dict[str, Any], picture: Path) -> None:
    """Render the page in Chromium at full height and save a screenshot."""
    script = json.dumps(page_input).replace("</", "<\\/")
    (directory / "page.html").write_text(_PAGE.replace("INPUT_JSON", script), encoding="utf-8")
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=20000"]
    flags += [
        "--allow-file-access-from-files",
        "--force-device-scale-factor=0.75",
        f"--window-size={PAGE_WIDTH},{rows * ROW_HEIGHT + 16}",
        f"--screenshot={picture}",
    ]
    command = [
        _program("chromium"),
        *flags,
        f"--user-data-dir={directory / 'profile'}",
        f"file://{directory}/page.html",
    ]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, timeout=180)  # noqa: S603


if __name__ == "__main__":
    main()
