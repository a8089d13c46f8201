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

from exporter.version import VERSION

ROOT = "livepeer-session-exporter"


def needed_by(pins: str) -> dict[str, list[str]]:
    """Map each name of a requirements file to the names it depends on, from pip-compile's ``# via`` comments."""
    needs: defaultdict[str, list[str]] = defaultdict(list)
    name = ""
    for line in pins.splitlines():
        if pin := re.match(r"([A-Za-z0-9._-]+)==", line):
            name = pin[1].lower()
        elif by := re.match(r" +# +(?:via +)?(?!via$)([A-Za-z0-9._-]+)", line):
            needs[by[1].lower()].append(name)
    return {name: sorted(names) for name, names in needs.items()}


def publishable(bom: dict[str, Any], pins: str) -> dict[str, Any]:
    """Return the bill without registry addresses, and with the dependency graph."""
    references = {component["name"].lower(): component["purl"] for component in bom["components"]}
    root = bom["metadata"]["component"] | {"bom-ref": ROOT, "version": VERSION}
    references[ROOT] = ROOT
    needs = needed_by(pins)
    return bom | {
        "metadata": bom["metadata"] | {"component": root, "tools": _without_addresses(bom["metadata"]["tools"])},
        "components": [_publishable(component) for component in bom["components"]],
        "dependencies": [
            {"ref": reference, "dependsOn": [references[need] for need in needs.get(name, [])]}
            for name, reference in sorted(references.items())
        ],
    }


def _publishable(component: dict[str, Any]) -> dict[str, Any]:
    hashes = [each for reference in component.get("externalReferences", []) for each in reference.get("hashes", [])]
    known = {name: component[name] for name in ("name", "purl", "type", "version")}
    # A release is several files, so the hashes belong to the distribution, not to the component.
    fetched = {"type": "distribution", "url": component["purl"], "hashes": hashes}
    return known | {"bom-ref": component["purl"], "externalReferences": [fetched]}


def _without_addresses(tools: dict[str, Any]) -> dict[str, Any]:
    left_out = ("externalReferences", "description")
    return {
        kind: [{name: value for name, value in tool.items() if name not in left_out} for tool in found]
        for kind, found in tools.items()
    }


if __name__ == "__main__":
    json.dump(publishable(json.load(sys.stdin), Path(sys.argv[1]).read_text(encoding="utf-8")), sys.stdout, indent=2)
    sys.stdout.write("\n")
