"""The service as an ASGI app: what each address answers, who may ask, and what is said when something is wrong.

Errors are problem details (RFC 9457). The OpenAPI 3.1 document at ``/v1/openapi.json`` follows from the types.
"""

from __future__ import annotations

import http
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeAlias

import msgspec
from litestar import Litestar, Request, Response, delete, get, post, put
from litestar.config.cors import CORSConfig
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.params import FromPath, JSONBody, Parameter
from litestar.plugins.problem_details import (
    ProblemDetailsConfig,
    ProblemDetailsException,
    ProblemDetailsPlugin,
)
from litestar.plugins.prometheus import PrometheusConfig, PrometheusController
from litestar.status_codes import HTTP_202_ACCEPTED
from msgspec import Struct
from prometheus_client import Gauge

from stream_rec import __version__
from stream_rec.config import Settings
from stream_rec.errors import BrokerUnavailable, StreamRecError
from stream_rec.events import validate
from stream_rec.events.forget import Forget
from stream_rec.events.interaction import Interaction
from stream_rec.events.item import Item
from stream_rec.events.rule import Rule
from stream_rec.events.search import Search
from stream_rec.events.slate import DEFAULT_LIST, Slate
from stream_rec.events.source import SOURCE_OF_LABEL, SOURCE_OF_TOPIC, Source
from stream_rec.events.validate import Rejection
from stream_rec.serving.gate import OPEN, Gate, secret_of
from stream_rec.serving.keys import ApiKeys, Scope
from stream_rec.serving.lists import Lists
from stream_rec.serving.messages import Accepted, ErasureAccepted, Event, Recommendations, State
from stream_rec.serving.writer import Record, Writer

log = logging.getLogger(__name__)

N_LISTS = Gauge("stream_rec_lists", "Users who have a list of their own")

IdInPath: TypeAlias = FromPath[str]
"""1 to 256 bytes of UTF-8, percent-encoded; without a slash, which ends a part of an address."""
N = Annotated[int, Parameter(ge=1, le=200, description="most items")]
Excluded = Annotated[list[str] | None, Parameter(description="ids of items to leave out; may be repeated")]


def build_app(lists: Lists, writer: Writer, keys: ApiKeys | None, settings: Settings) -> Gate:
    """Return the app; its writer is started and stopped with it.

    Args:
        keys: None: nobody is asked who they are.
    """
    serve, limits = settings.serve, settings.limits
    N_LISTS.set_function(lambda: len(lists))

    def needs(scope: Scope) -> Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], None]:
        def check(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
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

    async def write(record: Record, checked: object) -> Accepted:
        """Write a record that is as good as ``checked`` says."""
        _accept(checked)
        await writer.write([record])
        return Accepted(1)

    @get("/v1/users/{user_id:str}/recommendations", guards=[needs("read")], summary="A user's list")
    async def get_recommendations(user_id: IdInPath, n: N = 200, exclude: Excluded = None) -> Recommendations:
        """Return the user's own list, or the default list where they have none of their own, less what is gone."""
        _accept(validate.check_user_id(user_id, limits))
        own = lists.own(user_id)
        is_default = own is None or not own.items
        slate = lists.own(DEFAULT_LIST) if is_default else own
        return _recommendations(user_id, slate, is_default, n, exclude or (), lists)

    @get("/v1/popular", guards=[needs("read")], summary="The list for users without one of their own")
    async def get_popular(n: N = 200, exclude: Excluded = None) -> Recommendations:
        """Return the default list."""
        return _recommendations(DEFAULT_LIST, lists.own(DEFAULT_LIST), True, n, exclude or (), lists)

    @post("/v1/events", status_code=HTTP_202_ACCEPTED, guards=[needs("write")], summary="What users did")
    async def post_events(data: JSONBody[Event | list[Event]]) -> Accepted:
        """Take one event or several: all of them, once the broker has acknowledged them, or none."""
        events = data if isinstance(data, list) else [data]
        if not 1 <= len(events) <= serve.most_events:
            raise _unprocessable("too_large", f"{len(events)} events; 1 to {serve.most_events} are taken at once")
        now_ms = time.time_ns() // 1_000_000
        records = [_record_of(event, number, now_ms) for number, event in enumerate(events)]
        for number, (topic, key, value) in enumerate(records):
            source = SOURCE_OF_TOPIC[topic]
            _accept(validate.event(source, key, value, received_ms=now_ms, limits=limits), number)
        await writer.write(records)
        return Accepted(len(records))

    @delete("/v1/users/{user_id:str}", status_code=HTTP_202_ACCEPTED, guards=[needs("admin")], summary="Forget a user")
    async def delete_user(user_id: IdInPath) -> ErasureAccepted:
        """Have everything deleted that is known of a user."""
        _accept(validate.check_user_id(user_id, limits))
        request = Forget(user_id, time.time_ns() // 1_000_000, uuid.uuid4().hex)
        await writer.write([Record("forget", user_id.encode(), msgspec.json.encode(request))])
        return ErasureAccepted(request.request_id)

    @put("/v1/items/{item_id:str}", status_code=HTTP_202_ACCEPTED, guards=[needs("admin")], summary="Put an item")
    async def put_item(request: Request[Any, Any, Any], item_id: IdInPath, data: JSONBody[Item]) -> Accepted:
        """Add an item to the catalog, or replace it."""
        _refuse_unknown(await request.json(), Item)
        key, value = item_id.encode(), msgspec.json.encode(data)
        return await write(Record("items", key, value), validate.item(key, value, limits=limits))

    @delete("/v1/items/{item_id:str}", status_code=HTTP_202_ACCEPTED, guards=[needs("admin")], summary="Delete an item")
    async def delete_item(item_id: IdInPath) -> Accepted:
        """Take an item out of the catalog."""
        key = item_id.encode()
        return await write(Record("items", key, None), validate.id_in_key(key, limits=limits))

    @put(
        "/v1/rules/{rule_id:str}", status_code=HTTP_202_ACCEPTED, guards=[needs("admin")], summary="Put a rule in force"
    )
    async def put_rule(rule_id: IdInPath, data: JSONBody[Rule]) -> Accepted:
        """Put a rule of the owner's in force, or replace it."""
        key, value = rule_id.encode(), msgspec.json.encode(data)
        return await write(Record("rules", key, value), validate.rule(key, value, limits=limits))

    @delete("/v1/rules/{rule_id:str}", status_code=HTTP_202_ACCEPTED, guards=[needs("admin")], summary="End a rule")
    async def delete_rule(rule_id: IdInPath) -> Accepted:
        """Take a rule out of force."""
        key = rule_id.encode()
        return await write(Record("rules", key, None), validate.id_in_key(key, limits=limits))

    @get("/v1/openapi.json", include_in_schema=False, sync_to_thread=False)
    def get_contract(request: Request[Any, Any, Any]) -> dict[str, Any]:
        """Return what this is generated from, for clients."""
        return request.app.openapi_schema.to_schema()

    @get("/healthz", summary="Whether the process lives", sync_to_thread=False)
    def get_health() -> State:
        """Return that it does."""
        return State("ok")

    @get("/readyz", summary="Whether lists can be read", sync_to_thread=False)
    def get_readiness() -> Response[State]:
        """Return 200 when all lists are there, else 503 and why."""
        why = lists.find_why_not_ready()
        return Response(State("not ready", why) if why else State("ok"), status_code=503 if why else 200)

    @asynccontextmanager
    async def writing(_: Litestar) -> AsyncIterator[None]:
        await writer.start()
        try:
            yield
        finally:
            await writer.stop()

    prometheus = PrometheusConfig(
        app_name="stream_rec", prefix="stream_rec", group_path=True, exclude=[f"^{path}$" for path in OPEN]
    )
    problems = ProblemDetailsConfig(
        exception_to_problem_detail_map={
            HTTPException: _problem_of,
            BrokerUnavailable: lambda error: _problem(503, str(error), headers={"Retry-After": "1"}),
            StreamRecError: lambda error: _problem(503, str(error)),
            RecursionError: lambda error: _problem(400, "the body is nested too deep"),
            Exception: _problem_of_ours,
        }
    )
    app = Litestar(
        [
            *(get_recommendations, get_popular, post_events, delete_user, put_item, delete_item, put_rule, delete_rule),
            *(get_contract, get_health, get_readiness, PrometheusController),
        ],
        lifespan=[writing],
        middleware=[prometheus.middleware],
        cors_config=CORSConfig(allow_origins=list(serve.cors_origins)) if serve.cors_origins else None,
        openapi_config=OpenAPIConfig(
            title="stream-rec",
            version=__version__,
            description="Lists out, events in.",
            path="/v1/openapi",
            components=Components(security_schemes={"key": SecurityScheme(type="http", scheme="bearer")}),
            security=[{"key": []}],
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
            use_handler_docstrings=True,
        ),
        plugins=[ProblemDetailsPlugin(problems)],
        request_max_body_size=serve.body_bytes,
        logging_config=None,
    )
    return Gate(app, keys, serve)


def _recommendations(
    user_id: str, slate: Slate | None, is_default: bool, n: int, exclude: Sequence[str], lists: Lists
) -> Recommendations:
    if slate is None:
        why = lists.find_why_not_ready() or "no worker has published a list yet: does one run, and are there items?"
        raise _problem(503, why)
    items = [item for item in slate.items if item.item_id not in exclude][:n]
    return Recommendations(user_id, slate.list_id, is_default, slate.generated_at_ms, slate.policy, items)


def _record_of(event: Event, number: int, now_ms: int) -> Record:
    """Return the record of an event; one without a time is of now."""
    time_ms = now_ms if event.timestamp_ms is None else event.timestamp_ms
    source = SOURCE_OF_LABEL[event.event_type]
    sent: Interaction | Search
    if source == Source.SEARCH:
        if event.query is None or event.value is not None:
            raise _unprocessable("bad_query", f"event {number}: a search needs a `query`, and has no `value`")
        sent = Search(event.event_id, event.user_id, event.query, time_ms, event.item_id, event.context)
    else:
        if event.item_id is None or event.query is not None:
            what = f"a {event.event_type} needs an `item_id`, and has no `query`"
            raise _unprocessable("wrong_type", f"event {number}: {what}")
        sent = Interaction(event.event_id, event.user_id, event.item_id, time_ms, event.value, event.context)
    return Record(source.topic, event.user_id.encode(), msgspec.json.encode(sent))


def _accept(checked: object, number: int | None = None) -> None:
    """Raise what says why a record would be rejected, if it would."""
    if isinstance(checked, Rejection):
        where = "" if number is None else f"event {number}: "
        raise _unprocessable(checked.reason, f"{where}{checked.detail}")


def _refuse_unknown(body: Any, struct: type[Struct]) -> None:
    """Raise what says which fields of a body nothing reads: on the topic they are left out without a word."""
    unknown = sorted(set(body) - {field.name for field in msgspec.structs.fields(struct)})
    if unknown:
        raise _problem(400, f"no such field: {', '.join(map(repr, unknown))[:500]}")


def _unprocessable(reason: str, detail: str) -> ProblemDetailsException:
    return _problem(422, detail, extra={"reason": reason})


def _problem(status: int, detail: str, **more: Any) -> ProblemDetailsException:
    title = http.HTTPStatus(status).phrase
    return ProblemDetailsException(status_code=status, type_="about:blank", title=title, detail=detail, **more)


def _problem_of_ours(error: Exception) -> ProblemDetailsException:
    """Return that a fault of this program's is in its log."""
    log.exception("request_failed", exc_info=error)
    return _problem(500, "a fault in this program; its log says more")


def _problem_of(error: Exception) -> ProblemDetailsException:
    """Return what an error of the framework's own says, with the place of what is wrong in a body."""
    assert isinstance(error, HTTPException)
    cause = error.__cause__
    detail = str(cause).replace("`$.data", "`$") if isinstance(cause, msgspec.ValidationError) else error.detail
    return _problem(error.status_code, detail, headers=error.headers)
