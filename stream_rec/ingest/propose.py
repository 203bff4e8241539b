"""What a topic seems to hold, from some of its records: a mapping to begin with, for a person to look at.

Names are read as ``fields/names.py`` reads them, where a name that is nearly right is only named to people: what is
proposed here is shown, tried on the records and written to a file, and takes effect when somebody has kept it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

import msgspec

from stream_rec.events.validate import InputLimits, Rejection
from stream_rec.fields.names import LABELS, find_near_label, is_near
from stream_rec.ingest import ubi
from stream_rec.ingest.convert import to_time
from stream_rec.ingest.envelopes import open_change, open_cloud_event
from stream_rec.ingest.foreign_record import Content, ForeignRecord
from stream_rec.ingest.formats import Decoder, read_content
from stream_rec.ingest.mapping import Mapper
from stream_rec.ingest_settings import AdoptedTopic, Meaning

MOST_TYPES = 60
"""Different values that a field of types may have."""
MOST_DEEP = 5
ANONYMOUS = ("visitor", "client", "anonym", "device", "cookie", "session")
"""In names of who is known by a browser alone."""
UBI_EVENT = ("event_attributes.", "client_id", "query_id")
MEANS: dict[str, Meaning] = {
    **dict.fromkeys(("cart", "basket", "wish", "favo", "like", "play", "share", "rat", "bookmark", "select"), "click"),
    **dict.fromkeys(("view", "detail", "watch", "visit", "read", "open"), "view"),
    **dict.fromkeys(("purchase", "order", "paid", "pay", "buy", "bought", "checkout", "sale"), "purchase"),
    "click": "click",
    "search": "search",
    "impression": "impression",
}
"""Parts of words that say what a type means; the first that fits counts."""
UNDOING = ("remove", "delete", "unlike", "cancel", "refund", "return", "dislike", "abandon")
"""What takes something back is no sign of liking it."""
ITEM_FIELDS: dict[str, tuple[str, ...]] = {
    "title": ("title", "name", "product_name", "headline", "label"),
    "description": ("description", "text", "body", "summary", "abstract", "long_description"),
    "category": ("category", "category_name", "department", "genre", "section", "type"),
    "tags": ("tags", "keywords", "labels", "genres"),
    "available": ("available", "in_stock", "stock", "is_active", "active", "enabled", "quantity", "inventory"),
    "attributes.price": ("price", "unit_price", "list_price", "amount"),
    "attributes.brand": ("brand", "brand_name", "manufacturer", "vendor"),
}
VALUE_NAMES = ("value", "price", "unit_price", "amount", "total", "rating", "score", "revenue")
EVENT_ID_NAMES = ("event_id", "eventid", "uuid", "message_id", "messageid")


class Proposal(NamedTuple):
    """How a topic could be adopted."""

    topic: AdoptedTopic
    n_records: int
    """That were looked at."""
    n_made: int
    """Records of ours that came of them."""
    n_ignored: int
    rejected: Counter[str]
    """Reason and detail of those that could not be used."""
    unsure_types: list[str]
    """Types that nothing was known about, and that are to be ignored."""


def propose(name: str, records: Sequence[ForeignRecord], decoder: Decoder, form: str, now_ms: int) -> Proposal | str:
    """Return how a topic could be adopted, or why it seems to hold nothing of use.

    Args:
        form: The format, as of ``AdoptedTopic``.
    """
    limits = InputLimits()
    contents = [
        (record, content)
        for record in records
        if record.value is not None
        and not isinstance(content := read_content(record, decoder, limits), Rejection)
        and isinstance(content.value, Mapping)
    ]
    if not contents:
        return "no record is an object with fields" if records else "it is empty"
    envelope, opened = _open(contents)
    topic = _describe(name, form, envelope, opened)
    if isinstance(topic, str):
        return topic
    return _try(topic, records, decoder, limits, now_ms)


def _open(contents: Sequence[tuple[ForeignRecord, Content]]) -> tuple[str, list[Content]]:
    """Return the envelope that most records are in, and what is in it."""
    for name, open_one, fits in (
        ("cloudevents", open_cloud_event, _is_cloud_event),
        ("debezium", open_change, _is_change),
    ):
        if sum(fits(record, content) for record, content in contents) * 2 > len(contents):
            found = [opened for pair in contents if not isinstance(opened := open_one(*pair), Rejection)]
            return name, [each for each in found if isinstance(each.value, Mapping)]
    return "none", [content for _, content in contents]


def _is_cloud_event(record: ForeignRecord, content: Content) -> bool:
    return "ce_specversion" in record.headers or ("specversion" in content.value and "type" in content.value)


def _is_change(record: ForeignRecord, content: Content) -> bool:
    value = content.value.get("payload", content.value) if "schema" in content.value else content.value
    is_whole = isinstance(value, Mapping) and "op" in value and ("after" in value or "before" in value)
    return is_whole or "__deleted" in content.value or "__op" in content.value


def _describe(name: str, form: str, envelope: str, contents: Sequence[Content]) -> AdoptedTopic | str:
    leaves = _find_leaves(contents)
    common = {"name": name, "format": form, "envelope": envelope}
    if "action_name" in leaves and any(path.startswith(UBI_EVENT) for path in leaves):
        return _topic(common | {"holds": "ubi_events"})
    if "user_query" in leaves and ("query_response_hit_ids" in leaves or "query_id" in leaves):
        return _topic(common | {"holds": "ubi_queries"})
    each = _find_list(contents, leaves)
    paths = list(leaves)
    in_element = [f"each.{path}" for path in _find_leaves_of_elements(contents, each)] if each else []
    users = _find_users(contents, leaves)
    user = users[0] if users else None
    item = _find_path("item_id", in_element or paths, besides=user)
    if user and item:
        return _describe_events(common, contents, leaves, users, item, each, in_element)
    if item and not each:
        fields: dict[str, str | list[str]] = {"item_id": item}
        for field, names in ITEM_FIELDS.items():
            if (found := _find_name(names, paths, besides=(item,))) is not None:
                fields[field] = found
        if "title" in fields or "description" in fields:
            return _topic(common | {"holds": "items", "fields": _without_own(fields)})
    lacking = " and ".join(what for what, path in (("a user", user), ("an item", item)) if path is None)
    return f"nothing in its records looks like {lacking or 'a text of an item'}: {', '.join(paths[:10])}"


def _describe_events(
    common: dict[str, Any],
    contents: Sequence[Content],
    leaves: Mapping[str, list[Any]],
    users: Sequence[str],
    item: str,
    each: str | None,
    in_element: Sequence[str],
) -> AdoptedTopic:
    user = users[0]
    fields: dict[str, str | list[str]] = {"user_id": user if len(users) == 1 else list(users), "item_id": item}
    paths = list(leaves)
    times = [path for path in paths if _are_times(leaves[path])]
    if time := _find_path("timestamp", times) or (times[0] if len(times) == 1 else None):
        fields["timestamp"] = time
    if (value := _find_name(VALUE_NAMES, [*in_element, *paths], besides=(user, item))) is not None:
        fields["value"] = value
    if (event_id := _find_name(EVENT_ID_NAMES, paths, besides=(user, item))) is not None:
        fields["event_id"] = event_id
    says: dict[str, Any] = {"each": each} if each else {}
    kind, types = _find_types(leaves, [user, item])
    if common["envelope"] == "cloudevents":
        kind, types = None, Counter(str(content.envelope.get("type")) for content in contents)
    if kind is not None:
        fields["event_type"] = kind
    if types:
        says["types"] = {said: meaning for said in sorted(types) if (meaning := guess_meaning(said)) != said}
    else:
        says["event_type"] = guess_meaning(common["name"], otherwise="purchase" if each else "view")
    return _topic(common | says | {"holds": "events", "fields": _without_own(fields)})


def guess_meaning(word: str, otherwise: Meaning = "ignore") -> Meaning:
    """Return what a type of somebody's probably means.

    Example:
        >>> [guess_meaning(word) for word in ("AddToCart", "remove_from_cart", "order_paid", "scrolled")]
        ['click', 'ignore', 'purchase', 'ignore']
    """
    if word in LABELS:
        return cast(Meaning, word)
    bare = word.lower()
    if any(part in bare for part in UNDOING):
        return "ignore"
    near = find_near_label(word)
    return cast(Meaning, near) if near else next((means for part, means in MEANS.items() if part in bare), otherwise)


def _try(
    topic: AdoptedTopic, records: Sequence[ForeignRecord], decoder: Decoder, limits: InputLimits, now_ms: int
) -> Proposal:
    """Return a mapping with what comes of the records by it."""
    mapper = Mapper(topic, limits)
    n_made = n_ignored = 0
    rejected: Counter[str] = Counter()
    for record in records:
        content = read_content(record, decoder, limits)
        if isinstance(content, Rejection):
            rejected[f"{content.reason}: {content.detail}"] += 1
            continue
        mapped = mapper.map(record, content, now_ms)
        n_made += len(mapped.made)
        if mapped.rejection is not None:
            rejected[f"{mapped.rejection.reason}: {mapped.rejection.detail}"] += 1
        elif not mapped.made:
            n_ignored += 1
    unsure = [said for said, means in topic.types.items() if means == "ignore" and said not in ubi.TYPES]
    return Proposal(topic, len(records), n_made, n_ignored, rejected, unsure)


def _find_leaves(contents: Sequence[Content]) -> dict[str, list[Any]]:
    """Return, by path, the values that are no objects, the paths of most records first."""
    leaves: dict[str, list[Any]] = {}
    for content in contents:
        for path, value in _walk(content.value, ""):
            leaves.setdefault(path, []).append(value)
    return dict(sorted(leaves.items(), key=lambda leaf: -len(leaf[1])))


def _find_leaves_of_elements(contents: Sequence[Content], each: str) -> list[str]:
    elements = [element for content in contents for element in _at(content.value, each) or ()]
    return list(_find_leaves([Content(element) for element in elements if isinstance(element, Mapping)]))


def _walk(value: Any, path: str, deep: int = 0) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and deep < MOST_DEEP:
        for name, each in value.items():
            yield from _walk(each, f"{path}.{name}" if path else str(name), deep + 1)
    elif path:
        yield path, value


def _at(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _find_list(contents: Sequence[Content], leaves: Mapping[str, list[Any]]) -> str | None:
    """Return the path of lists whose elements are objects with an item in them."""
    for path, values in leaves.items():
        lists = [value for value in values if isinstance(value, list | tuple) and value]
        if lists and all(isinstance(element, Mapping) for element in lists[0]):
            inner = _find_leaves_of_elements(contents, path)
            if _find_path("item_id", [f"each.{name}" for name in inner]) is not None:
                return path
    return None


def _find_users(contents: Sequence[Content], leaves: Mapping[str, list[Any]]) -> list[str]:
    """Return the path of the user; of several those that fill each other's gaps, who is known by name first."""
    found = sorted(_find_paths("user_id", list(leaves)), key=lambda path: any(part in path for part in ANONYMOUS))
    users: list[str] = []
    n_lacking = len(contents)
    for path in found:
        filled = [path, *users]
        lacking = sum(all(_at(content.value, each) is None for each in filled) for content in contents)
        if lacking < n_lacking:
            users.append(path)
            n_lacking = lacking
    return users


def _find_path(field: str, paths: Sequence[str], besides: str | None = None) -> str | None:
    """Return the first of ``_find_paths``."""
    return next(iter(_find_paths(field, paths, besides)), None)


def _find_paths(field: str, paths: Sequence[str], besides: str | None = None) -> list[str]:
    """Return the paths whose names mean a field: that of our own name first, then near ones, the shortest first."""
    found: list[tuple[int, int, str]] = []
    for path in paths:
        *parents, last = path.removeprefix("each.").split(".")
        joined = f"{parents[-1]}_{last}" if parents else last
        if path == besides:
            continue
        if last == field or joined == field:
            rank = 0
        elif is_near(joined, field) or (last == "id" and parents and is_near(parents[-1], field)):
            rank = 1
        elif last != "id" and is_near(last, field):
            rank = 2
        else:
            continue
        found.append((rank, len(parents), path))
    return [path for _, _, path in sorted(found)]


def _find_name(names: Sequence[str], paths: Sequence[str], besides: Sequence[str]) -> str | None:
    """Return the path that ends with one of these names, the first of them first."""
    for name in names:
        bare = name.replace("_", "")
        for path in sorted(paths, key=lambda path: path.count(".")):
            if path not in besides and path.rsplit(".", 1)[-1].lower().replace("_", "") == bare:
                return path
    return None


def _find_types(leaves: Mapping[str, list[Any]], besides: Sequence[str]) -> tuple[str | None, Counter[str]]:
    """Return the path of what says an event's type, and the types."""
    for path in sorted(leaves, key=lambda path: path.count(".")):
        last = path.rsplit(".", 1)[-1]
        values = leaves[path]
        words = Counter(value for value in values if isinstance(value, str))
        if path in besides or not words or len(words) > MOST_TYPES or sum(words.values()) < len(values):
            continue
        is_named_so = last == "event_type" or is_near(last, "event_type") or last in ("name", "event_name")
        if is_named_so and any(guess_meaning(word) != "ignore" for word in words):
            return path, words
    return None, Counter()


def _are_times(values: Sequence[Any]) -> bool:
    """Return whether values are times: of these centuries as numbers, or as ISO 8601."""
    times = [to_time(value) for value in values if value is not None][:50]
    numbers = [time for time in times if isinstance(time, int)]
    if len(numbers) == len(times) and times:
        return all(10**12 < number < 4 * 10**12 for number in numbers)
    return bool(times) and all(isinstance(time, str) and len(time) >= 10 and time[4:5] == "-" for time in times)


def _without_own(fields: Mapping[str, str | list[str]]) -> dict[str, str | list[str]]:
    """Return the fields that stand elsewhere than under their own names."""
    return {field: path for field, path in fields.items() if field != path}


def _topic(says: Mapping[str, Any]) -> AdoptedTopic:
    return msgspec.convert(says, AdoptedTopic)
