"""A notification is attributed to the fault whose subject and time its alerts have."""

from tests.bad_evening.__main__ import attribute
from tests.bad_evening.alerts import Alert
from tests.bad_evening.faults import Fault
from tests.bad_evening.notifications import Notification

FAULT = Fault("lobby is dark", 10, 20, {"stream_id": "lobby"}, ("LivepeerIngestStopped",))


def alert(name: str, stream: str) -> Alert:
    return frozenset({"alertname": name, "stream_id": stream}.items())


def test_alerts_on_the_subject_belong_to_the_fault() -> None:
    stopped, low = alert("LivepeerIngestStopped", "lobby"), alert("LivepeerIngestDropped", "lobby")
    firing = [set[Alert]()] * 24 + [{stopped}, {stopped, low}]
    results, others = attribute([FAULT], firing, [Notification(25, frozenset({stopped}))])
    assert [(each.fired, each.notified, each.is_expected()) for each in results] == [
        ({stopped, low}, ["LivepeerIngestStopped"], True)
    ]
    assert others == []


def test_a_second_notification_is_not_expected() -> None:
    stopped, low = alert("LivepeerIngestStopped", "lobby"), alert("LivepeerIngestDropped", "lobby")
    sent = [Notification(25, frozenset({stopped})), Notification(35, frozenset({low}))]
    (result,), _ = attribute([FAULT], [], sent)
    assert result.notified == ["LivepeerIngestStopped", "LivepeerIngestDropped"]
    assert not result.is_expected()


def test_an_alert_at_another_time_or_on_another_stream_has_no_fault() -> None:
    late, other = alert("LivepeerIngestStopped", "lobby"), alert("LivepeerIngestStopped", "stage")
    sent = [Notification(45, frozenset({late})), Notification(25, frozenset({other}))]
    (result,), others = attribute([FAULT], [], sent)
    assert result.notified == []
    assert set(others) == {late, other}
