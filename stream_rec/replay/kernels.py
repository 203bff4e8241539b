"""Kernels are compiled at their first use, which takes tens of seconds on a new machine: here it is done beforehand."""

from __future__ import annotations

from functools import cache

import numpy as np

from stream_rec.config import Settings
from stream_rec.embedding.codec import ItemEmbedding
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.knowledge.state import KnowledgeConfig
from stream_rec.ranking.policy import RankingConfig
from stream_rec.replay.pipeline import Pipeline

ITEMS, USERS, EVENTS = 12, 20, 80
SETTINGS = Settings(
    knowledge=KnowledgeConfig(visitors=8),  # so few an item that some leave it again
    ranking=RankingConfig(n=4, diversity=0.5, explore_share=0.5),
)
"""Under which everything happens that can happen."""


@cache
def compile_kernels() -> None:
    """Run every kernel once, on a small world of its own: compiled, or loaded from numba's cache.

    Once a process: a second call does nothing.
    """
    of_empty_catalog, pipeline = Pipeline(SETTINGS), Pipeline(SETTINGS)
    vectors = np.eye(ITEMS, 16, dtype=np.float32)
    for number in range(ITEMS):
        pipeline.catalog.put_item(Item(f"i{number}", category="ab"[number % 2]))
        if number % 4:
            pipeline.catalog.put_embedding(f"i{number}", ItemEmbedding("warm-up", bytes(16), vectors[number]))
    for number in range(EVENTS):
        event = Interaction(f"e{number}", f"u{number % USERS}", f"i{7 * number // 3 % (ITEMS - 2)}", 1000 * number)
        for one in (of_empty_catalog, pipeline) if number < 3 else (pipeline,):
            one.list_for(Kind.VIEW, event, one.learn(Kind.VIEW, event))
