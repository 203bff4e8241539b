"""What every encoder keeps."""

import numpy as np
import pytest

from stream_rec.embedding.codec import MAX_IDENTITY_BYTES
from stream_rec.embedding.hashing import HashingEncoder
from tests.embedding import models

TEXTS = ["red wine", "a garden hose of twenty metres, green, with a brass nozzle", "", "Café 红酒 🍷", "red wine"]

MODEL = pytest.mark.model


@pytest.fixture(
    scope="module",
    params=[
        "hashing",
        pytest.param("minilm", marks=MODEL),
        pytest.param("bert-cls", marks=MODEL),
        pytest.param("decoder-last", marks=MODEL),
        pytest.param("bert-bfloat16", marks=MODEL),
    ],
)
def encoder(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / request.param
    match request.param:
        case "hashing":
            return HashingEncoder(dimensions=128)
        case "minilm":
            return models.minilm()
        case "bert-cls":
            return models.tiny(models.save_bert(folder), pooling="cls", passage_prefix="p: ", token_budget=64)
        case "bert-bfloat16":
            return models.tiny(models.save_bert(folder), dtype="bfloat16")
        case "decoder-last":
            return models.tiny(models.save_decoder(folder), pooling="last")


@pytest.fixture
def tolerance(encoder):
    """bfloat16 has 8 bits of precision, and another batch is another order of summation."""
    return 2e-2 if encoder.name == "bert-bfloat16" else 1e-5


def test_rows_are_float32_of_unit_length(encoder):
    """So that a dot product is the cosine, also for the empty text."""
    for rows in (encoder.encode_passages(TEXTS), encoder.encode_queries(TEXTS)):
        assert rows.dtype == np.float32
        assert rows.shape == (len(TEXTS), encoder.dimensions)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)


def test_the_same_text_gives_the_same_vector_in_any_company(encoder, tolerance):
    """Alone, in a batch, and twice in a batch: batching is not visible in the vectors."""
    rows = encoder.encode_passages(TEXTS)

    np.testing.assert_allclose(rows[0], rows[-1], atol=tolerance)
    for text, row in zip(TEXTS, rows):
        np.testing.assert_allclose(encoder.encode_passages([text])[0], row, atol=tolerance)


def test_order_is_kept(encoder, tolerance):
    """Sorting by length inside must not be visible outside."""
    rows = encoder.encode_passages(TEXTS)

    np.testing.assert_allclose(encoder.encode_passages(TEXTS[::-1]), rows[::-1], atol=tolerance)


def test_different_texts_have_different_vectors(encoder):
    """An encoder that maps all to one point passes every other test."""
    rows = encoder.encode_passages(TEXTS[:4])

    assert (rows @ rows.T)[np.triu_indices(4, 1)].max() < 0.999


def test_no_texts_give_no_rows(encoder):
    """With the right number of columns."""
    assert encoder.encode_passages([]).shape == (0, encoder.dimensions)
    assert encoder.encode_queries([]).dtype == np.float32


def test_a_very_long_text_is_cut(encoder, tolerance):
    """What lies beyond the limit changes nothing, and costs nothing worth speaking of."""
    rows = encoder.encode_passages(["word " * 10_000, "word " * 10_000 + "end", "x" * 60_000])

    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(rows[0], rows[1], atol=tolerance)


def test_every_text_has_its_place_in_a_large_batch(encoder, tolerance):
    """Many batches inside one call."""
    texts = [f"text number {i} " * (i % 7 + 1) for i in range(60)]
    rows = encoder.encode_passages(texts)

    for i in (0, 6, 33, 59):
        np.testing.assert_allclose(encoder.encode_passages([texts[i]])[0], rows[i], atol=tolerance)


def test_texts_are_not_changed(encoder):
    """The caller's list is the caller's."""
    texts = list(TEXTS)
    encoder.encode_passages(texts)

    assert texts == TEXTS


def test_the_identity_is_name_and_revision(encoder):
    """One short string, the same at every call, that can stand in a record, a log and a label."""
    assert encoder.identity == f"{encoder.name}@{encoder.revision}"
    assert encoder.identity.isprintable() and len(encoder.identity.encode()) <= MAX_IDENTITY_BYTES


def test_tokens_are_counted(encoder):
    """The counter grows with each call, by at least one for each text that is not empty."""
    before = encoder.tokens_encoded
    encoder.encode_passages(TEXTS)
    after_passages = encoder.tokens_encoded
    encoder.encode_queries(["wine"])

    assert after_passages - before >= 4
    assert encoder.tokens_encoded > after_passages
