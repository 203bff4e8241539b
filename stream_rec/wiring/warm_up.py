"""Kernels are compiled at their first use, which takes tens of seconds on a new machine: here it is done beforehand."""

from __future__ import annotations

import logging
import time

import numpy as np

from stream_rec.config import Settings
from stream_rec.embedding.codec import ItemEmbedding
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.knowledge.state import KnowledgeConfig
from stream_rec.replay.pipeline import Pipeline

log = logging.getLogger(__name__)

ITEMS, USERS, EVENTS = 12, 20, 80
SETTINGS = Settings(knowledge=KnowledgeConfig(visitors=8))
"""So few visitors an item that some leave it again."""


def compile_kernels() -> None:
    """Run every kernel once, on a small world of its own: compiled, or loaded from numba's cache."""
    began = time.monotonic()
    of_empty_catalog, pipeline = Pipeline(SETTINGS), Pipeline(SETTINGS)
    vectors = np.eye(ITEMS, 16, dtype=np.float32)
    for number in range(ITEMS):
        pipeline.catalog.put_item(Item(f"i{number}"))
        if number % 4:
            pipeline.catalog.put_embedding(f"i{number}", ItemEmbedding("warm-up", bytes(16), vectors[number]))
    for number in range(EVENTS):
        event = Interaction(f"e{number}", f"u{number % USERS}", f"i{7 * number // 3 % (ITEMS - 2)}", 1000 * number)
        for one in (of_empty_catalog, pipeline) if number < 3 else (pipeline,):
            one.list_for(Kind.VIEW, event, one.learn(Kind.VIEW, event))
    log.info("compiled took_ms=%d", (time.monotonic() - began) * 1000)
