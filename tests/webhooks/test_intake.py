"""What becomes of a call: its status, its counters, and the stream that is polled."""

from dataclasses import dataclass, field

import pytest

from exporter.metrics.catalogue import PREFIX
from exporter.metrics.catalogue.outcomes import WEBHOOK_RESULTS
from exporter.metrics.instruments import Telemetry
from exporter.webhooks import intake as module
from exporter.webhooks.intake import (
    ACCEPTED,
    EXPIRED,
    INVALID,
    MAX_AGE,
    REPEATED,
    UNSIGNED,
    Intake,
    SeenEvents,
    Verdict,
)
from tests.support.rows import START
from tests.webhooks.calls import SECRET, body, header


@dataclass
class Recorder:
    """Receives hints."""

    found: list[tuple[str, float | None]] = field(default_factory=list)
    of_recordings: int = 0

    def add(self, stream_id: str, time: float | None, *, of_recording: bool) -> None:
        self.found.append((stream_id, time))
        self.of_recordings += of_recording


@dataclass
class Webhook:
    """A webhook of the tests."""

    secrets: tuple[str, ...] = (SECRET,)
    hints: Recorder = field(default_factory=Recorder)
    telemetry: Telemetry = field(default_factory=lambda: Telemetry("a"))
    seen: SeenEvents = field(default_factory=SeenEvents)

    def take(self, content: bytes, signature: str | None = None) -> Verdict:
        intake = Intake(lambda: self.secrets, lambda: START, self.telemetry, self.seen, self.hints)
        return intake.take(content, header(content) if signature is None else signature)

    def count(self, name: str, **labels: str) -> float:
        return sum(
            sample.value
            for metric in self.telemetry.collect()
            for sample in metric.samples
            if sample.name == PREFIX + name and labels.items() <= sample.labels.items()
        )


def test_a_valid_call_is_counted_and_its_stream_is_polled() -> None:
    webhook = Webhook()
    assert webhook.take(body()) is ACCEPTED
    assert webhook.hints.found == [("parent-1", START)]
    assert webhook.count("webhooks_total", event="stream.started", result="accepted") == 1


@pytest.mark.parametrize("name", ["stream.idle", "multistream.connected", "multistream.error", "asset.ready"])
def test_an_event_that_does_not_concern_sessions_causes_no_poll(name: str) -> None:
    webhook = Webhook()
    assert webhook.take(body(name)) is ACCEPTED
    assert webhook.hints.found == []


def test_a_call_without_a_stream_causes_no_poll() -> None:
    webhook = Webhook()
    assert webhook.take(body(stream=None)) is ACCEPTED
    assert webhook.hints.found == []


@pytest.mark.parametrize("signature", ["", "t=1,v1=x", header(body(), "wrong"), header(b"another body")])
def test_V19_a_wrong_or_missing_signature_is_refused_before_the_body_is_parsed(signature: str) -> None:
    webhook = Webhook()
    assert webhook.take(body(), signature) is UNSIGNED
    assert webhook.take(b"not json", signature) is UNSIGNED
    assert webhook.count("webhooks_total", event="none", result="unauthorized") == 2
    assert webhook.hints.found == []
    assert len(webhook.seen) == 0


def test_without_a_readable_secret_every_call_is_refused() -> None:
    assert Webhook(secrets=()).take(body()) is UNSIGNED


@pytest.mark.parametrize("offset", [-MAX_AGE - 1, MAX_AGE + 1])
def test_V20_a_call_of_another_time_is_refused(offset: float) -> None:
    webhook = Webhook()
    content = body()
    assert webhook.take(content, header(content, time=START + offset)) is EXPIRED
    assert webhook.count("webhooks_total", event="none", result="expired") == 1
    assert webhook.hints.found == []


@pytest.mark.parametrize("offset", [-MAX_AGE - 1, MAX_AGE + 1])
def test_V20_a_captured_call_with_another_time_in_its_header_is_refused(offset: float) -> None:
    webhook = Webhook()
    content = body(timestamp=(START + offset) * 1000)
    assert webhook.take(content, header(content, time=START)) is EXPIRED
    assert webhook.count("webhooks_total", event="none", result="expired") == 1
    assert (webhook.hints.found, len(webhook.seen)) == ([], 0)


def test_a_call_that_is_repeated_for_hours_is_accepted_with_the_time_of_its_event() -> None:
    webhook = Webhook()
    assert webhook.take(body(createdAt=(START - 7200) * 1000)) is ACCEPTED
    assert webhook.hints.found == [("parent-1", START - 7200)]


@pytest.mark.parametrize("offset", [-MAX_AGE, 0, MAX_AGE])
def test_a_call_of_the_last_minutes_is_accepted(offset: float) -> None:
    content = body(timestamp=(START + offset) * 1000)
    assert Webhook().take(content, header(content, time=START + offset)) is ACCEPTED


def test_a_signed_body_that_is_not_an_event_is_invalid() -> None:
    webhook = Webhook()
    assert webhook.take(b"[]") is INVALID
    assert webhook.count("webhooks_total", event="none", result="invalid") == 1


def test_V20_a_repeated_event_counts_once() -> None:
    webhook = Webhook()
    content = body("multistream.error")
    assert [webhook.take(content) for _ in range(3)] == [ACCEPTED, REPEATED, REPEATED]
    assert webhook.take(body("multistream.error", 2)) is ACCEPTED
    assert webhook.take(body("multistream.error", 3)) is ACCEPTED
    assert webhook.count("multistream_events_total", result="error") == 3
    assert webhook.count("webhooks_total", result="repeated") == 2


def test_V20_a_repeated_event_is_a_hint_whose_lag_is_not_measured() -> None:
    webhook = Webhook()
    for _ in range(3):
        webhook.take(body())
    assert webhook.hints.found == [("parent-1", START), ("parent-1", None), ("parent-1", None)]


def test_a_hint_is_of_a_recording_if_its_event_is() -> None:
    webhook = Webhook()
    for number, name in enumerate(("stream.started", "recording.started", "recording.waiting", "recording.ready")):
        webhook.take(body(name, number))
    assert webhook.hints.of_recordings == 3


def test_the_memory_of_events_is_bounded() -> None:
    seen = SeenEvents(3)
    assert [seen.add(name) for name in "abcab"] == [True, True, True, False, False]
    assert seen.add("d")
    assert len(seen) == 3
    assert seen.add("a")  # the first one was forgotten
    assert not seen.add("d")


def test_the_results_are_those_of_the_label() -> None:
    verdicts = [value for value in vars(module).values() if isinstance(value, Verdict)]
    assert {verdict.result for verdict in verdicts} == set(WEBHOOK_RESULTS)
