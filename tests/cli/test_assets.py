"""The dashboards and rules are part of the package and of a checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from exporter.cli import assets
from tests.grafana.dashboards import GRAFANA
from tests.support.deadlines import HANG


def _committed_files() -> dict[str, bytes]:
    return {
        f"{folder}/{path.name}": path.read_bytes()
        for folder, ending in {"dashboards": ".json", "rules": ".yaml"}.items()
        for path in (GRAFANA / folder).glob(f"*{ending}")
    }


def _read_files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_written_files_equal_the_committed_ones(tmp_path: Path) -> None:
    written = assets.write(tmp_path / "new")
    assert _read_files(tmp_path / "new") == _committed_files()
    assert {str(path.relative_to(tmp_path / "new")) for path in written} == set(_committed_files())


def test_existing_files_are_replaced(tmp_path: Path) -> None:
    for path in assets.write(tmp_path):
        path.write_text("old", encoding="utf-8")
    assets.write(tmp_path)
    assert _read_files(tmp_path) == _committed_files()


def test_a_directory_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OSError, match="file"):
        assets.write(tmp_path / "file")


def test_an_installed_package_contains_the_files(tmp_path: Path) -> None:
    """With the layout of a wheel, inside of a zip archive, and without the directory ``grafana``."""
    archive = tmp_path / "installed.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("exporter/__init__.py", "")
        packed.writestr("exporter/cli/__init__.py", "")
        for module in ("assets.py", "terminal.py"):
            text = Path(assets.__file__).with_name(module).read_text(encoding="utf-8")
            packed.writestr(f"exporter/cli/{module}", text)
        for name, content in _committed_files().items():
            packed.writestr(f"exporter/_assets/{name}", content)
    script = "import sys, pathlib; from exporter.cli import assets; assets.write(pathlib.Path(sys.argv[1]))"
    out = tmp_path / "out"
    # -I ignores the environment and the working directory, so that only the archive can contain the package.
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(archive)!r}); {script}", str(out)]
    subprocess.run(command, check=True, cwd=tmp_path, timeout=HANG)
    assert _read_files(out) == _committed_files()
