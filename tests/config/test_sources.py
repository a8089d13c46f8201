"""Sources of settings: flags, environment variables and the settings file."""

from pathlib import Path

import pytest

from exporter.config import Settings, load
from tests.config.loads import SECRET, file_problems, load_file, problems


def test_the_settings_file_can_be_set_in_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("page_limit: 7")
    assert load({}, {"LIVEPEER_EXPORTER_CONFIG_FILE": str(path)}).settings.page_limit == 7


def test_an_empty_variable_counts_as_unset() -> None:
    environ = {"LIVEPEER_EXPORTER_PAGE_LIMIT": "", "LIVEPEER_API_KEY": " \n", "LIVEPEER_EXPORTER_CONFIG_FILE": ""}
    settings = load({}, environ).settings
    assert settings == Settings()
    assert settings.model_fields_set == set()


def test_an_empty_list_is_an_error() -> None:
    assert problems({}, {"LIVEPEER_EXPORTER_STREAM_IDS": ""}) == (
        "LIVEPEER_EXPORTER_STREAM_IDS: must not be empty; omit it to include all streams",
    )


def test_a_misspelt_variable_is_a_warning_with_a_suggestion_and_without_its_value() -> None:
    assert load({}, {"LIVEPEER_EXPORTER_POL_INTERVAL": SECRET}).warnings == (
        "LIVEPEER_EXPORTER_POL_INTERVAL: unknown environment variable; did you mean LIVEPEER_EXPORTER_POLL_INTERVAL?",
    )


def test_variables_of_other_programs_are_ignored() -> None:
    environ = {"PATH": "x", "LIVEPEER_OTHER": "x", "LIVEPEER_EXPORTERS": "x"}
    assert load({}, environ).warnings == ()


def test_the_variables_that_kubernetes_sets_for_a_service_are_ignored() -> None:
    tails = "SERVICE_HOST SERVICE_PORT SERVICE_PORT_METRICS PORT PORT_9877_TCP PORT_9877_TCP_ADDR PORT_9877_TCP_PROTO"
    assert load({}, {f"LIVEPEER_EXPORTER_{tail}": "x" for tail in tails.split()}).warnings == ()


@pytest.mark.parametrize("variable", ["LIVEPEER_API_KEY", "LIVEPEER_EXPORTER_API_KEY"])
def test_the_api_key_is_read_from_either_variable_without_surrounding_whitespace(variable: str) -> None:
    loaded = load({}, {variable: f" {SECRET}\r\n"})
    assert loaded.settings.api_key is not None
    assert loaded.settings.api_key.get_secret_value() == SECRET
    assert SECRET not in repr(loaded)
    assert SECRET not in repr(loaded.settings.accounts)
    assert SECRET not in loaded.settings.model_dump_json()


def test_R08_two_sources_of_the_api_key_are_an_error_even_if_they_agree() -> None:
    assert problems({}, {"LIVEPEER_API_KEY": SECRET, "LIVEPEER_EXPORTER_API_KEY": SECRET}) == (
        "LIVEPEER_API_KEY: conflicts with LIVEPEER_EXPORTER_API_KEY; set only one of them",
    )
    assert problems({"api_key_file": "key"}, {"LIVEPEER_API_KEY": SECRET}) == (
        "LIVEPEER_API_KEY: conflicts with --api-key-file; set only one of them",
    )


def test_R09_a_missing_api_key_is_not_an_error() -> None:
    (account,) = load({}, {}).settings.accounts
    assert account.api_key is None
    assert account.api_key_file is None


def test_the_settings_file_accepts_yaml_numbers_booleans_and_lists(tmp_path: Path) -> None:
    settings = load_file(
        tmp_path, "poll_interval: 15\nactive_window: 0.5\nissue_texts: off\nstream_ids: [a, b]\nmax_series: 5\n"
    ).settings
    assert (settings.poll_interval, settings.active_window, settings.issue_texts) == (15.0, 0.5, False)
    assert (settings.stream_ids, settings.max_series) == (("a", "b"), 5)


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null\n", "{}\n"])
def test_D05_a_settings_file_without_any_key_is_an_error(tmp_path: Path, text: str) -> None:
    assert file_problems(tmp_path, text) == ("--config.file: contains no settings",)


@pytest.mark.parametrize("text", ["page_limit:\n", "api_key_file: null\n"])
def test_a_key_without_a_value_sets_nothing(tmp_path: Path, text: str) -> None:
    settings = load_file(tmp_path, text).settings
    assert settings == Settings(config_file=settings.config_file)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("page_limitt: 3", "page_limitt (line 1 of the settings file): unknown setting; did you mean page_limit?"),
        ("\npage-limit: 3", "page-limit (line 2 of the settings file): unknown setting; did you mean page_limit?"),
        (
            f"api_key: {SECRET}",
            (
                "api_key (line 1 of the settings file): the settings file must not contain an API key; "
                "use api_key_file or an environment variable"
            ),
        ),
        (
            "config_file: x",
            "config_file (line 1 of the settings file): cannot be set here; use the flag or the environment variable",
        ),
        (f"{SECRET}: 3", "… (line 1 of the settings file): unknown setting"),
        ("3: 3", "3 (line 1 of the settings file): unknown setting"),
        ("page_limit: true", "page_limit (line 1 of the settings file): must be an integer from 1 to 1000"),
        ("page_limit: {a: 1}", "page_limit (line 1 of the settings file): must be an integer from 1 to 1000"),
        ("poll_interval: .nan", "poll_interval (line 1 of the settings file): must be a duration from 1s to 1y"),
        ("poll_interval: yes", "poll_interval (line 1 of the settings file): must be a duration from 1s to 1y"),
        ("detail: [session]", "detail (line 1 of the settings file): must be 'session', 'stream' or 'account'"),
        (
            "stream_ids: []",
            "stream_ids (line 1 of the settings file): must not be empty; omit it to include all streams",
        ),
        ("stream_ids:", "stream_ids (line 1 of the settings file): must not be empty; omit it to include all streams"),
        (
            "stream_ids: [1]",
            (
                "stream_ids (line 1 of the settings file): must be a list of stream IDs; "
                "quote those that YAML reads as numbers"
            ),
        ),
    ],
)
def test_an_error_in_the_settings_file_has_a_line_and_no_value(tmp_path: Path, text: str, problem: str) -> None:
    assert file_problems(tmp_path, text) == (problem,)
