"""Every decoder of bytes that come from topics, files or tables: what is made for it, and what is done with its value.

``Decoder.take`` decodes one input and uses the value as the worker would. It returns whether there was a value; a named
error makes that False. Any other exception is the decoder's fault: it let something through.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from stream_rec.knowledge import signal as signals
from stream_rec.knowledge import state as item_state
from stream_rec.user import forgotten, seen
from stream_rec.user import state as user_state
from tests.fuzz import files, records, states, vectors
from tests.fuzz.valid import (
    valid_chunk,
    valid_contribution,
    valid_embedding,
    valid_erasure_request,
    valid_impression,
    valid_interaction,
    valid_item,
    valid_knowledge,
    valid_meta,
    valid_note,
    valid_profile,
    valid_receipt,
    valid_search,
    valid_shift,
    valid_signals,
    valid_slate,
    valid_user,
)
from tests.fuzz.world import World


@dataclass(frozen=True, slots=True)
class Decoder:
    """One decoder under attack."""

    name: str
    made: Callable[[Random], Any]
    """Returns an input, most often a damaged one."""
    take: Callable[[World, Any], bool]
    """Decodes it and uses the value; returns whether there was one."""
    share: float = 1.0
    """How often it is tried, next to the others: less where files are slow."""


DECODERS = (
    Decoder("user state", states.struct_bytes(lambda r: user_state.encode(valid_user(r))), states.take_user),
    Decoder("item state", states.struct_bytes(lambda r: item_state.encode(valid_knowledge(r))), states.take_knowledge),
    Decoder("signals", states.struct_bytes(lambda r: signals.encode(valid_signals(r))), states.take_signals),
    Decoder("note", states.struct_bytes(lambda r: forgotten.encode(valid_note(r))), states.take_note, 0.5),
    Decoder("digests", states.struct_bytes(lambda r: seen.encode(valid_chunk(r))), states.take_chunk, 0.5),
    Decoder("changelog", states.made_changelog, states.take_changelog),
    Decoder("meta", states.struct_bytes(valid_meta), states.take_meta, 0.5),
    Decoder("embedding", vectors.number_bytes(valid_embedding, 31), vectors.take_embedding),
    Decoder("contribution", vectors.number_bytes(valid_contribution, 25), vectors.take_contribution, 0.5),
    Decoder("shift", vectors.number_bytes(valid_shift, 1), vectors.take_shift),
    Decoder("interaction", records.keyed(records.json_bytes(valid_interaction), "user_id"), records.take_interaction),
    Decoder("search", records.keyed(records.json_bytes(valid_search), "user_id"), records.take_search),
    Decoder("impression", records.keyed(records.json_bytes(valid_impression), "user_id"), records.take_impression),
    Decoder("profile", records.keyed(records.json_bytes(valid_profile), "user_id"), records.take_profile),
    Decoder(
        "erasure", records.keyed(records.json_bytes(valid_erasure_request), "user_id"), records.take_erasure_request
    ),
    Decoder("receipt", records.json_bytes(valid_receipt), records.take_receipt, 0.5),
    Decoder("item", records.keyed(records.json_bytes(valid_item), "item_id"), records.take_item),
    Decoder("slate", records.keyed(records.json_bytes(valid_slate), "user_id"), records.take_slate),
    Decoder("record", records.made_record, records.take_record, 0.5),
    Decoder("settings", files.toml_bytes(files.SETTINGS_TOML), files.take_settings, 0.1),
    Decoder("topic", files.toml_bytes(files.TOPIC_TOML), files.take_topic, 0.2),
    Decoder("log", files.made_log, files.take_log, 0.4),
    Decoder("cache", files.made_cache, files.take_cache, 0.1),
)
