"""The service as an ASGI app: what each address answers, who may ask, and what is said when something is wrong.

Errors are problem details (RFC 9457). The OpenAPI 3.1 document at ``/v1/openapi.json`` follows from the types.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Set
from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import Litestar, Request, Response, delete, get, post, put
from litestar.config.cors import CORSConfig
from litestar.di import NamedDependency
from litestar.openapi import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.params import JSONBody, QueryParameter
from litestar.plugins.problem_details import ProblemDetailsPlugin
from litestar.plugins.prometheus import PrometheusController
from litestar.status_codes import HTTP_202_ACCEPTED
from prometheus_client import Gauge

from stream_rec import __version__
from stream_rec.catalog.facets import EVERYTHING, Filter
from stream_rec.config import Settings
from stream_rec.events import validate
from stream_rec.events.forget import Forget
from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import Interaction
from stream_rec.events.item import Item
from stream_rec.events.over_http import (
    Accepted,
    ErasureAccepted,
    Event,
    Recommendations,
    State,
    find_fault,
)
from stream_rec.events.rule import MOST_SLOTS, Rule
from stream_rec.events.search import Search
from stream_rec.events.slate import DEFAULT_LIST, Slate
from stream_rec.events.source import SOURCE_OF_LABEL, SOURCE_OF_TOPIC, Source, UserEvent
from stream_rec.retrieval.had import WHATEVER, HistoryFilter
from stream_rec.serving.contract import contract_of
from stream_rec.serving.gate import Gate, decode_ids
from stream_rec.serving.guard import require_scope
from stream_rec.serving.http_process import HttpProcess
from stream_rec.serving.keys import ApiKeys, Scope
from stream_rec.serving.lists import Lists
from stream_rec.serving.on_the_spot import OnTheSpot
from stream_rec.serving.problems import (
    PROBLEMS,
    READING,
    accept,
    problem,
    problems_of,
    refuse_unknown,
    unprocessable,
)
from stream_rec.serving.process_metrics import describe_process
from stream_rec.serving.profiles import profile_routes
from stream_rec.serving.questions import (
    FILTERED_BY_USER,
    About,
    Age,
    Contexts,
    Cursor,
    Excluded,
    IdInPath,
    MaybeDiversity,
    MaybeN,
    MinScore,
    N,
    SurfaceName,
    read_context,
    read_excluded,
    read_surface,
    want,
    want_surface,
)
from stream_rec.serving.ranked import ranked_routes, recommend
from stream_rec.serving.request_counts import counting
from stream_rec.serving.writer import Record, Writer
from stream_rec.surface_settings import BUILT_IN, HOME

N_USERS = Gauge("stream_rec_users", "Users who have a list of their own")

FAULTY = {Source.SEARCH: "bad_query", Source.IMPRESSION: "bad_impression"}
"""What a wrong event is called where it lacks a field, or has one too many; others are of a `wrong_type`."""

OnTheSpotToo = Annotated[bool, QueryParameter(description="rank it now, even where the list on its topic would do")]


def build_app(
    lists: Lists,
    writer: Writer,
    keys: ApiKeys | None,
    settings: Settings,
    replica: OnTheSpot | None = None,
    process: HttpProcess | None = None,
) -> Gate:
    """Return the app.

    Args:
        keys: None: nobody is asked who they are.
        replica: What is ranked from on the spot; None: nothing is.
        process: Opens and closes what is given, with the app; None: all is open.
    """
    serve, limits = settings.serve, settings.limits

    def find_why_no_list() -> str:
        return (process.find_why_not_open() if process is not None else "") or lists.find_why_not_ready()

    def find_why_not_ready() -> str:
        return find_why_no_list() or (replica.find_why_not_ready() if replica is not None else "")

    if process is not None:
        process.watch(find_why_not_ready)
    N_USERS.set_function(lambda: len(lists))
    describe_process("serve", serve.instance_id, find_why_not_ready)

    needs = partial(require_scope, keys)

    def accepting(scope: Scope) -> dict[str, Any]:
        """Return what handlers that write have in common."""
        return {
            "status_code": HTTP_202_ACCEPTED,
            "guards": [needs(scope)],
            "responses": problems_of(*READING, 413, 415),
        }

    async def write(record: Record, checked: object) -> Accepted:
        """Write a record that is as good as ``checked`` says."""
        accept(checked)
        return Accepted(1, await writer.write([record]))

    @get(
        "/v1/users/{user_id:str}/recommendations",
        guards=[needs("read")],
        dependencies=FILTERED_BY_USER,
        responses=problems_of(*READING, 501),
        summary="A user's list",
    )
    async def get_recommendations(
        user_id: IdInPath,
        wanted: NamedDependency[Filter],
        history: NamedDependency[HistoryFilter],
        n: MaybeN = None,
        exclude: Excluded = None,
        cursor: Cursor = None,
        contexts: Contexts = None,
        on_the_spot: OnTheSpotToo = False,
        surface: SurfaceName = HOME,
        item_ids: About = None,
        age: Age = None,
        min_score: MinScore = 0.0,
        diversity: MaybeDiversity = None,
    ) -> Recommendations:
        """Return the user's own list, or the default list where they have none of their own, less what is gone.

        With a filter, a cursor, a context, an age, a least score, a diversity or another surface than `home` it is
        ranked on the spot, of what is wanted.
        """
        accept(validate.check_user_id(user_id, limits))
        chosen = read_surface(settings.surfaces, surface, item_ids, limits)
        is_ranked = on_the_spot or cursor is not None or age is not None or contexts is not None
        is_ranked = is_ranked or diversity is not None
        is_filtered = wanted != EVERYTHING or history != WHATEVER or min_score > 0
        if chosen == BUILT_IN[HOME] and not is_filtered and not is_ranked:
            own = lists.own(user_id)
            is_default = own is None or not own.items
            slate = lists.own(DEFAULT_LIST) if is_default else own
            return _recommendations(
                user_id, slate, is_default, n or MOST_SLOTS, read_excluded(exclude), find_why_no_list
            )
        asked = want(n or chosen.n or settings.ranking.n, wanted, exclude, cursor, age, history, min_score, diversity)
        question = want_surface(asked, surface, chosen, item_ids)
        return await recommend(replica, user_id, question, read_context(contexts))

    @get("/v1/popular", guards=[needs("read")], responses=problems_of(*READING), summary="The list for everybody else")
    async def get_popular(n: N = 200, exclude: Excluded = None) -> Recommendations:
        """Return the default list."""
        slate = lists.own(DEFAULT_LIST)
        return _recommendations(DEFAULT_LIST, slate, True, n, read_excluded(exclude), find_why_no_list)

    @post("/v1/events", **accepting("write"), summary="What users did")
    async def post_events(data: JSONBody[Event | list[Event]]) -> Accepted:
        """Take one event or several: all of them, once the broker has acknowledged them, or none."""
        events = data if isinstance(data, list) else [data]
        if not 1 <= len(events) <= serve.most_events:
            raise unprocessable("too_large", f"{len(events)} events; 1 to {serve.most_events} are taken at once")
        now_ms = time.time_ns() // 1_000_000
        records = [_record_of(event, number, now_ms) for number, event in enumerate(events)]
        for number, (topic, key, value) in enumerate(records):
            source = SOURCE_OF_TOPIC[topic]
            accept(validate.event(source, key, value, received_ms=now_ms, limits=limits), number)
        return Accepted(len(records), await writer.write(records))

    @delete("/v1/users/{user_id:str}", **accepting("admin"), summary="Forget a user")
    async def delete_user(user_id: IdInPath) -> ErasureAccepted:
        """Have everything deleted that is known of a user."""
        accept(validate.check_user_id(user_id, limits))
        request = Forget(user_id, time.time_ns() // 1_000_000, uuid.uuid4().hex)
        await writer.write([Record("forget", user_id.encode(), msgspec.json.encode(request))])
        return ErasureAccepted(request.request_id)

    @put("/v1/items/{item_id:str}", **accepting("admin"), summary="Put an item")
    async def put_item(request: Request[Any, Any, Any], item_id: IdInPath, data: JSONBody[Item]) -> Accepted:
        """Add an item to the catalog, or replace it."""
        refuse_unknown(await request.json(), Item)
        key, value = item_id.encode(), msgspec.json.encode(data)
        return await write(Record("items", key, value), validate.item(key, value, limits=limits))

    @delete("/v1/items/{item_id:str}", **accepting("admin"), summary="Delete an item")
    async def delete_item(item_id: IdInPath) -> Accepted:
        """Take an item out of the catalog."""
        key = item_id.encode()
        return await write(Record("items", key, None), validate.id_in_key(key, limits=limits))

    @put("/v1/rules/{rule_id:str}", **accepting("admin"), summary="Put a rule in force")
    async def put_rule(rule_id: IdInPath, data: JSONBody[Rule]) -> Accepted:
        """Put a rule of the owner's in force, or replace it."""
        key, value = rule_id.encode(), msgspec.json.encode(data)
        return await write(Record("rules", key, value), validate.rule(key, value, limits=limits))

    @delete("/v1/rules/{rule_id:str}", **accepting("admin"), summary="End a rule")
    async def delete_rule(rule_id: IdInPath) -> Accepted:
        """Take a rule out of force."""
        key = rule_id.encode()
        return await write(Record("rules", key, None), validate.id_in_key(key, limits=limits))

    @get("/v1/openapi.json", include_in_schema=False, sync_to_thread=False)
    def get_contract(request: Request[Any, Any, Any]) -> dict[str, Any]:
        """Return what this is generated from, for clients."""
        return contract_of(request.app)

    @get("/healthz", summary="Whether the process lives", sync_to_thread=False)
    def get_health() -> State:
        """Return that it does."""
        return State("ok")

    @get(
        "/readyz",
        responses={503: ResponseSpec(State, generate_examples=False, description="Not ready")},
        summary="Whether lists can be read",
        sync_to_thread=False,
    )
    def get_readiness() -> Response[State]:
        """Return 200 when all lists are there, and all that is ranked from, else 503 and why."""
        why = find_why_not_ready()
        return Response(State("not ready", why) if why else State("ok"), status_code=503 if why else 200)

    app = Litestar(
        [
            *(get_recommendations, get_popular, post_events, delete_user, put_item, delete_item, put_rule, delete_rule),
            *profile_routes(replica, write, limits, reading=needs("read"), writing=accepting("write")),
            *ranked_routes(replica, limits, needs("read")),
            *(get_contract, get_health, get_readiness, PrometheusController),
        ],
        lifespan=[] if process is None else [process.lifespan],
        middleware=[counting().middleware, decode_ids],
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
            operation_id_creator=lambda handler, method, path: handler.handler_name,
        ),
        plugins=[ProblemDetailsPlugin(PROBLEMS)],
        request_max_body_size=serve.body_bytes,
        logging_config=None,
    )
    return Gate(
        app,
        keys,
        section="serve",
        concurrency=serve.concurrency,
        requests_per_s=serve.requests_per_s,
        cors_origins=serve.cors_origins,
    )


def _recommendations(
    user_id: str, slate: Slate | None, is_default: bool, n: int, exclude: Set[str], find_why: Callable[[], str]
) -> Recommendations:
    if slate is None:
        why = find_why() or "no worker has published a list yet: does one run, and are there items?"
        raise problem(503, why)
    items = [item for item in slate.items if item.item_id not in exclude][:n]
    return Recommendations(
        *(user_id, slate.list_id, is_default, slate.generated_at_ms, slate.policy, items), seen=slate.seen
    )


def _record_of(event: Event, number: int, now_ms: int) -> Record:
    """Return the record of an event; one without a time is of now."""
    time_ms = now_ms if event.timestamp_ms is None else event.timestamp_ms
    source = SOURCE_OF_LABEL[event.event_type]
    if (fault := find_fault(event)) is not None:
        raise unprocessable(FAULTY.get(source, "wrong_type"), f"event {number}: {fault}")
    sent: UserEvent
    if source == Source.IMPRESSION:
        shown: list[ShownItem] = [*event.items]
        sent = Impression(event.event_id, event.user_id, event.list_id or "", shown, time_ms, event.surface)
    elif source == Source.SEARCH:
        sent = Search(event.event_id, event.user_id, event.query or "", time_ms, event.item_id, event.context)
    else:
        item_id = event.item_id or ""
        sent = Interaction(event.event_id, event.user_id, item_id, time_ms, event.value, event.context)
    return Record(source.topic, event.user_id.encode(), msgspec.json.encode(sent))
