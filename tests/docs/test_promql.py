"""Every query in the documentation is valid PromQL and uses the metrics as they are meant."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from promql_parser import AggregateExpr, BinaryExpr, parse

from exporter.metrics.catalogue import EVERY_OPTION, everything
from tests.grafana.promql_ast import range_selectors, selectors, walk

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
QUERIES = [
    (page.name, query)
    for page in PAGES
    for query in re.findall(r"^ *```promql\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
]
LABELS = {
    family.name + suffix: (*subject, *family.labels)
    for family, subject in everything(EVERY_OPTION)
    for suffix in (("_bucket", "_sum", "_count") if family.type == "histogram" else ("",))
}
"""The labels of every series of the exporter."""

PROMETHEUS_OWN = {"up", "scrape_duration_seconds", "scrape_samples_scraped"}
TARGET_LABELS = {"job", "instance", "le"}
SHORTEST_SESSION_WINDOW = timedelta(minutes=5)

every_query = pytest.mark.parametrize("query", [query for _, query in QUERIES], ids=[page for page, _ in QUERIES])


def test_the_cookbook_has_queries() -> None:
    assert sum(page == "promql.md" for page, _ in QUERIES) > 20


@every_query
def test_the_query_parses(query: str) -> None:
    parse(query)


@every_query
def test_the_query_uses_only_metrics_that_exist(query: str) -> None:
    assert {selector.name for selector, _ in selectors(query)} <= LABELS.keys() | PROMETHEUS_OWN


@every_query
def test_the_query_matches_only_labels_that_the_metric_has(query: str) -> None:
    for selector, _ in selectors(query):
        labels = {*LABELS.get(selector.name or "", ()), *TARGET_LABELS}
        assert {matcher.name for matcher in selector.matchers.matchers} <= labels, selector.name


@every_query
def test_the_query_groups_and_joins_only_by_labels_that_exist(query: str) -> None:
    known = {label for labels in LABELS.values() for label in labels} | TARGET_LABELS
    for node, _ in walk(parse(query)):
        if isinstance(node, AggregateExpr) and node.modifier is not None:
            assert set(node.modifier.labels) <= known
        elif isinstance(node, BinaryExpr) and node.modifier is not None and node.modifier.matching is not None:
            assert set(node.modifier.matching.labels) <= known


@every_query
def test_a_counter_is_an_argument_of_rate_or_increase(query: str) -> None:
    for selector, around in selectors(query):
        if (selector.name or "").endswith(("_total", "_bucket")):
            assert around[:1] in (("rate",), ("increase",)), selector.name


@every_query
def test_a_gauge_is_no_argument_of_rate_or_increase(query: str) -> None:
    for selector, around in selectors(query):
        if not (selector.name or "").endswith(("_total", "_bucket", "_sum", "_count")):
            assert around[:1] not in (("rate",), ("increase",)), selector.name


@every_query
def test_a_window_over_session_values_is_at_least_five_minutes(query: str) -> None:
    for window, _ in range_selectors(query):
        if {"session_id", "stream_id"} & set(LABELS.get(window.vector_selector.name or "", ())):
            assert window.range >= SHORTEST_SESSION_WINDOW
