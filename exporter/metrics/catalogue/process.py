"""The families of the process."""

from typing import Final

from msgspec.structs import replace

from exporter.metrics.catalogue.family import PREFIX, Family, counter, gauge
from exporter.metrics.catalogue.outcomes import CLOSE_REASONS

BUILD_INFO: Final = Family(
    name=f"{PREFIX}exporter_build_info",
    help="1, with the exporter's version, source revision and Python version as labels.",
    labels=("version", "revision", "python_version"),
)
SERIES: Final = gauge("exporter_series", "Number of session and stream series on the page, all accounts.")
SERIES_LIMIT: Final = gauge("exporter_series_limit", "Maximum number of session and stream series, as configured.")
SHARD_INFO: Final = Family(
    name=f"{PREFIX}exporter_shard_info",
    help="1, with the shard index and the shard count as labels.",
    labels=("index", "count"),
)
RELOAD_OK: Final = gauge(
    "exporter_config_reload_successful", "1 if the last attempt to load the configuration succeeded, else 0."
)
RELOAD_TIME: Final = gauge(
    "exporter_config_reload_timestamp_seconds",
    "Time of the last successful load of the configuration in Unix seconds.",
)
CONNECTIONS_CLOSED: Final = replace(
    counter(
        "exporter_connections_closed",
        "Client connections that the exporter closed, by reason: evicted by a new one while idle, slowest of too many "
        "that do not read, or a timeout.",
        ("reason", CLOSE_REASONS),
    ),
    off_dashboards="almost always 0; the troubleshooting page has the query",
    reducible=True,
)

PROCESS_FAMILIES: Final = (BUILD_INFO, SERIES, SERIES_LIMIT, SHARD_INFO, RELOAD_OK, RELOAD_TIME, CONNECTIONS_CLOSED)
"""The exporter's own families of the process, besides ``process_*`` and ``python_info`` of prometheus-client."""

EXPOSED_BY_LIBRARY: Final = ("process_*", "python_info")
"""The families that prometheus-client adds."""
