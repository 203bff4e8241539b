"""A shop that has seen some users, and a ranker for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from stream_rec.catalog.catalog import Catalog
from stream_rec.config import Settings, override
from stream_rec.embedding.encoder import build_one
from stream_rec.embedding.item_embedding import ItemEmbedding, SpaceVector
from stream_rec.embedding.text import canonical_text
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.pipeline import Pipeline
from stream_rec.recommender import Recommender
from stream_rec.serving.on_the_spot import NotReady
from stream_rec.serving.ranker import Ranker
from stream_rec.user.state import COLD

T = TypeVar("T")

SETTINGS = override(Settings(), {"ranking.explore_share": 0.0, "ranking.tail_every": 0, "embedder.encoder": "hashing"})
COLOURS, THINGS = ("red", "blue", "green", "white"), ("teapot", "cup", "kettle", "lamp", "chair", "hose")
ITEMS = [
    Item(
        f"{colour}-{thing}",
        title=f"{colour} {thing}",
        category="tea" if thing in THINGS[:3] else "home",
        tags=[colour],
        attributes={"price": 10 * number + place, "brand": "Acme" if colour == "red" else "Bolt"},
    )
    for number, colour in enumerate(COLOURS)
    for place, thing in enumerate(THINGS)
]


class Shop(Pipeline):
    """The whole pipeline in one process, with a catalog whose items can be filtered."""

    def __init__(self) -> None:
        super().__init__(SETTINGS, encodes_queries=True)
        catalog = Catalog()
        self.recommender = Recommender(
            catalog, self.recommender._head, SETTINGS.ranking, SETTINGS.head, self.recommender._encode_query
        )
        for item in ITEMS:
            catalog.put_item(item)
            self.embed(item)
        for number in range(400):
            user = f"u{number % 23}"
            item = ITEMS[(number * number + 3 * (number % 23)) % len(ITEMS)]
            self.see(user, item.item_id, at_ms=1_000 * number, kind=Kind(number % 3))

    def embed(self, item: Item) -> None:
        """Take an item's vector, as the embedder would make it."""
        encoder = build_one(SETTINGS.embedder)
        vector = encoder.encode_passages([canonical_text(item)])[0]
        self.catalog.put_embedding(item.item_id, ItemEmbedding(b"\0" * 16, (SpaceVector(encoder.identity, vector),)))

    def see(
        self, user_id: str, item_id: str, *, at_ms: int, kind: Kind = Kind.VIEW, **context: str
    ) -> tuple[Kind, Interaction]:
        """Take an event; return it."""
        event = Interaction(f"{at_ms}-{user_id}", user_id, item_id, at_ms, context=context)
        self.learn(kind, event)
        return kind, event

    def ranker(self) -> Ranker:
        """Return who ranks on the spot what the pipeline knows."""
        keys = SETTINGS.user.context_keys
        return Ranker(self.recommender, lambda user_id: self.users.get(user_id, COLD), SETTINGS.ranking, keys)


class AtHand:
    """Ranks at once, in the thread that asks."""

    why = ""

    def __init__(self, ranker: Ranker) -> None:
        self.ranker = ranker
        self.asked: list[str] = []

    def find_why_not_ready(self) -> str:
        return self.why

    async def ask(self, what: str, work: Callable[[Ranker], T]) -> T:
        if self.why:
            raise NotReady(self.why)
        self.asked.append(what)
        return work(self.ranker)
