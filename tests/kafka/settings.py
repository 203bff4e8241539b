"""Settings for tests on a real Kafka: no model, and no waiting for what a person would not notice."""

from __future__ import annotations

import msgspec

from stream_rec.config import Settings
from stream_rec.surface_settings import Surface, SurfaceSettings

PUSHED = SurfaceSettings(
    declared={
        "discover": Surface(base="discover", n=12, push=True),
        "popular": Surface(base="trending", n=5, push=True),
        "again": Surface(base="buy_again", n=8, push=True),
    }
)
"""Surfaces that workers publish; for ``with_pushed``."""
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


def with_pushed(settings: Settings) -> Settings:
    """Return settings by which workers publish surfaces, too."""
    return msgspec.structs.replace(settings, surfaces=PUSHED)
