"""The families on the process itself."""

from typing import Final

from exporter.metrics.catalogue.family import PREFIX, Family, gauge

BUILD_INFO: Final = Family(
    name=f"{PREFIX}exporter_build_info",
    help="1; the version of the program, the revision it was built from, and its Python.",
    labels=("version", "revision", "python_version"),
)
SERIES: Final = gauge("exporter_series", "Series about sessions that are on the page, over all accounts.")
SERIES_LIMIT: Final = gauge("exporter_series_limit", "Series about sessions that may be on the page.")
SHARD_INFO: Final = Family(
    name=f"{PREFIX}exporter_shard_info",
    help="1; which part of the sessions this exporter reads, of how many.",
    labels=("index", "count"),
)
RELOAD_OK: Final = gauge(
    "exporter_config_reload_successful", "1 if the settings could be read when they were last read, else 0."
)
RELOAD_TIME: Final = gauge(
    "exporter_config_reload_timestamp_seconds", "When the settings were last read successfully, Unix seconds."
)

PROCESS_FAMILIES: Final = (BUILD_INFO, SERIES, SERIES_LIMIT, SHARD_INFO, RELOAD_OK, RELOAD_TIME)
"""What the process says of itself, beside the ``process_*`` and ``python_info`` families of prometheus-client."""

EXPOSED_BY_LIBRARY: Final = ("process_*", "python_info")
"""What prometheus-client adds by itself."""
