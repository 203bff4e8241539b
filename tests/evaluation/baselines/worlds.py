"""Small worlds and groups to check baselines by hand."""

from __future__ import annotations

import numpy as np

from stream_rec.evaluation.method import Group, Method, World

HOUR_MS = 3_600_000
NOBODY_YET = 0
"""A user that no test below teaches about, unless it says so."""


def world(
    n_items: int,
    *,
    n_users: int = 5,
    n_warm_groups: int = 0,
    unlisted: int = 0,
    n_events_between_trainings: int = 2,
    vectors=None,
) -> World:
    """Return a world whose last ``unlisted`` items only events name. Without ``vectors``, no item has a text."""
    return World(
        n_users=n_users,
        n_items=n_items,
        item_ids=[f"i{item}" for item in range(n_items)],
        is_listed=np.arange(n_items) < n_items - unlisted,
        vectors=np.zeros((n_items, 2), np.float32) if vectors is None else np.array(vectors, np.float32),
        n_warm_groups=n_warm_groups,
        n_events_between_trainings=n_events_between_trainings,
    )


def group(user: int, *items: int, at_ms: int = 0) -> Group:
    return Group(user, at_ms, np.array(items, np.int64), np.zeros(len(items), np.int8), [])


def taught(method: Method, *groups: Group) -> Method:
    """Return the method after it has learned the groups."""
    for each in groups:
        method.learn(each)
    return method


def shown(method: Method, user: int = NOBODY_YET, *, now_ms: int = 0, n: int = 20) -> list[int]:
    return method.recommend(user, now_ms, n).tolist()
