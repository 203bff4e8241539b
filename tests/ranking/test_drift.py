"""Worse predictions are noticed, better ones are not, and then the head learns faster."""

from __future__ import annotations

import numpy as np
import pytest
from river.drift import ADWIN

from stream_rec.ranking import drift
from stream_rec.ranking.drift import FACTOR, LEAST_CHOICES, RECENT, DriftWatch
from stream_rec.ranking.features import HISTORY, INPUTS, Inputs
from stream_rec.ranking.head import MixtureHead, cold
from stream_rec.ranking.linear_head import EPSILON
from stream_rec.ranking.policy import HeadConfig
from tests.ranking.worlds import drawn

CONFIG = HeadConfig(hidden=6)
DELTA = 0.02


def losses(*parts: tuple[float, int]) -> list[float]:
    """Return log-losses with these means, each for so many choices, as noisy as real ones."""
    rng = np.random.default_rng(0)
    return [loss for mean, n in parts for loss in rng.gamma(4.0, mean / 4.0, n).tolist()]


def reactions(watch: DriftWatch, stream: list[float]) -> list[int]:
    return [at for at, loss in enumerate(stream) if watch.add_loss(loss)]


def with_new_taste(inputs: Inputs, sign: float) -> int:
    """Return the place that a user chooses who likes much, or little, of the first input."""
    return int((sign * inputs.items[:, 0]).argmax())


def taught(head: MixtureHead, sign: float, seeds: range) -> tuple[MixtureHead, float]:
    """Return the head after so many choices, and their mean log-loss before it learned from each."""
    total = 0.0
    for seed in seeds:
        scored = head.score(drawn(seed=seed, history=seed % (len(HISTORY) + 1)))
        chosen = with_new_taste(scored.inputs, sign)
        total -= scored.log_p[chosen]
        head = head.learn(scored, np.array([chosen]), np.ones(1), CONFIG)
    return head, total / len(seeds)


def test_worse_predictions_are_noticed_soon():
    """Within 200 choices where the mean loss rises from 2 to 3 nats, and never before."""
    noticed = reactions(DriftWatch(DELTA), losses((2.0, 4000), (3.0, 500)))

    assert len(noticed) == 1 and 4000 < noticed[0] < 4200


def test_better_predictions_are_no_drift_to_react_to():
    """A head that learns improves all the time."""
    assert reactions(DriftWatch(DELTA), losses((4.0, 2000), (3.0, 2000), (2.0, 2000))) == []


def test_a_noisy_stream_cannot_keep_the_steps_long():
    """From one reaction to the next there are many choices, however often the losses rise."""
    noticed = reactions(DriftWatch(DELTA), losses(*[(1.0, 150), (5.0, 150)] * 30))

    assert len(noticed) >= 3
    assert min(np.diff(noticed)) >= LEAST_CHOICES


def test_the_mean_of_the_newest_losses():
    """Of a few all count alike; of many those of long ago fade."""
    watch = DriftWatch(0)
    for loss in (1.0, 2.0, 6.0):
        watch.add_loss(loss)
    assert watch.recent_loss == pytest.approx(3.0)
    for loss in losses((4.0, 5 * RECENT), (2.0, 5 * RECENT)):
        watch.add_loss(loss)
    assert watch.recent_loss == pytest.approx(2.0, abs=0.1)


def test_a_watch_that_is_off_notices_nothing():
    """``drift_delta = 0``."""
    assert reactions(DriftWatch(0.0), losses((1.0, 500), (9.0, 500))) == []


def test_one_hopeless_choice_is_no_drift():
    """A loss counts as ten nats at most: an item that nobody foresaw says little."""
    stream = losses((2.0, 2000))
    stream[1500] = 1e9

    assert reactions(DriftWatch(DELTA), stream) == []


def test_what_was_no_candidate_says_nothing_of_the_head(monkeypatch):
    """The head could not have ranked it; the others of its group count."""
    taken = []
    monkeypatch.setattr(DriftWatch, "add_loss", lambda self, loss: taken.append(loss) or True)
    rows, log_p = np.array([3, 5, 9]), np.log([0.5, 0.25, 0.25])

    assert not DriftWatch(DELTA).detect(rows, log_p, np.array([4]))
    assert not DriftWatch(DELTA).detect(rows, log_p, np.array([], np.int64))
    assert DriftWatch(DELTA).detect(rows, log_p, np.array([4, 9]))
    assert taken == pytest.approx([np.log(4)])


def test_the_window_is_river_s_adwin():
    """Its core is imported from where River keeps it, as ``river.drift`` takes seconds: the two must stay the same."""
    own, river_s = drift._adwin(0.002), ADWIN(0.002)
    for loss in losses((2.0, 1000), (3.0, 1000)):
        has_changed = own.update(loss / 10)
        river_s.update(loss / 10)
        assert has_changed == river_s.drift_detected
        assert (own.get_width(), own.get_total()) == (river_s.width, river_s.total)
        if has_changed:
            break
    assert has_changed


def test_a_decayed_head_ranks_as_before():
    """Only the steps are longer; the old head is left as it was."""
    head, _ = taught(cold(CONFIG, 0), 1.0, range(50))
    squares = head.of_all.networks.squares_of_items.copy()
    decayed, inputs = head.decay(FACTOR), drawn(seed=99)

    np.testing.assert_allclose(decayed.score(inputs).experts, head.score(inputs).experts)
    np.testing.assert_allclose(decayed.score_fresh(inputs).experts, head.score_fresh(inputs).experts)
    assert decayed.of_all.record == pytest.approx([FACTOR * each for each in head.of_all.record])
    np.testing.assert_array_equal(head.of_all.networks.squares_of_items, squares)


def test_a_decayed_head_learns_a_new_taste_faster():
    """What the reaction is for: of the same choices of another taste, fewer are a surprise."""
    head, _ = taught(cold(CONFIG, 0), 1.0, range(1000))
    _, slow_loss = taught(head, -1.0, range(1000, 1100))
    _, fast_loss = taught(head.decay(FACTOR), -1.0, range(1000, 1100))

    assert fast_loss < 0.85 * slow_loss


def test_each_expert_decays():
    """Those for all items and those for fresh ones; ten times the step is a hundredth of the squares."""
    head, _ = taught(cold(CONFIG, 0), 1.0, range(50))
    head = head.learn_fresh(head.score_fresh(drawn(seed=2)), np.array([0]), CONFIG)
    decayed = head.decay(0.01)

    for before, after in ((head.of_all, decayed.of_all), (head.of_fresh, decayed.of_fresh)):
        assert after.linear.squares.max() == pytest.approx(0.01 * before.linear.squares.max())
        for name in ("squares_of_items", "squares_of_context", "squares_of_output"):
            assert getattr(after.networks, name).max() == pytest.approx(0.01 * getattr(before.networks, name).max())
        assert after.record == pytest.approx([0.01 * each for each in before.record])


def test_relaxing_over_and_over_stays_finite():
    """A weight whose input was never there keeps a sum above 0, or its next step would be 0 / 0."""
    head = cold(CONFIG, 0)
    for _ in range(300):
        head = head.decay(FACTOR)
    nothing = Inputs(np.zeros((3, INPUTS), np.float32), np.zeros_like(drawn().context), 0)
    head = head.learn(head.score(nothing), np.array([1]), np.ones(1), CONFIG)

    assert np.isfinite(head.score(drawn()).log_p).all()
    assert head.of_all.linear.squares.min() == EPSILON
