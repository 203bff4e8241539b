"""What has begun is finished, whoever waited for it and was cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """Return what ``work`` does; where the caller is cancelled it goes on, and nobody hears how it ended."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(_hear)
    return await asyncio.shield(task)


def _hear(task: asyncio.Task[Any]) -> None:
    """Take the error, that asyncio may not print it where nobody waits for it any more."""
    if not task.cancelled():
        task.exception()
