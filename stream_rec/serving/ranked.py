"""Addresses at which something is ranked for the request: given items, what is like an item, what answers a query."""

from __future__ import annotations

import time
from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK

from stream_rec.catalog.facets import EVERYTHING, Filter
from stream_rec.events import validate
from stream_rec.events.over_http import Found, Ranking, RankRequest, Recommendations
from stream_rec.events.promotion import find_fault
from stream_rec.events.slate import SlateItem
from stream_rec.events.validate import InputLimits
from stream_rec.retrieval.had import HistoryFilter
from stream_rec.serving.guard import Guard
from stream_rec.serving.on_the_spot import OnTheSpot
from stream_rec.serving.problems import READING, accept, problem, problems_of, unprocessable
from stream_rec.serving.questions import (
    FILTERED,
    FILTERED_BY_USER,
    Age,
    Excluded,
    IdInPath,
    MinScore,
    N,
    read_filters,
    read_history,
    want,
)
from stream_rec.serving.wanted import Wanted

Query = Annotated[str, QueryParameter(description="what is asked for")]
MaybeUser = Annotated[str | None, QueryParameter(description="for whom; without it for nobody in particular")]
MaybeItem = Annotated[str | None, QueryParameter(description="like this item, but ...")]
NO_RANKING = "ranking on the spot is off: set serve.ranks, see docs/guides/http.md"


def ranked_routes(replica: OnTheSpot | None, limits: InputLimits, guard: Guard) -> list[BaseRouteHandler]:
    """Return the handlers.

    Args:
        replica: What is ranked from; None: each says that nothing is.
        guard: Lets those in who may ask.
    """

    @post(
        "/v1/rank",
        status_code=HTTP_200_OK,
        guards=[guard],
        responses=problems_of(*READING, 413, 415, 501),
        summary="Rank given items",
    )
    async def post_rank(data: JSONBody[RankRequest]) -> Ranking:
        """Return the given items as a user would choose among them."""
        accept(validate.check_user_id(data.user_id, limits))
        item_ids = list(dict.fromkeys(data.item_ids))
        filter = EVERYTHING if data.filters is None else read_filters(data.filters)
        history = read_history(data.had, data.not_had, data.within_days, data.not_shown_hours)
        if fault := find_fault(data.promotions, item_ids):
            raise unprocessable("bad_promotion", fault)
        question = want(
            data.n, filter, age=data.age, history=history, min_score=data.min_score, diversity=data.diversity
        )
        return await require(replica).ask(
            "rank", lambda ranker: ranker.rank(data.user_id, item_ids, question, data.context, data.promotions)
        )

    @get(
        "/v1/items/{item_id:str}/similar",
        guards=[guard],
        dependencies=FILTERED,
        responses=problems_of(*READING, 404, 501),
        summary="What is like an item",
    )
    async def get_similar(
        item_id: IdInPath,
        wanted: NamedDependency[Filter],
        n: N = 20,
        exclude: Excluded = None,
        age: Age = None,
        min_score: MinScore = 0.0,
    ) -> Found:
        """Return items of a similar text, and those that users came to with it."""
        question = want(n, wanted, exclude, age=age, min_score=min_score)
        items = await require(replica).ask("similar", lambda ranker: ranker.find_similar(item_id, question))
        return _found(items, item_id)

    @get(
        "/v1/search",
        guards=[guard],
        dependencies=FILTERED_BY_USER,
        responses=problems_of(*READING, 404, 501),
        summary="What answers a query",
    )
    async def get_search(
        q: Query,
        wanted: NamedDependency[Filter],
        history: NamedDependency[HistoryFilter],
        user_id: MaybeUser = None,
        item_id: MaybeItem = None,
        n: N = 20,
        exclude: Excluded = None,
        age: Age = None,
        min_score: MinScore = 0.0,
    ) -> Found:
        """Return items by words, by meaning, and by what others chose after such a query.

        Nothing learns from it: send the search as an event for that.
        """
        if user_id is not None:
            accept(validate.check_user_id(user_id, limits))
        accept(validate.check_query(q))
        question = want(n, wanted, exclude, age=age, history=history, min_score=min_score)
        items = await require(replica).ask("search", lambda ranker: ranker.search(q, item_id, user_id, question))
        return _found(items, item_id)

    return [post_rank, get_similar, get_search]


async def recommend(
    replica: OnTheSpot | None, user_id: str, wanted: Wanted, context: dict[str, str] | None = None
) -> Recommendations:
    """Return a user's list of what is wanted, ranked on the spot.

    Args:
        context: Of the request; None for that of the user's newest event or search.

    Raises:
        ProblemDetailsException: 404, the list is about an item that is not there.
    """
    now_ms = time.time_ns() // 1_000_000
    made = await require(replica).ask(
        "recommendations",
        lambda ranker: ranker.recommend(user_id, wanted, generated_at_ms=now_ms, context=context),
    )
    if made is None:
        raise problem(404, f"there is no item of these: {', '.join(map(repr, wanted.about))[:512]}")
    return Recommendations(
        *(user_id, made.list_id, not made.seen, made.generated_at_ms, made.policy, made.items),
        is_on_the_spot=True,
        next_cursor=wanted.cursor_behind([item.item_id for item in made.items]),
        seen=made.seen,
    )


def require(replica: OnTheSpot | None) -> OnTheSpot:
    """Return what is ranked from, or raise what says that there is nothing."""
    if replica is None:
        raise problem(501, NO_RANKING)
    return replica


def _found(items: list[SlateItem] | None, item_id: str | None) -> Found:
    """Raise what says that an item is not there, where it is not."""
    if items is None:
        raise problem(404, f"there is no item {(item_id or '')[:256]!r}")
    return Found(items)
