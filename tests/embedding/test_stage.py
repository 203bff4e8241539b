"""The embedding worker's core."""

import msgspec
import numpy as np
import pytest

from stream_rec.embedding.hashing import HashingEncoder
from stream_rec.embedding.random_encoder import RandomEncoder
from stream_rec.embedding.stage import ItemRecord, embed
from stream_rec.embedding.text import content_hash
from stream_rec.errors import EncoderUnavailable
from stream_rec.events.partition import Place
from stream_rec.events.validate import InputLimits

LIMITS = InputLimits()
HASHING = HashingEncoder()


class Picky(HashingEncoder):
    """Fails for a whole batch when one of its texts holds a bad word, as a tokenizer or a model might."""

    calls = 0

    def encode_passages(self, texts):
        self.calls += 1
        if any("bad" in text for text in texts):
            raise ValueError("cannot read this")
        return super().encode_passages(texts)


class Overflowing(HashingEncoder):
    """Gives no finite vector for a text that holds a bad word."""

    def encode_passages(self, texts):
        rows = super().encode_passages(texts)
        rows[["bad" in text for text in texts]] = np.nan
        return rows


class Broken(HashingEncoder):
    """Fails for everything, as on a lost GPU."""

    def encode_passages(self, texts):
        raise RuntimeError("device lost")


class Starved(HashingEncoder):
    """Has no memory for some batches, and says that a person must see to it."""

    def encode_passages(self, texts):
        if "one" in texts:
            raise EncoderUnavailable("no memory left")
        return super().encode_passages(texts)


class Mute(HashingEncoder):
    """Gives no finite vector for anything, as a model that overflows in float16."""

    def encode_passages(self, texts):
        return np.full((len(texts), 256), np.nan, np.float32)


def record(item_id, title="", **fields):
    return ItemRecord(item_id.encode(), msgspec.json.encode({"item_id": item_id, "title": title, **fields}))


def known(item_id, text, *encoders):
    return {item_id: (tuple(encoder.identity for encoder in encoders or [HASHING]), content_hash(text))}


def account(result):
    """Every record has exactly one end."""
    ends = result.n_deleted + result.n_skipped + result.n_superseded + len(result.without_text)
    assert ends + len(result.embeddings) + len(result.rejections) - result.n_partial == result.n_records


def test_a_new_item_is_embedded():
    """With the encoder's identity and the hash of its text."""
    result = embed([record("a", "red wine"), record("b", "garden hose")], {}, [HASHING], LIMITS)

    account(result)
    (id_a, a), (id_b, b) = result.embeddings
    assert (id_a, id_b) == ("a", "b")
    assert (a.identities, a.content_hash) == ((HASHING.identity,), content_hash("red wine"))
    np.testing.assert_array_equal(
        [a.vectors[0].vector, b.vectors[0].vector], HASHING.encode_passages(["red wine", "garden hose"])
    )
    assert result.n_tokens == 4


def test_a_known_text_is_skipped():
    """A price that changes, or the topic read again from its start, costs no forward pass."""
    result = embed([record("a", "wine", attributes={"price": 3})], known("a", "wine"), [Broken()], LIMITS)

    account(result)
    assert (result.embeddings, result.n_skipped, result.n_tokens) == ([], 1, 0)


def test_another_encoder_embeds_again():
    """The hash alone says nothing about which encoder made the vector."""
    result = embed([record("a", "wine")], known("a", "wine", HashingEncoder(dimensions=8)), [HASHING], LIMITS)

    assert len(result.embeddings) == 1


def test_the_last_record_of_an_item_counts():
    """Changed back to the known text within a batch, an item needs nothing."""
    records = [record("a", "new"), record("b", "b"), record("a", "newer"), record("a", "wine")]

    result = embed(records, known("a", "wine"), [HASHING], LIMITS)

    account(result)
    assert [item_id for item_id, _ in result.embeddings] == ["b"]
    assert (result.n_superseded, result.n_skipped) == (2, 1)


def test_a_deleted_item_gets_a_tombstone():
    """Also one that is not known: a tombstone for nothing costs nothing, a missing one leaves a dead item."""
    result = embed(
        [record("a", "wine"), ItemRecord(b"a", None), ItemRecord(b"b", None)], known("a", "wine"), [HASHING], LIMITS
    )

    account(result)
    assert (result.tombstones, result.embeddings) == (["a", "b"], [])


def test_deleted_and_made_again_within_a_batch_is_no_deletion():
    """The known embedding is still on the topic, and still right."""
    result = embed([ItemRecord(b"a", None), record("a", "wine")], known("a", "wine"), [HASHING], LIMITS)

    account(result)
    assert (result.tombstones, result.n_skipped) == ([], 1)


def test_an_item_that_lost_its_text_loses_its_embedding():
    """Its old vector would go on recommending it for what it no longer says."""
    result = embed([record("a"), record("b")], known("a", "wine"), [HASHING], LIMITS)

    account(result)
    assert (result.tombstones, result.without_text, result.embeddings) == (["a"], ["a", "b"], [])


def test_a_bad_record_fails_alone():
    """Each with its index, and the others are embedded; an earlier good record of the item still counts."""
    records = [(b"a", b"{"), (b"x", record("y", "t").value), (b"\xff", None), (None, b"1")]

    result = embed([record("a", "wine"), *(ItemRecord(*pair) for pair in records)], {}, [HASHING], LIMITS)

    account(result)
    assert [item_id for item_id, _ in result.embeddings] == ["a"]
    reasons = [(index, rejection.reason) for index, rejection in result.rejections]
    assert reasons == [(1, "not_json"), (2, "key_mismatch"), (3, "bad_id"), (4, "wrong_type")]


@pytest.mark.parametrize("encoder", [Picky(), Overflowing()])
def test_a_text_that_cannot_be_encoded_fails_alone(encoder):
    """Whether the encoder raises for the whole batch or gives NaN for one row."""
    records = [record("a", "one"), record("b", "bad"), record("c", "three"), ItemRecord(b"d", b"")]

    result = embed(records, {}, [encoder], LIMITS)

    account(result)
    assert [item_id for item_id, _ in result.embeddings] == ["a", "c"]
    np.testing.assert_array_equal(result.embeddings[1][1].vectors[0].vector, HASHING.encode_passages(["three"])[0])
    assert [(index, rejection.reason) for index, rejection in result.rejections] == [
        (1, "encoding_failed"),
        (3, "not_json"),
    ]


def test_a_bad_text_is_found_by_halving():
    """One bad text in 256 costs 17 calls, not 257."""
    encoder = Picky()
    records = [record(str(i), "bad" if i == 100 else f"text {i}") for i in range(256)]

    result = embed(records, {}, [encoder], LIMITS)

    assert len(result.embeddings) == 255
    assert encoder.calls == 17


def test_a_lone_bad_text_is_its_own_fault():
    """The encoder still works for a harmless text, so the item is rejected."""
    result = embed([record("a", "bad")], {}, [Picky()], LIMITS)

    assert [rejection.detail for _, rejection in result.rejections] == ["hashing: ValueError: cannot read this"]


@pytest.mark.parametrize(
    ("encoder", "says"), [(Broken(), "device lost"), (Mute(), "bfloat16"), (Starved(), "no memory")]
)
def test_a_broken_encoder_rejects_nobody(encoder, says):
    """Items must not be lost to a lost GPU: nothing is published, and a person is told."""
    with pytest.raises(EncoderUnavailable, match=says):
        embed([record("a", "one"), record("b", "two")], {}, [encoder], LIMITS)


def test_items_with_one_text_share_a_pass():
    """Variants of a product often have the same words."""
    result = embed([record("a", "wine"), record("b", "wine")], {}, [HASHING], LIMITS)

    assert [item_id for item_id, _ in result.embeddings] == ["a", "b"]
    assert result.n_tokens == 1


def test_nothing_in_nothing_out():
    """An empty batch does not ask the encoder."""
    result = embed([], {}, [Broken()], LIMITS)

    account(result)
    assert result.n_records == 0


def test_a_record_in_a_wrong_partition_is_rejected():
    """An item or its deletion, wherever its key does not belong: murmur2("a") is in partition 0 of 2."""
    records = [
        record("a", "wine")._replace(place=Place(0, 2)),
        record("a", "beer")._replace(place=Place(1, 2)),
        ItemRecord(b"a", None, Place(1, 2)),
    ]

    result = embed(records, {}, [HASHING], LIMITS)

    assert [(index, rejection.reason) for index, rejection in result.rejections] == [
        (1, "wrong_partition"),
        (2, "wrong_partition"),
    ]
    assert [item_id for item_id, _ in result.embeddings] == ["a"] and not result.tombstones


RANDOM = RandomEncoder()


def test_an_item_has_a_vector_of_each_encoder():
    """In one record, in the order of the encoders; tokens are those of all."""
    result = embed([record("a", "red wine")], {}, [RANDOM, HASHING], LIMITS)

    account(result)
    [(_, embedding)] = result.embeddings
    assert embedding.identities == (RANDOM.identity, HASHING.identity)
    for one, encoder in zip(embedding.vectors, (RANDOM, HASHING)):
        np.testing.assert_array_equal(one.vector, encoder.encode_passages(["red wine"])[0])
    assert result.n_tokens == 4


@pytest.mark.parametrize(
    ("had", "is_wanted"),
    [
        ([RANDOM, HASHING], False),
        ([HASHING, RANDOM], True),
        ([HASHING], True),
        ([RANDOM], True),
        ([RANDOM, HashingEncoder(dimensions=8)], True),
    ],
)
def test_other_encoders_or_another_order_embed_again(had, is_wanted):
    """A space that came, went, changed, or is another's place."""
    result = embed([record("a", "wine")], known("a", "wine", *had), [RANDOM, HASHING], LIMITS)

    account(result)
    assert (len(result.embeddings), result.n_skipped) == (is_wanted, not is_wanted)


@pytest.mark.parametrize("fails", [0, 1])
def test_a_text_that_one_encoder_fails_for_has_the_vectors_of_the_others(fails):
    """Each in its place, and a rejection that says which encoder it was; the other texts of the batch have all."""
    encoders = [RANDOM, Picky()] if fails == 1 else [Picky(), RANDOM]
    result = embed([record("a", "bad"), record("b", "good")], {}, encoders, LIMITS)

    account(result)
    embedded = {item_id: embedding.identities for item_id, embedding in result.embeddings}
    both = tuple(encoder.identity for encoder in encoders)
    assert embedded == {"a": (RANDOM.identity, "") if fails == 1 else ("", RANDOM.identity), "b": both}
    assert [(n, one.reason, one.detail) for n, one in result.rejections] == [
        (0, "encoding_failed", "hashing: ValueError: cannot read this")
    ]
    assert result.n_partial == 1


def test_what_a_text_has_without_the_failing_encoder_is_published_once():
    """Its record read again is rejected again, as ever, but the same vectors are not news."""
    published = embed([record("a", "bad")], {}, [Picky(), RANDOM], LIMITS)
    known_ = {item_id: (one.identities, one.content_hash) for item_id, one in published.embeddings}
    result = embed([record("a", "bad")], known_, [Picky(), RANDOM], LIMITS)

    account(result)
    assert known_ and (result.embeddings, len(result.rejections), result.n_partial) == ([], 1, 0)


def test_a_vector_without_its_place_is_published_anew():
    """As records were before an encoder that failed kept its place, and as those of a setting with one encoder are."""
    result = embed([record("a", "bad")], known("a", "bad", RANDOM), [Picky(), RANDOM], LIMITS)

    account(result)
    assert [embedding.identities for _, embedding in result.embeddings] == [("", RANDOM.identity)]


def test_a_text_that_all_encoders_fail_for_is_one_rejection():
    """The item keeps the embedding it has."""
    result = embed(
        [record("a", "bad"), record("b", "b")], known("a", "wine"), [Overflowing(), Picky(dimensions=8)], LIMITS
    )

    account(result)
    assert [item_id for item_id, _ in result.embeddings] == ["b"]
    [(_, rejection)] = result.rejections
    assert rejection.detail == "hashing: the model gave no finite vector; hashing: ValueError: cannot read this"


def test_one_broken_encoder_of_two_rejects_nobody():
    """Nothing is published without it: a person sees to it, and all items get both vectors."""
    with pytest.raises(EncoderUnavailable, match="device lost"):
        embed([record("a", "one")], {}, [RANDOM, Broken()], LIMITS)
