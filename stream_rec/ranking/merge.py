"""Merging: one head out of what several workers learned from their own users, each worker's part counted once.

All workers begin with the same cold head. What one has learned since is its *contribution*: how far its own steps moved
each weight, and its own sums. A head is the cold one plus the contributions of all, in any order; a worker's newer one
replaces its older one (a sum CRDT).

Workers that go the same way from one start would, added up, go too far. Of the way since the last merge counts

    share = (h + own) / (h + own + others)        h = n MEMORY / (n + MEMORY)

for so many choices of its own, of others and, n, before: small steps add up as if one worker had made them all, large
ones are averaged. What that costs against a single head, and what other ways cost: docs/concepts/how-it-learns.md.

Source:
    Shapiro, Preguica, Baquero, Zawirski. Conflict-free Replicated Data Types. SSS 2011.
    Broderick, Boyd, Wibisono, Wilson, Jordan. Streaming Variational Bayes. NIPS 2013: the share is the ratio of
    precisions, before and after the others' choices, where each choice brings the same.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream_rec.errors import SettingsError, StateVersionError
from stream_rec.ranking import action_weights, network_head
from stream_rec.ranking import head as heads
from stream_rec.ranking.action_weights import ActionWeight, ActionWeights
from stream_rec.ranking.features import CONTEXT, HISTORY, INPUT_NAMES
from stream_rec.ranking.fresh_choices import HALF_LIFE_EVENTS, NOTHING, FreshChoices
from stream_rec.ranking.head import Head, MixtureHead
from stream_rec.ranking.linear_head import LinearHead
from stream_rec.ranking.mixture import Mixture
from stream_rec.ranking.network_head import NetworkHead
from stream_rec.ranking.policy import HeadConfig
from stream_rec.ranking.ratings import COLD as COLD_RATINGS
from stream_rec.ranking.ratings import KEPT, WIDTH, RatingHead, add_ratings

VERSION = 7
"""Count up, too, where ``NAMES`` or ``FIRST_WEIGHTS`` of ``asked``, ``shown`` or ``interests`` change, or ``NAMES`` of
``ratings``: 1 had no expert for answers, 2 none for impressions, 3 none for contexts, 4 none for interests, 5 no types
of events, 6 no ratings."""
MEMORY = 100.0
"""Choices that a weight rests on, once there were many. Of 20, 100 and 500 the best compromise of two logs."""
LARGEST = 1e9
"""No weight has moved farther: a choice moves it by less than 1. Far more, and a score would be infinite."""
MOST_CHOICES = 2**53
ROUNDING = 1e-3
"""Counts of choices are differences of larger ones: they may lie so far below 0."""
N_COUNTS = 2 * (len(HISTORY) + 1)
"""Counts of fresh choices: the last of the fading sums, which begin with the experts' records."""


class MalformedContribution(ValueError):
    """Bytes are no contribution to this head, or a contribution holds what is no number."""


class Contribution(Struct, frozen=True, eq=False):
    """What one worker has learned by its own choices. Arrays are never changed in place."""

    shift: NDArray[np.float64]
    """(p,) float64 how far from the cold head, for all weights of all experts."""
    squares: NDArray[np.float64]
    """(p,) float64 sums of squared gradients, without the cold head's."""
    sums: NDArray[np.float64]
    """(s,) float64 the experts' records and the counts of fresh choices, which fade."""
    n_choices: int
    n_outcomes: int = 0
    """Impressions that ``of_shown`` has learned from."""
    actions: ActionWeights = action_weights.NONE
    """How far its own events moved the factors of types, and how many judged them."""
    ratings: RatingHead = COLD_RATINGS
    """Of it the moments and the count: which weights follow is only seen in what all have learned."""


class SharedHead:
    """One worker's ``head``, how much of it is the worker's own, and what came from others. One owner changes it."""

    @staticmethod
    def cold(config: HeadConfig, seed: int) -> SharedHead:
        """Return one that has learned nothing.

        Raises:
            SettingsError: the head is one of River's, which cannot be shared.
        """
        if config.river:
            raise SettingsError(
                "[head] river is for `replay` and `evaluate`: a worker's head is shared; leave it empty"
            )
        return SharedHead(heads.cold(config, seed), config)

    def __init__(self, cold: MixtureHead, config: HeadConfig) -> None:
        """Begin with nothing learned."""
        self.head = cold
        self.ratings = COLD_RATINGS
        self.has_learned = False
        self._cold = cold
        self._config = config
        self._begun = cold
        """The head when ``_own`` was its own part, but for ratings."""
        self._own = nothing(cold)
        self._others: dict[str, Contribution] = {}
        self._arrived: dict[str, Contribution] = {}
        self._n_ratings = 0
        """Ratings of its own when those of others were faded last."""

    def update(self, head: Head) -> None:
        """Take the head after one ``teach`` as the present one.

        Raises:
            TypeError: it is of another kind than the cold one.
        """
        if not isinstance(head, MixtureHead):
            raise TypeError(f"a {type(head).__name__} cannot be shared")
        if head is not self.head:
            self.head = head
            self.has_learned = True

    def learn_ratings(self, inputs: NDArray[np.float64], targets: NDArray[np.float64]) -> None:
        """Learn some ratings: see ``RatingHead.learn``."""
        own = self._own.ratings
        own = RatingHead(add_ratings(own.moments, inputs, targets), own.weights, own.n_ratings + len(targets))
        self._own = msgspec.structs.replace(self._own, ratings=own)
        self.ratings = self.ratings.learn(inputs, targets)
        self.has_learned = True

    def decay(self, factor: float) -> None:
        """Let the head learn faster: see ``MixtureHead.decay``.

        Of what is shared only the worker's own part decays. Others let theirs decay when they notice the change.
        """
        own = self.own()
        self.head = self.head.decay(factor)
        sums = np.concatenate([factor * own.sums[:-N_COUNTS], own.sums[-N_COUNTS:]])
        self._begin(self.head, msgspec.structs.replace(own, squares=factor * own.squares, sums=sums))

    def restore(self, own: Contribution) -> None:
        """Go on from what this worker published before it was started again.

        Raises:
            ValueError: it has learned something already, which would be lost.
        """
        if self.has_learned:
            raise ValueError("a head that has learned cannot be restored")
        self._put_together(own)

    def take(self, worker: str, contribution: Contribution) -> None:
        """Take the newest contribution of another worker, for the next ``merge``."""
        self._arrived[worker] = contribution

    def merge(self) -> None:
        """Put the head together again, if anything new came from others. What the worker learned itself stays in it."""
        if not self._arrived:
            return
        own, fade = self.own(), self._fade()
        faded = KEPT ** (own.ratings.n_ratings - self._n_ratings)
        # Sums of a worker that has gone for good fade with every step of those that are left.
        for worker, c in self._others.items():
            ratings = msgspec.structs.replace(c.ratings, moments=faded * c.ratings.moments)
            self._others[worker] = msgspec.structs.replace(c, sums=fade * c.sums, ratings=ratings)
        self._others |= self._arrived
        self._arrived = {}
        self._put_together(own)

    def own(self) -> Contribution:
        """Return what this worker has contributed until now."""
        if self.head is self._begun:
            return self._own
        (before, squares_before), (now, squares_now) = _flat(self._begun), _flat(self.head)
        n_before, n_own = self._begun.n_choices, self.head.n_choices - self._begun.n_choices
        fresh = [(c, self._others.get(worker)) for worker, c in self._arrived.items()]
        n_others = sum(c.n_choices - (known.n_choices if known else 0) for c, known in fresh)
        n_other_outcomes = sum(c.n_outcomes - (known.n_outcomes if known else 0) for c, known in fresh)
        n_own_outcomes = self.head.n_outcomes - self._begun.n_outcomes
        shares = np.full(len(now), share_of_way(n_before, n_own, n_others))
        shares[_of_shown(self.head)] = share_of_way(self._begun.n_outcomes, n_own_outcomes, n_other_outcomes)
        step = Contribution(
            shares * (now - before),
            np.maximum(squares_now - squares_before, 0.0),  # float32 may round below
            _sums(self.head) - self._fade() * _sums(self._begun),
            n_own,
            n_own_outcomes,
            self._own_actions(),
        )
        return add(msgspec.structs.replace(self._own, sums=self._fade() * self._own.sums), step)

    def _own_actions(self) -> ActionWeights:
        """Return what this worker has learned of types of events since its own part was last put together."""
        own: dict[str, ActionWeight] = {}
        for action, now in self.head.of_actions.items():
            if now.trace is None:  # no event of it came here
                continue
            before = self._begun.of_actions.get(action, ActionWeight())
            known = {worker: c.actions.get(action, ActionWeight()).n for worker, c in self._others.items()}
            n_others = sum(
                c.actions[action].n - known.get(worker, 0) for worker, c in self._arrived.items() if action in c.actions
            )
            share = share_of_way(before.n, now.n - before.n, n_others)
            own[action] = ActionWeight(
                share * (now.log_factor - before.log_factor), now.squares - before.squares, now.n - before.n
            )
        return own

    def _put_together(self, own: Contribution) -> None:
        contributions = [own, *self._others.values()]
        head = combine(self._cold, contributions)
        of_actions = action_weights.begin(head.of_actions, self.head.of_actions)
        self.head = msgspec.structs.replace(head, of_actions=of_actions)
        if any(c.ratings.n_ratings for c in contributions):
            self.ratings = combine_ratings(c.ratings for c in contributions)
        self._n_ratings = own.ratings.n_ratings
        self._begin(self.head, own)

    def _begin(self, head: MixtureHead, own: Contribution) -> None:
        self._begun, self._own = head, own

    def _fade(self) -> NDArray[np.float64]:
        """Return what is left by now of each sum that the head held at its beginning."""
        n_steps = self.head.n_choices - self._begun.n_choices
        fade = np.full(len(self._own.sums), self._config.memory**n_steps)
        fade[-N_COUNTS:] = 2.0 ** (-n_steps / HALF_LIFE_EVENTS)
        return fade


def share_of_way(n_before: int, n_own: int, n_others: int) -> float:
    """Return how much of the way that a worker went counts, above 0, at most 1.

    Args:
        n_before: Choices that all had learned from at its start.
        n_own: Choices that this worker learned from on the way.
        n_others: Choices that others learned from meanwhile.
    """
    settled = n_before * MEMORY / (n_before + MEMORY)
    return (settled + n_own) / (settled + n_own + max(0, n_others)) if n_own else 1.0


def nothing(cold: MixtureHead) -> Contribution:
    """Return the contribution of a worker that has learned nothing."""
    zeros = np.zeros(len(_flat(cold)[0]))
    return Contribution(zeros, zeros, np.zeros(len(_sums(cold))), 0)


def add(first: Contribution, second: Contribution) -> Contribution:
    """Return what both have contributed together, of ratings the first."""
    return Contribution(
        first.shift + second.shift,
        first.squares + second.squares,
        first.sums + second.sums,
        first.n_choices + second.n_choices,
        first.n_outcomes + second.n_outcomes,
        action_weights.add([first.actions, second.actions]),
        first.ratings,
    )


def combine(cold: MixtureHead, contributions: Iterable[Contribution]) -> MixtureHead:
    """Return the head that has learned all of the contributions, one of each worker."""
    total = nothing(cold)
    for contribution in contributions:
        total = add(total, contribution)
    weights, squares = _flat(cold)
    return _head(cold, weights + total.shift, squares + total.squares, total)


def combine_ratings(parts: Iterable[RatingHead]) -> RatingHead:
    """Return the rating head that has learned all of the parts, one of each worker."""
    moments, n_ratings = COLD_RATINGS.moments, 0
    for part in parts:
        moments, n_ratings = moments + part.moments, n_ratings + part.n_ratings
    return RatingHead.of(moments, n_ratings)


def fingerprint(cold: MixtureHead) -> bytes:
    """Return 16 bytes that differ where contributions do not fit: other features, sizes, or another beginning."""
    hasher = hashlib.blake2b(repr((INPUT_NAMES, CONTEXT, HISTORY, network_head.READING)).encode(), digest_size=16)
    mixtures = cold.of_all, cold.of_fresh
    for array in (_in_one_row(map(_weights, mixtures)), _in_one_row(map(_squares, mixtures))):
        hasher.update(array.astype("<f8").tobytes())
    return hasher.digest()


def encode(contribution: Contribution, of: bytes) -> bytes:
    """Return a record's value on ``head-weights``, 8 bytes a weight.

    Args:
        of: ``fingerprint`` of the cold head.

    Raises:
        MalformedContribution: a number is not finite, or too large for float32.
    """
    with np.errstate(over="ignore"):
        numbers = np.concatenate([contribution.shift, contribution.squares]).astype("<f4")
    of_actions = np.array([(each.log_factor, each.squares) for each in contribution.actions.values()])
    ratings = contribution.ratings
    _require_numbers(numbers, contribution.sums, of_actions, ratings.moments)
    header = _HEADER.pack(VERSION, of, contribution.n_choices) + _OUTCOMES.pack(contribution.n_outcomes)
    header += _OUTCOMES.pack(ratings.n_ratings)
    moments = ratings.moments.astype("<f8").tobytes() if ratings.n_ratings else b""
    value: bytes = header + contribution.sums.astype("<f8").tobytes() + moments + numbers.tobytes()
    return value + action_weights.encode(contribution.actions)


def decode(data: bytes, cold: MixtureHead, of: bytes) -> Contribution:
    """Return the contribution in a record's value.

    Raises:
        StateVersionError: a newer program wrote it.
        MalformedContribution: it is none, or one to another head.
    """
    if data and data[0] > VERSION:
        raise StateVersionError(f"contribution has version {data[0]}, this program reads up to {VERSION}: update it")
    n, n_sums = len(_flat(cold)[0]), len(_sums(cold))
    if len(data) < _HEADER.size or data[0] < 1:
        raise MalformedContribution(f"{len(data)} bytes that begin with {data[:1].hex() or 'nothing'}")
    _, named, n_choices = _HEADER.unpack_from(data)
    if named != of:
        raise MalformedContribution("of a head with other features, sizes or seed")
    sums_at, n_outcomes = _HEADER.size, 0
    if data[0] >= 3:
        sums_at += _OUTCOMES.size
        if len(data) < sums_at:
            raise MalformedContribution(f"{len(data)} bytes, which are no more than a header")
        (n_outcomes,) = _OUTCOMES.unpack_from(data, _HEADER.size)
    n_ratings = 0
    if data[0] >= 7:
        sums_at += _OUTCOMES.size
        if len(data) < sums_at:
            raise MalformedContribution(f"{len(data)} bytes, which are no more than a header")
        (n_ratings,) = _OUTCOMES.unpack_from(data, sums_at - _OUTCOMES.size)
    moments_at = sums_at + 8 * n_sums
    n_moments = COLD_RATINGS.moments.size if n_ratings else 0
    numbers_at = moments_at + 8 * n_moments
    added = _alone(cold)[data[0] - 1 :]  # since that version, each behind the other
    n_missing = sum(head.weights.size for head in added)
    n_there = n - n_missing
    actions_at = numbers_at + 8 * n_there
    if len(data) < actions_at or (len(data) > actions_at and data[0] < 6):
        raise MalformedContribution(f"{len(data)} bytes, {actions_at} expected")
    actions = action_weights.NONE
    if data[0] >= 6:
        try:
            actions = action_weights.decode(data[actions_at:])
        except ValueError as error:
            raise MalformedContribution(f"of types of events: {error}") from None
    sums = np.frombuffer(data, "<f8", n_sums, sums_at).astype(np.float64)
    moments = np.frombuffer(data, "<f8", n_moments, moments_at).astype(np.float64)
    numbers = np.frombuffer(data, "<f4", 2 * n_there, numbers_at).astype(np.float64)
    _require_numbers(numbers, sums, moments)
    shift, squares = (np.pad(each, (0, n_missing)) for each in (numbers[:n_there], numbers[n_there:]))
    if squares.min() < 0:
        raise MalformedContribution("a sum of squares below 0")
    if max(np.abs(shift).max(), squares.max() ** 0.5) > LARGEST:
        raise MalformedContribution(f"a weight moved by more than {LARGEST:g}, or a square larger than its square")
    if (
        sums[-N_COUNTS:].min() < -ROUNDING
        or np.abs(sums).max() > MOST_CHOICES
        or max(n_choices, n_outcomes, n_ratings) > MOST_CHOICES
    ):
        raise MalformedContribution(f"a count below 0, or above {MOST_CHOICES}")
    ratings = _read_ratings(moments, n_ratings) if n_ratings else COLD_RATINGS
    return Contribution(shift, squares, sums, n_choices, n_outcomes, actions, ratings)


def _read_ratings(moments: NDArray[np.float64], n_ratings: int) -> RatingHead:
    """Return the part of a rating head that has these moments.

    Raises:
        MalformedContribution: they are no sums of products.
    """
    shaped = moments.reshape(WIDTH, WIDTH + 1)
    a = shaped[:, :-1]
    if np.abs(moments).max() > LARGEST or (a != a.T).any() or np.linalg.eigvalsh(a).min() < -ROUNDING:
        raise MalformedContribution("moments of ratings that are no sums of products")
    return RatingHead(shaped, COLD_RATINGS.weights, n_ratings)


def _require_numbers(*arrays: NDArray[np.float64]) -> None:
    if not all(np.isfinite(array).all() for array in arrays):
        raise MalformedContribution("a number is not finite")


def _flat(head: MixtureHead) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return all weights and all sums of squares in one row each, float64. ``_head`` turns it round."""
    mixtures, alone = (head.of_all, head.of_fresh), _alone(head)
    return (
        _in_one_row([*map(_weights, mixtures), [each.weights for each in alone]]),
        _in_one_row([*map(_squares, mixtures), [each.squares for each in alone]]),
    )


def _alone(head: MixtureHead) -> tuple[LinearHead, ...]:
    """Return the experts that stand outside the mixtures, the first that was known first."""
    return head.of_asked, head.of_shown, head.of_context, head.of_interests


def _of_shown(head: MixtureHead) -> slice:
    """Return where the weights of the expert for impressions stand in one row with all others."""
    end = -head.of_context.weights.size - head.of_interests.weights.size
    return slice(end - head.of_shown.weights.size, end)


def _weights(mixture: Mixture) -> list[NDArray[np.floating]]:
    networks = mixture.networks
    return [mixture.linear.weights, networks.of_items, networks.of_context, networks.output]


def _squares(mixture: Mixture) -> list[NDArray[np.floating]]:
    """Return them in the order, and the shapes, of ``_weights``."""
    networks = mixture.networks
    return [mixture.linear.squares, networks.squares_of_items, networks.squares_of_context, networks.squares_of_output]


def _in_one_row(parts: Iterable[list[NDArray[np.floating]]]) -> NDArray[np.float64]:
    return np.concatenate([array.ravel() for arrays in parts for array in arrays], dtype=np.float64)


def _head(
    like: MixtureHead,
    weights: NDArray[np.float64],
    squares: NDArray[np.float64],
    total: Contribution,
) -> MixtureHead:
    alone = [each.weights for each in _alone(like)]
    shaped = [*_weights(like.of_all), *_weights(like.of_fresh), *alone]
    parts, of_squares, sums = _cut(weights, shaped), _cut(squares, shaped), total.sums
    n_all, records, counts = len(like.of_all.record), sums[:-N_COUNTS].tolist(), tuple(sums[-N_COUNTS:].tolist())
    n = len(_weights(like.of_all))
    of_asked, of_shown, of_context, of_interests = map(LinearHead, parts[-len(alone) :], of_squares[-len(alone) :])
    return MixtureHead(
        of_all=_mixture(parts[:n], of_squares[:n], records[:n_all]),
        of_fresh=_mixture(parts[n : 2 * n], of_squares[n : 2 * n], records[n_all:]),
        of_asked=of_asked,
        of_shown=of_shown,
        of_context=of_context,
        of_interests=of_interests,
        fresh_choices=FreshChoices(counts[: len(NOTHING)], counts[len(NOTHING) :]),
        n_choices=total.n_choices,
        n_outcomes=total.n_outcomes,
        of_actions=total.actions,
    )


def _cut(flat: NDArray[np.float64], shaped: list[NDArray[np.floating]]) -> list[NDArray[Any]]:
    """Return the arrays that ``flat`` was made of, shaped and typed as those of ``shaped``."""
    parts = np.split(flat, np.cumsum([array.size for array in shaped])[:-1])
    return [part.reshape(array.shape).astype(array.dtype) for part, array in zip(parts, shaped)]


def _mixture(weights: list[NDArray[Any]], squares: list[NDArray[Any]], record: list[float]) -> Mixture:
    return Mixture(LinearHead(weights[0], squares[0]), NetworkHead(*weights[1:], *squares[1:]), tuple(record))


def _sums(head: MixtureHead) -> NDArray[np.float64]:
    counts = head.fresh_choices
    return np.array([*head.of_all.record, *head.of_fresh.record, *counts.fresh, *counts.choices])


_HEADER = struct.Struct("<B16sQ")
_OUTCOMES = struct.Struct("<Q")
