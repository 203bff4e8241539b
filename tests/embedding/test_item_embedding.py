"""The bytes on `item-embeddings`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rec.embedding.item_embedding import ItemEmbedding, MalformedEmbedding, decode, encode
from stream_rec.errors import StateVersionError

VECTOR = np.array([0.6, 0.8], np.float32)
GOLDEN = bytes.fromhex("0103000200") + b"e@1" + bytes(range(16)) + bytes.fromhex("cd38663a")


def embedding(vector=VECTOR, encoder="e@1", content_hash=bytes(range(16))):
    return ItemEmbedding(encoder, content_hash, vector)


def test_the_bytes_stay_what_they_are():
    """Other versions of this program, and other languages, read them."""
    assert encode(embedding()) == GOLDEN


def test_what_was_encoded_comes_back():
    """Up to float16, and of unit length."""
    vector = np.random.default_rng(1).normal(size=384).astype(np.float32)
    vector /= np.linalg.norm(vector)

    read = decode(encode(embedding(vector, encoder="näme@1")))

    assert (read.encoder, read.content_hash) == ("näme@1", bytes(range(16)))
    assert read.vector.dtype == np.float32 and read.vector.flags.writeable
    np.testing.assert_allclose(read.vector, vector, atol=2e-4)
    np.testing.assert_allclose(np.linalg.norm(read.vector), 1.0, atol=1e-6)


def test_a_newer_version_is_another_error_than_garbage():
    """A newer program's record must stop an old reader, not be dropped as malformed."""
    with pytest.raises(StateVersionError, match="version 2"):
        decode(b"\x02" + GOLDEN[1:])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" + GOLDEN[1:],
        GOLDEN[:4],
        GOLDEN[:-1],
        GOLDEN + b"\x00",
        bytes.fromhex("0103000000") + GOLDEN[5:-4],  # no dimensions
        bytes.fromhex("0100000200") + GOLDEN[8:],  # no identity
        bytes.fromhex("01ffffffff"),
        GOLDEN[:5] + b"\xff\xff\xff" + GOLDEN[8:],  # identity is not UTF-8
        GOLDEN[:-4] + bytes.fromhex("007e663a"),  # NaN
        GOLDEN[:-4] + bytes.fromhex("007c663a"),  # infinity
        GOLDEN[:-4] + bytes(4),  # zero
    ],
)
def test_malformed_bytes_are_named_so(data):
    """Truncated, overlong, absurd lengths, and vectors without a direction."""
    with pytest.raises(MalformedEmbedding):
        decode(data)


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: GOLDEN[:5] + tail))
def test_any_bytes_decode_or_are_refused(data):
    """No input raises anything else, and what decodes is usable."""
    try:
        read = decode(data)
    except (MalformedEmbedding, StateVersionError):
        return
    np.testing.assert_allclose(np.linalg.norm(read.vector), 1.0, atol=1e-5)


@given(st.integers(0, len(GOLDEN) - 1), st.integers(0, 255))
def test_one_wrong_byte_is_survived(at, byte):
    """A flipped byte anywhere decodes to a usable vector or is refused."""
    damaged = bytearray(GOLDEN)
    damaged[at] = byte
    test_any_bytes_decode_or_are_refused.hypothesis.inner_test(bytes(damaged))


@pytest.mark.parametrize(
    "wrong",
    [
        embedding(np.zeros(2, np.float32)),
        embedding(np.array([np.nan, 1], np.float32)),
        embedding(np.array([1e6, 1], np.float32)),
        embedding(np.array([1e-12, 0], np.float32)),
        embedding(np.ones((1, 2), np.float32)),
        embedding(np.empty(0, np.float32)),
        embedding(np.ones(20_000, np.float32)),
        embedding(encoder=""),
        embedding(encoder="e" * 513),
        embedding(content_hash=b"short"),
    ],
)
def test_what_could_not_be_read_is_not_written(wrong):
    """Encoding refuses what decoding would."""
    with pytest.raises(MalformedEmbedding):
        encode(wrong)
