"""What identifies the sessions that an exporter polls."""

from msgspec.structs import replace

from exporter.livepeer.query import Scope
from exporter.metrics import catalogue
from exporter.metrics.instruments import Telemetry
from exporter.metrics.page_store import PageStore
from exporter.metrics.series_limit import SeriesBudget
from exporter.polling.publish import Publisher
from tests.support.accounts import plan

PLAN = plan(base_url="https://api.example/api", scope=Scope(3600, 3600, frozenset({"a", "b"})))


def test_the_scope_is_eight_hex_digits() -> None:
    assert len(PLAN.scope_id) == 8
    assert int(PLAN.scope_id, 16) >= 0


def test_replicas_have_the_same_scope_whatever_does_not_select_sessions() -> None:
    others = (
        replace(PLAN, account="other"),
        replace(PLAN, interval=PLAN.interval * 2),
        replace(PLAN, scope=Scope(3600, 3600, frozenset(("b", "a")))),
    )
    assert {other.scope_id for other in others} == {PLAN.scope_id}


def test_another_api_other_streams_and_other_shards_are_other_scopes() -> None:
    others = (
        PLAN,
        replace(PLAN, base_url="https://other.example/api"),
        replace(PLAN, scope=Scope(3600, 3600, frozenset({"a"}))),
        replace(PLAN, scope=Scope(3600, 3600)),
        replace(PLAN, shard=(0, 2)),
        replace(PLAN, shard=(1, 2)),
    )
    assert len({other.scope_id for other in others}) == len(others)


def test_the_scope_is_exported_before_the_first_poll_and_replaced_on_reload() -> None:
    telemetry = Telemetry("a")
    publisher = Publisher("a", telemetry, PageStore(catalogue.Options(), SeriesBudget(100), lambda: 0.0))
    for each in (PLAN, replace(PLAN, shard=(1, 2))):
        publisher.initial(each)
        (info,) = [family for family in telemetry.collect() if family.name == catalogue.SCOPE_INFO.name]
        index, count = map(str, each.shard)
        expected = {"account": "a", "scope": each.scope_id, "index": index, "count": count}
        assert [(sample.labels, sample.value) for sample in info.samples] == [(expected, 1)]
