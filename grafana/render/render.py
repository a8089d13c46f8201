"""``python -m grafana.render.render``: screenshots of the dashboards, for development only.

Runs the demo and a Prometheus that scrapes it, evaluates the queries of every panel after some minutes, and lets
Chromium draw the results with Grafana's React components. With ``--storage`` it shows the last hour of the data of a
Prometheus instead, such as the samples that ``python -m tests.bench.grafana --data`` keeps. Requires Node, Chromium,
Prometheus, and ``npm install`` in this directory.
"""

import argparse
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
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
"""Seconds between two scrapes of the demo."""

STEP: Final = 15
"""Seconds between two points of a graph."""

RATE_INTERVAL: Final = 300
"""Seconds, as Grafana derives them for account counters."""

HOUR: Final = 3600.0
SECONDS_TO_START: Final = 60

PAGE_WIDTH: Final = 24 * 64 + 16
ROW_HEIGHT: Final = 38
"""Pixels of a grid row, as in ``viewer.jsx``."""

_PAGE: Final = """<!doctype html>
<meta charset="utf-8">
<link rel="stylesheet" href="viewer.css">
<div id="page"></div>
<script>window.INPUT = INPUT_JSON; Date.now = () => window.INPUT.to</script>
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
    parser.add_argument("--storage", type=Path, help="Data of a Prometheus to show instead of the demo; it is copied.")
    parser.add_argument("--end", type=float, help="End of the time range in Unix seconds, with --storage.")
    parser.add_argument("--dashboard", help="Only this dashboard.")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as name:
        directory = Path(name)
        _bundle(directory)
        with _data(arguments, directory) as (prometheus, start, end):
            for path in sorted(DASHBOARDS.glob(f"{arguments.dashboard or '*'}.json")):
                dashboard = json.loads(path.read_text(encoding="utf-8"))
                page_input = _page_input(prometheus, dashboard, start, end, arguments.theme)
                picture = arguments.output / f"{path.stem}.png"
                _screenshot(directory, dashboard, page_input, picture)
                print(picture)


@contextmanager
def _data(arguments: argparse.Namespace, directory: Path) -> Iterator[tuple[str, float, float]]:
    """Yield the base URL of a Prometheus with data, and the time range."""
    if arguments.storage:
        shutil.copytree(arguments.storage, directory / "data")
        # Blocks have no staleness markers: without this, a session that left the page would be shown for 5 minutes.
        with _prometheus(directory, flags=[f"--query.lookback-delta={2 * STEP + 1}s"]) as prometheus:
            yield prometheus, arguments.end - HOUR, arguments.end
        return
    with _demo() as target, _prometheus(directory, target) as prometheus:
        start = time.time()
        time.sleep(arguments.minutes * 60)
        yield prometheus, start, time.time()


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
def _prometheus(directory: Path, *targets: str, flags: Sequence[str] = ()) -> Iterator[str]:
    """Run a Prometheus that scrapes some targets; yield its base URL when it is ready."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    scrape = {
        "job_name": "livepeer",
        "scrape_interval": f"{SCRAPE_INTERVAL}s",
        "static_configs": [{"targets": targets}],
    }
    (directory / "prometheus.yml").write_text(json.dumps({"scrape_configs": [scrape]}), encoding="utf-8")
    common = [
        f"--config.file={directory}/prometheus.yml",
        f"--storage.tsdb.path={directory}/data",
        f"--web.listen-address={address}",
        "--storage.tsdb.retention.time=100y",
    ]
    process = subprocess.Popen([_program("prometheus"), *common, *flags], stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        _wait_until_ready(f"http://{address}/-/ready")
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(url: str) -> None:
    """Wait until Prometheus has loaded its data.

    Raises:
        OSError: it has not after a minute.
    """
    for attempt in range(SECONDS_TO_START):
        try:
            with urlopen(url):  # noqa: S310  loopback
                return
        except OSError:
            if attempt == SECONDS_TO_START - 1:
                raise
            time.sleep(1)


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
    values = _variables(prometheus, dashboard, end, int(end - start))
    results: dict[str, Any] = {}
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            results[f"{panel['id']}/{target['refId']}"] = _query(prometheus, values, target, start, end)
    return {"dashboard": dashboard, "results": results, "from": start * 1000, "to": end * 1000, "theme": theme}


def _variables(prometheus: str, dashboard: dict[str, Any], end: float, range_seconds: int) -> dict[str, str]:
    """Return the replacement of each variable: All where there is All, and otherwise a value with much to show."""
    values = {
        "$__range_s": f"{range_seconds}",
        "$__range": f"{range_seconds}s",
        "$__rate_interval": f"{RATE_INTERVAL}s",
        "$objective": "99",
        "$session": _most_troubled(prometheus, "session_id", end),
    }
    for variable in dashboard["templating"]["list"]:
        name = variable["name"]
        if variable.get("allValue"):
            values[f"${name}"] = variable["allValue"]
        elif name == "stream":
            values["$stream"] = _most_troubled(prometheus, "stream_id", end)
        elif variable.get("includeAll"):  # a hidden list
            query = _interpolate(variable["query"]["query"].removeprefix("query_result(")[:-1], values)
            label = "stream_id" if query.startswith("max by (stream_id)") else "session_id"
            found = _get(prometheus, "query", query=query, time=end)
            values[f"${{{name}:pipe}}"] = "|".join(each["metric"].get(label, "") for each in found)
    return values


def _most_troubled(prometheus: str, label: str, end: float) -> str:
    """Return an active, recorded session that has had issues for long, or its stream; without one, any."""
    issues = "count_over_time(livepeer_studio_session_issue_info[10m])"
    sessions = "livepeer_studio_session_active == 1 and livepeer_studio_session_recording_enabled == 1"
    oldest = f"topk(1, time() - livepeer_studio_session_created_timestamp_seconds and {sessions})"
    candidates = f"topk(1, {issues} and on (session_id) ({sessions})) or {oldest}"
    series = _get(prometheus, "query", query=candidates, time=end)
    return str(series[0]["metric"][label]) if series else ".+"


def _interpolate(expr: str, values: dict[str, str]) -> str:
    """Replace the variables; those with longer names first, which can begin like others."""
    for name in sorted(values, key=len, reverse=True):
        expr = expr.replace(name, values[name])
    return expr


def _query(
    prometheus: str, values: dict[str, str], target: dict[str, Any], start: float, end: float
) -> list[dict[str, Any]]:
    step = max(STEP, _seconds(target.get("interval") or "0s"))
    expr = _interpolate(target["expr"], values | {"$__interval": f"{step}s"})
    if target.get("instant"):
        return _get(prometheus, "query", query=expr, time=end)
    aligned = end - end % step
    return _get(prometheus, "query_range", query=expr, start=start - start % step, end=aligned, step=step)


def _seconds(duration: str) -> int:
    number, unit = int(duration[:-1]), duration[-1]
    return number * {"s": 1, "m": 60, "h": 3600}[unit]


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
