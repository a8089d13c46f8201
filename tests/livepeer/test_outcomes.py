"""The outcomes in the catalogue are exactly those that the client reports."""

from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.livepeer.errors import PollError, StatusError
from exporter.livepeer.response import raise_for_status
from exporter.metrics.catalogue.outcomes import CODES, FAILURES, SESSION_FAULTS, VALUE_FAULTS
from exporter.metrics.instruments import Telemetry
from tests.livepeer.clients import livepeer_client
from tests.livepeer.pages import INVALID_ITEMS, INVALID_VALUES, JSON, check_page, decode, with_value
from tests.support.loop import in_loop
from tests.support.rows import encoded, row
from tests.support.upstream import always, reply, upstream


def error_classes(base: type[PollError] = PollError) -> Iterator[type[PollError]]:
    for error in base.__subclasses__():
        yield error
        yield from error_classes(error)


def test_failures_are_those_of_the_error_classes_and_internal() -> None:
    concrete = [error for error in error_classes() if error is not StatusError]
    assert {error.failure for error in concrete} == {*FAILURES} - {"internal"}
    assert len(FAILURES) == len({*FAILURES})


@given(st.integers(100, 999).filter(lambda status: status != 200))
def test_the_failure_of_every_status_is_in_the_closed_set(status: int) -> None:
    with pytest.raises(PollError) as caught:
        raise_for_status(httpx.Response(status))
    assert caught.value.failure in FAILURES


@in_loop
async def test_codes_are_those_of_requests_with_any_status_or_without_a_response() -> None:
    telemetry = Telemetry("default")
    async with upstream(always(b"")) as server, livepeer_client(server.url, meter=telemetry) as client:
        with suppress(PollError):
            await client.check()
        for status in range(200, 600):
            server.script = always(reply(b"[]", status))
            with suppress(PollError):
                await client.check()
    name = "livepeer_studio_exporter_api_requests_total"
    samples = [sample for metric in telemetry.collect() for sample in metric.samples if sample.name == name]
    assert {sample.labels["code"] for sample in samples} == {*CODES}
    assert all(sample.value for sample in samples)


def test_value_faults_are_those_of_invalid_values() -> None:
    pages = [with_value(row(1), field, text) for field, _, text in INVALID_VALUES]
    faults = {fault for body in pages for _, fault in decode(body).invalid_values}
    assert faults == {*VALUE_FAULTS}


def test_session_faults_are_those_of_invalid_items() -> None:
    pages = [f"[{text}]".encode() for _, text in INVALID_ITEMS]
    faults = {fault for body in pages for fault in decode(body).invalid_sessions}
    assert faults == {*SESSION_FAULTS}


@given(st.lists(JSON, max_size=3))
def test_the_faults_of_any_page_are_in_the_closed_sets(items: list[object]) -> None:
    assert check_page(encoded(items)) is not None
