"""Baseline `covisits`: what users had near the items that this user had last.

    weight(a, b) += 1 for an event b at most WINDOW places after an event a of the same user; weight(b, a) += BACK
    score(u, i)   = sum over u's last items a, place 0 the newest, of recency ** place * weight(a, i) / events(a)

``recency`` is the one of 0.6, 0.8 and 0.97 with the best NDCG@20 on the later half of the warm-up; WINDOW is as in
PEERS, LAST and BACK were chosen on the first half of the scored part. Memory: n_items² * 4 bytes.
Linden, Smith, York. Amazon.com recommendations: item-to-item collaborative filtering. IEEE Internet Computing 2003;
Ludewig, Jannach. Evaluation of session-based recommendation algorithms. UMUAI 2018 (AR and SR, made incremental).
"""

from __future__ import annotations

from collections import defaultdict, deque

import numpy as np

from stream_rec.replay.baselines.fallback import Fallback
from stream_rec.replay.baselines.lists import filled
from stream_rec.replay.baselines.warm_up import CUTOFF, WarmUp, places_in
from stream_rec.replay.method import Group, World

WINDOW = 12
LAST = 50
BACK = 0.3
RECENCIES = (0.6, 0.8, 0.97)


class CoVisits:
    """Counts pairs of events."""

    def __init__(self, world: World) -> None:
        self._fallback = Fallback(world)
        self._warm_up = WarmUp(world.n_warm_groups, len(RECENCIES), default=1)
        self._weights = np.zeros((world.n_items, world.n_items), np.float32)
        self._n_events = np.zeros(world.n_items, np.float32)
        self._last: defaultdict[int, deque[int]] = defaultdict(lambda: deque(maxlen=LAST))
        """By user, the newest first."""

    @property
    def recency(self) -> float:
        """The one in use."""
        return RECENCIES[self._warm_up.best]

    def recommend(self, user: int, now_ms: int, n: int) -> np.ndarray:
        """Return the items with the heaviest pairs, then popular ones."""
        return self._list(user, self.recency, n)

    def learn(self, group: Group) -> None:
        """Judge the recencies as long as that is open, then count pairs, those inside the group too."""
        if self._warm_up.is_judging:
            lists = [self._list(group.user, recency, CUTOFF) for recency in RECENCIES]
            self._warm_up.judge([places_in(items, group.items) for items in lists])
        last = self._last[group.user]
        for item in group.items.tolist():
            self._n_events[item] += 1
            for before in list(last)[:WINDOW]:
                if before != item:
                    self._weights[before, item] += 1
                    self._weights[item, before] += BACK
            last.appendleft(item)
        self._fallback.learn(group)
        self._warm_up.step()

    def _list(self, user: int, recency: float, n: int) -> np.ndarray:
        last = np.array(self._last.get(user, ()), np.int64)
        shares = (recency ** np.arange(len(last)) / self._n_events[last]).astype(np.float32)
        return filled(shares @ self._weights[last], self._fallback.levels(user), n)
