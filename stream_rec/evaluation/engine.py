"""The production core as a ``Method``: ``Pipeline`` and its recommender learn and make lists, as for any event."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rec.config import Settings
from stream_rec.embedding.item_embedding import ItemEmbedding
from stream_rec.evaluation.method import Group, World
from stream_rec.events.impression import Impression
from stream_rec.events.item import Item
from stream_rec.events.rule import Rule
from stream_rec.events.search import Search
from stream_rec.events.slate import SlateItem
from stream_rec.events.source import Source
from stream_rec.kernels import compile_kernels
from stream_rec.pipeline import Pipeline
from stream_rec.ranking.left_out import NOTHING, LeftOut
from stream_rec.recommend.ranked import Ranked
from stream_rec.retrieval.candidates import Candidates

NOBODY = "\0"
"""No user's id: for one who has not been seen yet."""


class Engine:
    """One pipeline over one log."""

    def __init__(
        self,
        world: World,
        seed: int,
        *,
        settings: Settings,
        items: Sequence[Item],
        embeddings: Mapping[str, ItemEmbedding],
        rules: Sequence[Rule] = (),
        left_out: LeftOut = NOTHING,
        untold: Collection[Source] = (),
    ) -> None:
        """Put the items and their embeddings into the catalog.

        Args:
            items: Those of the item file, in the order of ``world.item_ids``.
            embeddings: By item id. ``world.vectors`` has the same for methods that know one space.
            rules: Of the owner's, which lists obey.
            left_out: Parts of it that are done without.
            untold: What it does not hear of: searches or impressions.
        """
        compile_kernels()  # here, where no list is timed
        ranking = msgspec.structs.replace(settings.ranking, seed=seed)
        seeded = msgspec.structs.replace(settings, ranking=ranking)
        self._pipeline = Pipeline(seeded, encodes_queries=True, left_out=left_out)
        self._untold = frozenset(untold)
        self._item_ids = world.item_ids
        self._ranked: Ranked | None = None
        self._slate: list[SlateItem] = []
        self._rows = np.zeros(0, np.int64)
        self._context: Mapping[str, Any] | None = None
        self._id_of_user: dict[int, str] = {}
        for item in items:
            self._pipeline.catalog.put_item(item)
            if item.item_id in embeddings:
                self._pipeline.catalog.put_embedding(item.item_id, embeddings[item.item_id])
        for rule in rules:
            self._pipeline.catalog.put_rule(rule)

    def take_search(self, user: int, search: Search) -> None:
        """Take it to its user's state, as it would come from its topic."""
        if user >= 0:
            self._id_of_user[user] = search.user_id
        if Source.SEARCH not in self._untold:
            self._pipeline.search(search)

    def take_impression(self, user: int, impression: Impression) -> None:
        """Take it to its user's state, and let the head learn, as it would come from its topic."""
        if user >= 0:
            self._id_of_user[user] = impression.user_id
        if Source.IMPRESSION not in self._untold:
            self._pipeline.impress(impression)

    def take_context(self, context: Mapping[str, Any]) -> None:
        """Take the context of the next request."""
        self._context = context

    def recommend(self, user: int, now_ms: int, n: int) -> NDArray[np.int64]:
        """Return the list that the user would get now."""
        pipeline = self._pipeline
        user_id = self._id_of_user.get(user, NOBODY)
        ranked = self._ranked = pipeline.rank(user_id, now_ms, self._context)
        config = msgspec.structs.replace(pipeline.settings.ranking, n=n)
        self._slate = pipeline.recommender.items(ranked, f"{user_id}/{now_ms}", config)
        rows = self._rows = self._find_rows(self._slate)
        pipeline.recommender.count_shown(rows)
        return rows

    def last_list(self) -> Sequence[SlateItem]:
        """Return the last list with its reasons, until its group is learned."""
        self._last()
        return self._slate

    def peek(self, user: int, now_ms: int, n: int, context: Mapping[str, Any]) -> Sequence[SlateItem]:
        """Return the list that a user would get now, with its reasons. Leaves no trace: nobody has seen it."""
        pipeline = self._pipeline
        user_id = self._id_of_user.get(user, NOBODY)
        config = msgspec.structs.replace(pipeline.settings.ranking, n=n)
        return pipeline.recommender.items(pipeline.rank(user_id, now_ms, context), f"{user_id}/{now_ms}", config)

    @property
    def predicts_ratings(self) -> bool:
        """Whether the settings have a scale of ratings."""
        return bool(self._pipeline.settings.ratings.scale)

    def predict_ratings(self, items: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how the user of the last list would rate some items, (e,), until its group is learned.

        NaN where nothing was ever heard of an item. Only where ``predicts_ratings``.
        """
        rows = [self._pipeline.catalog.find(self._item_ids[item]) for item in items.tolist()]
        is_known = np.array([row is not None for row in rows])
        known = np.array([row for row in rows if row is not None], np.int64)
        values = np.full(len(items), np.nan)
        values[is_known] = self._pipeline.recommender.predict_values(self._last(), known)
        return values

    def candidates(self) -> Candidates:
        """Return what the last list was made from, until its group is learned."""
        return self._last().candidates

    def last_rows(self) -> NDArray[np.int64]:
        """Return the item numbers of the last list, best first, until its group is learned."""
        self._last()
        return self._rows

    def probabilities(self) -> NDArray[np.float64]:
        """Return (k,) how likely each of ``candidates`` was said to be chosen, until its group is learned."""
        p: NDArray[np.float64] = np.exp(self._last().scored.log_p)
        return p

    def recommend_again(self, diversity: float, n: int) -> NDArray[np.int64]:
        """Return what the last list would have been at another diversity, no slot explored nor given to the unseen.

        Leaves no trace: nobody has seen it.
        """
        plain = {"diversity": diversity, "n": n, "explore_share": 0.0, "tail_every": 0}
        config = msgspec.structs.replace(self._pipeline.settings.ranking, **plain)
        return self._find_rows(self._pipeline.recommender.items(self._last(), NOBODY, config))

    def learn(self, group: Group) -> None:
        """Teach the head the group as one, then take each event as it would come from its topic."""
        pipeline = self._pipeline
        user_id = self._id_of_user[group.user] = group.events[0].event.user_id
        ranked, self._ranked = self._ranked, None
        if ranked is None:  # in the warm-up nobody asked for a list
            ranked = pipeline.rank(user_id, group.now_ms, group.events[0].event.context)
        pipeline.take(ranked, group.events)

    def _last(self) -> Ranked:
        if self._ranked is None:
            raise RuntimeError("no list was made since the last group was learned: call `recommend` first")
        return self._ranked

    def _find_rows(self, shown: Sequence[SlateItem]) -> NDArray[np.int64]:
        """Return the items' numbers: rows are given in the order of the items, and only they are ever listed."""
        return np.array([self._pipeline.catalog.find(item.item_id) for item in shown], np.int64)
