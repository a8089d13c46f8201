"""The instruments of one account."""

import math
from collections import Counter
from collections.abc import Callable
from itertools import product
from math import prod

import pytest

from exporter.metrics import catalogue
from exporter.metrics.catalogue import ACCOUNT_FAMILIES, MULTISTREAM_EVENTS, PREFIX, WEBHOOK_FAMILIES, Family
from exporter.metrics.catalogue.outcomes import CODES
from exporter.metrics.catalogue.webhooks import WITHOUT_WEBHOOK
from exporter.metrics.instruments import Telemetry
from exporter.sessions.counters import Increments
from exporter.sessions.lifecycle import LifecycleIncrements
from exporter.sessions.session_life import SessionIncrements
from exporter.sessions.snapshot import HEALTH
from exporter.sessions.stream_life import StreamIncrements


def samples(telemetry: Telemetry) -> dict[tuple[str, ...], float]:
    """Return the samples by name without the prefix and by the label values after the account."""
    found = (sample for metric in telemetry.collect() for sample in metric.samples)
    return {(each.name.removeprefix(PREFIX), *list(each.labels.values())[1:]): each.value for each in found}


def test_the_families_are_those_of_the_catalogue_in_its_order() -> None:
    found = list(Telemetry("a").collect())
    names = [each.name.removesuffix("_total") for each in ACCOUNT_FAMILIES]
    assert [each.name for each in found] == names
    assert [each.type for each in found] == [each.type for each in ACCOUNT_FAMILIES]


@pytest.mark.parametrize(
    "family",
    [
        each
        for each in ACCOUNT_FAMILIES
        if each.label_values and each != catalogue.INVALID_VALUES_BY_FIELD and each.absent_when != WITHOUT_WEBHOOK
    ],
    ids=lambda each: each.name,
)
def test_every_series_of_a_closed_set_starts_at_zero(family: Family) -> None:
    found = samples(Telemetry("a"))
    name = family.name.removeprefix(PREFIX) + ("_count" if family.type == "histogram" else "")
    for values in product(*family.label_values):
        assert found[name, *values] == 0


@pytest.mark.parametrize(
    "family",
    [each for each in ACCOUNT_FAMILIES if each.buckets and each.absent_when != WITHOUT_WEBHOOK],
    ids=lambda each: each.name,
)
def test_a_histogram_has_the_declared_buckets(family: Family) -> None:
    name = f"{family.name.removeprefix(PREFIX)}_bucket"
    bounds = [labels[-1] for found, *labels in samples(Telemetry("a")) if found == name]
    assert list(map(float, bounds)) == [*family.buckets, math.inf] * prod(map(len, family.label_values))


def test_a_value_unknown_at_the_start_has_no_sample() -> None:
    names = {name for name, *_ in samples(Telemetry("a"))}
    unknown = {
        each.name.removeprefix(PREFIX) for each in ACCOUNT_FAMILIES if each.absent_when != "never" and each.in_shards
    }
    assert unknown
    assert not unknown & names


def test_webhooks_show_every_series_that_can_have_a_value() -> None:
    telemetry = Telemetry("a")
    telemetry.count(MULTISTREAM_EVENTS, 2, "error")
    telemetry.show_webhooks()
    found = samples(telemetry)
    calls = {key[1:]: value for key, value in found.items() if key[0] == "webhooks_total"}
    assert len(calls) == 9 * 2 + 5
    assert set(calls.values()) == {0}
    assert Counter(result for _, result in calls) >= Counter({"accepted": 9, "repeated": 9, "unauthorized": 1})
    assert found["multistream_events_total", "error"] == 2
    assert found["multistream_events_total", "connected"] == found["webhook_lag_seconds_count",] == 0


def test_every_sample_has_the_account_as_its_first_label() -> None:
    for metric in Telemetry("mine").collect():
        for sample in metric.samples:
            assert next(iter(sample.labels.items())) == ("account", "mine")


def test_there_are_no_created_series() -> None:
    assert not [name for name, *_ in samples(Telemetry("a")) if name.endswith("_created")]


def test_a_request_is_counted_by_its_code_with_its_bytes_and_seconds() -> None:
    telemetry = Telemetry("a")
    telemetry.request("200", 0.25, 1000)
    telemetry.request("none", 10.0, 0)
    found = samples(telemetry)
    counted = {code: found["exporter_api_requests_total", code] for code in CODES}
    assert {code: count for code, count in counted.items() if count} == {"200": 1, "none": 1}
    assert found["exporter_api_response_bytes_total",] == 1000
    assert found["exporter_api_request_duration_seconds_sum",] == 10.25
    assert found["exporter_api_request_duration_seconds_bucket", "0.25"] == 1


def test_a_status_code_without_a_label_value_of_its_own_counts_as_other() -> None:
    telemetry = Telemetry("a")
    telemetry.request("418", 0.1, 0)
    found = samples(telemetry)
    assert {code for code in CODES if found["exporter_api_requests_total", code]} == {"other"}


def test_retries_and_throttling_are_counted() -> None:
    telemetry = Telemetry("a")
    telemetry.retry()
    telemetry.throttled()
    telemetry.throttled()
    found = samples(telemetry)
    assert (found["exporter_api_retries_total",], found["exporter_api_throttled_total",]) == (1, 2)


def test_pages_are_set_and_dropped_values_are_added_up() -> None:
    telemetry = Telemetry("a")
    for pages in (7, 3):
        telemetry.count_pages(pages=pages, duplicates=2)
        telemetry.count_invalid({("lastSeen", "range"): 4}, {"no_id": 1})
    found = samples(telemetry)
    assert found["exporter_walk_pages",] == 3
    assert found["exporter_walk_duplicates_total",] == 4
    assert found["exporter_invalid_values_total",] == 8
    assert found["exporter_invalid_values_by_field_total", "lastSeen", "range"] == 8
    assert found["exporter_invalid_sessions_total", "no_id"] == 2


def test_the_total_of_invalid_values_is_the_sum_over_the_fields_that_had_any() -> None:
    telemetry = Telemetry("a")
    assert samples(telemetry)["exporter_invalid_values_total",] == 0
    assert not [name for name, *_ in samples(telemetry) if name == "exporter_invalid_values_by_field_total"]
    telemetry.count_invalid({("lastSeen", "range"): 4, ("lastSeen", "type"): 1, ("record", "type"): 2}, {})
    found = samples(telemetry)
    by_field = {
        tuple(labels): value
        for (name, *labels), value in found.items()
        if name == "exporter_invalid_values_by_field_total"
    }
    assert by_field == {("lastSeen", "range"): 4, ("lastSeen", "type"): 1, ("record", "type"): 2}
    assert found["exporter_invalid_values_total",] == sum(by_field.values())


def test_increments_are_added_up() -> None:
    telemetry = Telemetry("a")
    increments = Increments({"source_bytes": 10.5}, {"source_bytes": 1}, 2, {"failed": 3})
    telemetry.count_increments(increments)
    telemetry.count_increments(increments)
    found = samples(telemetry)
    assert found["source_bytes_total",] == 21
    assert found["exporter_regressions_total", "source_bytes"] == 2
    assert found["sessions_started_total",] == 4
    assert found["recordings_finished_total", "failed"] == 6


LIFECYCLE = LifecycleIncrements(
    SessionIncrements(2, [5.0, 7200.5], [0.25]),
    StreamIncrements({"healthy": 30.5, "unhealthy": 2.0, "unknown": 0.0}, 4.0, 2, 3),
    {"ready": [90.0], "failed": []},
)


def test_the_lifecycle_is_added_up() -> None:
    telemetry = Telemetry("a")
    telemetry.count_lifecycle(LIFECYCLE)
    telemetry.count_lifecycle(LIFECYCLE)
    found = samples(telemetry)
    assert [found["observed_seconds_total", health] for health in HEALTH] == [61, 4, 0]
    assert (found["unobserved_seconds_total",], found["unhealthy_episodes_total",]) == (8, 4)
    assert (found["reconnects_total",], found["sessions_never_started_total",]) == (6, 4)
    assert found["ended_session_duration_seconds_bucket", "10.0"] == 2
    assert found["ended_session_duration_seconds_sum",] == 2 * 7205.5
    assert found["ended_session_unhealthy_ratio_bucket", "0.1"] == 0
    assert found["ended_session_unhealthy_ratio_bucket", "0.25"] == 2
    assert found["recording_processing_seconds_count", "ready"] == 2
    assert found["recording_processing_seconds_bucket", "ready", "60.0"] == 0
    assert found["recording_processing_seconds_count", "failed"] == 0


def test_a_shard_has_no_counters_that_need_all_sessions_of_a_stream() -> None:
    telemetry = Telemetry("a")
    telemetry.become_shard()
    telemetry.count_lifecycle(LIFECYCLE)
    telemetry.become_shard()
    found = {name for name, *_ in samples(telemetry)}
    missing = {"observed_seconds_total", "unobserved_seconds_total", "unhealthy_episodes_total", "reconnects_total"}
    assert {each.name.removeprefix(PREFIX) for each in ACCOUNT_FAMILIES if not each.in_shards} == missing
    assert not missing & found
    assert "sessions_never_started_total" in found


def test_a_gauge_that_is_unset_has_no_sample_until_it_is_set_again() -> None:
    telemetry = Telemetry("a")
    name = catalogue.BACKOFF_UNTIL.name.removeprefix(PREFIX)
    telemetry.set(catalogue.BACKOFF_UNTIL, 5)
    assert samples(telemetry)[name,] == 5
    telemetry.remove(catalogue.BACKOFF_UNTIL)
    assert (name,) not in samples(telemetry)
    telemetry.set(catalogue.BACKOFF_UNTIL, 6)
    assert samples(telemetry)[name,] == 6


def test_a_label_outside_of_its_closed_set_is_not_accepted_silently_as_another() -> None:
    telemetry = Telemetry("a")
    with pytest.raises(ValueError):
        telemetry.count(catalogue.POLL_FAILURES, 1)


def test_two_accounts_do_not_share_anything() -> None:
    first, second = Telemetry("a"), Telemetry("b")
    first.retry()
    assert samples(second)["exporter_api_retries_total",] == 0


def test_reduced_instruments_keep_only_the_last_bucket_of_reducible_histograms() -> None:
    whole, reduced = samples(Telemetry("a")), samples(Telemetry("a", reduced=True))
    reducible = {f"{each.name.removeprefix(PREFIX)}_bucket" for each in ACCOUNT_FAMILIES if each.reducible}
    omitted = {key for key in whole if key[0] in reducible and key[-1] != "+Inf"}
    assert omitted
    assert reduced.keys() == whole.keys() - omitted


@pytest.mark.parametrize(
    "change",
    [
        lambda telemetry: telemetry.count(catalogue.WEBHOOKS, 1, "none", "unauthorized"),
        lambda telemetry: telemetry.observe(catalogue.WEBHOOK_LAG, 1.0),
    ],
    ids=["counted", "observed"],
)
def test_the_families_of_webhooks_are_returned_once_after_each_of_their_changes(
    change: Callable[[Telemetry], None],
) -> None:
    telemetry = Telemetry("a")
    change(telemetry)
    telemetry.request("200", 0.5, 10)  # counts and observes other families
    assert [each.name for each in telemetry.changed_webhooks()] == [
        each.name.removesuffix("_total") for each in WEBHOOK_FAMILIES
    ]
    assert telemetry.changed_webhooks() == ()
    telemetry.request("200", 0.5, 10)
    assert telemetry.changed_webhooks() == ()
