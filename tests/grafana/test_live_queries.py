"""Every query of every panel, variable and annotation on a real Prometheus that scrapes the real program."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pytest

from grafana.builder.promql import LABELS
from tests.grafana.dashboards import EVERYTHING, UIDS, Query, View, every_query, load, substitute
from tests.grafana.live_environment import EMPTY, FAILING, JOB, LIVELY, ODD, SMALL, WHOLE, Chosen, Stage, set_up
from tests.grafana.promql_ast import selectors
from tests.support.running import until

pytestmark = [pytest.mark.prometheus, pytest.mark.process]

QUERIES: Final = [query for uid in UIDS for query in every_query(load(uid))]
NAMES: Final = [query.where for query in QUERIES]

SKIPPED: Final = "livepeer-exporter: Polls, and those that failed B"
"""Polls that were due while one was under way: no API can bring that about: a deadline ends polls before."""

TROUBLE: Final = {
    "livepeer-exporter: Accounts whose last poll failed A",
    "livepeer-exporter: Settings could not be read A",
    "livepeer-exporter: Accounts F",
    "livepeer-exporter: Polls, and those that failed C",
    "livepeer-exporter: Requests to the API by answer B",
    "livepeer-exporter: Requests to the API by answer C",
    "livepeer-exporter: Pages and duplicates B",
    "livepeer-exporter: Values and sessions left out A",
    "livepeer-exporter: Values and sessions left out B",
    "livepeer-exporter: Values that fell A",
    "livepeer-exporter: Sessions on the page, and left off B",
    SKIPPED,
}
"""Queries that have something to show only where something is wrong with the exporter or its data."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The stage, and a moment at which everything was there; all queries are asked at this moment."""

    stage: Stage
    at: float
    chosen: Chosen

    def shows(self, query: Query, **choice: tuple[str, ...]) -> bool:
        """Whether a query has data for a choice; what is not chosen is All."""
        view = View(choice, range_seconds=300, rate_interval="20s")
        return bool(self.stage.ask(substitute(query.expr, view), self.at))


@pytest.fixture(scope="module")
def moment(prometheus_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moment]:
    with set_up(prometheus_binary, tmp_path_factory.mktemp("stage")) as stage:
        missing = ["two streams to look at"]

        def complete() -> Moment | None:
            at = time.time()
            chosen = stage.choose(at)
            if chosen is None:
                return None
            made = Moment(stage, at, chosen)
            # What was missing last is asked first: most of the waiting is for a few queries.
            for query in sorted(QUERIES, key=lambda query: query.where not in missing):
                if not _is_ready(made, query):
                    missing[:] = [query.where]
                    return None
            return made

        try:
            yield until(complete, "a moment at which every query has data", 90)
        except AssertionError as error:
            raise AssertionError(f"{error}; what was missing last: {missing[0]}") from None


def _is_ready(moment: Moment, query: Query) -> bool:
    """Whether a query says what it should, of everything, of the chosen stream, and of the account without sessions.

    A poll may come between, and on a machine under load one may have failed.
    """
    return (query.where == SKIPPED or moment.shows(query)) and _shows_one(moment, query) and _shows_empty(moment, query)


def _shows_empty(moment: Moment, query: Query) -> bool:
    """Whether a query tells of the account without sessions what it should."""
    silent = _of_sessions(query) or query.where in TROUBLE - {"livepeer-exporter: Settings could not be read A"}
    return moment.shows(query, account=(EMPTY,)) == (not silent)


def _shows_one(moment: Moment, query: Query) -> bool:
    """Whether a query says of the chosen stream what it should."""
    if _of_whole_streams(query):
        return moment.shows(query, **_whole(moment))
    return moment.shows(query, **_one(moment)) == (query.where not in TROUBLE)


def _whole(moment: Moment) -> dict[str, tuple[str, ...]]:
    """The chosen stream as a whole."""
    return {"job": (JOB,), "account": (WHOLE,), "stream": moment.chosen.streams[:1]}


def _one(moment: Moment) -> dict[str, tuple[str, ...]]:
    """One value of each variable."""
    return {
        "job": (JOB,),
        "instance": moment.stage.instances[:1],
        "account": (LIVELY,),
        "stream": moment.chosen.streams[:1],
        "session": moment.chosen.sessions[:1],
    }


def _two(moment: Moment) -> dict[str, tuple[str, ...]]:
    """Two values of each variable that has two."""
    return {
        "job": (JOB, "another (job) [*]"),
        "instance": moment.stage.instances,
        "account": (LIVELY, EMPTY),
        "stream": moment.chosen.streams,
        "session": moment.chosen.sessions,
    }


def _metrics(query: Query) -> set[str]:
    return {selector.name or "" for selector, _ in selectors(substitute(query.expr, EVERYTHING))}


def _of_whole_streams(query: Query) -> bool:
    return any(name.startswith("livepeer_studio_stream_") for name in _metrics(query))


def _of_sessions(query: Query) -> bool:
    return any("stream_id" in LABELS.get(name, ()) for name in _metrics(query))


@pytest.mark.parametrize("query", QUERIES, ids=NAMES)
def test_with_all_chosen_the_query_has_data(moment: Moment, query: Query) -> None:
    if query.where == SKIPPED:  # the comparison drops what is 0; without it the counter is seen to be there
        query = Query(query.where, query.expr.removesuffix(" > 0"))
    assert moment.shows(query)


@pytest.mark.parametrize("query", QUERIES, ids=NAMES)
def test_with_one_value_of_each_chosen_the_query_has_data_unless_it_tells_of_trouble(
    moment: Moment, query: Query
) -> None:
    if _of_whole_streams(query):
        assert moment.shows(query, **_whole(moment))
        assert not moment.shows(query, **_one(moment))
    else:
        assert moment.shows(query, **_one(moment)) == (query.where not in TROUBLE)


@pytest.mark.parametrize("query", QUERIES, ids=NAMES)
def test_with_two_values_of_each_chosen_the_query_has_data(moment: Moment, query: Query) -> None:
    if query.where in TROUBLE:
        accounts = (ODD, SMALL, FAILING)
        assert moment.shows(query, job=_two(moment)["job"], account=accounts) == (query.where != SKIPPED)
    elif _of_whole_streams(query):
        assert moment.shows(query, account=(WHOLE, EMPTY), stream=moment.chosen.streams)
    else:
        assert moment.shows(query, **_two(moment))


@pytest.mark.parametrize("query", QUERIES, ids=NAMES)
def test_in_an_account_without_sessions_only_the_account_has_data(moment: Moment, query: Query) -> None:
    assert _shows_empty(moment, query)


@pytest.mark.parametrize("query", QUERIES, ids=NAMES)
def test_of_a_job_that_is_not_there_nothing_has_data(moment: Moment, query: Query) -> None:
    if query.where.endswith("$job"):  # the only query that is asked before a job is chosen
        assert moment.shows(query, job=("another",))
    else:
        assert not moment.shows(query, job=("another",))


@pytest.mark.parametrize("query", QUERIES, ids=NAMES)
def test_every_selector_of_the_query_finds_series_so_that_none_hides_behind_another(
    moment: Moment, query: Query
) -> None:
    view = View({}, range_seconds=300, rate_interval="20s")
    for selector, _ in selectors(substitute(query.expr, view)):
        assert moment.stage.ask(selector.prettify(), moment.at), selector.prettify()


def test_a_mistyped_metric_would_be_noticed(moment: Moment) -> None:
    assert not moment.shows(Query("a panel", "max(livepeer_studio_session_helthy)"))
    assert moment.shows(Query("a panel", "max(livepeer_studio_session_healthy)"))


def test_a_stream_is_shown_by_its_name_whatever_characters_it_has(moment: Moment) -> None:
    """What Grafana reads from the answer: it writes the labels without escaping them."""
    variable = next(each for each in load("livepeer-overview")["templating"]["list"] if each["name"] == "stream")
    (query,) = [query for query in QUERIES if query.where == "livepeer-overview: $stream"]
    view = View({"account": (LIVELY,)}, range_seconds=300)
    shown = {}
    for labels, value in moment.stage.ask(substitute(query.expr, view), moment.at):
        text = "{" + ",".join(f'{name}="{labels[name]}"' for name in sorted(labels)) + f"}} {value:g} 1"
        match = re.search(variable["regex"].strip("/").replace("(?<", "(?P<"), text)
        assert match, text
        shown[match["value"]] = match["text"]
    assert set(moment.chosen.streams) <= set(shown)
    assert {'The "late" show', "match day {final} <live>", "100% techno"} <= set(shown.values())


def test_of_two_sessions_the_newer_comes_first_and_is_told_apart_by_its_id(moment: Moment) -> None:
    variable = next(each for each in load("livepeer-session")["templating"]["list"] if each["name"] == "session")
    (query,) = [query for query in QUERIES if query.where == "livepeer-session: $session"]
    found = moment.stage.ask(substitute(query.expr, View({"account": (LIVELY,)}, range_seconds=300)), moment.at)
    assert [value for _, value in found] == sorted((value for _, value in found), reverse=True)
    for labels, _ in found:
        text = f'{{session_id="{labels["session_id"]}",title="{labels["title"]}"}} 1 1'
        match = re.search(variable["regex"].strip("/").replace("(?<", "(?P<"), text)
        assert match
        assert match["text"].endswith(f" · {labels['session_id'].partition('-')[0]}")
