"""The lease: nothing is sent by a process that the consumer group may have given up.

The broker takes a member's partitions away when it has heard nothing from it for the session timeout. It counts from
the moment a heartbeat arrives; we count from the moment an answered one was sent, which is earlier. So once our time
is over, and perhaps a little before the broker's is, a request to produce is not sent any more, and the process ends:
its successor may be at work. A paused process wakes with its lease long over.

A pause between this look at the clock and the socket is not caught here, but by the claims of ``changelog.py``.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.errors import IllegalGenerationError, NoError, UnknownMemberIdError
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.group import HeartbeatRequest, SyncGroupRequest

from stream_rec.runtime import twin
from stream_rec.runtime.ending import end_process
from stream_rec.runtime.twin import twin_of

log = logging.getLogger(__name__)

FENCED_INSTANCE_ID = 82
EXPELLED = frozenset({UnknownMemberIdError.errno, IllegalGenerationError.errno, FENCED_INSTANCE_ID})

EXPLAIN_S = 3.0
"""So long a process that has lost its lease waits to hear why."""


class Lease:
    """Until when this process may send, as far as the consumer group's coordinator has confirmed it.

    Renewed from the consumer's thread, asked for from the main one.
    """

    def __init__(
        self,
        session_timeout_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        end: Callable[[int], None] = os._exit,
    ) -> None:
        self._session_timeout_s = session_timeout_s
        self._clock = clock
        self._end = end
        self._renewed_at: float | None = None
        """None before the first assignment: whoever owns nothing can overwrite nothing."""
        self._is_explained = threading.Event()
        """Whether nobody asks at this moment why the coordinator has given this process up."""
        self._is_explained.set()

    def now(self) -> float:
        """Return the lease's clock, in seconds."""
        return self._clock()

    def renew(self, sent_at: float) -> None:
        """Begin anew from the moment in which a request was sent that the coordinator has answered well."""
        self._renewed_at = sent_at

    def lose(self) -> None:
        """Note that the coordinator does not know this process any more."""
        self._renewed_at = -math.inf

    @property
    def unconfirmed_s(self) -> float:
        """How long the coordinator has not confirmed this process; 0 before the first assignment."""
        return 0.0 if self._renewed_at is None else max(0.0, self._clock() - self._renewed_at)

    def require(self) -> None:
        """Return while the lease lasts; else end the process, with what it still holds."""
        if self._renewed_at is None:
            return
        over_s = self._clock() - self._renewed_at - self._session_timeout_s
        if over_s > 0:
            self._is_explained.wait(EXPLAIN_S)  # a twin's end has a code of its own
            end_process(self._end, log, "lost_lease over_s=%.1f", over_s)  # inf: the coordinator said so

    def watch(self, coordinator: Any) -> None:
        """Renew on each answer of aiokafka's ``GroupCoordinator`` that confirms the assignment."""
        send = coordinator._send_req

        async def noting(request: Any) -> Any:
            sent_at = self.now()
            response = await send(request)
            if isinstance(request, HeartbeatRequest | SyncGroupRequest):
                if response.error_code == NoError.errno:
                    self.renew(sent_at)
                elif response.error_code in EXPELLED:
                    self._is_explained.clear()
                    self.lose()
                    try:
                        await self._end_where_a_twin_runs(coordinator, send)
                    finally:
                        self._is_explained.set()
                # "Rebalancing" prolongs nothing: the others do not wait for us for ever.
            elif isinstance(request, OffsetCommitRequest) and UnknownMemberIdError.errno in _commit_errors(response):
                # Often heard before a heartbeat is: aiokafka joins again then, and would throw the twin out.
                await self._end_where_a_twin_runs(coordinator, send)
            return response

        coordinator._send_req = noting

    async def _end_where_a_twin_runs(self, coordinator: Any, send: Callable[[Any], Awaitable[Any]]) -> None:
        if (host := await twin_of(coordinator, send)) is not None:
            what = (
                "instance_runs_twice instance=%s other_at=%s why=another process has joined under this instance id and "
            )
            what += "goes on, this one ends: give each its own --instance-id"
            instance = coordinator._group_instance_id
            end_process(self._end, log, what, instance, host, exit_code=twin.EXIT_CODE)

    def guard(self, client: AIOKafkaClient) -> None:
        """Send a producer's requests only while the lease lasts."""
        send = client.send

        async def leased(node_id: int, request: Any, *, group: ConnectionGroup = ConnectionGroup.DEFAULT) -> Any:
            await client.ready(node_id, group=group)  # so that nothing is waited for between the look and the socket
            self.require()
            return await send(node_id, request, group=group)

        client.send = leased


def _commit_errors(response: Any) -> set[int]:
    return {error_code for _, partitions in response.topics for _, error_code in partitions}
