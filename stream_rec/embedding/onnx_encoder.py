"""Transformer models as encoders, by onnxruntime: the only module that imports onnxruntime and tokenizers.

Each text goes through the model alone. An int8 model measures its activations anew in each pass, over all that is in
it: the same text in other company, or beside padding, has another vector (a cosine of .993 for minilm-int8, .998 for
e5-small). Alone it has the same bytes at any time, and needs no more CPU. Texts run beside each other instead, one on
each core.

Source:
    onnxruntime, Quantize ONNX models (dynamic quantization: scale and zero point of a whole tensor, at run time).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tokenizers
from numpy.typing import NDArray

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read as it is loaded; else it tells Microsoft what runs
import onnxruntime

from stream_rec.embedding.chunks import Read, join, read_in_chunks
from stream_rec.embedding.model_files import TOKENIZER, WEIGHTS, WEIGHTS_PATHS, find_files, find_weights
from stream_rec.embedding.onnx_models import OnnxModel, Reading, name_revision, read_as
from stream_rec.embedding.pooling import find_pooling, read_json
from stream_rec.embedding.settings import AUTO, EmbedderSettings, choose
from stream_rec.errors import EncoderUnavailable

TOKEN_OUTPUTS = ("last_hidden_state", "token_embeddings")
"""What exporters call the vectors of the tokens; another name is taken where there is one such output alone."""

COUNTED_FROM_PADDING = {"roberta", "xlm-roberta", "camembert", "mpnet"}
"""Kinds of models whose positions begin behind the padding's."""


class OnnxEncoder:
    """A transformer with frozen weights on the CPU, pooled to one unit vector for each text."""

    device = "cpu"

    def __init__(self, name: str, folder: Path, weights: Path, reading: Reading, revision: str) -> None:
        """Load a model and encode two texts with it, the empty one and one of the most tokens.

        Args:
            folder: Holds ``tokenizer.json``.
            revision: Which weights and tokenizer; how they are used is added to it.

        Raises:
            EncoderUnavailable: the files hold no text encoder that can be used.
        """
        self._reading = reading
        self._tokenizer = _load_tokenizer(folder / TOKENIZER, reading.max_tokens)
        self._session = _load_session(weights)
        self._inputs = {one.name: one.type for one in self._session.get_inputs()}
        self._output = _find_output(self._session, weights)
        n_threads = len(os.sched_getaffinity(0))
        self._threads = ThreadPoolExecutor(n_threads, thread_name_prefix="encoder")
        self.tokens_encoded = 0
        self.name = name
        self.revision = name_revision(reading, revision)
        self.identity = f"{name}@{self.revision}"
        longest = self._tokenizer.encode("a " * reading.max_tokens).ids
        try:
            self.dimensions = len(self._vector(self._tokenizer.encode("").ids))
            self._vector(longest)
        except Exception as error:  # what onnxruntime raises is its own
            raise EncoderUnavailable(
                f"the model {weights} cannot encode a text of {len(longest)} tokens ({error}): if it has positions "
                "for fewer, set [embedder] max_tokens lower"
            ) from error

    def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (n, d) unit rows; a row of NaN where the model gave no finite vector."""
        return self._encode(texts, self._reading.passage_prefix)

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As ``encode_passages``, with the prefix of queries."""
        return self._encode(texts, self._reading.query_prefix)

    def _encode(self, texts: Sequence[str], prefix: str) -> NDArray[np.float32]:
        chunks = read_in_chunks(texts, prefix, self._tokenize, self._reading.max_chunks)
        rows = np.empty((len(chunks.token_ids), self.dimensions), np.float32)
        for row, vector in zip(rows, self._threads.map(self._vector, chunks.token_ids)):
            row[:] = vector
        self.tokens_encoded += sum(map(len, chunks.token_ids))
        return join(rows, chunks, len(texts))

    def _tokenize(self, texts: list[str]) -> list[Read]:
        encoded = self._tokenizer.encode_batch(texts)
        return [Read(one.ids, max(end for _, end in one.offsets) if one.overflowing else None) for one in encoded]

    def _vector(self, token_ids: list[int]) -> NDArray[np.float32]:
        """Return one text's unit vector, (d,), NaN where it has no direction."""
        ids = np.array([token_ids or [0]])  # "" has no token where a model adds none
        values = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
            "position_ids": np.arange(ids.size)[None],
        }
        feed = {name: values[name].astype(_NUMBERS[kind]) for name, kind in self._inputs.items()}
        [hidden] = self._session.run([self._output], feed)
        pooled = _pool(hidden[0].astype(np.float32, copy=False), self._reading.pooling)
        with np.errstate(invalid="ignore", divide="ignore"):
            vector: NDArray[np.float32] = pooled / np.linalg.norm(pooled)
        if not np.isfinite(vector).all():
            vector = np.full_like(vector, np.nan)
        return vector


def load_named(model: OnnxModel, settings: EmbedderSettings) -> OnnxEncoder:
    """Return the encoder of a model that has a name, fetched where it is not there yet.

    Raises:
        EncoderUnavailable: the model cannot be fetched or loaded, or the settings ask for what it cannot do.
    """
    _require_what_it_has(settings)
    folder = find_files(model, Path(settings.models_dir).expanduser())
    revision = settings.revision or model.digest
    return OnnxEncoder(model.name, folder, folder / WEIGHTS, read_as(model, settings), revision)


def load_folder(folder: Path, settings: EmbedderSettings) -> OnnxEncoder:
    """Return the encoder of a model in a folder of the user's; raises as ``load_named`` does."""
    _require_what_it_has(settings)
    weights = find_weights(folder)
    if weights is None:
        raise EncoderUnavailable(f"{folder} holds no {TOKENIZER} with one of {', '.join(WEIGHTS_PATHS)}")
    reading = Reading(
        pooling=find_pooling(folder) if settings.pooling == AUTO else settings.pooling,
        max_tokens=min(settings.max_tokens, _most_tokens(folder, settings.max_tokens)),
        max_chunks=settings.max_chunks,
        passage_prefix=choose(settings.passage_prefix, ""),
        query_prefix=choose(settings.query_prefix, ""),
    )
    revision = settings.revision or _digest(weights, folder / TOKENIZER)
    return OnnxEncoder(folder.resolve().name, folder, weights, reading, revision)


def _require_what_it_has(settings: EmbedderSettings) -> None:
    if settings.device not in (AUTO, "cpu") or settings.dtype not in (AUTO, "float32"):
        raise EncoderUnavailable(
            f"encoder {settings.encoder!r} runs on the CPU, in the numbers of its file: leave [embedder] device and "
            f'dtype at "auto" (they are "{settings.device}" and "{settings.dtype}"), or take a model that torch runs'
        )


def _load_tokenizer(file: Path, max_tokens: int) -> tokenizers.Tokenizer:
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(file))
    except Exception as error:  # tokenizers raises Exception itself
        raise EncoderUnavailable(f"{file} is no tokenizer that can be read: {error}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _load_session(weights: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # texts run beside each other: parts of one text would wait for each other
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # whatever a damaged or unknown file makes of it
        raise EncoderUnavailable(
            f"{weights} is no model that onnxruntime {onnxruntime.__version__} can load: {error}"
        ) from error
    unknown = {one.name for one in session.get_inputs() if one.name not in _INPUTS or one.type not in _NUMBERS}
    if unknown:
        raise EncoderUnavailable(f"{weights} wants {sorted(unknown)} besides a text's tokens: it is no text encoder")
    return session


def _find_output(session: onnxruntime.InferenceSession, weights: Path) -> str:
    by_token = [one.name for one in session.get_outputs() if len(one.shape) == 3]
    known = [name for name in TOKEN_OUTPUTS if name in by_token]
    if not known and len(by_token) != 1:
        names = [one.name for one in session.get_outputs()]
        raise EncoderUnavailable(f"{weights} gives {names}, and no one vector for each token: export it with them")
    return str((known or by_token)[0])


def _pool(hidden: NDArray[np.float32], pooling: str) -> NDArray[np.float32]:
    """Return (d,): the mean, the first (cls) or the last of a text's token vectors, (t, d)."""
    pooled: NDArray[np.float32] = hidden.mean(axis=0) if pooling == "mean" else hidden[0 if pooling == "cls" else -1]
    return pooled


def _most_tokens(folder: Path, otherwise: int) -> int:
    """Return how many tokens the model in a folder has positions for, by its own files."""
    config = read_json(folder / "config.json", {})
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int) or positions <= 0:
        return otherwise
    padding = config.get("pad_token_id")
    if config.get("model_type") in COUNTED_FROM_PADDING and isinstance(padding, int):
        positions -= padding + 1
    return positions


def _digest(weights: Path, tokenizer: Path) -> str:
    """Return 8 hexadecimal digits that change when the weights, what is kept beside them, or the tokenizer do."""
    hasher = hashlib.blake2b(digest_size=4)
    for file in (*sorted(weights.parent.glob(f"{weights.name}*")), tokenizer):
        with file.open("rb") as stream:
            hasher.update(f"{file.name} ".encode() + hashlib.file_digest(stream, "blake2b").digest())
    return hasher.hexdigest()


_NUMBERS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
_INPUTS = {"input_ids", "attention_mask", "token_type_ids", "position_ids"}
