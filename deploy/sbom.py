"""The software bill of materials (CycloneDX) of what the program runs with, without the address of any registry.

``python -m cyclonedx_py requirements ... | python -m deploy.sbom requirements/run.txt``: takes what the generator
wrote, and gives each library its package URL as its only address. The hashes stay, and who needs whom is added from the
comments of the pinned requirements. The same pins give the same bytes.
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
    """For each name of a requirements file the names that it needs, from pip-compile's ``# via`` comments."""
    needs: defaultdict[str, list[str]] = defaultdict(list)
    name = ""
    for line in pins.splitlines():
        if pin := re.match(r"([A-Za-z0-9._-]+)==", line):
            name = pin[1].lower()
        elif by := re.match(r" +# +(?:via +)?(?!via$)([A-Za-z0-9._-]+)", line):
            needs[by[1].lower()].append(name)
    return {name: sorted(names) for name, names in needs.items()}


def publishable(bom: dict[str, Any], pins: str) -> dict[str, Any]:
    """The same bill without addresses of registries, and with the graph of who needs whom."""
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
    # A release is several files, so its hashes belong to what can be fetched, and not to the component.
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
