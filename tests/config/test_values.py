"""Values of settings: what is accepted, and that errors do not contain the value."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import Address, Settings, load, normalize_api_key
from tests.config.loads import SECRET, file_problems, load_file, problems, result_or_message, settings_or_problems


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("web_listen_address", ":9877", (Address("", 9877),)),
        ("web_listen_address", "[::]:0", (Address("::", 0),)),
        ("web_listen_address", "[::1]:1, localhost:1", (Address("::1", 1), Address("localhost", 1))),
        ("web_health_listen_address", "localhost:1", Address("localhost", 1)),
        ("web_telemetry_path", "/a/b-c", "/a/b-c"),
        ("log_level", "DEBUG", "debug"),
        ("poll_interval", "1m", 60.0),
        ("stream_ids", "b, a,b", ("b", "a")),
        ("base_url", "HTTP://LOCALHOST:80/api//", "http://localhost:80/api"),
        ("base_url", "http://[::1]:8080", "http://[::1]:8080"),
        ("base_url", "http://127.8.9.1/api", "http://127.8.9.1/api"),
        ("api_key_file", "a/key", Path("a/key")),
        ("account", "größer 1", "größer 1"),
        ("issue_texts", "no", False),
        ("max_series", "10", 10),
    ],
)
def test_a_value_is_parsed(name: str, text: str, value: object) -> None:
    assert getattr(load({name: text}, {}).settings, name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(
            ("web_listen_address", text)
            for text in ("", "9877", "host", "::1:80", "[::1]", "a b:1", "x:65536", "1.2.3:1")
        ),
        *(("web_listen_address", text) for text in ("[zz]:1", "x:-1", "http://x:1", "\u0661.1.1.1:1")),
        *(("web_listen_address", text) for text in (",", ":1,", ":1,:2,:1")),
        *(
            ("web_telemetry_path", text)
            for text in ("", "metrics", "/", "/livez", "/readyz", "/a//b", "/a/", "/../a", "/a b")
        ),
        *(("log_level", text) for text in ("", "loud")),
        *(("poll_interval", text) for text in ("", "0.5", "999ms", "-1s", "2y", "soon")),
        *(("active_window", text) for text in ("0", "0s")),
        *(("page_limit", text) for text in ("0", "1001", "1.5", "", "ten", "9" * 5000, "\u0661")),
        *(("walk_concurrency", text) for text in ("0", "33")),
        *(("max_series", text) for text in ("0", "-1")),
        *(("shard_count", text) for text in ("0", "1025")),
        *(("stream_ids", text) for text in ("", ",", "a,,b", "a b", "a;b")),
        *(("account", text) for text in ("", " x", "a\nb", "\u202e", "\ud800", "x" * 65)),
        *(("api_key_file", text) for text in ("", " ", "a\0b")),
        *(("issue_texts", text) for text in ("", "maybe", "2")),
        ("detail", "everything"),
    ],
)
def test_an_invalid_value_is_one_error_prefixed_with_the_name_of_the_setting(name: str, text: str) -> None:
    if text:
        variable = f"LIVEPEER_EXPORTER_{name.upper()}"
        (problem,) = problems({}, {variable: text})
        assert problem.startswith(f"{variable}: ")
    (problem,) = problems({name: text})
    assert problem.startswith("--")


def test_V15_the_settings_file_accepts_a_list_of_addresses(tmp_path: Path) -> None:
    settings = load_file(tmp_path, 'web_listen_address: [":0", "127.0.0.1:0", ":0"]').settings
    assert settings.web_listen_address == (Address("", 0), Address("127.0.0.1", 0), Address("", 0))
    assert file_problems(tmp_path, "web_listen_address: []") == (
        "web_listen_address (line 1 of the settings file): must be one or more addresses such as 0.0.0.0:9877",
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("12", "must be text; quote it if YAML reads it as a number or a date"),
        ("2026-01-01", "must be text; quote it if YAML reads it as a number or a date"),
        ('""', "must be 1 to 64 printable characters, without spaces at either end"),
        ('" x"', "must be 1 to 64 printable characters, without spaces at either end"),
    ],
)
def test_the_error_of_an_account_name_depends_on_the_value(tmp_path: Path, text: str, reason: str) -> None:
    assert file_problems(tmp_path, f"account: {text}") == (f"account (line 1 of the settings file): {reason}",)


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{SECRET}@livepeer.studio/api",
        f"https://{SECRET}@livepeer.studio/api",
        f"https://livepeer.studio/api?key={SECRET}",
        f"https://livepeer.studio/api#{SECRET}",
        "https://livepeer.studio/api?",
        f"ftp://livepeer.studio/{SECRET}",
        f"livepeer.studio/{SECRET}",
        f"https:///{SECRET}",
        f"https://[{SECRET}/",
        f"https://x:{SECRET}/",
        f"https://x/ {SECRET}",
        f"https://x\\{SECRET}",
        "https://x:0/",
    ],
)
def test_U22_a_base_url_with_credentials_or_query_is_rejected_without_showing_it(url: str) -> None:
    (problem,) = problems({"base_url": url})
    assert problem.startswith("--base-url: must ")
    assert SECRET not in problem


@given(st.text())
def test_any_text_as_a_base_url_is_accepted_or_rejected_without_being_repeated(url: str) -> None:
    outcome = settings_or_problems({"base_url": url})
    if isinstance(outcome, Settings):
        assert outcome.base_url.startswith(("http://", "https://"))
    else:
        (problem,) = outcome
        assert len(url) < 8 or url not in problem


def test_the_pod_name_of_a_stateful_set_is_a_shard_index() -> None:
    settings = load({"shard_index": "exporter-0-3", "shard_count": "4"}, {}).settings
    assert settings.shard_index == 3


def test_a_negative_shard_index_is_not_a_pod_name() -> None:
    (problem,) = problems({"shard_index": "-1"})
    assert problem == "--shard-index: must be an integer from 0 to 1023"


@pytest.mark.parametrize(
    "key", [f"{SECRET} {SECRET}", f"{SECRET}\n{SECRET}", f"{SECRET}ü", f"{SECRET}\0", SECRET * 100]
)
def test_R08_an_invalid_api_key_is_rejected_without_showing_it(key: str) -> None:
    (problem,) = problems({}, {"LIVEPEER_API_KEY": key})
    assert problem.startswith("LIVEPEER_API_KEY: is not an API key")
    assert SECRET not in problem


@given(st.text())
def test_any_text_is_normalized_to_an_api_key_or_rejected(text: str) -> None:
    outcome = result_or_message(normalize_api_key, text)
    if outcome.startswith("is not an API key"):
        # The same message for every text: it cannot contain one.
        assert outcome == "is not an API key; keys contain no spaces, line breaks or special characters"
    else:
        assert all("!" <= character <= "~" for character in outcome)
        assert outcome == text.strip()


@pytest.mark.parametrize("name", ["api_key_file", "ca_file", "web_config_file"])
@pytest.mark.parametrize("path", [r"\uD800", r"\0", ""])
def test_R08_an_invalid_file_path_is_rejected(tmp_path: Path, name: str, path: str) -> None:
    (problem,) = file_problems(tmp_path, f'{name}: "{path}"')
    assert problem == f"{name} (line 1 of the settings file): must be a file path"
