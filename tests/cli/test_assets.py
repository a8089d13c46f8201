"""``assets`` writes everything that an operator loads, with links to the operator's Grafana and runbooks."""

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

import exporter
from exporter.cli import asset_files
from exporter.cli.arguments import parse
from exporter.cli.assets import ExistingFilesError, assets, write
from exporter.cli.terminal import FAILURE, INVALID_SETTINGS, SUCCESS
from grafana.builder.base_urls import project_base_urls
from tests.cli.output import Output
from tests.grafana.dashboards import GRAFANA
from tests.support import documents
from tests.support.deadlines import HANG

GRAFANA_URL: Final = "https://grafana.test/sub"
RUNBOOK_URL: Final = "https://books.test/r/"
URLS: Final = ("--grafana-url", f"{GRAFANA_URL}/", "--runbook-url", RUNBOOK_URL)
ALERTS: Final = "rules/livepeer-alerts.yaml"
PROMETHEUS_RULE: Final = "kubernetes/prometheusrule.yaml"
ALERT_FILES: Final = (
    ALERTS,
    PROMETHEUS_RULE,
    "optional-rules/livepeer-slo-alerts.yaml",
    "optional-rules/prometheusrule-slo.yaml",
)
WITH_RULES: Final = ("rules", "optional-rules", "kubernetes")
MAX_CONFIG_MAP: Final = 1_048_576
"""Bytes of data in a ConfigMap."""
MAX_ANNOTATIONS: Final = 262_144
"""Bytes of annotations, to which ``kubectl apply`` adds the object."""


def run_command(*argv: str | Path) -> tuple[int, Output]:
    output = Output()
    return assets(parse(["assets", *map(str, argv)]), output.terminal), output


def _committed_files() -> dict[str, bytes]:
    return {
        f"{folder}/{path.name}": path.read_bytes()
        for folder, suffix in asset_files.FOLDERS.items()
        for path in (GRAFANA / folder).glob(f"*{suffix}")
        if path.name != "kustomization.yaml"
    }


def _read_files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the assets, with both URLs."""
    directory = tmp_path_factory.mktemp("linked")
    code, output = run_command(directory, *URLS)
    assert (code, output.err) == (SUCCESS, "")
    return directory


def _rules(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for group in document.get("spec", document)["groups"]:
        yield from group["rules"]


def _annotations(text: bytes) -> list[dict[str, str]]:
    return [rule.pop("annotations") for rule in _rules(documents.load(text)) if "alert" in rule]


def test_dashboards_inhibitions_and_examples_are_the_committed_ones(linked: Path) -> None:
    written = _read_files(linked)
    unchanged = {name: text for name, text in _committed_files().items() if not name.startswith(WITH_RULES)}
    assert len({name.partition("/")[0] for name in unchanged}) == 3
    assert {name: written[name] for name in unchanged} == unchanged


@pytest.mark.parametrize("name", [name for name in _committed_files() if name.startswith(WITH_RULES)])
def test_rules_differ_from_the_committed_ones_in_links_only(linked: Path, name: str) -> None:
    committed, written = (documents.load((directory / name).read_text()) for directory in (GRAFANA, linked))
    for rule in (*_rules(committed), *_rules(written)):
        for link in ("runbook", "runbook_url", "dashboard_url"):
            rule.get("annotations", {}).pop(link, None)
    assert written == committed


@pytest.mark.parametrize("name", ALERT_FILES)
def test_every_link_of_an_alert_begins_with_the_base_url(linked: Path, name: str) -> None:
    committed, written = (_annotations((directory / name).read_bytes()) for directory in (GRAFANA, linked))
    assert len(written) == len(committed) > 1
    for before, after in zip(committed, written, strict=True):
        path = before["dashboard_url"].removeprefix("http://localhost:3000/d/")
        assert after["dashboard_url"] == f"{GRAFANA_URL}/d/{path}"
        (runbook,) = project_base_urls().runbook_annotation("")
        assert after["runbook_url"] == f"{RUNBOOK_URL}#{before[runbook].partition('#')[2]}"
        assert set(after) == {"summary", "description", "runbook_url", "dashboard_url"}
        assert "localhost" not in str(after)


def test_without_urls_alerts_name_the_runbook_and_have_no_link_to_a_dashboard(tmp_path: Path) -> None:
    target = tmp_path / "new" / "directory"
    code, output = run_command(target)
    written = _read_files(target)
    assert code == SUCCESS
    assert sorted(output.out.splitlines()) == sorted(str(target / name) for name in written)
    assert set(written) == {*_committed_files(), asset_files.CONFIG_MAPS}
    (runbook,) = project_base_urls().runbook_annotation("")
    for name in ALERT_FILES:
        committed = [each[runbook] for each in _annotations(_committed_files()[name])]
        annotations = _annotations(written[name])
        assert [each[runbook] for each in annotations] == committed
        assert all(set(each) == {"summary", "description", runbook} for each in annotations)


def test_links_between_dashboards_are_relative_to_their_grafana(linked: Path) -> None:
    """Grafana adds its own base URL, also below a path."""
    for path in (linked / "dashboards").iterdir():
        assert not any(scheme in path.read_text() for scheme in ("http://", "https://"))


@pytest.mark.prometheus
@pytest.mark.parametrize(
    "name", [name for name in _committed_files() if name.startswith(("rules", "optional-rules/livepeer", "examples"))]
)
def test_promtool_accepts_the_rules(linked: Path, name: str, promtool: str) -> None:
    done = subprocess.run([promtool, "check", "rules", linked / name], capture_output=True, text=True, timeout=HANG)
    assert done.returncode == 0, done.stdout + done.stderr


def test_config_maps_have_the_dashboards_and_the_label_of_the_sidecar(linked: Path) -> None:
    objects = list(documents.load_all((linked / asset_files.CONFIG_MAPS).read_text()))
    dashboards = {path.name: path.read_text() for path in (linked / "dashboards").iterdir()}
    assert {name: text for each in objects for name, text in each["data"].items()} == dashboards
    kustomization = documents.load((GRAFANA / "dashboards" / "kustomization.yaml").read_text())
    names = {each["name"] for each in kustomization["configMapGenerator"]}
    assert {each["metadata"]["name"] for each in objects} == names
    for each in objects:
        assert (each["apiVersion"], each["kind"], len(each["data"])) == ("v1", "ConfigMap", 1)
        assert each["metadata"]["labels"].items() >= kustomization["generatorOptions"]["labels"].items()
        assert sum(len(text.encode()) for text in each["data"].values()) < MAX_CONFIG_MAP
        assert len(json.dumps(each).encode()) < MAX_ANNOTATIONS


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("grafana.test", "must be an http or https URL such as https://"),
        ("/d", "must be an http or https URL such as https://"),
        ("", "must be an http or https URL such as https://"),
        ("ftp://grafana.test", "must be an http or https URL such as https://"),
        ("https://", "must be an http or https URL such as https://"),
        ("https://grafana.test:port", "must be an http or https URL such as https://"),
        ("https://grafana test", "must be an http or https URL such as https://"),
        ("https://grafana.test?orgId=1", "must not have a query (?) or a fragment (#)"),
        ("https://grafana.test#top", "must not have a query (?) or a fragment (#)"),
        ("https://user:password@grafana.test", "must not contain a user name or password"),
        ("https://grafana.test/{{ $value }}", "must not contain braces"),
    ],
)
def test_invalid_urls_exit_with_2_and_write_nothing(tmp_path: Path, url: str, message: str) -> None:
    code, output = run_command(tmp_path / "new", "--grafana-url", url, "--runbook-url", url)
    assert (code, output.out) == (INVALID_SETTINGS, "")
    first, second = output.err.splitlines()
    assert first.startswith(f"--grafana-url: {message}")
    assert second.startswith(f"--runbook-url: {message}")
    assert not (tmp_path / "new").exists()


def test_an_empty_directory_argument_exits_with_2() -> None:
    code, output = run_command("")
    assert (code, output.out, output.err) == (INVALID_SETTINGS, "", "DIR: must not be empty\n")


def test_existing_files_with_another_content_are_kept(linked: Path, tmp_path: Path) -> None:
    target = shutil.copytree(linked, tmp_path / "copy")
    (target / ALERTS).write_text("own")
    (target / asset_files.CONFIG_MAPS).unlink()
    before = _read_files(target)
    code, output = run_command(target, *URLS)
    assert (code, output.out) == (FAILURE, "")
    assert output.err.splitlines() == [
        f"{target / ALERTS}: exists with another content",
        "nothing was written; choose another directory, or add --overwrite",
    ]
    assert _read_files(target) == before


def test_existing_files_are_replaced_on_request_and_others_are_kept(linked: Path, tmp_path: Path) -> None:
    target = shutil.copytree(linked, tmp_path / "copy")
    (target / ALERTS).write_text("old")
    (target / "rules" / "own.yaml").write_text("own")
    assert run_command(target, *URLS, "--overwrite")[0] == SUCCESS
    assert _read_files(target) == _read_files(linked) | {"rules/own.yaml": b"own"}


def test_equal_files_can_be_written_again(tmp_path: Path) -> None:
    for _ in range(2):
        assert write(tmp_path, {"a/b": "text"}, overwrite=False) == [tmp_path / "a" / "b"]
    assert _read_files(tmp_path) == {"a/b": b"text"}


def test_a_directory_that_is_a_file_exits_with_1(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, output = run_command(tmp_path / "file")
    assert (code, output.out) == (FAILURE, "")
    assert output.err.startswith("cannot write to the directory: ")
    assert (tmp_path / "file").read_text() == ""


def test_a_failure_removes_what_was_written_before_it(tmp_path: Path) -> None:
    """The file ``b`` is in the way of a directory."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").write_text("old")
    (tmp_path / "b").write_text("in the way")
    contents = {"a/old": "changed", "a/new": "new", "c/d/new": "new", "b/two/three": "new"}
    with pytest.raises(NotADirectoryError):
        write(tmp_path, contents, overwrite=True)
    assert _read_files(tmp_path) == {"a/old": b"old", "b": b"in the way"}
    assert not (tmp_path / "c").exists()


def test_conflicts_are_reported_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "second").write_text("old")
    with pytest.raises(ExistingFilesError) as caught:
        write(tmp_path, {"first": "new", "second": "new"}, overwrite=False)
    assert caught.value.paths == [tmp_path / "second"]
    assert _read_files(tmp_path) == {"second": b"old"}


def test_an_installed_package_contains_the_files(linked: Path, tmp_path: Path) -> None:
    """With the layout of a wheel, inside of a zip archive, without the directory ``grafana`` and without libyaml."""
    archive = tmp_path / "installed.zip"
    package = Path(exporter.__file__).parent
    with zipfile.ZipFile(archive, "w") as packed:
        for path in package.rglob("*.py"):
            packed.write(path, f"exporter/{path.relative_to(package)}")
        for name, content in _committed_files().items():
            packed.writestr(f"exporter/_assets/{name}", content)
    without_libyaml = "import sys; sys.modules['yaml._yaml'] = None"
    script = f"{without_libyaml}; sys.path.insert(0, {str(archive)!r}); from exporter.__main__ import main; main()"
    # -I ignores the environment and the working directory, so that only the archive can contain the package.
    command = [sys.executable, "-I", "-c", script, "assets", "out", *URLS]
    subprocess.run(command, check=True, cwd=tmp_path, timeout=HANG, capture_output=True)
    assert _read_files(tmp_path / "out") == _read_files(linked)
