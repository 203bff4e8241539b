"""Our own encoders keep what every encoder keeps."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from stream_rec.embedding.encoder import Encoder
from stream_rec.embedding.hashing import HashingEncoder
from stream_rec.embedding.random_encoder import RandomEncoder
from stream_rec.testing.encoders import EncoderContract
from tests.embedding import models


class TestHashing(EncoderContract):
    """Without a model."""

    def make(self) -> Encoder:
        return HashingEncoder(dimensions=128)


class TestRandom(EncoderContract):
    """The control of an evaluation."""

    def make(self) -> Encoder:
        return RandomEncoder()


@pytest.mark.model
class TestE5Small(EncoderContract):
    """The default."""

    tolerance = 0.0

    def make(self) -> Encoder:
        return models.named("e5-small")


@pytest.mark.model
class TestBgeSmall(EncoderContract):
    """The vector of the first token."""

    tolerance = 0.0

    def make(self) -> Encoder:
        return models.named("bge-small")


@pytest.mark.model
class TestMiniLmInt8(EncoderContract):
    """MiniLM without torch."""

    tolerance = 0.0

    def make(self) -> Encoder:
        return models.named("minilm-int8")


@pytest.mark.model
class TestMiniLm(EncoderContract):
    """MiniLM by torch."""

    def make(self) -> Encoder:
        return models.minilm()


class Saved(EncoderContract):
    """Of a model that was saved to a folder."""

    folder: ClassVar[Path]


@pytest.fixture(autouse=True, scope="class")
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give each class that saves a model a folder of its own."""
    if issubclass(request.cls, Saved):
        request.cls.folder = tmp_path_factory.mktemp("models") / request.cls.__name__


@pytest.mark.model
class TestBertCls(Saved):
    """The vector of the first token."""

    def make(self) -> Encoder:
        return models.tiny(models.save_bert(self.folder), pooling="cls", passage_prefix="p: ", token_budget=64)


@pytest.mark.model
class TestBertBfloat16(Saved):
    """In half the memory."""

    tolerance = 2e-2

    def make(self) -> Encoder:
        return models.tiny(models.save_bert(self.folder), dtype="bfloat16")


@pytest.mark.model
class TestDecoderLast(Saved):
    """The vector of the last token."""

    def make(self) -> Encoder:
        return models.tiny(models.save_decoder(self.folder), pooling="last")
