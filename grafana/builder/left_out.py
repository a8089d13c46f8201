"""The metrics that no panel shows, each with its reason, from their declarations; a test compares the dashboards."""

from collections.abc import Mapping
from typing import Final

from exporter.metrics.catalogue import EVERY_OPTION, everything

LEFT_OUT: Final[Mapping[str, str]] = {
    "python_info": "the Python version is a label of exporter_build_info",
    "process_virtual_memory_bytes": "reserved memory is not used memory; resident memory is shown",
    **{family.name: family.off_dashboards for family, _ in everything(EVERY_OPTION) if family.off_dashboards},
}
"""Reasons by metric. Metrics of streams may be on a panel all the same: their reason is that sessions are shown."""
