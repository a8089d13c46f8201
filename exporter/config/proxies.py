"""Validation of the proxy environment variables, which `trust_env` enables."""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

_VARIABLES: Final = frozenset({"http_proxy", "https_proxy", "all_proxy"})
_PRINTABLE: Final = re.compile(r"[!-~]{1,2048}")


def proxy_problems(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield an error for each variable without a usable proxy; it does not contain the value.

    httpx would raise on such a value, with the user name of the proxy in the message. It accepts `host:port` as an
    http proxy, and supports SOCKS with an additional library only.
    """
    for variable, text in sorted(environ.items()):
        if variable.lower() in _VARIABLES and text and not _is_usable(text):
            yield f"{variable}: must be the URL of an http or https proxy, such as http://proxy:3128"


def _is_usable(text: str) -> bool:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError:  # invalid IPv6 address or port
        return False
    return bool(_PRINTABLE.fullmatch(text) and parts.scheme in ("http", "https") and parts.hostname and port != 0)
