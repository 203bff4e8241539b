"""The spaces in use: by position, whitened, and always as new."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog import spaces as module
from stream_rec.catalog import whitening
from stream_rec.catalog.spaces import LEADING, Spaces
from stream_rec.embedding.item_embedding import MAX_SPACES, ItemEmbedding
from stream_rec.errors import DimensionMismatch
from tests.catalog.stock import NEW, OLD, SECOND, embedded, space_vector
from tests.catalog.whitened import texts, whitened

ROUNDING = 1e-6
"""On some processors a product of one row differs from that row of a product of many by so much."""


def holding(vectors, seconds=()) -> Spaces:
    """Return spaces with an item a row; ``seconds`` belong to the first ones."""
    spaces = Spaces()
    spaces.ensure_capacity(len(vectors))
    for row, vector in enumerate(vectors):
        spaces.put(row, embedded(vector, second=seconds[row] if row < len(seconds) else None))
    return spaces


def cosines(vectors: np.ndarray) -> np.ndarray:
    return vectors @ vectors.T


@pytest.mark.parametrize("d", [200, 300])
def test_each_space_is_whitened_by_itself(d):
    """Rows of unit length; their cosines are those of the formula, and what is missing is zero."""
    first, second = texts(120, d), texts(80, 50, seed=1)
    spaces = holding(first, second)
    vectors, leading = spaces.vectors(), spaces.leading()

    np.testing.assert_allclose(cosines(vectors[:120, 0]), cosines(whitened(first)), atol=2e-3)
    np.testing.assert_allclose(cosines(vectors[:80, 1]), cosines(whitened(second)), atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(vectors[:80], axis=2), 1, atol=1e-5)
    assert not vectors[80:, 1].any() and not vectors[120:].any()
    np.testing.assert_array_equal(leading, vectors[:, :, :LEADING])
    assert leading.flags.c_contiguous


def test_joined_rows_weigh_both_spaces_alike():
    """Of unit length, so their cosine is the mean of both; an item with one space has that, one without has nothing."""
    spaces = holding(texts(20), texts(10, 50, seed=1))
    spaces.delete(3)
    joined, vectors = spaces.joined(np.array([0, 1, 15, 3])), spaces.vectors()

    assert joined[0] @ joined[1] == pytest.approx(np.mean([vectors[0, n] @ vectors[1, n] for n in (0, 1)]), abs=1e-5)
    np.testing.assert_allclose(joined[2, : vectors.shape[2]], vectors[15, 0], atol=1e-6)
    assert not joined[3].any()


def test_no_space_is_joined_to_zeros():
    """Before anything is embedded, variety is that of categories."""
    spaces = Spaces()
    spaces.ensure_capacity(5)

    assert not spaces.joined(np.array([1, 4])).any() and len(spaces.joined(np.array([1, 4]))) == 2


def test_a_whitening_is_found_anew_at_fixed_sizes(monkeypatch):
    """Not between: until then newcomers are whitened as the others are, and the others stay as they were."""
    fitted_on = []
    fit = whitening.fit
    monkeypatch.setattr(whitening, "fit", lambda vectors: fitted_on.append(len(vectors)) or fit(vectors))
    vectors = texts(40)
    spaces = holding(vectors[:30])
    spaces.ensure_capacity(40)
    before = spaces.vectors()[:30].copy()
    for row in range(30, 37):
        spaces.put(row, embedded(vectors[row]))
        spaces.vectors()

    np.testing.assert_allclose(spaces.vectors()[:30], before, atol=ROUNDING)
    np.testing.assert_allclose(
        cosines(spaces.vectors()[:37, 0]), cosines(whitened(vectors[:30], vectors[:37])), atol=2e-3
    )
    for row in range(37, 40):
        spaces.put(row, embedded(vectors[row]))
        spaces.vectors()
    np.testing.assert_allclose(
        cosines(spaces.vectors()[:40, 0]), cosines(whitened(vectors[:38], vectors[:40])), atol=2e-3
    )
    assert fitted_on == [30, 38]


def test_a_quarter_more_items_is_a_size(monkeypatch):
    """Each rounded up, from the first item on; items that go and come back are no growth."""
    fitted_on = []
    fit = whitening.fit
    monkeypatch.setattr(whitening, "fit", lambda vectors: fitted_on.append(len(vectors)) or fit(vectors))
    vectors = texts(100, 8)
    spaces = Spaces()
    spaces.ensure_capacity(100)
    for row in range(100):
        for again in range(2):
            spaces.put(row, embedded(vectors[row]))
            spaces.vectors()
            if not again:
                spaces.delete(row)
                spaces.vectors()

    assert fitted_on[fitted_on.index(2) :] == [2, 3, 4, 5, 7, 9, 12, 15, 19, 24, 30, 38, 48, 60, 75, 94]


def test_a_worker_started_again_whitens_as_one_that_ran_on_from_the_next_size_on():
    """Their whitenings differ only between two sizes."""
    vectors = texts(38)
    ran_on, started_again = holding(vectors[:30]), holding(vectors[:34])
    for spaces in (ran_on, started_again):
        spaces.ensure_capacity(38)
        spaces.vectors()
    for row in range(30, 37):
        ran_on.put(row, embedded(vectors[row]))
        started_again.put(row, embedded(vectors[row]))
    assert np.abs(ran_on.vectors()[:37] - started_again.vectors()[:37]).max() > 1e-3

    for spaces in (ran_on, started_again):
        spaces.put(37, embedded(vectors[37]))
    np.testing.assert_array_equal(ran_on.vectors()[:38], started_again.vectors()[:38])


def test_loading_costs_one_whitening(monkeypatch):
    """Nothing is computed until somebody asks, as a worker that reads its topics does not."""
    fitted_on = []
    fit = whitening.fit
    monkeypatch.setattr(whitening, "fit", lambda vectors: fitted_on.append(len(vectors)) or fit(vectors))
    spaces = holding(texts(100), texts(100, 50))
    assert fitted_on == []

    for ask in (spaces.similar, spaces.vectors, spaces.leading, lambda: spaces.joined(np.array([1]))):
        ask()
    assert fitted_on == [100, 100]


def test_the_order_of_puts_makes_no_difference():
    """What was loaded as a whole is whitened the same, whoever read which record first."""
    first, second = texts(90), texts(90, 50, seed=1)
    expected = holding(first, second).vectors()
    spaces = Spaces()
    spaces.ensure_capacity(90)
    for row in np.random.default_rng(5).permutation(90):
        spaces.put(row, embedded(first[row], second=second[row]))

    np.testing.assert_allclose(spaces.vectors(), expected, atol=1e-5)


def test_many_rows_are_whitened_in_parts(monkeypatch):
    """A bound on memory, and nothing else."""
    vectors = texts(50)
    expected = holding(vectors).vectors()
    monkeypatch.setattr(module, "AT_ONCE", 7)

    np.testing.assert_allclose(holding(vectors).vectors(), expected, atol=1e-6)


def test_an_encoder_takes_over_at_its_position():
    """When it holds as many items there; the other position goes on as it was."""
    spaces = holding(np.eye(4), np.eye(4))
    before = spaces.vectors().copy()
    others = texts(4, 30)
    for row in range(3):
        assert not spaces.put(row, embedded(others[row], NEW, second=np.eye(4)[row]))
    np.testing.assert_allclose(spaces.vectors(), before, atol=ROUNDING)
    assert spaces.identities == (OLD, SECOND)

    assert spaces.put(3, embedded(others[3], NEW, second=np.eye(4)[3]))
    assert spaces.identities == (NEW, SECOND)
    np.testing.assert_allclose(cosines(spaces.vectors()[:4, 0]), cosines(whitened(others)), atol=2e-3)
    np.testing.assert_allclose(spaces.vectors()[:, 1], before[:, 1], atol=ROUNDING)


def test_encoders_that_change_places_are_never_compared_with_each_other():
    """Both positions take over at once, as all items were embedded in the other order."""
    first, second = texts(6, 30), texts(6, 20, seed=1)
    spaces = holding(first, second)
    for row in range(6):
        spaces.put(row, ItemEmbedding(bytes(16), (space_vector(second[row], SECOND), space_vector(first[row], OLD))))

    assert spaces.identities == (SECOND, OLD)
    for number, vectors in enumerate((second, first)):
        np.testing.assert_allclose(cosines(spaces.vectors()[:6, number]), cosines(whitened(vectors)), atol=2e-3)


@pytest.mark.parametrize("setting", [(OLD, SECOND), (SECOND, OLD)])
def test_a_vector_keeps_its_place_where_the_other_encoder_failed(setting):
    """Whichever it was, and if its record is the very first; only what it failed for is not found there."""
    made = [[space_vector(vector, encoder) for encoder, vector in zip(setting, np.eye(4))] for _ in range(4)]
    made[0][0] = made[2][1] = None
    spaces = Spaces()
    spaces.ensure_capacity(4)
    for row, vectors in enumerate(made):
        spaces.put(row, ItemEmbedding(bytes(16), tuple(vectors)))

    assert spaces.identities == setting
    assert spaces.vectors()[:4].any(axis=2).tolist() == [[False, True], [True, True], [True, False], [True, True]]
    assert sorted(spaces.similar()[1].of(0)[0].tolist()) == [1, 3]


@pytest.mark.parametrize("fails_for", range(4))
def test_an_encoder_takes_over_though_it_fails_for_an_item(fails_for):
    """Whenever that comes: the old vector of the item is gone too, so the new encoder has as many in the end."""
    spaces = holding(np.eye(4), np.eye(4))
    has_changed = []
    for row in range(4):
        new = None if row == fails_for else space_vector([row, 1, 1], NEW)
        has_changed.append(spaces.put(row, ItemEmbedding(bytes(16), (new, space_vector(np.eye(4)[row], SECOND)))))

    assert spaces.identities == (NEW, SECOND)
    assert has_changed.count(True) == 1 and spaces.find(fails_for) is None
    assert spaces.vectors()[:4, 0].any(axis=1).tolist() == [row != fails_for for row in range(4)]


def test_two_settings_that_alternate_leave_each_vector_in_its_place():
    """Embedders with one encoder less, or with both in another order, write for a while; then all is embedded again."""
    rng = np.random.default_rng(7)
    first, second = texts(7, 30), texts(7, 20, seed=1)
    spaces = holding(first, second)
    expected = spaces.vectors().copy()
    for _ in range(60):
        row = int(rng.integers(7))
        one, other = space_vector(first[row], OLD), space_vector(second[row], SECOND)
        kinds = (one, other), (other, one), (one,), (other,), (None, other), (one, None)
        spaces.put(row, ItemEmbedding(bytes(16), kinds[int(rng.integers(len(kinds)))]))
        if rng.random() < 0.3:
            spaces.vectors()
    for row in range(7):
        spaces.put(row, embedded(first[row], second=second[row]))

    assert spaces.identities == (OLD, SECOND)
    for number in range(2):
        np.testing.assert_allclose(cosines(spaces.vectors()[:7, number]), cosines(expected[:7, number]), atol=2e-3)


def test_a_second_space_is_lost_and_comes_back():
    """Item by item, as they are embedded again; nothing of it is left in the end."""
    vectors = np.eye(3)
    spaces = holding(vectors, vectors)
    both = spaces.vectors().copy()
    for row in range(3):
        assert spaces.identities == (OLD, SECOND)
        spaces.put(row, embedded(vectors[row]))
        assert not spaces.vectors()[: row + 1, 1].any()
    assert spaces.identities == (OLD,)
    assert spaces.similar()[1].of(0)[0].tolist() == []
    np.testing.assert_allclose(spaces.vectors()[:, 0], both[:, 0], atol=ROUNDING)

    for row in range(3):
        spaces.put(row, embedded(vectors[row], second=vectors[row]))
    np.testing.assert_allclose(spaces.vectors(), both, atol=1e-6)
    assert spaces.identities == (OLD, SECOND)


def test_what_an_encoder_lost_while_another_was_in_use_stays_lost():
    """Both take over in turn before anybody asks: the vector that the first one had of an item is gone."""
    spaces = holding(np.eye(4)[:3])
    spaces.ensure_capacity(4)
    spaces.put(0, embedded([1, 1], NEW))
    assert spaces.vectors()[0, 0].any()
    spaces.put(1, embedded([1, -1], NEW))
    assert spaces.put(3, embedded([1, 0], NEW))
    spaces.put(1, embedded(np.eye(4)[1]))
    assert spaces.put(3, embedded(np.eye(4)[3]))

    assert spaces.identities == (OLD,)
    assert spaces.vectors()[:4, 0].any(axis=1).tolist() == [False, True, True, True]


def test_a_deleted_item_is_zero_and_nobodys_neighbour():
    """Deleting what is not there does nothing."""
    spaces = holding(np.eye(4), np.eye(4))
    spaces.vectors()
    for row in (1, 1, 3):
        spaces.delete(row)
        spaces.delete(row)

    assert spaces.vectors().any(axis=2)[:4].tolist() == [[True] * 2, [False] * 2, [True] * 2, [False] * 2]
    assert not spaces.leading()[[1, 3]].any()
    for similar in spaces.similar():
        assert similar.of(0)[0].tolist() == [2]
    assert spaces.n_items == 2
    assert spaces.find(1) is None


def test_a_changed_text_moves_its_item_alone():
    """Its neighbours' vectors stay, their lists do not."""
    spaces = holding(np.eye(3), np.eye(3))
    before = spaces.vectors().copy()
    assert spaces.similar()[1].of(2)[0].tolist()
    spaces.put(0, embedded([0, 0.1, 1], second=[1, 0, 0]))

    np.testing.assert_allclose(spaces.vectors()[1:], before[1:], atol=ROUNDING)
    assert spaces.vectors()[0, 0] @ spaces.vectors()[2, 0] > 0.9
    np.testing.assert_allclose(spaces.vectors()[0, 1], before[0, 1], atol=ROUNDING)
    assert spaces.similar()[0].of(2)[0].tolist()[0] == 0


def test_a_refused_embedding_changes_nothing():
    """Its first vector is not taken where the second is too long."""
    spaces = holding(np.eye(3), np.eye(3))
    before = spaces.vectors().copy()

    for bad in (embedded([1, 1, 1], second=[1, 1]), embedded([1, 1], second=[1, 1, 1])):
        with pytest.raises(DimensionMismatch, match=r"2 numbers, its others have 3"):
            spaces.put(0, bad)
    assert spaces.find(0).tolist() == [1, 0, 0]
    np.testing.assert_allclose(spaces.vectors(), before, atol=ROUNDING)


def test_a_second_space_takes_room_when_it_comes():
    """With one encoder an item takes half as much; the first space's vectors stay as they are."""
    first, second = texts(5, 30), texts(5, 20, seed=1)
    spaces = holding(first)
    alone, joined = spaces.vectors(), spaces.joined(np.arange(5))
    assert alone.shape[1:] == (1, whitening.COMPONENTS) and spaces.leading().shape[1:] == (1, LEADING)
    np.testing.assert_allclose(joined, alone[:5, 0], atol=1e-6)

    spaces.put(4, embedded(first[4], second=second[4]))
    assert spaces.vectors().shape == (len(alone), 2, whitening.COMPONENTS) and spaces.leading().shape[1] == 2
    np.testing.assert_allclose(spaces.vectors()[:, 0], alone[:, 0], atol=ROUNDING)
    assert spaces.vectors()[:5, 1].any(axis=1).tolist() == [False] * 4 + [True]
    for row in range(4):
        spaces.put(row, embedded(first[row], second=second[row]))
    np.testing.assert_allclose(spaces.vectors(), holding(first, second).vectors(), atol=ROUNDING)
    assert [len(similar.of(0)[0]) for similar in spaces.similar()] == [4, 4]


def test_no_items_have_vectors_of_the_right_shape():
    """Before the first record, and before the first vector."""
    spaces = Spaces()
    assert spaces.vectors().shape[0] == 0
    spaces.ensure_capacity(3)

    assert spaces.vectors().shape[1] == spaces.leading().shape[1] == len(spaces.similar()) == 1
    assert not spaces.vectors().any()
    assert (spaces.identities, spaces.n_items) == ((), 0)


SIZES = 1, 2, 3, 4, 5, 7, 9, 12
"""At which a whitening is found anew."""


class Model:
    """The slow and plain way: which vector of which encoder each item has, by position."""

    def __init__(self) -> None:
        self.held: list[dict[str, dict[int, np.ndarray]]] = [{} for _ in range(MAX_SPACES)]
        self.active: list[str | None] = [None] * MAX_SPACES
        self.fitted: list[tuple[str, int, np.ndarray] | None] = [None] * MAX_SPACES

    def put(self, row: int, vectors: list[tuple[str, np.ndarray] | None]) -> None:
        for number in range(MAX_SPACES):
            one = vectors[number] if number < len(vectors) else None
            if one is None:
                self._delete(number, row)
                continue
            encoder, vector = one
            held = self.held[number]
            held.setdefault(encoder, {})[row] = vector
            if encoder == self.active[number]:
                for other in held.keys() - {encoder}:
                    held[other].pop(row, None)
            else:
                self._take_over(number, encoder)

    def delete(self, row: int) -> None:
        for number in range(MAX_SPACES):
            self._delete(number, row)

    def _delete(self, number: int, row: int) -> None:
        held = self.held[number]
        has_fewer = row in held.get(self.active[number], {})
        for other in held.values():
            other.pop(row, None)
        for encoder in held.keys() - {self.active[number]} if has_fewer else ():
            self._take_over(number, encoder)

    def _take_over(self, number: int, encoder: str) -> None:
        held = self.held[number]
        if len(held[encoder]) >= max(1, len(held.get(self.active[number], ()))):
            self.fitted[number] = None
            for other in held.keys() - {encoder}:
                held[other] = {r: v for r, v in held[other].items() if r not in held[encoder]}
            self.active[number] = encoder

    def cosines(self, number: int, n: int) -> np.ndarray:
        """Return cosines of all rows, (n, n)."""
        held = self.held[number].get(self.active[number], {})
        made = np.zeros((n, n))
        if not held:
            self.fitted[number] = None
            return made
        rows, vectors = sorted(held), np.array([held[row] for row in sorted(held)])
        fitted = self.fitted[number]
        if fitted is None or fitted[0] != self.active[number] or any(fitted[1] < size <= len(rows) for size in SIZES):
            fitted = self.fitted[number] = self.active[number], len(rows), vectors
        made[np.ix_(rows, rows)] = cosines(whitened(fitted[2], vectors))
        return made


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_sequence_is_as_in_the_slow_model(seed):
    """Items come with one space or two; encoders alternate, change, fail and go; vectors are asked for at any time."""
    rng = np.random.default_rng(seed)
    n, spaces, model = 12, Spaces(), Model()
    spaces.ensure_capacity(n)
    lengths = {OLD: 4, NEW: 5, SECOND: 6, "third@1": 4}
    for _ in range(60):
        row = int(rng.integers(n))
        if rng.random() < 0.2:
            spaces.delete(row)
            model.delete(row)
        else:
            first = OLD if rng.random() < 0.6 else NEW
            names = (first, SECOND if rng.random() < 0.6 else "third@1")[: int(rng.integers(1, 3))]
            made = [space_vector(rng.normal(size=lengths[name]), name) for name in names]
            if len(made) == 2 and rng.random() < 0.4:
                made[int(rng.integers(2))] = None
            spaces.put(row, ItemEmbedding(bytes(16), tuple(made)))
            model.put(row, [one and (one.encoder, one.vector) for one in made])
        if rng.random() < 0.3:
            assert_as_in(spaces, model, n)
    assert_as_in(spaces, model, n)


def assert_as_in(spaces: Spaces, model: Model, n: int) -> None:
    vectors = spaces.vectors()
    for number in range(vectors.shape[1], MAX_SPACES):
        assert not model.held[number]
    for number in range(vectors.shape[1]):
        expected = model.cosines(number, n)
        np.testing.assert_allclose(cosines(vectors[:n, number]), expected, atol=2e-2)
        held = sorted(model.held[number].get(model.active[number], {}))
        for row in held:
            assert sorted(spaces.similar()[number].of(row)[0].tolist()) == [other for other in held if other != row]
