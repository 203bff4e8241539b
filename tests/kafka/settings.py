"""Settings for tests on a real Kafka: no model, and no waiting for what a person would not notice."""

from __future__ import annotations

import msgspec

from stream_rec.config import Settings

UNCUT = 10_000
"""Predecessors and queries kept of an item: more than any log here has, so that no sum is cut."""


def quick_settings(**sections: dict[str, object]) -> Settings:
    """Return settings for short runs, some values replaced: ``quick_settings(user={"recent_events": 16})``."""
    quick: dict[str, dict[str, object]] = {
        "embedder": {"encoder": "hashing"},
        "worker": {"session_timeout_s": 6.0, "default_list_interval_s": 0.2},
        "knowledge": {"predecessors": UNCUT, "queries": UNCUT},
    }
    settings = Settings()
    for section in quick.keys() | sections.keys():
        values = {**quick.get(section, {}), **sections.get(section, {})}
        changed = msgspec.structs.replace(getattr(settings, section), **values)
        settings = msgspec.structs.replace(settings, **{section: changed})
    return settings
