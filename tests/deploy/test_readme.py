import re
from pathlib import Path

import pytest

from tests.deploy.manifests import DEPLOY, KUBERNETES, ROOT

README = (DEPLOY / "README.md").read_text()


def _kustomizations(kind: str) -> list[str]:
    return sorted(path.parent.name for path in (KUBERNETES / kind).glob("*/kustomization.yaml"))


@pytest.mark.parametrize("component", _kustomizations("components"))
def test_the_readme_describes_the_component(component: str) -> None:
    assert f"| `{component}` |" in README


@pytest.mark.parametrize("example", sorted({*_kustomizations("examples")} - {"sidecar-plain"}))
def test_the_readme_describes_the_example(example: str) -> None:
    assert f"examples/{example}`" in README


def test_the_readme_warns_about_sidecar_replicas_before_the_kubernetes_section() -> None:
    assert README.index("Every pod with the sidecar polls by itself") < README.index("## Kubernetes")


@pytest.mark.parametrize(
    "path",
    sorted(path for path in DEPLOY.iterdir() if path.name not in ("README.md", "__pycache__")),
    ids=lambda path: path.name,
)
def test_the_readme_names_every_file_and_directory_next_to_it(path: Path) -> None:
    assert f"{path.name}" in README


def test_the_readme_begins_with_three_ways_of_three_commands_whose_files_exist() -> None:
    [section] = re.findall(r"\A# Deployment\n\n## Five minutes\n(.*?)\n## ", README, re.DOTALL)
    ways = [block.replace("\\\n", " ").splitlines() for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL)]
    assert [len(commands) for commands in ways] == [3, 3, 3]
    paths = [path for commands in ways for command in commands for path in re.findall(r"deploy/\S+", command)]
    assert len(paths) >= 6
    assert not [path for path in paths if not (ROOT / path).exists()]
