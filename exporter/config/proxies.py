"""Checks the proxy variables of the environment, which `trust_env` obeys."""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

_VARIABLES: Final = frozenset({"http_proxy", "https_proxy", "all_proxy"})
_WRITTEN: Final = re.compile(r"[!-~]{1,2048}")


def proxy_problems(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each variable that names no proxy we can use; it does not repeat the value.

    The HTTP library would choke on them, and show the proxy's user. It takes a bare `host:port` for http, and speaks
    SOCKS only with another library beside it.
    """
    for variable, text in sorted(environ.items()):
        if variable.lower() in _VARIABLES and text and not _is_usable(text):
            yield f"{variable}: must be the address of a proxy such as http://proxy:3128, with http or https"


def _is_usable(text: str) -> bool:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError:  # brackets that hold no address, or a port that is none
        return False
    return bool(_WRITTEN.fullmatch(text) and parts.scheme in ("http", "https") and parts.hostname and port != 0)
