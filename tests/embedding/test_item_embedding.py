"""The bytes on `item-embeddings`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rec.embedding.item_embedding import (
    MAX_DIMENSIONS,
    MAX_SPACES,
    ItemEmbedding,
    MalformedEmbedding,
    SpaceVector,
    decode,
    encode,
)
from stream_rec.errors import StateVersionError

VECTOR = np.array([0.6, 0.8], np.float32)
HASH = bytes(range(16))
VERSION_1 = bytes.fromhex("0103000200") + b"e@1" + HASH + bytes.fromhex("cd38663a")
ONE = bytes.fromhex("0201") + HASH + bytes.fromhex("03000200") + b"e@1" + bytes.fromhex("cd38663a")
TWO = bytes.fromhex("0202") + ONE[2:] + bytes.fromhex("03000100") + b"f@2" + bytes.fromhex("003c")
FIRST_FAILED = bytes.fromhex("0202") + HASH + bytes(4) + bytes.fromhex("03000100") + b"f@2" + bytes.fromhex("003c")
SAMPLES = VERSION_1, ONE, TWO, FIRST_FAILED


def embedding(vector=VECTOR, encoder="e@1", content_hash=HASH):
    return ItemEmbedding(content_hash, (SpaceVector(encoder, vector),))


def spaces(*encoders):
    return ItemEmbedding(HASH, tuple(SpaceVector(encoder, VECTOR) for encoder in encoders))


def test_the_bytes_stay_what_they_are():
    """Other versions of this program, and other languages, read them."""
    two = ItemEmbedding(HASH, (SpaceVector("e@1", VECTOR), SpaceVector("f@2", np.ones(1, np.float32))))

    assert encode(embedding()) == ONE
    assert encode(two) == TWO
    assert encode(ItemEmbedding(HASH, (None, two.vectors[1]))) == FIRST_FAILED


def test_a_record_of_version_1_has_one_space():
    """Written by programs that knew no more; the same facts, written anew, are of the present version."""
    read = decode(VERSION_1)

    assert (read.identities, read.content_hash) == (("e@1",), HASH)
    assert read.vectors[0].vector.tolist() == pytest.approx([0.6, 0.8], abs=1e-3)
    assert encode(read) == ONE


IDENTITIES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=120)
SPACES = st.lists(
    st.tuples(IDENTITIES, st.integers(1, 40), st.integers(0, 2**32)),
    min_size=1,
    max_size=MAX_SPACES,
    unique_by=lambda space: space[0],
)


@pytest.mark.parametrize("failed", [0, 1])
def test_an_encoder_that_failed_keeps_its_place(failed):
    """So that the other's vector is taken for its own, whatever the order."""
    vectors = [SpaceVector("e@1", VECTOR)]
    vectors.insert(failed, None)
    read = decode(encode(ItemEmbedding(HASH, tuple(vectors))))

    assert read.vectors[failed] is None
    assert read.identities == (("", "e@1"), ("e@1", ""))[failed]


@given(SPACES, st.binary(min_size=16, max_size=16))
def test_what_was_encoded_comes_back(made, content_hash):
    """All spaces in order, up to float16, and of unit length; the bytes of what was read are the same again."""
    vectors = [np.random.default_rng(seed).normal(size=d).astype(np.float32) for _, d, seed in made]
    units = [vector / np.linalg.norm(vector) for vector in vectors]
    given_ = ItemEmbedding(content_hash, tuple(SpaceVector(name, one) for (name, _, _), one in zip(made, units)))

    read = decode(encode(given_))

    assert (read.identities, read.content_hash) == (given_.identities, content_hash)
    for one, unit in zip(read.vectors, units, strict=True):
        assert one.vector.dtype == np.float32 and one.vector.flags.writeable
        np.testing.assert_allclose(one.vector, unit, atol=2e-3)
        np.testing.assert_allclose(np.linalg.norm(one.vector), 1.0, atol=1e-6)
    assert len(encode(read)) == len(encode(given_))


def test_the_largest_record_fits():
    """Every length at its bound."""
    vectors = tuple(SpaceVector(name * 512, np.ones(MAX_DIMENSIONS, np.float32)) for name in "ab"[:MAX_SPACES])

    assert decode(encode(ItemEmbedding(HASH, vectors))).identities == ("a" * 512, "b" * 512)


def test_a_newer_version_is_another_error_than_garbage():
    """A newer program's record must stop an old reader, not be dropped as malformed."""
    with pytest.raises(StateVersionError, match="version 3"):
        decode(b"\x03" + TWO[1:])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" + VERSION_1[1:],
        b"\x00" + TWO[1:],
        *(sample[:4] for sample in SAMPLES),
        *(sample[:-1] for sample in SAMPLES),
        *(sample + b"\x00" for sample in SAMPLES),
        bytes.fromhex("0103000000") + VERSION_1[5:-4],  # no dimensions
        bytes.fromhex("0100000200") + VERSION_1[8:],  # no identity
        bytes.fromhex("01ffffffff"),
        VERSION_1[:5] + b"\xff\xff\xff" + VERSION_1[8:],  # identity is not UTF-8
        VERSION_1[:-4] + bytes.fromhex("007e663a"),  # NaN
        VERSION_1[:-4] + bytes.fromhex("007c663a"),  # infinity
        VERSION_1[:-4] + bytes(4),  # zero
        b"\x02\x00" + ONE[2:],  # more than no space
        b"\x02\x00" + ONE[2:18],  # no space
        b"\x02\x02" + ONE[2:],  # fewer than two
        b"\x02\x01" + TWO[2:],  # more than one
        b"\x02\x03" + TWO[2:] + bytes.fromhex("03000100") + b"g@3" + bytes.fromhex("003c"),  # three
        TWO.replace(b"f@2", b"e@1"),  # one encoder twice
        b"\x02\x01" + HASH,
        b"\x02\x01" + HASH + bytes(4),  # its encoder failed
        b"\x02\x02" + HASH + bytes(8),  # both failed
        b"\x02\x02" + HASH + bytes(7),
        ONE[:18] + bytes.fromhex("0000") + ONE[20:22] + ONE[25:],  # no identity
        ONE[:20] + bytes.fromhex("0000") + ONE[22:25],  # no dimensions
        ONE[:18] + b"\xff\xff\xff\xff" + bytes(60),
        TWO[:29] + b"\xff\xff\xff\xff" + bytes(60),
        ONE.replace(b"e@1", b"\xff\xff\xff"),
        TWO[:-2] + bytes.fromhex("007e"),
        TWO[:-2] + bytes(2),
    ],
)
def test_malformed_bytes_are_named_so(data):
    """Truncated, overlong, absurd lengths, vectors without a direction, and spaces that are none, one or too many."""
    with pytest.raises(MalformedEmbedding):
        decode(data)


@given(
    st.binary(max_size=200)
    | st.sampled_from(SAMPLES).flatmap(lambda sample: st.binary(max_size=60).map(lambda tail: sample[:20] + tail))
)
def test_any_bytes_decode_or_are_refused(data):
    """No input raises anything else, and what decodes is usable."""
    try:
        read = decode(data)
    except (MalformedEmbedding, StateVersionError):
        return
    assert 0 < len(set(read.identities)) == len(read.vectors) <= MAX_SPACES
    made = [one.vector for one in read.vectors if one is not None]
    assert made
    for vector in made:
        np.testing.assert_allclose(np.linalg.norm(vector), 1.0, atol=1e-5)


@given(st.sampled_from(SAMPLES), st.integers(0, len(TWO) - 1), st.integers(0, 255))
def test_one_wrong_byte_is_survived(sample, at, byte):
    """A flipped byte anywhere decodes to usable vectors or is refused."""
    damaged = bytearray(sample)
    damaged[at % len(sample)] = byte
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
        spaces(),
        spaces("a", "a"),
        spaces("a", "b", "c"),
        ItemEmbedding(HASH, (None, None)),
        ItemEmbedding(HASH, (None, None, SpaceVector("a", VECTOR))),
        ItemEmbedding(HASH, (SpaceVector("a", VECTOR), SpaceVector("b", np.zeros(2, np.float32)))),
    ],
)
def test_what_could_not_be_read_is_not_written(wrong):
    """Encoding refuses what decoding would."""
    with pytest.raises(MalformedEmbedding):
        encode(wrong)
