"""The metrics that no panel shows, with the reasons in their declarations; a test compares them with the dashboards."""

from collections.abc import Mapping
from typing import Final

from exporter.metrics.catalogue import EVERY_OPTION, everything

LEFT_OUT: Final[Mapping[str, str]] = {
    "python_info": "the Python version is a label of exporter_build_info",
    "process_virtual_memory_bytes": "reserved memory is not used memory; resident memory is shown",
    **{family.name: family.off_dashboards for family, _ in everything(EVERY_OPTION) if family.off_dashboards},
}
"""Reasons by metric name. Stream metrics always have a reason, so some of them are on a panel nevertheless."""
