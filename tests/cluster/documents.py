"""The commands of the documentation, as a reader would type them."""

import re
from pathlib import Path

_HEADING = r"^{level} {title}$\n(?P<text>.*?)(?=^#{{1,{depth}}} |\Z)"
_FENCED = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def section(path: Path, heading: str) -> str:
    """Return the text below a heading such as ``## Helm``, up to the next one of its level or above.

    Raises:
        ValueError: there is no such heading.
    """
    level, _, title = heading.partition(" ")
    pattern = _HEADING.format(level=level, title=re.escape(title), depth=len(level))
    found = re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"{path.name} has no heading {heading!r}")
    return found["text"]


def code_blocks(text: str) -> list[list[str]]:
    """Return the commands of each block of shell code; a command that continues over lines is one command."""
    blocks = [match[1] for match in _FENCED.finditer(text)]
    return [re.findall(r"^\S(?:.*\\\n)*.*$", block, re.MULTILINE) for block in blocks]
