"""How often what users chose was fresh, by length of history: what tells how many fresh slots a list should have.

share = (fresh choices + 1) / (choices + 50)        both fading, by half in ``HALF_LIFE_EVENTS``
"""

from __future__ import annotations

from msgspec import Struct

from stream_rec.ranking.features import HISTORY

HALF_LIFE_EVENTS = 3500.0
"""Groups of choices after which the counts have faded to a half."""
PRIOR = (1.0, 50.0)
"""Fresh choices and choices that every history starts with."""

NOTHING = (0.0,) * (len(HISTORY) + 1)


class FreshChoices(Struct, frozen=True):
    """Fading counts by length of history. Those of several workers add up."""

    fresh: tuple[float, ...] = NOTHING
    """Choices of items that were fresh."""
    choices: tuple[float, ...] = NOTHING
    """All choices."""


def fresh_share(counts: FreshChoices, history: int) -> float:
    """Return the probability that what a user with such a history chooses next is fresh."""
    return (counts.fresh[history] + PRIOR[0]) / (counts.choices[history] + PRIOR[1])


def count(counts: FreshChoices, history: int, n_choices: int, n_fresh: int) -> FreshChoices:
    """Return the counts after one group of choices among candidates, of which ``n_fresh`` were fresh."""
    keep = 2.0 ** (-1.0 / HALF_LIFE_EVENTS)
    fresh, choices = [keep * count for count in counts.fresh], [keep * count for count in counts.choices]
    fresh[history] += n_fresh
    choices[history] += n_choices
    return FreshChoices(tuple(fresh), tuple(choices))
