"""What `--web.disable-exporter-metrics` omits, and that the shipped rules and dashboards work without it."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import pytest

from exporter.config import Settings
from exporter.metrics.text_format import Format
from exporter.runtime.build import create_process_metrics
from tests.fleet.shards import Account, shards
from tests.grafana.dashboards import ALL, GRAFANA, UIDS, Query, all_queries, interpolate, load
from tests.grafana.promql_ast import selectors
from tests.runtime.apps import ENVIRONMENT
from tests.support import documents
from tests.support.generated_docs import DOCS
from tests.support.harness import Scrape, parse_page
from tests.support.rows import row

SECTION: Final = (
    (DOCS / "metrics.md").read_text(encoding="utf-8").partition("## A smaller page\n")[2].partition("\n## ")[0]
)

PROCESS_QUERIES: Final = {
    "livepeer-exporter: CPU A",
    "livepeer-exporter: Memory A",
    "livepeer-exporter: File descriptors A",
    "livepeer-exporter: File descriptors B",
    "livepeer-exporter: Versions C",
}
"""The queries that are only about the process: three panels, and a column of a table."""

QUANTILE_QUERIES: Final = {
    "livepeer-exporter: Poll duration A",
    "livepeer-exporter: API request duration A",
    "livepeer-exporter: API request duration B",
}
"""Quantiles on panels that also show the mean."""


def whole_page(form: Format = Format.TEXT, *, reduced: bool) -> Scrape:
    """Return the page of an exporter with one active session, with the metrics of the process."""

    async def poll() -> str:
        account = Account([row(1, parentId="one", record=False)])
        async with shards(account, 1, web_disable_exporter_metrics=reduced) as (exporter,):
            await exporter.poll()
            store = exporter.page_store
            settings = Settings(web_disable_exporter_metrics=reduced)
            process = create_process_metrics(settings, ENVIRONMENT, store)
            return (b"".join(store.page(form).plain()) + process.tail(form)).decode()

    return parse_page(asyncio.run(poll()), form)


def omitted() -> dict[str, set[str]]:
    """Return the names of the samples that the switch omits, with the ``le`` of those that stay."""
    full, reduced = whole_page(reduced=False).samples, whole_page(reduced=True).samples
    assert reduced.keys() < full.keys()
    kept = defaultdict(set)
    for name, labels in reduced:
        kept[name].add(dict(labels).get("le", ""))
    return {name: kept[name] for name, _ in full.keys() - reduced.keys()}


def shipped_rules() -> Iterator[Query]:
    for path in sorted((GRAFANA / "rules").glob("*.yaml")):
        for group in documents.load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                yield Query(rule.get("alert") or rule["record"], rule["expr"])


def names(query: Query) -> set[str]:
    return {selector.name for selector, _ in selectors(interpolate(query.expr, ALL)) if selector.name}


def test_the_omitted_metrics_are_those_of_the_docs() -> None:
    found = omitted()
    rows = re.findall(r"^\| (`.*`.*?) \|", SECTION, re.MULTILINE)
    documented = {name for cell in rows for name in re.findall(r"`([a-z_*]+)`", cell)}
    assert {re.sub("^process_.*", "process_*", name) for name in found} == documented
    assert {name: kept for name, kept in found.items() if kept} == {
        name: {"+Inf"} for name in documented if name.endswith("_bucket")
    }


def test_the_number_of_series_is_that_of_the_docs() -> None:
    (numbers,) = re.findall(r"not recorded has\s(\d+) series instead of (\d+)", SECTION)
    pages = [whole_page(reduced=reduced) for reduced in (True, False)]
    assert [len(page.samples) for page in pages] == list(map(int, numbers))


@pytest.mark.parametrize("form", Format)
def test_the_smaller_page_is_valid(form: Format) -> None:
    page = whole_page(form, reduced=True)
    assert page.text.endswith("# EOF\n") == (form is Format.OPENMETRICS)
    assert "connections_closed" not in page.text
    assert len(page.samples) == len(whole_page(reduced=True).samples)


def test_rules_need_no_omitted_metric() -> None:
    rules, missing = list(shipped_rules()), omitted().keys()
    assert rules
    assert not {rule.location for rule in rules if names(rule) & missing}


def test_only_panels_about_the_process_need_omitted_metrics() -> None:
    missing = omitted().keys()
    queries = [query for uid in UIDS for query in all_queries(load(uid))]
    affected = {query.location for query in queries if names(query) & missing}
    assert affected == PROCESS_QUERIES | QUANTILE_QUERIES
    panels = {location.rpartition(" ")[0] for location in QUANTILE_QUERIES}
    others = {query.location.rpartition(" ")[0] for query in queries if query.location not in affected}
    assert panels <= others
