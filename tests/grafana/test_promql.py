"""Selectors name existing metrics and have the matchers that the metric's labels allow."""

import pytest

from grafana.builder.promql import ACCOUNT_FILTERS, NO_FILTERS, SESSION_FILTERS, selector

_ACCOUNT = 'cluster=~"$cluster", job=~"$job", instance=~"$instance", account=~"$account"'


def test_a_metric_outside_of_the_catalogue_is_rejected() -> None:
    with pytest.raises(LookupError, match="session_helthy"):
        selector(NO_FILTERS, "session_helthy")


def test_without_filters_and_matchers_the_selector_is_the_metric() -> None:
    assert selector(NO_FILTERS, "up") == "livepeer_studio_up"


def test_a_filter_applies_only_to_metrics_with_its_label() -> None:
    assert selector(SESSION_FILTERS, "up") == f"livepeer_studio_up{{{_ACCOUNT}}}"
    session = 'stream_id=~"$stream", session_id=~"$session"'
    assert selector(SESSION_FILTERS, "session_active") == f"livepeer_studio_session_active{{{_ACCOUNT}, {session}}}"


def test_metrics_of_the_client_library_have_the_target_filters() -> None:
    expected = 'process_open_fds{cluster=~"$cluster", job=~"$job", instance=~"$instance"}'
    assert selector(ACCOUNT_FILTERS, "process_open_fds") == expected


def test_matchers_and_window_follow_the_filters() -> None:
    expected = f'livepeer_studio_sessions{{{_ACCOUNT}, state="active"}}[5m]'
    assert selector(ACCOUNT_FILTERS, "sessions", 'state="active"', window="5m") == expected
