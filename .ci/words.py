"""Check prose for words that plain technical English avoids: ``python .ci/words.py [FILE ...]``.

Prose is what people read: Markdown outside of inline code, Python's docstrings, comments and strings (strings without
a space are names and are skipped), and the text of every other file. A phrase may be wrapped over several lines.

Exit code 1 if there is a finding, or if a use that is listed as allowed no longer exists.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]

CHECKED: Final = (
    "*.md",
    "docs/*.md",
    "deploy/**/*",
    "exporter/**/*.py",
    "grafana/*.md",
    "grafana/alertmanager/*.yml",
    "grafana/builder/**/*.py",
    "grafana/render/*.*",
    "tests/**/*.py",
    "Makefile",
    "pyproject.toml",
    ".ci/*",
    ".github/**/*",
    ".dockerignore",
    ".pre-commit-config.yaml",
)
"""The files that are checked without arguments, as patterns below the top of the repository."""

UNCHECKED: Final = (
    "deploy/container/build.txt",  # generated
    ".ci/words.py",  # the list itself
    "tests/ci/test_words.py",  # its examples
)
"""Patterns of files that are not checked."""

PHRASES: Final = {
    "whoever": "the client, the caller, the operator",
    "whomever": "the client, the caller, the operator",
    "anybody": "anyone, or name the reader",
    "everybody": "everyone, or name the reader",
    "nobody": "no client, no process, or the passive voice",
    "somebody": "a client, an attacker, an operator",
    "for people": "for humans, or the name of the page or table",
    "told": "reported, set, known",
    "tells": "reports, shows, returns",
    "says": "reports, states, shows",
    "believes": "assumes, uses",
    "believed": "used, trusted",
    "knows": "has, depends on, contains",
    "asks": "requests, sends",
    "hears": "receives, is notified",
    "in words": "drop it, or: as text",
    "a word too many": "unexpected argument",
    "mistake": "error, invalid setting, bug",
    "mistakes": "errors, invalid settings, bugs",
    "by chance": "random, with jitter",
    "in all likelihood": "probably, usually",
    "more rarely": "less often, after a longer delay",
    "count before": "override, take precedence over",
    "counts before": "overrides, takes precedence over",
    "as wholes": "name what is summed",
    "lets be": "ignores, leaves unchanged",
    "let be": "ignored, left unchanged",
    "stands there": "appears, is present",
    "stand there": "appear, are present",
    "in trouble": "failing, unhealthy",
    "anew": "again",
    "for ever": "forever, indefinitely",
    "mend": "fix, repair",
    "mended": "fixed, repaired",
}
"""What to avoid, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """A use that stays.

    Attributes:
        path: the file, relative to the top of the repository.
        context: the words around it, as they appear in the file but for white space.
        reason: why no other word does.
    """

    path: str
    context: str
    reason: str


ALLOWED: Final[tuple[Allowed, ...]] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A phrase to avoid, and where it was found."""

    path: str
    line: int
    phrase: str

    def __str__(self) -> str:
        return f'{self.path}:{self.line}: "{self.phrase}"; write: {PHRASES[self.phrase.lower()]}'


def pattern(phrases: Iterable[str]) -> re.Pattern[str]:
    """Match any of the phrases as whole words, over line breaks and in any case."""
    escaped = (re.escape(phrase).replace(r"\ ", r"\s+") for phrase in phrases)
    return re.compile(rf"(?<!\w)(?:{'|'.join(escaped)})(?!\w)", re.IGNORECASE)


_PHRASES: Final = pattern(PHRASES)
_INLINE_CODE: Final = re.compile(r"``[^`\n]+``|`[^`\n]+`")


def prose(name: str, text: str) -> Iterator[tuple[int, str]]:
    """The passages of a file that people read, each with the line it begins on."""
    if name.endswith(".py"):
        yield from _strings(text)
        yield from _comments(text)
    else:
        yield 1, text


def _strings(source: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
            yield node.lineno, node.value


def _comments(source: str) -> Iterator[tuple[int, str]]:
    """Comments on consecutive lines are one passage."""
    first, lines = 0, [""]
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] != first + len(lines):
                yield first, "\n".join(lines)
                first, lines = token.start[0], []
            lines.append(token.string.lstrip("#"))
    yield first, "\n".join(lines)


def findings(name: str, text: str, allowed: Iterable[Allowed] = ()) -> Iterator[Finding]:
    """The phrases to avoid in a file, except in the uses that are allowed."""
    contexts = [each.context for each in allowed if each.path == name]
    for first, passage in prose(name, text):
        readable = _INLINE_CODE.sub(lambda code: "`" * len(code[0]), passage)
        covered = [found.span() for found in pattern(contexts).finditer(readable)] if contexts else []
        for found in _PHRASES.finditer(readable):
            if not any(start <= found.start() and found.end() <= end for start, end in covered):
                yield Finding(name, first + passage.count("\n", 0, found.start()), " ".join(found[0].split()))


def unused(allowed: Iterable[Allowed], root: Path) -> Iterator[str]:
    """Allowed uses that their file no longer contains."""
    for each in allowed:
        path = root / each.path
        if not path.is_file() or not pattern([each.context]).search(path.read_text(encoding="utf-8")):
            yield f'{each.path}: "{each.context}" is listed as allowed, but does not appear'


def checked_files(root: Path) -> list[Path]:
    """The files that are checked without arguments."""
    found = {path for pattern in CHECKED for path in root.glob(pattern) if path.is_file()}
    skipped = {path for pattern in UNCHECKED for path in root.glob(pattern)}
    return sorted(path for path in found - skipped if "__pycache__" not in path.parts)


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Check the named files, or all that are enforced; print the findings."""
    paths = [Path(each).resolve() for each in arguments] or checked_files(root)
    lines = [
        str(finding)
        for path in paths
        for finding in findings(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"), ALLOWED)
    ]
    if not arguments:
        lines += unused(ALLOWED, root)
    print("\n".join(lines), end="\n" if lines else "")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
