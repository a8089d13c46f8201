import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.sbom import dependencies_of, without_registry_addresses

ROOT = Path(__file__).parents[2]
PINS = (ROOT / "requirements" / "run.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    generator = (sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", "--output-reproducible")
    project = ("--pyproject", str(ROOT / "pyproject.toml"), str(ROOT / "requirements" / "run.txt"))
    made = subprocess.run([*generator, *project], capture_output=True, check=True)
    return without_registry_addresses(json.loads(made.stdout), PINS)


def test_the_bill_is_valid_cyclonedx(bill: dict[str, Any]) -> None:
    # Imported here, since that takes seconds of each process that collects the tests.
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None


def test_the_bill_lists_every_pinned_library_with_version_and_hashes(bill: dict[str, Any]) -> None:
    blocks = re.findall(r"^[a-z0-9].*?(?=^[a-z0-9]|\Z)", PINS, re.MULTILINE | re.DOTALL)
    linux = "".join(block for block in blocks if "sys_platform == 'win32'" not in block)
    pins = dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", linux, re.MULTILINE))
    assert {each["name"]: each["version"] for each in bill["components"]} == pins
    listed = {each["content"] for one in bill["components"] for each in one["externalReferences"][0]["hashes"]}
    assert listed == set(re.findall(r"--hash=sha256:([0-9a-f]{64})", linux))


def test_the_bill_omits_libraries_for_other_systems(bill: dict[str, Any]) -> None:
    assert "tzdata" in PINS
    assert "tzdata" not in {each["name"] for each in bill["components"]}


def test_the_bill_contains_no_registry_and_no_local_path(bill: dict[str, Any]) -> None:
    text = json.dumps({name: value for name, value in bill.items() if name != "$schema"})
    assert "://" not in text
    assert str(ROOT) not in text
    assert str(Path.home()) not in text


def test_the_graph_reaches_every_library_from_the_program(bill: dict[str, Any]) -> None:
    graph = {each["ref"]: each["dependsOn"] for each in bill["dependencies"]}
    assert set(graph) == {"livepeer-session-exporter", *(each["bom-ref"] for each in bill["components"])}
    reached, next_ = set[str](), ["livepeer-session-exporter"]
    while next_:
        reached.add(name := next_.pop())
        next_ += [need for need in graph[name] if need not in reached]
    assert reached == set(graph)


def test_the_comments_of_the_pins_are_read_as_a_dependency_graph() -> None:
    pins = "a==1 \\\n    --hash=sha256:0\n    # via b\nb==2 \\\n    # via\n    #   c (pyproject.toml)\n    #   a\n"
    assert dependencies_of(pins) == {"b": ["a"], "c": ["b"], "a": ["b"]}
