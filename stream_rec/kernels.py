"""Kernels are compiled at their first use, which takes tens of seconds on a new machine: here it is done beforehand.

``stream-rec compile`` does nothing else. What a wheel brings compiled is loaded, and that is all. How numba compiles
the rest, and where that is kept: ``kernel_compilation.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stream_rec import compiled_kernels
from stream_rec.config import Settings
from stream_rec.embedding.item_embedding import MAX_SPACES, ItemEmbedding, SpaceVector
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.events.search import Search
from stream_rec.knowledge.bounds import KnowledgeConfig
from stream_rec.pipeline import Pipeline
from stream_rec.ranking.policy import RankingConfig

ITEMS, USERS, EVENTS = 12, 20, 80
SETTINGS = Settings(
    knowledge=KnowledgeConfig(recent_visits=8),  # so few an item that some leave it again
    ranking=RankingConfig(n=4, diversity=0.5, explore_share=0.5),
)
"""Under which everything happens that can happen."""


class Step(NamedTuple):
    """What is being compiled."""

    number: int
    """Counted from 1; 0: another process compiles, and this one waits for it."""
    of: int
    name: str


def compile_kernels(tell: Callable[[Step], None] = lambda step: None) -> None:
    """Run every kernel once, on a small world of its own: compiled, or loaded from numba's cache.

    Once a process: a second call does nothing. Of several processes one compiles, with a helper.

    Args:
        tell: Told of each kernel before it is compiled, and of nothing where all are in the cache.
    """
    if compiled_kernels.are_here():
        run_kernels()
        return
    from stream_rec.kernel_compilation import Compiling, copy_compiled

    copy_compiled()
    with Compiling(lambda *step: tell(Step(*step))):
        run_kernels()


def cache_path() -> Path:
    """Return where the first kernel is kept when it is compiled; others may be elsewhere."""
    if compiled_kernels.are_here():
        return compiled_kernels.FOLDER
    from stream_rec.kernel_compilation import cache_path

    return cache_path()


@cache
def run_kernels() -> None:
    """Run every kernel once, once a process."""
    of_empty_catalog, pipeline = Pipeline(SETTINGS), Pipeline(SETTINGS)
    vectors = np.eye(ITEMS, 16, dtype=np.float32)
    for number in range(ITEMS):
        pipeline.catalog.put_item(Item(f"i{number}", category="ab"[number % 2]))
        if number % 4:
            spaces = tuple(SpaceVector(f"warm-up-{space}", vectors[number]) for space in range(MAX_SPACES))
            pipeline.catalog.put_embedding(f"i{number}", ItemEmbedding(bytes(16), spaces))
    for number in range(EVENTS):
        event = Interaction(f"e{number}", f"u{number % USERS}", f"i{7 * number // 3 % (ITEMS - 2)}", 1000 * number)
        for one in (of_empty_catalog, pipeline) if number < 3 else (pipeline,):
            one.list_for(Kind.VIEW, event, one.learn(Kind.VIEW, event))
    asked = Search("q", "u0", "i1 i2", 1000 * EVENTS)
    for one in (of_empty_catalog, pipeline):
        one.list_for_search(asked, one.search(asked))
