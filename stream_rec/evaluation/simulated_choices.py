"""What a simulated user does with a list: how far they look, what they choose, and what they grow tired of.

    P(looks at slot k)      = k ** -position_bias
    P(chooses i | looks)    = likely(u, i) * fatigue ** F * (1 - (1 - repeat) C)

    F  how often the user looked at i and did not choose it, each time halved in every ``rested_half_life_d`` since;
       a choice ends it.
    C  1 right after the user chose i, halved in every ``had_half_life_d`` since: what one has had, one does not take
       again soon, least where the log has few repeats (``repeat``, its share of repeats).

A user looks from the top down to a depth, at all slots above it and at none below, which is one random number a visit;
and chooses each item that they look at on its own, by one number for each visit and item. Both are hashes of the seed,
the visit and the item: what happens in one visit does not depend on how many numbers were drawn before, so that two
recommenders meet the same users, and one item in two lists of the same visit the same luck.

Source:
    Joachims, Swaminathan, Schnabel. Unbiased Learning-to-Rank with Biased Feedback. WSDM 2017 (P(looks) by a power of
    the position, 1 there); Agarwal, Chen, Elango. Spatio-Temporal Models for Estimating Click-through Rate. WWW 2009,
    and Ma, Liu, Shen. User Fatigue in Online News Recommendation. WWW 2016 (click-through falls with repeated showing).
    Steele, Lea, Flood. Fast Splittable Pseudorandom Number Generators. OOPSLA 2014 (the mixing function).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream_rec.evaluation.simulated_users import SimulatedUsers

DAY_MS = 86_400_000
TIRED = 0.5
"""An item is tired, or had, where that makes it at most so likely as it was."""
Numbers = NDArray[np.float64]


class HabitConfig(Struct, frozen=True, kw_only=True):
    """How users look and tire."""

    position_bias: float = 0.7
    """Exponent of 1 / position; 0: everything is looked at. Of 20 slots 5.4 are looked at, and the last in 12 % of
    lists."""
    fatigue: float = 0.7
    """What each look without a choice leaves of an item's probability; 1: nobody tires."""
    rested_half_life_d: float = 3.0
    """Days in which half of the looks are forgotten."""
    had_half_life_d: float = 180.0
    """Days in which half of a choice is forgotten."""


class Look(NamedTuple):
    """What came of one list. The arrays run parallel to its items, (k,) bool."""

    depth: int
    """How many slots were looked at, from the top."""
    is_chosen: NDArray[np.bool_]
    is_tired: NDArray[np.bool_]
    """The user had looked at it too often lately."""
    is_had: NDArray[np.bool_]
    """The user chose it lately."""
    likely: Numbers
    """(k,) probability of each to be chosen by this user now, if it is looked at."""


class Memory:
    """What each user has looked at and chosen. Changes with each list, in place: one arm has one."""

    def __init__(self, users: SimulatedUsers, habits: HabitConfig) -> None:
        """Begin with the choices of the warm-up, and nothing looked at."""
        self._habits = habits
        self._users = users
        self._chosen_ms = users.chosen_ms.copy()
        self._looks = np.zeros(users.likely.shape)
        """F by user and item as it would have been at the beginning: then nothing has to be halved as time goes on. The
        range of a float is good for a thousand half-lives."""

    def look_at(self, user: int, items: NDArray[np.int64], now_ms: int, *, visit: int, seed: int) -> Look:
        """Return what a user does with a list, and remember it.

        Args:
            items: (k,) numbers, best first, none twice.
            visit: Its number, which with the seed decides all that is left to chance.
        """
        rest = self.find_rest(user, items, now_ms)
        appetite = self.find_appetite(user, items, now_ms)
        depth = find_depth(draw(seed, visit, DEPTH)[0], len(items), self._habits.position_bias)
        likely = self._users.likely[user, items] * rest * appetite
        is_chosen = draw(seed, visit, items) < likely
        is_chosen[depth:] = False
        self._remember(user, items[:depth], is_chosen[:depth], now_ms)
        return Look(depth, is_chosen, rest <= TIRED, appetite <= TIRED, likely)

    def find_rest(self, user: int, items: NDArray[np.int64], now_ms: int) -> Numbers:
        """Return what fatigue leaves of each item's probability, (k,) above 0, to 1."""
        rest: Numbers = self._habits.fatigue ** (self._looks[user, items] / self._growth(now_ms))
        return rest

    def find_appetite(self, user: int, items: NDArray[np.int64], now_ms: int) -> Numbers:
        """Return what earlier choices leave of each item's probability, (k,) from the log's repeats to 1."""
        age_d = (now_ms - self._chosen_ms[user, items]) / DAY_MS
        appetite: Numbers = 1.0 - (1.0 - self._users.repeat_share) * 0.5 ** (age_d / self._habits.had_half_life_d)
        return appetite

    def _remember(self, user: int, items: NDArray[np.int64], is_chosen: NDArray[np.bool_], now_ms: int) -> None:
        self._looks[user, items] += self._growth(now_ms)
        self._looks[user, items[is_chosen]] = 0.0
        self._chosen_ms[user, items[is_chosen]] = now_ms

    def _growth(self, now_ms: int) -> float:
        return float(2.0 ** ((now_ms - self._users.begin_ms) / (self._habits.rested_half_life_d * DAY_MS)))


def find_depth(u: float, n: int, position_bias: float) -> int:
    """Return how many of ``n`` slots are looked at: k or more with probability k ** -position_bias, at least one.

    >>> [find_depth(u, 20, 1.0) for u in (0.9, 0.4, 0.1, 0.0001)]
    [1, 2, 10, 20]

    Args:
        u: Uniform, above 0, to 1.
    """
    return n if position_bias <= 0 else int(min(n, u ** (-1.0 / position_bias)))


def find_examination(n: int, position_bias: float) -> Numbers:
    """Return how likely each of ``n`` slots is looked at, (n,): what ``find_depth`` comes to.

    >>> find_examination(3, 1.0).round(3).tolist()
    [1.0, 0.5, 0.333]
    """
    examination: Numbers = np.arange(1.0, n + 1.0) ** np.float64(-max(0.0, position_bias))
    return examination


DEPTH = np.array([-1], np.int64)
"""Stands for no item: what it draws says how far a user looks."""


def draw(seed: int, visit: int, items: NDArray[np.int64]) -> Numbers:
    """Return one number for each item in one visit, uniform above 0, to 1: the same whatever was drawn before."""
    key = _mix_one(_mix_one(seed & MASK) + visit & MASK)
    mixed = items.astype(np.uint64) * STEP + np.uint64(key)
    for shift, factor in MIXING:
        mixed = (mixed ^ mixed >> shift) * factor
    mixed ^= mixed >> np.uint64(31)
    drawn: Numbers = ((mixed >> np.uint64(11)) + np.uint64(1)).astype(np.float64) * 2.0**-53
    return drawn


MASK = (1 << 64) - 1
STEP = np.uint64(0x9E3779B97F4A7C15)
MIXING = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))


def _mix_one(value: int) -> int:
    """Return a number of 64 bits mixed, as ``draw`` mixes arrays."""
    value = value + int(STEP) & MASK
    for shift, factor in MIXING:
        value = (value ^ value >> int(shift)) * int(factor) & MASK
    return value ^ value >> 31
