"""Log lines: one event, one line, whatever the event's texts hold; and never a secret that is known.

`plain` is `time=... level=... event="..." key=value`, `json` the same as an object. The time is UTC.
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

OWN: Final = __name__.partition(".")[0]
"""The name above all our loggers."""
LONGEST_TEXT: Final = 4096
"""Characters. A longer text in a line is cut: 64 kB of a stream's name say no more than this."""

_QUIET: Final = ("apscheduler", "asyncio", "httpcore", "httpx", "pydantic_settings", "uvicorn")
_FIXED: Final = ("time", "level", "event", "logger", "traceback")
_BARE = re.compile(r"[!#-<>-\[\]-~]+")  # printable ASCII but space, quote, = and backslash
_SHORT_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_MOST_FRAMES: Final = 40

Scalar = str | int | float | bool | None


class Redactor:
    """Replaces every secret that it knows by `[redacted]`.

    It learns the key whenever it is read, and forgets none: an old key can still be in the text of a late error.
    """

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Redactor(<{len(self._secrets)} texts>)"

    def add(self, secret: str) -> None:
        """Replace `secret` from now on; an empty one is no secret."""
        if secret:
            # As it is, and as it stands in a URL, in JSON and in Python's repr.
            written = {secret, quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
            # The longest first: a secret that begins with another one must go as a whole.
            self._secrets = tuple(sorted(written.union(self._secrets), key=len, reverse=True))

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
    """Log that something happened: `message` is fixed text, what varies stands in `fields`.

    With `error` the line gets its traceback, without the error's own text. A field that is neither text nor number
    nor bool is written as text.
    """
    logger.log(level, message, exc_info=error, extra={"fields": fields}, stacklevel=2)


def configure(
    level: Literal["debug", "info", "warning", "error"],
    form: Literal["auto", "plain", "json"],
    stream: TextIO,
    *,
    redact: Callable[[str], str],
    root: logging.Logger | None = None,
) -> None:
    """Write the lines of all loggers to `stream`, and to nothing else.

    Libraries are heard from warnings on at every level: at `info` httpx logs URLs, at `debug` others log headers.
    Give uvicorn `log_config=None`, or it brings handlers of its own.

    Args:
        level: The least important lines to write.
        form: `auto` is plain if `stream` is a terminal, else json.
        stream: Where the lines go; if it is closed they are lost, and that is all that happens.
        redact: Takes the secrets out of a text.
        root: The logger whose handlers are replaced; Python's root logger if left out.
    """
    handler = _Handler(stream)
    handler.addFilter(_worth_writing)
    is_plain = form == "plain" or (form == "auto" and _is_terminal(stream))
    handler.setFormatter(_Formatter(_as_plain if is_plain else _as_json, redact, stream.encoding or "utf-8"))
    root = root or logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def _worth_writing(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] not in _QUIET


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802
        # Nobody is left to tell: a log that cannot be written must not end the program, and Python's own
        # report would print the arguments of the line, unredacted, to stderr.
        stream = self.stream
        try:
            # What is stuck in the buffer would fail again at exit and turn the exit code into 120.
            if not stream.closed and _is_broken_pipe(stream):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)
        except (OSError, ValueError):  # a stream without a descriptor, such as a test's
            return


def _is_broken_pipe(stream: TextIO) -> bool:
    try:
        stream.flush()
    except BrokenPipeError:
        return True
    except (OSError, ValueError):  # a full disk may have room again later
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
        parts = {name: self._scalar(value) for name, value in _parts(record)}
        # Once more over the whole line, for a secret that only came together there.
        line = self._redact(self._write(parts))
        return line.encode(self._encoding, "backslashreplace").decode(self._encoding)

    def _scalar(self, value: object) -> Scalar:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int) and value.bit_length() <= 64:
            return value
        if isinstance(value, float) and math.isfinite(value):
            return value
        text = self._redact(_text(value))
        return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"


def _text(value: object) -> str:
    if isinstance(value, BaseException):  # its text may quote what it choked on
        return type(value).__name__
    if isinstance(value, int):  # Python refuses to write the largest
        return f"a number of {value.bit_length()} bits"
    return str(value)


def _parts(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    yield "time", datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:23] + "Z"
    yield "level", record.levelname.lower()
    yield "event", _message(record)
    yield "logger", record.name
    fields = getattr(record, "fields", None)
    if isinstance(fields, Mapping):
        for name, value in fields.items():
            safe = re.sub(r"[^A-Za-z0-9_]", "_", str(name)) or "_"
            yield (f"{safe}_" if safe in _FIXED else safe), value
    if record.exc_info and record.exc_info[1] is not None:
        yield "traceback", " | ".join(_outline(record.exc_info[1]))


def _message(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
    except (TypeError, ValueError, KeyError):  # a library's arguments that do not fit its text
        text = str(record.msg)
    # asyncio and uvicorn put an exception's repr, with its text, into the lines below the first.
    return text if record.name.partition(".")[0] == OWN else text.partition("\n")[0]


def _outline(error: BaseException) -> Iterator[str]:
    """Yield each error of the chain, the cause first, as its class and the places it came through.

    Only names that stand in the code: the texts of errors and the values of variables can hold secrets.
    """
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in chain and len(chain) < 8:
        chain.append(following)
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    for each in reversed(chain):
        yield f"{_class(each)}: {' > '.join(_places(each.__traceback__)) or 'not raised'}"


def _class(error: BaseException) -> str:
    name = type(error).__name__
    if isinstance(error, BaseExceptionGroup):
        return f"{name} of {', '.join(map(_class, error.exceptions))}"
    return name


def _places(trace: TracebackType | None) -> list[str]:
    frames = [
        f"{'/'.join(PurePath(frame.f_code.co_filename).parts[-2:])}:{line} {frame.f_code.co_name}"
        for frame, line in walk_tb(trace)
    ]
    return frames[-_MOST_FRAMES:]


def _as_json(parts: Mapping[str, Scalar]) -> str:
    # ASCII alone, so that no control or bidi character survives; DEL is the one that JSON leaves as it is.
    return json.dumps(parts, ensure_ascii=True).replace("\x7f", "\\u007f")


def _as_plain(parts: Mapping[str, Scalar]) -> str:
    return " ".join(f"{name}={_quoted(value)}" for name, value in parts.items())


def _quoted(value: Scalar) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    if _BARE.fullmatch(value):
        return value
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(character: str) -> str:
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    if character.isprintable():  # false for control, bidi, zero-width and surrogate characters
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
