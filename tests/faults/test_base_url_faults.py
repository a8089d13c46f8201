"""Rows U21 and U22 of the fault matrix: base URLs that are not accepted."""

import io

import pytest

from exporter.cli.arguments import parse
from exporter.cli.commands import run
from exporter.cli.terminal import Terminal
from exporter.config import load
from tests.support.canary import KEY, MARK


def check_command(url: str, *flags: str) -> tuple[int, str]:
    """Run the check command with a base URL; return its exit code and output."""
    out, err = io.StringIO(), io.StringIO()
    code = run(parse(["check", "--base-url", url, *flags]), {"LIVEPEER_API_KEY": KEY}, Terminal(out, err))
    return code, out.getvalue() + err.getvalue()


def test_U21_plain_http_to_another_machine_is_a_settings_error() -> None:
    code, output = check_command("http://livepeer.example/api")
    assert code == 2
    assert "plain http" in output
    assert "livepeer.example" not in output
    assert MARK not in output


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/api", "http://localhost/api", "http://[::1]/api"])
def test_U21_plain_http_to_a_loopback_address_is_accepted(url: str) -> None:
    assert load({"base_url": url}, {}).settings.base_url == url


def test_U21_plain_http_is_accepted_if_allowed_by_a_setting() -> None:
    url = "http://livepeer.example/api"
    assert load({"base_url": url, "allow_insecure_http": True}, {}).settings.base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "https://someone:secret-word@livepeer.example/api",
        "https://livepeer.example/api?secret-word",
        "https://livepeer.example/api#secret-word",
        "ftp://livepeer.example/secret-word",
        "file:///secret-word",
        "livepeer.example/secret-word",
        "https:///secret-word",
    ],
)
def test_U22_an_invalid_base_url_is_a_settings_error_and_is_not_printed(url: str) -> None:
    code, output = check_command(url)
    assert code == 2
    assert "--base-url" in output
    assert "secret-word" not in output
