"""Which sessions or streams get series of their own when there are more than the series limit allows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic

import msgspec

from exporter.cooperative import SMALL_BATCH_SIZE, Cooperative, batches
from exporter.metrics.catalogue import SubjectFamily
from exporter.metrics.catalogue.family import Subject
from exporter.sessions.snapshot import ACTIVE, State


class Selection(msgspec.Struct, Generic[Subject], frozen=True):
    """The subjects that get series, each with its state and in its original order, and the number of the others."""

    subjects: Sequence[tuple[Subject, State]]
    dropped: int = 0


class Shared(msgspec.Struct, Generic[Subject], frozen=True):
    """Series that several subjects have in common, as sessions have those of their stream.

    They are selected together with the first of these subjects.

    Attributes:
        owner: from a subject to the name of what has the series.
        sizes: the number of series, by this name.
    """

    owner: Callable[[Subject], str | None]
    sizes: Mapping[str | None, int]


class SeriesBudget:
    """Shares the series limit between the accounts.

    No account gets more than it wants. What it leaves is shared equally by those that want more. What an account shows,
    or was granted and is still rendering, stays reserved until its next poll, so the limit holds at every moment.

    Args:
        limit: maximum series of sessions and streams, all accounts.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._wanted: dict[str, int] = {}
        self._granted: dict[str, int] = {}
        self._shown: dict[str, int] = {}

    def claim(self, account: str, series: int) -> int:
        """Reserve series for an account that wants so many; return the number granted."""
        self._wanted[account] = series
        others = sum(self._reserved(name) for name in self._granted | self._shown if name != account)
        self._granted[account] = max(0, min(self._share(account), self.limit - others))
        return self._granted[account]

    def use(self, account: str, series: int) -> None:
        """Record how many series an account shows from now on."""
        granted = self._granted.pop(account, 0)
        if self._wanted.get(account, 0) <= granted:
            self._wanted[account] = series  # the claim was an upper bound
        self._shown[account] = series

    def withdraw(self, account: str) -> None:
        """Release what an account shows; a claim that it is rendering stays reserved."""
        self._wanted.pop(account, None)
        self._shown.pop(account, None)

    def leave(self, account: str) -> None:
        """Release everything of an account that is removed."""
        self.withdraw(account)
        self._granted.pop(account, None)

    def _reserved(self, account: str) -> int:
        return max(self._granted.get(account, 0), self._shown.get(account, 0))

    def _share(self, account: str) -> int:
        left = self.limit
        wanting = sorted(self._wanted, key=lambda name: (self._wanted[name], name))
        for place, name in enumerate(wanting):
            share = min(self._wanted[name], left // (len(wanting) - place))
            if name == account:
                return share
            left -= share
        return 0


def select(
    subjects: Sequence[tuple[Subject, State]],
    families: Sequence[SubjectFamily[Subject]],
    last_seen: Callable[[Subject], float],
    claim: Callable[[int], int],
    shared: Shared[Subject] | None = None,
) -> Cooperative[Selection[Subject]]:
    """Select subjects until their series reach the limit: active ones first, then the most recently seen.

    Args:
        subjects: each with its state.
        families: the series of each.
        last_seen: from a subject to a time, for the order.
        claim: from the number of series wanted to the number granted, see `SeriesBudget.claim`.
        shared: further series, which several of the subjects have in common.
    """
    common = sum(shared.sizes.values()) if shared else 0
    everything = Selection(subjects)
    bounds = [family.max_series for family in families]
    if None not in bounds:
        at_most = common + len(subjects) * sum(filter(None, bounds))
        if claim(at_most) >= at_most:
            return everything
    sizes = yield from series_per_subject(subjects, families)
    wanted = common + sum(sizes)
    limit = claim(wanted)
    if wanted <= limit:
        return everything
    importance = [(state == ACTIVE, last_seen(subject)) for subject, state in subjects]
    yield
    selected = _within(limit, sizes, importance, _shared_sizes(subjects, shared))
    yield
    return Selection([subjects[place] for place in selected], dropped=len(sizes) - len(selected))


def series_per_subject(
    subjects: Sequence[tuple[Subject, State]], families: Sequence[SubjectFamily[Subject]]
) -> Cooperative[list[int]]:
    """Return the number of series of each subject."""
    sizes: list[int] = []
    for part in batches(subjects, SMALL_BATCH_SIZE):
        sizes += [sum(len(family.samples(*each)) for family in families) for each in part]
        yield
    return sizes


def _shared_sizes(
    subjects: Sequence[tuple[Subject, State]], shared: Shared[Subject] | None
) -> Sequence[tuple[str | None, int]]:
    """Return the owner of each subject with its number of series."""
    if shared is None:
        return [(None, 0)] * len(subjects)
    owners = [shared.owner(subject) for subject, _ in subjects]
    return [(owner, shared.sizes[owner]) for owner in owners]


def _within(
    limit: int,
    sizes: Sequence[int],
    importance: Sequence[tuple[bool, float]],
    shared: Sequence[tuple[str | None, int]],
) -> list[int]:
    """Return the places of the most important subjects whose sizes do not exceed the limit, in ascending order.

    What subjects share with others, as an owner and a size, is added to the first of them.
    """
    selected: list[int] = []
    owners: set[str | None] = set()
    for place in sorted(range(len(sizes)), key=importance.__getitem__, reverse=True):
        owner, common = shared[place]
        limit -= sizes[place] + (0 if owner in owners else common)
        if limit < 0:
            break
        owners.add(owner)
        selected.append(place)
    return sorted(selected)
