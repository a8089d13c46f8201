"""Strict reader of small YAML files: no tags, no duplicate keys, and the line of each key for messages."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from exporter.config.regular_file import open_regular_file

if TYPE_CHECKING:
    import yaml

MAX_FILE_SIZE: Final = 1 << 20
"""Bytes. A larger file is not a configuration file."""

_TEXT_TAG: Final = "tag:yaml.org,2002:str"
_TEXT_LIKE_TAGS: Final = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float", "timestamp", "value")
)


@dataclass(frozen=True, slots=True)
class YamlFile:
    """Content of a YAML file.

    Attributes:
        values: top-level mapping.
        lines: line number of each key by its path, such as `accounts[0].name`.
    """

    values: Mapping[object, object]
    lines: Mapping[str, int]


class YamlFileError(ValueError):
    """The file cannot be used. The message names a line but contains no text of the file."""


def read_yaml_file(path: Path, *, as_text: bool = False) -> YamlFile:
    """Read a YAML file whose top level is a mapping; an empty file is an empty mapping.

    Args:
        path: the file.
        as_text: whether numbers, booleans and dates are read as the text that they are written as, as Go's library
            does where it expects a string.

    Raises:
        YamlFileError: the file cannot be read, is not valid YAML, is not a mapping, or has a tag or a duplicate key.
    """
    try:
        with open_regular_file(path) as file:
            data = file.read(MAX_FILE_SIZE + 1)
    except OSError as error:
        raise YamlFileError(f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise YamlFileError("cannot be read: invalid file name") from None
    if len(data) > MAX_FILE_SIZE:
        raise YamlFileError("is larger than 1 MiB")
    return _parse(data, as_text=as_text)


def is_valid_path(text: str) -> bool:
    """Return whether the operating system accepts `text` as a path; YAML can express NUL and lone surrogates."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _parse(data: bytes, *, as_text: bool) -> YamlFile:
    import yaml  # deferred: most installations have no YAML file, and the library takes a megabyte of memory

    class UntaggedLoader(yaml.SafeLoader):
        def fetch_tag(self) -> None:
            # No setting needs a tag, and a tag that does not match its value makes PyYAML raise arbitrary exceptions.
            line = self.get_mark().line + 1
            raise YamlFileError(f"has a YAML tag (!) in line {line}; remove it, and quote the value if it is text")

        def resolve(self, kind: type[yaml.Node], value: str, implicit: tuple[bool, bool]) -> str:
            tag: str = super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]  # types-PyYAML
            return _TEXT_TAG if as_text and tag in _TEXT_LIKE_TAGS else tag

    try:
        loader = UntaggedLoader(data)
        try:
            root = loader.get_single_node()
            if root is None or root.tag == "tag:yaml.org,2002:null":
                return YamlFile({}, {})
            if not isinstance(root, yaml.MappingNode):
                raise YamlFileError("must be a mapping, with lines such as key: value")
            lines = dict(_key_lines(root, "", set()))
            return YamlFile(loader.construct_document(root), lines)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        where = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
        problem = f"is not valid YAML{where}"
    except YamlFileError:
        raise
    except (yaml.YAMLError, ValueError, OverflowError):  # invalid bytes, or numbers that Python cannot convert
        problem = "is not valid YAML"
    except RecursionError:
        problem = "is nested too deeply"
    # Raised outside of the except blocks, so that the library's error, which quotes the file, is not its context.
    raise YamlFileError(problem)


def _key_lines(node: "yaml.Node", path: str, visited: set[int]) -> Iterator[tuple[str, int]]:
    """Yield the path and the line of each key below `node`.

    Raises:
        YamlFileError: a mapping has a duplicate key.
    """
    import yaml

    if id(node) in visited:  # an alias; following each would let a few bytes expand without bound
        return
    visited.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _key_lines(item, f"{path}[{index}]", visited)
    elif isinstance(node, yaml.MappingNode):
        keys: set[tuple[str, str]] = set()
        for key_node, value in node.value:
            line = key_node.start_mark.line + 1
            key = (key_node.tag, key_node.value) if isinstance(key_node, yaml.ScalarNode) else None
            if key in keys:
                raise YamlFileError(f"has a duplicate key in line {line}")
            if key:
                keys.add(key)
                name = f"{path}.{key[1]}" if path else key[1]
                yield name, line
                yield from _key_lines(value, name, visited)
