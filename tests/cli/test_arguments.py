import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.cli.arguments import HelpRequested, Invocation, UsageError, parse
from exporter.config import describe_settings, load
from exporter.version import VERSION

SECRET = "canary-7f3a-secret"


def usage(*argv: str) -> str:
    with pytest.raises(UsageError) as caught:
        parse(argv)
    return str(caught.value)


def answer(*argv: str) -> str:
    with pytest.raises(HelpRequested) as caught:
        parse(argv)
    return caught.value.text


def test_without_a_command_it_serves() -> None:
    assert parse([]) == Invocation(command="serve", arguments={})


@pytest.mark.parametrize("command", ["serve", "demo", "check", "once", "metrics", "healthcheck"])
def test_a_command_is_recognised(command: str) -> None:
    assert parse([command]).command == command


def test_flags_may_stand_before_and_after_the_command() -> None:
    invocation = parse(["--poll-interval", "5s", "once", "--page-limit=3", "--no-issue-texts"])
    assert invocation.command == "once"
    assert invocation.arguments == {"poll_interval": "5s", "page_limit": "3", "issue_texts": False}


def test_the_last_of_two_equal_flags_counts() -> None:
    assert parse(["--account", "a", "check", "--account", "b"]).arguments == {"account": "b"}


def test_flags_that_are_not_given_are_not_there() -> None:
    assert parse(["check"]).arguments == {}


@pytest.mark.parametrize(
    "setting", [setting for setting in describe_settings() if setting.flag], ids=lambda each: each.name
)
def test_every_setting_with_a_flag_can_be_given(setting: object) -> None:
    flag, name, kind = (getattr(setting, part) for part in ("flag", "name", "kind"))
    if kind == "boolean":
        assert parse([flag]).arguments == {name: True}
        assert parse([flag.replace("--", "--no-", 1)]).arguments == {name: False}
    else:
        assert parse([flag, "x"]).arguments == {name: "x"}


def test_the_default_of_every_setting_can_be_given_as_a_flag() -> None:
    argv = [
        f"{setting.flag}={setting.default}"
        for setting in describe_settings()
        if setting.flag and setting.kind != "boolean" and setting.default not in ("none", "all")
    ]
    assert load(parse(argv).arguments, {}).settings == load({}, {}).settings


def test_commands_have_options_of_their_own() -> None:
    assert parse(["once"]).format == "text"
    assert parse(["once", "--format", "openmetrics"]).format == "openmetrics"
    assert parse(["metrics", "--json"]).as_json
    assert parse(["healthcheck", "--url", "http://127.0.0.1:1/livez"]).url == "http://127.0.0.1:1/livez"
    assert parse(["assets", "there"]).directory == "there"


def test_an_option_of_another_command_is_refused_by_name() -> None:
    assert usage("check", "--json") == "--json: not for check; see --help"
    assert usage("--json") == "--json: not for serving; see --help"


def test_assets_needs_a_directory() -> None:
    assert "DIR" in usage("assets")


def test_a_misspelt_flag_is_answered_with_the_nearest_one() -> None:
    assert usage("--poll-intervall", "3") == "--poll-intervall: unknown flag; did you mean --poll-interval?"


def test_R08_every_unknown_flag_is_named() -> None:
    lines = usage("--poll-intervall", "3", "--token=x", "check", "--nothing-known", "--nothing-known").splitlines()
    begins = ("--poll-intervall: unknown flag", "there is no flag for the API key", "--nothing-known: unknown flag")
    assert len(lines) == len(begins)
    assert all(line.startswith(begin) for line, begin in zip(lines, begins, strict=True))


def test_R08_every_option_of_another_command_is_named() -> None:
    lines = usage("check", "--json", "--url", "http://127.0.0.1:1/livez").splitlines()
    assert [line.partition(":")[0] for line in lines] == ["--json", "--url"]


def test_a_shortened_flag_is_not_guessed() -> None:
    assert usage("--poll-int", "3").startswith("--poll-int: unknown flag")


def test_a_flag_without_its_value_is_refused() -> None:
    assert usage("--account") == "--account: expected one argument"


def test_an_unknown_command_is_answered_with_the_known_ones() -> None:
    assert usage(SECRET).startswith("command: choose from 'serve', 'demo'")


@pytest.mark.parametrize("flag", ["--api-key", "--apikey", "--api_key", "--key", "--token", "--livepeer-api-key"])
def test_there_is_no_flag_for_the_key_and_trying_one_is_explained(flag: str) -> None:
    for argv in ([f"{flag}={SECRET}"], [flag, SECRET], ["check", flag, SECRET]):
        message = usage(*argv)
        assert message.startswith("there is no flag for the API key")
        assert "--api-key-file" in message
        assert SECRET not in message


@pytest.mark.parametrize(
    "argv",
    [
        [SECRET],
        ["check", SECRET],
        ["--", SECRET],
        [f"--{SECRET}"],
        [f"--unknown={SECRET}"],
        [f"--issue-texts={SECRET}"],
        [f"--json={SECRET}"],
        ["once", "--format", SECRET],
        ["metrics", f"--json={SECRET}"],
        [f"-h{SECRET}"],
        [f"-{SECRET}"],
    ],
)
def test_what_was_typed_is_not_repeated(argv: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        parse(argv)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_values_do_not_show_in_the_invocation() -> None:
    assert SECRET not in repr(parse(["--account", SECRET]))


WORDS = st.sampled_from(
    ["once", "check", "--", "-", "--format", "text", "--json", "--issue-texts", "--account", "-h", "--url", "--version"]
)


@given(st.lists(WORDS | st.text(max_size=6), max_size=5))
def test_any_command_line_is_an_invocation_an_answer_or_a_line_for_each_mistake(argv: list[str]) -> None:
    complaint = ""
    try:
        parse(argv)
    except HelpRequested as answered:
        assert answered.text.endswith("\n")  # noqa: PT017  # help and version are no errors
    except UsageError as error:
        complaint = str(error)
    assert len(complaint.splitlines()) <= len(argv) or argv == []
    assert len(set(complaint.splitlines())) == len(complaint.splitlines())


@pytest.mark.parametrize("argv", [["--version"], ["once", "--version"]])
def test_the_version_is_told(argv: list[str]) -> None:
    assert answer(*argv) == f"livepeer-session-exporter {VERSION}\n"


def test_the_help_names_every_flag_variable_command_and_exit_code() -> None:
    text = answer("--help")
    for setting in describe_settings():
        assert (setting.flag or "") in text
        assert all(variable in text for variable in setting.variables)
    for word in ("demo", "check", "once", "metrics", "healthcheck", "assets", "exit codes", "examples"):
        assert word in text


def test_the_help_of_a_command_shows_its_own_options() -> None:
    text = answer("once", "--help")
    assert "--format" in text
    assert "--poll-interval" in text
    assert "--json" not in text


def test_reading_the_command_line_loads_neither_client_nor_server() -> None:
    heavy = "{'httpx', 'starlette', 'uvicorn', 'apscheduler', 'prometheus_client'}"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, exporter.cli.arguments; print({heavy} & set(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout == "set()\n"
