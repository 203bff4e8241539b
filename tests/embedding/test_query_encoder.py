"""Queries are encoded where lists are made; whatever is wrong with an encoder costs no list."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from stream_rec.embedding import query_encoder as module
from stream_rec.embedding.encoder import build_one
from stream_rec.embedding.query_encoder import REMEMBERED, QueryEncoder
from stream_rec.embedding.settings import EmbedderSettings
from stream_rec.errors import EncoderUnavailable


def encoder(name: str, *, with_torch: bool = True, in_background: bool = False) -> QueryEncoder:
    return QueryEncoder(EmbedderSettings(encoder=name), with_torch=with_torch, in_background=in_background)


def test_a_query_has_the_vectors_of_its_encoders():
    """In their places, with their identities."""
    of_items = build_one(EmbedderSettings(encoder="hashing"))
    vectors = encoder("hashing+random")("blue kettle")

    assert [one.encoder.partition("@")[0] for one in vectors] == ["hashing", "random"]
    np.testing.assert_allclose(vectors[0].vector, of_items.encode_queries(["blue kettle"])[0])


@pytest.mark.parametrize("name", ["no-such-model+hashing", "hashing+hashing", "+"])
def test_what_cannot_be_had_has_no_vector(name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    """It is said once, whatever is asked for then."""

    def refuse(settings: EmbedderSettings):
        if settings.encoder == "no-such-model":
            raise EncoderUnavailable("it is not there")
        return build_one(settings)

    monkeypatch.setattr(module, "build_one", refuse)
    encode = encoder(name)
    found = [encode("tea"), encode("pot")]

    assert [one is not None for one in found[0]] == ([False, True] if "no-such" in name else [])
    assert len([line for line in caplog.messages if "query_encoder_unavailable" in line]) == 1


def test_whatever_an_encoder_raises_costs_no_list(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    """Loaded in the background as well, and it is said."""
    monkeypatch.setattr(module, "build_one", lambda settings: 1 / 0)
    encode = encoder("hashing", in_background=True)
    encode("tea")
    encode._loading.join(10)

    assert encode("tea") == (None,)
    assert "division by zero" in caplog.text


def test_a_flood_of_queries_takes_no_more_than_its_share_of_the_time(monkeypatch: pytest.MonkeyPatch):
    """What is known costs nothing; after a rest there is time again. A replay has all the time there is."""
    clock = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    one = build_one(EmbedderSettings(encoder="hashing"))
    whole = one.encode_queries

    def encode_slowly(texts: list[str]):
        clock[0] += 0.3
        return whole(texts)

    monkeypatch.setattr(one, "encode_queries", encode_slowly)
    monkeypatch.setattr(module, "build_one", lambda settings: one)
    encode = encoder("hashing", in_background=True)
    encode("first")
    encode._loading.join(10)
    encoded = [bool(encode(f"q{number}")) for number in range(20)]
    patient = encoder("hashing")

    assert 4 <= sum(encoded) <= 8 and encoded[:4] == [True] * 4  # 1 s at once, and half of the time that passes
    assert encode("q0") and not encode("another")
    clock[0] += 10
    assert encode("another")
    assert all(patient(f"q{number}") for number in range(20))


def test_what_needs_torch_is_left_out(monkeypatch: pytest.MonkeyPatch):
    """Unless it is asked for: a worker would take gigabytes for it."""
    monkeypatch.setattr(module, "build_one", lambda settings: pytest.fail(f"{settings.encoder} was loaded"))
    assert encoder("minilm", with_torch=False)("tea") == (None,)


def test_in_the_background_queries_have_no_vectors_until_it_is_loaded(monkeypatch: pytest.MonkeyPatch):
    """Lists go on; nothing is loaded before the first query."""
    may_load, has_loaded = threading.Event(), threading.Event()

    def build_slowly(settings: EmbedderSettings):
        assert may_load.wait(10)
        has_loaded.set()
        return build_one(settings)

    monkeypatch.setattr(module, "build_one", build_slowly)
    encode = encoder("hashing", in_background=True)
    assert [encode("tea"), encode("tea")] == [(), ()]
    may_load.set()
    assert has_loaded.wait(10)
    encode._loading.join(10)

    assert encode("tea")[0].encoder.startswith("hashing@")


def test_an_encoder_that_fails_for_a_query_costs_no_list(monkeypatch: pytest.MonkeyPatch):
    """Nor one that gives no unit vector."""
    one = build_one(EmbedderSettings(encoder="hashing"))
    monkeypatch.setattr(module, "build_one", lambda settings: one)
    encode = encoder("hashing")
    monkeypatch.setattr(one, "encode_queries", lambda texts: 1 / 0)
    assert encode("tea") == (None,)
    monkeypatch.setattr(one, "encode_queries", lambda texts: np.full((1, 4), np.nan, np.float32))
    assert encode("pot") == (None,)
    monkeypatch.undo()
    assert encode("tea")[0] is not None  # a failure that passes is not remembered


def test_the_last_queries_are_remembered(monkeypatch: pytest.MonkeyPatch):
    """As many as there is room for: a list is made again for each event after a search."""
    one, encoded = build_one(EmbedderSettings(encoder="hashing")), []
    whole = one.encode_queries
    monkeypatch.setattr(module, "build_one", lambda settings: one)
    monkeypatch.setattr(one, "encode_queries", lambda texts: encoded.extend(texts) or whole(texts))
    encode = encoder("hashing")
    for query in ("tea", "pot", "tea", *map(str, range(REMEMBERED - 1)), "tea", "pot"):
        encode(query)

    assert encoded == ["tea", "pot", *map(str, range(REMEMBERED - 1)), "pot"]
