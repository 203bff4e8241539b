"""The contract of heads: a plain head of one's own keeps it, and each check finds the head that breaks it."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest
from msgspec import Struct
from msgspec.structs import replace

from stream_rec.ranking import asked, contexts, interests, shown
from stream_rec.ranking.features import INPUTS, Inputs
from stream_rec.ranking.fresh_choices import FreshChoices
from stream_rec.ranking.head import HeadConfig
from stream_rec.ranking.linear_head import LinearHead
from stream_rec.ranking.mixture import Scored, log_softmax
from stream_rec.testing.heads import HeadContract, LearnerContract


class Softmax(Struct, frozen=True):
    """Logistic regression over the candidates: the smallest head there is."""

    weights: np.ndarray
    fresh: np.ndarray
    n_choices: int = 0
    fresh_choices: FreshChoices = FreshChoices()
    of_asked: LinearHead = asked.COLD
    of_shown: LinearHead = shown.COLD
    of_context: LinearHead = contexts.COLD
    of_interests: LinearHead = interests.COLD

    def score(self, inputs: Inputs) -> Scored:
        """Return the log-probabilities."""
        return scored(inputs, log_softmax(inputs.items @ self.weights))

    def score_fresh(self, inputs: Inputs) -> Scored:
        """Return the log-probabilities among fresh items."""
        return scored(inputs, log_softmax(inputs.items @ self.fresh))

    def contributions(self, scored: Scored, indices: np.ndarray) -> np.ndarray:
        """Return each input times its weight."""
        return scored.inputs.items[indices] * self.weights

    def learn(self, scored: Scored, chosen: np.ndarray, weights: np.ndarray, config: HeadConfig) -> Softmax:
        """Take a step of gradient ascent."""
        gained = self.weights + step(scored.inputs, scored.log_p, chosen)
        return replace(self, weights=gained, n_choices=self.n_choices + 1)

    def learn_fresh(self, scored: Scored, chosen: np.ndarray, config: HeadConfig) -> Softmax:
        """Take one of the other weights."""
        return replace(self, fresh=self.fresh + step(scored.inputs, scored.log_p, chosen))

    def count_fresh(self, counts: FreshChoices) -> Softmax:
        """Keep the counts."""
        return replace(self, fresh_choices=counts)

    def put_asked(self, of_asked: LinearHead) -> Softmax:
        """Keep the expert."""
        return replace(self, of_asked=of_asked)

    def put_shown(self, of_shown: LinearHead) -> Softmax:
        """Keep the expert."""
        return replace(self, of_shown=of_shown)

    def put_context(self, of_context: LinearHead) -> Softmax:
        """Keep the expert."""
        return replace(self, of_context=of_context)

    def put_interests(self, of_interests: LinearHead) -> Softmax:
        """Keep the expert."""
        return replace(self, of_interests=of_interests)

    def decay(self, factor: float) -> Softmax:
        """Keep all: steps never become shorter."""
        return self


def scored(inputs: Inputs, log_p: np.ndarray) -> Scored:
    """Return what a head without experts says."""
    return Scored(inputs, log_p, log_p[None, :], np.zeros((len(log_p), 0)))


def step(inputs: Inputs, log_p: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the gradient of the log-likelihood, a twentieth of it."""
    return np.float32(0.05) * (inputs.items[chosen].sum(axis=0) - np.exp(log_p) @ inputs.items)


def cold(kind: type[Softmax] = Softmax) -> Softmax:
    """Return one that has learned nothing."""
    return kind(np.zeros(INPUTS, np.float32), np.zeros(INPUTS, np.float32))


class TestSoftmax(HeadContract):
    """A head of one's own, in the words of the documentation."""

    def make(self):
        return cold()


class Undecided(Softmax):
    """Has no score before it has learned."""

    def score(self, inputs):
        return scored(inputs, np.full(len(inputs.items), np.nan))


class InPlace(Softmax):
    """Learns in the head that it has."""

    def learn(self, scored, chosen, weights, config):
        self.weights[:] += step(scored.inputs, scored.log_p, chosen)
        return replace(self, n_choices=self.n_choices + 1)


class Deaf(Softmax):
    """Learns nothing."""

    def learn(self, scored, chosen, weights, config):
        return self


class Restless(Softmax):
    """Learns from being asked."""

    def score(self, inputs):
        self.weights[:] += 1
        return super().score(inputs)


class Nosy(Softmax):
    """Remembers that it was asked; its scores do not say so."""

    def score(self, inputs):
        self.fresh[:] += 1
        return super().score(inputs)


class Growing(Softmax):
    """Becomes float64."""

    def learn(self, scored, chosen, weights, config):
        return replace(self, weights=self.weights + step(scored.inputs, scored.log_p, chosen).astype(np.float64))


class Unseeded(Softmax):
    """Draws from what is never the same."""

    def learn(self, scored, chosen, weights, config):
        return replace(self, weights=self.weights + np.float32(next(NUMBERS) * 1e-3))


class Biased(Softmax):
    """Thinks the first candidate the best."""

    def score(self, inputs):
        return scored(inputs, log_softmax(-np.arange(len(inputs.items), dtype=np.float32)))


class Contrary(Softmax):
    """Learns that what is chosen is bad."""

    def learn(self, scored, chosen, weights, config):
        return replace(self, weights=self.weights - step(scored.inputs, scored.log_p, chosen))


class Blind(Softmax):
    """Does not see the third input."""

    def learn(self, scored, chosen, weights, config):
        return replace(
            self, weights=self.weights + step(scored.inputs, scored.log_p, chosen) * (np.arange(INPUTS) != 2)
        )


class Exploding(Softmax):
    """Doubles its weights with each choice."""

    def learn(self, scored, chosen, weights, config):
        with np.errstate(all="ignore"):
            return replace(self, weights=2 * self.weights + step(scored.inputs, scored.log_p, chosen))


class Unnormalized(Softmax):
    """Scores that are no probabilities."""

    def score(self, inputs):
        return scored(inputs, inputs.items @ self.weights)


class Uncounted(Softmax):
    """Does not count what it has learned."""

    def learn(self, scored, chosen, weights, config):
        return replace(super().learn(scored, chosen, weights, config), n_choices=0)


class Unexplained(Softmax):
    """One number a candidate."""

    def contributions(self, scored, indices):
        return super().contributions(scored, indices).sum(axis=1)


class Stale(Softmax):
    """Learns nothing of fresh items."""

    def learn_fresh(self, scored, chosen, config):
        return self


class Uncounting(Softmax):
    """Drops the counts of fresh choices that it is given."""

    def count_fresh(self, counts):
        return self


class Unshown(Softmax):
    """Drops the expert for impressions that it is given."""

    def put_shown(self, of_shown):
        return self


class OutOfContext(Softmax):
    """Drops the expert for contexts that it is given."""

    def put_context(self, of_context):
        return self


class Uninterested(Softmax):
    """Drops the expert for interests that it is given."""

    def put_interests(self, of_interests):
        return self


class Unasked(Softmax):
    """Drops the expert for searches that it is given."""

    def put_asked(self, of_asked):
        return self


class Forgetful(Softmax):
    """Begins anew when choices change."""

    def decay(self, factor):
        return cold()


NUMBERS = itertools.count()


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize(
    ("kind", "check", "words"),
    [
        (Undecided, "test_a_cold_head_answers", "must be finite"),
        (InPlace, "test_learning_leaves_inputs_and_the_old_head_as_they_were", "must return a new head"),
        (Deaf, "test_learning_leaves_inputs_and_the_old_head_as_they_were", "must have learned"),
        (Restless, "test_scoring_changes_nothing", "scored twice must have the same scores"),
        (Nosy, "test_scoring_changes_nothing", "scoring must not change the head"),
        (Growing, "test_learning_keeps_shapes_and_types", "must keep the shapes and types"),
        (Unseeded, "test_the_same_choices_give_the_same_head", "seed whatever is drawn"),
        (Biased, "test_permuting_the_candidates_permutes_the_scores", "must not depend on its position"),
        (Contrary, "test_what_is_chosen_becomes_likelier", "a choice must become likelier"),
        (Blind, "test_a_planted_preference_is_learned", "chance is 4.5"),
        (Exploding, "test_many_steps_stay_finite", "must stay finite"),
        (Unnormalized, "test_probabilities_add_up_to_one", "must add up to 1"),
        (Uncounted, "test_the_choices_learned_are_counted", "0 and then 20"),
        (Unexplained, "test_contributions_have_a_number_for_each_input", "must have the shape"),
        (Uncounting, "test_counts_of_fresh_choices_are_kept", "must keep the counts"),
        (Unasked, "test_the_expert_for_searches_is_kept", "must keep the expert"),
        (Unshown, "test_the_expert_for_impressions_is_kept", "must keep the expert"),
        (Uninterested, "test_the_expert_for_interests_is_kept", "must keep the expert"),
        (OutOfContext, "test_the_expert_for_contexts_is_kept", "must keep the expert"),
        (Stale, "test_fresh_choices_become_likelier_among_fresh_items", "a fresh item that was chosen"),
        (Forgetful, "test_decay_keeps_what_is_known", "must keep the number of choices"),
    ],
)
def test_each_check_finds_the_head_that_breaks_it(kind: type[Softmax], check: str, words: str):
    """And says what was expected."""

    class Broken(HeadContract):
        def make(self):
            return cold(kind)

    with pytest.raises(AssertionError, match=words):
        getattr(Broken(), check)()


def test_every_check_is_seen_to_fail():
    """The list above leaves none out."""
    [mark] = [one for one in test_each_check_finds_the_head_that_breaks_it.pytestmark if one.name == "parametrize"]
    checks = {name for name in dir(HeadContract) if name.startswith("test_")}

    assert checks == {check for _, check, _ in mark.args[1]}


def test_a_contract_without_a_head_says_what_it_needs():
    """The first thing that one forgets."""
    with pytest.raises(NotImplementedError, match=r"needs a method `make` that returns your head"):
        LearnerContract().test_a_cold_head_answers()


@pytest.mark.parametrize("module", ["heads", "encoders"])
def test_a_contract_needs_no_pytest(module: str):
    """Whoever installs the package can import it."""
    code = f"import sys, stream_rec.testing.{module}; sys.exit('pytest' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
