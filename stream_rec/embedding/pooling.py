"""How a model's token vectors become one vector of the text, as the model's own files say.

Source:
    Reimers, Gurevych. Sentence-BERT. EMNLP 2019 (pooling; the folder layout with ``1_Pooling``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stream_rec.errors import EncoderUnavailable

POOLINGS = {"cls_token": "cls", "cls": "cls", "mean_tokens": "mean", "mean": "mean", "lasttoken": "last"}
"""The words of sentence-transformers' files, old and new, and ours."""

MODULES = {"Transformer", "Pooling", "Normalize"}
"""Modules of sentence-transformers that are computed here."""


def find_pooling(folder: Path) -> str:
    """Return what the model's sentence-transformers files say: mean, cls or last; mean where there are none.

    Raises:
        EncoderUnavailable: they ask for what is not computed here, or cannot be read.
    """
    modules = read_json(folder / "modules.json", [])
    unknown = {
        str(module.get("type", "")).rsplit(".", 1)[-1] for module in modules if isinstance(module, dict)
    } - MODULES
    config = read_json(folder / "1_Pooling" / "config.json", {"pooling_mode": "mean"})
    modes = config.get("pooling_mode")
    if modes is None:
        switches = {key: is_on for key, is_on in config.items() if key.startswith("pooling_mode_")}
        modes = [key.removeprefix("pooling_mode_") for key, is_on in switches.items() if is_on]
    modes = [str(mode) for mode in (modes if isinstance(modes, list) else [modes])]
    if unknown or len(modes) != 1 or modes[0] not in POOLINGS:
        raise EncoderUnavailable(
            f"the model in {folder} wants pooling {modes} and further modules {sorted(unknown)}, which are not "
            'supported here; [embedder] pooling = "mean", "cls" or "last" leaves them out'
        )
    return POOLINGS[modes[0]]


def read_json(file: Path, otherwise: Any) -> Any:
    """Return what a JSON file holds, ``otherwise`` where there is none.

    Raises:
        EncoderUnavailable: it cannot be read, or holds something of another type than ``otherwise``.
    """
    if not file.is_file():
        return otherwise
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EncoderUnavailable(f"{file} cannot be read as JSON: {error}") from error
    if type(content) is not type(otherwise):
        raise EncoderUnavailable(f"{file} holds a {type(content).__name__}, {type(otherwise).__name__} expected")
    return content
