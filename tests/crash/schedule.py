"""Which faults happen when: drawn from a seed, so that a failure can be run again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

FAULTS_A_RUN = 8
FIRST, LAST = 0.05, 0.85
"""Of the load. After the last fault there is load enough for its users' next lists."""


class Planned(NamedTuple):
    """One fault to come."""

    at_event: int
    """Of the steady log: it happens when so many have been sent."""
    fault: str
    seed: int
    """Of what the fault leaves to chance."""


def schedule(seed: int, faults: Sequence[str], *, n_events: int, n_faults: int = FAULTS_A_RUN) -> list[Planned]:
    """Return ``n_faults`` of ``faults``, none twice while there are others, spread over the load with random gaps."""
    rng = random.Random(seed)
    names: list[str] = []
    while len(names) < n_faults:
        names += rng.sample(faults, min(len(faults), n_faults - len(names)))
    slot = (LAST - FIRST) * n_events / n_faults
    return [
        Planned(int(FIRST * n_events + (place + rng.random()) * slot), name, rng.randrange(2**32))
        for place, name in enumerate(names)
    ]
