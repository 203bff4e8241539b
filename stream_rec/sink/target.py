"""A target: where values are kept by topic and user, with the bookmark, and changed only together with it.

Every change names the bookmark that it goes by and the one that comes after it. A target whose bookmark is another by
then changes nothing: another process has written meanwhile, or a try of which nobody has heard was done after all. So
whoever writes late, twice or beside somebody else undoes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from stream_rec.events.slate import Slate
from stream_rec.events.surfaces import Surfaces


class Change(NamedTuple):
    """One value to be put or deleted."""

    topic: str
    """Without prefix: ``recommendations`` or ``surfaces``."""
    user_id: str
    value: bytes | None
    """The record's JSON, whole; None deletes."""
    made: Slate | Surfaces | None
    """The same, read."""
    generation: int
    """Of the topic's reading."""
    is_whole: bool
    """Whether nothing of earlier generations is left."""


class Turn(NamedTuple):
    """The bookmark before a change and after it."""

    before: bytes | None
    after: bytes


class BookmarkChanged(Exception):
    """The target's bookmark is another than was thought: read it, and go on from there."""


class Target(Protocol):
    """Where values are kept. For one thread.

    Every method raises ``TargetUnavailable`` where the target does not do it within its time: it may have been done or
    not, ``open`` again and read the bookmark. Those that take a turn raise ``BookmarkChanged`` and change nothing, or
    nothing more, where the bookmark is not ``turn.before``.
    """

    def open(self) -> None:
        """Connect, and make what is missing. Doing it again begins with a new connection.

        Raises:
            SettingsError: it is no target as is needed.
        """

    def read_bookmark(self) -> bytes | None:
        """Return the bookmark; None where there is none yet."""

    def begin(self, topic: str, turn: Turn) -> None:
        """Begin a new generation of a topic: what is put from now on is of it."""

    def write(self, changes: Sequence[Change], turn: Turn) -> None:
        """Put and delete values, at most one of each topic and user: all of them with the bookmark, or none."""

    def sweep(self, topic: str, generation: int, turn: Turn) -> None:
        """Delete what earlier generations of a topic have left; the bookmark turns when nothing is left."""

    def close(self) -> None:
        """Let go of the connection, if there is one."""
