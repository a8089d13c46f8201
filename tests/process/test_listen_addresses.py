"""Row V15 of the fault matrix: several listen addresses."""

from dataclasses import replace

import pytest

from tests.support.running import running_exporter

pytestmark = pytest.mark.process

UPSTREAM = ("--base-url", "http://127.0.0.1:9/api")


def test_V15_the_pages_are_served_on_every_listen_address() -> None:
    flags = ("--web.listen-address", "127.0.0.1:0", "--web.listen-address", ":0")
    with running_exporter(*UPSTREAM, *flags) as exporter:
        exporter.wait_for_event("listening", 2)
        ports = [each["port"] for each in exporter.events("listening")]
        assert len(set(ports)) == 2
        for port in ports:
            assert replace(exporter, port=port).request().status == 200
