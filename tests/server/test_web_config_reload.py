"""The web config file while the program runs: what changed is in force, what is bad changes nothing."""

import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.server.web_config import WebConfigError
from exporter.server.web_config_reload import LOOK_EVERY, WebConfigFile
from tests.server.certificates import Authority, encrypt, replace
from tests.support.logged import lines

HASH = "$2y$10$" + "abcdefghijklmnopqrstuO" + "0123456789012345678901234567890"
TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
STRICT = TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
USERS = f"basic_auth_users:\n  alice: {HASH}\n"


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds

    def wait_for_a_look(self) -> None:
        self.seconds += LOOK_EVERY


@dataclass
class Site:
    """A web config file with certificates beside it."""

    directory: Path
    clock: Clock
    authority: Authority

    def write(self, text: str) -> Path:
        path = self.directory / "web.yml"
        replace(path, text.encode())
        return path

    def open(self, text: str) -> WebConfigFile:
        return WebConfigFile(self.write(text), monotonic=self.clock)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    authority = Authority(tmp_path)
    authority.server()
    return Site(tmp_path, Clock(), authority)


def test_without_a_file_everything_is_plain_and_open(site: Site) -> None:
    file = WebConfigFile(None, monotonic=site.clock)
    file.use(file.read())
    site.clock.wait_for_a_look()
    assert file.context() is None
    assert file.config().users == {}


def test_a_bad_file_is_an_error_at_the_start(site: Site) -> None:
    with pytest.raises(WebConfigError):
        site.open("nonsense: 1\n")


def test_S10_a_changed_user_is_in_force_after_a_second(site: Site) -> None:
    file = site.open(USERS)
    site.write(USERS.replace("alice", "bob"))
    assert set(file.config().users) == {b"alice"}
    site.clock.wait_for_a_look()
    assert set(file.config().users) == {b"bob"}


def test_S10_a_changed_certificate_makes_a_new_context(site: Site) -> None:
    file = site.open(TLS)
    before = file.context()
    site.clock.wait_for_a_look()
    assert file.context() is before
    site.authority.server()
    site.clock.wait_for_a_look()
    assert file.context() is not before


def test_S10_a_symlink_that_is_swapped_is_a_change(site: Site) -> None:
    for version in ("one", "two"):
        (site.directory / version).mkdir()
        (site.directory / version / "web.yml").write_text(USERS.replace("alice", version), encoding="utf-8")
    link = site.directory / "link.yml"
    link.symlink_to(site.directory / "one" / "web.yml")
    file = WebConfigFile(link, monotonic=site.clock)
    link.unlink()
    link.symlink_to(site.directory / "two" / "web.yml")
    site.clock.wait_for_a_look()
    assert set(file.config().users) == {b"two"}


def test_S10_half_a_rotation_keeps_the_old_pair_and_the_other_half_brings_the_new_one(site: Site) -> None:
    file = site.open(TLS)
    before = file.context()
    old_cert = (site.directory / "server.pem").read_bytes()
    new_cert = site.authority.server()[0].read_bytes()
    replace(site.directory / "server.pem", old_cert)
    site.clock.wait_for_a_look()
    assert file.context() is before
    assert file.problem == "cert_file and key_file do not belong together"
    replace(site.directory / "server.pem", new_cert)
    site.clock.wait_for_a_look()
    assert file.context() is not before
    assert file.problem is None


def test_R04_a_bad_change_keeps_the_old_file_and_is_told_once(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    file = site.open(USERS)
    site.write("basic_auth_users:\n  alice: secret\n")
    for _ in range(3):
        site.clock.wait_for_a_look()
        assert set(file.config().users) == {b"alice"}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "basic_auth_users (line 2)" in str(lines(caplog))
    assert "secret" not in str(lines(caplog))
    assert file.problem is not None


@pytest.mark.parametrize("text", ["", "nonsense: 1\n", USERS])
def test_S10_a_new_certificate_is_taken_up_though_the_file_beside_it_is_not_to_be_used(site: Site, text: str) -> None:
    file = site.open(TLS)
    site.write(text)
    site.clock.wait_for_a_look()
    before = file.context()
    site.authority.server()
    site.clock.wait_for_a_look()
    assert file.context() is not before
    assert file.problem is not None


def test_S10_a_problem_is_told_once_though_a_certificate_changes_beside_it(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    file = site.open(TLS)
    site.write("nonsense: 1\n")
    site.authority.server()
    for _ in range(3):
        site.clock.wait_for_a_look()
        assert file.context() is not None
    assert [record.levelno for record in caplog.records if record.levelno > logging.INFO] == [logging.WARNING]


def test_S10_a_file_whose_certificates_come_later_is_in_force_once_they_are_there(site: Site) -> None:
    file = site.open(USERS)
    site.write(USERS + TLS.replace("server.", "later."))
    site.clock.wait_for_a_look()
    assert file.context() is None
    assert file.problem == "cert_file: cannot be read: No such file or directory"
    site.authority.server("later")
    site.clock.wait_for_a_look()
    assert file.context() is not None


def test_R04_what_was_read_is_in_force_when_it_is_used_and_not_before(site: Site) -> None:
    file = site.open(USERS)
    site.write("")
    reading = file.read()
    for _ in range(2):
        assert set(file.config().users) == {b"alice"}
        site.clock.wait_for_a_look()
    file.use(reading)
    assert not file.config().users


def test_R04_a_reload_says_what_is_wrong_and_keeps_the_old_file(site: Site) -> None:
    file = site.open(USERS)
    site.write("nonsense: 1\n")
    with pytest.raises(WebConfigError, match="unknown key"):
        file.read()
    assert set(file.config().users) == {b"alice"}


def test_R04_a_file_that_vanishes_changes_nothing(site: Site) -> None:
    file = site.open(USERS)
    site.write(USERS).unlink()
    site.clock.wait_for_a_look()
    assert set(file.config().users) == {b"alice"}
    site.write(USERS.replace("alice", "bob"))
    site.clock.wait_for_a_look()
    assert set(file.config().users) == {b"bob"}


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        (USERS, "", "all passwords"),
        (TLS + USERS, TLS, "all passwords"),
        (TLS + USERS, USERS, "TLS"),
        (STRICT, TLS, "the need for client certificates"),
        (STRICT, STRICT.replace("RequireAnd", "").replace("ClientCert", "ClientCertIfGiven"), "the need for client"),
    ],
)
def test_a_protection_is_not_lost_by_a_change_alone(site: Site, before: str, after: str, lost: str) -> None:
    file = site.open(before)
    config, context = file.config(), file.context()
    site.write(after)
    site.clock.wait_for_a_look()
    assert file.config() is config
    assert file.context() is context
    assert file.problem is not None
    assert f"it would take away {lost}" in file.problem


def test_a_protection_is_given_up_when_a_reload_asks_for_it(site: Site) -> None:
    file = site.open(TLS + USERS)
    site.write("")
    file.use(file.read())
    assert file.context() is None
    assert not file.config().users


def test_warnings_are_logged_when_the_file_is_read(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.open("http_server_config:\n  http2: true\n")
    assert "http2 is ignored" in str(lines(caplog))


def test_the_context_is_as_strict_as_the_file_says(site: Site) -> None:
    ciphers = "  cipher_suites: [ECDHE-ECDSA-AES128-GCM-SHA256]\n  prefer_server_cipher_suites: false\n"
    context = site.open(STRICT + ciphers).context()
    assert context is not None
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    of_1_2 = [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] == "TLSv1.2"]
    assert of_1_2 == ["ECDHE-ECDSA-AES128-GCM-SHA256"]
    assert not context.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert context.options & ssl.OP_NO_RENEGOTIATION


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("server.pem", None, "cert_file: cannot be read: No such file or directory"),
        ("server.key", None, "key_file: cannot be read: No such file or directory"),
        ("ca.pem", None, "client_ca_file: cannot be read: No such file or directory"),
        ("server.pem", b"junk", "cert_file or key_file: is not PEM, or not safe enough for OpenSSL"),
        ("ca.pem", b"junk", "client_ca_file: holds no certificate in PEM"),
        ("ca.pem", b"", "client_ca_file: holds no certificate in PEM"),
    ],
)
def test_a_bad_certificate_is_told_by_its_setting(site: Site, name: str, data: bytes | None, problem: str) -> None:
    path = site.directory / name
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(WebConfigError) as caught:
        site.open(STRICT)
    assert caught.value.problems == (problem,)


def test_an_encrypted_key_is_refused_without_asking_the_terminal(site: Site) -> None:
    encrypt(site.directory / "server.key")
    with pytest.raises(WebConfigError, match="is encrypted"):
        site.open(TLS)
