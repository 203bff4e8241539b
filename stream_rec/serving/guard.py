"""Who may ask: a guard before a handler, which looks for a key with the scope that it needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler

from stream_rec.serving.gate import secret_of
from stream_rec.serving.keys import ApiKeys, Scope

Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]


def require_scope(keys: ApiKeys | None, scope: Scope) -> Guard:
    """Return the guard of handlers for which a key needs ``scope``; without ``keys`` nobody is asked who they are."""

    async def check(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        # not async, it would go to a thread and back for each request, past the one that ranks
        if keys is None:
            return
        key = keys.find(secret_of(connection.headers.get("authorization", "")))
        if key is None:
            raise NotAuthorizedException(
                "an API key is needed: `Authorization: Bearer KEY`", headers={"WWW-Authenticate": "Bearer"}
            )
        if scope not in key.scopes:
            raise PermissionDeniedException(f"this key may not {scope}")

    return check
