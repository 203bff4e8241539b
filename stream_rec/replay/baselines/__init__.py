"""What the engine is judged against: one small honest method a module, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module

from stream_rec.replay.method import Method, World

Factory = Callable[[World, int], Method]

WITH_CHANCE = {"isgd", "online_bpr", "als"}
"""Modules whose methods draw numbers."""


def _lazily(module: str, name: str, world: World, seed: int) -> Method:
    """Import and make a baseline: SciPy and implicit are loaded for those that use them."""
    made = getattr(import_module(f"{__name__}.{module}"), name)
    return made(world, seed=seed) if module in WITH_CHANCE else made(world)


BASELINES: dict[str, Factory] = {
    "popularity": partial(_lazily, "popularity", "Popularity"),
    "decayed_popularity": partial(_lazily, "decayed_popularity", "DecayedPopularity"),
    "decayed_popularity_minus_taken": partial(_lazily, "decayed_popularity", "NewPopularity"),
    "own_items": partial(_lazily, "own_items", "OwnItems"),
    "covisits": partial(_lazily, "covisits", "CoVisits"),
    "vsknn": partial(_lazily, "vsknn", "VSkNN"),
    "stan": partial(_lazily, "stan", "Stan"),
    "isgd": partial(_lazily, "isgd", "Isgd"),
    "online_bpr": partial(_lazily, "online_bpr", "OnlineBpr"),
    "als": partial(_lazily, "als", "Als"),
    "ease": partial(_lazily, "ease", "Ease"),
    "text_similarity": partial(_lazily, "text_similarity", "TextSimilarity"),
}
"""Name to (world, seed) → method that has learned nothing yet."""
