"""Schema of the web config file, and the messages for its errors."""

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from exporter.config.yaml_file import YamlFileError, read_yaml_file
from exporter.server.web_config import RateLimit, WebConfig, WebConfigError
from exporter.server.web_config.section import Bool, Count, Section
from exporter.server.web_config.tls_section import TLSSection

# The last character of the salt encodes two bits only; Python's bcrypt raises if its other four bits are not zero.
_BCRYPT_HASH: Final = re.compile(r"\$2[aby]\$(0[4-9]|1[0-8])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
_HEADER_VALUE: Final = re.compile(r"[ -~]*")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_LOGGABLE_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,40}")
_SECONDS_PER_UNIT: Final = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
}
_DURATION_PART: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})(ns|us|µs|ms|s|m|h)")
_DURATION: Final = re.compile(rf"(?:{_DURATION_PART.pattern})+|0")
_MESSAGES: Final = {
    "missing": "is required",
    "string_type": "must be a string",
    "tuple_type": "must be a list",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping of user names to bcrypt hashes",
}


def read(path: Path) -> WebConfig:
    """Read a web config file; see `exporter.server.web_config.read_web_config`.

    Raises:
        WebConfigError: the file cannot be read or has errors.
    """
    try:
        file = read_yaml_file(path, as_text=True)
    except YamlFileError as error:
        raise WebConfigError(str(error)) from None
    try:
        schema = WebConfigSchema.model_validate(file.values)
    except ValidationError as error:
        problems = tuple(_message(detail, file.lines) for detail in error.errors(include_input=False))
    else:
        return schema.to_config(path.parent)
    # Raised outside of the except block, so that pydantic's error, which contains the hashes, is not its context.
    raise WebConfigError(*problems)


def _check_hash(text: str) -> str:
    if not _BCRYPT_HASH.fullmatch(text):
        raise ValueError("must be a bcrypt hash with a cost of 4 to 18; create one with htpasswd -nBC 10 NAME")
    return text


def _check_user(name: str) -> str:
    if not name or ":" in name or _SURROGATE.search(name):
        raise ValueError("user names must not be empty or contain a colon or a lone surrogate")
    return name


def _check_header(text: str) -> str:
    if not _HEADER_VALUE.fullmatch(text):
        raise ValueError("must be printable ASCII on one line")
    return text


def _parse_duration(value: object) -> float:
    """Return the seconds of a duration in Go's notation, in which a unit may have decimals and come in any order."""
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError("must be a duration with a unit, such as 1s, 500ms or 1m30s")
    return float(sum(Decimal(number) * _SECONDS_PER_UNIT[unit] for number, unit in _DURATION_PART.findall(value)))


def _check_http2(enabled: bool) -> bool:
    if enabled:
        raise ValueError(
            "true is not supported: the server speaks HTTP/1.1 only, which Prometheus uses if HTTP/2 is not offered; "
            "remove http2 or set it to false"
        )
    return enabled


def _empty_if_none(value: object) -> object:
    return {} if value is None else value


_Header = Annotated[str, AfterValidator(_check_header)]
_User = Annotated[str, AfterValidator(_check_user)]
_Hash = Annotated[str, AfterValidator(_check_hash)]


class _HeadersSection(Section):
    """The headers that the toolkit supports; empty ones are not sent."""

    csp: _Header = Field(default="", alias="Content-Security-Policy")
    frame_options: Literal["", "deny", "sameorigin"] = Field(default="", alias="X-Frame-Options")
    content_type_options: Literal["", "nosniff"] = Field(default="", alias="X-Content-Type-Options")
    xss_protection: _Header = Field(default="", alias="X-XSS-Protection")
    hsts: _Header = Field(default="", alias="Strict-Transport-Security")

    def to_config(self) -> tuple[tuple[bytes, bytes], ...]:
        values: Mapping[str, str] = self.model_dump(by_alias=True)
        return tuple((name.lower().encode(), value.encode()) for name, value in values.items() if value)


class _HTTPSection(Section):
    http2: Annotated[Bool, AfterValidator(_check_http2)] = False
    headers: _HeadersSection = _HeadersSection()


class _RateLimitSection(Section):
    interval: Annotated[float, BeforeValidator(_parse_duration)] = 0.0
    burst: Count = 0

    @model_validator(mode="after")
    def _check_burst(self) -> Self:
        if self.interval and not self.burst:
            raise ValueError("burst must be at least 1, or no request would be allowed")
        return self

    def to_config(self) -> RateLimit | None:
        return RateLimit(self.interval, self.burst) if self.interval else None


class WebConfigSchema(Section):
    """All keys of the file."""

    tls_server_config: Annotated[TLSSection | None, BeforeValidator(lambda value: value or None)] = None
    http_server_config: _HTTPSection = _HTTPSection()
    basic_auth_users: Annotated[dict[_User, _Hash], BeforeValidator(_empty_if_none)] = Field(default={}, repr=False)
    rate_limit: _RateLimitSection = _RateLimitSection()

    def to_config(self, directory: Path) -> WebConfig:
        """Return the configuration, with relative paths resolved against a directory."""
        tls = self.tls_server_config
        return WebConfig(
            tls=tls.to_config(directory) if tls else None,
            users=MappingProxyType({name.encode(): hashed.encode() for name, hashed in self.basic_auth_users.items()}),
            headers=self.http_server_config.headers.to_config(),
            rate_limit=self.rate_limit.to_config(),
            warnings=tuple(tls.warnings()) if tls else (),
        )


def _message(detail: ErrorDetails, lines: Mapping[str, int]) -> str:
    keys = [str(part) for part in detail["loc"] if part != "[key]"]
    if keys[:1] == ["basic_auth_users"]:
        name = "basic_auth_users"  # user names are private, and a misplaced password may be among them
    else:
        name = ".".join(key for key in keys if _LOGGABLE_KEY.fullmatch(key))
    # The most specific part of the location that has a line of its own.
    line = next((lines[path] for end in range(len(keys), 0, -1) if (path := ".".join(keys[:end])) in lines), None)
    label = f"{name} (line {line})" if name and line else name or (f"line {line}" if line else "the file")
    kind = detail["type"]
    if kind in ("extra_forbidden", "invalid_key"):
        return f"{label}: unknown key"
    text = _MESSAGES.get(kind) or detail["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    return f"{label}: {text}"
