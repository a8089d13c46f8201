"""The result of a query, and how the results of two engines differ."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from typing import Any, Final

TOLERANCE: Final = 1e-4
"""Relative difference of equal values: VictoriaMetrics stores 15 decimal digits, and `round()` enlarges differences."""

Labels = frozenset[tuple[str, str]]
Samples = Mapping[float, float]
"""Values by Unix seconds."""

Result = Mapping[Labels, Samples]
"""The series of an instant query, which have one sample each, or of a range query."""

NAME: Final = "__name__"


class Kind(StrEnum):
    """How the results of two engines differ, from the least to the most important."""

    EQUAL = "equal"
    NAME = "the name of the metric"
    """Only one has it as a label; no legend shows it."""
    NAN = "no NaN"
    """One has no samples where the other has NaN."""
    TIES = "ties"
    """The same values at each time, of other series: `topk()` may select any of equal values."""
    VALUES = "values"
    """The same series have samples at the same times, but with other values."""
    SERIES = "series"
    """There are other series, or samples at other times."""
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Difference:
    """How the results of two engines differ.

    Attributes:
        kind: the most important difference.
        total: the relative difference of the sums of all values.
        largest: the largest difference of two values of the same series and time.
        detail: an example.
    """

    kind: Kind
    total: float = 0.0
    largest: float = 0.0
    detail: str = ""


def to_result(data: Mapping[str, Any]) -> Result:
    """Return the result in the HTTP API's field ``data``."""
    if data["resultType"] == "scalar":
        time, value = data["result"]
        return {frozenset(): {float(time): float(value)}}
    result: dict[Labels, Samples] = {}
    for series in data["result"]:
        pairs = series["values"] if "values" in series else [series["value"]]
        labels = frozenset(series["metric"].items())
        assert labels not in result, f"duplicate series {series['metric']}"
        result[labels] = {float(time): float(value) for time, value in pairs}
    return result


def compare(expected: Result, actual: Result) -> Difference:
    """Return how the result of an engine differs from that of the reference."""
    if _is_equal(expected, actual):
        return Difference(Kind.EQUAL)
    expected, actual = _without_name(expected), _without_name(actual)
    if _is_equal(expected, actual):
        return Difference(Kind.NAME)
    expected, actual = _without_nan(expected), _without_nan(actual)
    if _is_equal(expected, actual):
        return Difference(Kind.NAN)
    if _by_time(expected).keys() == _by_time(actual).keys() and _has_ties_only(expected, actual):
        return Difference(Kind.TIES)
    kind = Kind.VALUES if _times(expected) == _times(actual) else Kind.SERIES
    total, largest = _total_difference(expected, actual), _largest_difference(expected, actual)
    return Difference(kind, total, largest, _example(expected, actual))


def are_close(value: float, other: float) -> bool:
    """Whether two values count as equal; NaN equals NaN."""
    return math.isclose(value, other, rel_tol=TOLERANCE, abs_tol=1e-9) or (math.isnan(value) and math.isnan(other))


def _times(result: Result) -> Mapping[Labels, frozenset[float]]:
    return {labels: frozenset(samples) for labels, samples in result.items()}


def _is_equal(expected: Result, actual: Result) -> bool:
    return _times(expected) == _times(actual) and all(
        are_close(value, actual[labels][time])
        for labels, samples in expected.items()
        for time, value in samples.items()
    )


def _without_name(result: Result) -> Result:
    """Return the result without the names of metrics, unless series would then be the same."""
    renamed = {frozenset(pair for pair in labels if pair[0] != NAME): samples for labels, samples in result.items()}
    return renamed if len(renamed) == len(result) else result


def _without_nan(result: Result) -> Result:
    numbers = {
        labels: {time: value for time, value in samples.items() if not math.isnan(value)}
        for labels, samples in result.items()
    }
    return {labels: samples for labels, samples in numbers.items() if samples}


def _by_time(result: Result) -> Mapping[float, list[float]]:
    """Return the sorted values of all series by time."""
    values: dict[float, list[float]] = {}
    for samples in result.values():
        for time, value in samples.items():
            values.setdefault(time, []).append(value)
    return {time: sorted(each) for time, each in values.items()}


def _has_ties_only(expected: Result, actual: Result) -> bool:
    others = _by_time(actual)
    return all(_are_all_close(values, others[time]) for time, values in _by_time(expected).items())


def _are_all_close(values: Iterable[float], others: Iterable[float]) -> bool:
    return all(are_close(value, other) for value, other in zip_longest(values, others, fillvalue=math.nan))


def _total_difference(expected: Result, actual: Result) -> float:
    total, other = (
        sum(value for samples in each.values() for value in samples.values()) for each in (expected, actual)
    )
    return _relative(total, other)


def _largest_difference(expected: Result, actual: Result) -> float:
    pairs = (
        (samples[time], actual[labels][time])
        for labels, samples in expected.items()
        if labels in actual
        for time in samples.keys() & actual[labels].keys()
    )
    return max((abs(value - other) for value, other in pairs if not are_close(value, other)), default=0.0)


def _relative(value: float, other: float) -> float:
    """Return the difference relative to the larger of two values."""
    if value == other:
        return 0.0
    largest = max(abs(value), abs(other))
    return abs(value - other) / largest if math.isfinite(largest) else math.inf


def _example(expected: Result, actual: Result) -> str:
    if expected.keys() != actual.keys():
        missing, added = expected.keys() - actual.keys(), actual.keys() - expected.keys()
        example = min((sorted(labels) for labels in missing or added), default=[])
        return f"{len(missing)} series missing and {len(added)} added, such as {dict(example)}"
    for labels, samples in expected.items():
        others = actual[labels]
        if samples.keys() != others.keys():
            return f"{len(others)} samples instead of {len(samples)} of {dict(sorted(labels))}"
        for time, value in samples.items():
            if not are_close(value, others[time]):
                return f"{others[time]:g} instead of {value:g} of {dict(sorted(labels))}"
    raise AssertionError("the results are equal")
