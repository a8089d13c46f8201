"""Reads the settings file: YAML, each key with its line, no key twice."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import yaml

LARGEST: Final = 1 << 20
"""Bytes. A settings file is small; more is another file by mistake."""


@dataclass(frozen=True, slots=True)
class YamlFile:
    """What the file says: its values by key, and the line of each key by its path (`accounts[0].name`)."""

    values: Mapping[object, object]
    lines: Mapping[str, int]


class YamlFileError(ValueError):
    """The file cannot be used; the text names a line but repeats nothing that stands there."""


def read_yaml_file(path: Path) -> YamlFile:
    """Read `path`; an empty file says nothing.

    Raises:
        YamlFileError: it cannot be read, is not YAML, is no mapping, or has a tag or a key twice.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise YamlFileError(f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise YamlFileError("cannot be read: no file can have that name") from None
    if len(data) > LARGEST:
        raise YamlFileError("is too large for a settings file")
    return _parse(data)


def _parse(data: bytes) -> YamlFile:
    import yaml  # most run without a file, and need not pay a megabyte for it

    class Untagged(yaml.SafeLoader):
        def fetch_tag(self) -> None:
            # Nothing needs one, and a tag that does not fit its value makes the library fail in ways of all kinds.
            line = self.get_mark().line + 1
            raise YamlFileError(f"has a tag (!) in line {line}; write the value without it, text in quotes")

    try:
        loader = Untagged(data)
        try:
            root = loader.get_single_node()
            if root is None or root.tag == "tag:yaml.org,2002:null":
                return YamlFile({}, {})
            if not isinstance(root, yaml.MappingNode):
                raise YamlFileError("must have lines such as poll_interval: 30s")
            lines = dict(_keys(root, "", set()))
            return YamlFile(loader.construct_document(root), lines)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        where = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
        problem = f"is not valid YAML{where}"
    except YamlFileError:
        raise
    except (yaml.YAMLError, ValueError, OverflowError):  # bytes or numbers that are none
        problem = "is not valid YAML"
    except RecursionError:
        problem = "is nested too deeply"
    # Raised out here, so that the library's error, which quotes the file, does not travel along.
    raise YamlFileError(problem)


def _keys(node: "yaml.Node", path: str, seen: set[int]) -> Iterator[tuple[str, int]]:
    import yaml

    if id(node) in seen:  # an alias of a node met before: a few bytes could unfold without end
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _keys(item, f"{path}[{index}]", seen)
    elif isinstance(node, yaml.MappingNode):
        here: set[tuple[str, str]] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            written = (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else None
            if written in here:
                raise YamlFileError(f"has a key for the second time in line {line}")
            if written:
                here.add(written)
                name = f"{path}.{written[1]}" if path else written[1]
                yield name, line
                yield from _keys(value, name, seen)
