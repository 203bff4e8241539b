"""Transformer models as encoders: the only module that imports torch and transformers.

A call is ``prepare`` (texts to token ids in batches), ``forward`` for each batch (tokens to unit vectors, on the
device) and ``finish`` (one copy to the host, order restored).

Source:
    huggingface/text-embeddings-inference (prepare / forward / finish).
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from msgspec import Struct
from numpy.typing import NDArray

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read as it is loaded
import transformers

from stream_rec.embedding.batching import token_batches
from stream_rec.embedding.chunks import Chunks, Read, join, read_in_chunks
from stream_rec.embedding.onnx_models import Reading, name_revision
from stream_rec.embedding.pooling import find_pooling
from stream_rec.embedding.settings import AUTO, EmbedderSettings, choose
from stream_rec.errors import EncoderUnavailable

log = logging.getLogger(__name__)

MODEL_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]
"""Downloaded and loaded. Pickled weights are not: loading those can run code of whoever uploaded them."""

EDGE_BYTES = 65_536
"""How much of each end of a weights file the digest reads: training changes every part of it."""

DIGESTED = ["*.safetensors", "*.model", "config.json", "merges.txt", "tokenizer*.json", "vocab*"]
"""Files that the vectors depend on, besides what stands in the settings."""


class Prepared(Struct, frozen=True):
    """Texts as tokens."""

    chunks: Chunks
    batches: list[NDArray[np.int64]]
    """Indices of chunks that go through the model together."""


class TorchEncoder:
    """A transformer with frozen weights, pooled to one unit vector for each text."""

    def __init__(self, folder: Path, name: str, settings: EmbedderSettings) -> None:
        """Load the model in ``folder`` and encode one text with it.

        Raises:
            EncoderUnavailable: the folder holds no text encoder that can be loaded, or the device is not there.
        """
        self.device = _device(settings.device)
        self._dtype = _dtype(settings.dtype, self.device)
        self._tokenizer, self._model = _load(folder, self._dtype, self.device)
        pad_ids = (self._tokenizer.pad_token_id, self._tokenizer.eos_token_id, 0)
        self._pad_id = next(i for i in pad_ids if i is not None)
        self._token_budget = settings.token_budget
        self._reading = Reading(
            pooling=find_pooling(folder) if settings.pooling == AUTO else settings.pooling,
            max_tokens=_max_tokens(settings.max_tokens, self._tokenizer, self._model),
            max_chunks=settings.max_chunks if self._tokenizer.is_fast else 1,  # others do not say where they cut
            passage_prefix=choose(settings.passage_prefix, ""),
            query_prefix=choose(settings.query_prefix, ""),
        )
        self.tokens_encoded = 0
        self.name = name
        self.revision = name_revision(self._reading, settings.revision or _digest(folder))
        self.identity = f"{self.name}@{self.revision}"
        try:
            self.dimensions = self.forward(self.prepare([""]).chunks.token_ids).shape[1]
        except (RuntimeError, TypeError, ValueError, AttributeError) as error:
            raise EncoderUnavailable(f"the model in {folder} cannot encode a text: {error}") from error

    def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (n, d) unit rows; a row of NaN where the model gave no finite vector.

        Raises:
            EncoderUnavailable: the device has no memory left, not even for a single text.
        """
        return self._encode(texts, self._reading.passage_prefix)

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As ``encode_passages``, with the prefix of queries."""
        return self._encode(texts, self._reading.query_prefix)

    def prepare(self, texts: Sequence[str], prefix: str = "") -> Prepared:
        """Return the texts as tokens, in chunks of the most tokens, and the batches that fit the token budget."""
        chunks = read_in_chunks(texts, prefix, self._tokenize, self._reading.max_chunks) if texts else Chunks([], [])
        return Prepared(chunks, token_batches([len(ids) for ids in chunks.token_ids], self._token_budget))

    def _tokenize(self, texts: list[str]) -> list[Read]:
        has_ends = self._reading.max_chunks > 1
        read = self._tokenizer(
            texts,
            truncation=True,
            max_length=self._reading.max_tokens,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            return_offsets_mapping=has_ends,
        )
        token_ids = [ids or [self._pad_id] for ids in read["input_ids"]]  # "" has no token where a model adds none
        if not has_ends:
            return [Read(ids, None) for ids in token_ids]
        ends = [max(end for _, end in one.offsets) if one.overflowing else None for one in read.encodings]
        return [Read(ids, end) for ids, end in zip(token_ids, ends)]

    def forward(self, token_ids: list[list[int]]) -> torch.Tensor:
        """Return (b, d) float32 unit rows on the device. A batch that does not fit in memory is halved until it does.

        Raises:
            EncoderUnavailable: not even one text fits.
        """
        try:
            return self._pass(token_ids)
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
            if len(token_ids) == 1:
                raise EncoderUnavailable(
                    f"{self.device} has no memory left for one text of {len(token_ids[0])} tokens: free some, "
                    'or set [embedder] max_tokens lower or device = "cpu"'
                ) from error
        # Outside of the except clause, whose traceback keeps the tensors of the failed pass alive.
        if self.device == "cuda":
            torch.cuda.empty_cache()
        cost = len(token_ids) * max(map(len, token_ids))
        self._token_budget = max(1, min(self._token_budget, cost // 2))
        log.warning("out_of_memory    device=%s tokens=%d token_budget=%d", self.device, cost, self._token_budget)
        half = len(token_ids) // 2
        return torch.cat([self.forward(token_ids[:half]), self.forward(token_ids[half:])])

    def finish(self, rows: list[torch.Tensor], batches: list[NDArray[np.int64]]) -> NDArray[np.float32]:
        """Return the rows of all batches on the host, in the order of the chunks."""
        vectors = torch.cat(rows).cpu().numpy()
        vectors[~np.isfinite(vectors).all(axis=1)] = np.nan
        restored = np.empty_like(vectors)
        restored[np.concatenate(batches)] = vectors
        return restored

    def _encode(self, texts: Sequence[str], prefix: str) -> NDArray[np.float32]:
        prepared = self.prepare(texts, prefix)
        if not prepared.batches:
            return np.empty((0, self.dimensions), np.float32)
        token_ids = prepared.chunks.token_ids
        rows = [self.forward([token_ids[i] for i in batch]) for batch in prepared.batches]
        self.tokens_encoded += sum(map(len, token_ids))
        return join(self.finish(rows, prepared.batches), prepared.chunks, len(texts))

    @torch.inference_mode()
    def _pass(self, token_ids: list[list[int]]) -> torch.Tensor:
        """Pad on the right, whatever the tokenizer would do: positions then count from 0 in every model."""
        padded = np.full((len(token_ids), max(map(len, token_ids))), self._pad_id, np.int64)
        mask = np.zeros_like(padded)
        for row, ids in enumerate(token_ids):
            padded[row, : len(ids)] = ids
            mask[row, : len(ids)] = 1
        input_ids = torch.from_numpy(padded).to(self.device)
        attention_mask = torch.from_numpy(mask).to(self.device)
        hidden = self._model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        vectors = pool(hidden, attention_mask, self._reading.pooling)
        unit: torch.Tensor = vectors / vectors.norm(
            dim=1, keepdim=True
        )  # a zero vector becomes NaN: no direction either
        return unit


def pool(hidden: torch.Tensor, mask: torch.Tensor, pooling: str) -> torch.Tensor:
    """Return (b, d) float32: of each row the mean, the first (cls) or the last of the tokens that are no padding.

    Args:
        hidden: (b, t, d), any number format.
        mask: (b, t), 1 for tokens and 0 for padding, which may stand on either side.
    """
    if pooling == "mean":
        weights = mask.to(torch.float32).unsqueeze(-1)
        return (hidden.to(torch.float32) * weights).sum(1) / weights.sum(1)
    at = mask.argmax(1) if pooling == "cls" else mask.shape[1] - 1 - mask.flip(1).argmax(1)
    return hidden[torch.arange(len(hidden), device=hidden.device), at].to(torch.float32)


def download(settings: EmbedderSettings) -> Path:
    """Return the local folder of a model named as on the Hugging Face hub, downloaded where it is not there yet.

    Raises:
        EncoderUnavailable: there is no such folder, and no such model can be downloaded.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(settings.encoder, revision=settings.revision or None, allow_patterns=MODEL_FILES))
    except (OSError, ValueError) as error:
        raise EncoderUnavailable(
            f"encoder {settings.encoder!r} is none of `stream-rec encoders list` and no folder, and cannot be "
            f"downloaded: {error}; give the folder of a model that was downloaded elsewhere"
        ) from error


def _device(wanted: str) -> str:
    has: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
        "cpu": lambda: True,
    }
    if wanted == "auto":
        return next(device for device, is_available in has.items() if is_available())
    if not has[wanted]():
        raise EncoderUnavailable(
            f'[embedder] device is "{wanted}", which torch does not find here; "auto" takes what is there'
        )
    return wanted


def _dtype(wanted: str, device: str) -> torch.dtype:
    if wanted == "auto":
        return torch.float32 if device == "cpu" else torch.float16
    dtype: torch.dtype = getattr(torch, wanted)
    return dtype


def _load(folder: Path, dtype: torch.dtype, device: str) -> tuple[Any, Any]:
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers says no types
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **options)
        model = transformers.AutoModel.from_pretrained(folder, dtype=dtype, use_safetensors=True, **options)
    except Exception as error:  # whatever a damaged or unknown file makes of it
        raise EncoderUnavailable(
            f"{folder} holds no model that transformers {transformers.__version__} can load without running its "
            f"code: {error}"
        ) from error
    model.config.use_cache = False  # decoders would keep keys and values for tokens that never come
    try:
        return tokenizer, model.eval().to(device)
    except RuntimeError as error:
        raise EncoderUnavailable(f"the model in {folder} does not get onto {device}: {error}") from error


def _max_tokens(wanted: int, tokenizer: Any, model: Any) -> int:
    """Return the most tokens that the settings ask for and the model has positions for."""
    positions = getattr(model.config, "max_position_embeddings", None) or wanted
    table = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    padding_index = getattr(table, "padding_idx", None)
    if padding_index is not None:
        positions -= padding_index + 1  # the RoBERTa family counts positions from there
    return int(min(wanted, positions, tokenizer.model_max_length))


def _digest(folder: Path) -> str:
    """Return 8 hexadecimal digits that change when config, tokenizer or weights do."""
    hasher = hashlib.blake2b(digest_size=4)
    for file in sorted({file for pattern in DIGESTED for file in folder.glob(pattern)}):
        size = file.stat().st_size
        hasher.update(f"{file.name} {size}\n".encode())
        with file.open("rb") as stream:
            if file.suffix == ".safetensors":
                hasher.update(stream.read(EDGE_BYTES))
                stream.seek(max(0, size - EDGE_BYTES))
            hasher.update(stream.read())
    return hasher.hexdigest()


def _is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a device ran out of memory: torch has a class for it on CUDA, but only a message on MPS."""
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error)
