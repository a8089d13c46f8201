"""Log output: line formats, escaping, redaction, and streams that cannot be written to."""

import io
import json
import logging
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any, Literal, TextIO
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.logs import MAX_TEXT_LENGTH, MIN_REDACTED, Redactor, configure, event
from tests.support.deadlines import HANG

SECRET = 'canary-7f3a-"secret\\'
Form = Literal["auto", "logfmt", "json"]


def detached_logger(name: str = "exporter") -> logging.Logger:
    return logging.Logger(name)  # noqa: LOG001  # separate from the loggers of other tests


class Log:
    """A detached root logger and its output."""

    def __init__(
        self, form: Form = "json", level: Literal["debug", "info", "warning", "error"] = "debug", name: str = "exporter"
    ) -> None:
        self.stream = io.StringIO()
        self.redact = Redactor()
        self.logger = detached_logger(name)
        configure(level, form, self.stream, redact=self.redact, root=self.logger)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def last(self) -> dict[str, object]:
        parsed = json.loads(self.text.splitlines()[-1])
        assert isinstance(parsed, dict)
        return parsed


def parse_logfmt(line: str) -> dict[str, str]:
    """Parse a logfmt line; quoted values are unescaped."""
    pairs = re.findall(r'([A-Za-z0-9_]+)=("(?:[^"\\]|\\.)*"|[^ "]*)(?: |$)', line)
    return {
        name: re.sub(
            r'\\(?:u([0-9a-f]{4})|U([0-9a-f]{8})|(["\\nrt]))',
            lambda found: (
                {'"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t"}[found[3]]
                if found[3]
                else chr(int(found[1] or found[2], 16))
            ),
            value[1:-1],
        )
        if value.startswith('"')
        else value
        for name, value in pairs
    }


def test_a_json_line_has_time_level_msg_logger_and_fields() -> None:
    log = Log()
    event(log.logger, logging.INFO, "poll finished", account="default", sessions=12, seconds=0.25, up=True, code=None)
    line = log.last
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(line.pop("time")))
    assert line == {
        "level": "info",
        "msg": "poll finished",
        "logger": "exporter",
        "account": "default",
        "sessions": 12,
        "seconds": 0.25,
        "up": True,
        "code": None,
    }


def test_a_logfmt_line_consists_of_key_value_pairs() -> None:
    log = Log("logfmt")
    event(log.logger, logging.WARNING, "poll failed", account="a b", sessions=12, code="", up=False, none=None)
    assert log.text.partition(" ")[2] == (
        'level=warning msg="poll failed" logger=exporter account="a b" sessions=12 code="" up=false none=null\n'
    )


def test_the_time_is_that_of_the_record_in_utc() -> None:
    log = Log()
    record = logging.LogRecord("exporter", logging.INFO, "", 0, "now", (), None)
    record.created = 1_700_000_000.9996
    log.logger.handle(record)
    assert log.last["time"] == "2023-11-14T22:13:20.999Z"


@pytest.mark.parametrize("form", ["logfmt", "json"])
@pytest.mark.parametrize(
    "name", ["two\nlines", "\x1b[31mred", "%s %d %(x)s", "\u202eevil", "\u2028", "\x00\x7f\x85", "a=b", '"', "\ud800"]
)
def test_R14_any_name_is_one_escaped_line(form: Form, name: str) -> None:
    log = Log(form)
    event(log.logger, logging.INFO, name, name=name)
    (line,) = log.text.splitlines()
    assert line.isprintable()
    parsed = log.last if form == "json" else parse_logfmt(line)
    assert (parsed["msg"], parsed["name"]) == (name, name)


@given(st.text(st.characters()), st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text()))
def test_any_event_is_one_logfmt_line_that_can_be_parsed(message: str, fields: dict[str, str]) -> None:
    log = Log("logfmt")
    prefixed: dict[str, Any] = {f"field_{name}": value for name, value in fields.items()}
    event(log.logger, logging.INFO, message, **prefixed)
    line = log.text.removesuffix("\n")
    assert line.isprintable()
    parsed = parse_logfmt(line)
    assert parsed["msg"] == message
    assert {name[6:]: value for name, value in parsed.items() if name.startswith("field_")} == fields


JSON = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary()


@given(st.text(st.characters()), st.dictionaries(st.text(), JSON | st.lists(JSON)))
def test_any_event_is_one_json_line_of_printable_ascii(message: str, fields: dict[str, object]) -> None:
    log = Log("json")
    log.logger.info("%s", message, extra={"fields": fields})
    line = log.text.removesuffix("\n")
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line, parse_constant=pytest.fail)["msg"] == message


def test_huge_integers_and_infinity_are_converted_to_text() -> None:
    log = Log()
    event(log.logger, logging.INFO, "x", big=10**5000, infinite=float("inf"))
    assert (log.last["big"], log.last["infinite"]) == ("integer of 16610 bits", "inf")


def test_a_field_with_a_reserved_name_is_renamed() -> None:
    log = Log()
    invalid_name: dict[str, Any] = {"a b\n": 1}
    event(log.logger, logging.INFO, "real", msg="false", level="low", **invalid_name)
    assert (log.last["msg"], log.last["msg_"], log.last["level_"], log.last["a_b_"]) == ("real", "false", "low", 1)


def test_a_long_text_is_truncated() -> None:
    log = Log()
    event(log.logger, logging.INFO, "x", name="n" * 65_536)
    assert log.last["name"] == "n" * MAX_TEXT_LENGTH + "…"


def test_lines_below_the_level_are_not_written() -> None:
    log = Log(level="warning")
    event(log.logger, logging.INFO, "unseen")
    event(log.logger, logging.WARNING, "seen")
    assert log.text.count("\n") == 1


@pytest.mark.parametrize("library", ["httpx", "httpcore.http11", "uvicorn.error", "uvicorn.access", "apscheduler.x"])
def test_libraries_log_warnings_only_even_at_debug(library: str) -> None:
    log = Log(name=library)
    log.logger.info("HTTP Request: GET %s", "https://livepeer.studio/api")
    log.logger.debug("headers")
    assert log.text == ""
    log.logger.warning("careful")
    assert log.last["msg"] == "careful"


def test_only_the_first_line_of_a_librarys_message_is_logged() -> None:
    log = Log(name="asyncio")
    log.logger.error("Task exception was never retrieved\nfuture: <Task exception=ValueError(%r)>", SECRET)
    assert log.last["msg"] == "Task exception was never retrieved"


def test_arguments_that_do_not_match_the_format_string_do_not_lose_the_line() -> None:
    log = Log()
    log.logger.info("%d sessions", "no")
    assert log.last["msg"] == "%d sessions"


def test_R12_a_traceback_is_one_field_without_the_texts_of_errors() -> None:
    def inner() -> None:
        local = SECRET
        raise ValueError(local)

    log = Log("logfmt")
    try:
        try:
            inner()
        except ValueError as error:
            raise RuntimeError(f"around {SECRET}") from error
    except RuntimeError as error:
        event(log.logger, logging.ERROR, "poll failed", error=error)
    (line,) = log.text.splitlines()
    traceback = parse_logfmt(line)["traceback"]
    assert re.fullmatch(
        r"ValueError: tests/test_logs\.py:\d+ \w+ > tests/test_logs\.py:\d+ inner"
        r" \| RuntimeError: tests/test_logs\.py:\d+ \w+",
        traceback,
    )
    assert "canary" not in line


def test_a_traceback_that_a_library_logs_has_the_same_form() -> None:
    log = Log(name="uvicorn.error")
    try:
        raise KeyError(SECRET)
    except KeyError:
        log.logger.exception("Exception in ASGI application\n")
    assert str(log.last["traceback"]).startswith("KeyError: tests/test_logs.py:")
    assert "canary" not in log.text


def test_errors_of_a_group_are_listed() -> None:
    log = Log()
    group = ExceptionGroup(SECRET, [ValueError(SECRET), ExceptionGroup(SECRET, [OSError(SECRET)])])
    event(log.logger, logging.ERROR, "x", error=group)
    assert log.last["traceback"] == "ExceptionGroup of ValueError, ExceptionGroup of OSError: not raised"


def test_a_circular_chain_of_errors_is_cut() -> None:
    log = Log()
    first, second = ValueError(), TypeError()
    first.__cause__, second.__cause__ = second, first
    event(log.logger, logging.ERROR, "x", error=first)
    assert log.last["traceback"] == "TypeError: not raised | ValueError: not raised"


def test_an_error_as_a_field_is_the_name_of_its_class() -> None:
    log = Log()
    event(log.logger, logging.ERROR, "x", reason=ValueError(SECRET))
    assert log.last["reason"] == "ValueError"


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_a_secret_is_redacted_wherever_it_appears(form: Form) -> None:
    log = Log(form)
    log.redact.add(SECRET)
    event(
        log.logger,
        logging.INFO,
        f"a {SECRET}",
        name=f"{SECRET}{SECRET}",
        both=[SECRET],
        raw=SECRET.encode(),
        url=quote(SECRET),
    )
    log.logger.info("key %s", SECRET)
    assert "canary" not in log.text
    assert log.text.count("[redacted]") == 7


def test_a_secret_that_begins_with_another_one_is_redacted_completely() -> None:
    redact = Redactor()
    for secret in ("", "first-key", "first-key-two", "first-key"):
        redact.add(secret)
    assert redact("first-key-two first-key") == "[redacted] [redacted]"
    assert repr(redact) == "Redactor(<2 texts>)"


def test_a_secret_so_short_that_other_words_contain_it_is_not_redacted() -> None:
    redact = Redactor()
    shortest = "k" * MIN_REDACTED
    for secret in ("x", "poll", shortest[1:], shortest):
        redact.add(secret)
    assert redact(f"exporter.polling {shortest[1:]} {shortest}") == f"exporter.polling {shortest[1:]} [redacted]"


@pytest.mark.parametrize(("is_terminal", "first"), [(True, "time="), (False, "{")])
def test_auto_is_logfmt_on_a_terminal_and_json_otherwise(is_terminal: bool, first: str) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return is_terminal

    stream, logger = Stream(), detached_logger()
    configure("info", "auto", stream, redact=str, root=logger)
    logger.info("x")
    assert stream.getvalue().startswith(first)


def test_characters_outside_of_the_streams_encoding_are_escaped() -> None:
    raw = io.BytesIO()
    logger = detached_logger()
    configure("info", "logfmt", io.TextIOWrapper(raw, encoding="ascii"), redact=str, root=logger)
    logger.info("größe 🎥")
    assert rb'msg="gr\xf6\xdfe \U0001f3a5"' in raw.getvalue()


def test_configuring_again_replaces_the_handler() -> None:
    log = Log()
    configure("info", "json", log.stream, redact=str, root=log.logger)
    log.logger.info("once")
    assert log.text.count("\n") == 1


def test_R15_lines_for_a_closed_stream_are_dropped() -> None:
    log = Log("auto")
    log.stream.close()
    event(log.logger, logging.INFO, "lost")
    configure("info", "auto", log.stream, redact=str, root=log.logger)
    event(log.logger, logging.INFO, "lost")


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "no space")


class BrokenPipe(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


@pytest.mark.parametrize("stream", [FullDisk(), BrokenPipe()])
def test_R15_a_line_that_cannot_be_written_is_dropped(stream: TextIO) -> None:
    logger = detached_logger()
    configure("info", "json", stream, redact=str, root=logger)
    event(logger, logging.INFO, "lost")


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_R15_a_broken_pipe_does_not_change_the_exit_code(name: str) -> None:
    program = (
        "import logging, sys, exporter.logs as logs\n"
        f"logs.configure('info', 'json', sys.{name}, redact=str)\n"
        "sys.stdin.read()\n"  # until the pipe is closed
        "for _ in range(3): logging.getLogger('exporter').info('lost')\n"
        "sys.exit(7)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
        **{name: subprocess.PIPE},  # type: ignore[call-overload]
    )
    with process:
        getattr(process, name).close()
        process.stdin.close()
        assert process.wait(timeout=HANG) == 7


def test_no_control_or_bidi_character_is_printable() -> None:
    # The escaping of logfmt lines relies on this.
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            assert not chr(code).isprintable()
