"""Reload of the web config file and its certificates while the program runs."""

import logging
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.server.web_config import RateLimit, WebConfigError
from exporter.server.web_config_reload import CHECK_INTERVAL, WebConfigFile
from tests.server.certificates import Authority, replace_file
from tests.support.logged import lines

HASH = "$2y$10$" + "abcdefghijklmnopqrstuO" + "0123456789012345678901234567890"
TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
STRICT = TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
SANS = "  client_allowed_sans: [scraper.example.org]\n"
USERS = f"basic_auth_users:\n  alice: {HASH}\n"


@dataclass
class Clock:
    """Monotonic clock that a test sets."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds

    def advance_to_next_check(self) -> None:
        self.seconds += CHECK_INTERVAL


@dataclass
class Workspace:
    """A web config file with its certificates in one directory."""

    directory: Path
    clock: Clock
    authority: Authority

    def write(self, text: str) -> Path:
        path = self.directory / "web.yml"
        replace_file(path, text.encode())
        return path

    def open(self, text: str) -> WebConfigFile:
        return WebConfigFile(self.write(text), monotonic=self.clock)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    authority = Authority(tmp_path)
    authority.issue_server()
    return Workspace(tmp_path, Clock(), authority)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Reasons of the warnings since the last call."""
    assert all(record.levelno <= logging.WARNING for record in caplog.records)
    reasons = [fields["reason"] for level, _message, fields in lines(caplog) if level == "WARNING"]
    caplog.clear()
    return reasons


def test_without_a_file_the_server_is_plain_and_open(workspace: Workspace) -> None:
    file = WebConfigFile(None, monotonic=workspace.clock)
    file.apply(file.load())
    workspace.clock.advance_to_next_check()
    assert file.context() is None
    assert file.config().users == {}


def test_errors_and_logs_name_the_setting(workspace: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(WebConfigError, match=r"^--webhook-config-file: cannot be read: No such file or directory$"):
        WebConfigFile(workspace.directory / "missing", flag="--webhook-config-file")
    file = WebConfigFile(workspace.write(""), flag="--webhook-config-file", monotonic=workspace.clock)
    workspace.write("unknown: 1\n")
    workspace.clock.advance_to_next_check()
    file.config()
    assert [fields["setting"] for _level, _message, fields in lines(caplog)] == ["--webhook-config-file"]


def test_an_invalid_file_is_an_error_at_startup(workspace: Workspace) -> None:
    with pytest.raises(WebConfigError):
        workspace.open("nonsense: 1\n")


def test_S10_a_changed_user_takes_effect_at_the_next_check(workspace: Workspace) -> None:
    file = workspace.open(USERS)
    workspace.write(USERS.replace("alice", "bob"))
    assert set(file.config().users) == {b"alice"}
    workspace.clock.advance_to_next_check()
    assert set(file.config().users) == {b"bob"}


def test_S10_a_changed_certificate_creates_a_new_context(workspace: Workspace) -> None:
    file = workspace.open(TLS)
    before = file.context()
    workspace.clock.advance_to_next_check()
    assert file.context() is before
    workspace.authority.issue_server()
    workspace.clock.advance_to_next_check()
    assert file.context() is not before


def test_S10_a_replaced_symlink_is_a_change(workspace: Workspace) -> None:
    for version in ("one", "two"):
        (workspace.directory / version).mkdir()
        (workspace.directory / version / "web.yml").write_text(USERS.replace("alice", version), encoding="utf-8")
    link = workspace.directory / "link.yml"
    link.symlink_to(workspace.directory / "one" / "web.yml")
    file = WebConfigFile(link, monotonic=workspace.clock)
    link.unlink()
    link.symlink_to(workspace.directory / "two" / "web.yml")
    workspace.clock.advance_to_next_check()
    assert set(file.config().users) == {b"two"}


def test_S10_a_half_rotated_certificate_keeps_the_old_pair_until_the_other_half_arrives(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    file = workspace.open(TLS)
    before = file.context()
    old_cert = (workspace.directory / "server.pem").read_bytes()
    new_cert = workspace.authority.issue_server()[0].read_bytes()
    replace_file(workspace.directory / "server.pem", old_cert)
    workspace.clock.advance_to_next_check()
    assert file.context() is before
    assert warnings(caplog) == ["cert_file and key_file do not match"]
    replace_file(workspace.directory / "server.pem", new_cert)
    workspace.clock.advance_to_next_check()
    assert file.context() is not before
    assert warnings(caplog) == []


def test_R04_an_invalid_change_keeps_the_previous_configuration_and_is_logged_once(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    file = workspace.open(USERS)
    workspace.write("basic_auth_users:\n  alice: secret\n")
    for _ in range(3):
        workspace.clock.advance_to_next_check()
        assert set(file.config().users) == {b"alice"}
    assert "secret" not in str(lines(caplog))
    (reason,) = warnings(caplog)
    assert reason.startswith("basic_auth_users (line 2)")


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "would turn off TLS"), ("nonsense: 1\n", "unknown key"), (USERS, "would turn off TLS")],
)
def test_S10_a_new_certificate_is_loaded_although_the_web_config_file_cannot_be_used(
    workspace: Workspace, caplog: pytest.LogCaptureFixture, text: str, reason: str
) -> None:
    file = workspace.open(TLS)
    workspace.write(text)
    workspace.clock.advance_to_next_check()
    before = file.context()
    workspace.authority.issue_server()
    workspace.clock.advance_to_next_check()
    assert file.context() is not before
    assert [reason in warning for warning in warnings(caplog)] == [True, True]


def test_S10_an_invalid_file_is_logged_once_although_a_certificate_changes_with_it(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    file = workspace.open(TLS)
    workspace.write("nonsense: 1\n")
    workspace.authority.issue_server()
    for _ in range(3):
        workspace.clock.advance_to_next_check()
        assert file.context() is not None
    assert len(warnings(caplog)) == 1


def test_S10_a_file_takes_effect_once_its_missing_certificates_exist(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    file = workspace.open(USERS)
    workspace.write(USERS + TLS.replace("server.", "later."))
    workspace.clock.advance_to_next_check()
    assert file.context() is None
    assert warnings(caplog) == ["cert_file: cannot be read: No such file or directory"]
    workspace.authority.issue_server("later")
    workspace.clock.advance_to_next_check()
    assert file.context() is not None


def test_R04_a_loaded_configuration_takes_effect_only_when_it_is_applied(workspace: Workspace) -> None:
    file = workspace.open(USERS)
    workspace.write("")
    loaded = file.load()
    for _ in range(2):
        assert set(file.config().users) == {b"alice"}
        workspace.clock.advance_to_next_check()
    file.apply(loaded)
    assert not file.config().users


def test_R04_an_explicit_reload_of_an_invalid_file_raises_and_keeps_the_previous_configuration(
    workspace: Workspace,
) -> None:
    file = workspace.open(USERS)
    workspace.write("nonsense: 1\n")
    with pytest.raises(WebConfigError, match="unknown key"):
        file.load()
    assert set(file.config().users) == {b"alice"}


def test_R04_a_removed_file_keeps_the_previous_configuration(workspace: Workspace) -> None:
    file = workspace.open(USERS)
    workspace.write(USERS).unlink()
    workspace.clock.advance_to_next_check()
    assert set(file.config().users) == {b"alice"}
    workspace.write(USERS.replace("alice", "bob"))
    workspace.clock.advance_to_next_check()
    assert set(file.config().users) == {b"bob"}


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        (USERS, "", "basic authentication"),
        (TLS + USERS, TLS, "basic authentication"),
        (TLS + USERS, USERS, "TLS"),
        (STRICT, TLS, "the client certificate requirement"),
        (STRICT + SANS, STRICT, "the check of the names of client certificates"),
        (
            STRICT + SANS,
            STRICT.replace("  client_ca_file: ca.pem\n", "") + SANS,
            "the restriction to a CA for client certificates",
        ),
        (
            STRICT,
            STRICT.replace("RequireAnd", "").replace("ClientCert", "ClientCertIfGiven"),
            "the client certificate requirement",
        ),
    ],
)
def test_a_changed_file_alone_does_not_turn_off_a_protection(
    workspace: Workspace, caplog: pytest.LogCaptureFixture, before: str, after: str, lost: str
) -> None:
    file = workspace.open(before)
    config, context = file.config(), file.context()
    workspace.write(after)
    workspace.clock.advance_to_next_check()
    assert file.config() is config
    assert file.context() is context
    assert warnings(caplog) == [f"would turn off {lost}; send SIGHUP or restart to apply it"]


@pytest.mark.parametrize(
    "invalid",
    [
        "  cipher_suites: [INVENTED]\n",
        "  curve_preferences: [INVENTED]\n",
        "  client_allowed_sans: []\n",
        "rate_limit: 1\n",
    ],
)
def test_V14_an_invalid_option_keeps_the_previous_configuration(workspace: Workspace, invalid: str) -> None:
    file = workspace.open(STRICT + SANS + "rate_limit: {interval: 1s, burst: 2}\n")
    config, context = file.config(), file.context()
    workspace.write(STRICT + invalid)
    workspace.clock.advance_to_next_check()
    assert file.config() is config
    assert file.context() is context


def test_V14_changed_pem_texts_and_rate_limits_are_reloaded(workspace: Workspace) -> None:
    def text(interval: str) -> str:
        cert, key = (
            (workspace.directory / name).read_text().replace("\n", "\n    ") for name in ("server.pem", "server.key")
        )
        tls = f"tls_server_config:\n  cert: |\n    {cert}\n  key: |\n    {key}\n"
        return f"{tls}rate_limit: {{interval: {interval}, burst: 2}}\n"

    file = workspace.open(text("1s"))
    before = file.context()
    workspace.authority.issue_server()
    workspace.write(text("2s"))
    workspace.clock.advance_to_next_check()
    assert file.context() not in (before, None)
    assert file.config().rate_limit == RateLimit(2, 2)


def test_an_explicit_reload_turns_off_a_protection(workspace: Workspace) -> None:
    file = workspace.open(TLS + USERS)
    workspace.write("")
    file.apply(file.load())
    assert file.context() is None
    assert not file.config().users


def test_warnings_about_the_file_are_logged_when_it_is_applied(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    workspace.open(TLS + "  client_auth_type: RequireAndVerifyClientCert\n")
    (reason,) = warnings(caplog)
    assert reason.startswith("client_auth_type without client_ca_file accepts client certificates of every authority")
