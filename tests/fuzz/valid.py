"""Valid messages, of which damaged ones are made: they speak of the same twelve items, one user and one head."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import numpy as np

from stream_rec.catalog import factors
from stream_rec.embedding import item_embedding
from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.profile import Profile
from stream_rec.events.search import Search
from stream_rec.events.validate import InputLimits
from stream_rec.knowledge import state as item_state
from stream_rec.knowledge.contexts import numbers_of as numbers_of_context
from stream_rec.knowledge.contexts import said
from stream_rec.knowledge.queries import numbers_of
from stream_rec.knowledge.signal import Signal
from stream_rec.knowledge.slots import N_SLOTS
from stream_rec.ranking import head as heads
from stream_rec.ranking import merge, shown
from stream_rec.ranking.policy import HeadConfig
from stream_rec.runtime import database
from stream_rec.user import forgotten, seen
from stream_rec.user import state as user_state
from stream_rec.user.bounds import UserConfig
from stream_rec.user.forgotten import Forgotten
from stream_rec.user.impressions import fold_impression, put_features
from stream_rec.user.interactions import fold
from stream_rec.user.profiles import fold_profile
from stream_rec.user.searches import fold_search
from stream_rec.user.seen import Chunk
from stream_rec.user.state import UserState
from tests.catalog.stock import taught
from tests.fuzz.damage import TEXTS, nested

NOW_MS = 1_700_000_000_000
LIMITS = InputLimits()
ITEMS = tuple(f"i{number}" for number in range(12))
HEAD = HeadConfig(hidden=4)
COLD = heads.cold(HEAD, seed=1)
OF = merge.fingerprint(COLD)


QUERIES = ("red", "thing i3", "?", "größer 自転車 " * 30)


def valid_user(random: Random) -> UserState:
    state = user_state.COLD
    config = UserConfig(recent_events=16, recent_searches=3, recent_impressions=3, weekly_counts=16, shown_counts=16)
    for number in range(random.choice((0, 1, 5, 24))):
        item_id, kind = random.choice(ITEMS), random.choice(list(Kind))
        if random.random() < 0.3:
            about = random.choice((None, item_id))
            at_ms = NOW_MS - random.choice((0, 1000, random.randrange(10**9)))
            search = Search(f"e{number}", "u", random.choice(QUERIES), at_ms, about)
            state = fold_search(state, search, number, config)
            continue
        if random.random() < 0.1:
            state = fold_profile(state, valid_declared(random), number, config)
            continue
        if random.random() < 0.3:
            item_ids = random.sample(ITEMS, random.choice((1, 2, 12)))
            in_slots = [
                ShownItem(item_id, position) for position, item_id in enumerate(item_ids, random.choice((1, 90)))
            ]
            at_ms = NOW_MS - random.choice((0, 1000, random.randrange(10**9)))
            impression = Impression(f"e{number}", "u", "", in_slots, at_ms)
            state = fold_impression(state, impression, number, config)
            if random.random() < 0.5:
                state = put_features(state, {impression.event_id: valid_features(random, len(item_ids))})
            continue
        at_ms, value = NOW_MS - random.randrange(10**9), random.choice((None, 2.5))
        event = Interaction(f"e{number}", "u", item_id, at_ms, value, valid_context(random))
        state = fold(state, event, kind, number, config)
    return state


def valid_declared(random: Random) -> Profile:
    """Return a profile; one in four takes the profile back."""
    if random.random() < 0.25:
        return Profile("u", NOW_MS)
    return Profile("u", NOW_MS, random.sample(QUERIES, 2)[:1], random.choice(("", "de")), random.choice((None, 1988)))


def valid_profile(random: Random) -> dict[str, Any]:
    return {
        "user_id": "u",
        "timestamp_ms": NOW_MS,
        "interests": random.sample(["jazz", "thing i3", "größer", "自転車"], random.randrange(4)),
        "language": random.choice(("", "de", "pt-BR")),
        "birth_year": random.choice((None, 1988, 2020)),
    }


def valid_context(random: Random) -> dict[str, Any]:
    return {key: random.choice(("FR", "JP", 7)) for key in random.sample(("country", "device", "hour", "note"), 2)}


def valid_contexts(random: Random) -> tuple[int, ...]:
    """Return the numbers of one, as they stand in states and signals."""
    return numbers_of_context(valid_context(random), UserConfig().context_keys)


def valid_features(random: Random, n_items: int) -> bytes:
    """Return what was known of so many items: most often as many numbers as there are."""
    n = random.choice((n_items, n_items, n_items, 0, n_items + 1))
    return shown.encode_features(_noise(random).normal(size=(n, len(shown.NAMES))).astype(np.float32))


def valid_knowledge(random: Random) -> item_state.ItemState:
    times = [NOW_MS - random.randrange(10**9) for _ in range(random.choice((0, 1, 7)))]
    return msgspec.structs.replace(
        taught(
            *times,
            predecessors={random.choice(ITEMS): random.randint(-3, 20) for _ in range(random.randrange(4))},
            users={f"u{random.randrange(9)}": at for at in times},
        ),
        watermarks={random.randrange(64): random.randrange(1000) for _ in range(random.randrange(3))},
        queries={
            number: (random.randint(-3, 20), random.uniform(-3, 20), NOW_MS - random.randrange(10**9))
            for query in random.sample(QUERIES, random.randrange(3))
            for number in numbers_of(query, random.choice((None, *ITEMS)))
        },
        shown=random.choice(([], [random.randrange(1000) for _ in range(N_SLOTS)])),
        chosen=random.choice(([], [random.randint(-2, 100) for _ in range(N_SLOTS)])),
        contexts={
            number: (random.randint(1, 20), random.uniform(0.1, 20), NOW_MS - random.randrange(10**9))
            for number in filter(None, valid_contexts(random))
        },
    )


def valid_signals(random: Random) -> list[Signal]:
    return [
        Signal(
            item_id=random.choice(ITEMS),
            kind=random.randrange(3 if seen_ms is not None else 5),
            partition=random.randrange(4),
            offset=random.randrange(1000),
            seen_ms=seen_ms,
            pairs=[(random.choice(ITEMS), random.randint(-3, 12)) for _ in range(random.randrange(4))],
            visitor=random.getrandbits(64),
            again=random.random() < 0.5,
            erases=random.random() < 0.3,
            is_first=random.random() < 0.3,
            answers=[
                (number, NOW_MS - random.randrange(10**9), random.choice((8, 2, 1, -8)))
                for number in numbers_of(random.choice(QUERIES), random.choice((None, *ITEMS)))
            ],
            shown=random.randrange(-1, N_SLOTS),
            chosen=[(random.randrange(N_SLOTS), random.choice((1, -1))) for _ in range(random.randrange(3))],
            contexts=said(valid_contexts(random)),
        )
        for _ in range(random.randrange(4))
        for seen_ms in [random.choice((None, NOW_MS - random.randrange(10**9)))]
    ]


def valid_note(random: Random) -> Forgotten:
    kinds = random.sample(range(5), random.randrange(6))
    return Forgotten(forgotten.VERSION, random.randrange(1000), {kind: random.randrange(1000) for kind in kinds})


def valid_chunk(random: Random) -> Chunk:
    digests = b"".join(seen.digest_of(f"n{random.randrange(9)}") for _ in range(random.randrange(5)))
    return Chunk(seen.VERSION, random.randrange(5), NOW_MS - random.randrange(10**9), digests)


def valid_meta(random: Random) -> bytes:
    meta = database.Meta(
        database.META_VERSION,
        random.randrange(10**6),
        random.randrange(-1, 10**6),
        random.randrange(9),
        b"A" * 8,
        NOW_MS,
    )
    return msgspec.msgpack.encode(meta)


def valid_embedding(random: Random) -> bytes:
    identities = random.choice((("hashing@8",), ("hashing@8", "other@1"), ("other@1",), ("other@1", "hashing@8")))
    made = _noise(random).normal(size=(len(identities), 8)).astype(np.float32)
    vectors: list[item_embedding.SpaceVector | None] = list(map(item_embedding.SpaceVector, identities, made))
    if len(vectors) == 1 and random.random() < 0.3:
        vectors.insert(random.randrange(2), None)
    return item_embedding.encode(item_embedding.ItemEmbedding(random.randbytes(16), tuple(vectors)))


def valid_contribution(random: Random) -> bytes:
    nothing = merge.nothing(COLD)
    p, noise = len(nothing.shift), _noise(random)
    sums = np.abs(noise.normal(0, 5, len(nothing.sums)))
    sums[: -merge.N_COUNTS] *= -1.0  # records
    contribution = merge.Contribution(noise.normal(0, 0.1, p), noise.random(p), sums, random.randrange(10**6))
    return merge.encode(contribution, OF)


def valid_shift(random: Random) -> bytes:
    return factors.encode(_noise(random).normal(0, 0.3, factors.DIMENSIONS).astype(np.float32))


def _noise(random: Random) -> np.random.Generator:
    """Return usual numbers: what hypothesis makes of ``random.gauss`` itself is anything but."""
    return np.random.default_rng(random.getrandbits(32))


def valid_interaction(random: Random) -> dict[str, Any]:
    return {
        "event_id": f"e{random.randrange(99)}",
        "user_id": "u",
        "item_id": random.choice(ITEMS),
        "timestamp_ms": NOW_MS - random.randrange(10**9),
        "value": random.choice((None, 1, 2.5)),
        "context": random.choice(({}, {"device": "tv", "deep": nested(random, 1)})),
    }


def valid_search(random: Random) -> dict[str, Any]:
    search = valid_interaction(random) | {"query": random.choice((*QUERIES, *TEXTS))}
    del search["value"]
    if random.random() < 0.5:
        del search["item_id"]
    return search


def valid_impression(random: Random) -> dict[str, Any]:
    item_ids = random.sample(ITEMS, random.choice((1, 2, 12)))
    return {
        "event_id": f"e{random.randrange(99)}",
        "user_id": "u",
        "list_id": random.choice(("", "u@7", *TEXTS)),
        "items": [
            {"item_id": item_id, "position": position, "propensity": random.choice((None, 1, 0.25, 1e-9))}
            for position, item_id in enumerate(item_ids, random.choice((1, 99_000)))
        ],
        "timestamp_ms": NOW_MS - random.randrange(10**9),
        "surface": random.choice(("", "home")),
    }


def valid_erasure_request(random: Random) -> dict[str, Any]:
    request = {"user_id": "u", "timestamp_ms": NOW_MS - random.randrange(10**9), "request_id": random.choice(TEXTS)}
    if random.random() < 0.3:
        del request["request_id"]
    return request


def valid_receipt(random: Random) -> dict[str, Any]:
    numbers = {"n_events": random.randrange(99), "n_items": random.randrange(9)}
    return {"request_id": random.choice(TEXTS), "forgotten_at_ms": NOW_MS, **numbers}


def valid_item(random: Random) -> dict[str, Any]:
    return {
        "item_id": random.choice(ITEMS),
        "title": "A red bicycle",
        "description": "Two wheels, é, 自転車",
        "category": "bikes",
        "tags": ["red", "bike"],
        "attributes": {"brand": "b", "price": 3, "colours": ["red", 4]},
        "relations": {"series": ["i1"]},
        "vectors": {"image": [0.5, 1.0]},
        "available": random.random() < 0.8,
    }


def valid_slate(random: Random) -> dict[str, Any]:
    item = {
        "item_id": random.choice(ITEMS),
        "score": 0.5,
        "propensity": 1.0,
        "sources": {"similar": 0.5},
        "reason": {"kind": "similar", "item_id": "i1", "event_id": "e", "event_kind": "view"},
    }
    as_of = {"topic": "views", "partition": 0, "offset": 3, "event_id": "e", "timestamp_ms": NOW_MS}
    return {
        "list_id": "x",
        "user_id": "u",
        "generated_at_ms": NOW_MS,
        "as_of": random.choice((None, as_of)),
        "seen": {"views": 3},
        "policy": "p",
        "items": [item] * random.randrange(3),
    }
