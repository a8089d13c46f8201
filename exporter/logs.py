"""Log output: one line per event, with control characters escaped and secrets redacted.

The format `logfmt` is `time=... level=... msg="..." logger=... key=value`, `json` is an object with the same keys.
Times are UTC. The keys `time`, `level` and `msg` are those of Prometheus and its exporters.
"""

import json
import logging
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import PurePath
from traceback import walk_tb
from types import TracebackType
from typing import Final, Literal, TextIO
from urllib.parse import quote

PACKAGE: Final = __name__.partition(".")[0]
"""The name of the logger above all loggers of the program."""

MAX_TEXT_LENGTH: Final = 4096
"""Characters. Longer texts are truncated, such as the name of a stream, which the API does not limit."""

MIN_REDACTED: Final = 8
"""Characters of a secret that is redacted; a shorter one would remove parts of other words. Livepeer's keys have 36."""

_LIMITED_TO_WARNINGS: Final = ("apscheduler", "asyncio", "httpcore", "httpx", "pydantic_settings", "uvicorn")
_RESERVED: Final = ("time", "level", "msg", "logger", "traceback")
_UNQUOTED = re.compile(r"[!#-<>-\[\]-~]+")  # printable ASCII except space, quote, = and backslash
_SHORT_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_MAX_FRAMES: Final = 40
_MAX_CHAIN: Final = 8

Scalar = str | int | float | bool | None


class Redactor:
    """Replaces secrets in texts with `[redacted]`.

    Every API key and webhook secret in use is added, and none is ever removed, since the text of a late error can
    contain an old key.
    """

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Redactor(<{len(self._secrets)} texts>)"

    def add(self, secret: str) -> None:
        """Replace `secret` from now on; one of fewer than `MIN_REDACTED` characters is ignored."""
        if len(secret) >= MIN_REDACTED:
            # As it is, and as it is written in a URL, in JSON and in Python's repr.
            spellings = {secret, quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
            # Longest first, or the rest of a secret that begins with another secret would remain.
            self._secrets = tuple(sorted(spellings.union(self._secrets), key=len, reverse=True))

    def __call__(self, text: str) -> str:
        """Return `text` without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "[redacted]")
        return text


def event(
    logger: logging.Logger,
    level: int,
    message: str,
    /,
    *,
    error: BaseException | None = None,
    **fields: object,
) -> None:
    """Log an event.

    Args:
        logger: the logger of the calling module.
        level: a level of the logging module.
        message: the event as constant text, the key `msg`, so that all lines of an event can be found; values go into
            `fields`.
        error: adds a traceback, without the text of the error.
        fields: the values; what is neither text nor number nor bool is converted to text.
    """
    logger.log(level, message, exc_info=error, extra={"fields": fields}, stacklevel=2)


def configure(
    level: Literal["debug", "info", "warning", "error"],
    form: Literal["auto", "logfmt", "json"],
    stream: TextIO,
    *,
    redact: Callable[[str], str],
    root: logging.Logger | None = None,
) -> None:
    """Write the lines of all loggers to one stream.

    Of libraries only warnings and errors are written: at `info` httpx logs URLs, at `debug` others log headers. uvicorn
    must be configured with `log_config=None`, or it adds its own handlers.

    Args:
        level: lowest level to write.
        form: line format; `auto` is `logfmt` on a terminal, otherwise `json`.
        stream: where lines are written; lines for a closed stream are dropped.
        redact: removes secrets from a text.
        root: the logger whose handlers are replaced; defaults to Python's root logger.
    """
    handler = _Handler(stream)
    handler.addFilter(_is_relevant)
    is_logfmt = form == "logfmt" or (form == "auto" and _is_terminal(stream))
    handler.setFormatter(_Formatter(_as_logfmt if is_logfmt else _as_json, redact, stream.encoding or "utf-8"))
    root = root or logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def _is_relevant(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] not in _LIMITED_TO_WARNINGS


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802
        # A log that cannot be written must not end the program, and Python's default would print the arguments of the
        # line, unredacted, to stderr.
        stream = self.stream
        try:
            # Flushing the rest of the buffer at exit would fail again and change the exit code to 120.
            if not stream.closed and _is_broken_pipe(stream):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)
        except (OSError, ValueError):  # a stream without a descriptor, such as a test's
            return


def _is_broken_pipe(stream: TextIO) -> bool:
    try:
        stream.flush()
    except BrokenPipeError:
        return True
    except (OSError, ValueError):  # a full disk may have space again later
        return False
    return False


class _Formatter(logging.Formatter):
    def __init__(
        self, write: Callable[[Mapping[str, Scalar]], str], redact: Callable[[str], str], encoding: str
    ) -> None:
        super().__init__()
        self._write = write
        self._redact = redact
        self._encoding = encoding

    def format(self, record: logging.LogRecord) -> str:
        fields = {name: self._scalar(value) for name, value in _fields(record)}
        # Redacted again as a whole, because a secret may span several fields.
        line = self._redact(self._write(fields))
        return line.encode(self._encoding, "backslashreplace").decode(self._encoding)

    def _scalar(self, value: object) -> Scalar:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int) and value.bit_length() <= 64:
            return value
        if isinstance(value, float) and math.isfinite(value):
            return value
        text = self._redact(_text(value))
        return text if len(text) <= MAX_TEXT_LENGTH else text[:MAX_TEXT_LENGTH] + "…"


def _text(value: object) -> str:
    if isinstance(value, BaseException):  # its text may contain the value that caused it
        return type(value).__name__
    if isinstance(value, int):  # Python limits the number of digits that str() converts
        return f"integer of {value.bit_length()} bits"
    return str(value)


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    yield "time", datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:23] + "Z"
    yield "level", record.levelname.lower()
    yield "msg", _message(record)
    yield "logger", record.name
    fields = getattr(record, "fields", None)
    if isinstance(fields, Mapping):
        for name, value in fields.items():
            safe = re.sub(r"[^A-Za-z0-9_]", "_", str(name)) or "_"
            yield (f"{safe}_" if safe in _RESERVED else safe), value
    if record.exc_info and record.exc_info[1] is not None:
        yield "traceback", " | ".join(_traceback(record.exc_info[1]))


def _message(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
    except (TypeError, ValueError, KeyError):  # the arguments of a library do not match its format string
        text = str(record.msg)
    # asyncio and uvicorn write the repr of an exception, which contains its text, into the lines after the first.
    return text if record.name.partition(".")[0] == PACKAGE else text.partition("\n")[0]


def _traceback(error: BaseException) -> Iterator[str]:
    """Yield each error of the chain, the cause first, as its class and its stack frames.

    Only names in the source code are used: error messages and the values of variables can contain secrets.
    """
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in chain and len(chain) < _MAX_CHAIN:
        chain.append(following)
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    for each in reversed(chain):
        yield f"{_class_name(each)}: {' > '.join(_frames(each.__traceback__)) or 'not raised'}"


def _class_name(error: BaseException) -> str:
    name = type(error).__name__
    if isinstance(error, BaseExceptionGroup):
        return f"{name} of {', '.join(map(_class_name, error.exceptions))}"
    return name


def _frames(trace: TracebackType | None) -> list[str]:
    frames = [
        f"{'/'.join(PurePath(frame.f_code.co_filename).parts[-2:])}:{line} {frame.f_code.co_name}"
        for frame, line in walk_tb(trace)
    ]
    return frames[-_MAX_FRAMES:]


def _as_json(fields: Mapping[str, Scalar]) -> str:
    # ASCII only, so that control and bidi characters are escaped; DEL is the only one that JSON does not escape.
    return json.dumps(fields, ensure_ascii=True).replace("\x7f", "\\u007f")


def _as_logfmt(fields: Mapping[str, Scalar]) -> str:
    return " ".join(f"{name}={_quoted(value)}" for name, value in fields.items())


def _quoted(value: Scalar) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    if _UNQUOTED.fullmatch(value):
        return value
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(character: str) -> str:
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    if character.isprintable():  # false for control, bidi, zero-width and surrogate characters
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
