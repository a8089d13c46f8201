"""Which sessions, or streams, get series of their own: all, unless there would be more than the page may carry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

from exporter.cooperative import Cooperative, batches
from exporter.metrics.catalogue import SubjectFamily
from exporter.metrics.catalogue.family import Subject


@dataclass(frozen=True, slots=True)
class Selection(Generic[Subject]):
    """What is shown one by one, in the order it came, whether each is active, and how many had to be left out."""

    subjects: Sequence[Subject]
    active: Sequence[bool]
    dropped: int = 0


class Budget:
    """Shares the series that a page may carry between its accounts.

    No account gets more than it asks for; what is left over goes to those that ask for more, in equal parts. What an
    account shows, or was allowed to show and is still rendering, is its own until its next poll, so that the limit
    always holds.

    Args:
        limit: series that there may be.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._wanted: dict[str, int] = {}
        self._granted: dict[str, int] = {}
        self._shown: dict[str, int] = {}

    def claim(self, account: str, series: int) -> int:
        """Say how many series an account would like to show, and learn how many it may."""
        self._wanted[account] = series
        others = sum(self._held(name) for name in self._granted | self._shown if name != account)
        self._granted[account] = max(0, min(self._share(account), self.limit - others))
        return self._granted[account]

    def use(self, account: str, series: int) -> None:
        """Say how many series an account shows from now on."""
        granted = self._granted.pop(account, 0)
        if self._wanted.get(account, 0) <= granted:
            self._wanted[account] = series  # it had all it asked for, which was a guess from above
        self._shown[account] = series

    def withdraw(self, account: str) -> None:
        """What an account shows is off the page; it may be about to show something new."""
        self._wanted.pop(account, None)
        self._shown.pop(account, None)

    def leave(self, account: str) -> None:
        """The account is gone."""
        self.withdraw(account)
        self._granted.pop(account, None)

    def _held(self, account: str) -> int:
        return max(self._granted.get(account, 0), self._shown.get(account, 0))

    def _share(self, account: str) -> int:
        left = self.limit
        asking = sorted(self._wanted, key=lambda name: (self._wanted[name], name))
        for place, name in enumerate(asking):
            share = min(self._wanted[name], left // (len(asking) - place))
            if name == account:
                return share
            left -= share
        return 0


def select(
    subjects: Sequence[Subject],
    active: Sequence[bool],
    families: Sequence[SubjectFamily[Subject]],
    seen: Callable[[Subject], float],
    claim: Callable[[int], int],
) -> Cooperative[Selection[Subject]]:
    """Choose subjects until their series fill what may be shown: active ones first, then the most recently seen.

    Args:
        subjects: what there is.
        active: whether each of them is.
        families: what is shown of each.
        seen: when a subject was last seen.
        claim: from the series that are wanted to those that there may be.
    """
    everything = Selection(subjects, active)
    if all(family.most for family in families):
        at_most = len(subjects) * sum(family.most for family in families)
        if claim(at_most) >= at_most:
            return everything
    sizes: list[int] = []
    for part in batches(tuple(zip(subjects, active, strict=True))):
        sizes += [sum(len(tuple(family.samples(*each))) for family in families) for each in part]
        yield
    wanted = sum(sizes)
    limit = claim(wanted)
    if wanted <= limit:
        return everything
    order = sorted(range(len(sizes)), key=lambda place: (active[place], seen(subjects[place])), reverse=True)
    yield
    chosen: list[int] = []
    for place in order:
        limit -= sizes[place]
        if limit < 0:
            break
        chosen.append(place)
    chosen.sort()
    return Selection(
        [subjects[place] for place in chosen],
        [active[place] for place in chosen],
        dropped=len(sizes) - len(chosen),
    )
