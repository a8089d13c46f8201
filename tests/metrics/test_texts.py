"""Samples with texts in their labels, by example."""

import pytest

from exporter.metrics.catalogue.texts import MAX_ISSUE, MAX_NAME, MAX_TEXT, Options, bitrates, info, issues, profiles
from exporter.sessions.session import Profile, Session
from exporter.sessions.snapshot import ACTIVE

LONG = "x" * (MAX_TEXT + 1)


def session(*found: Profile) -> Session:
    return Session(id="1", profiles=found)


def test_a_profile_has_all_its_texts_as_labels() -> None:
    profile = Profile(name="720p", width=1280.0, height=720.0, fps=29.97, gop="2.0", encoder="H.264", bitrate=1.0)
    assert list(profiles(session(profile), ACTIVE)) == [(("720p", "1280", "720", "29.97", "2.0", "H.264"), 1.0)]


def test_an_unknown_value_of_a_profile_is_an_empty_label() -> None:
    assert list(profiles(session(Profile()), ACTIVE)) == [(("",) * 6, 1.0)]


def test_a_long_text_of_a_profile_is_cut() -> None:
    ((labels, _),) = profiles(session(Profile(name=LONG)), ACTIVE)
    assert labels[0] == "x" * MAX_TEXT


def test_equal_profiles_are_one_sample() -> None:
    assert len(list(profiles(session(Profile(name="a"), Profile(name="a"), Profile(name="b")), ACTIVE))) == 2


def test_a_session_without_profiles_has_no_sample_of_them() -> None:
    assert not list(profiles(Session(id="1"), ACTIVE))
    assert not list(bitrates(Session(id="1"), ACTIVE))


def test_the_bitrate_of_a_profile_is_in_bytes_per_second() -> None:
    assert list(bitrates(session(Profile(name="a", bitrate=80.0)), ACTIVE)) == [(("a",), 10.0)]


def test_a_profile_without_a_bitrate_has_no_sample_of_it() -> None:
    assert not list(bitrates(session(Profile(name="a")), ACTIVE))


def test_a_profile_without_a_name_has_an_empty_label() -> None:
    assert list(bitrates(session(Profile(bitrate=8.0)), ACTIVE)) == [(("",), 1.0)]


def test_a_long_name_of_a_profile_is_cut() -> None:
    assert list(bitrates(session(Profile(name=LONG, bitrate=8.0)), ACTIVE)) == [(("x" * MAX_TEXT,), 1.0)]


def test_of_profiles_with_the_same_name_the_first_has_its_bitrate() -> None:
    found = bitrates(session(Profile(name="a", bitrate=8.0), Profile(name="a", bitrate=16.0)), ACTIVE)
    assert list(found) == [(("a",), 1.0)]


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        (Options(), ("n",)),
        (Options(playback_ids=True), ("n", "p")),
        (Options(project_ids=True), ("n", "j")),
        (Options(playback_ids=True, project_ids=True), ("n", "p", "j")),
    ],
)
def test_the_ids_of_a_session_are_labels_on_request(options: Options, labels: tuple[str, ...]) -> None:
    found = Session(id="1", name="n", playback_id="p", project_id="j")
    assert list(info(options)(found, ACTIVE)) == [(labels, 1.0)]


@pytest.mark.parametrize("options", [Options(), Options(playback_ids=True, project_ids=True)])
def test_an_unknown_text_of_a_session_is_an_empty_label(options: Options) -> None:
    ((labels, _),) = info(options)(Session(id="1"), ACTIVE)
    assert not any(labels)


@pytest.mark.parametrize("options", [Options(), Options(playback_ids=True, project_ids=True)])
def test_a_long_text_of_a_session_is_cut(options: Options) -> None:
    long = "x" * (MAX_NAME + 1)
    ((labels, _),) = info(options)(Session(id="1", name=long, playback_id=long, project_id=long), ACTIVE)
    assert set(labels) == {"x" * MAX_NAME}


def test_a_long_issue_is_cut() -> None:
    assert list(issues(Session(id="1", issues=("x" * (MAX_ISSUE + 1),)), ACTIVE)) == [(("x" * MAX_ISSUE,), 1.0)]
