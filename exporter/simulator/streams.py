"""The parent streams of a made-up account: names, renditions, credentials, and what befalls each."""

import random
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

_LADDER = (  # name, width, height, bits per second
    ("240p0", 426, 240, 250_000),
    ("360p0", 640, 360, 800_000),
    ("480p0", 854, 480, 1_600_000),
    ("720p0", 1280, 720, 3_000_000),
)


class Habit(StrEnum):
    """What befalls the sessions of a stream, again and again."""

    STEADY = "steady"
    SAGGING = "sagging"  # the ingest gets thin, then recovers
    LAGGING = "lagging"  # transcoding falls behind, then catches up
    LOSING = "losing"  # one rendition is not delivered for a while
    AILING = "ailing"  # unhealthy, with issue texts
    BRIEF = "brief"  # short sessions, whose recordings become ready and fail in turn
    SHY = "shy"  # sessions that are created and never seen


_HABITS = tuple(Habit)


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """One parent stream; its sessions share all of this."""

    id: str
    name: str
    playback_id: str
    habit: Habit
    recorded: bool | None  # None: the field is missing
    bitrate: float  # of the source, bits per second
    segment: float  # length of a segment in seconds
    profiles: tuple[dict[str, Any], ...]
    document: dict[str, Any]  # the `parentStream` of the list, with its made-up secrets


def make_stream(seed: int, number: int) -> Stream:
    """The stream with this number in the account of this seed; always the same one."""
    rng = random.Random(f"stream:{seed}:{number}")
    habit = _HABITS[number % len(_HABITS)]
    round_, place = divmod(number, len(_NAMES))
    name = _NAMES[place] + (f" {round_ + 1}" if round_ else "")
    recorded = True if habit is Habit.BRIEF else rng.choice((True, True, False, None))
    profiles = _profiles(rng.choice((3, 4)))
    stream_id, playback_id = random_uuid(rng), f"{rng.getrandbits(64):016x}"
    return Stream(
        id=stream_id,
        name=name,
        playback_id=playback_id,
        habit=habit,
        recorded=recorded,
        bitrate=rng.uniform(4e6, 8e6),
        segment=rng.choice((2.0, 2.002, 2.0853)),
        profiles=profiles,
        document={
            "id": stream_id,
            "name": name,
            "userId": USER_ID,
            "projectId": PROJECT_ID,
            "creatorId": {"type": "unverified", "value": f"creator-{number}@example.com"},
            "createdAt": 1_700_000_000_000 + number * 86_400_000,
            "lastSeen": 1_700_000_000_000,
            "isActive": True,  # not to be believed: upstream's own value is late as well
            "streamKey": "-".join(f"{rng.getrandbits(16):04x}" for _ in range(4)),
            "playbackId": playback_id,
            "pull": {
                "source": f"https://camera-{number}.example.com/live/{rng.getrandbits(64):016x}.m3u8",
                "headers": {"Authorization": f"Basic {rng.getrandbits(96):024x}"},
            },
            "record": recorded is True,
            "profiles": list(profiles),
        },
    )


def random_uuid(rng: random.Random) -> str:
    """A version 4 UUID from a seeded source."""
    return str(UUID(int=rng.getrandbits(128), version=4))


def _profiles(count: int) -> tuple[dict[str, Any], ...]:
    profiles: list[dict[str, Any]] = [
        {"name": name, "width": width, "height": height, "bitrate": bitrate, "fps": 0}  # 0: as the source
        for name, width, height, bitrate in _LADDER[:count]
    ]
    profiles[-1] |= {"fps": 30, "gop": "2.0", "profile": "H264Baseline", "encoder": "H.264"}
    return tuple(profiles)
