"""The certificate authorities of the API's certificate, and whether they have changed."""

import os
from pathlib import Path

import pytest

from exporter.config import Settings
from exporter.runtime.trust_store import create_ssl_context, load_trust_store
from tests.server.certificates import Authority, replace_file


def test_the_digest_changes_with_the_content_of_the_ca_file(tmp_path: Path) -> None:
    one, other = Authority(tmp_path, "one"), Authority(tmp_path, "other")
    settings = Settings(ca_file=str(one.file))
    before = load_trust_store(settings).digest
    assert load_trust_store(settings).digest == before
    replace_file(one.file, other.file.read_bytes())
    assert load_trust_store(settings).digest != before


def test_the_context_trusts_the_ca_file_only(tmp_path: Path) -> None:
    context = create_ssl_context(Settings(ca_file=str(Authority(tmp_path, "one").file)))
    assert len(context.get_ca_certs()) == 1


def test_no_authorities_are_loaded_if_no_account_uses_tls() -> None:
    assert create_ssl_context(Settings(base_url="http://127.0.0.1:1/api")).get_ca_certs() == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        ("not a certificate", "contains no valid PEM certificate"),
        ("", "contains no valid PEM certificate"),
    ],
)
@pytest.mark.parametrize("trust_env", [False, True])
def test_an_unusable_ca_file_is_an_error_without_the_path(
    tmp_path: Path, content: str | None, reason: str, trust_env: bool
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(OSError, match=f"^--ca-file: {reason}$"):
        load_trust_store(Settings(ca_file=str(file), trust_env=trust_env))


def test_V04_a_pipe_as_ca_file_is_rejected_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"^--ca-file: cannot be read: Not a regular file$"):
        load_trust_store(Settings(ca_file=str(tmp_path / "pipe")))
