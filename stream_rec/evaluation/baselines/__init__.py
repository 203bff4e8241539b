"""What the engine is judged against: one small honest method a module, by name.

Each module has a `FAMILY`: the method, and the few settings that it chooses on the warm-up (``choice.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from stream_rec.evaluation.baselines.choice import Choosing
from stream_rec.evaluation.method import World

Factory = Callable[[World, int], Choosing[Any]]


def _lazily(module: str, family: str, world: World, seed: int) -> Choosing[Any]:
    """Import and make a baseline: SciPy and implicit are loaded for those that use them."""
    return Choosing(world, seed, getattr(import_module(f"{__name__}.{module}"), family))


BASELINES: dict[str, Factory] = {
    "popularity": partial(_lazily, "popularity", "FAMILY"),
    "decayed_popularity": partial(_lazily, "decayed_popularity", "FAMILY"),
    "decayed_popularity_minus_taken": partial(_lazily, "decayed_popularity", "WITHOUT_TAKEN"),
    "own_items": partial(_lazily, "own_items", "FAMILY"),
    "covisits": partial(_lazily, "covisits", "FAMILY"),
    "vsknn": partial(_lazily, "vsknn", "FAMILY"),
    "stan": partial(_lazily, "stan", "FAMILY"),
    "isgd": partial(_lazily, "isgd", "FAMILY"),
    "online_bpr": partial(_lazily, "online_bpr", "FAMILY"),
    "als": partial(_lazily, "als", "FAMILY"),
    "ease": partial(_lazily, "ease", "FAMILY"),
    "text_similarity": partial(_lazily, "text_similarity", "FAMILY"),
}
"""Name to (world, seed) → method that has learned nothing yet."""
