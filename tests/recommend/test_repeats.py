"""Whether something is offered again: bought milk is, a bought washing machine is not, as the log says."""

from __future__ import annotations

import random

from stream_rec.config import Settings, override
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.pipeline import Pipeline

DAY_MS = 86_400_000
PLAIN = {"ranking.explore_share": 0.0, "ranking.tail_every": 0}
FOOD, MACHINES = ([f"{category}-{number}" for number in range(20)] for category in ("food", "machine"))


def test_what_is_bought_again_is_known_by_its_category():
    """Of two items that only Ann has bought, once, one is of a category whose items others buy again and again."""
    pipeline, draw = Pipeline(override(Settings(), PLAIN)), random.Random(0)
    for category, item_ids in (("food", [*FOOD, "new milk"]), ("machines", [*MACHINES, "new washing machine"])):
        for item_id in item_ids:
            pipeline.catalog.put_item(Item(item_id, category=category))
    now_ms, n_events = 0, 0

    def buy(user_id: str, item_id: str) -> None:
        nonlocal now_ms, n_events
        now_ms, n_events = now_ms + DAY_MS // 30, n_events + 1
        pipeline.learn(Kind.PURCHASE, Interaction(f"e{n_events}", user_id, item_id, now_ms))

    users = ["ann", *(f"user-{number}" for number in range(14))]
    usual = {user_id: draw.sample(FOOD, 3) for user_id in users}
    wanted = {user_id: draw.sample(MACHINES, len(MACHINES)) for user_id in users}
    for week in range(12):
        for user_id in users:
            buy(user_id, usual[user_id][week % 3])
            buy(user_id, wanted[user_id].pop())
    buy("ann", "new milk")
    buy("ann", "new washing machine")
    ranked = pipeline.rank("ann", now_ms + 5 * DAY_MS)
    order = [pipeline.catalog.item_ids[row] for row in ranked.candidates.rows[ranked.best]]

    assert order.index("new milk") < 10 < 30 < order.index("new washing machine")
