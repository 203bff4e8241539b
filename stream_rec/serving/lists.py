"""The lists that the service reads out: a view that is made anew when its reading has ended."""

from __future__ import annotations

import logging
import threading
from typing import Protocol

from stream_rec.client import RecommendationsView
from stream_rec.errors import BrokerUnavailable, StreamRecError
from stream_rec.events.slate import Slate
from stream_rec.kafka_settings import KafkaSettings

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Between two looks at whether the reading goes on."""


class Lists(Protocol):
    """What the service needs of lists."""

    def own(self, user_id: str) -> Slate | None:
        """Return the newest list of a user, or None."""

    def find_why_not_ready(self) -> str:
        """Return in words why lists may be missing; "" when all are there."""

    def __len__(self) -> int: ...


class FollowedLists:
    """The lists of all users, followed in threads of its own."""

    def __init__(self, kafka: KafkaSettings) -> None:
        """Say where from; ``open`` connects."""
        self._kafka = kafka
        self._view: RecommendationsView | None = None
        self._is_closed = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="lists-keeper", daemon=True)

    def open(self) -> None:
        """Connect, and begin to read.

        Raises:
            StreamRecError: as of ``RecommendationsView``.
        """
        self._view = RecommendationsView(self._kafka)
        self._keeper.start()

    def own(self, user_id: str) -> Slate | None:
        """Return the newest list of a user, or None.

        Raises:
            BrokerUnavailable: reading has ended, and begins anew.
        """
        return None if self._view is None else self._view.own(user_id)

    def find_why_not_ready(self) -> str:
        """Return in words why lists may be missing; "" when all are there."""
        try:
            is_ready = self._view is not None and self._view.is_ready
            return "" if is_ready else "reading recommendations from the beginning"
        except StreamRecError as error:
            return str(error)

    def __len__(self) -> int:
        try:
            return 0 if self._view is None else len(self._view)
        except StreamRecError:
            return 0

    def close(self) -> None:
        """Stop reading."""
        self._is_closed.set()
        if self._keeper.ident is not None:
            self._keeper.join()
        if self._view is not None:
            self._view.close()

    def _keep(self) -> None:
        while self._view is not None and not self._is_closed.wait(LOOK_S):
            try:
                _ = self._view.is_ready
            except BrokerUnavailable as error:
                log.warning("lists_begin_anew why=%s", str(error)[:200])
                try:
                    view = RecommendationsView(self._kafka)
                except StreamRecError:
                    continue
                self._view, ended = view, self._view
                ended.close()
