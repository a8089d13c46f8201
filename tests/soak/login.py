"""Basic authentication of a soak, so that wrong passwords are checked (V03)."""

import base64
from pathlib import Path
from typing import Final

import bcrypt

USER: Final = "scraper"
PASSWORD: Final = "the correct password"
BCRYPT_ROUNDS: Final = 6
"""2**6 rounds: a check takes milliseconds, so that a soak on a small machine measures the queue and not bcrypt."""


def authorization(password: str = PASSWORD) -> str:
    """Return the value of the header `Authorization`."""
    return "Basic " + base64.b64encode(f"{USER}:{password}".encode()).decode()


def write_web_config(path: Path) -> None:
    """Write a web config file with the user and the hash of the password."""
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(BCRYPT_ROUNDS)).decode()
    path.write_text(f'basic_auth_users:\n  {USER}: "{hashed}"\n', encoding="utf-8")
