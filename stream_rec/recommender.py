"""One object that recommends: a worker, a replay and an evaluation hold one each, and nothing of its parts.

It makes lists from what is known and learns from what users did. What is computed is in ``recommend/``, as functions
of values; here is what outlives one list: the head, scratch space, how often items were shown, whether choices have
changed. It has one owner and one thread, so that nothing in it needs a lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.promotion import Promotion
from stream_rec.events.slate import DEFAULT_LIST, AsOf, Slate, SlateItem
from stream_rec.events.source import Source
from stream_rec.ranking.drift import FACTOR, DriftWatch
from stream_rec.ranking.exposures import Exposures
from stream_rec.ranking.head import Head
from stream_rec.ranking.left_out import NOTHING, LeftOut
from stream_rec.ranking.policy import HeadConfig, RankingConfig
from stream_rec.ranking.ratings import COLD as COLD_RATINGS
from stream_rec.ranking.ratings import RatingHead
from stream_rec.recommend.learn import learn, learn_outcome, read_features
from stream_rec.recommend.make_list import recommend
from stream_rec.recommend.rank import rank
from stream_rec.recommend.ranked import Ranked
from stream_rec.recommend.ratings import predict_values, read_targets
from stream_rec.recommend.slates import policy_name, slate
from stream_rec.retrieval.asked import EncodeQuery
from stream_rec.retrieval.candidates import Workspace
from stream_rec.retrieval.pool import Pool
from stream_rec.surface_settings import HOME
from stream_rec.user.outcomes import Outcome, Showing
from stream_rec.user.ratings import NO_RATINGS, RatingsConfig
from stream_rec.user.state import COLD, UserState


class KeptHead(Protocol):
    """Where a recommender's head is kept: alone, or as ``SharedHead``, put together with those of other workers."""

    @property
    def head(self) -> Head: ...
    @property
    def ratings(self) -> RatingHead: ...

    def learn_ratings(self, inputs: NDArray[np.float64], targets: NDArray[np.float64]) -> None: ...
    def update(self, head: Head) -> None: ...
    def decay(self, factor: float) -> None: ...


class LocalHead:
    """A head that nobody else has a part in."""

    def __init__(self, cold: Head) -> None:
        """Begin with nothing learned."""
        self.head = cold
        self.ratings = COLD_RATINGS

    def learn_ratings(self, inputs: NDArray[np.float64], targets: NDArray[np.float64]) -> None:
        """Learn some ratings: see ``RatingHead.learn``."""
        self.ratings = self.ratings.learn(inputs, targets)

    def update(self, head: Head) -> None:
        """Take the head after one group of choices as the present one."""
        self.head = head

    def decay(self, factor: float) -> None:
        """Let the head learn faster: see ``MixtureHead.decay``."""
        self.head = self.head.decay(factor)


class Recommender:
    """Makes and learns lists from one catalog with one head.

    Example:
        Tea was viewed once by somebody; of Ann nothing is known, until she views it too.

        >>> from stream_rec.events.item import Item
        >>> from stream_rec.knowledge.bounds import KnowledgeConfig
        >>> from stream_rec.knowledge.signal import Signal
        >>> from stream_rec.knowledge.state import UNSEEN, apply
        >>> from stream_rec.ranking.head import cold
        >>> catalog = Catalog()
        >>> catalog.put_item(Item("tea"))
        >>> signal = Signal(item_id="tea", kind=Kind.VIEW, partition=0, offset=0, seen_ms=0)
        >>> catalog.put_knowledge("tea", apply(UNSEEN, [signal], KnowledgeConfig()))
        >>> recommender = Recommender(catalog, LocalHead(cold(HeadConfig(), seed=0)), RankingConfig(), HeadConfig())
        >>> view = Interaction("e1", "ann", "tea", timestamp_ms=1_000)
        >>> made = recommender.recommend("ann", COLD, AsOf("views", 0, 1, view.event_id, view.timestamp_ms))
        >>> [(item.item_id, item.score, item.reason.kind) for item in made.items]
        [('tea', 1.0, 'trending')]
        >>> recommender.learn("ann", COLD, [(Kind.VIEW, view)])
        False
        >>> recommender.head.n_choices
        1
    """

    def __init__(
        self,
        catalog: Catalog,
        head: KeptHead,
        ranking: RankingConfig,
        learning: HeadConfig,
        encode_query: EncodeQuery | None = None,
        ratings: RatingsConfig = NO_RATINGS,
        left_out: LeftOut = NOTHING,
    ) -> None:
        """Begin with nothing shown.

        Args:
            catalog: Kept up to date by its owner, between lists.
            encode_query: From what users ask for to vectors that compare with those of items; they need not be there.
            head: Begins as it is; changes with ``learn``, and by its other owners between lists.
            ratings: Which values are ratings, and whether lists say how the user would rate their items.
            left_out: Parts that it does without, to find out what they are worth.
        """
        self.catalog = catalog
        self.policy = policy_name(ranking, learning, ratings)
        """Name of the settings that lists depend on."""
        self._head = head
        self._ranking = ranking
        self._learning = learning
        self._encode_query = encode_query
        self._ratings = ratings
        self._left_out = left_out
        self._drift = DriftWatch(learning.drift_delta)
        self._exposures = Exposures()
        self._workspace = Workspace()

    @property
    def head(self) -> Head:
        """The head as it is now."""
        return self._head.head

    @property
    def exposures(self) -> Exposures:
        """How often items were in its lists; for reading."""
        return self._exposures

    @property
    def recent_loss(self) -> float:
        """Mean log-loss of the newest choices that it has learned from, in nats."""
        return self._drift.recent_loss

    @property
    def encode_query(self) -> EncodeQuery | None:
        """From what users ask for to vectors that compare with those of items; None without."""
        return self._encode_query

    def recommend(self, user_id: str, user: UserState, as_of: AsOf, *, generated_at_ms: int | None = None) -> Slate:
        """Return the list that goes out on an event, and count its items as shown.

        Args:
            user: With that event in it.
            generated_at_ms: The clock's time; None for that of the events, as a replay has no other.
        """
        made = self._make_list(user_id, user, as_of, self._ranking, as_of.timestamp_ms, generated_at_ms)
        self.count_shown(np.array([self.catalog.find(item.item_id) for item in made.items]))
        return made

    def remake(self, user_id: str, user: UserState, as_of: AsOf, *, generated_at_ms: int | None = None) -> Slate:
        """Return the list that may take the place of one made on the same event, from what is known now.

        Reads only, and has nothing that every so many lists show: those are lists that are counted.
        """
        ranking = msgspec.structs.replace(self._ranking, tail_every=0)
        now_ms = self.catalog.knowledge.now_ms(as_of.timestamp_ms)  # by now a search may be over
        return self._make_list(user_id, user, as_of, ranking, now_ms, generated_at_ms)

    def default_list(self, *, generated_at_ms: int) -> Slate:
        """Return the list for users without one of their own. Reads only; it changes only when the world does."""
        ranked = self.rank(DEFAULT_LIST, COLD, now_ms=self.catalog.knowledge.newest_ms)
        ranking = msgspec.structs.replace(self._ranking, explore_share=0.0, tail_every=0)
        items = self.items(ranked, DEFAULT_LIST, ranking)
        return slate(DEFAULT_LIST, items, policy=self.policy, generated_at_ms=generated_at_ms)

    def learn(
        self,
        user_id: str,
        before: UserState,
        events: Sequence[tuple[Kind, Interaction]],
        contexts: Sequence[int] | None = None,
    ) -> bool:
        """Learn what a user did, as one choice among what could have been shown before.

        Args:
            contexts: As of ``rank``: of the first event.

        Returns:
            Whether choices were seen to have changed, so that the head learns faster for a while.
        """
        first = events[0][1]
        return self.learn_from(self.rank(user_id, before, now_ms=first.timestamp_ms, contexts=contexts), events)

    def learn_from(self, ranked: Ranked, events: Sequence[tuple[Kind, Interaction]]) -> bool:
        """Learn as ``learn`` does, from a ranking that is at hand."""
        if self._ratings.scale:
            inputs, targets = read_targets(ranked.request.history.rated, events, self.catalog, self._ratings)
            if len(targets):
                self._head.learn_ratings(inputs, targets)
        head, has_drifted = learn(ranked, events, self.catalog, self.head, self._drift, self._learning)
        self._head.update(head)
        if has_drifted:
            self._head.decay(FACTOR)
        return has_drifted

    def predict_values(self, ranked: Ranked, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how the user of a ranking would rate some items, (k,), on the scale of the settings. Reads only.

        Args:
            rows: (k,) of the items.
        """
        return predict_values(ranked.request.history.rated, rows, self.catalog, self._head.ratings, self._ratings)

    def read_features(self, user_id: str, showing: Showing) -> bytes:
        """Return what is known just before an impression of its items: ``put_features`` keeps it until it is over."""
        ranked = self.rank(user_id, showing.before, now_ms=showing.impression.timestamp_ms)
        return read_features(ranked, showing.impression.item_ids, self.catalog)

    def learn_outcome(self, outcome: Outcome) -> None:
        """Learn what was chosen from an impression that is over, and what was not."""
        self._head.update(learn_outcome(outcome, self.catalog, self.head, self._learning))

    def rank(
        self,
        user_id: str,
        user: UserState,
        *,
        now_ms: int,
        pool: Pool | None = None,
        surface: str = HOME,
        age: int | None = None,
        contexts: Sequence[int] | None = None,
    ) -> Ranked:
        """Return what could be shown to a user, and how likely each would be chosen. Reads only, but for the time.

        Args:
            now_ms: Event time; that of the newest event known where it is later.
            pool: What could be shown, where not all that is listed could.
            surface: Name of the list, for rules that hold in some lists only.
            age: The user's, in years, where who asks knows it.
            contexts: ``ContextNumbers`` of the request; None for those of the user's newest event or search.
        """
        event_ms, now_ms = now_ms, self.catalog.knowledge.now_ms(now_ms)
        self.catalog.see_time(now_ms)
        return rank(
            user_id,
            user,
            self.catalog,
            self.head,
            self._workspace,
            now_ms=now_ms,
            event_ms=event_ms,
            encode_query=self._encode_query,
            pool=pool,
            surface=surface,
            age=age,
            contexts=contexts,
            left_out=self._left_out,
        )

    def items(
        self,
        ranked: Ranked,
        request: str,
        ranking: RankingConfig | None = None,
        min_score: float = 0.0,
        promotions: Sequence[Promotion] = (),
    ) -> list[SlateItem]:
        """Return the items of a list made of a ranking, best first. Reads only.

        Args:
            request: Names the list: what is drawn depends on it.
            ranking: Other settings than the recommender's own.
            min_score: Of each item, at least.
            promotions: What who asks for it wants in which slots.
        """
        ranking = ranking or self._ranking
        made = recommend(ranked, self.catalog, self.head, ranking, self._exposures, request, min_score, promotions)
        if not (self._ratings.in_lists and self._ratings.scale and made):
            return made
        values = self.predict_values(ranked, np.array([self.catalog.find(item.item_id) for item in made]))
        return [
            msgspec.structs.replace(item, predicted_value=round(value, 3)) for item, value in zip(made, values.tolist())
        ]

    def count_shown(self, rows: NDArray[np.int64]) -> None:
        """Count a list as shown.

        Args:
            rows: (k,) of its items.
        """
        self._exposures.add(rows)

    def _make_list(
        self,
        user_id: str,
        user: UserState,
        as_of: AsOf,
        ranking: RankingConfig,
        now_ms: int,
        generated_at_ms: int | None,
    ) -> Slate:
        ranked = self.rank(user_id, user, now_ms=now_ms)
        if generated_at_ms is None:
            generated_at_ms = self.catalog.knowledge.now_ms(as_of.timestamp_ms)
        request = f"{as_of.topic}/{as_of.partition}/{as_of.offset}/{user_id}"
        return slate(
            user_id,
            self.items(ranked, request, ranking),
            policy=self.policy,
            generated_at_ms=generated_at_ms,
            as_of=as_of,
            seen={Source(source).topic: offset for source, offset in sorted(user.offsets.items())},
        )
