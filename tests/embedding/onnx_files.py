"""Tiny ONNX models for tests, written byte by byte: no package that makes them is needed.

Source:
    onnx/onnx.proto3 (field numbers of ModelProto, GraphProto, NodeProto, TensorProto, ValueInfoProto).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers, processors

FLOAT, INT64 = 1, 7
WORDS = ["[CLS]", "[SEP]", "[UNK]", "red", "wine", "merlot", "hose", "garden"]


def save(
    folder: Path,
    table: NDArray[np.float32],
    *,
    place: str = "model.onnx",
    inputs: Sequence[str] = ("input_ids",),
    row_of: str = "input_ids",
    output: str = "last_hidden_state",
    rank: int = 3,
) -> Path:
    """Save a model that gives each token its row of ``table``, and a tokenizer of ``WORDS`` between [CLS] and [SEP].

    Args:
        row_of: The input whose numbers are rows: "position_ids" makes a model that has so many positions.
        rank: Declared for the output; the values have rank 3 in any case.
    """
    node = string(1, "table") + string(1, row_of) + string(2, output) + string(4, "Gather")
    shape = b"".join(number(1, n) for n in table.shape)
    tensor = shape + number(2, FLOAT) + string(8, "table") + field(9, table.astype("<f4").tobytes())
    graph = field(1, node) + string(2, "tiny") + field(5, tensor)
    graph += b"".join(field(11, value(name, INT64, 2)) for name in inputs) + field(12, value(output, FLOAT, rank))
    opset = string(1, "") + number(2, 17)
    file = folder / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(number(1, 8) + field(7, graph) + field(8, opset))
    save_tokenizer(folder)
    return folder


def save_tokenizer(folder: Path) -> None:
    """Save a tokenizer that would cut at 3 tokens and pad to 6, as some in the world do."""
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    ids = [("[CLS]", 0), ("[SEP]", 1)]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ids)
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=6)
    tokenizer.save(str(folder / "tokenizer.json"))


def value(name: str, kind: int, rank: int) -> bytes:
    """Return what an input or output is: its number type, and so many dimensions of any length."""
    shape = b"".join(field(1, string(2, f"n{i}")) for i in range(rank))
    return string(1, name) + field(2, field(1, number(1, kind) + field(2, shape)))


def field(number_: int, content: bytes) -> bytes:
    """Return a field of bytes."""
    return varint(number_ << 3 | 2) + varint(len(content)) + content


def string(number_: int, text: str) -> bytes:
    """Return a field of text."""
    return field(number_, text.encode())


def number(number_: int, content: int) -> bytes:
    """Return a field that is a number."""
    return varint(number_ << 3) + varint(content)


def varint(value_: int) -> bytes:
    """Return a number in as many bytes as it needs, seven bits each."""
    low, high = value_ & 0x7F, value_ >> 7
    return bytes([low | 0x80]) + varint(high) if high else bytes([low])
