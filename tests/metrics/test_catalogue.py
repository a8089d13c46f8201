"""The declared metrics follow the rules of the Prometheus guide, and docs/metrics.md follows from them."""

import re

import pytest

from exporter.metrics import catalogue
from exporter.metrics.catalogue import (
    ACCOUNT_FAMILIES,
    AMOUNTS,
    EVERY_OPTION,
    PREFIX,
    SCOPE_INFO,
    TOTAL_FAMILIES,
    Family,
    Options,
    everything,
    session_families,
    stream_families,
)
from exporter.sessions.growth import COUNTED
from exporter.sessions.session import FIELDS, Profile
from exporter.sessions.snapshot import ACTIVE
from exporter.sessions.streams import Stream
from tests.support.accounts import session
from tests.support.generated_docs import DOCS, generated

FAMILIES = [family for family, _ in everything(EVERY_OPTION)]
LABELS = {family.name: (*subject, *family.labels) for family, subject in everything(EVERY_OPTION)}
PAGE = (DOCS / "metrics.md").read_text(encoding="utf-8")

by_name = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


def test_no_two_metrics_have_the_same_name() -> None:
    names = [family.name for family in FAMILIES]
    assert len(names) == len(set(names))


@by_name
def test_a_name_is_lower_case_with_the_prefix(family: Family) -> None:
    assert re.fullmatch(f"{PREFIX}[a-z][a-z0-9]*(_[a-z0-9]+)*", family.name)


@by_name
def test_counters_alone_end_in_total(family: Family) -> None:
    assert family.name.endswith("_total") is (family.type == "counter")


@by_name
def test_no_name_ends_like_the_series_of_a_histogram(family: Family) -> None:
    assert not family.name.endswith(("_bucket", "_count", "_sum", "_created"))


@by_name
def test_names_end_in_base_units(family: Family) -> None:
    other = ("milliseconds", "minutes", "hours", "kilobytes", "megabytes", "bits", "percent", "ms", "kbps", "bps")
    words = family.name.split("_")
    assert not set(words) & set(other)
    stem = family.name.removesuffix("_total")
    if "duration" in words or "interval" in words or "timestamp" in words or "skew" in words:
        assert stem.endswith("_seconds")
    if "rate" in words or "bitrate" in words:
        assert stem.endswith("_bytes_per_second")


@by_name
def test_info_metrics_are_gauges_of_one_and_have_labels(family: Family) -> None:
    if family.name.endswith("_info"):
        assert family.type == "gauge"
        assert family.labels
        assert family.help.startswith("1")


@by_name
def test_help_is_one_line_of_ascii_ending_in_a_full_stop(family: Family) -> None:
    assert family.help == family.help.strip()
    assert family.help.endswith(".")
    assert not set(family.help) & set('"\\\n|`')
    assert family.help.isascii()


@by_name
def test_help_names_fields_that_the_api_has(family: Family) -> None:
    for named in re.findall(r"\(API fields? ([^)]+)\)", family.help):
        first = named.split(", ")
        assert set(first) <= {*FIELDS, "bitrate"}


@by_name
def test_label_names_are_valid_and_unique(family: Family) -> None:
    labels = LABELS[family.name]
    assert len(labels) == len(set(labels))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", label) for label in labels)
    assert not {"le", "quantile", "job", "instance", "key", "url"} & set(labels)


@by_name
def test_label_values_are_words(family: Family) -> None:
    if family.label_values:
        assert len(family.label_values) == len(family.labels)
    for values in family.label_values:
        assert len(values) == len(set(values)) > 0
        assert all(re.fullmatch(r"[A-Za-z0-9_.]+", value) for value in values)


def test_labels_of_accounts_have_declared_values() -> None:
    declared = {*TOTAL_FAMILIES, *ACCOUNT_FAMILIES} - {SCOPE_INFO}  # whose values are those of the settings
    for family in declared:
        assert len(family.label_values) == len(family.labels), family.name


def test_every_counted_field_has_a_counter() -> None:
    assert tuple(AMOUNTS) == COUNTED


def test_every_session_metric_exists_for_streams() -> None:
    sessions = {each.name.removeprefix(f"{PREFIX}session_") for each in session_families(EVERY_OPTION)}
    streams = {each.name.removeprefix(f"{PREFIX}stream_") for each in stream_families(EVERY_OPTION)}
    assert streams == sessions | {"sessions"}


@pytest.mark.parametrize(
    ("option", "families", "labels"),
    [
        ("issue_texts", {"session_issue_info"}, set()),
        ("profile_series", {"session_profile_info", "session_profile_bitrate_bytes_per_second"}, set()),
        ("playback_ids", set(), {"playback_id"}),
        ("project_ids", set(), {"project_id"}),
    ],
)
def test_an_option_adds_its_metrics_or_labels_and_nothing_else(
    option: str, families: set[str], labels: set[str]
) -> None:
    nothing = dict.fromkeys(("issue_texts", "profile_series", "playback_ids", "project_ids"), False)
    without, with_it = (session_families(Options(**switches)) for switches in (nothing, nothing | {option: True}))
    names = [{each.name.removeprefix(PREFIX) for each in each_one} for each_one in (with_it, without)]
    assert names[0] - names[1] == families
    assert {label for each in with_it for label in each.labels} - {
        label for each in without for label in each.labels
    } >= labels


def test_no_subject_has_more_samples_than_its_family_declares() -> None:
    full = session(
        1,
        issues=tuple(f"issue {number}" for number in range(9)),
        record=True,
        recording_status="ready",
        profiles=tuple(Profile(name=f"p{number}", bitrate=1.0) for number in range(3)),
    )
    stream = Stream("1", [(full, ACTIVE), (session(2, issues=("another",)), ACTIVE)])
    for family in session_families(EVERY_OPTION):
        samples = tuple(family.samples(full, ACTIVE))
        assert family.max_series is None or len(samples) <= family.max_series, family.name
    for of_stream in stream_families(EVERY_OPTION):
        samples = tuple(of_stream.samples(stream, ACTIVE))
        assert of_stream.max_series is None or len(samples) <= of_stream.max_series, of_stream.name


def test_the_tables_of_the_page_follow_from_the_catalogue() -> None:
    assert generated(PAGE, "metrics.md") == PAGE, "run: make generated"


def test_every_field_that_is_read_is_exported() -> None:
    assert [field for field in FIELDS if not re.search(rf"^\| `{field}` \| \S+", PAGE, re.MULTILINE)] == []


def test_the_page_names_only_metrics_that_exist() -> None:
    buckets = {f"{family.name}_bucket" for family in FAMILIES if family.type == "histogram"}
    assert set(re.findall(rf"`({PREFIX}[a-z0-9_]+)`", PAGE)) <= {family.name for family in FAMILIES} | buckets


def test_every_family_that_the_package_exports_is_in_the_catalogue() -> None:
    declared = {value.name for value in vars(catalogue).values() if isinstance(value, Family)}
    assert declared <= {family.name for family in FAMILIES}
