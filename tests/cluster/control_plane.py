"""The control plane of a cluster on loopback: etcd, the API server and the controllers. There is no kubelet."""

import json
import secrets
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import trustme

from tests.support.deadlines import HANG
from tests.support.ports import free_ports
from tests.support.running import wait_until

STOP_SECONDS: Final = 20.0
"""Seconds that a program has to exit after SIGTERM."""


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A running control plane.

    Attributes:
        url: address of the API server.
        authority: file with the certificate of its authority.
        token: token of an administrator.
        kubeconfig: file with the three of them.
    """

    url: str
    authority: Path
    token: str
    kubeconfig: Path

    def client(self) -> httpx.Client:
        """Return a client of the API with the rights of the administrator."""
        context = ssl.create_default_context(cafile=str(self.authority))
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, verify=context, timeout=HANG, trust_env=False)


@contextmanager
def running(command: list[str], log: Path, environment: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program within the context, with its output in a log file; stop it at the end."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def running_control_plane(binaries: Path, directory: Path, environment: Mapping[str, str]) -> Iterator[ControlPlane]:
    """Run a control plane within the context, with an empty database.

    Args:
        binaries: directory with etcd, kube-apiserver and kube-controller-manager.
        directory: directory for data, keys and logs.
        environment: environment variables of the processes.
    """
    clients, peers, api = free_ports(3)  # neither etcd nor the API server accepts port 0
    token = secrets.token_hex(32)
    _write_keys(directory, token)
    kubeconfig = directory / "kubeconfig"
    plane = ControlPlane(f"https://127.0.0.1:{api}", directory / "authority.pem", token, kubeconfig)
    kubeconfig.write_text(json.dumps(_kubeconfig(plane)), encoding="utf-8")  # JSON is YAML too
    kubeconfig.chmod(0o600)
    with ExitStack() as stack:

        def start(name: str, *flags: str) -> "subprocess.Popen[bytes]":
            log = directory / f"{name}.log"
            return stack.enter_context(running([str(binaries / name), *flags], log, environment))

        start("etcd", *_etcd_flags(directory / "etcd", clients, peers))
        server = start("kube-apiserver", *_api_flags(directory, f"http://127.0.0.1:{clients}", api))
        with plane.client() as client:
            wait_until(lambda: _is_ready(client, server, directory / "kube-apiserver.log"), "the API server")
        start(
            "kube-controller-manager",
            f"--kubeconfig={kubeconfig}",
            f"--service-account-private-key-file={directory / 'accounts.key'}",
            f"--root-ca-file={plane.authority}",
            "--leader-elect=false",
            "--secure-port=0",
            # The node never reports, because there is no kubelet; these would remove its pods.
            "--controllers=*,-node-lifecycle-controller,-taint-eviction-controller",
        )
        yield plane


def _etcd_flags(data: Path, clients: int, peers: int) -> list[str]:
    peer = f"http://127.0.0.1:{peers}"
    return [
        *(f"--data-dir={data}", "--name=one", f"--initial-cluster=one={peer}", "--unsafe-no-fsync"),
        *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"),
        *(f"--{name}-client-urls=http://127.0.0.1:{clients}" for name in ("listen", "advertise")),
    ]


def _api_flags(directory: Path, etcd: str, port: int) -> list[str]:
    return [
        *(f"--etcd-servers={etcd}", "--bind-address=127.0.0.1", f"--secure-port={port}"),
        *(f"--tls-cert-file={directory / 'server.pem'}", f"--tls-private-key-file={directory / 'server.key'}"),
        *(f"--cert-dir={directory}", f"--token-auth-file={directory / 'tokens.csv'}", "--authorization-mode=RBAC"),
        *("--service-account-issuer=https://cluster.test", f"--service-account-key-file={directory / 'accounts.key'}"),
        f"--service-account-signing-key-file={directory / 'accounts.key'}",
        *("--service-cluster-ip-range=10.96.0.0/16", "--endpoint-reconciler-type=none"),
        # Otherwise it rejects privileged containers by itself, and Pod Security would remain untested.
        "--allow-privileged=true",
    ]


def _is_ready(client: httpx.Client, server: "subprocess.Popen[bytes]", log: Path) -> bool:
    assert server.poll() is None, f"the API server has exited: {log.read_text(encoding='utf-8')[-2000:]}"
    try:
        return client.get("/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _write_keys(directory: Path, token: str) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "authority.pem")
    issued = authority.issue_cert("127.0.0.1", "localhost")
    issued.private_key_pem.write_to_path(directory / "server.key")
    for blob in issued.cert_chain_pems:
        blob.write_to_path(directory / "server.pem", append=True)
    authority.issue_cert("accounts").private_key_pem.write_to_path(directory / "accounts.key")
    (directory / "tokens.csv").write_text(f'{token},administrator,administrator,"system:masters"\n', encoding="utf-8")
    for name in ("server.key", "accounts.key", "tokens.csv"):
        (directory / name).chmod(0o600)


def _kubeconfig(plane: ControlPlane) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": plane.url, "certificate-authority": str(plane.authority)}}],
        "users": [{"name": "administrator", "user": {"token": plane.token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "administrator"}}],
        "current-context": "test",
    }
