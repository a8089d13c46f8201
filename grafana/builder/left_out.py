"""Metrics that stand on no panel, each with its reason; a test holds this list against the catalogue."""

from collections.abc import Mapping
from typing import Final

_SUMMED: Final = "summed over sessions that come and go, so it says nothing about a stream's speed or lag"
_DETAIL: Final = "a detail of sessions; the dashboard Session shows it where the exporter tells of sessions"

LEFT_OUT: Final[Mapping[str, str]] = {
    "python_info": "the version of Python is a label of exporter_build_info",
    "process_virtual_memory_bytes": "what is reserved says nothing about what is used; resident memory is shown",
    "livepeer_studio_stream_source_segments": _SUMMED,
    "livepeer_studio_stream_transcoded_segments": _SUMMED,
    "livepeer_studio_stream_source_segments_duration_seconds": _SUMMED,
    "livepeer_studio_stream_transcoded_segments_duration_seconds": _SUMMED,
    "livepeer_studio_stream_transcoded_bytes": _SUMMED,
    "livepeer_studio_stream_profiles": _DETAIL,
    "livepeer_studio_stream_recording_available": _DETAIL,
    "livepeer_studio_stream_profile_info": _DETAIL,
    "livepeer_studio_stream_profile_bitrate_bytes_per_second": _DETAIL,
}
