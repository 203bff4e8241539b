"""When the next events of a history may be sent beside those that are live: one handful at a time, with rests between.

A handful is sent when lists have answered the one before, and after a rest as long as that took. So whatever workers
are able to do at the moment, a live event waits for a handful at most, and half of their time is its own. A rate
that is lowered only when workers fall behind makes live lists late until that is noticed.

What lists do not tell is how far the item stage is, for one. A worker commits once in an interval, so records count as
open although they have long been taken. But a moment after a commit those that are open are really waiting: so of each
partition the fewest within a little more than one interval count, and of all partitions together the sum. That is how
far the workers are *behind*.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping

REST = 1.0
"""Rest after a handful, in what it took."""
LONGEST_REST_S = 1.0


class Throttle:
    """Says when to send. Clocks are arguments.

    Example:
        >>> throttle = Throttle(most_behind=100, commit_interval_s=1.0)
        >>> throttle.count_sent(now_s=5.0, n=20)
        >>> throttle.begin_rest(now_s=5.25)
        >>> throttle.wait_s(now_s=5.25)
        0.25
        >>> throttle.observe_lag(now_s=5.5, n_open={"views": 80, "clicks": 40})
        >>> throttle.behind, throttle.is_waiting
        (120, True)
    """

    def __init__(self, *, most_behind: int, commit_interval_s: float, most_per_s: float = float("inf")) -> None:
        """Begin.

        Args:
            most_behind: Records that may be waiting, those of others too; with more nothing is sent. 0: the workers
                are not heeded; ``observe_lag`` and ``begin_rest`` need not be called.
            commit_interval_s: How often workers commit.
            most_per_s: Events a second on average, at most.
        """
        self._most_behind = most_behind
        self._window_s = 1.2 * commit_interval_s + 0.2
        self._most_per_s = most_per_s
        self._samples: deque[tuple[float, Mapping[Hashable, int]]] = deque()
        self._sent_s = self._due_s = self._rested_s = -float("inf")
        self.behind = 0
        """Records that were waiting when the workers were heard of last."""

    @property
    def is_waiting(self) -> bool:
        """Whether too much is waiting for anything to be sent."""
        return 0 < self._most_behind < self.behind

    def observe_lag(self, now_s: float, n_open: Mapping[Hashable, int]) -> None:
        """Take in how many records of each partition are open."""
        samples = self._samples
        samples.append((now_s, n_open))
        while samples[0][0] < now_s - self._window_s:
            samples.popleft()
        self.behind = sum(min(sample.get(tp, 0) for _, sample in samples) for tp in n_open)

    def count_sent(self, now_s: float, n: int) -> None:
        """Count ``n`` events that were sent."""
        self._sent_s = now_s
        self._due_s = max(now_s, self._due_s) + n / self._most_per_s

    def begin_rest(self, now_s: float) -> None:
        """Begin the rest after workers have taken what was sent last."""
        self._rested_s = now_s + min(REST * (now_s - self._sent_s), LONGEST_REST_S)

    def wait_s(self, now_s: float) -> float:
        """Return how long to wait before the next events are sent, if those before were answered; ask again then."""
        if self.is_waiting:
            return self._window_s / 10
        return max(0.0, max(self._due_s, self._rested_s) - now_s)
