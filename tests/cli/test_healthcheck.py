"""`healthcheck`: query the liveness probe of a running exporter."""

import io
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from exporter.cli.healthcheck import query, url_of
from exporter.config import Settings
from tests.server.certificates import Authority
from tests.support.running import run


@contextmanager
def answering(status: int) -> Iterator[int]:
    """Run a server that responds to `/livez` with a status; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/livez" else 418)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Write no log."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("address", "health", "url"),
    [
        ("0.0.0.0:9877", None, "http://127.0.0.1:9877/livez"),
        (":9877", None, "http://127.0.0.1:9877/livez"),
        ("[::]:9877", None, "http://[::1]:9877/livez"),
        ("127.0.0.2:9877,:9878", None, "http://127.0.0.2:9877/livez"),
        ("192.0.2.7:9877", None, "http://192.0.2.7:9877/livez"),
        ("0.0.0.0:9877", "127.0.0.1:9000", "http://127.0.0.1:9000/livez"),
    ],
)
def test_the_url_is_that_of_the_probe_on_this_machine(address: str, health: str | None, url: str) -> None:
    assert url_of(Settings(web_listen_address=address, web_health_listen_address=health)) == url


def test_https_is_used_with_tls_unless_the_probes_have_their_own_port(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue_server()
    file = tmp_path / "web.yml"
    file.write_text("tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n")
    secured = Settings(web_config_file=str(file))
    assert url_of(secured) == "https://127.0.0.1:9877/livez"
    own_port = Settings(web_config_file=str(file), web_health_listen_address=":9000")
    assert url_of(own_port) == "http://127.0.0.1:9000/livez"
    file.write_text("basic_auth_users: {}\n")
    assert url_of(Settings(web_config_file=str(file))) == "http://127.0.0.1:9877/livez"


@pytest.mark.parametrize(("status", "code", "text"), [(200, 0, "alive\n"), (503, 1, "not alive: HTTP 503\n")])
def test_only_status_200_is_alive(status: int, code: int, text: str) -> None:
    out = io.StringIO()
    with answering(status) as port:
        assert query(f"http://127.0.0.1:{port}", out) == code
    assert out.getvalue() == text


def test_a_refused_connection_is_not_alive() -> None:
    with socket.socket() as chosen:  # bound, but not listening
        chosen.bind(("127.0.0.1", 0))
        out = io.StringIO()
        port = chosen.getsockname()[1]
        assert query(f"http://127.0.0.1:{port}/livez", out) == 1
    assert out.getvalue() == f"no response from 127.0.0.1:{port}: Connection refused\n"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:many/livez",
        "http://127.0.0.1:99999999/",
        "https://127.0.0.1:1/",
        "http://[::1",
        "http://a..b/livez",
        "http://a b/livez",
        "https://a b/",
        "http://a\0b/",
        "http://127.0.0.1:1/\xfc",
        "http://[::1]:1/livez",
    ],
)
def test_an_unusable_url_is_not_alive_and_prints_one_line(url: str) -> None:
    out = io.StringIO()
    assert query(url, out) == 1
    assert out.getvalue().startswith(("no response from ", "--url: must be"))
    assert out.getvalue().count("\n") == 1


@pytest.mark.parametrize("url", ["localhost:9877", "/livez", "ftp://127.0.0.1/livez", "http:///livez", ""])
def test_a_url_without_scheme_or_host_is_an_error_of_the_flag(url: str) -> None:
    out = io.StringIO()
    assert query(url, out) == 1
    assert out.getvalue() == "--url: must be an http or https URL such as http://127.0.0.1:9877/livez\n"


def test_a_response_that_is_not_http_is_not_alive() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def respond() -> None:
            connection, _ = server.accept()
            connection.sendall(b"hello\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=respond)
        thread.start()
        out = io.StringIO()
        port = server.getsockname()[1]
        assert query(f"http://127.0.0.1:{port}/livez", out) == 1
        thread.join()
    assert out.getvalue() == f"no response from 127.0.0.1:{port}: BadStatusLine\n"


@pytest.mark.process
def test_the_command_uses_the_listen_address_of_flags_and_variables() -> None:
    with answering(200) as port:
        by_flag = run("healthcheck", "--web.listen-address", f":{port}")
        by_variable = run("healthcheck", variables={"LIVEPEER_EXPORTER_WEB_LISTEN_ADDRESS": f":{port}"})
    assert (by_flag.code, by_flag.stdout) == (by_variable.code, by_variable.stdout) == (0, "alive\n")


@pytest.mark.process
def test_the_command_exits_with_2_if_the_web_config_file_is_missing(tmp_path: Path) -> None:
    said = run("healthcheck", "--web.config.file", str(tmp_path / "missing.yml"))
    assert said.code == 2
    assert "Traceback" not in said.stderr
    assert len(said.stderr.splitlines()) == 1


def test_the_command_imports_neither_http_client_nor_server() -> None:
    heavy = "{'httpx', 'uvicorn', 'starlette'}"
    code = f"import sys, exporter.cli.healthcheck; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
