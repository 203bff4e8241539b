"""How much each type of event of an app's own teaches, learned online where nobody has declared it.

An event counts as its kind does, times a factor of its type that begins at 1, and is never more. The measure are
choices that count as declared: without a type, or of one that settings name. Where the way that events of a type moved
the linear expert's weights makes those less likely, its factor falls; where it makes them likelier, it rises again. So
players' progress reports, or buttons that are touched by mistake, soon teach little, and what goes before a purchase
goes on to teach:

    trace <- FADE trace + the way of the weights           h = trace . gradient of such a choice's log-likelihood
    log factor <- log factor + rate h / (rms(h) sqrt(n))   n: choices that it was judged by, at most RECENT

Types do not judge one another: of two that differ each would take the weight of the other, whichever is the better one.

Source:
    Baydin, Cornish, Rubio, Schmidt, Wood. Online Learning Rate Adaptation with Hypergradient Descent. ICLR 2018.
    Ren, Zeng, Yang, Urtasun. Learning to Reweight Examples for Robust Deep Learning. ICML 2018.
    What it brings: docs/experiments.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta, Struct
from msgspec.structs import replace
from numpy.typing import NDArray

MOST = 32
"""Types learned of: the first that come. Others count as their kind does."""
LONGEST_NAME = 100
"""Characters of a type's name; one that is longer counts as its kind does."""
FADE = 0.99
"""What is left of the way that a type's events went after each group of choices."""
RECENT = 1000
"""Choices after which a factor's steps stop becoming shorter."""
LEAST_LOG = math.log(0.02)
"""Bound of the logarithm of a factor, which is 0 at most: who wants events of a type to count more declares it."""
FARTHEST = 1e3
"""One process moves no logarithm of a factor farther."""
LEAST_SQUARES = 1e-12


class ActionWeight(Struct, frozen=True, eq=False):
    """What is known of one type of events."""

    log_factor: float = 0.0
    squares: float = 0.0
    """Sum of h squared."""
    n: int = 0
    """Choices that it was judged by."""
    trace: NDArray[np.float64] | None = None
    """(1 + histories, f) the way that its events moved the linear expert's weights, fading; of this process alone."""


ActionWeights: TypeAlias = Mapping[str, ActionWeight]
"""By name of the type, at most ``MOST``. Never changed in place."""

NONE: ActionWeights = {}


def find_factor(weights: ActionWeights, action: str) -> float:
    """Return what the weight of an event's kind is multiplied by.

    Example:
        >>> find_factor({"hovered": ActionWeight(log_factor=-0.6931471805599453)}, "hovered")
        0.5
        >>> find_factor({}, "hovered")
        1.0
    """
    known = weights.get(action)
    return 1.0 if known is None else math.exp(known.log_factor)


def learn(
    weights: ActionWeights,
    shares: Mapping[str, float],
    gradient: NDArray[np.floating],
    part: int,
    shift: NDArray[np.float64],
    rate: float,
) -> ActionWeights:
    """Return what is known of types after one group of choices, which judges them where none of it has such a type.

    Args:
        shares: By type, how much of the group's weight its events have, above 0, in all at most 1.
        gradient: (f,) of the group's log-likelihood, by the linear expert's weights before it learned.
        part: Row of the weights by length of history.
        shift: (1 + histories, f) the way that the weights went then.
        rate: Above 0.
    """
    learned: dict[str, ActionWeight] = {}
    for action, known in weights.items():
        if not shares:
            known = _judge(known, gradient, part, rate)
        trace = None if known.trace is None else FADE * known.trace
        learned[action] = replace(known, trace=trace)
    for action, share in shares.items():
        if action in learned or (len(learned) < MOST and len(action) <= LONGEST_NAME):
            known = learned.get(action, ActionWeight())
            way = share * shift
            learned[action] = replace(known, trace=way if known.trace is None else known.trace + way)
    return learned


def _judge(known: ActionWeight, gradient: NDArray[np.floating], part: int, rate: float) -> ActionWeight:
    """Return a type after a choice that counts as declared."""
    if known.trace is None:
        return known
    gain = float((known.trace[0] + known.trace[part]) @ gradient)
    squares, n = known.squares + gain * gain, known.n + 1
    step = rate * gain / math.sqrt(max(squares * min(1.0, RECENT / n), LEAST_SQUARES))
    return ActionWeight(_bounded(known.log_factor + step), squares, n, known.trace)


def add(parts: Iterable[ActionWeights]) -> dict[str, ActionWeight]:
    """Return what several workers have learned together, in any order: of the types most judged, where there are many.

    Traces are of no use to another process: there are none.
    """
    total: dict[str, ActionWeight] = {}
    for part in parts:
        for action, more in part.items():
            sum_ = total.get(action, ActionWeight())
            total[action] = ActionWeight(
                sum_.log_factor + more.log_factor, sum_.squares + more.squares, sum_.n + more.n
            )
    kept = sorted(total, key=lambda action: (-total[action].n, action))[:MOST]
    return {action: total[action] for action in sorted(kept)}


def begin(together: ActionWeights, before: ActionWeights) -> ActionWeights:
    """Return the weights to go on with after a merge, within bounds, with the traces of those before."""
    return {
        action: replace(known, log_factor=_bounded(known.log_factor), trace=before.get(action, known).trace)
        for action, known in together.items()
    }


def encode(weights: ActionWeights) -> bytes:
    """Return what is known of types, without traces, as MessagePack."""
    return msgspec.msgpack.encode({action: (each.log_factor, each.squares, each.n) for action, each in weights.items()})


def decode(data: bytes) -> ActionWeights:
    """Return what ``encode`` was given.

    Raises:
        ValueError: the bytes are nothing of the kind, or a number is not finite.
    """
    weights = {action: ActionWeight(*numbers) for action, numbers in _DECODER.decode(data).items()}
    if not all(math.isfinite(each.squares) and abs(each.log_factor) <= FARTHEST for each in weights.values()):
        raise ValueError(f"a number is not finite, or a factor moved by more than e^{FARTHEST:g}")
    return weights


def _bounded(log_factor: float) -> float:
    return min(max(log_factor, LEAST_LOG), 0.0)


_Numbers: TypeAlias = tuple[float, Annotated[float, Meta(ge=0)], Annotated[int, Meta(ge=0, le=2**53)]]
_Name: TypeAlias = Annotated[str, Meta(max_length=LONGEST_NAME)]
_DECODER = msgspec.msgpack.Decoder(Annotated[dict[_Name, _Numbers], Meta(max_length=MOST)])
