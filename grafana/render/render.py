"""``python -m grafana.render.render``: pictures of the dashboards over the demo's living world; for developing only.

It runs the demo and a Prometheus that scrapes it, waits until there is something to see, asks every panel's queries,
and lets Chromium draw the answers with Grafana's own React parts. Needs Node, Chromium, Prometheus, and ``npm install``
in this folder.
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

HERE: Final = Path(__file__).parent
DASHBOARDS: Final = HERE.parent / "dashboards"
PICTURES: Final = HERE.parent / "pictures"
STEP: Final = 5
WIDTH: Final = 24 * 64 + 16
ROW: Final = 38

_PAGE: Final = """<!doctype html>
<meta charset="utf-8">
<link rel="stylesheet" href="viewer.css">
<div id="page"></div>
<script>window.STAGE = STAGE_OF_THE_PAGE</script>
<script src="viewer.js"></script>
"""


def main() -> None:
    """Draw everything."""
    parser = argparse.ArgumentParser(prog="python -m grafana.render.render", description="Draw the dashboards.")
    parser.add_argument("--minutes", type=float, default=6, help="how long the demo runs before (default: %(default)s)")
    parser.add_argument("--theme", choices=("dark", "light"), default="dark", help="default: %(default)s")
    parser.add_argument("--to", type=Path, default=PICTURES, help="where the pictures go (default: %(default)s)")
    given = parser.parse_args()
    given.to.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as name, _demo() as target, _prometheus(Path(name), target) as prometheus:
        work = Path(name)
        _bundle(work)
        began = time.time()
        time.sleep(given.minutes * 60)
        for path in sorted(DASHBOARDS.glob("*.json")):
            dashboard = json.loads(path.read_text(encoding="utf-8"))
            stage = _stage(prometheus, dashboard, began, time.time(), given.theme)
            _draw(work, dashboard, stage, given.to / f"{path.stem}.png")
            print(given.to / f"{path.stem}.png")


@contextmanager
def _demo() -> Iterator[str]:
    """The demo; gives the address to scrape."""
    command = [sys.executable, "-m", "exporter", "demo", "--web.listen-address", "127.0.0.1:0", "--profile-series"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # noqa: S603
    try:
        line = next(line for line in process.stdout or () if "/metrics" in line)
        yield f"127.0.0.1:{line.rpartition(':')[2].partition('/')[0]}"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _prometheus(work: Path, target: str) -> Iterator[str]:
    """A Prometheus that scrapes one target; gives its base URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    scrape = {"job_name": "livepeer", "scrape_interval": f"{STEP}s", "static_configs": [{"targets": [target]}]}
    (work / "prometheus.yml").write_text(json.dumps({"scrape_configs": [scrape]}), encoding="utf-8")
    flags = [
        f"--config.file={work}/prometheus.yml",
        f"--storage.tsdb.path={work}/data",
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
        sys.exit(f"{name} is missing")
    return path


def _bundle(work: Path) -> None:
    """One script of the viewer and Grafana's parts."""
    options = ["--bundle", "--loader:.js=jsx", "--jsx=automatic", "--format=iife", "--log-level=error"]
    options += ['--define:process.env.NODE_ENV="production"', "--define:global=window", "--minify"]
    options += [f"--loader:{kind}=dataurl" for kind in (".svg", ".woff2", ".png", ".gif", ".ttf")]
    esbuild = HERE / "node_modules" / ".bin" / "esbuild"
    command = [str(esbuild), str(HERE / "viewer.jsx"), f"--outfile={work / 'viewer.js'}", *options]
    subprocess.run(command, check=True)  # noqa: S603


def _stage(prometheus: str, dashboard: dict[str, Any], began: float, now: float, theme: str) -> dict[str, Any]:
    """The dashboard, and the answers to its queries."""
    session = _troubled(prometheus)
    answers: dict[str, Any] = {}
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            expr = _substitute(target["expr"], session, int(now - began))
            found = _ask(prometheus, expr, target, began, now)
            answers[f"{panel['id']}/{target['refId']}"] = found
    return {"dashboard": dashboard, "results": answers, "from": began * 1000, "to": now * 1000, "theme": theme}


def _troubled(prometheus: str) -> str:
    """The session that the dashboard Session shows: a recorded one that had issues for long, and is live."""
    counted = "count_over_time(livepeer_studio_session_issue_info[10m])"
    live = "livepeer_studio_session_active == 1 and livepeer_studio_session_recording_enabled == 1"
    rows = _get(prometheus, "query", query=f"topk(1, {counted} and on (session_id) ({live}))")
    return str(rows[0]["metric"]["session_id"]) if rows else ".+"


def _substitute(expr: str, session: str, seconds: int) -> str:
    values = {"$__range_s": f"{seconds}", "$__range": f"{seconds}s", "$__rate_interval": f"{4 * STEP}s"}
    values |= {"$job": ".+", "$instance": ".+", "$account": ".+", "$stream": ".*", "$session": session}
    for name, value in values.items():
        expr = expr.replace(name, value)
    return expr


def _ask(prometheus: str, expr: str, target: dict[str, Any], began: float, now: float) -> list[dict[str, Any]]:
    if target.get("instant"):
        return _get(prometheus, "query", query=expr, time=now)
    return _get(prometheus, "query_range", query=expr, start=began, end=now, step=STEP)


def _get(prometheus: str, kind: str, **parameters: Any) -> list[dict[str, Any]]:
    with urlopen(f"{prometheus}/api/v1/{kind}?{urlencode(parameters)}") as answer:  # noqa: S310  loopback
        result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return result


def _draw(work: Path, dashboard: dict[str, Any], stage: dict[str, Any], picture: Path) -> None:
    """Let Chromium open the page and take a picture of all of it."""
    script = json.dumps(stage).replace("</", "<\\/")
    page = _PAGE.replace("STAGE_OF_THE_PAGE", script)
    (work / "page.html").write_text(page, encoding="utf-8")
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"]) * ROW + 16
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=20000"]
    flags += [
        "--allow-file-access-from-files",
        "--force-device-scale-factor=0.75",
        f"--window-size={WIDTH},{height}",
        f"--screenshot={picture}",
    ]
    command = [_program("chromium"), *flags, f"--user-data-dir={work / 'profile'}", f"file://{work}/page.html"]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, timeout=180)  # noqa: S603


if __name__ == "__main__":
    main()
