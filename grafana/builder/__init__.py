"""Builds the dashboards and the rules that stand beside this folder: ``python -m grafana.builder``.

Dashboards are made with Grafana's Foundation SDK. It warns on import that it would rather write schema v2, which
Grafana 11 cannot import; we stay with the classic schema on purpose, so that one warning is silenced, here alone.
"""

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "Prefer using dashboardv2", DeprecationWarning)
    import grafana_foundation_sdk.builders.dashboard
    import grafana_foundation_sdk.builders.prometheus  # noqa: F401  it imports every model that warns
