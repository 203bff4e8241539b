"""What comes in that should not, or that an app may send though few do: inputs that a pipeline has to live with.

Each is a fault like those of ``faults.py``.
"""

from __future__ import annotations

import random
import struct
import time

import msgspec

from stream_rec.embedding import item_embedding
from stream_rec.embedding.encoder import build
from stream_rec.embedding.text import HASH_BYTES
from stream_rec.events.impression import Impression
from stream_rec.events.interaction import TOPIC_OF_KIND, Interaction, Kind, LoggedEvent
from stream_rec.events.rule import Rule, Target
from stream_rec.events.search import Search
from stream_rec.events.source import EVENT_SOURCES, SOURCE_OF_TOPIC
from stream_rec.topics import admin as topics
from tests.crash.foreign import CODECS, TIMEOUT_S, ForeignProducer
from tests.crash.load import N_ITEMS, Record
from tests.crash.rig import Rig
from tests.kafka.malformed import bad_events, bad_impressions, bad_items, bad_profiles, bad_rules, bad_searches

SHARE_OF_POISON = 100
"""Good events for each bad one."""
BASE_MS = 1_700_000_000_000
YEAR_MS = 365 * 86_400_000
LATE = "late-"
"""How users and items begin of whom more events come, from topics in no common order, than are kept."""
OPEN_MS = 5_000
"""After so long the broker aborts a transaction that was left open."""


def malformed_input(rig: Rig, rng: random.Random) -> None:
    """Every malformed event on every topic of interactions, and every malformed search, impression, profile, item and
    rule, one in a hundred."""
    limit = rig.settings.limits.record_bytes
    rig.strike()
    bad = [
        Record(topic, key, value)
        for _, key, value in bad_events(record_bytes=limit)
        for topic in TOPIC_OF_KIND.values()
    ]
    bad += [Record("searches", key, value) for _, key, value in bad_searches(record_bytes=limit)]
    bad += [Record("impressions", key, value) for _, key, value in bad_impressions(record_bytes=limit)]
    bad += [Record("profiles", key, value) for _, key, value in bad_profiles(record_bytes=limit)]
    bad += [Record("items", key, value) for _, key, value in bad_items(record_bytes=limit)]
    bad += [Record("rules", key, value) for _, key, value in bad_rules(record_bytes=limit)]
    rng.shuffle(bad)
    for record in bad:
        rig.load.put_raw(record, is_rejectable=True)
        rig.load.wait_until_sent(rig.load.n_steady + SHARE_OF_POISON)


def huge_message(rig: Rig, rng: random.Random) -> None:
    """One megabyte, as large as the broker takes, on a topic of events and on that of items."""
    note = b"x" * 1_000_000
    event = b'{"event_id":"huge","user_id":"ann","item_id":"teapot","timestamp_ms":1,"context":{"note":"%s"}}' % note
    topic = rng.choice(list(SOURCE_OF_TOPIC))
    rig.strike()
    rig.load.put_raw(Record(topic, b"ann", event), is_rejectable=True)
    rig.load.put_raw(Record("items", b"huge", b'{"item_id":"huge","title":"%s"}' % note), is_rejectable=True)


def tombstones(rig: Rig, rng: random.Random) -> None:
    """A null value on every topic there is, ours included, on a key that nothing else uses."""
    prefix = rig.settings.kafka.topic_prefix
    rig.strike()
    of_events = {*(source.topic for source in EVENT_SOURCES), "forget", "item-signals"}
    for topic in topics.all_topics(rig.settings):
        name = topic.name.removeprefix(prefix)
        rig.load.put_raw(Record(name, b"nobody", None), is_rejectable=name in of_events)


def bad_embeddings(rig: Rig, rng: random.Random) -> None:
    """Vectors of another length under the same encoder's name, of NaN, of nothing, each alone and behind one that is
    right, and bytes that are no embedding."""
    encoders = build(rig.settings.embedder)
    rig.strike()
    one, zero, nan = b"\x00\x3c", b"\x00\x00", b"\x00\x7e"
    for number, (dimensions, element) in enumerate([(8, one), (256, nan), (256, zero)]):
        for n_spaces in range(1, len(encoders) + 1):
            *right, bad = encoders[:n_spaces]
            value = struct.pack("<BB", item_embedding.VERSION, n_spaces) + b"h" * HASH_BYTES
            for encoder in right:
                value += _space(encoder.identity, encoder.dimensions, one)
            value += _space(bad.identity, dimensions, element)
            _put_and_take_back(rig, "item-embeddings", b"bad-%d-%d" % (number, n_spaces), value)
    _put_and_take_back(rig, "item-embeddings", b"bad-bytes", rng.randbytes(600))


def future_versions(rig: Rig, rng: random.Random) -> None:
    """Internal records as a later program would write them, but signals: a worker refuses those until it is updated."""
    rig.strike()
    version = msgspec.msgpack.encode([99, ["a", 1, {"b": 2}]])
    _put_and_take_back(rig, "item-knowledge", b"from-the-future", version)
    _put_and_take_back(rig, "item-embeddings", b"from-the-future", bytes([99]) + rng.randbytes(500))
    _put_and_take_back(rig, "head-weights", b"worker-99", bytes([99]) + rng.randbytes(2000))
    _put_and_take_back(rig, "head-weights", b"worker-99/item-1", bytes([99]) + rng.randbytes(128))


def busy_user(rig: Rig, rng: random.Random) -> None:
    """Ten thousand views by one user within a second."""
    name = f"busy-{rng.randrange(10**9)}"
    events = [
        Interaction(f"{name}-{number}", name, f"item-{rng.randrange(N_ITEMS)}", BASE_MS + number // 10)
        for number in range(rig.durations.busy_events)
    ]
    rig.strike()
    rig.load.put_events([LoggedEvent(Kind.VIEW, event) for event in events])


def clock_jumps(rig: Rig, rng: random.Random) -> None:
    """Users whose clocks jump: to 1970, years back, and years ahead up to what the broker's clock allows."""
    latest_ms = time.time_ns() // 1_000_000 + rig.settings.limits.future_ms // 2
    rig.strike()
    for part in range(10):
        name = f"jumpy-{rng.randrange(10**9)}"
        times = [0, 1, BASE_MS - 10 * YEAR_MS, BASE_MS, BASE_MS + YEAR_MS, latest_ms]
        events = [
            Interaction(f"{name}-{number}", name, f"item-{rng.randrange(N_ITEMS)}", rng.choice(times) + number)
            for number in range(20)
        ]
        rig.load.put_events([LoggedEvent(rng.choice(list(Kind)), event) for event in events])
        rig.load.wait_until_sent(rig.load.n_steady + 20 + part)


def _space(identity: str, dimensions: int, element: bytes) -> bytes:
    return struct.pack("<HH", len(identity), dimensions) + identity.encode() + element * dimensions


def _put_and_take_back(rig: Rig, topic: str, key: bytes, value: bytes) -> None:
    """Send a record to a topic of ours that nothing rejects, and a tombstone after it."""
    rig.load.put_raw(Record(topic, key, value), is_rejectable=False)
    rig.load.put_raw(Record(topic, key, None), is_rejectable=False)


def late_duplicates(rig: Rig, rng: random.Random) -> None:
    """Retries of apps: old events of a user with more of them than are kept, and some of all that was sent."""
    name = f"{LATE}{rng.randrange(10**9)}"
    views = [
        LoggedEvent(Kind.VIEW, Interaction(f"{name}-view-{number}", name, f"{name}-{number % 10}", BASE_MS + number))
        for number in range(rig.settings.user.recent_events + 100)
    ]
    clicks = [
        LoggedEvent(Kind.CLICK, Interaction(f"{name}-click-{number}", name, f"{name}-0", BASE_MS - YEAR_MS + number))
        for number in range(20)
    ]
    rig.strike()
    rig.load.put_events(views)
    for click in clicks:
        rig.load.put_events([click, click])
    sent = list(rig.load.log)
    rig.load.put_events(rng.sample(sent, min(len(sent), 300)))
    rig.load.wait_until_sent(rig.load.n_steady + 200)
    rig.load.put_events([*rng.sample(views, 50), *clicks])
    searches = [line for line in rig.load.log if isinstance(line, Search)]
    rig.load.put_events(rng.sample(searches, min(len(searches), 50)))
    impressions = [line for line in rig.load.log if isinstance(line, Impression)]
    rig.load.put_events(rng.sample(impressions, min(len(impressions), 50)))


def transactions(rig: Rig, rng: random.Random) -> None:
    """Transactions of another client: committed, aborted, and one left open until the broker ends it."""
    name = f"transactional-{rng.randrange(10**9)}"

    def events(part: int) -> list[LoggedEvent]:
        return [
            LoggedEvent(
                rng.choice(list(Kind)),
                Interaction(
                    f"{name}-{part}-{number}", f"{name}-{number}", f"item-{rng.randrange(N_ITEMS)}", BASE_MS + part
                ),
            )
            for number in range(20)
        ]

    producer = ForeignProducer(rig.settings.kafka, transactional_id=name, transaction_timeout_ms=OPEN_MS)
    producer.client.init_transactions(TIMEOUT_S)
    rig.strike()
    for part in range(8):
        sent = events(part)
        producer.client.begin_transaction()
        producer.send(sent)
        if part % 2:
            producer.client.abort_transaction(TIMEOUT_S)
        else:
            producer.commit()
            rig.load.log += sent
    producer.client.begin_transaction()
    producer.send(events(8))
    rig.pause(OPEN_MS / 1000)


def codecs(rig: Rig, rng: random.Random) -> None:
    """Events of another client in each of Kafka's codecs, while the broker compresses topics of ours in one of them."""
    name = f"compressed-{rng.randrange(10**9)}"
    written = [rig.settings.kafka.topic(topic) for topic in ("recommendations", "item-signals", "item-knowledge")]
    with rig.topic_config(written, "compression.type", rng.choice(CODECS), "producer"):
        rig.strike()
        for part, codec_name in enumerate(rng.sample(CODECS, len(CODECS))):
            sent = [
                LoggedEvent(
                    Kind.CLICK,
                    Interaction(
                        f"{name}-{part}-{number}", f"{name}-{number}", f"item-{number % N_ITEMS}", BASE_MS + part
                    ),
                )
                for number in range(50)
            ]
            ForeignProducer(rig.settings.kafka, compression_type=codec_name).send(sent)
            rig.load.log += sent
        rig.load.wait_until_sent(rig.load.n_steady + 200)


def sold_out(rig: Rig, rng: random.Random) -> None:
    """One of the most popular items sells out for good, and another is deleted: no list may show them any more."""
    first, second = rng.sample(range(10), 2)
    rig.strike()
    rig.load.sell_out(f"item-{first}")
    rig.load.delete(f"item-{second}")


def owners_rules(rig: Rig, rng: random.Random) -> None:
    """A pin, a cap and two bans, one of which ends: what is banned then is in no list any more."""
    banned, spared, pinned = (f"item-{number}" for number in rng.sample(range(10, 20), 3))
    rules = [
        Rule("banned", "ban", "crash", "for good", Target(item_ids=[banned])),
        Rule("spared", "ban", "crash", "for a while", Target(item_ids=[spared])),
        Rule("pinned", "pin", "crash", "for good", Target(item_ids=[banned, pinned]), slot=1),
        Rule("capped", "cap", "crash", "for good", Target(item_ids=[spared, pinned]), count=1),
    ]
    rig.strike()
    for rule in rules:
        key = rule.rule_id.encode()
        rig.load.put_raw(Record("rules", key, msgspec.json.encode(rule)), is_rejectable=False)
    rig.load.wait_until_sent(rig.load.n_steady + 100)
    rig.load.put_raw(Record("rules", b"spared", None), is_rejectable=False)
