"""Settings of the embedding process: which encoders, on what, and how much at once."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from stream_rec.names import Name


class EmbedderSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The embedding process, `[embedder]`."""

    encoder: str = "minilm"
    """`minilm` (bundled weights), `hashing` (no model), or the name or folder of any transformers model. Two joined
    with "+", as "minilm+hashing": each item has a vector of both. `random` is a control: its vectors say nothing."""
    revision: str = ""
    """Of the model, part of the encoder's identity: change it and every item is embedded again. This and all below hold
    for each encoder that `encoder` names and that knows of it."""
    device: Literal["auto", "cuda", "mps", "cpu"] = "auto"
    """auto: a GPU where there is one."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """auto: float16 on a GPU, float32 on a CPU."""
    pooling: Literal["auto", "mean", "cls", "last"] = "auto"
    """auto: what the model's own 1_Pooling/config.json says, else mean."""
    passage_prefix: str = ""
    """Put before every item text: "passage: " for the E5 family."""
    query_prefix: str = ""
    """Put before every query: "query: " for the E5 family, an instruction for others."""
    max_tokens: Annotated[int, Meta(ge=8)] = 256
    """Longer texts are cut."""
    token_budget: Annotated[int, Meta(ge=8)] = 2048
    """Most tokens, padding included, in one forward pass. A third faster than 8192 on a CPU; a GPU wants more."""
    hashing_dimensions: Annotated[int, Meta(ge=8, le=4096)] = 256
    """Numbers of a vector of the `hashing` encoder."""
    data_dir: str = ".stream-rec/embedder"
    """Its mirror of embeddings lies in data_dir/instance_id. Losing it costs time, not data."""
    instance_id: Name = "embedder-1"
    """Stable name of this process among the embedders; no two live ones may share it."""
