"""The families that carry texts in their labels, the same for sessions and for streams."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from exporter.metrics.catalogue.family import Sample
from exporter.sessions.session import Profile
from exporter.text import clean

MAX_NAME: Final = 128
MAX_ISSUES: Final = 5
MAX_ISSUE: Final = 160
MAX_TEXT: Final = 64
"""Characters of a text as a label, and how many issue texts a session shows; more would be series without end."""


@dataclass(frozen=True, slots=True)
class Options:
    """Which of the optional series are wanted; see the settings of the same names."""

    issue_texts: bool = True
    profile_series: bool = False
    playback_ids: bool = False
    project_ids: bool = False


class Described(Protocol):
    """What a session and a stream have in common."""

    @property
    def name(self) -> str | None:
        """As the customer calls it."""

    @property
    def playback_id(self) -> str | None:
        """Lets anyone watch."""

    @property
    def project_id(self) -> str | None:
        """Of the account."""

    @property
    def issues(self) -> tuple[str, ...] | None:
        """What Livepeer says is wrong."""

    @property
    def profiles(self) -> tuple[Profile, ...] | None:
        """The renditions that are wanted."""


def info_labels(options: Options) -> tuple[str, ...]:
    """The labels that `info` has values for, in the same order."""
    labels = ["name"]
    if options.playback_ids:
        labels.append("playback_id")
    if options.project_ids:
        labels.append("project_id")
    return tuple(labels)


def info(options: Options) -> Callable[[Described, bool], Iterable[Sample]]:
    """The name, and the ids that the options ask for."""

    def values(subject: Described, _active: bool) -> Iterable[Sample]:
        labels = [clean(subject.name or "", MAX_NAME)]
        if options.playback_ids:
            labels.append(clean(subject.playback_id or "", MAX_NAME))
        if options.project_ids:
            labels.append(clean(subject.project_id or "", MAX_NAME))
        return ((tuple(labels), 1.0),)

    def name_alone(subject: Described, _active: bool) -> Iterable[Sample]:
        return (((clean(subject.name or "", MAX_NAME),), 1.0),)

    return values if options.playback_ids or options.project_ids else name_alone


def issues(subject: Described, active: bool) -> Iterable[Sample]:
    """Each different text once, while active."""
    if not active or not subject.issues:
        return ()
    texts = dict.fromkeys(clean(text, MAX_ISSUE) for text in subject.issues)
    return [((text,), 1.0) for text in list(texts)[:MAX_ISSUES]]


def profiles(subject: Described, _active: bool) -> Iterable[Sample]:
    """Each different profile once."""
    found = dict.fromkeys(map(_profile_labels, subject.profiles or ()))
    return [(labels, 1.0) for labels in found]


def _profile_labels(profile: Profile) -> tuple[str, ...]:
    texts = (profile.name, profile.width, profile.height, profile.fps, profile.gop, profile.encoder)
    return tuple(clean(f"{text:.15g}" if isinstance(text, float) else text or "", MAX_TEXT) for text in texts)


def bitrates(subject: Described, _active: bool) -> Iterable[Sample]:
    """Bytes per second of each profile; of two with the same name the first."""
    found: dict[tuple[str, ...], float] = {}
    for profile in subject.profiles or ():
        if profile.bitrate is not None:
            found.setdefault((clean(profile.name or "", MAX_TEXT),), profile.bitrate / 8)
    return found.items()
