"""What an app needs that speaks HTTP to `stream-rec serve`: ``HttpClient``, and ``AsyncHttpClient`` for asyncio.

Example::

    with HttpClient("http://127.0.0.1:8080") as service:
        service.post_events([Event(event_type="click", event_id="e1", user_id="ann", item_id="teapot-1")])
        made = service.get_recommendations("ann", n=10)

Needs the extra ``http``. What is asked is in ``over_http.calls``, what comes of it in ``over_http.answers``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from functools import wraps
from itertools import count
from typing import Any, Generic, ParamSpec, TypeVar, overload

import httpx

from stream_rec.client.over_http import calls
from stream_rec.client.over_http.answers import HttpProblem, NoAnswer, Outcome, RequestFailed, Retries, read
from stream_rec.client.over_http.calls import EVERYTHING, Call, in_batches
from stream_rec.events.over_http import Event, Filters, Recommendations, Texts

__all__ = ["AsyncHttpClient", "Filters", "HttpClient", "HttpProblem", "NoAnswer", "RequestFailed", "Retries"]

P = ParamSpec("P")
T = TypeVar("T")

TIMEOUT_S = 15.0
"""Longer than the service waits for the broker (`serve.ack_timeout_s`), so that it can say that in vain."""
MOST_EVENTS = 1_000
BODY_BYTES = 1 << 20
"""As `serve.most_events` and `serve.body_bytes` are where nobody has set them."""
RETRIES = Retries()


class Operation(Generic[P, T]):
    """A method of both clients, made of a function that returns what it asks."""

    def __init__(self, make: Callable[P, Call[T]]) -> None:
        self.make = make
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, client: None, owner: object) -> Operation[P, T]: ...
    @overload
    def __get__(self, client: HttpClient, owner: object) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncHttpClient, owner: object) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, client: HttpClient | AsyncHttpClient | None, owner: object) -> Any:
        if client is None:
            return self

        @wraps(self.make)
        def ask(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.send(self.make(*args, **kwargs))

        return ask


class Operations:
    """What both clients can ask, see ``calls``."""

    get_recommendations = Operation(calls.get_recommendations)
    get_popular = Operation(calls.get_popular)
    post_events = Operation(calls.post_events)
    post_rank = Operation(calls.post_rank)
    get_similar = Operation(calls.get_similar)
    get_search = Operation(calls.get_search)
    put_item = Operation(calls.put_item)
    delete_item = Operation(calls.delete_item)
    put_rule = Operation(calls.put_rule)
    delete_rule = Operation(calls.delete_rule)
    put_profile = Operation(calls.put_profile)
    get_profile = Operation(calls.get_profile)
    delete_profile = Operation(calls.delete_profile)
    delete_user = Operation(calls.delete_user)
    get_health = Operation(calls.get_health)
    get_readiness = Operation(calls.get_readiness)

    def __init__(self, url: str, api_key: str, retries: Retries) -> None:
        try:
            is_web = httpx.URL(url).scheme in ("http", "https")
        except httpx.InvalidURL:
            is_web = False
        if not is_web:
            raise ValueError(f"{url!r} is no address of the service: give one as http://127.0.0.1:8080")
        self._url = url.rstrip("/")
        self._retries = retries
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    def _request(self, call: Call[T]) -> dict[str, Any]:
        """Return what httpx is told of a call."""
        kind = {} if call.body is None else {"Content-Type": "application/json"}
        return {
            "method": call.method,
            "url": self._url + call.address,
            "content": call.body,
            "headers": self._headers | kind,
        }


class HttpClient(Operations):
    """Asks `stream-rec serve`; many threads may share one.

    Its methods are the functions of ``stream_rec.client.over_http.calls``, with what those say is asked. Each raises
    ``HttpProblem`` where the service says what is wrong, and ``NoAnswer`` where it does not answer, after as many tries
    as ``retries`` has; ``ValueError`` for what cannot be asked at all.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str = "",
        timeout_s: float = TIMEOUT_S,
        retries: Retries = RETRIES,
        http: httpx.Client | None = None,
    ) -> None:
        """Say where the service is; nothing is asked yet.

        Args:
            url: `http://127.0.0.1:8080`, or what stands before `/v1` behind a proxy.
            api_key: Of the service's `serve.keys_file`.
            timeout_s: For connecting, and between bytes, of each try.
            http: Asks with this, and leaves it open: for authorities, proxies and timeouts of your own.

        Raises:
            ValueError: ``url`` is none.
        """
        super().__init__(url, api_key, retries)
        self._owned = httpx.Client(timeout=timeout_s) if http is None else None
        self._http = self._owned or http

    def send(self, call: Call[T]) -> T:
        """Ask what one of ``calls`` says; raises as all methods do."""
        request = self._request(call)
        for n_tried in count(1):
            outcome = self._try(request)
            pause_s = self._retries.find_pause(call, outcome, n_tried)
            if pause_s is None:
                return read(call, outcome)
            time.sleep(pause_s)
        raise AssertionError

    def send_events(
        self, events: Iterable[Event], *, most_events: int = MOST_EVENTS, body_bytes: int = BODY_BYTES
    ) -> int:
        """Send any number of events, in batches, and return how many were acknowledged.

        Where it raises, batches before the one in question have been taken: send all again freely.
        """
        return sum(self.send(call).n_records for call in in_batches(events, most_events, body_bytes))

    def get_pages(
        self, user_id: str, *, n: int = 20, exclude: Texts = (), filters: Filters = EVERYTHING
    ) -> Iterator[Recommendations]:
        """Yield a user's list page by page, ranked on the spot, until nothing is left: ``n`` items each."""
        cursor: str | None = None
        while True:
            page = self.get_recommendations(
                user_id, n=n, exclude=exclude, filters=filters, cursor=cursor, on_the_spot=True
            )
            yield page
            if (cursor := page.next_cursor) is None:
                return

    def close(self) -> None:
        """Close connections."""
        if self._owned is not None:
            self._owned.close()

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _try(self, request: dict[str, Any]) -> Outcome:
        assert self._http is not None
        try:
            return self._http.request(**request)
        except httpx.RequestError as error:
            return error


class AsyncHttpClient(Operations):
    """As ``HttpClient``, for asyncio: each method is awaited, ``get_pages`` is read by ``async for``."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str = "",
        timeout_s: float = TIMEOUT_S,
        retries: Retries = RETRIES,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        """As of ``HttpClient``."""
        super().__init__(url, api_key, retries)
        self._owned = httpx.AsyncClient(timeout=timeout_s) if http is None else None
        self._http = self._owned or http

    async def send(self, call: Call[T]) -> T:
        """Ask what one of ``calls`` says; raises as all methods do."""
        request = self._request(call)
        for n_tried in count(1):
            outcome = await self._try(request)
            pause_s = self._retries.find_pause(call, outcome, n_tried)
            if pause_s is None:
                return read(call, outcome)
            await asyncio.sleep(pause_s)
        raise AssertionError

    async def send_events(
        self, events: Iterable[Event], *, most_events: int = MOST_EVENTS, body_bytes: int = BODY_BYTES
    ) -> int:
        """As of ``HttpClient``."""
        n_records = 0
        for call in in_batches(events, most_events, body_bytes):
            n_records += (await self.send(call)).n_records
        return n_records

    async def get_pages(
        self, user_id: str, *, n: int = 20, exclude: Texts = (), filters: Filters = EVERYTHING
    ) -> AsyncIterator[Recommendations]:
        """As of ``HttpClient``."""
        cursor: str | None = None
        while True:
            page = await self.get_recommendations(
                user_id, n=n, exclude=exclude, filters=filters, cursor=cursor, on_the_spot=True
            )
            yield page
            if (cursor := page.next_cursor) is None:
                return

    async def close(self) -> None:
        """Close connections."""
        if self._owned is not None:
            await self._owned.aclose()

    async def __aenter__(self) -> AsyncHttpClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _try(self, request: dict[str, Any]) -> Outcome:
        assert self._http is not None
        try:
            return await self._http.request(**request)
        except httpx.RequestError as error:
            return error
