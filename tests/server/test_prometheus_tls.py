"""Scrapes by Prometheus over TLS with a password and a client certificate, while the server certificate changes."""

import asyncio
import json
import os
import shutil
from pathlib import Path

import bcrypt
import pytest
from cryptography import x509
from starlette.types import Message, Receive, Scope, Send

from exporter.server.basic_auth import BasicAuth
from exporter.server.connection import Limits
from exporter.server.web_config_reload import WebConfigFile
from tests.server.certificates import Authority
from tests.server.raw_client import run, running_listener, static_app, wait_until

PASSWORD = "synthetic password of this test"

pytestmark = pytest.mark.prometheus


@pytest.fixture
def prometheus() -> str:
    found = shutil.which("prometheus")
    if found is None and os.environ.get("CI"):
        pytest.fail("Prometheus is not installed")
    if found is None:
        pytest.skip("Prometheus is not installed")
    return found


class RecordingApp:
    """Responds with one metric, and records the user agents."""

    def __init__(self) -> None:
        self.user_agents: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.user_agents.append(dict(scope["headers"])[b"user-agent"].decode())
        await static_app(b"# TYPE synthetic gauge\nsynthetic 1\n")(scope, receive, send)


def write_web_config(directory: Path, authority: Authority) -> Path:
    authority.issue_server()
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    path = directory / "web.yml"
    path.write_text(
        "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
        "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
        "  client_allowed_sans: [scraper@example.org]\n"
        f"basic_auth_users:\n  prometheus: {hashed}\n",
        encoding="utf-8",
    )
    return path


def write_scrape_config(directory: Path, authority: Authority, port: int) -> Path:
    """Write four jobs: a valid one, one with a wrong password, one without a certificate, one with another name."""
    cert, key = authority.issue_client()
    other_cert, other_key = authority.issue_client_with("other", x509.DNSName("other.example.org"))
    tls = {"ca_file": str(authority.file), "server_name": "localhost"}
    with_cert = {**tls, "cert_file": str(cert), "key_file": str(key)}
    right = {"username": "prometheus", "password": PASSWORD}

    def job(name: str, tls: dict[str, str], basic: dict[str, str]) -> dict[str, object]:
        return {
            "job_name": name,
            "scheme": "https",
            "metrics_path": f"/{name}",
            "tls_config": tls,
            "basic_auth": basic,
            "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
        }

    jobs = [
        job("good", with_cert, right),
        job("wrong-password", with_cert, {**right, "password": "guess"}),
        job("no-certificate", tls, right),
        job("other-name", {**tls, "cert_file": str(other_cert), "key_file": str(other_key)}, right),
    ]
    path = directory / "prometheus.yml"  # JSON is YAML too
    path.write_text(
        json.dumps({"global": {"scrape_interval": "500ms", "scrape_timeout": "500ms"}, "scrape_configs": jobs}),
        encoding="utf-8",
    )
    return path


def test_S10_V14_prometheus_scrapes_with_tls_password_and_client_certificate(prometheus: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        authority = Authority(tmp_path)
        file = WebConfigFile(write_web_config(tmp_path, authority))
        recording = RecordingApp()
        responses: list[tuple[str, int]] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_and_record(message: Message) -> None:
                if message["type"] == "http.response.start":
                    responses.append((scope["path"], message["status"]))
                await send(message)

            await BasicAuth(recording, file.config)(scope, receive, send_and_record)

        # Shorter than the scrape interval, so that each scrape has its own connection and handshake.
        limits = Limits(idle_timeout=0.1)
        async with running_listener(app, limits=limits, tls=file.context) as listener:
            process = await asyncio.create_subprocess_exec(
                prometheus,
                f"--config.file={write_scrape_config(tmp_path, authority, listener.port)}",
                f"--storage.tsdb.path={tmp_path / 'data'}",
                "--web.listen-address=127.0.0.1:0",
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                await wait_until(lambda: responses.count(("/good", 200)) >= 3 and ("/wrong-password", 401) in responses)
                old_context = file.context()
                authority.issue_server()
                await wait_until(lambda: file.context() is not old_context)
                before_change = responses.count(("/good", 200))
                await wait_until(lambda: responses.count(("/good", 200)) >= before_change + 3)
            finally:
                process.terminate()
                await process.wait()
        assert set(responses) == {("/good", 200), ("/wrong-password", 401)}
        assert all(user_agent.startswith("Prometheus/") for user_agent in recording.user_agents)

    run(scenario)
