"""A broker as the reporter of one process sees it."""

from __future__ import annotations

import asyncio

import msgspec

from stream_rec.events.status import Status


class StatusBroker:
    """Takes what it is sent, or says something else instead."""

    def __init__(self, key: bytes = b"worker/worker-1") -> None:
        """Expect statuses of one process."""
        self.key = key
        self.starting: list[Exception] = []
        self.sending: list[Exception] = []
        self.sent: list[Status] = []
        self.n_refused = 0
        self.is_left = False
        self.told = asyncio.Event()
        """Set by the third status that it takes."""

    async def start(self) -> None:
        """Answer, or not."""
        if self.starting:
            raise self.starting.pop(0)

    async def stop(self) -> None:
        """Be left."""
        self.is_left = True

    async def send_and_wait(self, topic: str, value: bytes, *, key: bytes) -> None:
        """Take a record, or not."""
        assert (topic, key) == ("status", self.key)
        if self.sending:
            self.n_refused += 1
            raise self.sending.pop(0)
        self.sent.append(msgspec.json.decode(value, type=Status))
        if len(self.sent) == 3:
            self.told.set()
