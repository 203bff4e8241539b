"""Settings of the embedding process: which encoders, on what, and how much at once."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from stream_rec.names import Name

AUTO = "auto"


class EmbedderSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The embedding process, `[embedder]`."""

    encoder: str = "e5-small+hashing"
    """`e5-small`, `bge-small` or `minilm-int8` (fetched once), `use-multilingual` (16 languages), `hashing` (no model),
    `minilm` (torch), the folder of an ONNX model, or the name or folder of any transformers model (torch). Or two of
    them, joined with "+": each item has a vector of both. `random` is a control: its vectors say nothing."""
    revision: str = ""
    """Of the model, part of the encoder's identity: change it and every item is embedded again. This and all below hold
    for each encoder that `encoder` names and that knows of it."""
    device: Literal["auto", "cuda", "mps", "cpu"] = "auto"
    """auto: a GPU where there is one."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """auto: float16 on a GPU, float32 on a CPU."""
    pooling: Literal["auto", "mean", "cls", "last"] = "auto"
    """auto: what the model's own 1_Pooling/config.json says, else mean."""
    passage_prefix: str = AUTO
    """Put before every item text. auto: what a named model's card says, "query: " for `e5-small`; else nothing."""
    query_prefix: str = AUTO
    """Put before every query. auto: as with passage_prefix; an instruction for `bge-small`."""
    max_tokens: Annotated[int, Meta(ge=8)] = 256
    """That a model reads at once."""
    max_chunks: Annotated[int, Meta(ge=1, le=64)] = 4
    """A longer text is read in so many chunks of max_tokens at most, and its vector is the mean of theirs; what is
    beyond is cut. It costs as much as its chunks. `hashing` reads as far, at once."""
    token_budget: Annotated[int, Meta(ge=8)] = 2048
    """Most tokens, padding included, in one forward pass of torch. A third faster than 8192 on a CPU; a GPU wants
    more."""
    hashing_dimensions: Annotated[int, Meta(ge=8, le=4096)] = 256
    """Numbers of a vector of the `hashing` encoder."""
    models_dir: str = "~/.cache/stream-rec/models"
    """Named models are fetched into it once. Processes may share it; with the models in it, it may be read-only."""
    data_dir: str = ".stream-rec/embedder"
    """Its mirror of embeddings lies in data_dir/instance_id. Losing it costs time, not data."""
    instance_id: Name = "embedder-1"
    """Stable name of this process among the embedders; no two live ones may share it."""


def choose(wanted: str, otherwise: str) -> str:
    """Return what a setting asks for, ``otherwise`` where it leaves that to the model."""
    return otherwise if wanted == AUTO else wanted
