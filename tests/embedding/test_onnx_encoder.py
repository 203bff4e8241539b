"""Models by onnxruntime: what becomes of a text, and what is said of files that are no text encoder."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from stream_rec.embedding.encoder import build_one
from stream_rec.embedding.hashing import HashingEncoder
from stream_rec.embedding.onnx_models import ONNX_MODELS
from stream_rec.embedding.settings import EmbedderSettings
from stream_rec.embedding.text import canonical_text
from stream_rec.errors import EncoderUnavailable
from stream_rec.events.item import Item
from tests.embedding import models, onnx_files

DATA = Path(__file__).parents[1] / "data"
TABLE = np.array(
    [[1, 0], [0, 1], [1, 1], [3, 4], [0, 2], [5, 0], [np.inf, 1], [-1, 0]],
    np.float32,
)
"""Vectors of ``onnx_files.WORDS``."""


def load(folder, **settings):
    """Return the encoder of the model in a folder."""
    return build_one(EmbedderSettings(encoder=str(folder), **settings))


@pytest.mark.parametrize(
    ("pooling", "direction"), [("mean", [1 + 3 + 0, 0 + 4 + 1]), ("cls", [1, 0]), ("last", [0, 1])]
)
def test_token_vectors_become_one(tmp_path, pooling, direction):
    """The mean of all tokens, the first or the last, scaled to unit length; what the tokenizer's file would do to the
    text, cut and pad it, is not done."""
    encoder = load(onnx_files.save(tmp_path, TABLE), pooling=pooling)

    [vector] = encoder.encode_passages(["red"])

    assert vector == pytest.approx(np.array(direction) / np.linalg.norm(direction))
    assert encoder.tokens_encoded == 3
    assert encoder.identity.endswith(f"-{pooling}-256x4")


RUNS_A_MODEL = """
import sys
from stream_rec.embedding.encoder import build_one
from stream_rec.embedding.settings import EmbedderSettings
build_one(EmbedderSettings(encoder=sys.argv[1])).encode_passages(["red"])
"""


def test_nobody_is_told_what_is_embedded(tmp_path):
    """As it comes, onnxruntime (1.29 and newer) gives the machine a number at home, and sends what runs to its makers.

    Not where it believes itself in CI: so nothing of this process's environment is there.
    """
    onnx_files.save(tmp_path / "model", TABLE)
    home = tmp_path / "home"
    home.mkdir()
    environ = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])}

    subprocess.run([sys.executable, "-c", RUNS_A_MODEL, str(tmp_path / "model")], env=environ, check=True)

    assert [*home.rglob("*")] == []


def test_pooling_is_that_of_the_models_files(tmp_path):
    """As sentence-transformers keeps it beside the model."""
    onnx_files.save(tmp_path, TABLE)
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))

    assert load(tmp_path).encode_passages(["red wine"])[0].tolist() == [1, 0]


def test_a_long_text_is_cut_and_still_ends_as_a_text_does(tmp_path):
    """At ``max_tokens``, [CLS] and [SEP] among them."""
    encoder = load(onnx_files.save(tmp_path, TABLE), max_tokens=8, max_chunks=1)

    cut, whole = encoder.encode_passages(["red " * 50, "red " * 6])

    assert cut.tolist() == whole.tolist()
    assert encoder.tokens_encoded == 16


def test_a_long_text_is_the_mean_of_its_chunks(tmp_path):
    """Each with the prefix, and as much as it has tokens; what is beyond the last is cut."""
    encoder = load(onnx_files.save(tmp_path, TABLE), max_tokens=8, max_chunks=3, passage_prefix="red ")
    parts = ["merlot " * 5, "garden " * 5, "merlot garden"]

    long, short, beyond, *chunks = encoder.encode_passages(
        ["".join(parts), "merlot", "garden " * 15 + "merlot " * 9, *parts]
    )

    expected = 8 * chunks[0] + 8 * chunks[1] + 5 * chunks[2]
    assert long == pytest.approx(expected / np.linalg.norm(expected))
    assert beyond == pytest.approx(chunks[1])
    assert short.tolist() == load(tmp_path, passage_prefix="red ").encode_passages(["merlot"])[0].tolist()
    assert encoder.tokens_encoded == (8 + 8 + 5) + 4 + 3 * 8 + (8 + 8 + 5)


def test_a_prefix_that_fills_a_chunk_is_read_once(tmp_path):
    """There is no room for the text: chunks would never get to its end."""
    encoder = load(onnx_files.save(tmp_path, TABLE), max_tokens=8, passage_prefix="red " * 9)

    encoder.encode_passages(["wine"])

    assert encoder.tokens_encoded == 8


def test_a_chunk_without_direction_fails_the_text(tmp_path):
    """As a text that is read at once."""
    encoder = load(onnx_files.save(tmp_path, TABLE), max_tokens=8)

    rows = encoder.encode_passages(["red " * 9, "red " * 9 + "hose"])

    assert np.isnan(rows).any(axis=1).tolist() == [False, True]


def test_a_text_without_direction_fails_alone(tmp_path):
    """A row of NaN, which the embedder rejects; its neighbours have their vectors."""
    encoder = load(onnx_files.save(tmp_path, TABLE))

    rows = encoder.encode_passages(["wine", "hose", "red"])

    assert np.isnan(rows).all(axis=1).tolist() == [False, True, False]


def test_prefixes_of_passages_and_queries(tmp_path):
    """The passages' is part of the identity, the queries' is not: no stored vector depends on it."""
    folder = onnx_files.save(tmp_path, TABLE)
    plain, prefixed = load(folder), load(folder, passage_prefix="red ", query_prefix="merlot ")

    assert prefixed.encode_passages(["wine"]).tolist() == plain.encode_passages(["red wine"]).tolist()
    assert prefixed.encode_queries(["wine"]).tolist() == plain.encode_passages(["merlot wine"]).tolist()
    assert prefixed.identity != plain.identity == load(folder, query_prefix="merlot ").identity


@pytest.mark.parametrize("change", ["weights", "what lies beside them", "tokenizer"])
def test_the_identity_changes_with_the_files(tmp_path, change):
    """And with nothing else: not with the folder's place, nor with other files in it."""
    folder = onnx_files.save(tmp_path / "a" / "model", TABLE)
    same = onnx_files.save(tmp_path / "b" / "model", TABLE)
    (same / "README.md").write_text("words")
    before = load(folder).identity
    assert load(same).identity == before == f"model@{before.partition('@')[2]}"

    if change == "weights":
        onnx_files.save(folder, TABLE + 1)
    elif change == "what lies beside them":
        (folder / "model.onnx_data").write_bytes(b"weights")
    else:
        (folder / "tokenizer.json").write_text((folder / "tokenizer.json").read_text() + "\n")

    assert load(folder).identity != before


@pytest.mark.parametrize(
    "place", ["model.onnx", "onnx/model.onnx", "model_quantized.onnx", "onnx/model_quantized.onnx"]
)
def test_weights_are_found_where_exporters_put_them(tmp_path, place):
    """With all inputs that text encoders have."""
    inputs = ["input_ids", "attention_mask", "token_type_ids", "position_ids"]
    encoder = load(onnx_files.save(tmp_path, TABLE, place=place, inputs=inputs))

    assert (encoder.dimensions, encoder.device) == (2, "cpu")


@pytest.mark.parametrize("torch_is_there", [True, False])
def test_a_folder_with_safetensors_is_torchs_where_torch_is(tmp_path, monkeypatch, torch_is_there):
    """An ONNX file beside weights that are in use does not change the vectors; without torch it serves."""
    onnx_files.save(tmp_path, TABLE)
    (tmp_path / "model.safetensors").write_bytes(b"")
    monkeypatch.setattr("stream_rec.embedding.model_files.find_spec", lambda name: torch_is_there or None)
    monkeypatch.setattr("stream_rec.embedding.encoder._build_torch", lambda settings, folder: HashingEncoder())

    assert isinstance(load(tmp_path), HashingEncoder) is torch_is_there


def test_a_model_with_fewer_positions_cuts_there(tmp_path):
    """As its config says; RoBERTa's kin count positions from behind the padding's."""
    onnx_files.save(tmp_path, np.ones((10, 2), np.float32), row_of="position_ids", inputs=["input_ids", "position_ids"])
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 10, "model_type": "bert"}))
    assert load(tmp_path).revision.endswith("-10x4")

    config = {"max_position_embeddings": 10, "model_type": "xlm-roberta", "pad_token_id": 1}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert load(tmp_path).revision.endswith("-8x4")


def test_a_model_with_fewer_positions_than_it_says_is_known_at_start(tmp_path):
    """Not at the first item with a long text."""
    onnx_files.save(tmp_path, np.ones((10, 2), np.float32), row_of="position_ids", inputs=["input_ids", "position_ids"])

    with pytest.raises(EncoderUnavailable, match=r"256 tokens.*max_tokens"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"inputs": ["input_ids", "pixel_values"]}, "pixel_values"),
        ({"output": "sentence_embedding", "rank": 2}, "sentence_embedding"),
    ],
)
def test_what_is_no_text_encoder_is_named(tmp_path, options, says):
    """By what it takes, or by what it gives."""
    with pytest.raises(EncoderUnavailable, match=says):
        load(onnx_files.save(tmp_path, TABLE, **options))


@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json"])
def test_a_damaged_file_is_named(tmp_path, file):
    """With what the library makes of it."""
    onnx_files.save(tmp_path, TABLE)
    (tmp_path / file).write_bytes((tmp_path / file).read_bytes()[:20])

    with pytest.raises(EncoderUnavailable, match=file) as caught:
        load(tmp_path)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("wanted", [{"device": "cuda"}, {"dtype": "float16"}])
def test_a_device_or_number_format_that_it_does_not_have_is_refused(tmp_path, wanted):
    """A GPU that was asked for is not a slow CPU."""
    with pytest.raises(EncoderUnavailable, match=f'"{next(iter(wanted.values()))}"'):
        load(onnx_files.save(tmp_path, TABLE), **wanted)


TEXTS = ["red wine", "a garden hose of twenty metres, green, with a brass nozzle", "", "Merlot", "Café 红酒 🍷"]


def digest(rows):
    """Return what tells arrays apart by their bytes."""
    return hashlib.sha256(rows.tobytes()).hexdigest()


@pytest.mark.model
@pytest.mark.parametrize("name", ONNX_MODELS)
def test_a_text_has_the_same_bytes_in_any_company(name):
    """int8 models measure activations over a whole pass: a text with others, or padded, would have another vector."""
    encoder = models.named(name)
    together = encoder.encode_passages(TEXTS)

    assert [digest(encoder.encode_passages([text])[0]) for text in TEXTS] == list(map(digest, together))
    assert digest(encoder.encode_passages(TEXTS[::-1])[::-1].copy()) == digest(together)


@pytest.mark.model
def test_a_text_has_the_same_bytes_on_one_core():
    """In another process, with as many threads as that has cores."""
    together = models.named("e5-small").encode_passages(TEXTS)
    code = (
        "import hashlib, os\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from stream_rec.embedding.encoder import build_one\n"
        "from stream_rec.embedding.settings import EmbedderSettings\n"
        f"rows = build_one(EmbedderSettings(encoder='e5-small')).encode_passages({TEXTS!r})\n"
        "print(hashlib.sha256(rows.tobytes()).hexdigest())"
    )
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()

    assert alone == digest(together)


@pytest.mark.model
def test_e5_knows_that_merlot_is_a_red_wine():
    """By meaning: the texts share no word."""
    wine, merlot, hose = models.named("e5-small").encode_passages(["red wine", "merlot bottle", "garden hose"])

    assert wine @ merlot > wine @ hose + 0.01


def advert(about: str) -> str:
    """Return a text whose first 512 tokens and more are those of every other."""
    return "Offer of the week. " + "Please read the terms of sale and delivery below. " * 60 + about


@pytest.mark.model
@pytest.mark.parametrize("name", ONNX_MODELS)
def test_an_item_is_found_by_what_it_says_after_512_tokens(name):
    """By items like it, and by a query: what tells it apart is in the third chunk."""
    encoder = models.named(name)
    about = ["Merlot and other red wine", "a garden hose with a brass nozzle", "a racing bicycle, 21 gears"]
    adverts = encoder.encode_passages([*map(advert, about), advert("A bike for the road, with drop bars.")])
    [query] = encoder.encode_queries(["bicycle"])

    centred = adverts - adverts.mean(axis=0)  # what all share tells nothing
    assert np.argmax(centred[:3] @ centred[3]) == 2
    assert set(np.argsort(-(centred @ query))[:2].tolist()) == {2, 3}


@pytest.mark.model
def test_prompts_are_those_of_the_models_cards():
    """E5's, the same for both where two texts of one kind are compared; BGE's instruction, for queries alone."""
    prompts = {name: (model.passage_prefix, model.query_prefix) for name, model in ONNX_MODELS.items()}
    assert prompts == {
        "e5-small": ("query: ", "query: "),
        "bge-small": ("", "Represent this sentence for searching relevant passages: "),
        "minilm-int8": ("", ""),
    }

    for name, (of_passages, of_queries) in prompts.items():
        encoder = models.named(name)
        bare = build_one(EmbedderSettings(encoder=name, passage_prefix="", query_prefix=""))
        assert digest(encoder.encode_passages(["wine"])) == digest(bare.encode_passages([f"{of_passages}wine"]))
        assert digest(encoder.encode_queries(["wine"])) == digest(bare.encode_queries([f"{of_queries}wine"]))


@pytest.mark.model
def test_minilm_in_int8_is_minilm():
    """Next to float32 by torch, on items of three logs: measured .992 in the mean and .987 at the 1st percentile. Other
    pooling, or a tokenizer that cuts elsewhere, would be far below."""
    lines = [line for file in sorted(DATA.glob("*-items.jsonl")) for line in file.read_bytes().splitlines()]
    texts = [canonical_text(msgspec.json.decode(line, type=Item)) for line in lines]

    cosines = (models.minilm().encode_passages(texts) * models.named("minilm-int8").encode_passages(texts)).sum(axis=1)

    assert len(texts) == 60
    assert cosines.mean() > 0.985
    assert np.percentile(cosines, 1) > 0.98
