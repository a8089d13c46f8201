"""The kinds of values that settings have: how each is read, and what it must look like.

No message here repeats the value it complains about: a key pasted into the wrong place must not reach a log.
"""

import re
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit, urlunsplit

from pydantic import BeforeValidator, SecretStr

from exporter.config.address import Address
from exporter.config.durations import format_duration, parse_duration
from exporter.config.yaml_file import is_valid_path

_LONGEST_SPAN: Final = 365 * 86_400.0  # no setting means more than a year; more is a slip of the unit
_KEY = re.compile(r"[!-~]{1,1024}")
_STREAM_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_POD_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*-([0-9]{1,6})")
_PATH_OF_URL = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
_OWN_PATHS: Final = ("/livez", "/readyz")


def normalize_api_key(text: str) -> str:
    """Return the API key in `text` without the whitespace around it; empty when there is nothing else.

    A key goes into a header, so it has printable ASCII only and no spaces; anything else would end up,
    readable, in an exception of the HTTP library.

    Raises:
        ValueError: `text` cannot be a key.
    """
    key = text.strip()
    if key and not _KEY.fullmatch(key):
        raise ValueError("is not an API key: a key has no spaces, line breaks or special characters")
    return key


def is_loopback(url: str) -> bool:
    """Tell whether the host of `url` is this machine: localhost, 127.0.0.0/8 or ::1."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # another name
        return False


def _span(least: float, most: float = _LONGEST_SPAN) -> Callable[[object], float]:
    def read(value: object) -> float:
        seconds = parse_duration(value.strip()) if isinstance(value, str) else value
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not least <= seconds <= most:
            raise ValueError(f"must be a duration from {format_duration(least)} to {format_duration(most)}")
        return float(seconds)

    return read


def _whole(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        # bool is an int to Python, and pydantic would take `page_limit: true` for 1.
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value.strip()):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return value

    return read


def _pod_index(value: object) -> object:
    # In a StatefulSet the pod's name is the only thing that differs, and it ends in the index.
    match = _POD_NAME.fullmatch(value.strip()) if isinstance(value, str) else None
    return match[1] if match else value


def _switch(value: object) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or (word := value.strip().lower()) not in words:
        raise ValueError("must be true or false")
    return words[word]


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _address(value: object) -> Address:
    if isinstance(value, Address):
        return value
    if not isinstance(value, str):
        raise ValueError("must be an address such as 0.0.0.0:9877")  # noqa: TRY004  # pydantic lets TypeError through
    return Address.parse(value.strip())


def _path(value: object) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value.strip() or not is_valid_path(value):
        raise ValueError("must be the path of a file")
    return Path(value.strip())


def _key(value: object) -> SecretStr:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(text, str) or not text.strip():
        raise ValueError("is empty")
    return SecretStr(normalize_api_key(text))


def _label(value: object) -> str:
    # `isprintable` is false for control, bidi and surrogate characters, which have no place in a label.
    if not isinstance(value, str) or not 1 <= len(value) <= 64 or not value.isprintable() or value != value.strip():
        raise ValueError("must be text of 1 to 64 printable characters, in quotes if YAML takes it for a number")
    return value


def _stream_ids(value: object) -> tuple[str, ...]:
    if value == ():  # what the program itself means by "all"; YAML and text cannot say it
        return ()
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise ValueError("must be a list of stream ids, in quotes if YAML takes one for a number")
    ids = [part.strip() for part in parts]
    if not any(ids):
        raise ValueError("is set but empty; leave it out to see all streams")
    if not all(_STREAM_ID.fullmatch(part) for part in ids):
        raise ValueError("must be stream ids with commas between them: letters, digits, - and _")
    return tuple(dict.fromkeys(ids))


def _telemetry_path(value: object) -> str:
    if not isinstance(value, str) or not _PATH_OF_URL.fullmatch(value):
        raise ValueError("must be a path such as /metrics: plain letters and digits, no / at its end")
    if value in _OWN_PATHS:
        raise ValueError(f"must not be one of {', '.join(_OWN_PATHS)}, which are probes")
    return value


def _base_url(value: object) -> str:
    refused = "must be an address such as https://livepeer.studio/api"
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]{1,2048}", value.strip()):
        raise ValueError(refused)
    try:
        parts = urlsplit(value.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(refused) from None  # the library's text quotes the URL
    if parts.scheme not in ("http", "https") or not host or port == 0 or "\\" in value:
        raise ValueError(f"{refused}: http or https, and a host")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user name or password")
    if "?" in value or "#" in value:
        raise ValueError("must not have a query (?) or a fragment (#)")
    return urlunsplit((parts.scheme, parts.netloc.lower(), parts.path.rstrip("/"), "", ""))


Span = Annotated[float, BeforeValidator(_span(0.001))]
"""Seconds, more than none and at most a year."""
Interval = Annotated[float, BeforeValidator(_span(1.0))]
"""Seconds, at least one: the API is shared, and its values move every 50 s anyway."""
Switch = Annotated[bool, BeforeValidator(_switch)]
"""On or off."""
PageLimit = Annotated[int, BeforeValidator(_whole(1, 1000))]
"""The API answers at most 1000 sessions a page."""
Workers = Annotated[int, BeforeValidator(_whole(1, 32))]
"""How many requests go side by side."""
Connections = Annotated[int, BeforeValidator(_whole(4, 100_000))]
"""How many connections may be open at once; with very few a Prometheus and a probe would drive each other out."""
HeaderBytes = Annotated[int, BeforeValidator(_whole(1024, 1 << 20))]
"""Bytes of a request's head; less than a kilobyte would refuse Prometheus's own."""
Patience = Annotated[float, BeforeValidator(_span(0.1))]
"""Seconds that a client of ours is waited for."""
Budget = Annotated[int, BeforeValidator(_whole(1, 10**9))]
"""A number of series."""
ShardIndex = Annotated[int, BeforeValidator(_whole(0, 1023)), BeforeValidator(_pod_index)]
"""The number of a shard, from 0, or a StatefulSet's pod name that ends in it."""
ShardCount = Annotated[int, BeforeValidator(_whole(1, 1024))]
"""How many shards there are."""
ListenAddress = Annotated[Address, BeforeValidator(_address)]
"""Where to listen."""
FilePath = Annotated[Path, BeforeValidator(_path)]
"""A file, which need not be there yet."""
Key = Annotated[SecretStr, BeforeValidator(_key)]
"""The API key, which shows itself to nobody."""
Label = Annotated[str, BeforeValidator(_label)]
"""The value of the label `account`."""
StreamIds = Annotated[tuple[str, ...], BeforeValidator(_stream_ids)]
"""Parent streams, without repeats; in text with commas between them."""
TelemetryPath = Annotated[str, BeforeValidator(_telemetry_path)]
"""The path of the page for Prometheus."""
BaseUrl = Annotated[str, BeforeValidator(_base_url)]
"""The API's address without the slash at its end."""
Word = BeforeValidator(_lower)
"""Makes a choice of words accept capitals."""
