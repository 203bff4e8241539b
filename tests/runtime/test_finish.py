"""What somebody has begun and no longer waits for."""

from __future__ import annotations

import asyncio

import pytest

from stream_rec.runtime.finish import finish


async def fail(begun: asyncio.Event, let: asyncio.Event) -> None:
    begun.set()
    await let.wait()
    raise ValueError("nobody hears this")


def test_what_fails_after_its_caller_was_cancelled_is_not_printed() -> None:
    """A worker that stops for its clock says so in one line: a traceback of what was on the way would hide it."""
    said: list[str] = []

    async def cancel_the_caller() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context["message"]))
        begun, let = asyncio.Event(), asyncio.Event()
        caller = asyncio.ensure_future(finish(fail(begun, let)))
        await begun.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        let.set()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert others  # it goes on
        await asyncio.wait(others)
        del others, caller

    asyncio.run(cancel_the_caller())
    assert said == []


def test_who_waits_hears_of_it() -> None:
    async def wait_for_it() -> None:
        let = asyncio.Event()
        let.set()
        await finish(fail(asyncio.Event(), let))

    with pytest.raises(ValueError, match="nobody hears this"):
        asyncio.run(wait_for_it())
