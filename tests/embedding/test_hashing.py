"""The encoder without a model."""

import subprocess
import sys

import numpy as np
import pytest

from stream_rec.embedding.hashing import HashingEncoder


def similarity(a, b, **options):
    first, second = HashingEncoder(**options).encode_passages([a, b])
    return float(first @ second)


def test_similar_titles_are_similar():
    """Shared words, and shared parts of words, count."""
    assert similarity("Harry Potter and the Goblet of Fire", "Harry Potter and the Half-Blood Prince") > 0.4
    assert similarity("red wine", "red wines") > 0.4
    assert similarity("bookshelf", "bookshelves") > 0.2
    assert abs(similarity("red wine", "garden hose")) < 0.25


def test_word_order_counts_a_little():
    """Word pairs tell apart what has the same words."""
    assert 0.7 < similarity("dog bites man", "man bites dog") < 0.99


def test_case_and_spacing_do_not_count():
    """They say nothing about the item."""
    assert similarity("Red  WINE", "red wine") == pytest.approx(1.0)


@pytest.mark.parametrize("text", ["", "   ", "!!!", "红酒", "\ud800"])
def test_any_text_has_a_vector(text):
    """Also a text without words: the stage leaves those out, but a query may be empty."""
    assert np.linalg.norm(HashingEncoder(dimensions=8).encode_queries([text])) == pytest.approx(1.0)


def test_a_word_that_repeats_counts_less_each_time():
    """Sublinear: ten times the same word does not drown the others."""
    assert similarity("wine cheese", "wine " * 10 + "cheese") > 0.7


def test_places_and_signs_of_different_words_are_independent():
    """Unrelated texts have similarity around 0, with the spread that 256 random directions have (1/16)."""
    words = [f"{i * 7919:x}" for i in range(400)]
    vectors = HashingEncoder().encode_passages(words)
    cosines = (vectors @ vectors.T)[np.triu_indices(400, 1)]

    assert abs(cosines.mean()) < 0.01
    assert cosines.std() < 0.09


def test_another_process_gives_the_same_bytes():
    """Unlike Python's hash(), whose seed differs between processes; vectors of several embedders meet in one topic."""
    code = (
        "import sys; from stream_rec.embedding.hashing import HashingEncoder;"
        "sys.stdout.buffer.write(HashingEncoder().encode_passages(['Café', 'red wine']).tobytes())"
    )
    outputs = [
        subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True)
        for seed in ("1", "2")
    ]

    here = HashingEncoder().encode_passages(["Café", "red wine"]).tobytes()
    assert [output.stdout for output in outputs] == [here, here]


def test_vectors_stay_what_they_are():
    """They are stored: whoever changes them counts ALGORITHM up and then these numbers."""
    vector = HashingEncoder(dimensions=8).encode_passages(["red wine"])[0]

    np.testing.assert_allclose(
        vector, [0.1520748, 0.1520748, 0.1520748, -0.3041495, 0.2737346, -0.1520748, -0.6082991, 0.6082991], atol=1e-6
    )


def test_the_identity_names_all_that_changes_a_vector():
    """Dimensions, length limit and the owner's revision."""
    encoders = [
        HashingEncoder(),
        HashingEncoder(dimensions=128),
        HashingEncoder(max_tokens=64),
        HashingEncoder(revision="b"),
    ]

    assert len({encoder.identity for encoder in encoders}) == 4
    assert encoders[0].identity == "hashing@1-256-256"


def test_tokens_are_counted_up_to_the_limit():
    """The counter says what was encoded, not what was sent."""
    encoder = HashingEncoder(max_tokens=8)
    encoder.encode_passages(["one two three", "w " * 100])

    assert encoder.tokens_encoded == 11


def test_the_core_loads_without_torch():
    """Workers and the replay need neither torch nor transformers."""
    code = (
        "import sys, stream_rec.embedding.encoder, stream_rec.embedding.stage, stream_rec.embedding.item_embedding;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'faust')))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
