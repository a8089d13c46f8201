"""The parts of the scheduler and of a kubelet that the test does itself: it runs no containers."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any, Final, Literal

import httpx

from tests.cluster.control_plane import ControlPlane

NODE: Final = "node"

_PAUSE: Final = 0.2
"""Seconds between two looks at the pods."""

_READY: Final = ("Initialized", "PodScheduled", "ContainersReady", "Ready")

_CHANGED_MEANWHILE: Final = frozenset({httpx.codes.NOT_FOUND, httpx.codes.CONFLICT})
"""Answers for a pod that was deleted, or that another client changed, after it was listed."""


def running_status(address: str) -> dict[str, Any]:
    """Return the status of a pod whose containers are running and ready."""
    conditions = [{"type": kind, "status": "True"} for kind in _READY]
    return {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": conditions}


def next_step(pod: Any) -> Literal["bind", "run", "remove"] | None:
    """Return what a scheduler and a kubelet would do next with a pod; None if there is nothing to do."""
    if "deletionTimestamp" in pod["metadata"]:
        return "remove"
    if not pod["spec"].get("nodeName"):
        return "bind"
    return None if pod["status"].get("podIP") else "run"


def set_status(client: httpx.Client, metadata: Any, status: Mapping[str, Any]) -> None:
    """Write the status of a pod, unless it was deleted meanwhile.

    Raises:
        httpx.HTTPError: the API server rejected it.
    """
    headers = {"Content-Type": "application/merge-patch+json"}
    _check(client.patch(f"{_path(metadata)}/status", json={"status": status}, headers=headers))


class Kubelet:
    """Binds every new pod to a node, writes a status with an address of its own, and confirms deletions."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._numbers = count(1)
        self._stopped = threading.Event()
        self.failure: Exception | None = None

    def create_node(self) -> None:
        """Create the node of all pods."""
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
        self._client.post("/api/v1/nodes", json=node).raise_for_status()

    def run(self) -> None:
        """Serve until `stop`; an error ends it and is kept in `failure`."""
        try:
            while not self._stopped.wait(_PAUSE):
                for pod in self._client.get("/api/v1/pods").raise_for_status().json()["items"]:
                    self._serve(pod)
        except (httpx.HTTPError, KeyError) as error:
            self.failure = error

    def stop(self) -> None:
        """End `run`."""
        self._stopped.set()

    def _serve(self, pod: Any) -> None:
        metadata = pod["metadata"]
        match next_step(pod):
            case "bind":
                target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
                binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": metadata["name"]}}
                _check(self._client.post(f"{_path(metadata)}/binding", json={**binding, "target": target}))
            case "run":
                number = next(self._numbers)
                address = f"10.244.{number // 250}.{number % 250 + 1}"
                set_status(self._client, metadata, running_status(address))
            case "remove":
                _check(self._client.delete(_path(metadata), params={"gracePeriodSeconds": 0}))


def _path(metadata: Any) -> str:
    return f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"


def _check(response: httpx.Response) -> None:
    if response.status_code not in _CHANGED_MEANWHILE:
        response.raise_for_status()


@contextmanager
def running_kubelet(plane: ControlPlane) -> Iterator[None]:
    """Serve the pods within the context.

    Raises:
        Exception: what ended it, if it did not last until the end of the context.
    """
    with plane.client() as client:
        kubelet = Kubelet(client)
        kubelet.create_node()
        thread = threading.Thread(target=kubelet.run, name="kubelet")
        thread.start()
        try:
            yield
        finally:
            kubelet.stop()
            thread.join()
            # Also after a failed check, whose cause it then is.
            if kubelet.failure is not None:
                raise kubelet.failure
