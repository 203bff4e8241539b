"""Bytes that earlier programs wrote are read for good; what a newer one writes is refused, with a word on what to do.

Each file in ``tests/data/golden/`` was written by the code of its version, at the commit in which that version was new.
When a version is counted up: add a file of the new one, and keep the old ones.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from stream_rec.catalog import factors
from stream_rec.catalog.factors import MalformedShift
from stream_rec.embedding import item_embedding
from stream_rec.embedding.item_embedding import MalformedEmbedding
from stream_rec.errors import StateVersionError
from stream_rec.events.receipt import Receipt
from stream_rec.knowledge import signal as signals
from stream_rec.knowledge import state as item_state
from stream_rec.knowledge import visits
from stream_rec.knowledge.signal import Signal
from stream_rec.ranking import merge
from stream_rec.ranking.head import MixtureHead
from stream_rec.ranking.linear_head import LinearHead
from stream_rec.ranking.merge import MalformedContribution
from stream_rec.ranking.mixture import Mixture
from stream_rec.ranking.network_head import NetworkHead
from stream_rec.ranking.ratings import WIDTH
from stream_rec.runtime import changelog, database
from stream_rec.runtime.changelog import Claim
from stream_rec.runtime.database import Meta
from stream_rec.user import forgotten, seen
from stream_rec.user import state as user_state
from stream_rec.user.entries import Entry, ImpressionEntry, ProfileEntry, SearchEntry, ShownCount, WeeklyCount
from stream_rec.user.forgotten import Forgotten
from stream_rec.user.seen import Chunk

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
T = 1_700_000_000_000
DAY_MS = 86_400_000


def small(*shape: int) -> np.ndarray:
    return np.zeros(shape, dtype=np.float32)


def experts(networks: int) -> Mixture:
    """Return a linear expert with two weights, and networks with three each."""
    weights = small(1, networks), small(1, networks), small(networks, 1)
    return Mixture(LinearHead(small(1, 2), small(1, 2)), NetworkHead(*weights, *weights), (0.0,) * (1 + networks))


SMALL = MixtureHead(
    of_all=experts(2),
    of_fresh=experts(1),
    of_asked=LinearHead(small(1, 1), small(1, 1)),
    of_shown=LinearHead(small(1, 1), small(1, 1)),
    of_context=LinearHead(small(1, 1), small(1, 1)),
    of_interests=LinearHead(small(1, 1), small(1, 1)),
)
"""A head of 17 weights: how many features there are is no matter of the format."""
FINGERPRINT = bytes(range(16))


def read(name: str) -> bytes:
    return (GOLDEN / f"{name}.bin").read_bytes()


def read_contribution(data: bytes) -> merge.Contribution:
    return merge.decode(data, SMALL, FINGERPRINT)


LEFT = bytes.fromhex("1b5d5e51f54f0f04fed135082f0eff78")
"""Digests of e1 and e2."""


@pytest.mark.parametrize(
    ("version", "knows_again", "most_alike", "archived"),
    [
        (1, False, 14, (0, 0)),
        (2, True, 14, (0, 0)),
        (3, True, 10, (0, 0)),
        (4, True, 10, (1100, T + 9 * DAY_MS + 77)),
        (5, True, 10, (1100, T + 9 * DAY_MS + 77)),
        (6, True, 10, (1100, T + 9 * DAY_MS + 77)),
        (7, True, 10, (1100, T + 9 * DAY_MS + 77)),
        (8, True, 10, (1100, T + 9 * DAY_MS + 77)),
        (9, True, 10, (1100, T + 9 * DAY_MS + 77)),
        (10, True, 10, (1100, T + 9 * DAY_MS + 77)),
    ],
)
def test_user_states(version: int, knows_again: bool, most_alike: int, archived: tuple[int, int]):
    """18 events, of which 16 recent events have let two go, 14 of them alike.

    Version 1 did not say whether an item had come before; until version 2 all that were alike taught others; until
    version 3 no digests were kept, so those of entries that are not released are all that can be known; until version
    4 nobody asked which were a user's first of their kind; until version 5 there were no searches, until version 6 no
    impressions, until version 7 nothing of contexts, until version 8 no profiles, and until version 9 no ratings.
    """
    state = user_state.decode(read(f"user-state-{version}"))

    in_contexts = (0, 2**56 - 1) if version >= 8 else ()
    at_home = (0, 0, 3) if version >= 9 else ()
    assert state.version == user_state.VERSION
    assert state.recent_events == [
        Entry(T + 8 * DAY_MS, "e3", "i1", 2, 19.99, offset=2, arrival=2, again=knows_again, is_first=version >= 5),
        Entry(
            *(T + 8 * DAY_MS + 5, "e4", "é", 0, None),
            offset=11,
            arrival=3,
            contexts=in_contexts,
            of_profile=at_home,
        ),
        Entry(T + 9 * DAY_MS, "f0", "i3", 0, None, offset=12, arrival=4),
        *(
            Entry(T + 9 * DAY_MS + n, f"f{n}", "i3", 0, None, 12 + n, 4 + n, knows_again, teaches=n < most_alike)
            for n in range(1, 13)
        ),
        Entry(
            *(T + 9 * DAY_MS + 13, "f13", "i3", 0, None, 25, 17, knows_again),
            teaches=most_alike > 13,
            rating=4500 if version >= 10 else None,
        ),
    ]
    assert state.ratings == ((3, -7250) if version >= 10 else (0, 0))
    assert state.weekly_counts == [
        WeeklyCount(2810, "i1", (1, 0, 0), T),
        WeeklyCount(2810, "i2", (0, 1, 0), T + 1000),
        WeeklyCount(2811, "i1", (0, 0, 1), T + 8 * DAY_MS),
        WeeklyCount(2811, "é", (1, 0, 0), T + 8 * DAY_MS + 5),
        WeeklyCount(2812, "i3", (14, 0, 0), T + 9 * DAY_MS + 13),
    ]
    assert (state.first_week, state.counts, state.first_ms) == (-1, (16, 1, 1), T)
    searched = {3: 8} if version >= 6 else {}
    shown = {4: 31} if version >= 7 else {}
    declared = {5: 2} if version >= 9 else {}
    assert (state.offsets, state.arrivals, state.released) == (
        {0: 25, 1: 4, 2: 2} | searched | shown | declared,
        18 + 2 * len(searched) + 2 * len(shown),
        {},
    )
    assert state.recent_searches == (
        [SearchEntry(T + 9 * DAY_MS, "q2", "cheaper", "é", 8, 19, in_contexts)] if searched else []
    )
    assert state.pending_searches == ([SearchEntry(T, "q1", "Wasserkocher für 2", None, 7, 18)] if searched else [])
    assert state.recent_impressions == (
        [ImpressionEntry(T + 9 * DAY_MS, "s2", ["é", "i3"], [1, -1], 31, 21, b"\0\x3c\0\xbc")] if shown else []
    )
    assert state.pending_impressions == ([ImpressionEntry(T, "s1", ["i1", "i2"], [0, 7], 30, 20)] if shown else [])
    counted = [
        ShownCount(19675, "i1", 1, 100, T),
        ShownCount(19675, "i2", 1, 20, T),
        ShownCount(19684, "i3", 11, 700, T + 9 * DAY_MS),
        ShownCount(19684, "é", 1, 71, T + 9 * DAY_MS),
    ]
    assert state.newest_week_shown == ((2812, 1) if version >= 9 else (-1, 0))
    assert (state.shown_counts, state.first_shown_period, state.uncounted_shown) == (
        (counted, 19674, (19684, 3)) if shown else ([], -1, (-1, 0))
    )
    assert state.pending == [
        Entry(T, "e1", "i1", 0, None, 10, 0, is_first=version >= 5),
        Entry(T + 1000, "e2", "i2", 1, 2.5, 4, 1, is_first=version >= 5),
    ]
    assert (state.recent_ids, (state.n_archived, state.received_ms)) == (LEFT, archived)
    profile = ProfileEntry(T + DAY_MS, ["Jazz", "für Kinder"], "de-AT", 1988, (0, 0, 3))
    assert state.profile == (profile if version >= 9 else None)


def test_all_versions_of_a_user_state_hold_the_same_facts():
    """The files are of the same events, so all say the same, but for the searches, impressions, contexts, profile and
    ratings of the last."""
    states = [user_state.decode(read(f"user-state-{version}")) for version in range(1, 11)]
    nothing = {
        **{"recent_searches": [], "recent_impressions": [], "shown_counts": [], "first_shown_period": -1},
        **{"profile": None, "ratings": (0, 0)},
    }

    def without(state: user_state.UserState) -> user_state.UserState:
        events = [msgspec.structs.replace(entry, contexts=(), rating=None) for entry in state.recent_events]
        return msgspec.structs.replace(state, recent_events=events, **nothing)

    assert len({user_state.facts(without(state)) for state in states}) == 1


def test_digests_of_events():
    """Two that were archived after 1,024 others: of e0 and é. What is kept of an id is the same for good."""
    assert seen.decode(read("seen-1")) == Chunk(1, 1024, T, seen.digest_of("e0") + seen.digest_of("é"))
    assert (seen.digest_of("e1") + seen.digest_of("e2")) == LEFT


CAME = [(T, 2**64 - 1), (T + 3_600_000, 42)]


@pytest.mark.parametrize(
    ("version", "repeats", "users", "first"),
    [
        (1, 0, [], ([], None)),
        (2, 1, CAME, ([], None)),
        (3, 1, CAME, ([1.0, 1.0], T)),
        (4, 1, CAME, ([1.0, 1.0], T)),
        (5, 1, CAME, ([1.0, 1.0], T)),
        (6, 1, CAME, ([1.0, 1.0], T)),
        (7, 1, CAME, ([1.0, 1.0], T)),
    ],
)
def test_item_states(version: int, repeats: int, users: list[tuple[int, int]], first: tuple[list[float], int | None]):
    """A view, a purchase an hour later, and a correction of a pair.

    Version 1 did not know who had come, version 2 not that the view was its user's first event, version 3 nothing of
    searches, version 4 nothing of impressions, version 5 nothing of contexts, and version 6 nothing of ratings.
    """
    state = item_state.decode(read(f"item-state-{version}"))

    assert (state.version, state.counts, state.repeats) == (version, (1, 0, 1), repeats)
    assert state.sums == [1 + 2 ** -(1 / hours) for hours in (1, 6, 24, 72, 168, 720, 2160)]
    assert (state.first_ms, state.last_ms) == (T, T + 3_600_000)
    assert state.predecessors == {"i2": 11, "i3": 4, "é": 11}
    assert state.watermarks == {1: 9, 48: 7, 50: 5}
    assert visits.decode(state.visits).tolist() == users
    assert (state.first_sums, state.last_first_ms) == first
    assert state.queries == ({5: (8, 8.0, T), 2**56 - 1: (-1, -0.25, T + DAY_MS)} if version >= 4 else {})
    shown, chosen = ([9, 0, 0, 0, 0, 2**53, 0, 1], [2, 0, 0, 0, 0, 0, 0, -1]) if version >= 5 else ([], [])
    assert (state.shown, state.chosen) == (shown, chosen)
    assert state.contexts == ({3 * 2**40: (2, 1.5, T + 9), 3 * 2**40 + 1: (1, 1.0, T)} if version >= 6 else {})
    assert state.ratings == ((2, 9500) if version >= 7 else (0, 0))


WHO = (2**64 - 1, 42)


@pytest.mark.parametrize(
    ("version", "users", "again"),
    [
        (1, (0, 0), False),
        (2, WHO, True),
        (3, WHO, True),
        (4, WHO, True),
        (5, WHO, True),
        (6, WHO, True),
        (7, WHO, True),
        (8, WHO, True),
    ],
)
def test_signals(version: int, users: tuple[int, int], again: bool):
    """Two events and a correction.

    Version 1 did not say who came, nor whether again; 3 can have a visitor erased; 4 says of the first event that it is
    its user's first; 5 says which queries an event answers; 6 says where an item was shown and chosen; 7 in
    which contexts it was come to; 8 how it was rated.
    """
    answered = [(5, T, 8), (2**56 - 1, T, 8)] if version >= 5 else []
    chosen = [(0, 1), (7, -1)] if version >= 6 else []
    assert signals.decode(read(f"signals-{version}")) == [
        Signal(
            *("i1", 0, 3, 7, T, [("i2", 12), ("é", 11)], users[0]),
            is_first=version >= 4,
            answers=answered,
            chosen=chosen,
            contexts=[3 * 2**40 + 1, 2**56 - 1] if version >= 7 else [],
            rating=-4500 if version >= 8 else None,
        ),
        Signal("i1", 2, 3, 5, T + 3_600_000, [("i2", -1)], users[1], again),
        Signal("i1", 1, 0, 9, None, [("i3", 4)]),
        *([Signal("i1", 0, 3, 2, visitor=42, erases=True)] if version >= 3 else []),
        *([Signal("i2", 3, 3, 1, answers=[(5, T, -2)])] if version >= 5 else []),
        *([Signal("é", 4, 3, 31, shown=1), Signal("i3", 4, 3, 31, chosen=[(0, -1)])] if version >= 6 else []),
    ]


@pytest.mark.parametrize(("version", "identities"), [(1, ("minilm@abc",)), (2, ("minilm@abc", "häshing@1"))])
def test_an_embedding(version: int, identities: tuple[str, ...]):
    """Unit vectors in half precision; version 1 had one."""
    embedding = item_embedding.decode(read(f"embedding-{version}"))

    assert (embedding.identities, embedding.content_hash) == (identities, bytes(range(16)))
    expected = [[0.6, -0.8, 0.0], [0.8, 0.6]][:version]
    assert [one.vector.tolist() for one in embedding.vectors] == [pytest.approx(one, abs=5e-4) for one in expected]


@pytest.mark.parametrize(
    ("name", "alone"),
    [
        ("1-mixtures", [(0, 0), (0, 0), (0, 0), (0, 0)]),
        ("2", [(-0.5, 4), (0, 0), (0, 0), (0, 0)]),
        ("3", [(-0.5, 4), (0.75, 5), (0, 0), (0, 0)]),
        ("4", [(-0.5, 4), (0.75, 5), (-1.5, 6), (0, 0)]),
        ("5", [(-0.5, 4), (0.75, 5), (-1.5, 6), (2.5, 7)]),
        ("6", [(-0.5, 4), (0.75, 5), (-1.5, 6), (2.5, 7)]),
        ("7", [(-0.5, 4), (0.75, 5), (-1.5, 6), (2.5, 7)]),
        ("7-unrated", [(-0.5, 4), (0.75, 5), (-1.5, 6), (2.5, 7)]),
    ],
)
def test_a_contribution(name: str, alone: list[tuple[float, float]]):
    """17 weights, and the sums beside them: five records, which are of either sign, and eight counts.

    Version 1 had no expert for what was asked, which has one of the weights, version 2 none for what was shown, version
    3 none for contexts, version 4 none for interests, version 5 nothing of an app's own types, and version 6 no
    ratings.
    """
    contribution = read_contribution(read(f"contribution-{name}"))

    assert contribution.n_outcomes == (0 if name in {"1-mixtures", "2"} else 40)
    of_mixtures = [0.5, -0.25, 0, 1, 2, -3, 0.125, 7, 8, 9, 10, 11, -12]
    assert contribution.shift.tolist() == [*of_mixtures, *(shift for shift, _ in alone)]
    assert contribution.squares.tolist() == pytest.approx(
        [1e-6, 0.5, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, *(square for _, square in alone)]
    )
    assert contribution.sums.tolist() == [-1.5, -2.5, -3.5, -0.25, -0.5, 0, 1, 2, 3, 4, 5, 6, 7]
    assert contribution.n_choices == 321
    actions = {action: (each.log_factor, each.squares, each.n) for action, each in contribution.actions.items()}
    assert actions == ({"played": (-0.5, 2.25, 9), "wished": (0.25, 1.0, 4)} if name[0] in "67" else {})
    assert contribution.ratings.n_ratings == (3 if name == "7" else 0)
    x = np.arange(WIDTH) / 8 if name == "7" else np.zeros(WIDTH)
    assert (contribution.ratings.moments == np.outer(x, np.append(x, -2.5))).all()


@pytest.mark.parametrize(
    ("of", "message"), [(merge.fingerprint(SMALL), "of a head with other features"), (FINGERPRINT, "expected")]
)
def test_a_contribution_to_a_head_of_before(of: bytes, message: str):
    """One network, one expert for fresh items, other features: what it had learned has no place in this head.

    Its fingerprint tells, and were that the same, its length.
    """
    with pytest.raises(MalformedContribution, match=message):
        merge.decode(read("contribution-1"), SMALL, of)


def test_a_move():
    """64 steps of 1/64 from -0.5: half precision holds them exactly."""
    assert factors.decode(read("shift-1")).tolist() == [n / 64 - 0.5 for n in range(64)]


OWNER = b"\0owner1\xff"


def test_a_marker_of_a_forgotten_user():
    """The request stood at 4; a new generation begins at 7 of `views`, at 0 of `clicks`, far on in `purchases`."""
    assert forgotten.decode(read("forgotten-1")) == Forgotten(1, offset=4, begins={0: 7, 1: 0, 2: 2**40})


def test_a_claim():
    """The 129th of a partition: its key is that of the first, which it replaces."""
    claim = changelog.claim_of(read("claim-1"))

    assert claim == Claim(129, OWNER)
    assert claim.key == b"\0claim\x001"
    assert Claim(0, OWNER).key == b"\0claim\0mark"


def test_what_a_database_says_of_itself():
    """The changelog is in it up to 17, written under the claim at 3."""
    assert database.read_meta(read("meta-1")) == Meta(1, 17, 3, 2, OWNER, T)


def test_a_receipt():
    """For apps, in JSON: fields may come, none may go or change."""
    receipt = msgspec.json.decode(read("receipt"), type=Receipt)

    assert receipt == Receipt("3/17", T, n_events=18, n_items=4)
    assert msgspec.json.encode(receipt) == read("receipt")


@pytest.mark.parametrize(
    ("name", "again"),
    [
        (f"user-state-{user_state.VERSION}", lambda data: user_state.encode(user_state.decode(data))),
        (f"item-state-{item_state.VERSION}", lambda data: item_state.encode(item_state.decode(data))),
        (f"seen-{seen.VERSION}", lambda data: seen.encode(seen.decode(data))),
        (f"signals-{signals.VERSION}", lambda data: signals.encode(signals.decode(data))),
        (f"embedding-{item_embedding.VERSION}", lambda data: item_embedding.encode(item_embedding.decode(data))),
        (f"contribution-{merge.VERSION}", lambda data: merge.encode(read_contribution(data), FINGERPRINT)),
        (f"shift-{factors.VERSION}", lambda data: factors.encode(factors.decode(data))),
        (f"forgotten-{forgotten.VERSION}", lambda data: forgotten.encode(forgotten.decode(data))),
        (f"claim-{changelog.VERSION}", lambda data: changelog.claim_of(data).value),
        (f"meta-{database.META_VERSION}", lambda data: msgspec.msgpack.encode(database.read_meta(data))),
    ],
)
def test_the_present_version_is_written_as_ever(name: str, again: Callable[[bytes], bytes]):
    """The same value gives the same bytes: whoever changes a format counts its version up."""
    assert again(read(name)) == read(name)


NEWER = (
    (user_state.decode, "user-state", user_state.VERSION, 3),
    (item_state.decode, "item-state", item_state.VERSION, 3),
    (seen.decode, "seen", seen.VERSION, 1),
    (signals.decode, "signals", signals.VERSION, 1),
    (item_embedding.decode, "embedding", item_embedding.VERSION, 0),
    (read_contribution, "contribution", merge.VERSION, 0),
    (factors.decode, "shift", factors.VERSION, 0),
    (forgotten.decode, "forgotten", forgotten.VERSION, 1),
    (changelog.claim_of, "claim", changelog.VERSION, 0),
    (database.read_meta, "meta", database.META_VERSION, 1),
)
"""Decoder, file, version, and at which byte that stands: behind the length of a msgpack list, 3 bytes from 16 on, or
first."""


@pytest.mark.parametrize(("decode", "name", "version", "at"), NEWER, ids=[name for _, name, _, _ in NEWER])
def test_the_next_version_is_refused(decode: Callable[[bytes], Any], name: str, version: int, at: int):
    """A program must not guess at what a newer one wrote; the message says what to do."""
    data = bytearray(read(f"{name}-{version}"))
    assert data[at] == version
    data[at] += 1

    with pytest.raises(StateVersionError, match=rf"version {version + 1}, this program reads up to {version}: update"):
        decode(bytes(data))


@pytest.mark.parametrize(("decode", "name", "version", "at"), NEWER, ids=[name for _, name, _, _ in NEWER])
def test_the_next_version_is_refused_whatever_else_is_in_it(
    decode: Callable[[bytes], Any], name: str, version: int, at: int
):
    """Its other fields may mean anything: the version alone decides, and it is what the message speaks of."""
    tail = ["fields", {"of": "another"}, [b"kind"]]
    data = msgspec.msgpack.encode([version + 1, *tail]) if at else bytes([version + 1]) + msgspec.msgpack.encode(tail)

    with pytest.raises(StateVersionError, match=rf"version {version + 1}, this program reads up to {version}: update"):
        decode(data)


@pytest.mark.parametrize(("decode", "name", "version", "at"), NEWER, ids=[name for _, name, _, _ in NEWER])
def test_there_was_no_version_0(decode: Callable[[bytes], Any], name: str, version: int, at: int):
    """Bytes that happen to begin like one are refused too."""
    data = bytearray(read(f"{name}-{version}"))
    data[at] = 0
    if name == "claim":  # what cannot be read claims nothing, and stops nobody
        assert decode(bytes(data)) == changelog.UNCLAIMED
        return

    with pytest.raises((StateVersionError, MalformedEmbedding, MalformedContribution, MalformedShift)):
        decode(bytes(data))
