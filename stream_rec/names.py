"""What folders, processes and consumer groups may be called, and what kinds of interactions are called."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

Name = Annotated[str, Meta(pattern=r"^(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}\Z")]
"""A part of names of folders, topics and groups: nothing that leads elsewhere."""
InteractionType = Literal["view", "click", "purchase"]
"""The labels of ``events.interaction.Kind``."""
