"""The software bill of materials (CycloneDX) of the runtime dependencies, without registry addresses.

``python -m cyclonedx_py requirements ... | python -m deploy.sbom requirements/run.txt`` reads the generator's output
and replaces the addresses of each library by its package URL. It keeps the hashes and adds the dependency graph from
the comments of the pinned requirements. The output is reproducible.
"""

import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from deploy.lock import pins as pinned
from exporter.version import VERSION

LINUX = {"sys_platform": "linux", "os_name": "posix", "platform_system": "Linux"}
ROOT = "livepeer-session-exporter"


def dependencies_of(pins: str) -> dict[str, list[str]]:
    """Map each name of a requirements file to the names it depends on, from the ``# via`` comments."""
    dependencies: defaultdict[str, list[str]] = defaultdict(list)
    name = ""
    for line in pins.splitlines():
        if pin := re.match(r"([A-Za-z0-9._-]+)==", line):
            name = pin[1].lower()
        elif dependent := re.match(r" +# +(?:via +)?(?!via$)([A-Za-z0-9._-]+)", line):
            dependencies[dependent[1].lower()].append(name)
    return {name: sorted(names) for name, names in dependencies.items()}


def without_registry_addresses(bom: dict[str, Any], pins: str) -> dict[str, Any]:
    """Return the bill for Linux without registry addresses, and with the dependency graph."""
    components = [each for each in bom["components"] if canonicalize_name(each["name"]) in pinned(pins, LINUX)]
    references = {component["name"].lower(): component["purl"] for component in components}
    root = bom["metadata"]["component"] | {"bom-ref": ROOT, "version": VERSION}
    references[ROOT] = ROOT
    dependencies = dependencies_of(pins)
    return bom | {
        "metadata": bom["metadata"] | {"component": root, "tools": _without_addresses(bom["metadata"]["tools"])},
        "components": [_component(component) for component in components],
        "dependencies": [
            {
                "ref": reference,
                "dependsOn": [references[need] for need in dependencies.get(name, []) if need in references],
            }
            for name, reference in sorted(references.items())
        ],
    }


def _component(component: dict[str, Any]) -> dict[str, Any]:
    hashes = [each for reference in component.get("externalReferences", []) for each in reference.get("hashes", [])]
    kept = {name: component[name] for name in ("name", "purl", "type", "version")}
    # A release is several files, so the hashes belong to the distribution, not to the component.
    distribution = {"type": "distribution", "url": component["purl"], "hashes": hashes}
    return kept | {"bom-ref": component["purl"], "externalReferences": [distribution]}


def _without_addresses(tools: dict[str, Any]) -> dict[str, Any]:
    left_out = ("externalReferences", "description")
    return {
        kind: [{name: value for name, value in tool.items() if name not in left_out} for tool in found]
        for kind, found in tools.items()
    }


if __name__ == "__main__":
    json.dump(
        without_registry_addresses(json.load(sys.stdin), Path(sys.argv[1]).read_text(encoding="utf-8")),
        sys.stdout,
        indent=2,
    )
    sys.stdout.write("\n")
