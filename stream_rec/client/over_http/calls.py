"""What can be asked of the HTTP service: a function for each of its operations, which returns the request as a value.

Each function is a method of both clients. ``HttpClient`` returns what is called ``T`` in ``Call[T]`` here, with
``AsyncHttpClient`` it is awaited. Names are those of the contract, `topics/openapi.json`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from stream_rec.events.interaction import Context
from stream_rec.events.item import Item
from stream_rec.events.over_http import (
    Accepted,
    ErasureAccepted,
    Event,
    Filters,
    Found,
    Ranking,
    RankRequest,
    Recommendations,
    State,
    Texts,
    UserProfile,
)
from stream_rec.events.promotion import Promotion
from stream_rec.events.rule import Rule
from stream_rec.names import InteractionType

T = TypeVar("T")
Types = InteractionType | Sequence[InteractionType]
"""One type of interaction, or several."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request: what is asked, and what comes."""

    method: str
    path: str
    """As in the contract: `/v1/items/{item_id}`."""
    answer: type[T]
    ids: dict[str, str] = field(default_factory=dict)
    """What stands in braces in the path."""
    query: dict[str, object] = field(default_factory=dict)
    """A list is a name that is repeated; None is left out."""
    body: bytes | None = None
    """JSON."""
    is_probe: bool = False
    """Whether 503 is an answer, too, and no reason to ask again."""

    @property
    def address(self) -> str:
        """Path and query, percent-encoded.

        Raises:
            ValueError: an id cannot stand in an address.
        """
        ids = {name: quote(_require_addressable(name, id_), "") for name, id_ in self.ids.items()}
        pairs = [(name, _text(one)) for name, value in self.query.items() for one in _listed(value)]
        path = self.path.format_map(ids)
        return f"{path}?{urlencode(pairs, quote_via=quote)}" if pairs else path


EVERYTHING = Filters()


def get_recommendations(
    user_id: str,
    *,
    n: int | None = None,
    exclude: Texts = (),
    filters: Filters = EVERYTHING,
    cursor: str | None = None,
    on_the_spot: bool = False,
    surface: str | None = None,
    item_id: Texts = (),
    age: int | None = None,
    context: Texts = (),
    had: Types = (),
    not_had: Types = (),
    within_days: float | None = None,
    not_shown_hours: float | None = None,
    min_score: float | None = None,
    diversity: float | None = None,
) -> Call[Recommendations]:
    """Ask for a user's list, or the default one where they have none.

    Args:
        n: Most items; as long as the list on its topic, where nothing is said.
        exclude: Ids of items to leave out.
        cursor: ``next_cursor`` of the page before.
        on_the_spot: Rank it now, even where the list on its topic would do.
        surface: Which list; ``home`` where nothing is said.
        item_id: What it is about, where a surface is about items.
        age: The user's, in years: what is not for them is left out.
        context: Where the list will stand, ``name:value`` each.
        had: Items of which the user has an event of any of these types; ``not_had``: of none of these.
        within_days: Of both, how long ago at most; ever, where nothing is said.
        not_shown_hours: Items that the user was not shown for so long, as impressions say.
        min_score: Of each item, at least.
        diversity: From 0, the likeliest items, to 1, the most varied; as ever, where nothing is said.
    """
    query = {
        "n": n,
        "exclude": exclude,
        **_query_of(filters),
        "cursor": cursor,
        "on_the_spot": on_the_spot or None,
        "surface": surface,
        "item_id": item_id,
        "age": age,
        "context": context,
        "had": had,
        "not_had": not_had,
        "within_days": within_days,
        "not_shown_hours": not_shown_hours,
        "min_score": min_score,
        "diversity": diversity,
    }
    return Call("GET", "/v1/users/{user_id}/recommendations", Recommendations, {"user_id": user_id}, query)


def get_popular(*, n: int | None = None, exclude: Texts = ()) -> Call[Recommendations]:
    """Ask for the default list."""
    return Call("GET", "/v1/popular", Recommendations, query={"n": n, "exclude": exclude})


def post_events(events: Event | Sequence[Event]) -> Call[Accepted]:
    """Say what users did and saw: all of it is taken, or nothing. As many as the service takes at once.

    Raises:
        ValueError: a value is no number that JSON has.
    """
    listed = [events] if isinstance(events, Event) else list(events)
    return Call("POST", "/v1/events", Accepted, body=_array(map(_encoded, listed)))


def post_rank(
    user_id: str,
    item_ids: Sequence[str],
    *,
    n: int = 1000,
    age: int | None = None,
    context: Context | None = None,
    filters: Filters | None = None,
    had: Types = (),
    not_had: Types = (),
    within_days: float | None = None,
    not_shown_hours: float | None = None,
    min_score: float = 0.0,
    diversity: float = 0.0,
    promotions: Sequence[Promotion] = (),
) -> Call[Ranking]:
    """Have items of the app's ranked for a user; the best ``n`` come back.

    Args:
        had: As of ``get_recommendations``, and what follows it.
        promotions: What stands in which slots, whatever the ranking says.
    """
    request = RankRequest(
        user_id=user_id,
        item_ids=list(item_ids),
        n=n,
        age=age,
        context=context,
        filters=filters,
        had=_types(had),
        not_had=_types(not_had),
        within_days=within_days,
        not_shown_hours=not_shown_hours,
        min_score=min_score,
        diversity=diversity,
        promotions=list(promotions),
    )
    return Call("POST", "/v1/rank", Ranking, body=_json(request))


def get_similar(
    item_id: str,
    *,
    n: int | None = None,
    exclude: Texts = (),
    filters: Filters = EVERYTHING,
    age: int | None = None,
    min_score: float | None = None,
) -> Call[Found]:
    """Ask what is like an item."""
    query = {"n": n, "exclude": exclude, **_query_of(filters), "age": age, "min_score": min_score}
    return Call("GET", "/v1/items/{item_id}/similar", Found, {"item_id": item_id}, query)


def get_search(
    q: str,
    *,
    user_id: str | None = None,
    item_id: str | None = None,
    n: int | None = None,
    exclude: Texts = (),
    filters: Filters = EVERYTHING,
    age: int | None = None,
    had: Types = (),
    not_had: Types = (),
    within_days: float | None = None,
    not_shown_hours: float | None = None,
    min_score: float | None = None,
) -> Call[Found]:
    """Ask what answers a query. Nothing learns from it: send the search as an event for that.

    Args:
        user_id: For whom; without it for nobody in particular.
        item_id: Like this item, but as the query says.
        had: As of ``get_recommendations``, and what follows it.
    """
    about = {"q": q, "user_id": user_id, "item_id": item_id, "n": n, "exclude": exclude, "age": age}
    of_user = {"had": had, "not_had": not_had, "within_days": within_days, "not_shown_hours": not_shown_hours}
    query = {**about, **_query_of(filters), **of_user, "min_score": min_score}
    return Call("GET", "/v1/search", Found, query=query)


def put_item(item: Item) -> Call[Accepted]:
    """Add an item to the catalog, or replace it."""
    return Call("PUT", "/v1/items/{item_id}", Accepted, {"item_id": item.item_id}, body=_json(item))


def delete_item(item_id: str) -> Call[Accepted]:
    """Take an item out of the catalog."""
    return Call("DELETE", "/v1/items/{item_id}", Accepted, {"item_id": item_id})


def put_rule(rule: Rule) -> Call[Accepted]:
    """Put a rule in force, or replace it."""
    return Call("PUT", "/v1/rules/{rule_id}", Accepted, {"rule_id": rule.rule_id}, body=_json(rule))


def delete_rule(rule_id: str) -> Call[Accepted]:
    """Take a rule out of force."""
    return Call("DELETE", "/v1/rules/{rule_id}", Accepted, {"rule_id": rule_id})


def put_profile(user_id: str, profile: UserProfile) -> Call[Accepted]:
    """Say what a user has said of themselves, in place of all that was said before."""
    return Call("PUT", "/v1/users/{user_id}/profile", Accepted, {"user_id": user_id}, body=_json(profile))


def get_profile(user_id: str) -> Call[UserProfile]:
    """Ask what a user has said of themselves, as the service knows it, a moment after it was put."""
    return Call("GET", "/v1/users/{user_id}/profile", UserProfile, {"user_id": user_id})


def delete_profile(user_id: str) -> Call[Accepted]:
    """Take a user's profile back; what else is known of the user stays."""
    return Call("DELETE", "/v1/users/{user_id}/profile", Accepted, {"user_id": user_id})


def delete_user(user_id: str) -> Call[ErasureAccepted]:
    """Have everything deleted that is known of a user.

    Where there was no answer it is asked again, which is another erasure: the last one's ``request_id`` comes back.
    """
    return Call("DELETE", "/v1/users/{user_id}", ErasureAccepted, {"user_id": user_id})


def get_health() -> Call[State]:
    """Ask whether the process lives."""
    return Call("GET", "/healthz", State, is_probe=True)


def get_readiness() -> Call[State]:
    """Ask whether all lists are there, and all that is ranked from; why not stands in the answer."""
    return Call("GET", "/readyz", State, is_probe=True)


def in_batches(events: Iterable[Event], most_events: int, body_bytes: int) -> Iterator[Call[Accepted]]:
    """Yield calls that send all events, in their order, each as large as the service takes.

    Raises:
        ValueError: a value is no number that JSON has. Calls for those before it have been yielded.
    """
    batch: list[bytes] = []
    n_bytes = 1  # a bracket, and what follows each event
    for encoded in map(_encoded, events):
        if batch and (len(batch) == most_events or n_bytes + len(encoded) + 1 > body_bytes):
            yield Call("POST", "/v1/events", Accepted, body=_array(batch))
            batch, n_bytes = [], 1
        batch.append(encoded)
        n_bytes += len(encoded) + 1
    if batch:
        yield Call("POST", "/v1/events", Accepted, body=_array(batch))


def _query_of(filters: Filters) -> dict[str, object]:
    return msgspec.structs.asdict(filters)


def _types(types: Types) -> list[InteractionType]:
    return [types] if isinstance(types, str) else list(types)


def _listed(value: object) -> Sequence[object]:
    if value is None:
        return ()
    return value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)


def _text(value: object) -> str:
    """Return a value as it stands in an address: what is no text as JSON has it."""
    return value if isinstance(value, str) else _json(value).decode()


def _require_addressable(name: str, id_: str) -> str:
    if id_ in ("", ".", ".."):
        raise ValueError(
            f"{name}={id_[:100]!r} cannot stand in an address: give one that is not empty, '.' or '..'; "
            "over Kafka it would do"
        )
    return id_


def _encoded(event: Event) -> bytes:
    if event.value is not None and not math.isfinite(event.value):
        raise ValueError(f"value={event.value} of event {event.event_id!r} is not a number that JSON has: leave it out")
    return _json(event)


def _array(encoded: Iterable[bytes]) -> bytes:
    return b"[" + b",".join(encoded) + b"]"


_json = msgspec.json.encode
