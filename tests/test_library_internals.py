"""The private parts of libraries that the program relies on: the one place that names them.

A part is private here if the library's documentation does not describe it, whatever its name begins with. Each library
below is held to the versions that the suite was run with. To take a newer one: read what it changed in the named
parts, run the suite with it, and change `below` here and the range in pyproject.toml together.
"""

import ast
import asyncio
import asyncio.sslproto
import inspect
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from pkgutil import resolve_name

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn import Config, Server
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Reliance:
    """What the program uses of one library without a promise.

    Attributes:
        oldest: the oldest version that the suite passes with; the minimum in pyproject.toml.
        below: the first version that is not allowed; the upper bound in pyproject.toml.
        user: the module that has to follow a change.
        callables: parameters, by the name of a function or method that is called or overridden.
        attributes: attributes of instances, by the name of a maker of `MAKERS`.
    """

    oldest: str
    below: str
    user: str
    callables: Mapping[str, str]
    attributes: Mapping[str, tuple[str, ...]]


_PROTOCOL = "uvicorn.protocols.http.httptools_impl:HttpToolsProtocol"

RELIANCES = {
    "uvicorn": Reliance(
        oldest="0.53",
        below="0.55",
        user="exporter/server/connection.py, exporter/server/listener.py, exporter/simulator/serve.py",
        callables={
            f"{_PROTOCOL}.__init__": "self, config, server_state, app_state, _loop",
            f"{_PROTOCOL}.connection_made": "self, transport",
            f"{_PROTOCOL}.connection_lost": "self, exc",
            f"{_PROTOCOL}.data_received": "self, data",
            f"{_PROTOCOL}.shutdown": "self",
            f"{_PROTOCOL}.on_message_begin": "self",
            f"{_PROTOCOL}.on_url": "self, url",
            f"{_PROTOCOL}.on_header": "self, name, value",
            f"{_PROTOCOL}.on_headers_complete": "self",
            f"{_PROTOCOL}.on_response_complete": "self",
            f"{_PROTOCOL}.timeout_keep_alive_handler": "self",
            "uvicorn.server:ServerState": "",
            "uvicorn:Server.startup": "self, sockets",
            "uvicorn:Server.capture_signals": "self",
        },
        attributes={
            "protocol": ("loop", "transport", "parser", "pipeline", "cycle", "headers", "server_state"),
            "cycle": ("keep_alive", "response_complete", "disconnected", "message_event"),
            "server_state": ("connections", "tasks", "default_headers"),
            "server": ("should_exit",),
        },
    ),
    "pyyaml": Reliance(
        oldest="6",
        below="7",
        user="exporter/config/file.py",
        callables={
            "yaml:SafeLoader.fetch_tag": "self",
            "yaml:SafeLoader.get_mark": "self",
            "yaml:SafeLoader.get_single_node": "self",
            "yaml:SafeLoader.construct_document": "self, node",
            "yaml:SafeLoader.dispose": "self",
        },
        attributes={},
    ),
    "starlette": Reliance(
        oldest="1.0",
        below="2",
        user="exporter/pages/routes.py",
        callables={},
        attributes={"router": ("redirect_slashes",), "response": ("raw_headers",)},
    ),
}


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    """Never runs: the event loop ends before its task begins."""


class _Transport(asyncio.Transport):
    """A transport without a network: takes everything, and is never closed."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False


def _protocol() -> HttpToolsProtocol:
    """A connection with one request under way and another one behind it."""

    async def made() -> HttpToolsProtocol:
        config = Config(_app, ws="none", lifespan="off", log_config=None, workers=1)
        protocol = HttpToolsProtocol(config, ServerState(), {})
        protocol.connection_made(_Transport())
        protocol.data_received(b"GET / HTTP/1.1\r\n\r\n" * 2)
        return protocol

    return asyncio.run(made())


MAKERS: Mapping[str, Callable[[], object]] = {
    "protocol": _protocol,
    "cycle": lambda: _protocol().cycle,
    "server_state": ServerState,
    "server": lambda: Server(Config(_app)),
    "router": lambda: Starlette().router,
    "response": lambda: Response(b""),
}


def specifiers() -> dict[str, SpecifierSet]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = map(Requirement, project["dependencies"])
    return {each.name: each.specifier for each in found}


def changed(library: str, what: str) -> str:
    return (
        f"{library} {version(library)}: {what}. It is private, so check {RELIANCES[library].user}, run the suite, and "
        f"change the entry for {library} in {Path(__file__).name}."
    )


CALLABLES = [(library, name) for library, each in RELIANCES.items() for name in each.callables]
ATTRIBUTES = [(library, name) for library, each in RELIANCES.items() for name in each.attributes]


@pytest.mark.parametrize(("library", "name"), CALLABLES, ids=[name for _, name in CALLABLES])
def test_a_private_function_has_the_parameters_that_we_know(library: str, name: str) -> None:
    wanted = RELIANCES[library].callables[name]
    try:
        found = ", ".join(inspect.signature(resolve_name(name)).parameters)
    except (ImportError, AttributeError):
        pytest.fail(changed(library, f"{name} is gone"))
    assert found == wanted, changed(library, f"{name} takes ({found}), no longer ({wanted})")


@pytest.mark.parametrize(("library", "name"), ATTRIBUTES, ids=[name for _, name in ATTRIBUTES])
def test_a_private_object_has_the_attributes_that_we_know(library: str, name: str) -> None:
    made = MAKERS[name]()
    missing = [each for each in RELIANCES[library].attributes[name] if not hasattr(made, each)]
    assert not missing, changed(library, f"{type(made).__name__} no longer has {', '.join(missing)}")


def test_requests_wait_in_the_pipeline_as_pairs_of_cycle_and_app() -> None:
    protocol = _protocol()
    waiting = [cycle for cycle, _app in protocol.pipeline]
    assert waiting == [protocol.cycle], changed("uvicorn", "HttpToolsProtocol.pipeline holds something else")


def test_asyncio_has_a_size_for_the_read_buffer_of_tls_connections() -> None:
    # exporter/server/listener.py sets it, and tests/server/test_listener_tls.py measures the effect.
    assert isinstance(vars(asyncio.sslproto.SSLProtocol)["max_size"], int)


def test_status_lines_are_whole_lines_by_status() -> None:
    lines = {status: STATUS_LINE[status] for status in (400, 414, 431)}
    whole = {status: re.fullmatch(rb"HTTP/1\.1 %d [ -~]+\r\n" % status, line) for status, line in lines.items()}
    assert all(whole.values()), changed("uvicorn", f"STATUS_LINE has {lines}")


@pytest.mark.parametrize("library", RELIANCES)
def test_a_library_with_private_parts_is_held_to_the_versions_that_were_tested(library: str) -> None:
    each = RELIANCES[library]
    tested = SpecifierSet(f">={each.oldest},<{each.below}")
    assert specifiers()[library] == tested, f"pyproject.toml allows other versions of {library} than were tested"
    assert tested.contains(version(library)), changed(library, f"it was tested with {tested} only")


@pytest.mark.parametrize("library", specifiers())
def test_an_installed_library_is_one_that_pyproject_allows(library: str) -> None:
    assert specifiers()[library].contains(version(library)), f"{library} {version(library)} is installed"


def test_the_oldest_pins_are_the_declared_minima() -> None:
    pins = dict(
        re.findall(r"^([a-z-]+)==(\S+)", (ROOT / "requirements" / "oldest.txt").read_text(), flags=re.MULTILINE)
    )
    minima = {name: each.version for name, found in specifiers().items() for each in found if each.operator == ">="}
    stale = [name for name, minimum in minima.items() if Version(pins[name]) != Version(minimum)]
    assert not stale, f"delete requirements/oldest.txt and run `make requirements`: {', '.join(stale)}"


def test_no_other_private_module_of_uvicorn_is_imported() -> None:
    known = {name.partition(":")[0] for name in RELIANCES["uvicorn"].callables}
    for path in (ROOT / "exporter").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "uvicorn":
                assert node.module in known, f"{path.name} imports from {node.module}, which RELIANCES does not name"


def test_the_docs_name_each_library_with_private_parts() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    section = text.partition("## Private parts")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| ([a-z]+) \d", section, flags=re.MULTILINE)) == set(RELIANCES)
