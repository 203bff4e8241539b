"""Simulated users and the arms that meet them."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from stream_rec.config import Settings, override
from stream_rec.embedding.item_embedding import ItemEmbedding, SpaceVector
from stream_rec.errors import FileProblem
from stream_rec.evaluation.click_through import compare_click_through, compare_expected, measure_click_through
from stream_rec.evaluation.simulated_arrivals import NO_ARRIVALS, Arrivals, plan_arrivals, split_items
from stream_rec.evaluation.simulated_choices import DAY_MS, HabitConfig, Memory, draw, find_depth
from stream_rec.evaluation.simulated_users import (
    NEVER_MS,
    SimulatedUsers,
    TasteConfig,
    build_users,
    find_popularity,
    find_tastes,
)
from stream_rec.evaluation.simulated_visits import LEAST_GAP_MS, VisitConfig, Visits, plan_visits
from stream_rec.evaluation.simulation import NOTHING, SLOT_MS, Arm, Core, ShownLists, simulate, warm_up
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.item import Item
from stream_rec.pipeline import Pipeline
from stream_rec.ranking.policy import RankingConfig

BEGIN_MS = 1_000_000_000_000
NO_HABITS = HabitConfig(position_bias=0.0, fatigue=1.0)
FIVE = Settings(ranking=RankingConfig(n=5))


def users_with(likely, repeat_share: float = 1.0) -> SimulatedUsers:
    """Return users who have had nothing, as likely to choose what they had as what they had not."""
    likely = np.asarray(likely, np.float32)
    n_users, n_items = likely.shape
    return SimulatedUsers(
        user_ids=[f"u{user}" for user in range(n_users)],
        item_ids=[f"i{item}" for item in range(n_items)],
        likely=likely,
        chosen_ms=np.full(likely.shape, NEVER_MS),
        activity=np.full(n_users, 1 / n_users),
        repeat_share=repeat_share,
        begin_ms=BEGIN_MS,
    )


def tasteful(n_users: int = 8, n_items: int = 40) -> SimulatedUsers:
    """Return users who differ, and choose a fifth of what they look at."""
    return users_with(np.random.default_rng(1).beta(0.5, 2.0, (n_users, n_items)))


class Lists:
    """A recommender of lists that are known beforehand; it writes down what it is told."""

    def __init__(self, make) -> None:
        self.make, self.told = make, []

    def recommend(self, user_id: str, now_ms: int, list_id: str) -> list[str]:
        """Return what ``make`` makes for a user number."""
        items = [f"i{item}" for item in self.make(int(user_id[1:]))]
        self.told.append(("shown", user_id, items, now_ms))
        return items

    def impress(self, impression) -> None:
        """Keep it."""
        shown = [(item.position, item.item_id) for item in impression.items]
        self.told.append(("impression", impression.user_id, shown, impression.timestamp_ms, impression.event_id))

    def learn(self, kind, event) -> None:
        """Keep it."""
        self.told.append((kind.label, event.user_id, event.item_id, event.timestamp_ms, event.event_id))

    def list_item(self, item_id) -> None:
        """Keep it."""
        self.told.append(("new", item_id))


def meet(
    recommender, users, visits, habits=NO_HABITS, *, settings=FIVE, hears=False, seed=0, arrivals=NO_ARRIVALS
) -> ShownLists:
    """Let one arm meet users, by a clock that goes by 1 ns each time it is asked."""
    clock, arm = itertools.count().__next__, Arm("one", settings, hears)
    return simulate(arm, recommender, users, visits, seed=seed, clock=clock, habits=habits, arrivals=arrivals)


def first_five(user: int) -> list[int]:
    """Return the same list for all."""
    return [0, 1, 2, 3, 4]


def test_a_list_that_is_read_whole_is_chosen_from_by_taste():
    """Without fatigue and position bias click-through is the mean of the probabilities."""
    users = tasteful()
    visits = plan_visits(users, 4000, seed=1)
    lists = meet(Lists(first_five), users, visits)
    likely = users.likely[visits.users][:, :5]
    error = float(np.sqrt((likely * (1 - likely)).sum(axis=0)).max() / len(visits))

    assert (lists.depths == 5).all()
    assert lists.is_chosen.mean(axis=0) == pytest.approx(likely.mean(axis=0), abs=4 * error)
    assert np.ptp(likely.mean(axis=0)) > 8 * error  # else any slot could be any other


@pytest.mark.parametrize("position_bias", [0.7, 1.5])
def test_slots_are_looked_at_as_position_bias_says(position_bias: float):
    """Slot k in 1 / k ** position_bias of the lists, and never one below a slot that was not."""
    visits = plan_visits(tasteful(), 4000, seed=2)
    lists = meet(Lists(first_five), tasteful(), visits, HabitConfig(position_bias=position_bias))
    expected = np.arange(1, 6) ** -position_bias
    seen = np.array(measure_click_through(lists, 40).looked_at)

    assert seen == pytest.approx(expected, abs=4 * np.sqrt(0.25 / 4000))
    assert not lists.is_chosen[np.arange(5) >= lists.depths[:, None]].any()


def test_nobody_looks_further_than_the_list():
    """However small the number that is drawn."""
    assert (find_depth(2.0**-53, 7, 0.1), find_depth(1.0, 7, 0.7), find_depth(0.5, 7, 0.0)) == (7, 1, 7)


def test_what_is_expected_is_what_is_chosen_on_average():
    """Less the luck: with habits, by slot and over all lists; so two arms are told apart by fewer visits."""
    users, habits = tasteful(), HabitConfig()
    visits = plan_visits(users, 4000, seed=1)
    lists = meet(Lists(first_five), users, visits, habits)
    error = np.sqrt(lists.expected.mean(axis=0) / len(visits))

    assert lists.expected[0] == pytest.approx(users.likely[visits.users[0], :5] * np.arange(1, 6) ** -0.7)
    assert (np.abs(lists.expected.mean(axis=0) - lists.is_chosen.mean(axis=0)) < 4 * error).all()
    assert compare_expected(visits.users, lists, lists, seed=0).base == pytest.approx(
        measure_click_through(lists, 40).expected_per_list
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_seed_gives_the_same_lists_and_choices(seed: int):
    """And another one gives others in the same visits; it gives other visits too."""

    visits = plan_visits(tasteful(), 300, seed=0)

    def run(seed):
        return meet(Lists(first_five), tasteful(), visits, HabitConfig(), seed=seed)

    once, again, other = run(seed), run(seed), run(seed + 1)

    assert all(np.array_equal(getattr(once, name), getattr(again, name)) for name in ShownLists.__dataclass_fields__)
    assert not np.array_equal(once.is_chosen, other.is_chosen)
    assert plan_visits(tasteful(), 300, seed=0).times_ms.tolist() == visits.times_ms.tolist()
    assert plan_visits(tasteful(), 300, seed=seed).times_ms.tolist() != visits.times_ms.tolist()


def test_who_knows_tastes_is_chosen_more_than_who_draws():
    """More than twice as much here: the measure tells good lists from bad ones."""
    users, rng = tasteful(), np.random.default_rng(3)
    visits = plan_visits(users, 1000, seed=3)
    best = meet(Lists(lambda user: np.argsort(-users.likely[user])[:5]), users, visits, HabitConfig())
    drawn = meet(Lists(lambda user: rng.permutation(40)[:5]), users, visits, HabitConfig())
    change = compare_click_through(visits.users, drawn, best, seed=0)

    assert best.is_chosen.sum() > 2 * drawn.is_chosen.sum()
    assert change.value / change.base == pytest.approx(best.is_chosen.sum() / drawn.is_chosen.sum())
    assert 1 < change.relative.low < change.relative.mean < change.relative.high


def test_an_item_tires_with_each_look_and_rests_with_time():
    """0.7 after one look, 0.49 after two; the looks are half forgotten after 3 days."""
    memory, items = Memory(users_with(np.zeros((1, 2))), HabitConfig(position_bias=0.0)), np.array([0])
    rest = [memory.find_rest(0, np.array([0, 1]), BEGIN_MS).tolist()]
    for visit in range(2):
        look = memory.look_at(0, items, BEGIN_MS, visit=visit, seed=0)
        rest.append(memory.find_rest(0, np.array([0, 1]), BEGIN_MS).tolist())
    rested = memory.find_rest(0, items, BEGIN_MS + 3 * DAY_MS)
    third = memory.look_at(0, items, BEGIN_MS + 3 * DAY_MS, visit=2, seed=0)
    fourth = memory.look_at(0, items, BEGIN_MS + 3 * DAY_MS, visit=3, seed=0)

    assert rest == [[1.0, 1.0], [pytest.approx(0.7), 1.0], [pytest.approx(0.49), 1.0]]
    assert rested == pytest.approx(0.7)
    assert memory.find_rest(0, items, BEGIN_MS + 3 * DAY_MS) == pytest.approx(0.7**3)
    assert [one.is_tired.tolist() for one in (look, third, fourth)] == [[False], [False], [True]]


def test_nobody_tires_of_what_they_did_not_look_at():
    """Slots below the depth are as if they had not been shown."""
    memory = Memory(users_with(np.zeros((1, 3))), HabitConfig(position_bias=50.0))
    look = memory.look_at(0, np.array([0, 1, 2]), BEGIN_MS, visit=0, seed=0)

    assert look.depth == 1
    assert memory.find_rest(0, np.array([0, 1, 2]), BEGIN_MS).tolist() == [pytest.approx(0.7), 1.0, 1.0]


def test_what_was_chosen_is_not_chosen_again_soon():
    """It falls to the log's share of repeats, and half of that is over after 180 days; nobody is tired of it."""
    memory = Memory(users_with(np.ones((1, 2)), repeat_share=0.2), NO_HABITS)
    items = np.array([0])
    memory.look_at(0, items, BEGIN_MS, visit=0, seed=0)
    appetite = [memory.find_appetite(0, np.array([0, 1]), BEGIN_MS + days * DAY_MS).tolist() for days in (0, 180)]

    assert appetite == [[pytest.approx(0.2), 1.0], [pytest.approx(0.6), 1.0]]
    assert memory.find_rest(0, items, BEGIN_MS).tolist() == [1.0]
    looks = [memory.look_at(0, items, BEGIN_MS, visit=visit, seed=0) for visit in range(1, 1001)]
    assert all(look.is_had.all() for look in looks)
    assert np.mean([look.is_chosen for look in looks]) < 0.25


def test_tired_users_choose_less():
    """The same list again and again, within minutes."""
    users = users_with(np.full((1, 5), 0.3))
    visits = Visits(np.zeros(100, np.int64), BEGIN_MS + 60_000 * np.arange(100))
    fresh, tired = (meet(Lists(first_five), users, visits, NO_HABITS), meet(Lists(first_five), users, visits, TIRING))

    assert tired.is_chosen.sum() < 0.5 * fresh.is_chosen.sum()
    assert not fresh.is_tired.any() and tired.is_tired[50:].mean() > 0.5


TIRING = HabitConfig(position_bias=0.0, fatigue=0.7)


def test_choices_are_drawn_alike_wherever_an_item_stands():
    """In one visit an item has one luck; in others, and other items, another. Uniform above 0, to 1."""
    items = np.arange(2000)
    drawn = np.stack([draw(7, visit, items) for visit in range(50)])

    assert draw(7, 3, items[::-1]).tolist() == drawn[3, ::-1].tolist()
    assert len(np.unique(drawn)) == drawn.size
    assert drawn.min() > 0 and drawn.max() <= 1
    assert np.histogram(drawn, 20, (0, 1))[0] == pytest.approx(np.full(20, 5000), abs=5 * np.sqrt(5000))
    assert np.abs(np.corrcoef(drawn) - np.eye(50)).max() < 5 / np.sqrt(2000)
    assert draw(8, 3, items).tolist() != drawn[3].tolist()


def test_an_impression_comes_before_the_choices_and_has_every_slot():
    """In order of time, each event with an id of its own."""
    users = users_with(np.ones((1, 5)))
    told = [Lists(first_five), Lists(first_five)]
    visits = Visits(np.zeros(2, np.int64), np.array([BEGIN_MS, BEGIN_MS + LEAST_GAP_MS]))
    for recommender, hears in zip(told, (True, False)):
        meet(recommender, users, visits, HabitConfig(position_bias=50.0), hears=hears)
    heard, deaf = (recommender.told for recommender in told)
    shown = [(position, f"i{position - 1}") for position in range(1, 6)]

    assert heard[:3] == [
        ("shown", "u0", ["i0", "i1", "i2", "i3", "i4"], BEGIN_MS),
        ("impression", "u0", shown, BEGIN_MS, "simulated-0-shown"),
        ("click", "u0", "i0", BEGIN_MS + SLOT_MS, "simulated-0-0"),
    ]
    assert [one for one in heard if one[0] != "impression"] == deaf
    assert len({one[4] for one in heard if one[0] != "shown"}) == 4
    assert [one[3] for one in heard] == sorted(one[3] for one in heard)


def test_an_empty_list_counts_in_nothing():
    """Nothing is impressed, looked at or chosen; averages are over the other lists."""
    users, recommender = users_with(np.ones((2, 2))), Lists(lambda user: [0, 1] if user else [])
    visits = Visits(np.array([0, 1, 0, 1]), BEGIN_MS + LEAST_GAP_MS * np.arange(4))
    lists = meet(recommender, users, visits, hears=True)
    made = measure_click_through(lists, 4)

    assert [one[1] for one in recommender.told if one[0] == "impression"] == ["u1", "u1"]
    assert (made.n_lists, made.n_empty, made.chosen_per_list, made.chosen_per_look) == (2, 2, 2.0, 1.0)
    assert made.over_time == [2.0]
    assert made.by_slot == [1.0, 1.0, 0.0, 0.0, 0.0]
    assert made.coverage == 0.5
    assert compare_click_through(visits.users, lists, lists, seed=0).base == 2.0


def test_shares_are_of_the_slots_that_were_looked_at():
    """Two lists of two slots; of the second, the second slot was not looked at. A third list was empty."""
    has = np.array([[True, False], [True, True], [False, False]])
    lists = ShownLists(
        items=np.array([[4, 5], [4, 6], [NOTHING, NOTHING]], np.int32),
        depths=np.array([2, 1, 0], np.int32),
        is_chosen=np.array([[False, True], [False, False], [False, False]]),
        is_tired=has,
        is_had=~has,
        expected=np.array([[0.5, 0.25], [0.25, 0.0], [0.0, 0.0]], np.float32),
        list_ns=4_000_000,
        impress_ns=0,
        learn_ns=1_000_000,
    )
    made = measure_click_through(lists, 10)

    assert (made.chosen_per_list, made.chosen_per_look) == (0.5, pytest.approx(1 / 3))
    assert made.expected_per_list == 0.5
    assert (made.by_slot, made.looked_at) == ([0.0, 0.5], [1.0, 0.5])
    assert (made.tired_share, made.had_share) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert (made.coverage, made.list_ms, made.learn_ms) == (0.3, 2.0, 0.5)


def test_visits_come_in_sessions():
    """As many as asked for, in order of time; a user's gaps are short within a session, and long between two."""
    users = users_with(np.zeros((50, 1)))
    visits = plan_visits(users, 5000, seed=4, config=VisitConfig(lists_per_session=5.0, gap_s=90.0, pause_h=48.0))
    gaps_ms = np.concatenate([np.diff(visits.times_ms[visits.users == user]) for user in range(50)])
    is_pause = gaps_ms > 3_600_000

    assert len(visits) == 5000 and visits.times_ms[0] > BEGIN_MS
    assert np.diff(visits.times_ms).min() >= LEAST_GAP_MS
    assert 1 / is_pause.mean() == pytest.approx(5.0, rel=0.1)
    assert np.mean(gaps_ms[~is_pause]) == pytest.approx(90_000, rel=0.2)
    assert np.mean(gaps_ms[is_pause]) == pytest.approx(48 * 3_600_000, rel=0.1)


def test_busy_users_come_more_often():
    """As their share of the log's activity says."""
    users = replace(users_with(np.zeros((2, 1))), activity=np.array([0.8, 0.2]))

    assert plan_visits(users, 5000, seed=5).users.mean() == pytest.approx(0.2, abs=0.05)


def many_events(n_events: int = 600) -> list[LoggedEvent]:
    """Return events of users of two tastes: those with an even number take even items, mostly the first ones."""
    rng = np.random.default_rng(6)
    users, items = rng.integers(12, size=n_events), rng.geometric(0.15, n_events) % 15
    return [
        LoggedEvent(
            Kind.VIEW, Interaction(f"e{n}", f"u{user}", f"i{2 * item + user % 2}", timestamp_ms=BEGIN_MS + 1000 * n)
        )
        for n, (user, item) in enumerate(zip(users.tolist(), items.tolist()))
    ]


ITEMS = [Item(f"i{item}") for item in range(30)]
IDS = [item.item_id for item in ITEMS]


def test_tastes_are_those_of_the_log():
    """Users like what others with the same taste take, also what they have not had."""
    users = build_users(many_events(), IDS, 300, seed=0, config=TasteConfig(appeal=0.0, rank=2))
    is_even_user = np.array([int(user_id[1:]) % 2 == 0 for user_id in users.user_ids])
    even, odd = users.likely[:, ::2], users.likely[:, 1::2]

    assert len(users.user_ids) == 12
    assert (even[is_even_user].mean(axis=1) > 2 * odd[is_even_user].mean(axis=1)).all()
    assert (odd[~is_even_user].mean(axis=1) > 2 * even[~is_even_user].mean(axis=1)).all()


def test_tastes_are_not_popularity():
    """All who take the same have no taste of their own, however popular that is: their scores are standard normal."""
    counts = np.array([[9.0, 1, 0, 0], [9, 0, 1, 0], [9, 1, 0, 0], [9, 0, 1, 0]])
    tastes = find_tastes(counts, rank=1, smoothing=1.0)

    assert tastes[0, 1] > tastes[0, 0] > tastes[0, 2]
    assert np.sort(tastes, axis=1) == pytest.approx(np.tile([-1.150, -0.319, 0.319, 1.150], (4, 1)), abs=1e-3)


def test_good_lists_are_chosen_from_as_often_as_aimed_at():
    """Whatever the log; the appeal is the only thing that the good list does not know."""
    config = TasteConfig(aim=0.13, list_size=4)
    users = build_users(many_events(), IDS, 300, seed=0, config=config)
    bare = build_users(many_events(), IDS, 300, seed=0, config=TasteConfig(aim=0.13, list_size=4, appeal=0.0))
    good = np.argsort(-bare.likely, axis=1)[:, :4]

    assert np.take_along_axis(users.likely, good, axis=1).mean() == pytest.approx(0.13, abs=1e-4)
    assert not np.array_equal(np.argsort(-users.likely, axis=1)[:, :4], good)


def test_users_have_had_what_they_chose_in_the_warm_up():
    """Only there: tastes come from the whole log, what was had does not. The most active users afterwards are taken."""
    rows = [("ann", "i1"), ("bob", "i2"), ("ann", "i1"), ("eve", "i3"), ("ann", "i2"), ("ann", "other"), ("eve", "i1")]
    events = [
        LoggedEvent(Kind.VIEW, Interaction(f"e{n}", user, item, timestamp_ms=BEGIN_MS + n))
        for n, (user, item) in enumerate(rows)
    ]
    users = build_users(events, ["i1", "i2", "i3"], 3, seed=0, config=TasteConfig(n_users=2))

    assert users.user_ids == ["ann", "eve"]  # bob does nothing after the warm-up
    assert users.chosen_ms.tolist() == [[BEGIN_MS + 2, NEVER_MS, NEVER_MS], [NEVER_MS] * 3]
    assert users.begin_ms == BEGIN_MS + 2
    assert users.repeat_share == pytest.approx(1 / 6)
    assert users.activity == pytest.approx(np.array([1, np.sqrt(2)]) / (1 + np.sqrt(2)))


def test_new_items_are_drawn_from_those_that_only_come_later():
    """In the order of their first events; all else is there, also what is never chosen."""
    names = ["i1", "i2", "i1", "i5", "i3", "other", "i4", "i3"]
    events = [
        LoggedEvent(Kind.VIEW, Interaction(f"e{n}", "ann", name, timestamp_ms=BEGIN_MS + n))
        for n, name in enumerate(names)
    ]
    drawn = {tuple(split_items(events, IDS, 2, 2, seed=seed)[1]) for seed in range(20)}

    assert split_items(events, IDS[:8], 2, 3, seed=0) == (["i0", "i1", "i2", "i6", "i7"], ["i5", "i3", "i4"])
    assert drawn == {("i5", "i3"), ("i5", "i4"), ("i3", "i4")}
    with pytest.raises(FileProblem, match=r"the log has 3 new ones.*let fewer come"):
        split_items(events, IDS, 2, 4, seed=0)


def test_what_comes_late_is_popular_by_its_own_time():
    """By rate an item with half of the events in a tenth of the time is the more popular; one without any is least."""
    items = np.concatenate((np.zeros(100, np.int64), np.ones(50, np.int64)))
    times_ms = np.concatenate((np.arange(100) * 10, 900 + np.arange(50) * 2)).astype(float)
    order = np.argsort(times_ms, kind="stable")
    by_events, by_rate = (find_popularity(items[order], times_ms[order], 3, by_rate) for by_rate in (False, True))

    assert by_events.tolist() == [100, 50, 0]
    assert by_rate[1] > 4 * by_rate[0] > by_rate[2] == 0


def test_items_come_evenly_in_the_first_half_of_the_visits():
    """The first one with the first visit; none of them after the half."""
    visits = Visits(np.zeros(3, np.int64), BEGIN_MS + np.array([10, 500, 1010]))
    arrivals = plan_arrivals(["i3", "i1"], visits)

    assert arrivals.item_ids == ["i3", "i1"]
    assert (arrivals.times_ms - BEGIN_MS).tolist() == [10, 260]
    assert len(plan_arrivals([], visits).times_ms) == 0


def test_an_item_is_listed_before_the_first_visit_after_it_came():
    """Each once, in order; those after the last visit never."""
    visits = Visits(np.zeros(3, np.int64), BEGIN_MS + LEAST_GAP_MS * np.arange(3))
    arrivals = Arrivals(["i4", "i3", "i2"], BEGIN_MS + np.array([1, LEAST_GAP_MS, 3 * LEAST_GAP_MS]))
    recommender = Lists(lambda user: [0])
    meet(recommender, users_with(np.zeros((1, 5))), visits, arrivals=arrivals)

    assert [one[:2] for one in recommender.told] == [
        ("shown", "u0"),
        ("new", "i4"),
        ("new", "i3"),
        ("shown", "u0"),
        ("shown", "u0"),
    ]


def test_a_log_that_ends_with_the_warm_up_has_no_users():
    """The message says what to do."""
    with pytest.raises(FileProblem, match="a longer log or a shorter warm-up"):
        build_users(many_events(10), IDS, 10, seed=0)


@pytest.fixture
def world():
    """Users, visits and a function that makes a warm pipeline."""
    events = many_events()
    users = build_users(events, IDS, 300, seed=0)
    return users, plan_visits(users, 150, seed=0), lambda settings: warm_up(settings, ITEMS, {}, events[:300])


def test_who_hears_without_learning_is_as_the_deaf(world, monkeypatch):
    """All that differs between arms comes of what they do with impressions."""
    users, visits, make = world
    heard = []
    monkeypatch.setattr(Pipeline, "impress", lambda self, impression: heard.append(impression), raising=False)
    deaf = meet(Core(make(FIVE)), users, visits, HabitConfig())
    hearing = meet(Core(make(FIVE)), users, visits, HabitConfig(), hears=True)

    assert len(heard) == 150 and heard[0].user_id == users.user_ids[visits.users[0]]
    assert np.array_equal(deaf.items, hearing.items) and np.array_equal(deaf.is_chosen, hearing.is_chosen)
    assert compare_click_through(visits.users, deaf, hearing, seed=0).relative.high == 0
    assert deaf.is_chosen.any()


def test_the_core_lists_what_comes_with_its_embedding():
    """Not before it comes, and nothing else."""
    vector = SpaceVector("words", np.full(4, 0.5, np.float32))
    pipeline = Pipeline(FIVE)
    core = Core(pipeline, ITEMS[:2], {"i0": ItemEmbedding(bytes(16), (vector,))})
    before = pipeline.catalog.n_listed
    core.list_item("i0")

    assert before == 0
    assert pipeline.catalog.item_ids == ["i0"] and pipeline.catalog.n_listed == 1
    assert pipeline.catalog.spaces.n_items == 1


def test_arms_have_their_own_settings_and_histories(world):
    """What is chosen of an arm's lists changes its next ones, and no other arm's."""
    users, visits, make = world
    plain = meet(Core(make(FIVE)), users, visits, HabitConfig())
    other = override(FIVE, {"head.network_rate": 1.0, "head.rate": 1.0})
    hasty = meet(Core(make(other)), users, visits, HabitConfig(), settings=other)
    unchosen = meet(Core(make(FIVE)), replace(users, likely=0 * users.likely), visits, HabitConfig())

    assert not np.array_equal(plain.items, hasty.items)
    assert np.array_equal(plain.items[0], unchosen.items[0]) and not np.array_equal(plain.items, unchosen.items)


def test_lists_are_counted_as_shown(world):
    """Exploration and the slot of the unseen go by it: without it such settings could not be judged."""
    users, visits, make = world
    pipeline = make(FIVE)
    lists = meet(Core(pipeline), users, visits, HabitConfig())
    rows = np.array([pipeline.catalog.find(item_id) for item_id in IDS])

    assert pipeline.recommender._exposures.n_lists == 150
    assert pipeline.recommender._exposures.of(rows).tolist() == np.bincount(lists.items.ravel(), minlength=30).tolist()


def test_a_warm_up_learns_each_order_as_one(monkeypatch):
    """As the evaluation does: consecutive events of one user at one time."""
    sizes, take = [], Pipeline.take
    monkeypatch.setattr(
        Pipeline, "take", lambda self, ranked, events: sizes.append(len(events)) or take(self, ranked, events)
    )
    rows = [("ann", "i1", 0), ("ann", "i2", 0), ("bob", "i1", 0), ("bob", "i2", 1)]
    events = [
        LoggedEvent(Kind.VIEW, Interaction(f"e{n}", user, item, timestamp_ms=BEGIN_MS + at))
        for n, (user, item, at) in enumerate(rows)
    ]
    done: list[int] = []
    pipeline = warm_up(FIVE, ITEMS, {}, events, on_progress=done.append)

    assert (sizes, done) == ([2, 1, 1], [2, 3, 4])
    assert len(pipeline.users) == 2 and len(pipeline.catalog) == len(ITEMS)
