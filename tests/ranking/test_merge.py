"""One head out of what several workers learned."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.errors import StateVersionError
from stream_rec.ranking import action_weights, fresh_choices, merge, network_head, shown
from stream_rec.ranking import head as heads
from stream_rec.ranking.features import CONTEXT, INPUTS, Inputs
from stream_rec.ranking.head import MixtureHead
from stream_rec.ranking.linear_head import Step
from stream_rec.ranking.merge import Contribution, MalformedContribution, SharedHead
from stream_rec.ranking.policy import HeadConfig
from stream_rec.ranking.ratings import KEPT, WIDTH
from stream_rec.recommender import LocalHead
from tests.ranking.partitions import Workers, ndcg, read

CONFIG = HeadConfig(hidden=3)
COLD = heads.cold(CONFIG, seed=1)
OF = merge.fingerprint(COLD)
RECORDS = len(COLD.of_all.record) + len(COLD.of_fresh.record)
"""Among the sums, experts' records come first, then fresh choices, and from ``CHOICES`` on all choices."""
CHOICES = RECORDS + len(fresh_choices.NOTHING)
EXAMPLE = Path(__file__).parents[2] / "examples" / "entree_chicago"


def new() -> SharedHead:
    return SharedHead(COLD, CONFIG)


def chooses(shared: SharedHead, *seeds: int, config: HeadConfig = CONFIG) -> SharedHead:
    """Let a worker learn one choice for each seed, and one of a fresh item for every second."""
    for seed in seeds:
        rng = np.random.default_rng(seed)
        items = rng.random((6, INPUTS), dtype=np.float32)
        inputs = Inputs(items, rng.random(CONTEXT, dtype=np.float32), int(rng.integers(4)))
        head = shared.head
        actions = {f"type {seed % 3}": 1.0} if seed % 4 else {}
        head = head.learn(head.score(inputs), rng.integers(6, size=1), np.ones(1), config, actions)
        if seed % 2:
            head = head.learn_fresh(head.score_fresh(inputs), rng.integers(6, size=1), config)
        kept = fresh_choices.count(head.fresh_choices, inputs.history, 1, int(rng.integers(2)))
        shared.update(msgspec.structs.replace(head, fresh_choices=kept))
    return shared


def arrays(head: msgspec.Struct) -> list[np.ndarray]:
    """All that a head, or a part of it, holds, wherever it stands."""

    def within(value: object) -> list[np.ndarray]:
        if isinstance(value, msgspec.Struct):
            return [part for name in value.__struct_fields__ for part in within(getattr(value, name))]
        if isinstance(value, dict):  # of types of events; traces are not shared
            return [np.array((each.log_factor, each.squares, each.n)) for _, each in sorted(value.items())]
        return [np.asarray(value, dtype=np.float64)]

    return within(head)


def same(first: MixtureHead, second: MixtureHead, rtol: float = 1e-5) -> bool:
    return all(np.allclose(a, b, rtol=rtol, atol=1e-6) for a, b in zip(arrays(first), arrays(second), strict=True))


def identical(first: MixtureHead, second: MixtureHead) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(arrays(first), arrays(second), strict=True))


seeds = st.lists(st.integers(0, 1000), max_size=8)
FIELDS = ("shift", "squares", "sums", "n_choices")
contributions = seeds.map(lambda s: chooses(new(), *s).own())


@settings(deadline=None, max_examples=30)
@given(seeds)
def test_what_one_worker_learned_alone_makes_its_own_head(choices):
    """Nothing of the head is left out of a contribution: the cold head and it are the head."""
    worker = chooses(new(), *choices)

    assert same(merge.combine(COLD, [worker.own()]), worker.head)


@pytest.mark.parametrize("networks", [1, 2, 3])
def test_workers_with_any_number_of_networks_come_to_one_head(networks):
    """What each learned reaches the other through bytes: all weights of all networks, and all records."""
    config = HeadConfig(hidden=3, networks=networks)
    cold = heads.cold(config, seed=1)
    of = merge.fingerprint(cold)
    ann, bob = (chooses(SharedHead(cold, config), *choices, config=config) for choices in ((1, 2), (3,)))
    for _ in range(2):
        told = [merge.encode(worker.own(), of) for worker in (ann, bob)]
        for worker, contribution in zip((bob, ann), told):
            worker.take("other", merge.decode(contribution, cold, of))
            worker.merge()

    both = merge.combine(cold, [merge.decode(contribution, cold, of) for contribution in told])
    assert same(both, ann.head, rtol=1e-4)
    assert same(bob.head, ann.head, rtol=1e-4)
    assert both.of_all.networks.output.shape == (networks, 3)
    assert len(both.of_all.record) == networks + 1
    assert (both.of_all.networks.output != cold.of_all.networks.output).all()


@settings(deadline=None, max_examples=30)
@given(seeds.filter(len), st.integers(0, 8))
def test_records_come_back_exactly(choices, later):
    """Of all items and of fresh ones, which not every choice is among: both fade with each choice, wherever cut.

    A worker that started again in between has the records that it would have had.
    """
    worker, alone = chooses(new(), *choices), chooses(new(), *choices)
    again = new()
    again.restore(merge.decode(merge.encode(worker.own(), OF), COLD, OF))
    assert again.head.of_all.record == pytest.approx(alone.head.of_all.record, rel=1e-12)
    assert again.head.of_fresh.record == pytest.approx(alone.head.of_fresh.record, rel=1e-12)

    worker.take("idle", merge.nothing(COLD))
    worker.merge()
    chooses(worker, *(2 * number for number in range(later)))  # no fresh choice among them
    assert worker.own().sums[3:RECORDS] == pytest.approx(CONFIG.memory**later * alone.own().sums[3:RECORDS], rel=1e-12)
    assert worker.head.of_fresh.record == pytest.approx(worker.own().sums[3:RECORDS], rel=1e-12)


@settings(deadline=None, max_examples=30)
@given(seeds, seeds)
def test_publishing_and_merging_alone_change_nothing(before, after):
    """Where no other worker is, the head is what it would be without any of this, to the last bit."""
    worker, alone = chooses(new(), *before), chooses(new(), *before)
    merge.encode(worker.own(), OF)
    worker.merge()
    chooses(worker, *after)
    worker.merge()

    assert identical(worker.head, chooses(alone, *after).head)


@settings(deadline=None, max_examples=30)
@given(contributions, contributions, contributions)
def test_the_order_of_contributions_does_not_matter(a, b, c):
    """Adding is commutative and associative, and so is the head made of it."""
    assert same(merge.combine(COLD, [a, b, c]), merge.combine(COLD, [c, a, b]))
    one, other = merge.add(merge.add(a, b), c), merge.add(a, merge.add(b, c))
    assert same(merge.combine(COLD, [one]), merge.combine(COLD, [other]))


@settings(deadline=None, max_examples=30)
@given(contributions, contributions, seeds)
def test_a_contribution_counts_once(older, newer, own):
    """However often it comes, and whatever the same worker sent before it."""
    once, often = new(), new()
    for worker in (once, often):
        worker.restore(chooses(new(), *own).own())
    once.take("b", newer)
    once.merge()
    often.take("b", older)
    often.merge()
    for _ in range(3):
        often.take("b", newer)
        often.merge()

    assert same(once.head, often.head)
    assert once.head.n_choices == often.head.n_choices == len(own) + newer.n_choices


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1000)), max_size=12))
def test_workers_that_have_heard_all_have_one_head(choices):
    """Three workers learn in turns and tell each other now and then; in the end all know the same."""
    workers = [new() for _ in range(3)]
    for number, (who, seed) in enumerate(choices):
        chooses(workers[who], seed)
        if number % 3 == 0:
            tell(workers, told=[who])
    tell(workers)
    tell(workers)

    for worker in workers[1:]:
        assert np.allclose(weights(worker.head), weights(workers[0].head), rtol=1e-4, atol=1e-5)
        assert worker.head.n_choices == len(choices)


def tell(workers: list[SharedHead], told: list[int] | None = None) -> None:
    """Bring the present contributions of all to some, by default to all."""
    present = [worker.own() for worker in workers]
    for number in range(len(workers)) if told is None else told:
        for other in range(len(workers)):
            if other != number:
                workers[number].take(str(other), present[other])
        workers[number].merge()


def weights(head: MixtureHead) -> np.ndarray:
    parts = [part for mixture in (head.of_all, head.of_fresh) for part in (mixture.linear, mixture.networks)]
    return np.concatenate([array.ravel() for part in parts for array in arrays(part)])


def test_what_is_learned_between_two_merges_stays():
    """A choice that came after a contribution was sent is in the head after others' contributions came."""
    worker = chooses(new(), 1, 2)
    worker.take("b", chooses(new(), 3).own())
    worker.merge()
    chooses(worker, 4)
    mine = worker.own()
    worker.take("b", chooses(new(), 3, 5).own())
    worker.merge()

    assert mine.n_choices == 3
    assert worker.head.n_choices == 5
    assert same(merge.combine(COLD, [worker.own(), chooses(new(), 3, 5).own()]), worker.head)


def test_large_steps_from_one_start_are_averaged():
    """Four workers that learned the same 30 choices agree with each of them: they do not go four times as far."""
    workers = [chooses(new(), *range(30)) for _ in range(4)]
    alone = chooses(new(), *range(30)).head
    tell(workers)
    tell(workers)

    for mine, its in ((workers[0].head.of_all, alone.of_all), (workers[0].head.of_fresh, alone.of_fresh)):
        assert np.abs(mine.linear.weights - its.linear.weights).max() < 1e-6
        assert np.abs(mine.networks.output - its.networks.output).max() < 1e-6
    assert workers[0].head.n_choices == 120


def sees(shared: SharedHead, n: int, seed: int) -> SharedHead:
    """Let a worker learn from impressions of users who tire."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        inputs = shown.begin_inputs(rng.uniform(-4, -1, 8))
        inputs[:, 4] = np.log1p(rng.poisson(1.0, 8))
        is_chosen = rng.random(8) < 1 / (1 + np.exp(1 - inputs[:, 1] + inputs[:, 4]))
        of_shown = shown.learn(shared.head.of_shown, inputs, np.arange(8), is_chosen, np.ones(8), Step(0.05))
        shared.update(shared.head.put_shown(of_shown))
    return shared


def test_what_is_learned_of_impressions_is_averaged_by_how_many_there_were():
    """Eight workers that learned from impressions alone do not go eight times as far; choices say nothing of that."""
    workers = [sees(new(), 200, seed) for seed in range(8)]
    alone = sees(new(), 200, 0).head.of_shown.weights
    tell(workers)
    tell(workers)
    together = workers[0].head.of_shown.weights

    assert np.abs(together - alone).max() < 0.5 * np.abs(alone - shown.COLD.weights).max()
    assert (workers[0].head.n_outcomes, workers[0].head.n_choices) == (1600, 0)
    one = sees(new(), 200, 1)
    before = one.head.of_shown.weights
    one.take("other", chooses(new(), *range(50)).own())  # whose choices are no impressions
    one.merge()
    assert np.abs(one.head.of_shown.weights - before).max() < 1e-6


def test_small_steps_add_up():
    """After much common history two workers' next steps add, as if one worker had made both."""
    history = chooses(new(), *range(300)).own()
    one, other, both = new(), new(), new()
    for worker in (one, other, both):
        worker.restore(history)
    start = both.head.of_all.linear.weights
    chooses(one, 1001)
    chooses(other, 1002)
    chooses(both, 1001, 1002)
    one.take("other", Contribution(*(getattr(other.own(), f) - getattr(history, f) for f in FIELDS)))
    one.merge()

    step = np.abs(both.head.of_all.linear.weights - start)
    assert np.abs(one.head.of_all.linear.weights - both.head.of_all.linear.weights).max() < 0.1 * step.max()


@pytest.mark.parametrize(
    ("n_before", "n_own", "n_others", "share"),
    [(0, 30, 90, 0.25), (0, 10, 0, 1.0), (100, 0, 50, 1.0), (100, 50, 100, 0.5), (10**9, 100, 300, 0.4)],
)
def test_the_share_of_the_way(n_before: int, n_own: int, n_others: int, share: float):
    """(h + own) / (h + own + others), h being half of 100 after 100 choices and nearly 100 after many."""
    assert merge.share_of_way(n_before, n_own, n_others) == pytest.approx(share, rel=1e-3)


def test_a_worker_that_learned_all_alone_goes_its_whole_way():
    """Others that are there and have learned nothing since do not hold it up."""
    worker, alone = chooses(new(), 1), chooses(new(), 1)
    idle = chooses(new(), 2).own()
    for one in (worker, alone):
        one.take("idle", idle)
        one.merge()
    chooses(worker, 3, 4)
    before = worker.head
    worker.take("idle", idle)
    worker.merge()

    assert same(worker.head, before, rtol=1e-3)


def test_relaxing_is_shared_as_far_as_it_is_ones_own():
    """The worker learns faster at once; what others rest on stays theirs, and no sum of squares falls below 0."""
    worker = chooses(new(), *range(20))
    other = chooses(new(), *range(50, 70)).own()
    worker.take("b", other)
    worker.merge()
    before, mine = worker.head, worker.own()
    worker.decay(0.01)
    assert identical(worker.head, before.decay(0.01))
    assert np.allclose(worker.own().squares, 0.01 * mine.squares)
    assert np.array_equal(worker.own().shift, mine.shift)
    assert worker.own().sums.tolist() == pytest.approx([*(0.01 * mine.sums[:RECORDS]), *mine.sums[RECORDS:]])
    chooses(worker, 80)
    worker.take("b", other)
    worker.merge()

    assert worker.own().squares.min() >= 0
    assert same(merge.combine(COLD, [worker.own(), other]), worker.head)
    assert worker.head.n_choices == 41


def test_fading_sums_fade_once_for_each_choice():
    """Each worker's part of the record and of fresh choices fades with its own choices, and the others' parts too.

    So what a worker that has gone for good said of the experts is forgotten in time.
    """
    gone = chooses(new(), *range(40)).own()
    worker, alone = new(), new()
    worker.take("gone", gone)
    worker.merge()
    chooses(worker, *range(40, 60))
    chooses(alone, *range(40, 60))

    def of_others() -> list[float]:
        return [
            *(worker.head.of_all.record + worker.head.of_fresh.record - worker.own().sums[:RECORDS]),
            sum(worker.head.fresh_choices.choices) - worker.own().sums[CHOICES:].sum(),
        ]

    expected = [
        *(gone.sums[:RECORDS] * CONFIG.memory**20),
        gone.sums[CHOICES:].sum() * 2 ** (-20 / fresh_choices.HALF_LIFE_EVENTS),
    ]
    assert of_others() == pytest.approx(expected)
    assert worker.own().sums.tolist() == pytest.approx(alone.own().sums.tolist(), rel=0.2)
    worker.take("third", merge.nothing(COLD))
    worker.merge()
    assert of_others() == pytest.approx(expected)


def test_a_worker_that_starts_again_goes_on_from_its_own_contribution():
    """It is as it was when it published, and what it learns then is added to that."""
    before = chooses(new(), 1, 2, 3)
    published = merge.encode(before.own(), OF)
    after = new()
    after.take("b", chooses(new(), 9).own())
    after.restore(merge.decode(published, COLD, OF))
    assert same(after.head, before.head)
    after.merge()

    assert after.head.n_choices == 4
    assert after.own().n_choices == 3
    chooses(after, 4)
    assert after.own().n_choices == 4
    with pytest.raises(ValueError, match="cannot be restored"):
        after.restore(before.own())


@settings(deadline=None, max_examples=30)
@given(contributions)
def test_bytes_and_back(contribution):
    """To the precision of float32, and the same bytes from there on."""
    data = merge.encode(contribution, OF)
    again = merge.decode(data, COLD, OF)

    assert same(merge.combine(COLD, [again]), merge.combine(COLD, [contribution]))
    assert again.n_choices == contribution.n_choices
    assert merge.encode(again, OF) == data


@pytest.mark.parametrize("broken", ["shift", "squares", "sums"])
@pytest.mark.parametrize("number", [np.nan, np.inf, 1e300])
def test_what_is_no_number_is_neither_sent_nor_taken(broken, number):
    """A single one would be in every weight of every worker."""
    good = chooses(new(), 1).own()
    values = np.array(getattr(good, broken))
    values[0] = number
    bad = msgspec.structs.replace(good, **{broken: values})
    if broken == "sums" and np.isfinite(number):
        return  # they are sent as float64
    with pytest.raises(MalformedContribution):
        merge.encode(bad, OF)
    data = bytearray(merge.encode(good, OF))
    last = len(data) - len(action_weights.encode(good.actions))
    data[last - 4 : last] = np.array([np.nan], "<f4").tobytes()
    with pytest.raises(MalformedContribution, match="not finite"):
        merge.decode(bytes(data), COLD, OF)


@pytest.mark.parametrize("data", [b"", b"\0", b"\1", b"\1" + bytes(60), b"nonsense" * 20])
def test_what_is_no_contribution_is_refused(data):
    """Whatever it is."""
    with pytest.raises((MalformedContribution, StateVersionError)):
        merge.decode(data, COLD, OF)


def test_a_contribution_cut_short_or_too_long_is_refused():
    """Nothing is guessed."""
    data = merge.encode(chooses(new(), 1).own(), OF)
    actions = len(action_weights.encode({}))
    for wrong in (data[:-1], data + b"\0", data[: -actions - 1], data[:60]):
        with pytest.raises(MalformedContribution, match=r"expected|of types of events"):
            merge.decode(wrong, COLD, OF)


def test_a_negative_sum_of_squares_is_refused():
    """It could make a weight infinite."""
    good = chooses(new(), 1).own()
    data = merge.encode(msgspec.structs.replace(good, squares=good.squares - 1.0), OF)
    with pytest.raises(MalformedContribution, match="below 0"):
        merge.decode(data, COLD, OF)


def test_a_newer_version_is_named():
    """The remedy is to update, not to look for a bug."""
    data = merge.encode(chooses(new(), 1).own(), OF)
    with pytest.raises(StateVersionError, match=f"version {merge.VERSION + 1}"):
        merge.decode(bytes([merge.VERSION + 1]) + data[1:], COLD, OF)


@pytest.mark.parametrize(
    "other",
    [
        heads.cold(CONFIG, seed=2),
        heads.cold(HeadConfig(hidden=4), seed=1),
        *(heads.cold(HeadConfig(hidden=3, networks=n), seed=1) for n in (1, 3)),
    ],
)
def test_a_contribution_to_another_head_is_refused(other):
    """Another seed, another size or number of networks: distances from another beginning say nothing here."""
    data = merge.encode(merge.nothing(other), merge.fingerprint(other))
    with pytest.raises(MalformedContribution, match="other features"):
        merge.decode(data, COLD, OF)


def test_the_fingerprint_names_the_features(monkeypatch):
    """Features that change their names or order are other features."""
    monkeypatch.setattr(merge, "INPUT_NAMES", merge.INPUT_NAMES[::-1])

    assert merge.fingerprint(COLD) != OF


def test_the_fingerprint_names_how_networks_read(monkeypatch):
    """The same weights would give other scores."""
    monkeypatch.setattr(network_head, "READING", network_head.READING - 1)

    assert merge.fingerprint(COLD) != OF


@pytest.mark.slow
def test_four_workers_are_nearly_as_good_as_one():
    """Four partitions of a real log learned in parallel reach within 2.5 % of the NDCG of one worker that learned all.

    Each exchanges every 12 events of the stream. Never to exchange costs more: 5 %.
    """
    items, log = read(EXAMPLE, 3000)
    groups = {"one": Workers(), "four": Workers(4, every=12), "strangers": Workers(4)}
    found = ndcg(items, log, groups, warmup=300)

    assert found["four"] > 0.975 * found["one"]
    assert found["strangers"] < 0.97 * found["one"]


def rates(shared: SharedHead, *seeds: int) -> SharedHead:
    """Let a worker learn one rating for each seed."""
    for seed in seeds:
        rng = np.random.default_rng(seed)
        shared.learn_ratings(rng.normal(size=(1, WIDTH)), rng.normal(size=1))
    return shared


@given(of_one=st.lists(st.integers(0, 50), max_size=8), of_other=st.lists(st.integers(50, 99), max_size=8))
@settings(max_examples=20, deadline=None)
def test_ratings_of_all_workers_make_one_rating_head(of_one, of_other):
    """That of sums of all, in whatever order they were told; each counts once, and both come to the same."""
    one, other = rates(chooses(new(), 1), *of_one), rates(new(), *of_other)
    tell([one, other])
    tell([one, other])

    alone = [rates(new(), *seeds).ratings.moments for seeds in (of_one, of_other)]
    assert one.ratings.n_ratings == other.ratings.n_ratings == len(of_one) + len(of_other)
    assert np.allclose(one.ratings.moments, sum(alone)) and np.allclose(one.ratings.weights, other.ratings.weights)


def test_ratings_of_others_fade_with_ones_own():
    """Once for each, as those that one worker takes all alone do."""
    one, other = new(), rates(new(), 1)
    tell([one, other])
    rates(one, 2, 3)
    one.take("third", merge.nothing(COLD))
    one.merge()

    wanted = KEPT**2 * rates(new(), 1).ratings.moments + rates(new(), 2, 3).ratings.moments
    assert np.allclose(one.ratings.moments, wanted, rtol=1e-12)


def test_ratings_alone_are_those_of_a_head_that_nobody_shares():
    """Bit for bit, with and without merging nothing in between."""
    shared, local = new(), LocalHead(COLD)
    for seed in range(6):
        rates(shared, seed)
        rng = np.random.default_rng(seed)
        local.learn_ratings(rng.normal(size=(1, WIDTH)), rng.normal(size=1))
        shared.merge()

    assert (shared.ratings.moments == local.ratings.moments).all()
    assert (shared.ratings.weights == local.ratings.weights).all()


def test_a_worker_that_starts_again_goes_on_from_its_own_ratings():
    """From what it published, and it keeps them apart from those of others."""
    before = rates(chooses(new(), 1), 2, 3)
    again = new()
    again.restore(merge.decode(merge.encode(before.own(), OF), COLD, OF))
    rates(again, 4)

    assert (again.own().ratings.moments == rates(before, 4).own().ratings.moments).all()
    assert np.allclose(again.ratings.weights, before.ratings.weights, rtol=1e-12)
    with pytest.raises(ValueError, match="cannot be restored"):
        rates(new(), 1).restore(before.own())


@pytest.mark.parametrize("broken", ["nan", "skew", "negative", "large", "short"])
def test_moments_that_are_no_sums_of_products_are_refused(broken):
    """Whatever has written them: they would be weights of everybody."""
    data = bytearray(merge.encode(rates(new(), 1).own(), OF))
    at = merge._HEADER.size + 2 * merge._OUTCOMES.size + 8 * len(merge._sums(COLD))
    number = {"nan": float("nan"), "skew": 7.0, "negative": -3.0, "large": 1e12, "short": 0.0}[broken]
    place = at + 8 * (broken == "skew")
    data[place : place + 8] = np.array([number], "<f8").tobytes()

    with pytest.raises(MalformedContribution):
        merge.decode(bytes(data[:-1] if broken == "short" else data), COLD, OF)


def test_a_contribution_without_ratings_has_no_room_for_them():
    """It costs 8 bytes: their number, which is 0."""
    with_ratings, without = (merge.encode(each.own(), OF) for each in (rates(new(), 1), new()))

    assert len(with_ratings) - len(without) == 8 * WIDTH * (WIDTH + 1)
    assert merge.decode(without, COLD, OF).ratings.n_ratings == 0
