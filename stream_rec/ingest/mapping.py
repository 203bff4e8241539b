"""From what is in a record of a shop's topic to events and items of ours: the mapping that settings describe."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from stream_rec.events import validate
from stream_rec.events.forget import Forget
from stream_rec.events.impression import LAST_POSITION, MOST_ID_BYTES, MOST_ITEMS
from stream_rec.events.interaction import ACTION
from stream_rec.events.item import Item
from stream_rec.events.profile import Profile
from stream_rec.events.search import LONGEST_QUERY
from stream_rec.events.source import Source
from stream_rec.events.validate import InputLimits, Rejection
from stream_rec.fields.names import LABELS, explain_unknown_label, shorten, show
from stream_rec.fields.read import read_event_row, read_item_row, split_record
from stream_rec.ingest import ubi
from stream_rec.ingest.convert import to_id, to_number, to_plain, to_text, to_texts, to_time, to_truth
from stream_rec.ingest.envelopes import open_change, open_cloud_event
from stream_rec.ingest.foreign_record import Content, ForeignRecord
from stream_rec.ingest.paths import EACH, MISSING, pick, pick_first
from stream_rec.ingest_settings import AdoptedTopic

MOST_ELEMENTS = 1000
"""Of ``each``: events that one record may be."""
IGNORE = "ignore"
IMPRESSION, SEARCH = Source.IMPRESSION.label, Source.SEARCH.label


class Made(NamedTuple):
    """A record for a topic of ours."""

    topic: str
    """Without prefix."""
    key: bytes
    value: bytes | None


class Mapped(NamedTuple):
    """What one record is."""

    made: Sequence[Made] = ()
    """Nothing of what is ignored."""
    rejection: Rejection | None = None
    """Why it, or some of its elements, are nothing of ours."""


class Mapper:
    """Reads the records of one topic."""

    def __init__(self, topic: AdoptedTopic, limits: InputLimits) -> None:
        """Take what the settings say, with all names resolved."""
        self._topic = topic
        self._limits = limits
        self._is_ubi = topic.holds in ("ubi_events", "ubi_queries")
        preset = {"ubi_events": ubi.EVENT_FIELDS, "ubi_queries": ubi.QUERY_FIELDS}.get(topic.holds, {})
        self._paths = {
            name: (paths,) if isinstance(paths, str) else tuple(paths)
            for name, paths in {**preset, **topic.fields}.items()
        }
        self._types = {**(ubi.TYPES if self._is_ubi else {}), **topic.types}
        self._contexts = self._named_under("context")
        self._open = {"cloudevents": open_cloud_event, "debezium": open_change}.get(topic.envelope)

    def map(self, record: ForeignRecord, content: Content, received_ms: int) -> Mapped:
        """Return what a record is.

        Args:
            received_ms: When it came, against which an event's time is too far in the future.
        """
        if self._open is not None:
            opened = self._open(record, content)
            if isinstance(opened, Rejection):
                return Mapped(rejection=opened)
            content = opened
        if not content.is_deletion and not isinstance(content.value, Mapping):
            return Mapped(rejection=Rejection("wrong_type", "the value is no object with fields"))
        if self._topic.holds == "items":
            return self._map_item(record, content)
        if self._topic.holds == "profiles":
            return self._map_profile(record, content, received_ms)
        if self._topic.holds == "forget":
            return self._map_forget(record, content)
        if content.is_deletion:
            return Mapped() if self._topic.envelope == "debezium" else _reject("empty", "the value is null")
        if self._topic.each:
            return self._map_elements(record, content, received_ms)
        if self._topic.holds == "ubi_queries":
            return self._map_query(record, content, received_ms)
        return self._map_event(record, content, received_ms, MISSING, self._event_id(record, content))

    # events

    def _map_elements(self, record: ForeignRecord, content: Content, received_ms: int) -> Mapped:
        elements = pick(self._topic.each, record, content)
        if not isinstance(elements, list | tuple):
            return _reject("missing_field", f"`each` says {self._topic.each!r}: a list is expected there")
        if len(elements) > MOST_ELEMENTS:
            return _reject("too_large", f"{len(elements)} elements in {self._topic.each!r}, at most {MOST_ELEMENTS}")
        event_id = self._event_id(record, content)
        mapped = [
            self._map_event(record, content, received_ms, element, f"{event_id}-{place}")
            for place, element in enumerate(elements, start=1)
        ]
        bad = [(place, each.rejection) for place, each in enumerate(mapped, start=1) if each.rejection is not None]
        made = [made for each in mapped for made in each.made]
        if not bad:
            return Mapped(made)
        places = ", ".join(str(place) for place, _ in bad[:10])
        first = bad[0][1]
        return Mapped(made, Rejection(first.reason, f"of {len(elements)} elements no. {places} unused: {first.detail}"))

    def _map_event(
        self, record: ForeignRecord, content: Content, received_ms: int, element: Any, event_id: str
    ) -> Mapped:
        def find(name: str) -> Any:
            return self._find(name, record, content, element)

        said = to_text(find("event_type"))
        if said is MISSING:
            said = self._envelope_type(content) or self._topic.event_type
        if not isinstance(said, str):
            return _reject("wrong_type", f"its type is {show(said)}, a text is expected")
        label = self._types.get(said, said if said in LABELS else None)
        if label is None:
            if not said or (self._topic.other_types != IGNORE and not self._is_ubi):
                return _reject("unknown_event_type", self._explain_type(said))
            return Mapped()
        if label == IGNORE:
            return Mapped()
        row: dict[str, Any] = {"event_type": label, "event_id": event_id}
        row |= self._say({name: to_id(find(name)) for name in ("user_id", "item_id")})
        row |= self._find_time(record, content, element)
        row |= self._say({"value": to_number(find("value"))})
        if label == SEARCH:
            row |= self._say({"query": to_text(find("query"))})
        if label == IMPRESSION:
            row |= self._shown(find("items"), row.get("item_id"), find("position"))
            row |= self._say({name: to_text(find(name)) for name in ("list_id", "surface")})
        row["context"] = self._context(record, content, element) | ({ACTION: said} if said != label else {})
        return self._read_event(row, received_ms, content)

    def _map_query(self, record: ForeignRecord, content: Content, received_ms: int) -> Mapped:
        """Return a query of UBI's: a search, and what was found is shown."""
        event_id = self._event_id(record, content)
        query, items = (self._find(name, record, content) for name in ("query", "items"))
        common = self._find_time(record, content, MISSING)
        common |= self._say({"user_id": to_id(self._find("user_id", record, content))})
        context = self._context(record, content, MISSING)
        parts = []
        if isinstance(query, str) and query.strip():
            parts.append(
                {"event_type": SEARCH, "event_id": event_id, "query": query[:LONGEST_QUERY], "context": context}
            )
        if self._topic.results_shown and isinstance(items, list | tuple) and items:
            said = self._say({name: to_text(self._find(name, record, content)) for name in ("list_id", "surface")})
            shown = self._shown(items, None, MISSING)
            parts.append({"event_type": IMPRESSION, "event_id": f"{event_id}-shown", **shown, **said})
        mapped = [self._read_event({**part, **common}, received_ms, content) for part in parts]
        rejection = next((each.rejection for each in mapped if each.rejection is not None), None)
        return Mapped([made for each in mapped for made in each.made], rejection)

    def _read_event(self, row: Mapping[str, Any], received_ms: int, content: Content) -> Mapped:
        read = read_event_row(row, "", received_ms, self._limits)
        if isinstance(read, Rejection):
            return Mapped(rejection=self._explain(read, content))
        source, event = split_record(read.record)
        return Mapped([Made(source.topic, event.user_id.encode(), msgspec.json.encode(event))])

    def _event_id(self, record: ForeignRecord, content: Content) -> str:
        """Return the id that a record gives its event, else one of where it stands."""
        said = to_id(self._find("event_id", record, content))
        if isinstance(said, str) and said:
            return said
        source, number = content.envelope.get("source"), content.envelope.get("id")
        if self._topic.envelope == "cloudevents" and isinstance(source, str) and isinstance(number, str):
            event_id = f"{source}#{number}"
            is_short = len(event_id.encode()) <= self._limits.id_bytes - 8
            return event_id if is_short else hashlib.blake2b(event_id.encode(), digest_size=16).hexdigest()
        return record.event_id

    def _envelope_type(self, content: Content) -> Any:
        return content.envelope.get("type") if self._topic.envelope == "cloudevents" else None

    def _find_time(self, record: ForeignRecord, content: Content, element: Any) -> dict[str, Any]:
        """Return when it happened: as mapped, under our own names, as the envelope says, or as the record has it."""
        names = [name for name in ("timestamp", "timestamp_ms") if name in self._paths]
        for name in names or ("timestamp", "timestamp_ms"):
            if (found := self._find(name, record, content, element)) is not MISSING:
                break
        else:
            if names:
                return {}
            found = content.envelope.get("time", record.timestamp_ms)
        time = to_time(found)
        return {"timestamp_ms": time} if isinstance(time, int) else {"timestamp": time}

    def _shown(self, items: Any, item_id: Any, position: Any) -> dict[str, Any]:
        """Return what was shown: a list, cut where it is longer than an impression may be, or one item in its slot."""
        if not isinstance(items, list | tuple):
            if item_id is None:
                return self._say({"items": items})
            slot = to_number(position)
            slot = int(slot) if isinstance(slot, int | float) and 1 <= slot <= LAST_POSITION else 1
            return {"items": [{"item_id": item_id, "position": slot}]}
        shown: dict[str, dict[str, Any]] = {}
        n_bytes = 0
        for place, each in enumerate(items[:MOST_ITEMS], start=1):
            found = self._in_element("items.item_id", each) if isinstance(each, Mapping) else each
            found = to_id(found)
            if not isinstance(found, str) or not found or found in shown:
                continue
            if (n_bytes := n_bytes + len(found.encode())) > MOST_ID_BYTES:
                break
            shown[found] = {"item_id": found, "position": place}
        return {"items": list(shown.values())}

    def _context(self, record: ForeignRecord, content: Content, element: Any) -> dict[str, Any]:
        whole = self._find("context", record, content, element)
        context = to_plain(whole) if isinstance(whole, Mapping) else {}
        for name in self._contexts:
            if (found := self._find(f"context.{name}", record, content, element)) is not MISSING:
                context[name] = to_plain(found)
        return context

    # items, profiles, erasure requests

    def _map_item(self, record: ForeignRecord, content: Content) -> Mapped:
        def find(name: str) -> Any:
            return self._find(name, record, content)

        if content.is_deletion or to_truth(find("deleted")) is True:
            return self._delete("items", "item_id", record, content)
        row: dict[str, Any] = self._say({"item_id": to_id(find("item_id"))})
        row |= self._say({name: to_text(find(name)) for name in ("title", "description", "category")})
        tags = find("tags")
        row |= {} if tags is MISSING else {"tags": to_texts(tags)}
        row |= self._say({"available": to_truth(find("available")), "boost": to_number(find("boost"))})
        for name, convert in (("attributes", to_plain), ("relations", to_texts), ("vectors", to_plain)):
            whole = find(name)
            facts = {key: convert(each) for key, each in whole.items()} if isinstance(whole, Mapping) else {}
            for key in self._named_under(name):
                if (found := find(f"{name}.{key}")) is not MISSING:
                    facts[key] = convert(found)
            row |= {name: facts} if facts else {}
        item = read_item_row(row, self._limits)
        if isinstance(item, Rejection):
            return Mapped(rejection=self._explain(item, content))
        return self._encode("items", item.item_id, item)

    def _map_profile(self, record: ForeignRecord, content: Content, received_ms: int) -> Mapped:
        if content.is_deletion:
            return self._delete("profiles", "user_id", record, content)
        row = self._say({"user_id": to_id(self._find("user_id", record, content))})
        row |= self._find_time(record, content, MISSING)
        interests = self._find("interests", record, content)
        row |= {} if interests is MISSING else {"interests": to_texts(interests)}
        row |= self._say({name: self._find(name, record, content) for name in ("language", "birth_year")})
        return self._convert(row, Profile, "profiles", received_ms, content)

    def _map_forget(self, record: ForeignRecord, content: Content) -> Mapped:
        """Return an erasure request; of a table of users each deletion is one, and nothing else."""
        if self._topic.envelope == "debezium" and not content.is_deletion:
            return Mapped()
        user_id = self._find_key("user_id", record, content)
        row = {**self._say({"user_id": user_id}), "timestamp_ms": record.timestamp_ms}
        row |= self._say({"request_id": to_text(self._find("request_id", record, content))})
        return self._convert(row, Forget, "forget", record.timestamp_ms, content)

    def _convert(
        self, row: Mapping[str, Any], kind: type[Profile] | type[Forget], topic: str, received_ms: int, content: Content
    ) -> Mapped:
        if "user_id" not in row:
            return Mapped(rejection=self._explain(Rejection("missing_field", "missing: user_id"), content))
        if not isinstance(row["user_id"], str):
            return Mapped(rejection=self._explain(Rejection("wrong_type", "user_id is no text"), content))
        key, value = row["user_id"].encode(), msgspec.json.encode(to_plain(row))
        checked = (
            validate.profile(key, value, received_ms=received_ms, limits=self._limits)
            if kind is Profile
            else validate.forget(key, value, limits=self._limits)
        )
        if isinstance(checked, Rejection):
            return Mapped(rejection=self._explain(checked, content))
        return self._encode(topic, row["user_id"], checked)

    def _delete(self, topic: str, name: str, record: ForeignRecord, content: Content) -> Mapped:
        found = self._find_key(name, record, content)
        if not isinstance(found, str):
            return _reject("missing_field", f"a deletion without {name}: neither in the row nor in the key")
        bad = validate.check_id(name, found, self._limits)
        return Mapped(rejection=bad) if bad else Mapped([Made(topic, found.encode(), None)])

    def _encode(self, topic: str, key: str, value: Item | Profile | Forget) -> Mapped:
        return Mapped([Made(topic, key.encode(), msgspec.json.encode(value))])

    # where fields stand

    def _find(self, name: str, record: ForeignRecord, content: Content, element: Any = MISSING) -> Any:
        """Return what stands where a field of ours is said to be, else under its own name."""
        paths = self._paths.get(name)
        if paths is None:
            paths = (name,) if element is MISSING else (f"{EACH}.{name}", name)
        return pick_first(paths, record, content, element)

    def _find_key(self, name: str, record: ForeignRecord, content: Content) -> Any:
        """Return an id from the row, or from the key: where the field is said to be there, or all of the key."""
        for where in (content.value, content.key):
            if isinstance(where, Mapping):
                found = self._find(name, record, content._replace(value=where))
                if found is not MISSING:
                    return to_id(found)
        return to_id(content.key)

    def _in_element(self, name: str, element: Any) -> Any:
        paths = self._paths.get(name, (name.partition(".")[2],))
        return pick_first(paths, _NO_RECORD, Content(element))

    def _named_under(self, name: str) -> tuple[str, ...]:
        prefix = f"{name}."
        return tuple(path.removeprefix(prefix) for path in self._paths if path.startswith(prefix))

    @staticmethod
    def _say(row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields that are there."""
        return {name: value for name, value in row.items() if value is not MISSING}

    # what is wrong

    def _explain(self, rejection: Rejection, content: Content) -> Rejection:
        """Return a rejection that says where the fields were looked for, and what is there."""
        if rejection.reason != "missing_field":
            return rejection
        there = ", ".join(shorten(str(name)) for name in list(content.value or ())[:12])
        missing = rejection.detail.partition("; found:")[0]
        looked = [f"{name} in {' or '.join(paths)}" for name, paths in self._paths.items() if name in missing]
        where = f"; looked for {', '.join(looked)}" if looked else ""
        return Rejection(rejection.reason, f"{missing}{where}; the record has {there or 'nothing'}")

    def _explain_type(self, said: str) -> str:
        if not said:
            return "the record says no type: set fields.event_type to where it stands, or event_type for all records"
        return f'{explain_unknown_label(said)}; `types` can say what it means, other_types = "ignore" leaves it out'


_NO_RECORD = ForeignRecord("", 0, 0, 0, None, None)


def _reject(reason: str, detail: str) -> Mapped:
    return Mapped(rejection=Rejection(reason, detail))
