"""Validation of the proxy environment variables."""

import pytest

from exporter.config import load
from tests.config.loads import SECRET, problems


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize(
    "value",
    [
        "socks5://127.0.0.1:1",
        f"foo://{SECRET}:pw@x:1",
        "http://[::1",
        "http://",
        "http://proxy:70000",
        "http://proxy:0",
        "http://pro xy",
        f"http://{SECRET}@",
    ],
)
def test_R08_an_unusable_proxy_is_an_error_with_its_variable_and_without_its_value(variable: str, value: str) -> None:
    assert problems({"trust_env": True}, {variable: value}) == (
        f"{variable}: must be the URL of an http or https proxy, such as http://proxy:3128",
    )


@pytest.mark.parametrize("value", ["", "proxy:3128", "http://proxy", "https://user:word@[::1]:3128/"])
def test_a_usable_proxy_is_accepted(value: str) -> None:
    assert load({"trust_env": True}, {"HTTPS_PROXY": value}).settings.trust_env


def test_proxies_are_not_validated_without_trust_env() -> None:
    assert not load({}, {"ALL_PROXY": "socks5://127.0.0.1:1"}).settings.trust_env
