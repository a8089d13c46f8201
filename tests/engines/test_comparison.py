import math

import pytest

from tests.engines.comparison import Kind, Result, compare, to_result

ONE = frozenset({("stream", "one")})
TWO = frozenset({("stream", "two")})
NAMED = ONE | {("__name__", "metric")}


@pytest.mark.parametrize(
    ("expected", "actual", "kind"),
    [
        ({ONE: {0: 1.0}}, {ONE: {0: 1.00001}}, Kind.EQUAL),
        ({ONE: {0: 0.0}}, {ONE: {0: 1e-14}}, Kind.EQUAL),
        ({ONE: {0: math.nan}}, {ONE: {0: math.nan}}, Kind.EQUAL),
        ({ONE: {0: 1.0}}, {NAMED: {0: 1.0}}, Kind.NAME),
        ({ONE: {0: 1.0}, TWO: {0: math.nan}}, {ONE: {0: 1.0}}, Kind.NAN),
        ({ONE: {0: 1.0}}, {TWO: {0: 1.0}}, Kind.TIES),
        ({ONE: {0: 1.0}}, {ONE: {0: 1.1}}, Kind.VALUES),
        ({ONE: {0: 1.0}}, {ONE: {0: math.inf}}, Kind.VALUES),
        ({ONE: {0: 1.0}}, {TWO: {0: 2.0}}, Kind.SERIES),
        ({ONE: {0: 1.0}}, {}, Kind.SERIES),
        ({ONE: {0: 1.0, 5: 1.0}}, {ONE: {0: 1.0}}, Kind.SERIES),
    ],
)
def test_a_difference_has_a_kind(expected: Result, actual: Result, kind: Kind) -> None:
    assert compare(expected, actual).kind is kind


def test_the_total_difference_is_relative_to_the_larger_sum() -> None:
    difference = compare({ONE: {0: 1.0}, TWO: {0: 2.0}}, {ONE: {0: 1.0}, TWO: {0: 3.0}})
    assert (difference.kind, difference.total, difference.largest) == (Kind.VALUES, 0.25, 1)
    assert difference.detail == "3 instead of 2 of {'stream': 'two'}"


def test_names_stay_if_series_would_be_the_same_without_them() -> None:
    other = ONE | {("__name__", "other")}
    assert compare({NAMED: {0: 1.0}, other: {0: 2.0}}, {NAMED: {0: 2.0}, other: {0: 1.0}}).kind is Kind.TIES
    assert compare({NAMED: {0: 1.0}, other: {0: 2.0}}, {NAMED: {0: 1.0}}).kind is Kind.SERIES


def test_results_of_all_types_are_read() -> None:
    metric = {"stream": "one"}
    assert to_result({"resultType": "scalar", "result": [1, "2"]}) == {frozenset(): {1: 2}}
    assert to_result({"resultType": "vector", "result": [{"metric": metric, "value": [1, "+Inf"]}]}) == {
        ONE: {1: math.inf}
    }
    assert to_result({"resultType": "matrix", "result": [{"metric": metric, "values": [[1, "2"], [3, "4"]]}]}) == {
        ONE: {1: 2, 3: 4}
    }
