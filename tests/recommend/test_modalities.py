"""What items bring themselves, in lists: a taste that only images tell."""

from __future__ import annotations

import random

import numpy as np

from stream_rec.catalog.settings import CatalogConfig
from stream_rec.config import Settings
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.pipeline import Pipeline

STYLES, OF_A_STYLE, USERS, ROUNDS = 6, 25, 60, 8
NEW = 10
"""Of each style, which nobody has seen when lists are made."""
STYLES_OF_IMAGES = np.random.default_rng(1).normal(size=(STYLES, 32))


def share_of_style(modalities: str, *, without: float = 0.0) -> float:
    """Return which share of the first ten new items of a user's ranking are of the style that the user chooses.

    Args:
        modalities: Setting `catalog.vectors`.
        without: Share of the items that have no image.
    """
    pipeline = Pipeline(Settings(catalog=CatalogConfig(vectors=modalities)))
    rng, noise = random.Random(0), np.random.default_rng(0)

    def put_items(n: int) -> dict[str, int]:
        styles: dict[str, int] = {}
        for number in range(n):
            item_id, style = f"{rng.getrandbits(48):x}", number % STYLES
            image = (STYLES_OF_IMAGES[style] + 0.5 * noise.normal(size=32)).tolist()
            pipeline.catalog.put_item(Item(item_id, vectors={} if rng.random() < without else {"image": image}))
            styles[item_id] = style
        return styles

    known, now_ms = put_items(STYLES * OF_A_STYLE), 0
    of_style = [[item_id for item_id, style in known.items() if style == each] for each in range(STYLES)]
    for round_ in range(ROUNDS):
        for user in range(USERS):
            now_ms += 60_000
            item_id = rng.choice(of_style[user % STYLES])
            pipeline.learn(Kind.VIEW, Interaction(f"{user}/{round_}", f"u{user}", item_id, now_ms))
    new, shares = put_items(STYLES * NEW), []
    for user in range(USERS):
        ranked = pipeline.rank(f"u{user}", now_ms)
        ids = [pipeline.catalog.item_ids[row] for row in ranked.candidates.rows[ranked.best]]
        first = [item_id for item_id in ids if item_id in new][:NEW]
        shares.append(sum(new[item_id] == user % STYLES for item_id in first) / NEW)
    return float(np.mean(shares))


def test_images_tell_which_new_items_are_of_a_users_taste():
    """Where they are declared; where half of the items have none, those that have still are told."""
    told, half, untold = share_of_style("image"), share_of_style("image", without=0.5), share_of_style("")

    assert told > 0.8
    assert told > half > 2 * untold
    assert untold < 1.5 / STYLES
