"""Loading: precedence of the sources, and all errors at once without values."""

import traceback
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import Settings, SettingsError, describe_settings, load
from tests.config.loads import SECRET, problems, settings_or_problems


def test_without_any_source_every_setting_has_its_default() -> None:
    loaded = load({}, {})
    assert loaded.settings == Settings()
    assert loaded.settings.model_fields_set == set()
    assert loaded.warnings == ()


def test_flags_override_variables_which_override_the_file_which_overrides_defaults(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("poll_interval: 11s\npage_limit: 11\nwalk_concurrency: 11\n")
    environ = {"LIVEPEER_EXPORTER_POLL_INTERVAL": "12s", "LIVEPEER_EXPORTER_PAGE_LIMIT": "12"}
    settings = load({"config_file": str(path), "poll_interval": "13s"}, environ).settings
    assert (settings.poll_interval, settings.page_limit, settings.walk_concurrency) == (13.0, 12, 11)
    assert settings.detail == Settings().detail


def test_R08_all_errors_are_reported_at_once_with_the_names_that_were_used(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("page_limitt: 3\nwalk_concurrency: 99\nactive_window: 2h\n")
    assert problems(
        {"config_file": str(path), "log_level": "loud", "shard_index": "4"},
        {"LIVEPEER_EXPORTER_POLL_INTERVAL": "soon"},
    ) == (
        "page_limitt (line 1 of the settings file): unknown setting; did you mean page_limit?",
        "--log.level: must be 'debug', 'info', 'warning' or 'error'",
        "LIVEPEER_EXPORTER_POLL_INTERVAL: must be a duration such as 30s, 1500ms or 1h30m",
        "walk_concurrency (line 2 of the settings file): must be an integer from 1 to 32",
        "active_window (line 3 of the settings file): must not be longer than --session-window",
        "--shard-index: must be less than --shard-count",
    )


@pytest.mark.parametrize("name", [setting.name for setting in describe_settings() if setting.flag])
def test_an_api_key_in_the_wrong_setting_is_not_shown(name: str) -> None:
    with pytest.raises(SettingsError) as caught:  # no setting accepts NUL
        load({name: f"{SECRET} \x00"}, {})
    assert SECRET not in repr(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("name", ["absent.yaml", "."])
def test_an_unreadable_settings_file_is_an_error_without_its_path(tmp_path: Path, name: str) -> None:
    (problem,) = problems({}, {"LIVEPEER_EXPORTER_CONFIG_FILE": str(tmp_path / name)})
    assert problem.startswith("LIVEPEER_EXPORTER_CONFIG_FILE: cannot be read: ")
    assert str(tmp_path) not in problem


def test_R08_an_invalid_path_of_the_settings_file_is_an_error() -> None:
    assert "--config.file: cannot be read: invalid file name" in problems({"config_file": "\ud800"})


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
def test_any_settings_file_is_accepted_or_rejected_with_one_line_messages(
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
