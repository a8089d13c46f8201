"""`assets`: write the dashboards and rules that are part of the package."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlunsplit

from exporter.cli.arguments import Invocation
from exporter.cli.command_list import GRAFANA_URL, OVERWRITE, RUNBOOK_URL
from exporter.cli.terminal import FAILURE, INVALID_SETTINGS, SUCCESS, Terminal
from exporter.config.values import parse_http_url

_EXAMPLES: Final = {
    GRAFANA_URL: "https://grafana.example.com",
    RUNBOOK_URL: "https://docs.example.com/runbooks.html",
}


class ExistingFilesError(Exception):
    """Files exist with another content.

    Attributes:
        paths: of these files.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        super().__init__("files exist with another content")
        self.paths = paths


def assets(invocation: Invocation, terminal: Terminal) -> int:
    """Write all assets to a directory, print their paths and return the exit code."""
    from exporter.cli import asset_files  # the other commands do not load PyYAML

    urls, problems = _parse_urls({GRAFANA_URL: invocation.grafana_url, RUNBOOK_URL: invocation.runbook_url})
    if not invocation.directory:  # an unset variable in a script; not the current directory
        problems.append("DIR: must not be empty")
    if not invocation.directory or problems:
        print("\n".join(problems), file=terminal.err)
        return INVALID_SETTINGS
    grafana = urls[GRAFANA_URL]
    links = asset_files.LinkBases(grafana and grafana.rstrip("/"), urls[RUNBOOK_URL])
    try:
        for path in write(Path(invocation.directory), asset_files.contents(links), overwrite=invocation.overwrite):
            print(path, file=terminal.out)
    except ExistingFilesError as error:
        for path in error.paths:
            print(f"{path}: exists with another content", file=terminal.err)
        print(f"nothing was written; choose another directory, or add {OVERWRITE}", file=terminal.err)
        return FAILURE
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        print(f"cannot write to the directory: {error.strerror}{place}", file=terminal.err)
        return FAILURE
    return SUCCESS


def _parse_urls(given: Mapping[str, str | None]) -> tuple[dict[str, str | None], list[str]]:
    """Return the URLs by flag, and a line for each invalid one."""
    urls, problems = dict(given), []
    for flag, text in given.items():
        try:
            urls[flag] = None if text is None else _parse_url(text, _EXAMPLES[flag])
        except ValueError as error:
            problems.append(f"{flag}: {error}")
    return urls, problems


def _parse_url(text: str, example: str) -> str:
    """Return a URL for annotations, which are templates: braces would begin an expression."""
    if "{" in text or "}" in text:
        raise ValueError("must not contain braces")
    return urlunsplit(parse_http_url(text, example))


def write(directory: Path, contents: Mapping[str, str], *, overwrite: bool) -> list[Path]:
    """Write files; create directories as needed. If this fails, no file is incomplete, and new ones are removed.

    Args:
        directory: the target.
        contents: the content of each file by its path below the directory.
        overwrite: whether to replace files that exist with another content.

    Returns:
        The paths of the files.

    Raises:
        ExistingFilesError: there are such files, and `overwrite` is false.
        OSError: the directory cannot be written to.
    """
    targets = {directory / name: text.encode() for name, text in contents.items()}
    existing = [path for path in targets if path.exists()]
    different = [path for path in existing if path.read_bytes() != targets[path]]
    if different and not overwrite:
        raise ExistingFilesError(different)
    with ExitStack() as undo:
        staged = {}
        for path, content in targets.items():
            _make_directory(path.parent, undo)
            staged[path] = path.with_name(f".{path.name}.partial")
            undo.callback(staged[path].unlink, missing_ok=True)
            staged[path].write_bytes(content)
        for path, complete in staged.items():
            if path not in existing:
                undo.callback(path.unlink, missing_ok=True)
            complete.replace(path)
        undo.pop_all()
    return list(targets)


def _make_directory(directory: Path, undo: ExitStack) -> None:
    """Create a directory with its parents. Undoing removes those that are new and empty."""
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        undo.callback(_remove_directory, each)
    directory.mkdir(exist_ok=True)


def _remove_directory(directory: Path) -> None:
    with suppress(OSError):
        directory.rmdir()
