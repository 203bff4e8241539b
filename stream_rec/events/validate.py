"""Bytes from a topic to a checked value or a ``Rejection``. Bad input is data here, never an exception."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, TypeVar

import msgspec
from msgspec import Struct

from stream_rec.events import impression as impressions
from stream_rec.events import profile as profiles
from stream_rec.events.forget import Forget
from stream_rec.events.impression import Impression
from stream_rec.events.interaction import Interaction
from stream_rec.events.item import Item
from stream_rec.events.nesting import TOO_DEEP, is_nested_too_deep
from stream_rec.events.partition import Place, partition_of
from stream_rec.events.profile import Profile
from stream_rec.events.rule import Rule, find_fault
from stream_rec.events.search import LONGEST_QUERY, Search
from stream_rec.events.slate import DEFAULT_LIST
from stream_rec.events.source import Event, Source, UserEvent

T = TypeVar("T")

DAY_MS = 86_400_000
FINER = ((1_000, "microseconds"), (1_000_000, "nanoseconds"))
SECONDS_FROM = 1_000_000_000
"""As seconds September 2001, as milliseconds the 12th of January 1970: nobody means that."""
Milliseconds = Annotated[int, msgspec.Meta(ge=0)]


MOST_VECTORS, MOST_NUMBERS = 8, 4096
"""Vectors that an item may bring, and numbers of each."""


class InputLimits(Struct, frozen=True, kw_only=True):
    """What an input record may be at most."""

    id_bytes: Annotated[int, msgspec.Meta(ge=1)] = 256
    """Longest accepted id, as UTF-8."""
    record_bytes: Annotated[int, msgspec.Meta(ge=1)] = 65_536
    """Largest accepted value of one record; an item with vectors of its own may need more."""
    future_ms: Milliseconds = DAY_MS
    """How far an event's timestamp may lie after the broker's time of the record."""
    past_ms: Milliseconds = 100 * 366 * DAY_MS
    """How far it may lie before it. Any time by default, as histories need; less keeps senders from inventing years."""


class Rejection(Struct, frozen=True):
    """Why a record was not used.

    ``reason`` is one of: ``too_large``, ``empty``, ``not_json``, ``wrong_type``, ``bad_id``, ``bad_timestamp``,
    ``key_mismatch``, ``wrong_partition``, ``unknown_event_type``, ``encoding_failed``, ``bad_rule``,
    ``bad_query``, ``bad_impression``, ``bad_profile``. Of records of others' topics also: ``missing_field``;
    ``not_avro``, ``not_protobuf``: bytes that are no record of the schema which they name, or name none;
    ``unknown_schema``: the registry does not have it; ``bad_schema``: it cannot be compiled.
    """

    reason: str
    detail: str


def interaction(
    key: bytes | None, value: bytes | None, *, received_ms: int, limits: InputLimits, place: Place | None = None
) -> Interaction | Rejection:
    """Return the interaction in one record, or why it is none.

    Args:
        key: The record's key, which must be the bytes of ``user_id``: it decides the partition and so the state.
        received_ms: The broker's time of the record (LogAppendTime), so that a replay decides as the first time did.
        place: Where the record stands; None for one that has not been sent yet.
    """
    event = _decode(_INTERACTION, value, limits)
    if isinstance(event, Rejection):
        return event
    return _check_interaction(event, key, place, received_ms=received_ms, limits=limits) or event


def search(
    key: bytes | None, value: bytes | None, *, received_ms: int, limits: InputLimits, place: Place | None = None
) -> Search | Rejection:
    """Return the search in one record, or why it is none; arguments as of ``interaction``."""
    event = _decode(_SEARCH, value, limits)
    if isinstance(event, Rejection):
        return event
    return (
        _check_search(event, limits) or _check_sent(event, key, place, received_ms=received_ms, limits=limits) or event
    )


def impression(
    key: bytes | None, value: bytes | None, *, received_ms: int, limits: InputLimits, place: Place | None = None
) -> Impression | Rejection:
    """Return the impression in one record, or why it is none; arguments as of ``interaction``."""
    event = _decode(_IMPRESSION, value, limits)
    if isinstance(event, Rejection):
        return event
    return (
        _check_impression(event, limits)
        or _check_sent(event, key, place, received_ms=received_ms, limits=limits)
        or event
    )


def profile(
    key: bytes | None, value: bytes | None, *, received_ms: int, limits: InputLimits, place: Place | None = None
) -> Profile | Rejection:
    """Return the profile in one record, or why it is none; arguments as of ``interaction``.

    A null value is a profile that says nothing, of no time.
    """
    if value is None:
        user_id = id_in_key(key, limits=limits, place=place)
        if isinstance(user_id, Rejection):
            return user_id
        return check_user_id(user_id, limits) or Profile(user_id, timestamp_ms=0)
    record = _decode(_PROFILE, value, limits)
    if isinstance(record, Rejection):
        return record
    fault = profiles.find_fault(record, received_ms)
    return (
        _check_user(record, key, place, received_ms=received_ms, limits=limits)
        or (Rejection("bad_profile", fault) if fault else None)
        or record
    )


def event(
    source: Source,
    key: bytes | None,
    value: bytes | None,
    *,
    received_ms: int,
    limits: InputLimits,
    place: Place | None = None,
) -> UserEvent | Rejection:
    """Return what a record of the topic of ``source`` says of a user, or why it is none; as ``interaction``."""
    if source == Source.PROFILE:
        return profile(key, value, received_ms=received_ms, limits=limits, place=place)
    if source == Source.IMPRESSION:
        return impression(key, value, received_ms=received_ms, limits=limits, place=place)
    if source == Source.SEARCH:
        return search(key, value, received_ms=received_ms, limits=limits, place=place)
    return interaction(key, value, received_ms=received_ms, limits=limits, place=place)


def forget(
    key: bytes | None, value: bytes | None, *, limits: InputLimits, place: Place | None = None
) -> Forget | Rejection:
    """Return the erasure request in one record, or why it is none; ``place`` as of ``interaction``."""
    request = _decode(_FORGET, value, limits)
    if isinstance(request, Rejection):
        return request
    return (
        check_user_id(request.user_id, limits)
        or _check_key("user_id", key, request.user_id)
        or check_place(key, place)
        or request
    )


def item(key: bytes | None, value: bytes, *, limits: InputLimits, place: Place | None = None) -> Item | Rejection:
    """Return the item in one record, or why it is none; ``place`` as of ``interaction``.

    A null value deletes and never comes here.
    """
    record = _decode(_ITEM, value, limits)
    if isinstance(record, Rejection):
        return record
    return (
        check_id("item_id", record.item_id, limits)
        or _check_key("item_id", key, record.item_id)
        or check_place(key, place)
        or (_check_vectors(record.vectors) if record.vectors else None)
        or record
    )


def rule(key: bytes | None, value: bytes, *, limits: InputLimits, place: Place | None = None) -> Rule | Rejection:
    """Return the rule in one record, or why it is none; ``place`` as of ``interaction``.

    A null value ends a rule and never comes here.
    """
    record = _decode(_RULE, value, limits)
    if isinstance(record, Rejection):
        return record
    wrong_item = next(
        filter(None, (check_id("target.item_ids", each, limits) for each in record.target.item_ids)), None
    )
    fault = find_fault(record)
    return (
        check_id("rule_id", record.rule_id, limits)
        or _check_key("rule_id", key, record.rule_id)
        or check_place(key, place)
        or wrong_item
        or (Rejection("bad_rule", fault) if fault else None)
        or record
    )


def item_record(
    key: bytes | None, value: bytes | None, *, limits: InputLimits, place: Place | None = None
) -> tuple[str, Item | None] | Rejection:
    """Return the id in one record of ``items`` and the item, None where it is deleted; or why it is neither."""
    if value is None:
        return _with_id(key, id_in_key(key, limits=limits, place=place))
    return _with_id(key, item(key, value, limits=limits, place=place))


def rule_record(
    key: bytes | None, value: bytes | None, *, limits: InputLimits, place: Place | None = None
) -> tuple[str, Rule | None] | Rejection:
    """Return the id in one record of ``rules`` and the rule, None where it is ended; or why it is neither."""
    if value is None:
        return _with_id(key, id_in_key(key, limits=limits, place=place))
    return _with_id(key, rule(key, value, limits=limits, place=place))


def id_in_key(key: bytes | None, *, limits: InputLimits, place: Place | None = None) -> str | Rejection:
    """Return the id in a key, of an item or rule, for a record without value; ``place`` as of ``interaction``."""
    try:
        read = (key or b"").decode()
    except UnicodeDecodeError as error:
        return Rejection("bad_id", f"key is not UTF-8: {error}")
    return check_id("key", read, limits) or check_place(key, place) or read


def _check_vectors(vectors: Mapping[str, Sequence[float]]) -> Rejection | None:
    """Return why what an item brings cannot be compared, or None."""
    if len(vectors) > MOST_VECTORS:
        return Rejection("bad_vector", f"{len(vectors)} vectors, expected at most {MOST_VECTORS}")
    for name, vector in vectors.items():
        if not 1 <= len(vector) <= MOST_NUMBERS:
            return Rejection(
                "bad_vector", f"vectors.{name[:80]} has {len(vector)} numbers, expected 1 to {MOST_NUMBERS}"
            )
        length = math.hypot(*vector)
        if not 0.0 < length < math.inf:
            return Rejection("bad_vector", f"vectors.{name[:80]} has a length of {length:g}, which has no direction")
    return None


def check_id(name: str, value: str, limits: InputLimits) -> Rejection | None:
    """Return why ``value`` cannot be an id, or None."""
    n_bytes = len(value) if value.isascii() else len(value.encode("utf-8", "replace"))
    if not 1 <= n_bytes <= limits.id_bytes:
        return Rejection("bad_id", f"{name} has {n_bytes} bytes, expected 1 to {limits.id_bytes}")
    if "\0" in value:
        return Rejection("bad_id", f"{name} holds a NUL character")
    return None


def check_user_id(value: str, limits: InputLimits) -> Rejection | None:
    """Return why ``value`` cannot be a user's id, or None."""
    if value == DEFAULT_LIST:
        return Rejection("bad_id", f"user_id {DEFAULT_LIST!r} is the default list")
    return check_id("user_id", value, limits)


def check_place(key: bytes | None, place: Place | None) -> Rejection | None:
    """Return why a record with this key cannot stand where it stands, or None.

    Its partition decides which worker keeps the state of a user or item: in two of them it would be two.
    """
    if place is None or (right := partition_of(key or b"", place.n_partitions)) == place.partition:
        return None
    return Rejection(
        "wrong_partition",
        f"the record stands in partition {place.partition}, its key belongs to {right} of {place.n_partitions}: "
        "partition by murmur2 of the key, Java's default (librdkafka: partitioner=murmur2_random)",
    )


def check_timestamp(timestamp_ms: int, *, received_ms: int, limits: InputLimits) -> Rejection | None:
    """Return why an event time cannot be right, or None."""
    latest = received_ms + limits.future_ms
    if max(0, received_ms - limits.past_ms) <= timestamp_ms <= latest:
        if SECONDS_FROM <= timestamp_ms <= latest // 1000:
            return Rejection("bad_timestamp", f"timestamp_ms={timestamp_ms} looks like seconds: multiply by 1000")
        return None
    for n, unit in FINER:
        if 1000 * SECONDS_FROM <= timestamp_ms // n <= latest:
            return Rejection("bad_timestamp", f"timestamp_ms={timestamp_ms} looks like {unit}: divide by {n}")
    timestamp_ms = max(-(2**63), min(timestamp_ms, 2**63))  # JSON integers have no bound, floats and texts have
    days = (timestamp_ms - received_ms) / DAY_MS
    if 0 <= timestamp_ms < received_ms:
        expected = f"limits.past_ms allows {limits.past_ms / DAY_MS:.1f}"
        return Rejection("bad_timestamp", f"timestamp_ms={timestamp_ms} is {-days:.1f} days in the past; {expected}")
    when = "before 1970" if timestamp_ms < 0 else f"{days:.1f} days in the future"
    return Rejection("bad_timestamp", f"timestamp_ms={timestamp_ms} is {when}; milliseconds since 1970 expected")


def _check_interaction(
    event: Interaction, key: bytes | None, place: Place | None, *, received_ms: int, limits: InputLimits
) -> Rejection | None:
    return check_id("item_id", event.item_id, limits) or _check_sent(
        event, key, place, received_ms=received_ms, limits=limits
    )


def _check_sent(
    event: Event,
    key: bytes | None,
    place: Place | None,
    *,
    received_ms: int,
    limits: InputLimits,
) -> Rejection | None:
    """Return why an event cannot be what this user did or saw then, or cannot stand there, or None."""
    return check_id("event_id", event.event_id, limits) or _check_user(
        event, key, place, received_ms=received_ms, limits=limits
    )


def _check_user(
    event: UserEvent, key: bytes | None, place: Place | None, *, received_ms: int, limits: InputLimits
) -> Rejection | None:
    """Return why this cannot come of this user then, or cannot stand there, or None."""
    return (
        check_user_id(event.user_id, limits)
        or _check_key("user_id", key, event.user_id)
        or check_place(key, place)
        or check_timestamp(event.timestamp_ms, received_ms=received_ms, limits=limits)
    )


def check_query(query: str) -> Rejection | None:
    """Return why nobody can have searched for this, or None."""
    if len(query) > LONGEST_QUERY:
        return Rejection("bad_query", f"query has {len(query)} characters, expected 1 to {LONGEST_QUERY}")
    return None if query.strip() else Rejection("bad_query", "query is blank; leave such a search out")


def _check_search(event: Search, limits: InputLimits) -> Rejection | None:
    """Return what is wrong with what was asked for, or None."""
    item = None if event.item_id is None else check_id("item_id", event.item_id, limits)
    return item or check_query(event.query)


def _check_impression(event: Impression, limits: InputLimits) -> Rejection | None:
    """Return what is wrong with what was shown, or None."""
    wrong_item = next(filter(None, (check_id("item_id", shown.item_id, limits) for shown in event.items)), None)
    fault = impressions.find_fault(event)
    return wrong_item or (Rejection("bad_impression", fault) if fault else None)


def _check_key(name: str, key: bytes | None, value: str) -> Rejection | None:
    if key == value.encode():
        return None
    came = "null" if key is None else repr(key[:64])
    return Rejection("key_mismatch", f"the record's key must be the {name} {value[:64]!r}, came {came}")


def _with_id(key: bytes | None, checked: T | str | Rejection) -> tuple[str, T | None] | Rejection:
    """Return what was found under an id, which its key is."""
    if isinstance(checked, Rejection):
        return checked
    return (checked, None) if isinstance(checked, str) else ((key or b"").decode(), checked)


def _decode(decoder: msgspec.json.Decoder[T], value: bytes | None, limits: InputLimits) -> T | Rejection:
    if value is None:
        return Rejection("empty", "the value is null")
    if len(value) > limits.record_bytes:
        return Rejection("too_large", f"{len(value)} bytes, at most {limits.record_bytes} are taken")
    if is_nested_too_deep(value):
        return Rejection("not_json", TOO_DEEP)
    try:
        return decoder.decode(value)
    except msgspec.ValidationError as error:
        return name_complaint(str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Rejection("not_json", str(error))


def name_complaint(message: str) -> Rejection:
    """Return a complaint of msgspec's by the field that it is about."""
    if "`$.timestamp_ms`" in message and ">=" in message:
        return Rejection("bad_timestamp", message)
    if "`$.query`" in message and "length" in message:
        return Rejection("bad_query", message)
    if any(f"`$.{field}" in message for field in ("interests", "language", "birth_year")) and _says_bound(message):
        return Rejection("bad_profile", message)
    if "`$.items" in message and ".item_id`" in message and "length" in message:
        return Rejection("bad_id", message)
    if "`$.items" in message and _says_bound(message):
        return Rejection("bad_impression", message)
    if any(
        f"`$.{field}`" in message and "length" in message for field in ("event_id", "user_id", "item_id", "rule_id")
    ):
        return Rejection("bad_id", message)
    return Rejection("wrong_type", message)


def _says_bound(message: str) -> bool:
    """Return whether a complaint is about how large or long something is, or how it is written; not about its type."""
    return any(bound in message for bound in ("length", "<", ">", "matching regex"))


_INTERACTION = msgspec.json.Decoder(Interaction)
_SEARCH = msgspec.json.Decoder(Search)
_IMPRESSION = msgspec.json.Decoder(Impression)
_ITEM = msgspec.json.Decoder(Item)
_PROFILE = msgspec.json.Decoder(Profile)
_RULE = msgspec.json.Decoder(Rule)
_FORGET = msgspec.json.Decoder(Forget)
