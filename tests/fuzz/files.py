"""Files: settings, topic definitions, logs, the cache of embeddings."""

from __future__ import annotations

import gzip
import io
import json
import math
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import numpy as np

from stream_rec.config import Settings, as_toml, load
from stream_rec.errors import FileProblem, SettingsError
from stream_rec.events import validate
from stream_rec.events.item import Item
from stream_rec.fields.read import split_record
from stream_rec.logs.content import find_content
from stream_rec.logs.log import BadLine, read_events, read_items
from stream_rec.replay import vector_cache as cache
from stream_rec.topics import definition
from tests.fuzz.damage import TEXTS, damaged_bytes, odd
from tests.fuzz.records import json_bytes
from tests.fuzz.valid import LIMITS, NOW_MS, valid_impression, valid_interaction, valid_item
from tests.fuzz.world import World

_TOKENS = (
    *("nan", "inf", "-inf", "-1", "0", "1e400", "9" * 30, "9" * 5000, "0x" + "f" * 99, "true", "''", '"\\ud800"', '"'),
    *("[", "[" * 3000, "[" * 90 + "]" * 90, "{}", "{a=" * 900, "1979-05-27", "2021-13-45", "25:61:00", '"""', "1_000"),
    *('"\\u0000"', '"\U0001f600"', '"\x7f"', "\n[kafka]", "\nx = 1", "\n[[worker]]", "\nkafka.partitions = 3", "\0"),
)


def toml_bytes(text: str) -> Callable[[Random], bytes]:
    """Return a maker of damaged TOML: some lines say something else, are others, or are gone."""
    lines = text.splitlines()

    def made(random: Random) -> bytes:
        changed = list(lines)
        for _ in range(random.randint(0, 2)):
            at = random.randrange(len(changed))
            name, equals, _ = changed[at].partition(" = ")
            if equals and random.random() < 0.9:
                changed[at] = f"{name} = {random.choice((random.choice(_TOKENS), json.dumps(random.choice(TEXTS))))}"
            else:
                changed[at] = random.choice((random.choice(_TOKENS), changed[random.randrange(len(changed))], ""))
        data = "\n".join(changed).encode()
        return damaged_bytes(data, random) if random.random() < 0.15 else data

    return made


SETTINGS_TOML = as_toml({s: dict(v) for s, v in msgspec.to_builtins(Settings()).items()})
TOPIC_TOML = (definition.FOLDER / "views.toml").read_text(encoding="utf-8")


def take_settings(world: World, data: bytes) -> bool:
    file = world.folder / "settings.toml"
    file.write_bytes(data)
    try:
        settings = load(file, environ={})
    except SettingsError:
        return False
    again = world.folder / "again.toml"
    again.write_text(as_toml(msgspec.to_builtins(settings)), encoding="utf-8")
    assert load(again, environ={}) == settings
    return True


def take_topic(world: World, data: bytes) -> bool:
    file = world.folder / "views.toml"
    file.write_bytes(data)
    try:
        topic = definition._read(file)
    except FileProblem:
        return False
    assert all(isinstance(value, str) for value in topic.spec(world.settings.kafka).config.values())
    return True


def valid_line(random: Random) -> dict[str, Any]:
    time = {"timestamp": random.choice((1.7e9, 1_700_000_000, "2023-01-02T03:04:05Z", "0001-01-01T00:00:00+23:59"))}
    kind = random.choice(("view", "click", "purchase", "search", "impression"))
    own = {"search": {"query": "blue cup"}, "impression": {"items": ["i1", {"item_id": "i2", "position": 7}]}}
    line = valid_interaction(random) | {"event_type": kind} | own.get(kind, {})
    if kind == "impression" and random.random() < 0.8:
        line |= valid_impression(random)
    if random.random() < 0.7:
        line.pop("timestamp_ms", None)
    return line | time


def made_log(random: Random) -> bytes:
    lines = json_bytes(random.choice((valid_line, valid_line, valid_item)))
    data = b"\n".join(lines(random) for _ in range(random.randint(1, 3)))
    match random.randrange(8):
        case 3 | 4:
            return made_table(random)
        case 0:
            return gzip.compress(data, 1)
        case 1:
            return damaged_bytes(gzip.compress(data, 1), random)
        case 2:
            return data + b"\n" + b"x" * (LIMITS.record_bytes + random.randrange(9))
    return data


def made_table(random: Random) -> bytes:
    """Return a damaged table: cells that are odd, quotes that are open, columns that are missing or there twice."""
    delimiter = random.choice(",,;\t")
    columns = [*random.choice((_EVENT_COLUMNS, _EVENT_COLUMNS, _ITEM_COLUMNS))]
    if random.random() < 0.3:
        columns[random.randrange(len(columns))] = random.choice((*_EVENT_COLUMNS, "userId", "", '"', "context"))
    rows = [columns]
    for _ in range(random.randint(1, 4)):
        row = [random.choice(_CELLS.get(column, ("a", "b"))) for column in columns]
        if random.random() < 0.4:
            row[random.randrange(len(row))] = random.choice(
                (*map(str, TEXTS), *_TOKENS[:20], '"', '"a"b', "a\nb", "\r")
            )
        rows.append(row)
    data = "\n".join(map(delimiter.join, rows)).encode("utf-8", "surrogatepass")
    return damaged_bytes(data, random) if random.random() < 0.2 else data


_EVENT_COLUMNS = (
    "event_type",
    "user_id",
    "item_id",
    "query",
    "items",
    "list_id",
    "timestamp",
    "timestamp_ms",
    "value",
    "context.a",
    "context",
)
_ITEM_COLUMNS = ("item_id", "title", "tags", "available", "attributes.a", "attributes", "relations.r", "vectors")
_CELLS = {
    "event_type": ("view", "click", "purchase", "search", "impression"),
    "items": ("", "i1|i2", "i1|i1", '"[""i1"", {""item_id"": ""i2"", ""position"": 0}]"', "[", "[]"),
    "query": ("", "blue cup", " "),
    "timestamp": ("1.7e9", "1700000000", "2023-01-02T03:04:05Z", ""),
    "timestamp_ms": ("1700000000000", ""),
    "value": ("", "1", "2.5", "1e400", "nan"),
    "context": ("", '"{""a"": 1}"', "{}"),
    "tags": ("", "a|b", "|"),
    "available": ("", "true", "no", "perhaps"),
    "attributes": ("", '"{""a"": [1]}"', "[]"),
    "relations.r": ("", "i1|i2"),
    "vectors": ("", '"{""v"": [1, 2]}"'),
}


def take_log(world: World, data: bytes) -> bool:
    file = world.folder / "log.jsonl"
    file.write_bytes(data)
    try:
        records = [*read_events(file, limits=LIMITS, received_ms=NOW_MS), *read_items(file, limits=LIMITS)]
        find_content(file, limits=LIMITS)
    except FileProblem:
        return False
    usable = [record for record in records if not isinstance(record, BadLine)]
    for record in usable:
        if not isinstance(record, Item):
            source, event = split_record(record)
            key, value = event.user_id.encode(), msgspec.json.encode(event)
            limits = msgspec.structs.replace(LIMITS, record_bytes=10**7)
            assert validate.event(source, key, value, received_ms=NOW_MS, limits=limits) == event
    return bool(usable)


def made_cache(random: Random) -> bytes:
    vectors = np.ones((2, 8), dtype=np.float32)
    arrays: dict[str, Any] = {
        "version": 1,
        "encoder": "hashing@8",
        "hashes": np.arange(32, dtype=np.uint8).reshape(2, 16),
        "vectors": vectors,
    }
    for _ in range(random.randint(0, 2)):
        name = random.choice(list(arrays))
        arrays[name] = random.choice(
            (
                vectors,
                *(vectors.astype(np.float64), vectors * np.nan, vectors[:1], vectors[:, :0], vectors.ravel()),
                *(np.array("x" * 9), np.array(["a", "b"]), np.array([1, 2]), np.array(odd(random), dtype=object)),
                *(np.zeros((0, 0)), np.array(2), np.array(b"\xff"), np.array(math.nan), np.array("2021", "M8[D]")),
            )
        )
        if random.random() < 0.1:
            del arrays[name]
            if not arrays:
                break
    file = io.BytesIO()
    random.choice((np.savez, np.savez, np.savez_compressed))(file, **arrays)
    data = file.getvalue()
    match random.randrange(4):
        case 0:
            return damaged_bytes(data, random)
        case 1:
            old = random.choice((b"'shape': (", b"(2, 8)", b"<f4", b"descr", b"False", b"NUMPY", b"{"))
            same_length = random.choice((b"9" * 40, b"(" * 40, b"-1" * 20, b"|O8" * 9, b"\0" * 40, b"[" * 40))[
                : len(old)
            ]
            return data.replace(old, same_length)
        case 2:
            return _with_damaged_zip_fields(data, random)
    return data


def _with_damaged_zip_fields(data: bytes, random: Random) -> bytes:
    """Return an archive one of whose entries says something else of itself: flags, method, sizes, offsets."""
    mark = random.choice((b"PK\1\2", b"PK\3\4", b"PK\5\6"))
    at = data.find(mark) + 4 + random.randrange(40)
    written = random.randbytes(random.choice((1, 2, 4)))
    return data[:at] + written + data[at + len(written) :]


def take_cache(world: World, data: bytes) -> bool:
    file = world.folder / "cache.npz"
    file.write_bytes(data)
    identity, vectors = cache.read(file)
    assert isinstance(identity, str)
    if vectors:
        cache.write(file, identity, vectors)
        again = cache.read(file)
        assert again[0] == identity and again[1].keys() == vectors.keys()
    return bool(vectors)
