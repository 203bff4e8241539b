"""Features of one or two items by hand, and what holds for all of them.

Each is divided by its largest among the candidates: tests have a second item against which the first is measured.
"""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog import bpr
from stream_rec.catalog.catalog import Catalog
from stream_rec.events.interaction import Kind
from stream_rec.events.item import Item
from stream_rec.knowledge import popularity
from stream_rec.knowledge.popularity import HOUR_MS
from stream_rec.knowledge.state import ItemState
from stream_rec.ranking import features as module
from stream_rec.ranking.features import (
    CONTEXT,
    DAY_MS,
    GROUP_OF,
    GROUPS,
    HISTORY,
    INPUT_GROUP,
    INPUT_NAMES,
    INPUTS,
    LOGGED,
    NAMES,
    N,
)
from stream_rec.user.bounds import UserConfig
from stream_rec.user.history import SESSION_BREAK_MS
from stream_rec.user.state import COLD, UserState
from tests.catalog.stock import embedded, stocked, taught
from tests.catalog.whitened import whitened
from tests.ranking.worlds import features, seen
from tests.user.histories import arrivals, event_sets, folded, happened

NOW_MS = 1_700_000_000_000
ROOM = UserConfig(recent_events=64, weekly_counts=512)


def viewer(*events: tuple[int, str]):
    """Return the state of a user who viewed items so long ago, in milliseconds."""
    return folded(
        arrivals([happened(NOW_MS - ago, item, event_id=f"e{n}") for n, (ago, item) in enumerate(events)]), ROOM
    )


def test_every_feature_has_a_name_and_a_group():
    """Names are what code refers to features by: none stands there twice."""
    assert len(set(NAMES)) == len(NAMES) == N == len(GROUP_OF)
    assert len(INPUT_NAMES) == len(INPUT_GROUP) == INPUTS
    assert {NAMES[place] for place in LOGGED}.isdisjoint(module.NOT_AMOUNTS)
    assert set(NAMES) >= module.NOT_AMOUNTS
    for name, group in zip(NAMES, GROUP_OF):
        assert name in GROUPS[tuple(GROUPS)[group]]


def test_popularity_is_the_decayed_number_of_events():
    """a was seen 4 and 2 hours ago, b 6 times now: at 1 and at 6 hours of half-life, and without any."""
    catalog = stocked("a", "b")
    catalog.put_knowledge("a", taught(NOW_MS - 4 * HOUR_MS, NOW_MS - 2 * HOUR_MS))
    catalog.put_knowledge("b", taught(*[NOW_MS] * 6))
    found = features(COLD, catalog, NOW_MS)

    assert found["b"]["popularity_1h"] == found["b"]["popularity"] == 1
    assert found["a"]["popularity_1h"] == pytest.approx((2**-4 + 2**-2) / 6, rel=1e-4)
    assert found["a"]["popularity_6h"] == pytest.approx((2 ** (-4 / 6) + 2 ** (-2 / 6)) / 6, rel=1e-4)
    assert found["a"]["popularity"] == pytest.approx(2 / 6)


def test_ages_fade_from_the_first_and_the_last_event():
    """a appeared 2 days ago and was seen a day ago; b appeared now."""
    catalog = stocked("a", "b")
    catalog.put_knowledge("a", taught(NOW_MS - 2 * DAY_MS, NOW_MS - DAY_MS))
    catalog.put_knowledge("b", taught(NOW_MS))
    a = features(COLD, catalog, NOW_MS)["a"]

    assert a["age_6h"] == pytest.approx(np.exp(-8))
    assert a["age_2d"] == pytest.approx(np.exp(-1))
    assert a["age_14d"] == pytest.approx(np.exp(-1 / 7))
    assert a["seen_1h_ago"] == pytest.approx(np.exp(-24))
    assert a["seen_1d_ago"] == pytest.approx(np.exp(-1))
    assert a["seen_7d_ago"] == pytest.approx(np.exp(-1 / 7))


def test_first_choices_are_popularity_among_users_first_events():
    """a was nobody's first item, b that of two a week apart, c of one: by half-life, the newest item's largest."""
    week_ms = 7 * 24 * HOUR_MS
    catalog = stocked("a", "b", "c")
    catalog.put_knowledge("a", taught(*[NOW_MS] * 9))
    catalog.put_knowledge("b", taught(NOW_MS - week_ms, NOW_MS, first_ms=(NOW_MS - week_ms, NOW_MS)))
    catalog.put_knowledge("c", taught(NOW_MS - week_ms, NOW_MS, first_ms=(NOW_MS - week_ms,)))
    found = features(COLD, catalog, NOW_MS)

    assert [found["a"][name] for name in ("first_choice_168h", "first_choice_2160h")] == [0.0, 0.0]
    assert [found["b"][name] for name in ("first_choice_168h", "first_choice_2160h")] == pytest.approx([1.0, 1.0])
    left = 2 ** -(7 / 90)
    assert found["c"]["first_choice_168h"] == pytest.approx(0.5 / 1.5)
    assert found["c"]["first_choice_2160h"] == pytest.approx(left / (1 + left))
    catalog.put_knowledge("b", ItemState())
    assert features(COLD, catalog, NOW_MS)["b"]["first_choice_168h"] == 0.0


def test_rates_are_shares_of_the_events():
    """Of a's eight events two were clicks, two purchases, three repeats; rates of few events are drawn to 0."""
    catalog = stocked("a", "b")
    sums, last_ms = popularity.add([], None, NOW_MS)
    catalog.put_knowledge(
        "a", ItemState(counts=(4, 2, 2), sums=sums, first_ms=NOW_MS, last_ms=last_ms, repeats=3, version=2)
    )
    catalog.put_knowledge("b", ItemState(counts=(0, 5, 0), sums=sums, first_ms=NOW_MS, last_ms=last_ms, repeats=5))
    found = features(COLD, catalog, NOW_MS)

    assert (found["a"]["conversion"], found["b"]["conversion"]) == (0.5, 1.0)
    assert found["a"]["repeat_rate"] == pytest.approx((3 / 11) / (5 / 8))


def test_unseen_and_few_events_are_what_they_say():
    """No event at all; fewer than five."""
    catalog = stocked("none", "few", "many")
    catalog.put_embedding("none", embedded([1, 0]))
    catalog.put_knowledge("few", taught(*[NOW_MS] * 4))
    catalog.put_knowledge("many", taught(*[NOW_MS] * 5))
    found = features(viewer((5, "few")), catalog, NOW_MS)

    assert {i: (f["unseen"], f["few_events"]) for i, f in found.items()} == {
        "none": (1, 0),
        "few": (0, 1),
        "many": (0, 0),
    }
    trending = [found["none"][name] for name in (*GROUPS["trending"], "age_6h", "age_60d")]
    assert trending == [0] * len(trending)


def test_an_event_later_than_now_counts_as_if_it_were_now():
    """A replay asks at its own time; the catalog may be ahead."""
    catalog = stocked("a", "b")
    catalog.put_knowledge("a", taught(NOW_MS + DAY_MS))
    catalog.put_knowledge("b", taught(NOW_MS))
    found = features(COLD, catalog, NOW_MS)

    assert found["a"]["popularity_1h"] == found["a"]["seen_1h_ago"] == found["a"]["age_6h"] == 1
    assert found["b"]["popularity_1h"] == pytest.approx(1)


def test_successors_by_share_and_by_what_their_popularity_would_give():
    """b came after a in 3 of 4 pairs, c in 1; b led to a in all of its 2. The user's last item is a."""
    catalog = stocked("a", "b", "c")
    catalog.put_knowledge("a", taught(NOW_MS, predecessors={"b": 2}))
    catalog.put_knowledge("b", taught(NOW_MS, predecessors={"a": 3, "gone": 9}))
    catalog.put_knowledge("c", taught(NOW_MS, predecessors={"a": 1}))
    found = features(viewer((5, "a")), catalog, NOW_MS)

    assert (found["b"]["follows_last"], found["c"]["follows_last"]) == (1, pytest.approx(1 / 3))
    assert found["c"]["follows_recent"] == pytest.approx(1 / 3)
    assert (found["b"]["precedes_last"], found["c"]["precedes_last"]) == (1, 0)
    b, c = 0.75 / np.sqrt(1 + 12 + 2), 0.25 / np.sqrt(1 + 1 + 0)
    assert found["c"]["follows_recent_cosine"] == pytest.approx(c / max(b, c), rel=1e-5)
    assert found["b"]["follows_recent_cosine"] == pytest.approx(b / max(b, c), rel=1e-5)


def test_text_is_the_cosine_with_the_last_item_and_with_the_taste():
    """Of whitened vectors, each space by itself; opposite directions stay below 0. What has no second one has 0."""
    catalog = stocked("a", "b", "c")
    first, second = np.array([[1, 0], [1, 1], [-1, 0]]) / [[1], [np.sqrt(2)], [1]], np.eye(2)
    for item_id, vector, other in zip("abc", first, [*second, None]):
        catalog.put_embedding(item_id, embedded(vector, second=other))
    found = features(viewer((5, "a")), catalog, NOW_MS)
    a, b, c = whitened(first)
    near, far = whitened(second)

    assert [found[i]["text1_last"] for i in "abc"] == pytest.approx([1, b @ a, c @ a], abs=1e-3)
    assert [found[i]["text1_taste"] for i in "abc"] == pytest.approx([1, b @ a, c @ a], abs=1e-3)
    assert [found[i]["text2_last"] for i in "abc"] == pytest.approx([1, far @ near, 0], abs=1e-3)
    assert found["c"]["text1_last"] < -0.9 and found["c"]["text2_taste"] == 0


def test_what_items_bring_is_compared_like_texts_and_said_to_lack():
    """An item without an image is told apart from one whose image is at a right angle."""
    catalog = Catalog(("image",))
    first = np.array([[1, 0], [1, 1], [-1, 0]]) / [[1], [np.sqrt(2)], [1]]
    for item_id, vector in zip("abc", first):
        catalog.put_item(Item(item_id, vectors={"image": vector.tolist()}))
    catalog.put_item(Item("d"))
    for item_id in "abcd":
        catalog.put_knowledge(item_id, taught(NOW_MS))
    found = features(viewer((5, "a")), catalog, NOW_MS)
    a, b, c = whitened(first)

    assert [found[i]["vector1_last"] for i in "abcd"] == pytest.approx([1, b @ a, c @ a, 0], abs=1e-3)
    assert [found[i]["lacks_vector1"] for i in "abcd"] == [0, 0, 0, 1]
    assert not any(found[i][name] for i in "abcd" for name in ("text1_last", "vector2_last", "lacks_vector2"))


def test_own_items_by_number_and_time():
    """a twice, 14 days and 1 day ago; b once, now; c was never had."""
    catalog = stocked("a", "b", "c")
    catalog.put_knowledge("c", taught(NOW_MS))
    found = features(viewer((14 * DAY_MS, "a"), (DAY_MS, "a"), (0, "b")), catalog, NOW_MS)
    a, b, c = found["a"], found["b"], found["c"]

    assert (a["own_count"], b["own_count"]) == (1, pytest.approx(np.log(2) / np.log(3)))
    assert (a["own_1d_ago"], b["own_1d_ago"]) == (pytest.approx(np.exp(-1)), 1)
    assert a["own_14d_ago"] == pytest.approx(np.exp(-1 / 14))
    assert (a["own_place"], b["own_place"]) == (0.5, 1)
    assert (a["own"], b["own"]) == (1, 1)
    assert [c[name] for name in GROUPS["repeat"]] == [0] * len(GROUPS["repeat"])


def test_how_long_ago_the_user_had_an_item_is_not_divided():
    """The only own item of 14 days ago is not one of today, however old all others are."""
    catalog = stocked("a", "c")
    catalog.put_knowledge("c", taught(NOW_MS))
    a = features(viewer((14 * DAY_MS, "a")), catalog, NOW_MS)["a"]

    assert a["own_1d_ago"] == pytest.approx(np.exp(-14), rel=1e-3)
    assert (a["own_14d_ago"], a["own_60d_ago"]) == (pytest.approx(np.exp(-1)), pytest.approx(np.exp(-14 / 60)))
    assert a["own_count"] == 1


def test_own_order_counts_the_orders_since():
    """c and d were one order, b the one before, a before that; of a only the last time counts."""
    catalog = stocked("a", "b", "c", "d", "e")
    catalog.put_knowledge("e", taught(NOW_MS))
    ago = [(9, "b"), (8, "a"), (2, "b"), (1, "c"), (1, "d")]
    found = features(viewer(*((days * DAY_MS, item) for days, item in ago)), catalog, NOW_MS)

    expected = {"a": 1 / 3, "b": 1 / 2, "c": 1, "d": 1, "e": 0}
    assert {item_id: f["own_order"] for item_id, f in found.items()} == pytest.approx(expected)


def test_an_order_of_what_cannot_be_listed_counts_too():
    """After b came x, which is gone, and a. What the catalog never heard of, z, has no row and does not count."""
    catalog = stocked("a", "b", "x")
    catalog.put_item(Item("x", available=False))
    found = features(viewer((4, "b"), (3, "x"), (2, "z"), (1, "a")), catalog, NOW_MS)

    assert {item_id: f["own_order"] for item_id, f in found.items()} == pytest.approx({"a": 1, "b": 1 / 3})


def test_affinity_is_that_of_the_users_own_items():
    """The user had a, at 2, and is compared with b, at 0, five times; c is between them, and so is the average."""
    catalog = stocked("a", "b", "c")
    for row, at in enumerate([2.0, 0.0, 1.0]):
        catalog.factors.vectors[row] = 0
        catalog.factors.vectors[row, 5] = at
    catalog.put_knowledge("b", taught(NOW_MS))
    catalog.put_knowledge("c", taught(NOW_MS))
    catalog.factors.choose(np.array([1] * bpr.LEAST_POOL))
    p = 0.0
    for _ in range(bpr.NEGATIVES):
        p += bpr.RATE * (2 / (1 + np.exp(2 * p)) - bpr.REGULARIZATION * p)
    a, b, c = (1 / (1 + np.exp(mean - margin)) for mean, margin in ((p, 2 * p), (p, 0), (p, p)))
    found = features(viewer((5, "a")), catalog, NOW_MS)

    assert {item_id: f["affinity"] for item_id, f in found.items()} == pytest.approx({"a": 1, "b": b / a, "c": c / a})
    assert {f["affinity"] for f in features(COLD, catalog, NOW_MS).values()} == {0}


def test_an_item_is_due_when_its_usual_gap_has_passed():
    """a was had three times with 7 days between, the last 7 days ago; b's usual gap was 14 days, of which 7 passed.

    A second is added to each gap, so that two events of one time have one.
    """
    catalog = stocked("a", "b", "c")
    user = viewer(
        *((weeks * 7 * DAY_MS, "a") for weeks in (3, 2, 1)),
        *((weeks * 7 * DAY_MS, "b") for weeks in (3, 1)),
        (0, "c"),
    )
    found = features(user, catalog, NOW_MS)

    assert found["a"]["own_due"] == 1
    assert found["b"]["own_due"] == pytest.approx(np.exp(-0.5), rel=1e-3)
    assert found["c"]["own_due"] == 0


def test_own_repeat_rate_is_the_items_where_the_user_had_it():
    """Of others' items it says nothing."""
    catalog = stocked("a", "b")
    catalog.put_knowledge("a", taught(*[NOW_MS] * 5, repeats=2))
    catalog.put_knowledge("b", taught(*[NOW_MS] * 5, repeats=4))
    found = features(viewer((5, "a")), catalog, NOW_MS)

    assert (found["a"]["repeat_rate"], found["b"]["repeat_rate"]) == (0.5, 1)
    assert (found["a"]["own_repeat_rate"], found["b"]["own_repeat_rate"]) == (1, 0)


def test_own_category_repeat_rate_is_the_categorys_where_the_user_had_the_item():
    """Of four items that the user had, one is of a category where half is repeated, two of another, one of none."""
    catalog = Catalog()
    for item_id, category, n_events, repeats in (
        *(("milk", "food", 1, 0), ("tea", "food", 79, 40), ("lamp", "home", 80, 0), ("rug", "home", 80, 0)),
        ("odd", "", 1, 0),
    ):
        catalog.put_item(Item(item_id, category=category))
        catalog.put_knowledge(item_id, taught(*[NOW_MS] * n_events, repeats=repeats))
    found = features(viewer((5, "milk"), (4, "lamp"), (3, "rug"), (2, "odd")), catalog, NOW_MS)
    usual = 20 * 40 / 241

    assert found["milk"]["own_category_repeat_rate"] == pytest.approx(1)
    assert found["tea"]["own_category_repeat_rate"] == 0
    for item_id, rate in (("lamp", usual / 180), ("rug", usual / 180), ("odd", 0.0)):
        of_milk = (40 + usual) / 100
        assert found[item_id]["own_category_repeat_rate"] == pytest.approx(rate / of_milk, rel=1e-5)


def scaled(*rows: list[float]) -> np.ndarray:
    """Return the inputs after scaling: the first features as given, the rest 0."""
    items = np.zeros((len(rows), INPUTS), dtype=np.float32)
    for place, row in enumerate(rows):
        items[place, : len(row)] = row
    module._scale(items)
    return items


def test_the_largest_of_each_feature_is_one():
    """By size; zeros stay zeros, and logarithms of amounts go from 0 to 1 too."""
    with np.errstate(invalid="ignore"):  # no amount is below 0
        items = scaled([4.0, 0.0, 1e-6], [1.0, 0.0, 3e-6], [-8.0, 0.0, 0.0])

    assert items[:, 0].tolist() == [0.5, 0.125, -1.0]
    assert items[:, 1].tolist() == [0, 0, 0]
    assert items[:, 2] == pytest.approx([1 / 3, 1, 0])
    logarithm = N + LOGGED.tolist().index(2)
    assert items[:, logarithm] == pytest.approx([np.log1p(50 / 3) / np.log(51), 1, 0], abs=1e-4)


@pytest.mark.parametrize("size", [0.0, 1e-45, 1e-40, 1e-38, 1e-30, 1e-20, 1e-19, 1e19, 1e38])
def test_no_size_of_a_feature_gives_infinities(size):
    """1 over the smallest float32 is infinite, and infinity times 0 is not a number: what is tiny counts as absent."""
    items = scaled([size], [0.0], [size / 2])

    assert np.isfinite(items).all()
    assert np.abs(items).max() <= 1 + 1e-6
    assert items[0, 0] == (pytest.approx(1) if size > 1e-20 else 0)


def test_long_forgotten_items_do_not_disturb():
    """Of 20 years ago: decayed to 2 ** -175200, less than any number."""
    catalog = stocked("a")
    catalog.put_knowledge("a", taught(NOW_MS))
    found = features(viewer((5, "a")), catalog, NOW_MS + 20 * 365 * DAY_MS)["a"]

    assert (found["popularity_1h"], found["popularity"], found["own"]) == (0, 1, 1)
    assert all(np.isfinite(value) for value in found.values())


@pytest.mark.parametrize(
    ("n_events", "length"), [(0, 0), (1, 1), (4, 1), (5, 2), (19, 2), (20, 3), (500, 3)], ids=lambda n: str(n)
)
def test_the_length_of_history_is_one_of_four(n_events, length):
    """No events, fewer than 5, fewer than 20, more; the context says the same."""
    catalog = stocked("a")
    _, _, made = seen(viewer(*((n, "a") for n in range(n_events))), catalog, NOW_MS)

    assert made.history == length
    assert made.context[: len(HISTORY) + 1].tolist() == [float(n == length) for n in range(4)]
    assert made.context.shape == (CONTEXT,)


def context_of(user: UserState, catalog: Catalog, now_ms: int = NOW_MS) -> dict[str, list[float]]:
    """Return what is known of a user, by name."""
    _, _, made = seen(user, catalog, now_ms)
    sizes = {"history": 4, "amounts": 6, "last_kind": 3, "session": 1, "repeat": 1, "idle": 7}
    parts = np.split(made.context, np.cumsum(list(sizes.values())))
    assert len(parts[-1]) == 0 and len(made.context) == CONTEXT
    return {name: part.tolist() for name, part in zip(sizes, parts)}


def test_the_context_is_the_user():
    """Four events in groups of two, the last a second ago; one of the four was a repeat, where half are among all."""
    catalog = stocked("a", "b", "c")
    catalog.put_knowledge("c", taught(*[NOW_MS] * 95, repeats=49))
    found = context_of(viewer((5000, "a"), (5000, "b"), (1000, "a"), (1000, "c")), catalog)

    assert found["history"] == [0, 1, 0, 0]
    assert found["amounts"] == pytest.approx(
        [np.log(5) / 5, 1, (1 + 2 * 0.5) / (4 + 2), np.log(2) / 15, np.log(3) / 4, np.log(3) / 4], rel=1e-5
    )
    assert (found["last_kind"], found["repeat"]) == ([1, 0, 0], [0])
    assert found["session"] == pytest.approx([np.log(5) / 3])


@pytest.mark.parametrize("kind", list(Kind))
def test_the_context_has_the_kind_of_the_last_event(kind):
    """After a purchase other things are wanted than after a view; earlier kinds are not in it."""
    events = [happened(NOW_MS - 9000, "a", Kind.CLICK), happened(NOW_MS - 5000, "b", kind)]
    found = context_of(folded(arrivals(events), ROOM), stocked("a", "b"))

    assert found["last_kind"] == [float(each == kind) for each in Kind]


def test_the_context_says_whether_the_last_event_was_a_repeat():
    """Of the newest event alone."""
    catalog = stocked("a", "b")

    assert context_of(viewer((9000, "a"), (5000, "b"), (1000, "a")), catalog)["repeat"] == [1]
    assert context_of(viewer((9000, "a"), (5000, "a"), (1000, "b")), catalog)["repeat"] == [0]


def test_a_session_that_is_over_has_no_length():
    """Where the user comes back after half an hour nothing goes on; events later than now are as if they were now."""
    catalog, user = stocked("a", "b", "c"), viewer((2000, "a"), (1000, "b"), (0, "c"))

    assert context_of(user, catalog, NOW_MS + SESSION_BREAK_MS - 1)["session"] == pytest.approx([np.log(4) / 3])
    assert context_of(user, catalog, NOW_MS + SESSION_BREAK_MS)["session"] == [0]
    assert context_of(user, catalog, NOW_MS - DAY_MS)["session"] == pytest.approx([np.log(4) / 3])


@pytest.mark.parametrize(
    ("idle_ms", "step"),
    [
        (0, 0),
        (999, 0),
        (1000, 1),
        (59_999, 1),
        (60_000, 2),
        (1_799_999, 2),
        (1_800_000, 3),
        (DAY_MS - 1, 3),
        (DAY_MS, 4),
        (7 * DAY_MS - 1, 4),
        (7 * DAY_MS, 5),
        (9999 * DAY_MS, 5),
        (-DAY_MS, 0),
    ],
)
def test_idle_time_comes_in_steps(idle_ms, step):
    """A second, a minute, half an hour, a day, a week: one of them is the user's."""
    found = context_of(viewer((0, "a")), stocked("a"), NOW_MS + idle_ms)

    assert found["idle"] == [float(each == step) for each in range(7)]


def test_a_context_of_nobody_is_finite():
    """No events, no groups, no last time; that there is none is the last of the steps of idle time."""
    _, _, made = seen(COLD, stocked("a"), NOW_MS)
    found = context_of(COLD, stocked("a"))

    assert made.items.shape == (0, INPUTS)
    assert np.isfinite(made.context).all()
    assert (found["history"], found["idle"]) == ([1, 0, 0, 0], [0, 0, 0, 0, 0, 0, 1])
    assert [found[name] for name in ("last_kind", "session", "repeat")] == [[0, 0, 0], [0], [0]]


@settings(max_examples=100, deadline=None)
@given(
    events=event_sets(max_size=60),
    known=st.sets(st.sampled_from([f"i{n}" for n in range(12)])),
    later_ms=st.sampled_from([-(10**9), 0, 1000, 3_600_000, 4000 * DAY_MS]),
    data=st.data(),
)
def test_a_context_is_bounded_and_the_same_in_any_order(events, known, later_ms, data):
    """Whatever is known of the items; in whatever order the events came, as it is made of facts."""
    catalog, now_ms = stocked(*known), max(0, max((e.timestamp_ms for _, e in events), default=0) + later_ms)
    one, other = (folded(arrivals(each)) for each in (events, data.draw(st.permutations(events))))
    context, again = (seen(user, catalog, now_ms)[2].context for user in (one, other))

    assert context.dtype == np.float32 and np.isfinite(context).all()
    assert context.min() >= 0 and context.max() <= 3
    np.testing.assert_array_equal(context, again)


def test_the_longest_history_has_no_large_context():
    """As many events as a state can hold, of one moment, and a million before them: bounded by the logarithm."""
    config = UserConfig(recent_events=1024)
    user = folded(arrivals([happened(NOW_MS, "a", event_id=f"e{n}") for n in range(1024)]), config)
    user = msgspec.structs.replace(user, counts=(10**6, 10**6, 10**6))
    _, _, made = seen(user, stocked("a"), NOW_MS + 10_000 * DAY_MS)

    assert made.context.max() < 3


def test_what_is_kept_is_what_it_was():
    """Fresh candidates are ranked on what was scaled together with all the others."""
    catalog = stocked("a", "b")
    catalog.put_knowledge("a", taught(NOW_MS))
    catalog.put_knowledge("b", taught(NOW_MS, NOW_MS))
    _, _, made = seen(COLD, catalog, NOW_MS)
    kept = made.keep(np.array([0]))

    assert kept.items.tolist() == [made.items[0].tolist()]
    assert kept.context is made.context and kept.history == made.history


@st.composite
def worlds(draw: st.DrawFn):
    """Return a user, a catalog and a time: anything may be missing, long ago, in the future or at one time."""
    item_ids = [f"i{n}" for n in range(8)]
    catalog = stocked(*item_ids[:6])
    ages = st.sampled_from([0, 1, 1000, HOUR_MS, DAY_MS, 30 * DAY_MS, 3000 * DAY_MS, -HOUR_MS])
    for item_id in item_ids:
        times = draw(st.lists(ages, max_size=6))
        before = draw(st.dictionaries(st.sampled_from([*item_ids, "gone"]), st.integers(-3, 12), max_size=4))
        users = draw(st.dictionaries(st.sampled_from("uvw"), st.integers(0, 3), max_size=3))
        known = taught(
            *(NOW_MS - ago for ago in times),
            predecessors=before,
            repeats=draw(st.integers(0, len(times))),
            users={user_id: NOW_MS - ago for user_id, ago in users.items()},
        )
        catalog.put_knowledge(item_id, known)
        if draw(st.booleans()):
            catalog.put_embedding(item_id, embedded(draw(st.sampled_from([[1, 0], [0, 1], [-1, 0], [1, 1]]))))
    if draw(st.booleans()):
        catalog.put_item(Item("i0", available=False))
    events = draw(
        st.lists(st.tuples(ages, st.sampled_from([*item_ids, "?"]), st.sampled_from(list(Kind))), max_size=30)
    )
    user = folded(
        arrivals([happened(NOW_MS - ago, i, kind, event_id=f"e{n}") for n, (ago, i, kind) in enumerate(events)]), ROOM
    )
    return user, catalog, NOW_MS + draw(st.sampled_from([0, DAY_MS, 4000 * DAY_MS]))


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(world=worlds())
def test_every_input_is_finite_and_at_most_one(world):
    """Whatever is known or not. Amounts are never below 0, or there would be no logarithm."""
    user, catalog, now_ms = world
    candidates, _, made = seen(user, catalog, now_ms)

    assert made.items.shape == (len(candidates), INPUTS)
    assert np.isfinite(made.items).all() and np.isfinite(made.context).all()
    assert np.abs(made.items).max(initial=0) <= 1 + 1e-5
    assert made.items[:, LOGGED].min(initial=0) >= 0
    assert made.context.min() >= 0 and made.context.max() <= 3
