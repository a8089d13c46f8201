"""Rows R07 and R08 of the fault matrix: addresses, files and settings that cannot be used."""

from pathlib import Path

import pytest

from tests.process.samples import UP
from tests.support.canary import KEY, MARK
from tests.support.running import Exporter, run

pytestmark = pytest.mark.process


def test_R07_a_port_in_use_is_code_1_with_one_line(shared_exporter: Exporter, base_url: str) -> None:
    finished = run(
        "--base-url", base_url, "--web.listen-address", f"127.0.0.1:{shared_exporter.port}", "--log.format", "logfmt"
    )
    assert (finished.code, finished.stdout) == (1, "")
    problem = f"cannot listen on 127.0.0.1:{shared_exporter.port}: Address already in use"
    assert (
        finished.stderr == f"livepeer-session-exporter: {problem}; choose another address with --web.listen-address\n"
    )


@pytest.mark.parametrize("address", ["192.0.2.1:9877", "no-such-host.invalid:9877"])
def test_R07_an_address_of_another_machine_is_code_1_with_one_line(base_url: str, address: str) -> None:
    finished = run("--base-url", base_url, "--web.listen-address", address)
    assert (finished.code, finished.stdout) == (1, "")
    assert len(finished.stderr.splitlines()) == 1
    assert address in finished.stderr


def test_R07_a_missing_ca_file_is_code_1_with_one_line() -> None:
    finished = run("--web.listen-address", "127.0.0.1:0", "--ca-file", "no-such-file.pem", "--log.level", "error")
    assert (finished.code, finished.stdout) == (1, "")
    assert finished.stderr == "livepeer-session-exporter: --ca-file: cannot be read: No such file or directory\n"


def test_R07_without_a_ca_file_the_error_names_the_variable() -> None:
    finished = run(
        "--web.listen-address", "127.0.0.1:0", "--trust-env", "--log.level", "error",
        variables={"SSL_CERT_FILE": "no-such-file.pem"},
    )  # fmt: skip
    assert (finished.code, finished.stdout) == (1, "")
    assert finished.stderr == "livepeer-session-exporter: SSL_CERT_FILE: cannot be read: No such file or directory\n"


def test_R08_invalid_settings_are_code_2_with_every_error_and_without_the_key() -> None:
    finished = run(
        "--poll-interval", "soon", "--max-series", "-1", "--base-url", f"http://{KEY}@127.0.0.1/api",
        variables={"LIVEPEER_EXPORTER_API_KEY": f"{KEY}2"},
    )  # fmt: skip
    assert (finished.code, finished.stdout) == (2, "")
    lines = finished.stderr.splitlines()
    assert [line.partition(":")[0] for line in lines if line.startswith("--")] == [
        "--base-url",
        "--poll-interval",
        "--max-series",
    ]
    assert any(line.startswith("LIVEPEER_") for line in lines)
    assert MARK not in finished.stderr


@pytest.mark.parametrize("text", [f"issue_texts: !!bool {KEY}", 'page_limit: !!int ""'])
def test_R08_a_value_with_a_yaml_tag_is_an_error_like_any_other(tmp_path: Path, text: str) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(text)
    finished = run("--config.file", str(settings))
    assert (finished.code, finished.stdout) == (2, "")
    assert (
        finished.stderr == "--config.file: has a YAML tag (!) in line 1; remove it, and quote the value if it is text\n"
    )


@pytest.mark.parametrize(
    "variables",
    [{"SOURCE_REVISION": "\udcff\n"}, {"PROMETHEUS_MULTIPROC_DIR": "/nonexistent"}, {"prometheus_multiproc_dir": "/"}],
)
def test_R08_variables_of_other_programs_have_no_effect(base_url: str, variables: dict[str, str]) -> None:
    finished = run("once", "--base-url", base_url, "--log.level", "error", variables=variables)
    assert (finished.code, finished.stderr) == (0, "")
    assert f"{UP} 1" in finished.stdout


@pytest.mark.parametrize("command", ["serve", "check", "once"])
@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"ALL_PROXY": "socks5://127.0.0.1:1"}, 2),
        ({"HTTPS_PROXY": f"foo://{KEY}:pw@x:1"}, 2),
        ({"HTTPS_PROXY": f"http://{KEY}:pw@x:1", "NO_PROXY": "http://[::1"}, 1),
    ],
)
def test_R08_an_unusable_proxy_is_an_error_that_does_not_contain_it(
    command: str, variables: dict[str, str], code: int
) -> None:
    finished = run(
        command, "--trust-env", "--web.listen-address", "127.0.0.1:0", "--log.level", "error", variables=variables
    )
    assert finished.code == code
    assert "prox" in f"{finished.stderr}{finished.stdout}".lower()
    assert "raceback" not in finished.stderr
    assert "pw@" not in f"{finished.stderr}{finished.stdout}"
