"""The parent streams of a simulated account: names, renditions, credentials and behavior."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

USER_ID = "5a1e0000-0000-4000-8000-00000000beef"
PROJECT_ID = "9c0ffee0-0000-4000-8000-000000000001"

_NAMES = (
    "Morning news",
    "Grandma's kitchen 🍲",
    'The "late" show',
    "Two lines:\nthe second",
    "Radio C:\\studio\\one",
    "Übertragung Köln",
    "速報チャンネル",
    "match day {final} <live>",
    "100% techno",
    "town-hall.camera-3",
    "🎮 speedruns & chill",
    "lobby",
)

_RENDITIONS = (  # name, width, height, bits per second
    ("240p0", 426, 240, 250_000),
    ("360p0", 640, 360, 800_000),
    ("480p0", 854, 480, 1_600_000),
    ("720p0", 1280, 720, 3_000_000),
)


class Behavior(StrEnum):
    """How the sessions of a stream behave."""

    STEADY = "steady"
    LOW_INGEST = "low ingest"  # the ingest rate drops and recovers, again and again
    TRANSCODING_LAG = "transcoding lag"  # transcoding falls behind and catches up, again and again
    MISSING_RENDITION = "missing rendition"  # one rendition is not delivered for a while, again and again
    UNHEALTHY = "unhealthy"  # unhealthy with issue texts, again and again
    SHORT = "short"  # short sessions, whose recordings have every outcome
    NEVER_SEEN = "never seen"  # sessions are created, but no media arrives
    RECONNECTING = "reconnecting"  # the encoder drops, and returns within minutes with a new session
    OVERLAPPING = "overlapping"  # a new session starts before the one before it ends
    FLAPPING = "flapping"  # unhealthy for a short time, again and again at short intervals


ISSUES: Mapping[Behavior, tuple[str, ...]] = {
    Behavior.LOW_INGEST: ("Ingest bitrate is far below the source's average",),
    Behavior.TRANSCODING_LAG: ("Transcoding is slower than real time",),
    Behavior.UNHEALTHY: (
        'Key frames come irregularly ("GOP" of 11.2 s)',
        "Audio track \\ video track out of step 🔇",
    ),
    Behavior.FLAPPING: ("Ingest stalls for seconds at a time",),
}
"""The issues of a degraded session that is unhealthy; at other behaviors the session stays healthy."""

_BEHAVIORS = (*Behavior, Behavior.STEADY, Behavior.STEADY)
"""The behaviors of the streams in turn; most streams are healthy most of the time."""


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """One parent stream, with what its sessions have in common.

    Attributes:
        is_recorded: None if the field `record` is missing.
        bitrate: of the source, bits per second.
        segment_duration: seconds.
        document: the `parentStream` of the list, with made-up secrets.
    """

    id: str
    user_id: str
    name: str
    playback_id: str
    behavior: Behavior
    is_recorded: bool | None
    bitrate: float
    segment_duration: float
    profiles: tuple[dict[str, Any], ...]
    document: dict[str, Any]


def make_stream(seed: int, number: int, users: int = 1) -> Stream:
    """Generate a stream; the same arguments produce the same stream.

    Args:
        seed: seed of all random values.
        number: number of the stream in its world.
        users: number of users to whom the streams of the world belong, in turn; the first is `USER_ID`.
    """
    rng = random.Random(f"stream:{seed}:{number}")
    behavior = _BEHAVIORS[number % len(_BEHAVIORS)]
    round_, place = divmod(number, len(_NAMES))
    name = _NAMES[place] + (f" {round_ + 1}" if round_ else "")
    is_recorded = True if behavior is Behavior.SHORT else rng.choice((True, True, False, None))
    profiles = _profiles(rng.choice((3, 4)))
    stream_id, playback_id = random_uuid(rng), f"{rng.getrandbits(64):016x}"
    bitrate, segment_duration = rng.uniform(4e6, 8e6), rng.choice((2.0, 2.002, 2.0853))
    user = number % users
    user_id = random_uuid(random.Random(f"user:{seed}:{user}")) if user else USER_ID
    document = {
        "id": stream_id,
        "name": name,
        "userId": user_id,
        "projectId": PROJECT_ID,
        "playbackId": playback_id,
        "record": is_recorded is True,
        "profiles": list(profiles),
        **_ingest(rng, number),
    }
    return Stream(
        id=stream_id,
        user_id=user_id,
        name=name,
        playback_id=playback_id,
        behavior=behavior,
        is_recorded=is_recorded,
        bitrate=bitrate,
        segment_duration=segment_duration,
        profiles=profiles,
        document=document,
    )


def _ingest(rng: random.Random, number: int) -> dict[str, Any]:
    """The fields of a parent stream that depend on its number alone, and its credentials."""
    return {
        "creatorId": {"type": "unverified", "value": f"creator-{number}@example.com"},
        "createdAt": 1_700_000_000_000 + number * 86_400_000,
        "lastSeen": 1_700_000_000_000,
        "isActive": True,  # outdated, as it often is in the real API
        "streamKey": "-".join(f"{rng.getrandbits(16):04x}" for _ in range(4)),
        "pull": {
            "source": f"https://camera-{number}.example.com/live/{rng.getrandbits(64):016x}.m3u8",
            "headers": {"Authorization": f"Basic {rng.getrandbits(96):024x}"},
        },
    }


def random_uuid(rng: random.Random) -> str:
    """Generate a version 4 UUID from a seeded source."""
    return str(UUID(int=rng.getrandbits(128), version=4))


def _profiles(count: int) -> tuple[dict[str, Any], ...]:
    profiles: list[dict[str, Any]] = [
        {"name": name, "width": width, "height": height, "bitrate": bitrate, "fps": 0}  # 0: that of the source
        for name, width, height, bitrate in _RENDITIONS[:count]
    ]
    profiles[-1] |= {"fps": 30, "gop": "2.0", "profile": "H264Baseline", "encoder": "H.264"}
    return tuple(profiles)
