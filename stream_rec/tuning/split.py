"""The first part of a log, on which settings are chosen, and the rest, on which they are reported.

The first part is a log of its own, in a folder of its own: what reads it can know nothing of the rest. Of it the
beginning only teaches, and its last slice judges, which is later than anything that a trial learned before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from stream_rec.errors import FileProblem
from stream_rec.evaluation.experiment import Experiment
from stream_rec.evaluation.scan import ScannedLog, cut_log
from stream_rec.evaluation.schedule import schedule

LEAST_SCORED = 20
"""Events below which nothing is chosen by, or reported on."""
RECOGNIZED = 1_000
"""Events that tell a log from others."""


class Part(Struct, frozen=True):
    """What settings were chosen on: the first part of one log."""

    log: str
    """Its name."""
    n_events: int
    until_ms: int
    """Time of the last of them."""
    digest: str
    """Of these events alone."""
    begins: str
    """Digest of who did something when in the first of them."""


def describe_part(name: str, log: ScannedLog, n_events: int) -> Part:
    """Return the first part of a log."""
    first = slice(n_events)
    digest = _digest(log.times_ms[first], log.users[first], log.items[first], log.kinds[first])
    begins = _recognize(log, min(n_events, RECOGNIZED))
    return Part(name, n_events, int(log.times_ms[n_events - 1]), digest, begins)


def find_split(log: ScannedLog, share: float) -> int:
    """Return how many events the first part of a log has: a share of them, and no group is split.

    Raises:
        FileProblem: nothing is left.
    """
    return schedule(log, share).first_scored


def take_first(experiment: Experiment, n_events: int, *, judged: float, n_known: int, folder: Path) -> Experiment:
    """Return an experiment on the first events of a log, scored on the last slice of them.

    Args:
        judged: Share of those events that is scored.
        n_known: Items of the item file.
        folder: Takes the log; must be empty.

    Raises:
        FileProblem: too little is scored.
    """
    return _require_enough(
        Experiment.of(
            cut_log(experiment.log, n_events, n_known, folder),
            replace(experiment.settings, warmup=1.0 - judged),
            is_listed=experiment.world.is_listed[:n_known],
            vectors=experiment.world.vectors[:n_known],
        ),
        "settings are chosen",
    )


def take_rest(experiment: Experiment, n_events: int, *, n_known: int) -> Experiment:
    """Return an experiment on a whole log, of which the first events only teach.

    Args:
        n_events: No group begins before and ends behind them.
        n_known: Items of the item file.

    Raises:
        FileProblem: too little is scored.
    """
    return _require_enough(
        Experiment.of(
            experiment.log,
            replace(experiment.settings, warmup=n_events / len(experiment.log)),
            is_listed=experiment.world.is_listed[:n_known],
            vectors=experiment.world.vectors[:n_known],
        ),
        "they are reported",
    )


def find_leak(parts: Sequence[Part], log: ScannedLog, first_reported: int) -> Part | None:
    """Return the part of this log that settings were chosen on and that is reported on again; None where none is.

    Args:
        first_reported: Index of the first event that is scored.
    """
    for part in parts:
        n = min(part.n_events, RECOGNIZED)
        if first_reported < part.n_events and n <= len(log) and _recognize(log, n) == part.begins:
            return part
    return None


def _recognize(log: ScannedLog, n_events: int) -> str:
    """Return 16 hex digits by which a log is known, whatever items are in the item file."""
    return _digest(log.times_ms[:n_events], log.users[:n_events], log.kinds[:n_events])


def _digest(*arrays: NDArray[Any]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for values in arrays:
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _require_enough(experiment: Experiment, what: str) -> Experiment:
    n = len(experiment.log) - experiment.plan.first_scored
    if n < LEAST_SCORED:
        raise FileProblem(f"the log is too short: {what} on {n} events, and {LEAST_SCORED} are the least; give more")
    return experiment
