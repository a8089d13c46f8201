"""The metrics keep the rules of the Prometheus guide and of the design, and the page of metrics says the same."""

import re

import pytest

from exporter.metrics import catalogue
from exporter.metrics.catalogue import (
    ACCOUNT_FAMILIES,
    AMOUNTS,
    EVERY_OPTION,
    PREFIX,
    RECORDINGS,
    STARTED,
    TOTAL_FAMILIES,
    Family,
    Options,
    SubjectFamily,
    everything,
    session_families,
    stream_families,
)
from exporter.sessions.session import FIELDS, Profile
from exporter.sessions.snapshot import COUNTED, Windows, take
from exporter.sessions.streams import group
from tests.support.cooperative import run_to_end
from tests.support.metrics_page import PAGE, parts, table
from tests.support.polled import session
from tests.support.rows import START

FAMILIES = [family for family, _ in everything(EVERY_OPTION)]
LABELS = {family.name: (*subject, *family.labels) for family, subject in everything(EVERY_OPTION)}
POLLED = [*session_families(EVERY_OPTION), *stream_families(EVERY_OPTION), *TOTAL_FAMILIES, *AMOUNTS.values(), STARTED]
LEFT_OUT = ("kind", "userId", "recordingSpec", "parentStream")
"""Fields of a session that are not read."""

by_name = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


def test_no_two_metrics_have_the_same_name() -> None:
    names = [family.name for family in FAMILIES]
    assert len(names) == len(set(names))


@by_name
def test_a_name_is_in_small_letters_with_our_prefix(family: Family) -> None:
    assert re.fullmatch(f"{PREFIX}[a-z][a-z0-9]*(_[a-z0-9]+)*", family.name)


@by_name
def test_total_ends_counters_and_nothing_else(family: Family) -> None:
    assert family.name.endswith("_total") is (family.kind == "counter")


@by_name
def test_no_name_ends_as_parts_of_histograms_do(family: Family) -> None:
    assert not family.name.endswith(("_bucket", "_count", "_sum", "_created"))


@by_name
def test_units_are_base_units_at_the_end_of_the_name(family: Family) -> None:
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
        assert family.kind == "gauge"
        assert family.labels
        assert family.help.startswith("1")


@by_name
def test_help_is_a_plain_sentence(family: Family) -> None:
    assert family.help == family.help.strip()
    assert family.help.endswith(".")
    assert not set(family.help) & set('"\\\n|`')
    assert family.help.isascii()


@pytest.mark.parametrize("family", [*POLLED, RECORDINGS], ids=lambda family: family.name)
def test_help_of_what_a_poll_brings_says_that_it_is_polled_and_cached(family: Family) -> None:
    assert family.help.endswith(" Polled and cached.")


@by_name
def test_help_names_fields_that_the_api_has(family: Family) -> None:
    for named in re.findall(r"\(API fields? ([^)]+)\)", family.help):
        first = named.split(", ")
        assert set(first) <= {*FIELDS, "bitrate"}


@by_name
def test_label_names_are_plain_and_each_is_there_once(family: Family) -> None:
    labels = LABELS[family.name]
    assert len(labels) == len(set(labels))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", label) for label in labels)
    assert not {"le", "quantile", "job", "instance", "key", "url"} & set(labels)


@by_name
def test_the_values_of_closed_labels_are_words(family: Family) -> None:
    if family.closed:
        assert len(family.closed) == len(family.labels)
    for values in family.closed:
        assert len(values) == len(set(values)) > 0
        assert all(re.fullmatch(r"[A-Za-z0-9_]+", value) for value in values)


def test_labels_of_accounts_and_counters_are_all_closed() -> None:
    for family in (*TOTAL_FAMILIES, *ACCOUNT_FAMILIES):
        assert len(family.closed) == len(family.labels), family.name


def test_every_counted_field_has_its_counter() -> None:
    assert tuple(AMOUNTS) == COUNTED


def test_every_metric_on_sessions_has_its_like_on_streams() -> None:
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
def test_an_option_brings_its_metrics_or_labels_and_nothing_else(
    option: str, families: set[str], labels: set[str]
) -> None:
    nothing = dict.fromkeys(("issue_texts", "profile_series", "playback_ids", "project_ids"), False)
    without, with_it = (session_families(Options(**switches)) for switches in (nothing, nothing | {option: True}))
    names = [{each.name.removeprefix(PREFIX) for each in each_one} for each_one in (with_it, without)]
    assert names[0] - names[1] == families
    assert {label for each in with_it for label in each.labels} - {
        label for each in without for label in each.labels
    } >= labels


def test_no_subject_has_more_samples_than_its_family_says() -> None:
    profiles = tuple(Profile(name=f"p{number}", bitrate=1.0) for number in range(3))
    full = session(
        1,
        issues=tuple(f"issue {number}" for number in range(9)),
        record=True,
        recording_status="ready",
        profiles=profiles,
    )
    windows = Windows(session=3600, active=90)
    snapshot = run_to_end(take("default", [full], windows=windows, began=START, server_time=START))
    (stream,) = run_to_end(group(snapshot))

    def most(family: SubjectFamily[object], subject: object) -> None:
        count = len(tuple(family.samples(subject, True)))
        assert count <= family.most or family.most == 0, family.name

    for of_session in session_families(EVERY_OPTION):
        most(of_session, full)  # type: ignore[arg-type]
    for of_stream in stream_families(EVERY_OPTION):
        most(of_stream, stream)  # type: ignore[arg-type]


def test_the_page_of_metrics_has_the_table_of_the_catalogue() -> None:
    _, generated, _ = parts(PAGE.read_text(encoding="utf-8"))
    assert generated == table(), "run: python -m tests.support.metrics_page"


def rows_on_fields() -> dict[str, str]:
    """What the page says of each field of a session."""
    _, _, behind = parts(PAGE.read_text(encoding="utf-8"))
    return dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", behind, re.MULTILINE))


def test_the_page_of_metrics_says_of_every_field_where_it_went() -> None:
    assert set(rows_on_fields()) == {*FIELDS, *LEFT_OUT}


def test_the_page_of_metrics_names_only_metrics_that_there_are() -> None:
    names = {family.name.removeprefix(PREFIX) for family in FAMILIES}
    for field, text in rows_on_fields().items():
        exported = re.findall(r"`([a-z0-9_]+)`", text.partition(" | ")[0])
        labels = {label for labels in LABELS.values() for label in labels}
        assert set(exported) <= names | labels, field
        assert bool(exported) is (field not in LEFT_OUT), field
    named = set(re.findall(rf"`({PREFIX}[a-z0-9_]+)`", PAGE.read_text(encoding="utf-8")))
    assert named <= {family.name for family in FAMILIES}


def test_everything_that_the_modules_name_is_in_the_catalogue() -> None:
    declared = {value.name for value in vars(catalogue).values() if isinstance(value, Family)}
    assert declared <= {family.name for family in FAMILIES}
