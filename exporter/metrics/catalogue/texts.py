"""Samples with texts in their labels, the same for sessions and streams."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from exporter.metrics.catalogue.family import Sample
from exporter.sessions.session import Profile, Session
from exporter.sessions.snapshot import ACTIVE, State
from exporter.text import clean

MAX_NAME: Final = 128
MAX_ISSUE: Final = 160
MAX_TEXT: Final = 64
"""Maximum characters of names, issues and other texts in labels."""

MAX_ISSUES: Final = 5
"""Maximum issues of a session that become series."""


class Options(msgspec.Struct, frozen=True):
    """The optional series and labels; see the settings of the same names."""

    issue_texts: bool = True
    profile_series: bool = False
    playback_ids: bool = False
    project_ids: bool = False


def info_labels(options: Options) -> tuple[str, ...]:
    """Return the labels for the values of `info`, in the same order."""
    labels = ["name"]
    if options.playback_ids:
        labels.append("playback_id")
    if options.project_ids:
        labels.append("project_id")
    return tuple(labels)


def info(options: Options) -> Callable[[Session, State], Sequence[Sample]]:
    """Return the function from a session to its name and the optional ids."""

    def values(session: Session, _state: State) -> Sequence[Sample]:
        labels = [clean(session.name or "", MAX_NAME)]
        if options.playback_ids:
            labels.append(clean(session.playback_id or "", MAX_NAME))
        if options.project_ids:
            labels.append(clean(session.project_id or "", MAX_NAME))
        return ((tuple(labels), 1.0),)

    def name_alone(session: Session, _state: State) -> Sequence[Sample]:
        return (((clean(session.name or "", MAX_NAME),), 1.0),)

    return values if options.playback_ids or options.project_ids else name_alone


def issues(session: Session, state: State) -> Sequence[Sample]:
    """Return each distinct issue of an active session."""
    if state != ACTIVE or not session.issues:
        return ()
    texts = dict.fromkeys(clean(text, MAX_ISSUE) for text in session.issues)
    return [((text,), 1.0) for text in list(texts)[:MAX_ISSUES]]


def profiles(session: Session, _state: State) -> Sequence[Sample]:
    """Return each distinct profile."""
    found = dict.fromkeys(map(_profile_labels, session.profiles or ()))
    return [(labels, 1.0) for labels in found]


def _profile_labels(profile: Profile) -> tuple[str, ...]:
    texts = (profile.name, profile.width, profile.height, profile.fps, profile.gop, profile.encoder)
    return tuple(clean(f"{text:.15g}" if isinstance(text, float) else text or "", MAX_TEXT) for text in texts)


def bitrates(session: Session, _state: State) -> Sequence[Sample]:
    """Return the bitrate of each profile in bytes per second; of several with the same name, the first."""
    found: dict[tuple[str, ...], float] = {}
    for profile in session.profiles or ():
        if profile.bitrate is not None:
            found.setdefault((clean(profile.name or "", MAX_TEXT),), profile.bitrate / 8)
    return list(found.items())
