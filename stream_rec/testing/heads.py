"""What every head keeps, as tests for whoever writes one of their own.

In a test module of yours, which pytest then finds:

    from stream_rec.testing.heads import HeadContract

    class TestMyHead(HeadContract):
        def make(self):
            return MyHead(...)

Each test is a method of its own, with a message that says what was expected. Nothing here needs pytest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rec.ranking import linear_head
from stream_rec.ranking.features import CONTEXT, HISTORY, INPUTS, Inputs
from stream_rec.ranking.fresh_choices import FreshChoices
from stream_rec.ranking.mixture import log_softmax
from stream_rec.ranking.policy import HeadConfig

HISTORIES = len(HISTORY) + 1
"""How many lengths of history there are."""
STEPS = 10_000


def draw_inputs(k: int = 6, seed: int = 0, history: int = 1) -> Inputs:
    """Return random inputs of ``k`` candidates, in the range in which features are.

    Example:
        >>> draw_inputs(k=3).items.shape == (3, INPUTS)
        True
    """
    rng = np.random.default_rng(seed)
    items = rng.uniform(-0.2, 1.0, (k, INPUTS)).astype(np.float32)
    return Inputs(items, rng.uniform(0, 1, CONTEXT).astype(np.float32), history)


class LearnerContract:
    """What anything keeps that scores candidates and learns from a choice: a head, or one expert of it.

    A subclass says how it is made and, where its methods are not those of ``Head``, how it scores and learns.
    """

    config = HeadConfig()
    """For learning."""

    def make(self) -> Any:
        """Return one that has learned nothing; the same each time."""
        raise NotImplementedError(f"{type(self).__name__} needs a method `make` that returns your head")

    def score(self, head: Any, inputs: Inputs) -> NDArray[np.floating]:
        """Return (k,) scores of the candidates, higher is likelier."""
        scores: NDArray[np.floating] = head.score(inputs).log_p
        return scores

    def learn(self, head: Any, inputs: Inputs, chosen: int) -> Any:
        """Return the head after the candidate with this index was chosen."""
        return head.learn(head.score(inputs), np.array([chosen]), np.ones(1), self.config)

    def test_a_cold_head_answers(self) -> None:
        """With a finite score for each candidate; also where there is none."""
        for k in (5, 0):
            scores = np.asarray(self.score(self.make(), draw_inputs(k)))
            _require(scores.shape == (k,), f"{k} candidates need {k} scores; came an array of shape {scores.shape}")
            _require(np.isfinite(scores).all(), f"scores must be finite; came {scores}")

    def test_learning_leaves_inputs_and_the_old_head_as_they_were(self) -> None:
        """State in, state out: what is learned is in the head that is returned, and only there."""
        head, inputs = self._warm(), draw_inputs(seed=99)
        before, items, context = _copy_numbers(head), inputs.items.copy(), inputs.context.copy()
        scores = np.array(self.score(head, inputs))
        after = self.learn(head, inputs, 2)

        _require_equal(before, _copy_numbers(head), "learning must return a new head; it changed the old one's numbers")
        _require_equal([scores], [self.score(head, inputs)], "learning must return a new head; the old one scores anew")
        _require_equal([items, context], [inputs.items, inputs.context], "learning must not change the inputs")
        _require(
            after is not None and not np.array_equal(scores, self.score(after, inputs)),
            "the head that learning returns must have learned; it scores as the old one does",
        )

    def test_scoring_changes_nothing(self) -> None:
        """Neither the head nor the inputs; twice is the same to the last bit."""
        head, inputs = self._warm(), draw_inputs(seed=99)
        before, items = _copy_numbers(head), inputs.items.copy()
        first = np.array(self.score(head, inputs))

        _require_equal([first], [self.score(head, inputs)], "the same inputs scored twice must have the same scores")
        _require_equal([items], [inputs.items], "scoring must not change the inputs")
        _require_equal(before, _copy_numbers(head), "scoring must not change the head")

    def test_learning_keeps_shapes_and_types(self) -> None:
        """A head does not grow, and float32 stays float32."""
        cold, warm = ([(n.shape, n.dtype) for n in _copy_numbers(head)] for head in (self.make(), self._warm()))

        _require(cold == warm, f"learning must keep the shapes and types of a head's numbers: {cold} became {warm}")

    def test_the_same_choices_give_the_same_head(self) -> None:
        """To the last bit."""
        one, other, inputs = self._warm(), self._warm(), draw_inputs(seed=99)
        message = "the same choices must give the same head: seed whatever is drawn"

        _require_equal(_copy_numbers(one), _copy_numbers(other), message)
        _require_equal([self.score(one, inputs)], [self.score(other, inputs)], message)

    def test_permuting_the_candidates_permutes_the_scores(self) -> None:
        """No position is better than another; nor does learning depend on it."""
        order = np.array([3, 0, 5, 1, 4, 2])
        head, inputs = self._warm(), draw_inputs(seed=99)
        permuted = inputs.keep(order)
        scores = np.asarray(self.score(head, inputs))
        message = "an item's score must not depend on its position among the candidates"
        _require_close([scores[order]], [self.score(head, permuted)], message, rtol=1e-4, atol=1e-6)

        straight, turned = self.learn(head, inputs, 5), self.learn(head, permuted, 2)
        message = "what is learned of a choice must not depend on its position among the candidates"
        _require_close(_copy_numbers(straight), _copy_numbers(turned), message, rtol=1e-3, atol=1e-5)

    def test_what_is_chosen_becomes_likelier(self) -> None:
        """After one step, on the same candidates."""
        head, inputs = self._warm(), draw_inputs(seed=99)
        before, after = (log_softmax(self.score(each, inputs))[4] for each in (head, self.learn(head, inputs, 4)))

        _require(after > before, f"a choice must become likelier: log-probability {before:.6f}, then {after:.6f}")

    def test_a_planted_preference_is_learned(self) -> None:
        """Users choose the candidate with the largest third input: after 300 choices it stands first nearly always."""
        head = self.make()
        for seed in range(300):
            inputs = draw_inputs(10, seed=seed, history=seed % HISTORIES)
            head = self.learn(head, inputs, int(inputs.items[:, 2].argmax()))
        ranks = []
        for seed in range(1000, 1100):
            inputs = draw_inputs(10, seed=seed, history=seed % HISTORIES)
            ranked = np.argsort(-self.score(head, inputs))
            ranks.append(ranked.tolist().index(int(inputs.items[:, 2].argmax())))

        mean = float(np.mean(ranks))
        _require(mean < 1.0, f"a plain preference must be learned: {mean:.2f} others stand above it, chance is 4.5")

    def test_many_steps_stay_finite(self) -> None:
        """Also where one choice contradicts the other, where candidates are equal, and where there is one alone."""
        equal = Inputs(np.ones((3, INPUTS), np.float32), np.ones(CONTEXT, np.float32), 2)
        shapes = [draw_inputs(6, 1, 0), draw_inputs(6, 2, 3), draw_inputs(1, 3, 1), equal]
        head = self.make()
        for step in range(STEPS):
            inputs = shapes[step % 4]
            head = self.learn(head, inputs, step * 7 % len(inputs.items))

        for part in (*_copy_numbers(head), *(self.score(head, inputs) for inputs in shapes)):
            _require(np.isfinite(part).all(), f"numbers and scores must stay finite over {STEPS} steps; came {part}")

    def _require_expert_kept(self, of: str) -> None:
        head, inputs = self._warm(), draw_inputs(seed=99)
        expert, before = linear_head.cold(3, 1), getattr(head, f"of_{of}")
        after = getattr(head, f"put_{of}")(expert)

        kept, left = getattr(after, f"of_{of}"), getattr(head, f"of_{of}")
        _require(kept is expert, f"`put_{of}` must keep the expert; came {kept}")
        _require(left is before, f"`put_{of}` must return a new head and leave the old one as it was")
        _require_equal(
            [self.score(head, inputs)], [self.score(after, inputs)], f"`put_{of}` must not change how all items score"
        )

    def _warm(self, n: int = 20) -> Any:
        head = self.make()
        for seed in range(n):
            head = self.learn(head, draw_inputs(seed=seed, history=seed % HISTORIES), seed % 6)
        return head


class HeadContract(LearnerContract):
    """What every ``stream_rec.ranking.head.Head`` keeps: ranking, explaining and drift need more than a learner."""

    def test_counts_of_fresh_choices_are_kept(self) -> None:
        """In a new head, which ranks as the one of before."""
        head, inputs = self._warm(), draw_inputs(seed=99)
        counts = FreshChoices((1.0,) * HISTORIES, (7.0,) * HISTORIES)
        before = head.fresh_choices
        after = head.count_fresh(counts)

        _require(after.fresh_choices == counts, f"`count_fresh` must keep the counts; came {after.fresh_choices}")
        _require(head.fresh_choices == before, "`count_fresh` must return a new head and leave the old one as it was")
        _require_equal(
            [self.score(head, inputs)], [self.score(after, inputs)], "`count_fresh` must not change how all items score"
        )

    def test_the_expert_for_searches_is_kept(self) -> None:
        """In a new head, which ranks as the one of before."""
        self._require_expert_kept("asked")

    def test_the_expert_for_impressions_is_kept(self) -> None:
        """In a new head, which ranks as the one of before."""
        self._require_expert_kept("shown")

    def test_the_expert_for_interests_is_kept(self) -> None:
        """It comes with what new users say to like."""
        self._require_expert_kept("interests")

    def test_the_expert_for_contexts_is_kept(self) -> None:
        """In a new head, which ranks as the one of before."""
        self._require_expert_kept("context")

    def test_probabilities_add_up_to_one(self) -> None:
        """Of all candidates, and of fresh ones among themselves."""
        head, inputs = self._warm(), draw_inputs(8, seed=99)
        for name, scored in (("score", head.score(inputs)), ("score_fresh", head.score_fresh(inputs))):
            total = float(np.exp(scored.log_p).sum())
            _require(abs(total - 1) < 1e-4, f"the probabilities of `{name}` must add up to 1; their sum is {total:.6f}")

    def test_the_choices_learned_are_counted(self) -> None:
        """One for each group of choices."""
        counts = self.make().n_choices, self._warm(20).n_choices
        _require(counts == (0, 20), f"n_choices must count groups of choices, 0 and then 20; came {counts}")

    def test_contributions_have_a_number_for_each_input(self) -> None:
        """Of each candidate that is asked for: an explanation takes the largest."""
        head, inputs = self._warm(), draw_inputs(seed=99)
        shape = np.shape(head.contributions(head.score(inputs), np.array([4, 1])))

        _require(shape == (2, INPUTS), f"contributions of 2 candidates must have the shape (2, {INPUTS}); came {shape}")

    def test_fresh_choices_become_likelier_among_fresh_items(self) -> None:
        """And leave the ranking of all items as it was."""
        head, inputs = self._warm(), draw_inputs(seed=99)
        after = head.learn_fresh(head.score_fresh(inputs), np.array([4]), self.config)
        gain = float(after.score_fresh(inputs).log_p[4] - head.score_fresh(inputs).log_p[4])

        _require(gain > 0, f"a fresh item that was chosen must become likelier; its log-probability went by {gain:.6f}")
        _require_equal(
            [self.score(head, inputs)], [self.score(after, inputs)], "`learn_fresh` must not change how all items score"
        )

    def test_decay_keeps_what_is_known(self) -> None:
        """A change of taste makes a head learn faster: nothing that it has learned is forgotten."""
        head, inputs = self._warm(), draw_inputs(seed=99)
        decayed = head.decay(0.5)
        scores = np.asarray(self.score(decayed, inputs))

        _require(np.isfinite(scores).all(), f"scores must stay finite after `decay`; came {scores}")
        _require(decayed.n_choices == head.n_choices, "`decay` must keep the number of choices learned")


def _numbers_in(value: Any) -> Iterator[NDArray[Any]]:
    """Yield all numbers in a value, however deep: structs, dataclasses, containers and arrays are looked into."""
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.astuple(value)
    elif is_dataclass(value) and not isinstance(value, type):
        value = [getattr(value, field.name) for field in fields(value)]
    elif isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from _numbers_in(each)
    elif isinstance(value, np.ndarray | np.number | int | float):
        yield np.asarray(value)


def _copy_numbers(head: Any) -> list[NDArray[Any]]:
    """Return copies; of a head of another kind (say, a torch module) none, so that its scores alone are compared."""
    return [number.copy() for number in _numbers_in(head)]


def _require(claim: bool | np.bool_, message: str) -> None:
    if not claim:
        raise AssertionError(message)


def _require_equal(before: list[NDArray[Any]], after: list[NDArray[Any]], message: str) -> None:
    _require(len(before) == len(after), message)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(other, one, err_msg=message)


def _require_close(
    before: list[NDArray[Any]], after: list[NDArray[Any]], message: str, *, rtol: float, atol: float
) -> None:
    _require(len(before) == len(after), message)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(other, one, rtol=rtol, atol=atol, err_msg=message)
