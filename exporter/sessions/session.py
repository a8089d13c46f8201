"""A session: the fields of the API's Session object that the exporter reads."""

from typing import Annotated, Final

import msgspec

MAX_ID: Final = 128
"""Maximum characters of an id. The API's ids are UUIDs of 36 characters, but nothing validates them."""

MAX_PROFILES: Final = 64
"""Maximum transcoding profiles of a session. A decoded profile takes far more memory than its two bytes of JSON."""

MAX_ISSUES: Final = 1_000
"""Maximum issues of a session. The API lists a few; an unbounded list would block other work while it is decoded."""

Amount = Annotated[float, msgspec.Meta(ge=0, le=2.0**63)]
"""A count, size, duration or rate: not negative, and within the API's 64-bit integers."""

INVALID_TIME: Final = -1.0
"""Stands for a ``lastSeen`` that the API returned but that cannot be a time. None means that media was never seen."""

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID)]


class Profile(msgspec.Struct, frozen=True, gc=False):
    """A transcoding profile, which produces one rendition. ``bitrate`` is in bits per second."""

    name: str | None = None
    width: Amount | None = None
    height: Amount | None = None
    bitrate: Amount | None = None
    fps: Amount | None = None
    gop: str | None = None
    encoder: str | None = None


Issues = Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_ISSUES)]
Profiles = Annotated[tuple[Profile, ...], msgspec.Meta(max_length=MAX_PROFILES)]


class Session(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A session as the API returns it. A field that is missing, null or invalid is None.

    Times are milliseconds since the Unix epoch, durations are seconds, rates are bytes per second.

    ``user_id`` is read to notice a key of another user, and is never exported. ``last_seen`` may be `INVALID_TIME`.

    The API's ``parentStream`` is not read: it holds a stream key. ``repr`` shows the id alone, because the URLs and
    the playback id give access to the video.
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
    issues: Issues | None = None
    record: bool | None = None
    recording_status: str | None = None
    recording_url: str | None = None
    mp4_url: str | None = None
    profiles: Profiles | None = None
    playback_id: str | None = None
    project_id: str | None = None
    user_id: str | None = None

    def __repr__(self) -> str:
        return f"Session(id={self.id!r})"


FIELDS: Final = tuple(each.encode_name for each in msgspec.structs.fields(Session))
"""The API's names of the fields: the values of the label ``field`` of ``exporter_invalid_values_by_field_total``."""
