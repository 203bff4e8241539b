"""What a request must be before the app sees it: ids that mean what they say, a page that may ask, and not too many.

Its body has to come in time: one that is under way takes the place of another.

Addresses are compared as they were sent, because what is decoded first may be another address: `/v1/users/ann%2F` is no
user `ann`, but a user `ann/`. So the app finds its handler by the encoded address, and ids are decoded for the handler.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, unquote_to_bytes

import msgspec

from stream_rec.serving.keys import ApiKeys
from stream_rec.serving.problems import name_status, problem

Message = MutableMapping[str, Any]
App = Callable[..., Awaitable[None]]

OPEN = ("/healthz", "/readyz", "/metrics")
"""Addresses for machines of the owner's, which nothing bounds."""
LOCAL = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")
"""Hosts by which this machine calls itself."""
JSON = re.compile(r"application/([\w.-]+\+)?json\s*(;.*)?", re.IGNORECASE)
PROBLEM = b"application/problem+json"
BODY_S = 10.0
"""How long a body may take to arrive."""
IN_ADDRESS = "/%!$&'()*+,;=:@~"
"""What stands in an encoded address as it is."""


class Gate:
    """An ASGI app before the app."""

    def __init__(
        self,
        app: App,
        keys: ApiKeys | None,
        *,
        section: str,
        concurrency: int,
        requests_per_s: int,
        cors_origins: Sequence[str] = (),
        has_pages: bool = False,
    ) -> None:
        """Say what is let through.

        Args:
            section: Of the settings, for messages.
            concurrency: Requests under way at once.
            requests_per_s: Of each client; 0: no bound.
            cors_origins: Other origins whose pages may ask without keys.
            has_pages: Whether the app has pages of its own, which may ask.
        """
        self._app = app
        self._keys = keys
        self._section = section
        self._concurrency = concurrency
        self._requests_per_s = requests_per_s
        self._cors_origins = cors_origins
        self._has_pages = has_pages
        self._n_under_way = 0
        self._second = 0
        self._asked: Counter[str] = Counter()
        """Requests of each client in the present second."""

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """Pass a request on, or answer it with a problem."""
        if scope["type"] != "http" or scope["path"] in OPEN:
            await self._app(scope, receive, send)
            return
        path = _encoded_path(scope)
        refusal = self._find_refusal(scope, path)
        if refusal is not None:
            await _answer(send, *refusal)
            return
        scope = {**scope, "path": path}
        self._n_under_way += 1
        try:
            await self._app(scope, _in_time(receive), send)
        finally:
            self._n_under_way -= 1

    def _find_refusal(self, scope: Message, path: str) -> tuple[int, str] | None:
        """Return the status and the words of what is wrong with a request, or None."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        return (
            _find_fault_in_path(path)
            or _find_fault_in_query(scope["query_string"])
            or self._find_foreign_page(headers, path)
            or _find_fault_in_type(scope["method"], headers)
            or self._find_excess(scope, headers)
        )

    def _find_foreign_page(self, headers: dict[str, str], path: str) -> tuple[int, str] | None:
        """Without keys whoever reaches the service may do everything: pages of other origins may not reach it.

        Of an app with pages not even what needs no answer: browsers say from where a request comes.
        """
        if self._has_pages and path != "/" and headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return 403, "pages of other origins may not ask"
        if self._keys is not None:
            return None
        host = headers.get("host", "")
        if not LOCAL.fullmatch(host):
            return 403, f"without {self._section}.keys_file the service answers to localhost, 127.0.0.1 and [::1] alone"
        origin, allowed = headers.get("origin"), self._cors_origins
        if origin is None or origin in allowed or "*" in allowed:
            return None
        if self._has_pages:
            is_own = origin in (f"http://{host}", f"https://{host}")
            return None if is_own else (403, f"pages of {origin[:200]} may not ask")
        return 403, f"pages of {origin[:200]} may not ask: see serve.cors_origins"

    def _find_excess(self, scope: Message, headers: dict[str, str]) -> tuple[int, str] | None:
        if self._n_under_way >= self._concurrency:
            allowed = f"as many as {self._section}.concurrency allows"
            return 503, f"{self._n_under_way} requests are under way, {allowed}; ask again"
        most = self._requests_per_s
        if not most:
            return None
        if (second := int(time.monotonic())) != self._second:
            self._second = second
            self._asked.clear()
        key = self._keys.find(secret_of(headers.get("authorization", ""))) if self._keys else None
        client = f"key {key.name}" if key else (scope.get("client") or ("",))[0]
        self._asked[client] += 1
        return (429, f"more than {most} requests a second; ask again") if self._asked[client] > most else None


def secret_of(authorization: str) -> str:
    """Return the key that a header `Authorization` brings, or ""."""
    kind, _, secret = authorization.partition(" ")
    return secret.strip() if kind.lower() == "bearer" else ""


def decode_ids(app: App) -> App:
    """Return the app, a middleware of Litestar's, behind which ids in addresses are decoded."""

    async def decoded(scope: Message, *rest: Any) -> None:
        ids = {name: unquote(value) for name, value in scope["path_params"].items()}
        await app({**scope, "path_params": ids} if ids else scope, *rest)

    return decoded


def _encoded_path(scope: Message) -> str:
    """Return the path as it was sent; whatever is no ASCII is encoded in it."""
    raw: bytes | None = scope.get("raw_path")
    return quote(scope["path"]) if raw is None else quote(raw.partition(b"?")[0], IN_ADDRESS)


def _find_fault_in_path(path: str) -> tuple[int, str] | None:
    if "//" in path or (len(path) > 1 and path.endswith("/")):
        return 404, "no address has an empty part; a slash in an id is written as %2F"
    try:
        unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        return 400, "the address is not UTF-8, percent-encoded"
    return (404, "no such address") if path.startswith("/v1/openapi/") else None


def _find_fault_in_query(query: bytes) -> tuple[int, str] | None:
    """Return that what is no UTF-8 means nothing: decoded it would be another id."""
    try:
        unquote_to_bytes(query).decode()
    except UnicodeDecodeError:
        return 400, "the query of the address is not UTF-8, percent-encoded"
    return None


def _in_time(receive: Callable[[], Awaitable[Message]]) -> Callable[[], Awaitable[Message]]:
    """Return what receives a request whose body has to come in time."""
    until_s = asyncio.get_running_loop().time() + BODY_S
    is_whole = False

    async def receive_in_time() -> Message:
        nonlocal is_whole
        if is_whole:  # what comes then is that the client leaves
            return await receive()
        try:
            async with asyncio.timeout_at(until_s):
                message = await receive()
        except TimeoutError as error:
            said = f"the body has not come within {BODY_S:g} s; send it again"
            raise problem(408, said, headers={"Connection": "close"}) from error
        is_whole = not message.get("more_body", False)
        return message

    return receive_in_time


def _find_fault_in_type(method: str, headers: dict[str, str]) -> tuple[int, str] | None:
    if method in ("POST", "PUT") and not JSON.fullmatch(headers.get("content-type", "")):
        return 415, "a body is JSON: say `Content-Type: application/json`"
    return None


async def _answer(send: Callable[[Message], Awaitable[None]], status: int, detail: str) -> None:
    said = {"status": status, "type": "about:blank", "title": name_status(status), "detail": detail}
    body = msgspec.json.encode(said)
    headers = [(b"content-type", PROBLEM), (b"content-length", str(len(body)).encode())]
    if status in (429, 503):
        headers = [*headers, (b"retry-after", b"1")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
