"""What a session is: the fields of the API's Session object that the exporter reads.

Decoding them is the business of `exporter.livepeer.decoding`.
"""

from typing import Annotated, Final

import msgspec

MAX_ID: Final = 128
"""Characters that an id may have; upstream ids are UUIDs with 36."""

MAX_PROFILES: Final = 64
"""Transcoding profiles that a session may have; the API's have a handful, and a profile takes far more memory than the
two bytes that it can be written in."""

Amount = Annotated[float, msgspec.Meta(ge=0, le=2.0**63)]
"""A count, size, duration or rate: never negative, never more than the upstream's integers can hold."""

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID)]


class Profile(msgspec.Struct, frozen=True, gc=False):
    """One transcoding profile, that is one rendition; ``bitrate`` is in bits per second, ``gop`` as upstream has it."""

    name: str | None = None
    width: Amount | None = None
    height: Amount | None = None
    bitrate: Amount | None = None
    fps: Amount | None = None
    gop: str | None = None
    encoder: str | None = None


Profiles = Annotated[tuple[Profile, ...], msgspec.Meta(max_length=MAX_PROFILES)]


class Session(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One session as the API shows it; None is whatever was missing, null or unreadable.

    Times are milliseconds since 1970, durations seconds, rates bytes per second. ``parentStream`` is not here: it holds
    a stream key, and is skipped unread. The URLs and the playback id let anyone watch, so ``repr`` shows the id alone.
    """

    id: Id
    name: str | None = None
    parent_id: str | None = None
    created_at: Amount | None = None
    last_seen: Amount | None = None
    source_segments: Amount | None = None
    transcoded_segments: Amount | None = None
    source_segments_duration: Amount | None = None
    transcoded_segments_duration: Amount | None = None
    source_bytes: Amount | None = None
    transcoded_bytes: Amount | None = None
    ingest_rate: Amount | None = None
    outgoing_rate: Amount | None = None
    is_healthy: bool | None = None
    issues: tuple[str, ...] | None = None
    record: bool | None = None
    recording_status: str | None = None
    recording_url: str | None = None
    mp4_url: str | None = None
    profiles: Profiles | None = None
    playback_id: str | None = None
    project_id: str | None = None

    def __repr__(self) -> str:
        return f"Session(id={self.id!r})"


FIELDS: Final = tuple(each.encode_name for each in msgspec.structs.fields(Session))
"""The API's names of the fields that are read: the values of the label ``field`` of ``invalid_values_total``."""
