"""How one run of the engine differs from another over the same log: accuracy and candidate recall, part by part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation import metrics
from stream_rec.evaluation.bootstrap import estimate_changes
from stream_rec.evaluation.slices import Masks

MEASURES = ("ndcg", "hit_rate", "recall")
"""Of which a change is given: two of the lists, and how often the item was among the candidates."""


@dataclass(frozen=True, slots=True)
class EventResults:
    """What became of each scored event in one run."""

    ranks: NDArray[np.unsignedinteger]
    """(events,) rank in the list, from 1; 0 where the item was not in it."""
    sources: NDArray[np.unsignedinteger]
    """(events,) bits of the sources that proposed the item; 0 where it was no candidate."""

    def measure(self, n: int) -> NDArray[np.float64]:
        """Return (measures, events) what each of ``MEASURES`` is the mean of, for lists of ``n``."""
        found = (self.sources > 0).astype(np.float64)
        return np.stack([metrics.ndcg(self.ranks, n), metrics.hit_rate(self.ranks, n), found])


def compare(
    base: EventResults, value: EventResults, users: NDArray[np.integer], parts: Masks, *, n: int, seed: int
) -> dict[str, Any]:
    """Return for each part with events its size, and for each measure a ``Change``, as plain data.

    Args:
        users: (events,) user number of each scored event.
        parts: (events,) bool by the part's name.
        n: Length of the lists.
        seed: Of the resamples.
    """
    changes = estimate_changes(users, base.measure(n), value.measure(n), parts, seed=seed)
    return {
        name: {"n": int(parts[name].sum()), **dict(zip(MEASURES, map(msgspec.to_builtins, of_part)))}
        for name, of_part in changes.items()
    }


def describe(change: Mapping[str, Any]) -> tuple[str, str]:
    """Return a change and its interval as they are written: in percent, else as they are; "" where there is none.

    Example:
        >>> bounds = {"mean": 0.05, "low": 0.02, "high": 0.08}
        >>> describe({"base": 0.4, "value": 0.42, "difference": None, "relative": bounds})
        ('+5.0%', '+2.0% to +8.0%')
    """
    interval = change["relative"] or change["difference"]
    if interval is None:
        return "", ""
    form = "+.1%" if change["relative"] else "+.4f"
    return format(interval["mean"], form), f"{interval['low']:{form}} to {interval['high']:{form}}"


def is_certain(change: Mapping[str, Any]) -> bool:
    """Return whether a change has an interval that leaves out 0."""
    interval = change["difference"]
    return interval is not None and (interval["low"] > 0 or interval["high"] < 0)
