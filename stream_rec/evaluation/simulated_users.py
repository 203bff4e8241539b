"""Simulated users: their tastes are those of a real log, and how likely each chooses each item is known.

Of an item i that user u looks at, has not grown tired of and has not had yet:

    logit P(u chooses i) = base + taste T(u, i) + popularity Q(i) + appeal A(i)

    T  what the log says of u beyond popularity, standard normal over the items of each user. The log's matrix
       N(u, i) = log(1 + events) is compared with what popularity alone would make of it, E(u, i) = N(u, .) N(., i) / N,
       as correspondence analysis does: (N - E) / sqrt(E), of which the ``rank`` largest directions are kept. Its
       entries are heavy-tailed and depend on the log's size, so each user's are replaced by the normal scores of
       their ranks: the same list of numbers in all logs.
    Q  the normal scores of the items' ranks by number of events in the whole log, or by how fast these come
       (``TasteConfig.by_rate``).
    A  drawn with the seed, standard normal: some items look good in a list and some do not, whoever looks. No text and
       no visit tells which; it shows in how often an item is chosen of the times that it was shown.

``base`` is such that a good list is chosen from as often as in real apps: see ``TasteConfig.aim``.

Source:
    Greenacre. Theory and Applications of Correspondence Analysis. 1984 (the residuals and their directions).
    Ie, Hsu, Mladenov, Jain, Narvekar, Wang, Wu, Boutilier. RecSim: a configurable simulation platform for recommender
    systems. 2019 (choices by affinity of users who change with what they were shown).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream_rec.errors import FileProblem
from stream_rec.events.interaction import LoggedEvent

NEVER_MS = -np.inf
Numbers = NDArray[np.float64]


class TasteConfig(Struct, frozen=True, kw_only=True):
    """What makes an item likely to be chosen."""

    n_users: int = 800
    """Those with the most events after the warm-up; of others a log says too little to know their tastes."""
    rank: int = 20
    """Directions of taste."""
    smoothing: float = 10.0
    """Events added to each item's in E(u, i): else those with one or two events make the largest directions."""
    taste: float = 1.2
    """Weight of T: 3.3 times as likely for one standard deviation, where all are rare."""
    popularity: float = 0.6
    """Weight of Q: 1.8 times for one standard deviation."""
    appeal: float = 0.8
    """Weight of A: 2.2 times for one standard deviation."""
    list_size: int = 20
    """Of the good list that ``aim`` is about."""
    by_rate: bool = False
    """Whether Q is of the items' events a day since their first, in place of all their events: what came late into the
    log had less time for them."""
    aim: float = 0.25
    """Mean P over the ``list_size`` items that suit each user best by taste and popularity: the best list that somebody
    could make who knows all but the appeal. The core's lists bring a quarter of that in their first slot, 5 to 8 %."""


DEFAULT = TasteConfig()


@dataclass(frozen=True, slots=True)
class SimulatedUsers:
    """Users and items by number, and what would be chosen."""

    user_ids: list[str]
    """By user number: u of them."""
    item_ids: list[str]
    """By item number: i of them."""
    likely: NDArray[np.float32]
    """(u, i) probability of each item that is looked at to be chosen by a user who is rested and has not had it."""
    chosen_ms: Numbers
    """(u, i) when each user had each item last, in the warm-up; ``NEVER_MS`` where they had not."""
    activity: Numbers
    """(u,) how often each comes, as a share of all visits."""
    repeat_share: float
    """Share of the log's events that are of an item that the user had had before."""
    begin_ms: int
    """When the warm-up ends and the simulation begins."""


def build_users(
    events: Sequence[LoggedEvent],
    item_ids: Sequence[str],
    n_warm: int,
    *,
    seed: int,
    config: TasteConfig = DEFAULT,
) -> SimulatedUsers:
    """Return the users of a log.

    Args:
        events: All of the log, in order of time: tastes are what a user shows in the whole of it.
        item_ids: All that may be shown. Events with others are left out.
        n_warm: Events that the recommender learns from beforehand, so that users have had their items.

    Raises:
        FileProblem: the log has no event of these items after the warm-up.
    """
    item_of = {item_id: number for number, item_id in enumerate(item_ids)}
    kept = [(place, event) for place, (_, event) in enumerate(events) if event.item_id in item_of]
    user_of: dict[str, int] = {}
    users = np.array([user_of.setdefault(event.user_id, len(user_of)) for _, event in kept], np.int64)
    items = np.array([item_of[event.item_id] for _, event in kept], np.int64)
    times_ms = np.array([event.timestamp_ms for _, event in kept], np.float64)
    is_warm = np.array([place < n_warm for place, _ in kept], bool)
    if is_warm.all():
        raise FileProblem(f"no event is left after a warm-up of {n_warm}; give a longer log or a shorter warm-up")
    n_later = np.bincount(users[~is_warm], minlength=len(user_of))
    chosen = np.sort(np.argsort(-n_later, kind="stable")[: min(config.n_users, np.count_nonzero(n_later))])
    number = np.full(len(user_of), -1)
    number[chosen] = np.arange(len(chosen))
    shape = (len(chosen), len(item_ids))
    rows, is_ours = number[users], number[users] >= 0
    counts, chosen_ms = np.zeros(shape), np.full(shape, NEVER_MS)
    np.add.at(counts, (rows[is_ours], items[is_ours]), 1.0)
    is_had = is_ours & is_warm
    np.maximum.at(chosen_ms, (rows[is_had], items[is_had]), times_ms[is_had])
    names = list(user_of)
    activity = np.sqrt(n_later[chosen])  # a log's most active users are robots, some of them
    return SimulatedUsers(
        user_ids=[names[user] for user in chosen],
        item_ids=list(item_ids),
        likely=find_likely(
            counts, find_popularity(items, times_ms, len(item_ids), config.by_rate), seed=seed, config=config
        ),
        chosen_ms=chosen_ms,
        activity=activity / activity.sum(),
        repeat_share=1.0 - len(np.unique(users * len(item_ids) + items)) / len(items),
        begin_ms=max((event.timestamp_ms for _, event in events[:n_warm]), default=int(times_ms[0])),
    )


def find_popularity(items: NDArray[np.int64], times_ms: Numbers, n_items: int, by_rate: bool) -> Numbers:
    """Return what items are popular by, (i,): their events, or those a ms from the first one to the log's end.

    The rate is drawn to that of all items by one event, and does not count the first event, which is there whenever an
    item came.

    Args:
        items: (e,) item of each event.
        times_ms: (e,) ascending.

    Example:
        Tea has had 2 events more in 4 ms, the pot 1 in 1 ms, the cup has come just now; all together 3 in 5 ms.

        >>> items, times_ms = np.array([0, 0, 0, 1, 1, 2]), np.array([0.0, 1.0, 2.0, 3.0, 4.0, 4.0])
        >>> find_popularity(items, times_ms, 3, by_rate=True).round(3).tolist()
        [0.529, 0.75, 0.6]
    """
    n_events = np.bincount(items, minlength=n_items).astype(np.float64)
    if not by_rate:
        return n_events
    spans_ms = np.zeros(n_items)
    came, first = np.unique(items, return_index=True)
    spans_ms[came] = times_ms[-1] - times_ms[first]
    more = np.maximum(n_events - 1.0, 0.0)
    mean = max(more.sum(), 1.0) / max(spans_ms.sum(), 1.0)
    rates: Numbers = np.where(n_events > 0, (more + 1.0) / (spans_ms + 1.0 / mean), 0.0)
    return rates


def find_likely(counts: Numbers, popularity: Numbers, *, seed: int, config: TasteConfig) -> NDArray[np.float32]:
    """Return how likely each user chooses each item, (u, i).

    Args:
        counts: (u, i) events of each user with each item.
        popularity: (i,) what ``find_popularity`` returns.
    """
    appeal = np.random.default_rng(seed).normal(size=counts.shape[1])
    known = config.taste * find_tastes(counts, rank=config.rank, smoothing=config.smoothing)
    known += config.popularity * score_by_rank(popularity)
    n = min(config.list_size, counts.shape[1])
    good = np.argpartition(-known, n - 1, axis=1)[:, :n]
    logits = known + config.appeal * appeal
    base = find_base(np.take_along_axis(logits, good, axis=1), config.aim)
    return (1.0 / (1.0 + np.exp(-(logits + base)))).astype(np.float32)


def find_tastes(counts: Numbers, *, rank: int, smoothing: float) -> Numbers:
    """Return T, (u, i): what suits each user beyond what is popular, standard normal over the items of each.

    Example:
        Ann and Bob take tea and pots, Eve and Dan films and books. Ann has not taken the pot yet.

        >>> counts = np.array([[3.0, 0, 0, 0], [3, 3, 0, 0], [0, 0, 3, 3], [0, 0, 3, 3]])
        >>> find_tastes(counts, rank=1, smoothing=0.0)[0].argsort()[::-1][:2].tolist()
        [0, 1]
    """
    weights = np.log1p(counts)
    of_item = weights.sum(axis=0) + smoothing
    expected = weights.sum(axis=1)[:, None] * of_item / max(of_item.sum(), 1e-9)
    residuals = (weights - expected) / np.sqrt(np.maximum(expected, 1e-9))
    _, directions = np.linalg.eigh(residuals @ residuals.T)
    largest = directions[:, -rank:]
    return np.apply_along_axis(score_by_rank, 1, largest @ (largest.T @ residuals))


def find_share_kept(likely: NDArray[np.floating], is_kept: NDArray[np.bool_], n: int) -> float:
    """Return what remains of the ``n`` best items of each user where only some may be shown, as a share of their P.

    What is to be won by finding out about the others is at most the rest, less what the finding costs.

    >>> likely = np.array([[0.4, 0.2, 0.1], [0.1, 0.2, 0.4]])
    >>> round(find_share_kept(likely, np.array([True, True, False]), n=1), 3)
    0.75

    Args:
        likely: (u, i), and ``is_kept``: (i,); 0 where none is.
    """
    if not is_kept.any():
        return 0.0
    of_all, of_kept = (-np.partition(-each, min(n, each.shape[1]) - 1)[:, :n] for each in (likely, likely[:, is_kept]))
    return float(of_kept.sum() / max(of_all.sum(), 1e-9))


def score_by_rank(values: NDArray[np.number]) -> Numbers:
    """Return the normal scores of values: those that as many normal numbers would have in the same order.

    Equal values get neighbouring scores, the later one the higher.

    >>> score_by_rank(np.array([5.0, 900.0, 7.0])).round(2).tolist()
    [-0.97, 0.97, 0.0]
    """
    n = len(values)
    scores = np.empty(n)
    scores[np.argsort(values, kind="stable")] = _normal_scores(n)
    return scores


def find_base(logits: Numbers, aim: float) -> float:
    """Return what is to be added to logits for the mean of their probabilities to be ``aim``, above 0 and below 1."""
    low, high = -60.0, 60.0
    for _ in range(60):
        base = (low + high) / 2
        low, high = (base, high) if np.mean(1.0 / (1.0 + np.exp(-(logits + base)))) < aim else (low, base)
    return base


@lru_cache(maxsize=4)
def _normal_scores(n: int) -> Numbers:
    """Return the quantiles of the standard normal at the middles of n equal parts, ascending, (n,), read-only."""
    scores = np.array([NormalDist().inv_cdf((place + 0.5) / n) for place in range(n)])
    scores.flags.writeable = False
    return scores
