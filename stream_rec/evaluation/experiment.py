"""An experiment: one log, what every method may know of it before the first event, and how all are judged alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream_rec.evaluation.method import World
from stream_rec.evaluation.scan import ScannedLog
from stream_rec.evaluation.schedule import Schedule, schedule

TRAINED_EVERY = 0.02
"""Share of the events after which a batch model is trained again."""


class EvaluationSettings(Struct, frozen=True):
    """How every method is judged."""

    n: int = 20
    """Length of a list."""
    warmup: float = 0.2
    """Share of the events that only teaches."""
    seed: int = 0
    """Of every random choice."""
    has_searches: bool = True
    """Whether methods are told of what users searched for."""
    has_impressions: bool = True
    """Whether they are told of what users were shown."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """What is common to all methods. It goes to another process by way of the log's folder."""

    log: ScannedLog
    plan: Schedule
    world: World
    settings: EvaluationSettings

    @classmethod
    def of(
        cls,
        log: ScannedLog,
        settings: EvaluationSettings,
        *,
        is_listed: NDArray[np.bool_],
        vectors: NDArray[np.float32],
    ) -> Experiment:
        """Return the experiment on a log.

        Args:
            is_listed: (items of the item file,) whether an item may be recommended.
            vectors: (items of the item file, d); items that only events name have none.

        Raises:
            FileProblem: nothing is left to be scored.
        """
        plan = schedule(log, settings.warmup)
        n_others = len(log.item_ids) - len(is_listed)
        world = _make_world(log, plan, np.pad(is_listed, (0, n_others)), np.pad(vectors, ((0, n_others), (0, 0))))
        return cls(log, plan, world, settings)

    def save(self) -> Path:
        """Put what the log's folder does not hold yet beside it, and return the folder: all that ``open`` needs."""
        folder = self.log.folder
        np.save(folder / "is_listed.npy", self.world.is_listed)
        np.save(folder / "vectors.npy", self.world.vectors)
        (folder / "settings.msgpack").write_bytes(msgspec.msgpack.encode(self.settings))
        return folder

    @classmethod
    def open(cls, folder: Path) -> Experiment:
        """Return the experiment that was saved to a folder."""
        log = ScannedLog(folder)
        settings = msgspec.msgpack.decode((folder / "settings.msgpack").read_bytes(), type=EvaluationSettings)
        plan = schedule(log, settings.warmup)
        world = _make_world(log, plan, np.load(folder / "is_listed.npy"), np.load(folder / "vectors.npy"))
        return cls(log, plan, world, settings)


def _make_world(log: ScannedLog, plan: Schedule, is_listed: NDArray[np.bool_], vectors: NDArray[np.float32]) -> World:
    return World(
        n_users=log.n_users,
        n_items=len(log.item_ids),
        item_ids=log.item_ids,
        is_listed=is_listed,
        vectors=vectors,
        n_warm_groups=plan.n_warm_groups,
        n_events_between_trainings=max(1, round(TRAINED_EVERY * len(log))),
    )
