"""Generator of the dashboards and rule files in this directory: ``python -m grafana.builder``.

The dashboards are built with Grafana's Foundation SDK. On import the SDK recommends dashboard schema v2, which Grafana
11 cannot import. The generator uses the classic schema on purpose, so this one warning is suppressed, and only here.
"""

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "Prefer using dashboardv2", DeprecationWarning)
    import grafana_foundation_sdk.builders.dashboard
    import grafana_foundation_sdk.builders.prometheus  # noqa: F401  imports every model that warns
