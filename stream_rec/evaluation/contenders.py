"""What the engine's own runs are called among the methods that are judged; all others are baselines."""

from __future__ import annotations

ENGINE = "stream_rec"
EXPLORING = f"{ENGINE}_exploring"
"""The engine as it explores."""
RULED = f"{ENGINE}_ruled"
"""The engine under rules of the owner's: what it lacks is their price."""
CONTROL = f"{ENGINE}_random"
"""The engine with random vectors in place of the encoder's."""
WITHOUT = f"{ENGINE}_without_"
"""Before the names of the parts that the engine is left without: what it lacks is what they are worth."""


def is_baseline(name: str) -> bool:
    """Return whether a method is none of the engine's own runs."""
    return name not in (ENGINE, EXPLORING, RULED, CONTROL) and not name.startswith(WITHOUT)
