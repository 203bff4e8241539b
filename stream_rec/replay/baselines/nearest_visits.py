"""What V-SkNN and STAN share: neighbours' items, by the setting that did best on the warm-up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np

from stream_rec.replay.baselines.fallback import Fallback
from stream_rec.replay.baselines.lists import filled
from stream_rec.replay.baselines.visits import Visits
from stream_rec.replay.baselines.warm_up import CUTOFF, WarmUp, places_in
from stream_rec.replay.method import Group, World

Setting = TypeVar("Setting")


class NearestVisits(Generic[Setting]):
    """A method made of scores by visits.

    Args:
        settings: (longest break in a visit, the rest of the setting); the first is used until one was chosen.
        score: (visits, the rest of the setting, user, now_ms) → scores, (n_items,).
    """

    def __init__(
        self,
        world: World,
        settings: Sequence[tuple[float, Setting]],
        score: Callable[[Visits, Setting, int, int], np.ndarray],
    ) -> None:
        self._settings = settings
        self._score = score
        self._fallback = Fallback(world)
        self._warm_up = WarmUp(world.n_warm_groups, len(settings), default=0)
        self._visits = {longest_break_ms: Visits(world, longest_break_ms) for longest_break_ms, _ in settings}

    @property
    def setting(self) -> tuple[float, Setting]:
        """The one in use."""
        return self._settings[self._warm_up.best]

    def recommend(self, user: int, now_ms: int, n: int) -> np.ndarray:
        """Return the neighbours' items, then popular ones."""
        return self._list(self.setting, user, now_ms, n)

    def learn(self, group: Group) -> None:
        """Judge the settings as long as that is open, then add the group to the user's visit."""
        if self._warm_up.is_judging:
            lists = [self._list(setting, group.user, group.now_ms, CUTOFF) for setting in self._settings]
            self._warm_up.judge([places_in(items, group.items) for items in lists])
        for visits in self._visits.values():
            visits.learn(group)
        self._fallback.learn(group)
        if self._warm_up.step():
            self._visits = {self.setting[0]: self._visits[self.setting[0]]}

    def _list(self, setting: tuple[float, Setting], user: int, now_ms: int, n: int) -> np.ndarray:
        longest_break_ms, rest = setting
        scores = self._score(self._visits[longest_break_ms], rest, user, now_ms)
        return filled(scores, self._fallback.levels(user), n)
