"""The variable SSLKEYLOGFILE, which exposes the traffic of a TLS connection to the readers of a file."""

from pathlib import Path

import pytest

from tests.server.certificates import Authority
from tests.support.running import run

pytestmark = pytest.mark.process

ONCE = ("once", "--base-url", "https://127.0.0.1:9/api", "--log.level", "error")


@pytest.mark.parametrize("ca_file", [False, True])
def test_V13_the_key_log_file_is_written_only_with_trust_env(tmp_path: Path, ca_file: bool) -> None:
    arguments = (*ONCE, "--ca-file", str(Authority(tmp_path).file)) if ca_file else ONCE
    key_log = tmp_path / "keys"
    run(*arguments, variables={"SSLKEYLOGFILE": str(key_log)})
    assert not key_log.exists()
    run(*arguments, "--trust-env", variables={"SSLKEYLOGFILE": str(key_log)})
    assert key_log.exists()


def test_V13_a_key_log_file_that_cannot_be_written_is_an_error_only_with_trust_env(tmp_path: Path) -> None:
    variables = {"SSLKEYLOGFILE": str(tmp_path / "missing" / "keys")}
    assert "SSLKEYLOGFILE" not in run(*ONCE, variables=variables).stderr
    said = run(*ONCE, "--trust-env", variables=variables)
    assert (said.code, said.stderr) == (
        1,
        "livepeer-session-exporter: cannot write the file that SSLKEYLOGFILE names: No such file or directory\n",
    )
