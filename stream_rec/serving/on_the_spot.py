"""Ranking on the spot, as the service sees it: who answers, and that nobody can for now."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:  # it brings numba, which takes a second, and half of the services do without
    from stream_rec.serving.ranker import Ranker

T = TypeVar("T")


class NotReady(Exception):
    """Nothing can be ranked now: what is needed is still being read, or too many wait; ask again in a second."""


class OnTheSpot(Protocol):
    """Who has a ranker."""

    def find_why_not_ready(self) -> str:
        """Return in words why nothing can be ranked, and how far it is; "" when it can."""

    async def ask(self, what: str, work: Callable[[Ranker], T]) -> T:
        """Return what ``work`` makes of the ranker, which nobody else uses meanwhile.

        Args:
            what: Its kind, for metrics.

        Raises:
            NotReady: as it says.
        """
