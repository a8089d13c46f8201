"""Types of the settings' values: parsing and validation.

No message contains the invalid value: an API key in the wrong place must not reach a log.
"""

import re
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit, urlunsplit

from pydantic import BeforeValidator, SecretStr

from exporter.config.address import Address
from exporter.config.durations import format_duration, parse_duration
from exporter.config.yaml_file import is_valid_path

_MAX_DURATION: Final = 365 * 86_400.0  # a longer one has the wrong unit
_API_KEY = re.compile(r"[!-~]{1,1024}")
_STREAM_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_POD_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*-([0-9]{1,6})")
_URL_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
_PROBE_PATHS: Final = ("/livez", "/readyz")
_BOOLEANS: Final = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def normalize_api_key(text: str) -> str:
    """Return an API key without surrounding whitespace; empty if there is nothing else.

    A key is sent in a header, so it is printable ASCII without spaces. httpx would raise on anything else, with the key
    in the message.

    Raises:
        ValueError: `text` is not an API key.
    """
    key = text.strip()
    if key and not _API_KEY.fullmatch(key):
        raise ValueError("is not an API key; keys contain no spaces, line breaks or special characters")
    return key


def is_loopback(url: str) -> bool:
    """Return whether the host of `url` is localhost, in 127.0.0.0/8, or ::1."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # another host name
        return False


def _duration(minimum: float) -> Callable[[object], float]:
    def validate(value: object) -> float:
        seconds = parse_duration(value.strip()) if isinstance(value, str) else value
        # bool is a subclass of int.
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not minimum <= seconds <= _MAX_DURATION:
            raise ValueError(f"must be a duration from {format_duration(minimum)} to {format_duration(_MAX_DURATION)}")
        return float(seconds)

    return validate


def _integer(minimum: int, maximum: int) -> Callable[[object], int]:
    def validate(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value.strip()):
            value = int(value)
        # bool is a subclass of int, and pydantic would accept `page_limit: true` as 1.
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            raise ValueError(f"must be an integer from {minimum} to {maximum}")
        return value

    return validate


def _index_of_pod_name(value: object) -> object:
    # The pods of a StatefulSet differ in their names only, which end in the index.
    match = _POD_NAME.fullmatch(value.strip()) if isinstance(value, str) else None
    return match[1] if match else value


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or (text := value.strip().lower()) not in _BOOLEANS:
        raise ValueError("must be true or false")
    return _BOOLEANS[text]


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _address(value: object) -> Address:
    if isinstance(value, Address):
        return value
    if not isinstance(value, str):
        raise ValueError("must be an address such as 0.0.0.0:9877")  # noqa: TRY004  # pydantic passes TypeError on
    return Address.parse(value.strip())


def _addresses(value: object) -> tuple[Address, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not parts:
        raise ValueError("must be one or more addresses such as 0.0.0.0:9877")
    addresses = tuple(map(_address, parts))
    if any(address.port and addresses.count(address) > 1 for address in addresses):
        raise ValueError("must not contain an address twice")
    return addresses


def _file_path(value: object) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value.strip() or not is_valid_path(value):
        raise ValueError("must be a file path")
    return Path(value.strip())


def _api_key(value: object) -> SecretStr:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(text, str) or not text.strip():
        raise ValueError("must not be empty")
    return SecretStr(normalize_api_key(text))


def _label(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text; quote it if YAML reads it as a number or a date")  # noqa: TRY004 - pydantic's
    # `isprintable` is false for control, bidirectional and surrogate characters.
    if not 1 <= len(value) <= 64 or not value.isprintable() or value != value.strip():
        raise ValueError("must be 1 to 64 printable characters, without spaces at either end")
    return value


def _stream_ids(value: object) -> tuple[str, ...]:
    if value == ():  # the default, "all"; YAML and text cannot express a tuple
        return ()
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise ValueError("must be a list of stream IDs; quote those that YAML reads as numbers")
    ids = [part.strip() for part in parts]
    if not any(ids):
        raise ValueError("must not be empty; omit it to include all streams")
    if not all(_STREAM_ID.fullmatch(part) for part in ids):
        raise ValueError("must be stream IDs (letters, digits, - and _), separated by commas")
    return tuple(dict.fromkeys(ids))


def _telemetry_path(value: object) -> str:
    if not isinstance(value, str) or not _URL_PATH.fullmatch(value):
        raise ValueError("must be a path such as /metrics, of letters, digits and ._~- and without a trailing slash")
    if value in _PROBE_PATHS:
        raise ValueError(f"must not be the path of a probe ({', '.join(_PROBE_PATHS)})")
    return value


def parse_http_url(value: object, example: str) -> SplitResult:
    """Parse an absolute http or https URL without user, query and fragment.

    Args:
        value: the URL; surrounding whitespace is ignored.
        example: a valid URL for the message.

    Raises:
        ValueError: it is not such a URL. The message does not contain `value`.
    """
    message = f"must be an http or https URL such as {example}"
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]{1,2048}", value.strip()):
        raise ValueError(message)
    try:
        parts = urlsplit(value.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(message) from None  # the original message contains the URL
    if parts.scheme not in ("http", "https") or not host or port == 0 or "\\" in value:
        raise ValueError(message)
    if "@" in parts.netloc:
        raise ValueError("must not contain a user name or password")
    if "?" in value or "#" in value:
        raise ValueError("must not have a query (?) or a fragment (#)")
    return parts


def _base_url(value: object) -> str:
    parts = parse_http_url(value, "https://livepeer.studio/api")
    return urlunsplit((parts.scheme, parts.netloc.lower(), parts.path.rstrip("/"), "", ""))


Duration = Annotated[float, BeforeValidator(_duration(0.001))]
"""Seconds, up to a year."""
PollInterval = Annotated[float, BeforeValidator(_duration(1.0))]
"""Seconds. At least one, since the API is shared and updates its values about every 50 s."""
Timeout = Annotated[float, BeforeValidator(_duration(0.1))]
"""Seconds to wait for a client of the server."""
Boolean = Annotated[bool, BeforeValidator(_boolean)]
PageLimit = Annotated[int, BeforeValidator(_integer(1, 1000))]
"""Sessions per page; the API returns at most 1000."""
Concurrency = Annotated[int, BeforeValidator(_integer(1, 32))]
"""Concurrent requests."""
MaxConnections = Annotated[int, BeforeValidator(_integer(4, 100_000))]
"""Open connections. At least four, so that Prometheus and a probe do not evict each other."""
HeaderBytes = Annotated[int, BeforeValidator(_integer(1024, 1 << 20))]
"""Size of a request's headers. At least a kilobyte, for the headers of Prometheus."""
MaxSeries = Annotated[int, BeforeValidator(_integer(1, 10**9))]
"""Number of series."""
RequestsPerMinute = Annotated[int, BeforeValidator(_integer(3, 6000))]
"""Requests per minute. At least three, which one poll of a stream takes."""
ShardIndex = Annotated[int, BeforeValidator(_integer(0, 1023)), BeforeValidator(_index_of_pod_name)]
"""Index of a shard, or the name of a StatefulSet's pod that ends in it."""
ShardCount = Annotated[int, BeforeValidator(_integer(1, 1024))]
"""Number of shards."""
ListenAddress = Annotated[Address, BeforeValidator(_address)]
ListenAddresses = Annotated[tuple[Address, ...], BeforeValidator(_addresses)]
"""Addresses to listen on, at least one; separated by commas in text."""
FilePath = Annotated[Path, BeforeValidator(_file_path)]
"""Path of a file, which need not exist."""
ApiKey = Annotated[SecretStr, BeforeValidator(_api_key)]
"""API key, masked in any output."""
Label = Annotated[str, BeforeValidator(_label)]
"""Value of the label `account`."""
StreamIds = Annotated[tuple[str, ...], BeforeValidator(_stream_ids)]
"""IDs of parent streams without duplicates; separated by commas in text."""
TelemetryPath = Annotated[str, BeforeValidator(_telemetry_path)]
"""URL path of the metrics."""
BaseUrl = Annotated[str, BeforeValidator(_base_url)]
"""URL of the API without trailing slashes."""
CaseInsensitive = BeforeValidator(_lower)
"""Accepts choices in upper case too."""
