"""Alert on multistream targets, which only webhooks report."""

from grafana.builder.alert import Alert
from grafana.builder.dashboard import EXPORTER_UID
from grafana.builder.promql import NO_FILTERS, ON_ACCOUNT, selector
from grafana.builder.thresholds import Thresholds


def target_alerts(thresholds: Thresholds) -> list[Alert]:
    """Return the alert on targets that fail.

    Each replica has a webhook of its own and counts every event, so that the highest share of the replicas counts.
    Disconnected targets are not part of it: Livepeer reports them at the end of each stream too.
    """
    window = thresholds.target_window
    errors, connected = (
        f"increase({selector(NO_FILTERS, 'multistream_events_total', matcher, window=window)})"
        for matcher in ('result="error"', 'result="connected"')
    )
    share = f"{errors} / {ON_ACCOUNT} ({errors} + {ON_ACCOUNT} {connected})"
    return [
        Alert(
            name="LivepeerMultistreamTargetsFailing",
            expr=f"max by (job, account) ({share} > {thresholds.target_failure_ratio:g})",
            for_duration=thresholds.target_for,
            severity="warning",
            summary="Multistream targets of the Livepeer account {{ $labels.account }} fail",
            description=f"In the last {window}, {{{{ $value | humanizePercentage }}}} of the events of multistream "
            "targets were errors. The stream is live at Livepeer, but viewers of the other platform do not see it.",
            dashboard_uid=EXPORTER_UID,
        )
    ]
