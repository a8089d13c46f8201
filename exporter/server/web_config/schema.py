"""How the web config file is written: what may stand in it, and what is said about mistakes."""

import re
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from exporter.config import is_valid_path
from exporter.config.yaml_file import YamlFileError, read_yaml_file
from exporter.server.web_config import Tls, WebConfig, WebConfigError

_VERIFY: Final = {
    "NoClientCert": ssl.VerifyMode.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.VerifyMode.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.VerifyMode.CERT_REQUIRED,
}
_UNVERIFIED: Final = ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")
_VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_DEFAULT_CIPHERS: Final = frozenset(
    str(cipher["name"]) for cipher in ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).get_ciphers()
)
_GO_CIPHER: Final = re.compile(r"TLS_[A-Z0-9_]{1,64}")
# The last character of the salt has two bits; Python's bcrypt raises where the other four are not zero.
_BCRYPT: Final = re.compile(r"\$2[aby]\$(0[4-9]|1[0-8])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
_HEADER_TEXT: Final = re.compile(r"[ -~]*")
_HALF: Final = re.compile("[\ud800-\udfff]")
_PRESENTABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,40}")
_UNSUPPORTED: Final = {
    "cert": "write it to a file and use cert_file",
    "key": "write it to a file and use key_file",
    "client_ca": "write it to a file and use client_ca_file",
    "client_allowed_sans": "any certificate of the CA is let in, so use a CA of its own for the scrapers",
    "rate_limit": "a scrape sends bytes that are already there, and connections are limited by settings",
}
_WORDING: Final = {
    "missing": "is missing",
    "string_type": "must be text, in quotes if YAML takes it for something else",
    "tuple_type": "must be a list",
    "model_type": "must have keys of its own",
    "dict_type": "must have lines such as name: hash",
    "bool_type": "must be true or false",
}


def read(path: Path) -> WebConfig:
    """Read the file; paths in it are relative to its own directory, as in the toolkit.

    Raises:
        WebConfigError: it cannot be read, or something in it is wrong. Certificates are not looked at here.
    """
    if path.is_fifo():  # it would stop the whole program until somebody writes into it
        raise WebConfigError("is not a regular file")
    try:
        file = read_yaml_file(path)
    except YamlFileError as problem:
        raise WebConfigError(str(problem)) from None
    try:
        written = _Written.model_validate(file.values)
    except ValidationError as error:
        problems = tuple(_worded(detail, file.lines) for detail in error.errors(include_input=False))
    else:
        return written.meant(path.parent)
    # Raised out here, so that the library's error, which holds the hashes, does not travel along.
    raise WebConfigError(*problems)


def _path(text: str) -> str:
    if not text.strip() or not is_valid_path(text):
        raise ValueError("must be the path of a file")
    return text


def _client_auth(value: str) -> str:
    if value in _UNVERIFIED:
        raise ValueError(
            f"{value} is not possible here: Python cannot take a client's certificate unverified; "
            "use VerifyClientCertIfGiven or RequireAndVerifyClientCert"
        )
    if value not in _VERIFY:
        raise ValueError(f"must be one of {', '.join(_VERIFY)}")
    return value


def _version(value: str) -> str:
    if value in ("TLS10", "TLS11"):
        raise ValueError(f"{value} is too old: TLS12 or TLS13")
    if value not in _VERSIONS:
        raise ValueError("must be TLS12 or TLS13")
    return value


def _cipher(name: str) -> str:
    if not _GO_CIPHER.fullmatch(name) and name not in _DEFAULT_CIPHERS:
        raise ValueError("must be one of OpenSSL's names for a suite that Python enables, or Go's name for any")
    return name


def _hash(text: str) -> str:
    if not _BCRYPT.fullmatch(text):
        raise ValueError("must be a bcrypt hash of cost 4 to 18, as htpasswd -nBC 10 NAME makes it")
    return text


def _user(name: str) -> str:
    if not name or ":" in name or _HALF.search(name):
        raise ValueError("a user's name must not be empty, hold a colon or half a character")
    return name


def _header(text: str) -> str:
    if not _HEADER_TEXT.fullmatch(text):
        raise ValueError("must be printable ASCII in one line")
    return text


def _empty_if_none(value: object) -> object:
    return {} if value is None else value


_File = Annotated[str, AfterValidator(_path)]
_Version = Annotated[str, AfterValidator(_version)]
_Header = Annotated[str, AfterValidator(_header)]
_User = Annotated[str, AfterValidator(_user)]
_Hash = Annotated[str, AfterValidator(_hash)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _TlsServer(_Model):
    cert_file: _File
    key_file: _File
    client_auth_type: Annotated[str, AfterValidator(_client_auth)] = "NoClientCert"
    client_ca_file: _File | None = None
    min_version: _Version = "TLS12"
    max_version: _Version = "TLS13"
    cipher_suites: tuple[Annotated[str, AfterValidator(_cipher)], ...] = ()
    prefer_server_cipher_suites: bool = Field(default=True, strict=True)
    curve_preferences: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.client_auth_type == "NoClientCert" and self.client_ca_file:
            raise ValueError("client_ca_file is of no use without a client_auth_type")
        if self.client_auth_type != "NoClientCert" and not self.client_ca_file:
            raise ValueError(f"{self.client_auth_type} needs a client_ca_file")
        if self.min_version > self.max_version:
            raise ValueError("min_version is above max_version")
        return self

    def meant(self, directory: Path) -> Tls:
        return Tls(
            cert_file=directory / self.cert_file,
            key_file=directory / self.key_file,
            client_ca_file=directory / self.client_ca_file if self.client_ca_file else None,
            verify=_VERIFY[self.client_auth_type],
            minimum=_VERSIONS[self.min_version],
            maximum=_VERSIONS[self.max_version],
            ciphers=tuple(name for name in self.cipher_suites if not _GO_CIPHER.fullmatch(name)),
            prefer_own_order=self.prefer_server_cipher_suites,
        )

    def warnings(self) -> Iterator[str]:
        if self.curve_preferences:
            yield "curve_preferences is ignored: OpenSSL's order of curves stays"
        if any(_GO_CIPHER.fullmatch(name) for name in self.cipher_suites):
            yield "cipher_suites: Go's names are ignored; Python takes OpenSSL's, such as ECDHE-RSA-AES128-GCM-SHA256"


class _Headers(_Model):
    """The toolkit knows these headers and no others; an empty one is left out."""

    csp: _Header = Field(default="", alias="Content-Security-Policy")
    frames: Literal["", "deny", "sameorigin"] = Field(default="", alias="X-Frame-Options")
    types: Literal["", "nosniff"] = Field(default="", alias="X-Content-Type-Options")
    xss: _Header = Field(default="", alias="X-XSS-Protection")
    hsts: _Header = Field(default="", alias="Strict-Transport-Security")

    def meant(self) -> tuple[tuple[bytes, bytes], ...]:
        given: Mapping[str, str] = self.model_dump(by_alias=True)
        return tuple((name.lower().encode(), value.encode()) for name, value in given.items() if value)


class _HttpServer(_Model):
    http2: bool | None = Field(default=None, strict=True)
    headers: Annotated[_Headers, BeforeValidator(_empty_if_none)] = _Headers()


class _Written(_Model):
    tls_server_config: Annotated[_TlsServer | None, BeforeValidator(lambda value: value or None)] = None
    http_server_config: Annotated[_HttpServer, BeforeValidator(_empty_if_none)] = _HttpServer()
    basic_auth_users: Annotated[dict[_User, _Hash], BeforeValidator(_empty_if_none)] = Field(default={}, repr=False)

    def meant(self, directory: Path) -> WebConfig:
        tls, http = self.tls_server_config, self.http_server_config
        warnings = list(tls.warnings()) if tls else []
        if http.http2 is not None:
            warnings.append("http2 is ignored: the server speaks HTTP/1.1")
        return WebConfig(
            tls=tls.meant(directory) if tls else None,
            users=MappingProxyType({name.encode(): hashed.encode() for name, hashed in self.basic_auth_users.items()}),
            headers=http.headers.meant(),
            warnings=tuple(warnings),
        )


def _worded(detail: ErrorDetails, lines: Mapping[str, int]) -> str:
    where = [str(part) for part in detail["loc"] if part != "[key]"]
    if where[:1] == ["basic_auth_users"]:
        name = "basic_auth_users"  # a name is nobody's business, and a slip may have put a password there
    else:
        name = ".".join(part for part in where if _PRESENTABLE.fullmatch(part))
    line = next((lines[path] for path in _paths(detail["loc"]) if path in lines), None)
    label = f"{name} (line {line})" if name and line else name or (f"line {line}" if line else "the file")
    kind = detail["type"]
    if kind in ("extra_forbidden", "invalid_key"):
        hint = _UNSUPPORTED.get(where[-1])
        return f"{label}: is not supported: {hint}" if hint else f"{label}: unknown key"
    return f"{label}: {_WORDING.get(kind) or detail['msg'].removeprefix('Value error, ')}"


def _paths(location: tuple[int | str, ...]) -> Iterator[str]:
    """Paths as `YamlFile.lines` writes them, from the place itself up to its section."""
    texts = [str(part) for part in location if part != "[key]"]
    for end in range(len(texts), 0, -1):
        yield ".".join(texts[:end])
