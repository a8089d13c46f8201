import pytest

from tests.engines.comparison import Difference, Kind
from tests.engines.queries import ShippedQuery
from tests.engines.query_check import Engine, explain
from tests.engines.servers import Api

PROMETHEUS = Engine("Prometheus", Api(0, {}), is_prometheus=True)
VICTORIA_METRICS = Engine("VictoriaMetrics", Api(0, {}), is_prometheus=False)


@pytest.mark.parametrize(
    ("promql", "difference", "in_prometheus", "in_victoria_metrics"),
    [
        ("m", Difference(Kind.EQUAL), "equal", "equal"),
        ("topk(1, m)", Difference(Kind.TIES), "ties", "ties"),
        ("m", Difference(Kind.NAN), None, "no NaN"),
        ("m", Difference(Kind.VALUES, 0.01), None, None),
        ("rate(m[5m])", Difference(Kind.VALUES, 0.09), "rates", "rates"),
        ("rate(m[5m])", Difference(Kind.VALUES, 0.2), None, "rates"),
        ("rate(m[5m])", Difference(Kind.SERIES, 0.3), None, None),
        ("rate(m[5m])", Difference(Kind.REJECTED), None, None),
        ("changes(m[5m])", Difference(Kind.SERIES, 0.9), None, "new series"),
        ("max_over_time(m[5m])", Difference(Kind.SERIES, 0.01), None, None),
        ("max(topk(1, m))", Difference(Kind.SERIES, 0.01), "ties", "ties"),
        ("max(topk(1, m))", Difference(Kind.SERIES, 0.01, largest=0.1), None, None),
        ("increase(m[5m])", Difference(Kind.VALUES, 1, largest=1), None, "rates"),
        ("increase(m[5m])", Difference(Kind.VALUES, 1, largest=2), None, None),
    ],
)
def test_a_difference_needs_a_reason(
    promql: str, difference: Difference, in_prometheus: str | None, in_victoria_metrics: str | None
) -> None:
    query = ShippedQuery("a panel", "", promql)
    assert explain(query, difference, PROMETHEUS) == in_prometheus
    assert explain(query, difference, VICTORIA_METRICS) == in_victoria_metrics
