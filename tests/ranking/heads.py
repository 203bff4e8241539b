"""Heads with preferences set by hand."""

from __future__ import annotations

import msgspec
import numpy as np

from stream_rec.ranking.features import INPUT_NAMES
from stream_rec.ranking.fresh_choices import NOTHING, FreshChoices
from stream_rec.ranking.head import MixtureHead, cold
from stream_rec.ranking.linear_head import LinearHead
from stream_rec.ranking.policy import HeadConfig

SMALL = HeadConfig(hidden=4)


def preferring(**weights: float) -> MixtureHead:
    """Return a head that believes its linear experts alone, with these weights for every user and for fresh items."""
    head = cold(SMALL, 0)
    made = np.zeros_like(head.of_all.linear.weights)
    for name, weight in weights.items():
        made[0, INPUT_NAMES.index(name)] = weight
    linear = LinearHead(made, head.of_all.linear.squares)
    of_all, of_fresh = (
        msgspec.structs.replace(mixture, linear=linear, record=(0.0, *[-1e6] * (len(mixture.record) - 1)))
        for mixture in (head.of_all, head.of_fresh)
    )
    return msgspec.structs.replace(head, of_all=of_all, of_fresh=of_fresh)


def giving_fresh_slots(head: MixtureHead, share: float = 1.0) -> MixtureHead:
    """Return a head that has learned what share of all choices is fresh: at 1 every fresh slot pays."""
    learned = tuple(1e6 * share for _ in NOTHING), tuple(1e6 for _ in NOTHING)
    return msgspec.structs.replace(head, fresh_choices=FreshChoices(*learned))
