"""What every encoder keeps, as tests for whoever writes one of their own.

In a test module of yours, which pytest then finds:

    from stream_rec.testing.encoders import EncoderContract

    class TestMyEncoder(EncoderContract):
        def make(self):
            return MyEncoder(...)

The encoder is made once a class. Each test is a method of its own, with a message that says what was expected. Nothing
here needs pytest.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from stream_rec.embedding.encoder import Encoder
from stream_rec.embedding.item_embedding import MAX_IDENTITY_BYTES

TEXTS = ["red wine", "a garden hose of twenty metres, green, with a brass nozzle", "", "Café 红酒 🍷", "red wine"]


class EncoderContract:
    """What every ``stream_rec.embedding.encoder.Encoder`` keeps."""

    tolerance = 1e-5
    """How far two vectors of one text may differ: another batch is another order of summation. bfloat16, with its 8
    bits of precision, needs 0.02."""
    _made: ClassVar[Encoder | None] = None

    def make(self) -> Encoder:
        """Return the encoder."""
        raise NotImplementedError(f"{type(self).__name__} needs a method `make` that returns your encoder")

    @property
    def encoder(self) -> Encoder:
        """The encoder of this class."""
        kind = type(self)
        if kind._made is None:
            kind._made = self.make()
        return kind._made

    @classmethod
    def teardown_class(cls) -> None:
        """Let the encoder go; pytest calls this."""
        cls._made = None

    def test_rows_are_float32_of_unit_length(self) -> None:
        """So that a dot product is the cosine, also for the empty text."""
        shape = len(TEXTS), self.encoder.dimensions
        for rows in (self.encoder.encode_passages(TEXTS), self.encoder.encode_queries(TEXTS)):
            _require(rows.dtype == np.float32, f"vectors must be float32; came {rows.dtype}")
            _require(rows.shape == shape, f"a row a text and `dimensions` columns: {shape} expected, came {rows.shape}")
            lengths = np.linalg.norm(rows, axis=1)
            _require(np.allclose(lengths, 1.0, atol=1e-5), f"rows must have unit length; came {lengths}")

    def test_the_same_text_gives_the_same_vector_in_any_company(self) -> None:
        """Alone, in a batch, and twice in a batch: batching is not visible in the vectors."""
        rows = self.encoder.encode_passages(TEXTS)

        self._require_close(rows[0], rows[-1], "a text that comes twice in a batch must have one vector")
        for text, row in zip(TEXTS, rows):
            alone = self.encoder.encode_passages([text])[0]
            self._require_close(row, alone, f"{text!r} must have the same vector alone as in a batch")

    def test_order_is_kept(self) -> None:
        """Sorting by length inside must not be visible outside."""
        rows = self.encoder.encode_passages(TEXTS)
        reversed_rows = self.encoder.encode_passages(TEXTS[::-1])

        self._require_close(rows[::-1], reversed_rows, "rows must come in the order of the texts")

    def test_different_texts_have_different_vectors(self) -> None:
        """An encoder that maps all to one point passes every other test."""
        rows = self.encoder.encode_passages(TEXTS[:4])
        nearest = float((rows @ rows.T)[np.triu_indices(4, 1)].max())

        _require(nearest < 0.999, f"different texts must have different vectors; the cosine of two is {nearest:.4f}")

    def test_no_texts_give_no_rows(self) -> None:
        """With the right number of columns."""
        shape = 0, self.encoder.dimensions
        for rows in (self.encoder.encode_passages([]), self.encoder.encode_queries([])):
            _require(rows.shape == shape, f"no texts must give an array of shape {shape}; came {rows.shape}")
            _require(rows.dtype == np.float32, f"vectors must be float32, also none; came {rows.dtype}")

    def test_a_very_long_text_is_cut(self) -> None:
        """What lies beyond the limit changes nothing, and costs nothing worth speaking of."""
        rows = self.encoder.encode_passages(["word " * 10_000, "word " * 10_000 + "end", "x" * 60_000])
        lengths = np.linalg.norm(rows, axis=1)

        _require(np.allclose(lengths, 1.0, atol=1e-5), f"long texts must have vectors of unit length; came {lengths}")
        self._require_close(rows[0], rows[1], "a text must be cut at a limit: what lies beyond it changed the vector")

    def test_every_text_has_its_row_in_a_large_batch(self) -> None:
        """Many batches inside one call."""
        texts = [f"text number {i} " * (i % 7 + 1) for i in range(60)]
        rows = self.encoder.encode_passages(texts)

        for i in (0, 6, 33, 59):
            alone = self.encoder.encode_passages([texts[i]])[0]
            self._require_close(rows[i], alone, f"row {i} of a large batch must be the vector of its text")

    def test_texts_are_not_changed(self) -> None:
        """The caller's list is the caller's."""
        texts = list(TEXTS)
        self.encoder.encode_passages(texts)

        _require(texts == TEXTS, "encoding must not change the list of texts")

    def test_the_identity_is_name_and_revision(self) -> None:
        """One short string, the same at every call, that can stand in a record, a log and a label."""
        identity, expected = self.encoder.identity, f"{self.encoder.name}@{self.encoder.revision}"
        n_bytes = len(identity.encode())

        _require(identity == expected, f"the identity must be name@revision, {expected!r}; came {identity!r}")
        _require(identity.isprintable(), f"the identity must be printable; came {identity!r}")
        _require(n_bytes <= MAX_IDENTITY_BYTES, f"the identity has {n_bytes} bytes, at most {MAX_IDENTITY_BYTES} fit")

    def test_tokens_are_counted(self) -> None:
        """The counter grows with each call, by at least one for each text that is not empty."""
        before = self.encoder.tokens_encoded
        self.encoder.encode_passages(TEXTS)
        of_passages = self.encoder.tokens_encoded - before
        self.encoder.encode_queries(["wine"])
        of_queries = self.encoder.tokens_encoded - before - of_passages

        _require(of_passages >= 4, f"four texts have at least four tokens; `tokens_encoded` grew by {of_passages}")
        _require(of_queries >= 1, f"queries have tokens too; `tokens_encoded` grew by {of_queries}")

    def _require_close(self, one: NDArray[np.float32], other: NDArray[np.float32], message: str) -> None:
        np.testing.assert_allclose(other, one, atol=self.tolerance, err_msg=message)


def _require(claim: bool | np.bool_, message: str) -> None:
    if not claim:
        raise AssertionError(message)
