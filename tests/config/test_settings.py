import traceback
from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import TypeVar

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from exporter.config import (
    Account,
    Address,
    LoadedSettings,
    Settings,
    SettingsError,
    describe_settings,
    load,
    normalize_api_key,
)

T = TypeVar("T")
SECRET = "canary-7f3a-secret"
NOTHING: Mapping[str, str] = {}


def problems(arguments: Mapping[str, str | bool] = {}, environ: Mapping[str, str] = NOTHING) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(arguments, environ)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None  # no library's error, with values in it, travels along
    return caught.value.problems


def settings_or_problems(arguments: Mapping[str, str | bool]) -> Settings | tuple[str, ...]:
    try:
        return load(arguments, {}).settings
    except SettingsError as error:
        return error.problems


def result_or_message(read: Callable[[str], T], text: str) -> T | str:
    try:
        return read(text)
    except ValueError as error:
        return str(error)


def from_file(tmp_path: Path, text: str, environ: Mapping[str, str] = NOTHING) -> LoadedSettings:
    path = tmp_path / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return load({"config_file": str(path)}, environ)


def file_problems(tmp_path: Path, text: str | bytes, environ: Mapping[str, str] = NOTHING) -> tuple[str, ...]:
    path = tmp_path / "settings.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return problems({"config_file": str(path)}, environ)


# Where values come from


def test_without_any_source_every_setting_has_its_default() -> None:
    loaded = load({}, {})
    assert loaded.settings == Settings()
    assert set(loaded.sources.values()) == {"default"}
    assert loaded.warnings == ()


def test_a_flag_counts_before_a_variable_that_before_the_file_that_before_the_default(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("poll_interval: 11s\npage_limit: 11\nwalk_concurrency: 11\n")
    environ = {"LIVEPEER_EXPORTER_POLL_INTERVAL": "12s", "LIVEPEER_EXPORTER_PAGE_LIMIT": "12"}
    loaded = load({"config_file": str(path), "poll_interval": "13s"}, environ)
    settings = loaded.settings
    assert (settings.poll_interval, settings.page_limit, settings.walk_concurrency) == (13.0, 12, 11)
    assert [loaded.sources[name] for name in ("poll_interval", "page_limit", "walk_concurrency", "detail")] == [
        "flag",
        "environment",
        "file",
        "default",
    ]


def test_the_settings_file_may_be_named_by_a_variable(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("page_limit: 7")
    assert load({}, {"LIVEPEER_EXPORTER_CONFIG_FILE": str(path)}).settings.page_limit == 7


def test_the_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().page_limit = 3  # type: ignore[misc]


def test_every_setting_has_a_meaning_and_a_name_by_the_one_rule() -> None:
    for setting in describe_settings():
        assert setting.description
        assert setting.group
        if setting.flag:
            name = setting.flag.removeprefix("--").replace("-", "_").replace(".", "_")
            assert name == setting.name
            assert setting.variables == (f"LIVEPEER_EXPORTER_{name.upper()}",)
            assert setting.key in (name, None)


# Kinds of values


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("web_listen_address", ":9877", Address("", 9877)),
        ("web_listen_address", "[::]:0", Address("::", 0)),
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
def test_a_value_is_read(name: str, text: str, value: object) -> None:
    assert getattr(load({name: text}, {}).settings, name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(
            ("web_listen_address", text)
            for text in ("", "9877", "host", "::1:80", "[::1]", "a b:1", "x:65536", "1.2.3:1")
        ),
        *(("web_listen_address", text) for text in ("[zz]:1", "x:-1", "http://x:1", "\u0661.1.1.1:1")),
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
def test_a_wrong_value_is_one_mistake_that_begins_with_the_variable(name: str, text: str) -> None:
    if text:
        variable = f"LIVEPEER_EXPORTER_{name.upper()}"
        (problem,) = problems({}, {variable: text})
        assert problem.startswith(f"{variable}: ")
    (problem,) = problems({name: text})
    assert problem.startswith("--")


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
def test_u22_a_base_url_with_more_than_an_address_is_refused_without_showing_it(url: str) -> None:
    (problem,) = problems({"base_url": url})
    assert problem.startswith("--base-url: must ")
    assert SECRET not in problem


@pytest.mark.parametrize("host", ["example.com", "10.0.0.1", "localhost.example.com", "127.1", "[::2]"])
def test_u21_plain_http_to_another_machine_needs_a_word_of_its_own(host: str) -> None:
    url = f"http://{host}/api"
    (problem,) = problems({"base_url": url})
    assert "plain http" in problem
    assert host not in problem
    assert load({"base_url": url, "allow_insecure_http": True}, {}).settings.base_url == url


@given(st.text())
def test_any_text_as_a_base_url_is_an_address_or_a_mistake_that_does_not_show_it(url: str) -> None:
    outcome = settings_or_problems({"base_url": url})
    if isinstance(outcome, Settings):
        assert outcome.base_url.startswith(("http://", "https://"))
    else:
        (problem,) = outcome
        assert len(url) < 8 or url not in problem


@given(st.text())
def test_any_text_as_an_address_is_read_or_refused_with_a_value_error(text: str) -> None:
    outcome = result_or_message(Address.parse, text)
    if isinstance(outcome, Address):
        assert Address.parse(str(outcome)) == outcome
    else:
        assert len(text) < 8 or text not in outcome


@pytest.mark.parametrize("host", ["a..b", ".a", "a.", "x" * 64, f"{'x' * 63}.{'x' * 64}", ".".join(["x" * 63] * 4)])
def test_R07_a_host_that_no_name_server_could_know_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="neither an IP address nor a host name"):
        Address.parse(f"{host}:9877")


@pytest.mark.parametrize("zone", ["\udcff", "\0", " ", "", "e th0"])
def test_R07_an_interface_that_no_system_could_have_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="no IPv6 address between its brackets"):
        Address.parse(f"[fe80::1%{zone}]:9877")


@given(st.sampled_from(["", "localhost", "a-b.c", "10.0.0.1", "::", "::1", "fe80::1%eth0"]), st.integers(0, 65_535))
def test_an_address_is_written_as_it_is_read(host: str, port: int) -> None:
    assert Address.parse(str(Address(host, port))) == Address(host, port)


def test_a_pod_name_of_a_stateful_set_is_a_shard_index() -> None:
    settings = load({"shard_index": "exporter-0-3", "shard_count": "4"}, {}).settings
    assert settings.shard_index == 3


def test_a_negative_shard_index_is_no_pod_name() -> None:
    (problem,) = problems({"shard_index": "-1"})
    assert problem == "--shard-index: must be a whole number from 0 to 1023"


# The environment


def test_an_empty_variable_counts_as_not_set() -> None:
    loaded = load(
        {}, {"LIVEPEER_EXPORTER_PAGE_LIMIT": "", "LIVEPEER_API_KEY": " \n", "LIVEPEER_EXPORTER_CONFIG_FILE": ""}
    )
    assert loaded.settings == Settings()
    assert set(loaded.sources.values()) == {"default"}


def test_a_list_that_is_set_but_empty_is_a_mistake() -> None:
    assert problems({}, {"LIVEPEER_EXPORTER_STREAM_IDS": ""}) == (
        "LIVEPEER_EXPORTER_STREAM_IDS: is set but empty; leave it out to see all streams",
    )


def test_a_misspelt_variable_is_a_warning_with_the_nearest_name_and_without_its_value() -> None:
    assert load({}, {"LIVEPEER_EXPORTER_POL_INTERVAL": SECRET}).warnings == (
        "LIVEPEER_EXPORTER_POL_INTERVAL: no setting has this variable; did you mean LIVEPEER_EXPORTER_POLL_INTERVAL?",
    )


def test_variables_of_other_programs_are_let_be() -> None:
    environ = {"PATH": "x", "LIVEPEER_OTHER": "x", "LIVEPEER_EXPORTERS": "x"}
    assert load({}, environ).warnings == ()


def test_the_variables_that_kubernetes_makes_for_a_service_are_let_be() -> None:
    tails = "SERVICE_HOST SERVICE_PORT SERVICE_PORT_METRICS PORT PORT_9877_TCP PORT_9877_TCP_ADDR PORT_9877_TCP_PROTO"
    assert load({}, {f"LIVEPEER_EXPORTER_{tail}": "x" for tail in tails.split()}).warnings == ()


# The key


@pytest.mark.parametrize("variable", ["LIVEPEER_API_KEY", "LIVEPEER_EXPORTER_API_KEY"])
def test_the_key_comes_from_either_variable_without_the_whitespace_around_it(variable: str) -> None:
    loaded = load({}, {variable: f" {SECRET}\r\n"})
    assert loaded.settings.api_key is not None
    assert loaded.settings.api_key.get_secret_value() == SECRET
    assert loaded.sources["api_key"] == "environment"
    assert SECRET not in repr(loaded)
    assert SECRET not in repr(loaded.settings.accounts)
    assert SECRET not in loaded.settings.model_dump_json()


def test_r08_two_sources_for_the_key_are_a_mistake_even_if_they_agree() -> None:
    (problem,) = problems({}, {"LIVEPEER_API_KEY": SECRET, "LIVEPEER_EXPORTER_API_KEY": SECRET})
    assert "more than one source for the key" in problem
    (problem,) = problems({"api_key_file": "key"}, {"LIVEPEER_API_KEY": SECRET})
    assert problem == "LIVEPEER_API_KEY: more than one source for the key: --api-key-file is set too"


@pytest.mark.parametrize(
    "key", [f"{SECRET} {SECRET}", f"{SECRET}\n{SECRET}", f"{SECRET}ü", f"{SECRET}\0", SECRET * 100]
)
def test_r08_a_key_that_cannot_be_one_is_refused_without_showing_it(key: str) -> None:
    (problem,) = problems({}, {"LIVEPEER_API_KEY": key})
    assert problem.startswith("LIVEPEER_API_KEY: is not an API key")
    assert SECRET not in problem


def test_r09_a_missing_key_is_no_mistake() -> None:
    (account,) = load({}, {}).settings.accounts
    assert account.api_key is None
    assert account.api_key_file is None


@given(st.text())
def test_any_text_is_a_key_of_printable_ascii_or_refused(text: str) -> None:
    outcome = result_or_message(normalize_api_key, text)
    if outcome.startswith("is not an API key"):
        assert len(text) < 8 or text.strip() not in outcome
    else:
        assert all("!" <= character <= "~" for character in outcome)
        assert outcome == text.strip()


@pytest.mark.parametrize("name", [setting.name for setting in describe_settings() if setting.flag])
def test_a_key_in_the_wrong_place_is_not_shown(name: str) -> None:
    with pytest.raises(SettingsError) as caught:  # a text with a space and a NUL is no value of any setting
        load({name: f"{SECRET} \x00"}, {})
    assert SECRET not in repr(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


# The settings file


def test_the_file_takes_native_numbers_switches_and_lists(tmp_path: Path) -> None:
    settings = from_file(
        tmp_path, "poll_interval: 15\nactive_window: 0.5\nissue_texts: off\nstream_ids: [a, b]\nmax_series: 5\n"
    ).settings
    assert (settings.poll_interval, settings.active_window, settings.issue_texts) == (15.0, 0.5, False)
    assert (settings.stream_ids, settings.max_series) == (("a", "b"), 5)


@pytest.mark.parametrize("text", ["", "# nothing\n", "page_limit:\n", "---\n", "api_key_file: null\n"])
def test_an_empty_file_and_an_empty_key_say_nothing(tmp_path: Path, text: str) -> None:
    settings = from_file(tmp_path, text).settings
    assert settings == Settings(config_file=settings.config_file)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("page_limitt: 3", "page_limitt (line 1 of the settings file): unknown setting; did you mean page_limit?"),
        ("\npage-limit: 3", "page-limit (line 2 of the settings file): unknown setting; did you mean page_limit?"),
        (
            f"api_key: {SECRET}",
            (
                "api_key (line 1 of the settings file): the key itself does not belong in this file; "
                "use api_key_file, or the environment for a single account"
            ),
        ),
        ("config_file: x", "config_file (line 1 of the settings file): is for the flag and the variable alone"),
        (f"{SECRET}: 3", "… (line 1 of the settings file): unknown setting"),
        ("3: 3", "3 (line 1 of the settings file): unknown setting"),
        ("page_limit: true", "page_limit (line 1 of the settings file): must be a whole number from 1 to 1000"),
        ("page_limit: {a: 1}", "page_limit (line 1 of the settings file): must be a whole number from 1 to 1000"),
        ("poll_interval: .nan", "poll_interval (line 1 of the settings file): must be a duration from 1s to 1y"),
        ("poll_interval: yes", "poll_interval (line 1 of the settings file): must be a duration from 1s to 1y"),
        ("detail: [session]", "detail (line 1 of the settings file): must be 'session', 'stream' or 'account'"),
        (
            "stream_ids: []",
            "stream_ids (line 1 of the settings file): is set but empty; leave it out to see all streams",
        ),
        ("stream_ids:", "stream_ids (line 1 of the settings file): is set but empty; leave it out to see all streams"),
        (
            "stream_ids: [1]",
            (
                "stream_ids (line 1 of the settings file): must be a list of stream ids, "
                "in quotes if YAML takes one for a number"
            ),
        ),
        ("page_limit: 1\npage_limit: 2", "--config.file: has a duplicate key in line 2"),
        (f"- {SECRET}", "--config.file: must be a mapping, with lines such as key: value"),
        (SECRET, "--config.file: must be a mapping, with lines such as key: value"),
        (f"a: [\n{SECRET}", "--config.file: is not valid YAML (line 2)"),
        (
            f"a: 1\nb: !!python/name:{SECRET} x",
            "--config.file: has a YAML tag (!) in line 2; remove it, and quote the value if it is text",
        ),
        (f"a: *{SECRET}", "--config.file: is not valid YAML (line 1)"),
        ("page_limit: " + "9" * 5000, "--config.file: is not valid YAML"),
        (b"\xff\xfe\xff", "--config.file: is not valid YAML"),
        ("a\x00: 1", "--config.file: is not valid YAML"),
        ("[" * 20_000, "--config.file: is nested too deeply"),
        ("#" * 2_000_000, "--config.file: is larger than 1 MiB"),
    ],
    ids=lambda value: None if len(value) < 50 else "long",
)
def test_a_mistake_in_the_file_is_told_with_its_line_and_without_its_value(
    tmp_path: Path, text: str | bytes, problem: str
) -> None:
    assert file_problems(tmp_path, text) == (problem,)


@pytest.mark.parametrize("value", [f"!!bool {SECRET}", '!!int ""', '!!float ""', f"!!timestamp {SECRET}", "! 3"])
@pytest.mark.parametrize("place", ["issue_texts: {}", "- {}", "{}: 1", "accounts: [{{name: {}}}]"])
def test_R08_a_tag_is_refused_whether_or_not_it_fits_its_value(tmp_path: Path, place: str, value: str) -> None:
    assert file_problems(tmp_path, "\n" + place.format(value)) == (
        "--config.file: has a YAML tag (!) in line 2; remove it, and quote the value if it is text",
    )


@given(
    st.sampled_from(["bool", "int", "float", "timestamp", "binary", "null", "set", "omap", "pairs", "value", "merge"]),
    st.sampled_from(["", "x", "[]", "{}", "[1]", "'", "0b", ":"]) | st.text(max_size=5),
)
def test_R08_no_error_of_the_yaml_library_gets_out(
    tmp_path_factory: pytest.TempPathFactory, tag: str, text: str
) -> None:
    path = tmp_path_factory.mktemp("tagged") / "settings.yaml"
    for written in (f"issue_texts: !!{tag} {text}", f"issue_texts: {text}"):
        path.write_bytes(written.encode("utf-8", "surrogatepass"))
        assert settings_or_problems({"config_file": str(path)})


@pytest.mark.parametrize("name", ["api_key_file", "ca_file", "web_config_file"])
@pytest.mark.parametrize("path", [r"\uD800", r"\0", ""])
def test_R08_a_path_that_no_file_can_have_is_refused(tmp_path: Path, name: str, path: str) -> None:
    (problem,) = file_problems(tmp_path, f'{name}: "{path}"')
    assert problem == f"{name} (line 1 of the settings file): must be the path of a file"


def test_R08_a_settings_file_with_a_name_that_no_file_can_have_is_refused() -> None:
    assert "--config.file: cannot be read: invalid file name" in problems({"config_file": "\ud800"})


# The proxy


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize(
    "value",
    [
        "socks5://127.0.0.1:1",
        f"foo://{SECRET}:pw@x:1",
        "http://[::1",
        "http://",
        "http://proxy:70000",
        "http://proxy:0",
        "http://pro xy",
        f"http://{SECRET}@",
    ],
)
def test_R08_a_proxy_that_cannot_be_used_is_refused_by_its_variable_and_not_shown(variable: str, value: str) -> None:
    assert problems({"trust_env": True}, {variable: value}) == (
        f"{variable}: must be the address of a proxy such as http://proxy:3128, with http or https",
    )


@pytest.mark.parametrize("value", ["", "proxy:3128", "http://proxy", "https://user:word@[::1]:3128/"])
def test_a_proxy_that_can_be_used_is_let_be(value: str) -> None:
    assert load({"trust_env": True}, {"HTTPS_PROXY": value}).settings.trust_env


def test_a_proxy_that_is_not_obeyed_is_not_looked_at() -> None:
    assert not load({}, {"ALL_PROXY": "socks5://127.0.0.1:1"}).settings.trust_env


# The settings file, in bulk


def test_a_few_bytes_of_yaml_that_unfold_without_end_are_read_in_no_time(tmp_path: Path) -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(24)
    )
    assert len(file_problems(tmp_path, bomb)) == 25


@pytest.mark.parametrize("name", ["absent.yaml", "."])
def test_a_file_that_cannot_be_read_is_a_mistake_that_says_why(tmp_path: Path, name: str) -> None:
    (problem,) = problems({}, {"LIVEPEER_EXPORTER_CONFIG_FILE": str(tmp_path / name)})
    assert problem.startswith("LIVEPEER_EXPORTER_CONFIG_FILE: cannot be read: ")
    assert str(tmp_path) not in problem


@given(
    st.dictionaries(
        st.sampled_from([setting.key for setting in describe_settings() if setting.key]) | st.text(max_size=5),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
            max_leaves=6,
        ),
        max_size=4,
    )
)
def test_any_file_gives_settings_or_mistakes(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, object]
) -> None:
    path = tmp_path_factory.mktemp("any") / "settings.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    outcome = settings_or_problems({"config_file": str(path)})
    if isinstance(outcome, Settings):
        assert outcome.accounts
    else:
        assert outcome
        assert all(": " in problem and "\n" not in problem for problem in outcome)


# What must hold together


def test_a_short_interval_alone_shortens_deadline_and_timeout() -> None:
    settings = load({"poll_interval": "6s"}, {}).settings
    assert (settings.poll_deadline, settings.request_timeout) == (5.0, 5.0)


def test_a_long_interval_alone_lengthens_the_staleness_limit() -> None:
    assert load({"poll_interval": "10m"}, {}).settings.max_staleness == 1200.0


def test_a_long_or_short_session_window_alone_takes_its_neighbours_along() -> None:
    assert load({"session_window": "1d"}, {}).settings.recording_window == 86_400.0
    assert load({"session_window": "1m"}, {}).settings.active_window == 60.0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            {"poll_interval": "10s", "poll_deadline": "10s"},
            "--poll-deadline: must be shorter than --poll-interval",
        ),
        ({"poll_deadline": "30s"}, "--poll-deadline: must be shorter than --poll-interval"),
        ({"request_timeout": "26s"}, "--request-timeout: must not be longer than --poll-deadline"),
        (
            {"max_staleness": "29s"},
            "--max-staleness: must not be shorter than --poll-interval, or good data would disappear",
        ),
        ({"active_window": "2h"}, "--active-window: must not be longer than --session-window"),
        ({"recording_window": "59m"}, "--recording-window: must not be shorter than --session-window"),
        ({"shard_index": "1"}, "--shard-index: must be less than --shard-count"),
        (
            {"web_health_listen_address": "0.0.0.0:9877"},
            "--web.health-listen-address: must not be the same as --web.listen-address",
        ),
    ],
)
def test_a_contradiction_names_both_settings(arguments: Mapping[str, str], problem: str) -> None:
    assert problems(arguments) == (problem,)


def test_r08_all_mistakes_are_listed_at_once_each_by_the_name_that_was_used(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("page_limitt: 3\nwalk_concurrency: 99\nactive_window: 2h\n")
    assert problems(
        {"config_file": str(path), "log_level": "loud", "shard_index": "4"},
        {"LIVEPEER_EXPORTER_POLL_INTERVAL": "soon"},
    ) == (
        "page_limitt (line 1 of the settings file): unknown setting; did you mean page_limit?",
        "--log.level: must be 'debug', 'info', 'warning' or 'error'",
        "LIVEPEER_EXPORTER_POLL_INTERVAL: not a duration such as 30s, 1500ms or 1h30m",
        "walk_concurrency (line 2 of the settings file): must be a whole number from 1 to 32",
        "active_window (line 3 of the settings file): must not be longer than --session-window",
        "--shard-index: must be less than --shard-count",
    )


def test_settings_made_in_python_are_checked_too() -> None:
    with pytest.raises(ValidationError, match="shard_index must be less than"):
        Settings(shard_index=2, shard_count=2)


# Accounts


def test_without_accounts_in_the_file_there_is_the_single_one() -> None:
    settings = load(
        {"account": "studio", "stream_ids": "a,b", "poll_interval": "6s", "detail": "stream"},
        {"LIVEPEER_API_KEY": SECRET},
    ).settings
    (account,) = settings.accounts
    assert account == Account(
        name="studio",
        base_url="https://livepeer.studio/api",
        api_key=settings.api_key,
        api_key_file=None,
        stream_ids=("a", "b"),
        poll_interval=6.0,
        poll_deadline=5.0,
        request_timeout=5.0,
        session_window=3600.0,
        recording_window=14_400.0,
        active_window=90.0,
        max_staleness=300.0,
        walk_concurrency=6,
        page_limit=1000,
        detail="stream",
    )
    with pytest.raises(FrozenInstanceError):
        account.name = "other"  # type: ignore[misc]


ACCOUNTS = """\
page_limit: 500
accounts:
  - {name: studio, api_key_file: keys/studio}
  - name: events
    api_key_file: keys/events
    base_url: http://localhost:8080/api/
    stream_ids: [a]
    poll_interval: 12s
    detail: account
  - {name: slow, api_key_file: keys/slow, poll_interval: 10m}
"""


def test_an_account_of_the_file_has_its_own_values_and_else_those_of_the_program(tmp_path: Path) -> None:
    studio, events, slow = from_file(tmp_path, ACCOUNTS).settings.accounts
    assert (studio.name, studio.api_key, studio.api_key_file) == ("studio", None, Path("keys/studio"))
    assert (studio.page_limit, studio.poll_interval, studio.detail) == (500, 30.0, "session")
    assert (events.base_url, events.stream_ids, events.detail) == ("http://localhost:8080/api", ("a",), "account")
    assert (events.poll_interval, events.poll_deadline, events.request_timeout) == (12.0, 10.0, 10.0)
    assert (slow.poll_deadline, slow.max_staleness) == (25.0, 1200.0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "accounts: []",
            "accounts (line 1 of the settings file): is set but empty; leave it out to poll a single account",
        ),
        (
            "accounts:",
            "accounts (line 1 of the settings file): is set but empty; leave it out to poll a single account",
        ),
        ("accounts: 3", "accounts (line 1 of the settings file): must be a list"),
        ("accounts:\n- x", "accounts[0]: must have keys of its own, such as name"),
        ("accounts:\n- name: a", "accounts[0].api_key_file: is missing"),
        (
            "accounts:\n- {name: a, api_key_file: k}\n- {name: a, api_key_file: k}",
            "accounts[1].name (line 3 of the settings file): is the name of another account too",
        ),
        (
            "accounts:\n- {name: a, api_key_file: k, nam: b}",
            "accounts[0].nam (line 2 of the settings file): unknown setting; did you mean name?",
        ),
        (
            f"accounts:\n- {{name: a, api_key_file: k, api_key: {SECRET}}}",
            (
                "accounts[0].api_key (line 2 of the settings file): the key itself does not belong in this file; "
                "use api_key_file, or the environment for a single account"
            ),
        ),
        (
            "accounts:\n- {name: a, api_key_file: k, base_url: 'http://example.com'}",
            (
                "accounts[0].base_url (line 2 of the settings file): is plain http to another machine; "
                "use https, or --allow-insecure-http if everybody may read the key"
            ),
        ),
        (
            "account: x\naccounts:\n- {name: a, api_key_file: k}",
            (
                "account (line 1 of the settings file): is for a single account; "
                "accounts (line 2 of the settings file) is set too"
            ),
        ),
    ],
)
def test_a_mistake_in_an_account_is_told_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    assert file_problems(tmp_path, text) == (problem,)


def test_accounts_and_a_key_for_a_single_one_are_a_mistake(tmp_path: Path) -> None:
    (problem,) = file_problems(tmp_path, ACCOUNTS, {"LIVEPEER_API_KEY": SECRET})
    assert problem.startswith("LIVEPEER_API_KEY: is for a single account; accounts (line 2")
