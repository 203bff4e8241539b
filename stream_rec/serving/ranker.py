"""What is ranked on the spot: by the one recommender, of what is asked for, from the newest state that is known.

The time is that of the newest event known, as for lists that workers keep fresh: who asks cannot set it, for rules
begin and end with it, for everybody. Nothing is left to chance and nothing is counted as shown: that is for the workers
to do, who know what others were shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.rules import Active
from stream_rec.events.interaction import Kind
from stream_rec.events.over_http import Ranking
from stream_rec.events.promotion import Promotion
from stream_rec.events.slate import Slate, SlateItem
from stream_rec.knowledge import contexts
from stream_rec.ranking.asked import is_answer
from stream_rec.ranking.policy import RankingConfig
from stream_rec.recommend.ranked import Ranked, keep
from stream_rec.recommend.slates import slate
from stream_rec.recommender import Recommender
from stream_rec.reranking.explain import LEAST_SIMILARITY
from stream_rec.retrieval.pool import Pool, Take
from stream_rec.retrieval.scratch import TEXT
from stream_rec.retrieval.surface import find_wanted
from stream_rec.serving.cursor import sign_of
from stream_rec.serving.wanted import Wanted
from stream_rec.surface_lists import config_of, now_of, plain_config, rank_surface, seen_of
from stream_rec.surface_settings import HOME
from stream_rec.user.entries import Entry, ProfileEntry, SearchEntry
from stream_rec.user.state import COLD, UserState

NOBODY = ""
"""No user's id."""


class Ranker:
    """Ranks for users whose states it can look up. One thread's own, as the recommender is."""

    def __init__(
        self,
        recommender: Recommender,
        state_of: Callable[[str], UserState],
        ranking: RankingConfig,
        context_keys: str = "",
    ) -> None:
        """Say with what.

        Args:
            state_of: The state of a user, ``COLD`` where nothing is known.
            ranking: As workers have it, and ``context_keys``: those of the settings.
        """
        self._recommender = recommender
        self._catalog = recommender.catalog
        self._state_of = state_of
        self._context_keys = context_keys
        self._ranking = ranking
        self._signs = np.zeros(0, dtype=np.uint32)

    @property
    def catalog(self) -> Catalog:
        """What is ranked."""
        return self._catalog

    @property
    def recommender(self) -> Recommender:
        """Who ranks it."""
        return self._recommender

    def recommend(
        self, user_id: str, wanted: Wanted, *, generated_at_ms: int, context: Mapping[str, Any] | None = None
    ) -> Slate | None:
        """Return a user's list of what is wanted: of everything, the one that a worker would make.

        None where the list is about an item that is not there.

        Args:
            context: Of the request; None for that of the user's newest event or search.
        """
        state, now_ms = self.look_up(user_id)
        about = [self._find(item_id) for item_id in wanted.about]
        rows = [row for row in about if row is not None]
        if len(rows) < len(about):
            return None
        ranked = self._rank_surface(user_id, state, wanted, rows, now_ms, self.number(context))
        if wanted.shown:
            request = ranked.request
            ranked = replace(ranked, request=replace(request, rules=_without_pins(request.rules)))
        config = _vary(config_of(wanted.base, self._ranking, wanted.n), wanted)
        return slate(
            user_id,
            _without_nobodys(self._recommender.items(ranked, user_id, config, wanted.min_score)),
            policy=self._recommender.policy,
            generated_at_ms=generated_at_ms,
            seen=seen_of(state),
        )

    def rank(
        self,
        user_id: str,
        item_ids: Sequence[str],
        wanted: Wanted,
        context: Mapping[str, Any] | None = None,
        promotions: Sequence[Promotion] = (),
    ) -> Ranking:
        """Return the best of some items for a user, and which of them cannot be ranked.

        Args:
            context: As of ``recommend``.
            promotions: What is to stand in which slots.
        """
        state, now_ms = self.look_up(user_id)
        catalog = self._catalog
        found = {item_id: catalog.find(item_id) for item_id in item_ids}
        unknown = [i for i, row in found.items() if row is None or catalog.item(row) is None]
        rows = np.array([row for i, row in found.items() if row is not None and catalog.item(row)], dtype=np.int64)
        is_wanted = self._pool(wanted, Take.ALL, state, now_ms).is_in[rows]
        is_in = np.zeros(len(catalog), dtype=bool)
        is_in[rows[is_wanted]] = True
        pool, numbers = Pool(is_in, Take.ALL), self.number(context)
        ranked = self._recommender.rank(
            user_id, state, now_ms=now_ms, pool=pool, surface="rank", age=wanted.age, contexts=numbers
        )
        config = _vary(plain_config(self._ranking, wanted.n), wanted)
        is_out = ~is_wanted
        if (exclusions := ranked.request.exclusions) is not None:
            is_out |= exclusions.excludes(rows)
        return Ranking(
            user_id,
            not state.is_cold,
            self._recommender.policy,
            self._recommender.items(ranked, user_id, config, wanted.min_score, promotions),
            unknown,
            [catalog.item_ids[row] for row in rows[is_out].tolist()],
            seen_of(state),
        )

    def find_similar(self, item_id: str, wanted: Wanted) -> list[SlateItem] | None:
        """Return what somebody of whom only a view of this item is known is likeliest to choose, None without it.

        Those that users came to with it, or whose text is similar; the nearest texts may be far.
        """
        row = self._find(item_id)
        if row is None:
            return None
        wanted = msgspec.structs.replace(wanted, surface="similar")
        pool = self._pool(wanted, Take.RELATED, COLD, self._catalog.now_ms, without=(row,))
        return self._list(self._rank_related(row, wanted, pool), wanted, item_id)

    def search(self, query: str, item_id: str | None, user_id: str | None, wanted: Wanted) -> list[SlateItem] | None:
        """Return what answers a query, as the next list of a user who has just asked it; None without the item.

        Args:
            item_id: What the query is about: like this, but ...; without it only what can be said to answer is found.
            user_id: For whom; None for nobody in particular.
        """
        row = None if item_id is None else self._find(item_id)
        if item_id is not None and row is None:
            return None
        state, now_ms = self.look_up(user_id) if user_id is not None else (COLD, self._catalog.knowledge.now_ms(0))
        if item_id is not None and (state.newest is None or state.newest.item_id != item_id):
            state = with_event(state, item_id, now_ms)
        state = with_search(state, query, item_id, now_ms)
        take = Take.ANSWERS if row is None else Take.RELATED
        pool = self._pool(wanted, take, state, now_ms, without=() if row is None else (row,))
        ranked = self._recommender.rank(
            user_id or NOBODY, state, now_ms=now_ms, pool=pool, surface="search", age=wanted.age
        )
        if row is None and ranked.answers is not None:
            every = np.arange(len(ranked.candidates))
            ranked = keep(ranked, is_answer(ranked.answers, every, LEAST_SIMILARITY))
        return self._list(ranked, wanted, item_id)

    def find_profile(self, user_id: str) -> ProfileEntry | None:
        """Return what a user has said of themselves, None where that is nothing."""
        return self._state_of(user_id).profile

    def number(self, context: Mapping[str, Any] | None) -> tuple[int, ...] | None:
        """Return the numbers of a context, None of none."""
        return None if context is None else contexts.numbers_of(context, self._context_keys)

    def look_up(self, user_id: str) -> tuple[UserState, int]:
        """Return a user's state, and the time; the catalog has seen it."""
        state = self._state_of(user_id)
        now_ms = now_of(state, self._catalog)
        self._catalog.see_time(now_ms)
        return state, now_ms

    def config(self, n: int) -> RankingConfig:
        """Return the settings of the main list, ranked on the spot, of ``n`` items."""
        return config_of(HOME, self._ranking, n)

    def _find(self, item_id: str) -> int | None:
        """Return the row of an item that has a record."""
        row = self._catalog.find(item_id)
        return row if row is not None and self._catalog.item(row) is not None else None

    def _pool(self, wanted: Wanted, take: Take, user: UserState, now_ms: int, *, without: Sequence[int] = ()) -> Pool:
        """Return the pool of what is wanted for a user, less these rows."""
        catalog = self._catalog
        is_in = find_wanted(wanted.filter, wanted.history, catalog.is_listed, user, catalog, now_ms)
        is_in = find_wanted(wanted.of_surface, wanted.history_of_surface, is_in, user, catalog, now_ms)
        excluded = [row for item_id in wanted.exclude if (row := catalog.find(item_id)) is not None]
        is_in[[*excluded, *without]] = False
        if wanted.shown:
            is_in &= ~np.isin(self._signs_of_all(), np.array(wanted.shown, dtype=np.uint32))
        return Pool(is_in, take)

    def _rank_surface(
        self,
        user_id: str,
        state: UserState,
        wanted: Wanted,
        about: list[int],
        now_ms: int,
        numbers: Sequence[int] | None,
    ) -> Ranked:
        """Return the ranking that a list of a surface is made of.

        Args:
            numbers: Of the request's context; None for that of the user's newest event or search.
        """
        is_in = None
        if wanted.base == "similar":
            pool = self._pool(wanted, Take.RELATED, state, now_ms, without=about)
            related = self._rank_related(about[0], wanted, pool)
            is_in = np.zeros(len(self._catalog), dtype=bool)
            is_in[related.candidates.rows[related.best]] = True
            state = with_event(state, wanted.about[0], now_ms)
        elif not wanted.is_whole:
            is_in = self._pool(wanted, Take.PROPOSED, state, now_ms, without=about).is_in
        return rank_surface(
            self._recommender,
            user_id,
            state,
            wanted.base,
            is_in,
            surface=wanted.surface,
            now_ms=now_ms,
            about=about,
            age=wanted.age,
            contexts=numbers,
        )

    def _rank_related(self, row: int, wanted: Wanted, pool: Pool) -> Ranked:
        """Return what somebody of whom only a view of an item is known would choose of what is related to it."""
        now_ms = self._catalog.knowledge.now_ms(0)
        viewer = with_event(COLD, self._catalog.item_ids[row], now_ms)
        ranked = self._recommender.rank(
            NOBODY, viewer, now_ms=now_ms, pool=pool, surface=wanted.surface, age=wanted.age
        )
        return keep(ranked, self._is_related(ranked))

    def _is_related(self, ranked: Ranked) -> NDArray[np.bool_]:
        """Return of each candidate whether something leads to it from the user's last item, (k,)."""
        candidates = ranked.candidates
        vectors = self._catalog.spaces.vectors()[candidates.rows]
        similarities = np.einsum("ksc,sc->ks", vectors, candidates.last)
        evidence = np.concatenate((candidates.values[:, :TEXT] > 0, similarities >= LEAST_SIMILARITY), axis=1)
        is_related: NDArray[np.bool_] = np.logical_or.reduce(evidence, axis=1)
        return is_related

    def _signs_of_all(self) -> NDArray[np.uint32]:
        """Return what cursors name items by, (n,) by row."""
        item_ids = self._catalog.item_ids
        if len(self._signs) < len(item_ids):
            new = np.array([sign_of(item_id) for item_id in item_ids[len(self._signs) :]], dtype=np.uint32)
            self._signs = np.concatenate((self._signs, new))
        return self._signs

    def _list(self, ranked: Ranked, wanted: Wanted, item_id: str | None) -> list[SlateItem]:
        """Return the best."""
        ranking = plain_config(self._ranking, wanted.n)
        items = self._recommender.items(ranked, item_id or NOBODY, ranking, wanted.min_score)
        return _without_nobodys(items)


def _without_nobodys(items: list[SlateItem]) -> list[SlateItem]:
    """Return the items without what is only there to ask: an event or search that nobody has sent."""
    return [
        msgspec.structs.replace(item, reason=msgspec.structs.replace(item.reason, event_id=None, event_kind=None))
        if item.reason.event_id == NOBODY
        else item
        for item in items
    ]


def _vary(config: RankingConfig, wanted: Wanted) -> RankingConfig:
    """Return the settings of a list with the diversity that is wanted."""
    return config if wanted.diversity is None else msgspec.structs.replace(config, diversity=wanted.diversity)


def _without_pins(rules: Active) -> Active:
    """Return the rules of a page behind the first: slots are counted from the beginning of a list."""
    by_action = {action: of_action for action, of_action in rules.by_action.items() if action != "pin"}
    return rules._replace(by_action=by_action)


def with_event(state: UserState, item_id: str, now_ms: int, kind: Kind = Kind.VIEW) -> UserState:
    """Return the state of who has just looked at an item, or done more with it."""
    entry = Entry(now_ms, NOBODY, item_id, int(kind), None, offset=0, arrival=state.arrivals)
    views, clicks, purchases = (n + (number == kind) for number, n in enumerate(state.counts))
    return msgspec.structs.replace(
        state, recent_events=[*state.recent_events, entry], counts=(views, clicks, purchases)
    )


def with_search(state: UserState, query: str, item_id: str | None, now_ms: int) -> UserState:
    """Return the state of who has just asked for something."""
    entry = SearchEntry(now_ms, NOBODY, query, item_id, offset=0, arrival=state.arrivals)
    return msgspec.structs.replace(state, recent_searches=[*state.recent_searches, entry])
