"""Schema of the web config file, and the messages for its errors."""

import re
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from exporter.config.yaml_file import YamlFileError, is_valid_path, read_yaml_file
from exporter.server.web_config import TLSConfig, WebConfig, WebConfigError

_VERIFY_MODES: Final = {
    "NoClientCert": ssl.VerifyMode.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.VerifyMode.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.VerifyMode.CERT_REQUIRED,
}
_UNVERIFIED_MODES: Final = ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")
_VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_DEFAULT_CIPHERS: Final = frozenset(
    str(cipher["name"]) for cipher in ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).get_ciphers()
)
_GO_CIPHER: Final = re.compile(r"TLS_[A-Z0-9_]{1,64}")
# The last character of the salt encodes two bits only; Python's bcrypt raises if its other four bits are not zero.
_BCRYPT_HASH: Final = re.compile(r"\$2[aby]\$(0[4-9]|1[0-8])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
_HEADER_VALUE: Final = re.compile(r"[ -~]*")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_LOGGABLE_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,40}")
_UNSUPPORTED_KEYS: Final = {
    "cert": "write the certificate to a file and set cert_file",
    "key": "write the key to a file and set key_file",
    "client_ca": "write the CA to a file and set client_ca_file",
    "client_allowed_sans": "every certificate of the CA is accepted; use a separate CA for the clients",
    "rate_limit": "the number of connections is limited instead",
}
_MESSAGES: Final = {
    "missing": "is required",
    "string_type": "must be a string; quote it if YAML reads it as another type",
    "tuple_type": "must be a list",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping of user names to bcrypt hashes",
    "bool_type": "must be true or false",
}


def read(path: Path) -> WebConfig:
    """Read a web config file; see `exporter.server.web_config.read_web_config`.

    Raises:
        WebConfigError: the file cannot be read or has errors.
    """
    try:
        file = read_yaml_file(path)
    except YamlFileError as error:
        raise WebConfigError(str(error)) from None
    try:
        schema = _WebConfigSchema.model_validate(file.values)
    except ValidationError as error:
        problems = tuple(_message(detail, file.lines) for detail in error.errors(include_input=False))
    else:
        return schema.to_config(path.parent)
    # Raised outside of the except block, so that pydantic's error, which contains the hashes, is not its context.
    raise WebConfigError(*problems)


def _check_path(text: str) -> str:
    if not text.strip() or not is_valid_path(text):
        raise ValueError("must be a file path")
    return text


def _check_client_auth(value: str) -> str:
    if value in _UNVERIFIED_MODES:
        raise ValueError(
            f"{value} is not supported, since Python always verifies client certificates; "
            "use VerifyClientCertIfGiven or RequireAndVerifyClientCert"
        )
    if value not in _VERIFY_MODES:
        raise ValueError(f"must be one of {', '.join(_VERIFY_MODES)}")
    return value


def _check_version(value: str) -> str:
    if value in ("TLS10", "TLS11"):
        raise ValueError(f"{value} is not supported; use TLS12 or TLS13")
    if value not in _VERSIONS:
        raise ValueError("must be TLS12 or TLS13")
    return value


def _check_cipher(name: str) -> str:
    if not _GO_CIPHER.fullmatch(name) and name not in _DEFAULT_CIPHERS:
        raise ValueError("must be the OpenSSL name of a cipher suite that Python enables by default, or a Go name")
    return name


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


def _empty_if_none(value: object) -> object:
    return {} if value is None else value


_FilePath = Annotated[str, AfterValidator(_check_path)]
_Version = Annotated[str, AfterValidator(_check_version)]
_Header = Annotated[str, AfterValidator(_check_header)]
_User = Annotated[str, AfterValidator(_check_user)]
_Hash = Annotated[str, AfterValidator(_check_hash)]


class _Schema(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _TLSSchema(_Schema):
    cert_file: _FilePath
    key_file: _FilePath
    client_auth_type: Annotated[str, AfterValidator(_check_client_auth)] = "NoClientCert"
    client_ca_file: _FilePath | None = None
    min_version: _Version = "TLS12"
    max_version: _Version = "TLS13"
    cipher_suites: tuple[Annotated[str, AfterValidator(_check_cipher)], ...] = ()
    prefer_server_cipher_suites: bool = Field(default=True, strict=True)
    curve_preferences: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        if self.client_auth_type == "NoClientCert" and self.client_ca_file:
            raise ValueError("client_ca_file has no effect without client_auth_type; set both or neither")
        if self.client_auth_type != "NoClientCert" and not self.client_ca_file:
            raise ValueError(f"client_auth_type {self.client_auth_type} requires client_ca_file")
        if self.min_version > self.max_version:
            raise ValueError("min_version must not be higher than max_version")
        return self

    def to_config(self, directory: Path) -> TLSConfig:
        return TLSConfig(
            cert_file=directory / self.cert_file,
            key_file=directory / self.key_file,
            client_ca_file=directory / self.client_ca_file if self.client_ca_file else None,
            verify_mode=_VERIFY_MODES[self.client_auth_type],
            min_version=_VERSIONS[self.min_version],
            max_version=_VERSIONS[self.max_version],
            ciphers=tuple(name for name in self.cipher_suites if not _GO_CIPHER.fullmatch(name)),
            prefer_server_ciphers=self.prefer_server_cipher_suites,
        )

    def warnings(self) -> Iterator[str]:
        if self.curve_preferences:
            yield "curve_preferences is ignored; OpenSSL's default order of curves is used"
        if any(_GO_CIPHER.fullmatch(name) for name in self.cipher_suites):
            yield "Go names in cipher_suites are ignored; use OpenSSL names such as ECDHE-RSA-AES128-GCM-SHA256"


class _HeadersSchema(_Schema):
    """The headers that the toolkit supports; empty ones are not sent."""

    csp: _Header = Field(default="", alias="Content-Security-Policy")
    frame_options: Literal["", "deny", "sameorigin"] = Field(default="", alias="X-Frame-Options")
    content_type_options: Literal["", "nosniff"] = Field(default="", alias="X-Content-Type-Options")
    xss_protection: _Header = Field(default="", alias="X-XSS-Protection")
    hsts: _Header = Field(default="", alias="Strict-Transport-Security")

    def to_config(self) -> tuple[tuple[bytes, bytes], ...]:
        values: Mapping[str, str] = self.model_dump(by_alias=True)
        return tuple((name.lower().encode(), value.encode()) for name, value in values.items() if value)


class _HTTPSchema(_Schema):
    http2: bool | None = Field(default=None, strict=True)
    headers: Annotated[_HeadersSchema, BeforeValidator(_empty_if_none)] = _HeadersSchema()


class _WebConfigSchema(_Schema):
    tls_server_config: Annotated[_TLSSchema | None, BeforeValidator(lambda value: value or None)] = None
    http_server_config: Annotated[_HTTPSchema, BeforeValidator(_empty_if_none)] = _HTTPSchema()
    basic_auth_users: Annotated[dict[_User, _Hash], BeforeValidator(_empty_if_none)] = Field(default={}, repr=False)

    def to_config(self, directory: Path) -> WebConfig:
        tls, http = self.tls_server_config, self.http_server_config
        warnings = list(tls.warnings()) if tls else []
        if http.http2 is not None:
            warnings.append("http2 is ignored; the server supports HTTP/1.1 only")
        return WebConfig(
            tls=tls.to_config(directory) if tls else None,
            users=MappingProxyType({name.encode(): hashed.encode() for name, hashed in self.basic_auth_users.items()}),
            headers=http.headers.to_config(),
            warnings=tuple(warnings),
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
        hint = _UNSUPPORTED_KEYS.get(keys[-1])
        return f"{label}: is not supported; {hint}" if hint else f"{label}: unknown key"
    text = _MESSAGES.get(kind) or detail["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    return f"{label}: {text}"
