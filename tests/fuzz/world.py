"""The world that decoded values act on: what one worker holds, small, and the lists that it makes of it."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random

import msgspec
import numpy as np

from stream_rec.catalog.catalog import Catalog
from stream_rec.client import view
from stream_rec.client.view import RecommendationsView
from stream_rec.config import Settings
from stream_rec.embedding import item_embedding
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.events.slate import Slate
from stream_rec.ranking.merge import SharedHead
from stream_rec.ranking.policy import RankingConfig
from stream_rec.recommend.learn import teach
from stream_rec.recommender import Recommender
from stream_rec.retrieval.candidates import Workspace
from stream_rec.user.arrival import Arrival
from stream_rec.user.state import UserState
from tests.fuzz.valid import COLD, HEAD, ITEMS, NOW_MS, valid_embedding, valid_knowledge, valid_user

WORKSPACE = Workspace()


class World:
    """What one worker holds: a catalog, a shared head, and a folder for files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings(kafka=msgspec.structs.replace(Settings().kafka, partitions=1))
        self.catalog = Catalog()
        self.shared = SharedHead(COLD, HEAD)
        self.recommender = Recommender(self.catalog, self.shared, _RANKING, HEAD)
        for number, item_id in enumerate(ITEMS):
            self.catalog.put_item(Item(item_id, title=f"thing {item_id}", category=f"c{number % 3}"))
            self.catalog.put_knowledge(item_id, valid_knowledge(Random(number)))
        for item_id in ITEMS[:8]:
            self.catalog.put_embedding(item_id, item_embedding.decode(valid_embedding(Random(item_id))))
        self.catalog.factors.choose(np.arange(len(ITEMS)))
        self.user = valid_user(Random(5))
        self.view = _view()

    def serve(self, user: UserState | None = None) -> None:
        """Make a list, teach the head with it and send the list: all numbers in it must be finite."""
        user = self.user if user is None else user
        last = Arrival(Interaction("served", "u", "i3", NOW_MS), Kind.CLICK, 0, 10**6)
        head = self.shared.head
        ranked = self.recommender.rank("u", user, now_ms=NOW_MS)
        assert np.isfinite(ranked.scored.log_p).all(), "a score is not finite"
        slate = self.recommender.recommend("u", user, last.as_of(user))
        numbers = [n for item in slate.items for n in (item.score, item.propensity, *item.sources.values())]
        assert all(map(math.isfinite, numbers)), "the list holds what is no number"
        assert msgspec.json.decode(msgspec.json.encode(slate), type=Slate) == slate
        learned = teach(ranked, [(3, HEAD.weigh(Kind.CLICK))], head, HEAD)
        assert np.isfinite(learned.score(ranked.scored.inputs).log_p).all(), "what was learned is not finite"


_RANKING = RankingConfig(explore_share=0.5, tail_every=2)


class _NoReader:
    """The edge: a topic from which nothing comes by itself."""

    topic = "recommendations"
    is_ready = True


def _view() -> RecommendationsView:
    made = view.TopicReader
    view.TopicReader = lambda *_: _NoReader()
    try:
        return RecommendationsView("nowhere:9092", follow=False)
    finally:
        view.TopicReader = made
