"""Addresses at which it is said, asked and taken back what a user says of themselves."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import Request, delete, get, put
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody

from stream_rec.events import validate
from stream_rec.events.over_http import Accepted, UserProfile
from stream_rec.events.profile import Profile
from stream_rec.events.source import Source
from stream_rec.events.validate import InputLimits
from stream_rec.serving.guard import Guard
from stream_rec.serving.on_the_spot import OnTheSpot
from stream_rec.serving.problems import READING, accept, problem, problems_of, refuse_unknown
from stream_rec.serving.questions import IdInPath
from stream_rec.serving.ranked import require
from stream_rec.serving.writer import Record

TOPIC = Source.PROFILE.topic


def profile_routes(
    replica: OnTheSpot | None,
    write: Callable[[Record, object], Awaitable[Accepted]],
    limits: InputLimits,
    *,
    reading: Guard,
    writing: dict[str, Any],
) -> list[BaseRouteHandler]:
    """Return the handlers.

    Args:
        replica: Has users' states; None: what was said cannot be asked.
        write: Writes a record that is as good as the other argument says.
        reading: Lets those in who may ask.
        writing: What handlers that write have in common.
    """

    @put("/v1/users/{user_id:str}/profile", **writing, summary="Put a user's profile")
    async def put_profile(request: Request[Any, Any, Any], user_id: IdInPath, data: JSONBody[UserProfile]) -> Accepted:
        """Take what a user has said of themselves, in place of all that was said before."""
        refuse_unknown(await request.json(), UserProfile)
        now_ms = time.time_ns() // 1_000_000
        said_ms = now_ms if data.timestamp_ms is None else data.timestamp_ms
        profile = Profile(user_id, said_ms, data.interests, data.language, data.birth_year)
        key, value = user_id.encode(), msgspec.json.encode(profile)
        checked = validate.profile(key, value, received_ms=now_ms, limits=limits)
        return await write(Record(TOPIC, key, value), checked)

    @delete("/v1/users/{user_id:str}/profile", **writing, summary="Take a user's profile back")
    async def delete_profile(user_id: IdInPath) -> Accepted:
        """Have it known no more; what the user did stays."""
        key = user_id.encode()
        checked = validate.profile(key, None, received_ms=time.time_ns() // 1_000_000, limits=limits)
        return await write(Record(TOPIC, key, None), checked)

    @get(
        "/v1/users/{user_id:str}/profile",
        guards=[reading],
        responses=problems_of(*READING, 404, 501),
        summary="A user's profile",
    )
    async def get_profile(user_id: IdInPath) -> UserProfile:
        """Return what a user has said of themselves, as lists that are ranked on the spot know it."""
        accept(validate.check_user_id(user_id, limits))
        said = await require(replica).ask("profile", lambda ranker: ranker.find_profile(user_id))
        if said is None:
            raise problem(404, f"there is no profile of {user_id[:256]!r}")
        return UserProfile(
            interests=said.interests,
            language=said.language,
            birth_year=said.birth_year,
            timestamp_ms=said.timestamp_ms,
        )

    return [put_profile, delete_profile, get_profile]
