"""Inputs for heads, and users with a catalog for features."""

from __future__ import annotations

import numpy as np

from stream_rec.catalog.catalog import Catalog
from stream_rec.knowledge.visits import visitor_of
from stream_rec.ranking.features import CONTEXT, INPUTS, NAMES, Inputs, compute_inputs
from stream_rec.retrieval.candidates import Candidates, Workspace, retrieve
from stream_rec.user.history import History, read_history
from stream_rec.user.state import UserState


def drawn(k: int = 6, seed: int = 0, history: int = 1) -> Inputs:
    """Return random inputs of ``k`` candidates, in the range in which features are."""
    rng = np.random.default_rng(seed)
    items = rng.uniform(-0.2, 1.0, (k, INPUTS)).astype(np.float32)
    return Inputs(items, rng.uniform(0, 1, CONTEXT).astype(np.float32), history)


def seen(user: UserState, catalog: Catalog, now_ms: int, user_id: str = "u") -> tuple[Candidates, History, Inputs]:
    """Return a user's candidates and their features."""
    history = read_history(user, catalog.find, recent_items=30)
    own_slot = catalog.knowledge.neighbour_index.slot(visitor_of(user_id))
    candidates = retrieve(history, catalog, Workspace(), own_slot=own_slot, now_ms=now_ms)
    return candidates, history, compute_inputs(candidates, history, catalog, now_ms)


def features(user: UserState, catalog: Catalog, now_ms: int) -> dict[str, dict[str, float]]:
    """Return the features by item and name."""
    candidates, _, made = seen(user, catalog, now_ms)
    return {
        catalog.item_ids[row]: dict(zip(NAMES, values)) for row, values in zip(candidates.rows, made.items.tolist())
    }
