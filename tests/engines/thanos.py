"""Thanos: Receive, which accepts remote write, and Query, which removes the duplicates of replicas."""

import http.client
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.engines.servers import Api, running_server

REPLICA: Final = "replica"
"""The external label by which Thanos recognizes replicas."""

RECEIVE_LABELS: Final = ("receive", "tenant_id")
"""The labels that Thanos Receive adds."""

ADDRESSES: Final = ("http-address", "grpc-address", "remote-write.address", "receive.capnproto-address")
"""The flags of the addresses of Thanos Receive; by default they are fixed ports, on all interfaces."""

_SETTINGS: Final = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
"""An empty SETTINGS frame of HTTP/2, with which each side begins (RFC 9113, sections 3.4 and 6.5)."""

_RECEIVE_PATH: Final = "/api/v1/receive"


@dataclass(frozen=True, slots=True)
class Receive:
    """A running Thanos Receive.

    Attributes:
        url: of remote write.
        store: the address of its gRPC API.
    """

    url: str
    store: str


@contextmanager
def running_receive(binary: str, directory: Path) -> Iterator[Receive]:
    """Run Thanos Receive with an empty database in a directory."""
    addresses = [f"--{name}=127.0.0.1:0" for name in ADDRESSES]
    command = [binary, "receive", f"--tsdb.path={directory / 'data'}", '--label=receive="0"', *addresses]
    with running_server(command, directory / "receive.log", len(ADDRESSES), "/-/ready") as (_, others):
        (remote_write,) = (port for port in others if _is_remote_write(port))
        (store,) = (port for port in others if _is_grpc(port))
        yield Receive(f"http://127.0.0.1:{remote_write}{_RECEIVE_PATH}", f"127.0.0.1:{store}")


def _is_remote_write(port: int) -> bool:
    """Whether the port speaks HTTP, and not gRPC."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("POST", _RECEIVE_PATH, b"")
        return connection.getresponse().status < 600
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _is_grpc(port: int) -> bool:
    """Whether the port answers HTTP/2."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _SETTINGS)
        answer = connection.recv(len(_SETTINGS))
        return answer[3:4] == _SETTINGS[3:4]
    return False


@contextmanager
def running_query(binary: str, directory: Path, stores: Sequence[str]) -> Iterator[Api]:
    """Run Thanos Query over some stores; queries remove duplicates by default."""
    addresses = [f"--{name}=127.0.0.1:0" for name in ("http-address", "grpc-address")]
    endpoints = [f"--endpoint={store}" for store in stores]
    command = [binary, "query", f"--query.replica-label={REPLICA}", *addresses, *endpoints]
    with running_server(command, directory / "query.log", 2, "/-/ready") as (port, _):
        yield Api(port, {})


def with_duplicates(query: Api) -> Api:
    """Return the API whose queries keep the series of each replica."""
    return Api(query.port, {"dedup": "false"})
