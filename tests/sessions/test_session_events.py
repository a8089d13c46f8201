"""The events behind the numbers of the counters."""

from exporter.sessions.session import Session
from exporter.sessions.session_events import STREAM_AMOUNTS, EventLog


def test_the_growth_of_a_stream_is_the_sum_over_its_sessions_in_all_batches() -> None:
    log = EventLog()
    for parents in (("a", "b", "a"), ("a", None)):
        sessions = [Session(id=str(number), parent_id=parent) for number, parent in enumerate(parents)]
        log.add_growth(sessions, {name: [place + 1.0] * len(parents) for place, name in enumerate(STREAM_AMOUNTS)})
    assert log.events(is_baseline=False).growth == {"a": [3, 6, 9, 12], "b": [1, 2, 3, 4], None: [1, 2, 3, 4]}
