"""The command line: commands, flags, help and errors."""

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


def requested_text(*argv: str) -> str:
    with pytest.raises(HelpRequested) as caught:
        parse(argv)
    return caught.value.text


def test_the_default_command_is_serve() -> None:
    assert parse([]) == Invocation(command="serve", arguments={})


@pytest.mark.parametrize("command", ["serve", "demo", "check", "once", "metrics", "healthcheck"])
def test_a_command_is_recognised(command: str) -> None:
    assert parse([command]).command == command


def test_flags_may_precede_and_follow_the_command() -> None:
    invocation = parse(["--poll-interval", "5s", "once", "--page-limit=3", "--no-issue-texts"])
    assert invocation.command == "once"
    assert invocation.arguments == {"poll_interval": "5s", "page_limit": "3", "issue_texts": False}


def test_of_a_repeated_flag_the_last_value_is_used() -> None:
    assert parse(["--account", "a", "check", "--account", "b"]).arguments == {"account": "b"}


@pytest.mark.parametrize("name", ["web_listen_address", "stream_ids"])
def test_V15_the_values_of_a_repeated_flag_of_a_list_are_joined(name: str) -> None:
    flag = {"web_listen_address": "--web.listen-address", "stream_ids": "--stream-ids"}[name]
    assert parse([flag, "a", f"{flag}=b,c", "check", flag, "d"]).arguments == {name: "a,b,c,d"}


def test_flags_that_are_not_given_are_omitted() -> None:
    assert parse(["check"]).arguments == {}


@pytest.mark.parametrize(
    "setting", [setting for setting in describe_settings() if setting.flag], ids=lambda each: each.name
)
def test_every_setting_with_a_flag_is_parsed(setting: object) -> None:
    flag, name, kind = (getattr(setting, part) for part in ("flag", "name", "kind"))
    if kind == "boolean":
        assert parse([flag]).arguments == {name: True}
        assert parse([flag.replace("--", "--no-", 1)]).arguments == {name: False}
    else:
        assert parse([flag, "x"]).arguments == {name: "x"}


def test_the_listed_default_of_every_flag_is_its_default() -> None:
    argv = [
        f"{setting.flag}={setting.default}"
        for setting in describe_settings()
        if setting.flag and setting.kind != "boolean" and setting.default not in ("none", "all")
    ]
    assert load(parse(argv).arguments, {}).settings == load({}, {}).settings


def test_commands_have_their_own_flags() -> None:
    assert parse(["once"]).format == "text"
    assert parse(["once", "--format", "openmetrics"]).format == "openmetrics"
    assert parse(["metrics", "--json"]).as_json
    assert parse(["healthcheck", "--url", "http://127.0.0.1:1/livez"]).url == "http://127.0.0.1:1/livez"
    written = parse(["assets", "there", "--grafana-url", "https://a.test", "--runbook-url", "https://b.test"])
    assert (written.directory, written.overwrite) == ("there", False)
    assert (written.grafana_url, written.runbook_url) == ("https://a.test", "https://b.test")
    assert parse(["assets", "--overwrite", "there"]).overwrite


def test_a_flag_of_another_command_is_rejected_by_name() -> None:
    assert usage("check", "--json") == "--json: not a flag of check; see 'livepeer-session-exporter check --help'"
    assert usage("--json") == "--json: not a flag of serve; see 'livepeer-session-exporter serve --help'"


def test_assets_requires_a_directory() -> None:
    expected = "the following arguments are required: DIR; see 'livepeer-session-exporter assets --help'"
    assert usage("assets") == expected


def test_the_short_help_flag_takes_no_value() -> None:
    assert usage("-hx", "check") == "-h: takes no value"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["demo", "extra"], "demo takes no arguments: 'extra'"),
        (["assets", "there", "extra"], "assets takes one argument: 'extra'"),
        (["check", SECRET], "check takes no arguments: '…'"),
    ],
)
def test_an_unexpected_argument_is_rejected(argv: list[str], message: str) -> None:
    assert usage(*argv) == message


def test_a_misspelt_flag_is_rejected_with_the_most_similar_one() -> None:
    assert usage("--poll-intervall", "3") == "--poll-intervall: unknown flag; did you mean --poll-interval?"


def test_R08_every_unknown_flag_is_reported() -> None:
    lines = usage("--poll-intervall", "3", "--token=x", "check", "--nothing-known", "--nothing-known").splitlines()
    begins = ("--poll-intervall: unknown flag", "there is no flag for the API key", "--nothing-known: unknown flag")
    assert len(lines) == len(begins)
    assert all(line.startswith(begin) for line, begin in zip(lines, begins, strict=True))


def test_R08_every_flag_of_another_command_is_reported() -> None:
    lines = usage("check", "--json", "--url", "http://127.0.0.1:1/livez").splitlines()
    assert [line.partition(":")[0] for line in lines] == ["--json", "--url"]


def test_an_abbreviated_flag_is_unknown() -> None:
    assert usage("--poll-int", "3").startswith("--poll-int: unknown flag")


def test_a_flag_without_its_value_is_rejected() -> None:
    assert usage("--account") == "--account: expected one argument"


def test_an_unknown_command_is_rejected_with_the_list_of_commands() -> None:
    assert usage(SECRET).startswith("unknown command; choose from serve, demo")


@pytest.mark.parametrize("flag", ["--api-key", "--apikey", "--api_key", "--key", "--token", "--livepeer-api-key"])
def test_a_flag_for_the_api_key_is_rejected_with_the_alternatives(flag: str) -> None:
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
def test_a_typed_key_is_not_repeated(argv: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        parse(argv)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_repr_of_an_invocation_has_no_values() -> None:
    assert SECRET not in repr(parse(["--account", SECRET]))


WORDS = st.sampled_from(
    ["once", "check", "--", "-", "--format", "text", "--json", "--issue-texts", "--account", "-h", "--url", "--version"]
)


@given(st.lists(WORDS | st.text(max_size=6), max_size=5))
def test_any_command_line_is_parsed_or_rejected_with_distinct_lines(argv: list[str]) -> None:
    message = ""
    try:
        parse(argv)
    except HelpRequested as request:
        assert request.text.endswith("\n")  # noqa: PT017  # help and version are not errors
    except UsageError as error:
        message = str(error)
    assert len(message.splitlines()) <= len(argv) or argv == []
    assert len(set(message.splitlines())) == len(message.splitlines())


@pytest.mark.parametrize("argv", [["--version"], ["once", "--version"]])
def test_the_version_is_printed(argv: list[str]) -> None:
    assert requested_text(*argv) == f"livepeer-session-exporter {VERSION}\n"


def test_the_help_lists_every_flag_variable_command_and_exit_code() -> None:
    text = requested_text("--help")
    for setting in describe_settings():
        assert (setting.flag or "") in text
        assert all(variable in text for variable in setting.variables)
    for word in ("demo", "check", "once", "metrics", "healthcheck", "assets", "exit codes", "examples"):
        assert word in text


def test_the_help_of_a_command_lists_its_own_flags() -> None:
    text = requested_text("once", "--help")
    assert "--format" in text
    assert "--poll-interval" in text
    assert "--json" not in text


@pytest.mark.parametrize("command", ["metrics", "assets"])
def test_the_help_of_a_command_without_settings_lists_none(command: str) -> None:
    assert "--poll-interval" not in requested_text(command, "--help")
    assert parse([command, "--poll-interval", "5s", *(["there"] if command == "assets" else [])])


def test_parsing_imports_neither_http_client_nor_server() -> None:
    heavy = "{'httpx', 'starlette', 'uvicorn', 'apscheduler', 'prometheus_client'}"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, exporter.cli.arguments; print({heavy} & set(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout == "set()\n"
