"""The dashboard as an ASGI app: its page, what the page asks, and a stream of live figures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any, Protocol

import msgspec
from litestar import Litestar, Request, Response, delete, get, post, put
from litestar.params import JSONBody, PathParameter, QueryParameter
from litestar.plugins.problem_details import ProblemDetailsPlugin
from litestar.plugins.prometheus import PrometheusController
from litestar.response import Stream
from litestar.status_codes import HTTP_200_OK, HTTP_202_ACCEPTED
from msgspec import Struct

from stream_rec import __version__
from stream_rec.config import Settings
from stream_rec.dashboard.items import ItemPage, show_item
from stream_rec.dashboard.live import Live, TooManyListeners
from stream_rec.dashboard.pages import INDEX, PageFile, read_pages
from stream_rec.dashboard.rule_log import RuleChange
from stream_rec.dashboard.rule_states import Preview, RuleStates, list_rules, preview_rule
from stream_rec.dashboard.search import Found, search_items
from stream_rec.dashboard.shown_lists import Lists
from stream_rec.dashboard.users import Imagined, User, WhatIf, imagine, show_user
from stream_rec.events import validate
from stream_rec.events.over_http import Accepted, Position, State
from stream_rec.events.rule import Rule
from stream_rec.serving.gate import Gate, decode_ids, secret_of
from stream_rec.serving.guard import require_scope
from stream_rec.serving.http_process import HttpProcess
from stream_rec.serving.keys import ApiKeys
from stream_rec.serving.on_the_spot import OnTheSpot
from stream_rec.serving.problems import PROBLEMS, accept, problem, refuse_unknown
from stream_rec.serving.process_metrics import describe_process
from stream_rec.serving.request_counts import counting
from stream_rec.serving.writer import Record

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy: nothing but what this service itself sends, and no frame around it."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
MOST_FOUND = 50
MOST_USERS = 12
BODY_BYTES = 1 << 20
LIST_N = 20

Id = Annotated[str, PathParameter(description="percent-encoded, a slash as %2F")]


class Writes(Protocol):
    """What the dashboard needs of a writer."""

    async def write(self, records: list[Record]) -> list[Position]: ...


class Changes(Protocol):
    """What the dashboard needs of what became of rules."""

    def newest(self, n: int) -> list[RuleChange]:
        """Return the newest, the last first."""


class FoundUsers(Struct, frozen=True):
    """Ids of users, of those whose lists are kept."""

    user_ids: list[str]
    n_kept: int
    n_most: int


class RulesPage(Struct, frozen=True):
    """All rules, and what became of them lately."""

    states: RuleStates
    changes: list[RuleChange]


class About(Struct, frozen=True):
    """What a page must know before all else."""

    version: str
    needs_key: bool
    may_write: bool
    """Whether the key of this request may put rules."""
    kept_lists: int
    context_keys: str


def build_app(
    replica: OnTheSpot,
    lists: Lists,
    changes: Changes,
    live: Live,
    writer: Writes,
    keys: ApiKeys | None,
    settings: Settings,
    process: HttpProcess | None = None,
) -> Gate:
    """Return the app; its clock is started and stopped with it.

    Args:
        replica: What lists are ranked from.
        lists: Those that are published.
        changes: Of rules.
        keys: None: nobody is asked who they are.
        process: Opens and closes what is given, with the app; None: all is open.
    """
    chosen, limits = settings.dashboard, settings.limits
    files = read_pages()
    reading, writing = [require_scope(keys, "read")], [require_scope(keys, "admin")]

    def find_why_not_ready() -> str:
        return (process.find_why_not_open() if process is not None else "") or replica.find_why_not_ready()

    if process is not None:
        process.watch(find_why_not_ready)
    describe_process("dashboard", chosen.instance_id, find_why_not_ready)

    @get("/", sync_to_thread=False)
    def get_page(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Return the page; anybody may have it, for it says nothing of the pipeline."""
        return _answer_file(files[INDEX], request.headers.get("if-none-match", ""))

    @get("/static/{name:path}", sync_to_thread=False)
    def get_file(request: Request[Any, Any, Any], name: Annotated[str, PathParameter()]) -> Response[bytes]:
        """Return another of its files."""
        return _answer_file(files.get(name.removeprefix("/")), request.headers.get("if-none-match", ""))

    @get("/dashboard/api/about", sync_to_thread=False)
    def get_about(request: Request[Any, Any, Any]) -> About:
        """Return what this is, and what who asks may do."""
        key = keys.find(secret_of(request.headers.get("authorization", ""))) if keys is not None else None
        may_write = keys is None or (key is not None and "admin" in key.scopes)
        return About(__version__, keys is not None, may_write, chosen.kept_lists, settings.user.context_keys)

    @get("/dashboard/api/live", guards=reading)
    async def get_live() -> Stream:
        """Return live figures once a second, as server-sent events, for as long as the page listens."""
        try:
            return Stream(live.listen(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        except TooManyListeners as error:
            raise problem(503, str(error), headers={"Retry-After": "5"}) from error

    @get("/dashboard/api/users", guards=reading, sync_to_thread=False)
    def get_users(prefix: Annotated[str, QueryParameter(max_length=256)] = "") -> FoundUsers:
        """Return users whose ids begin so, those whose list changed last first."""
        return FoundUsers(lists.find_users(prefix, MOST_USERS), len(lists), chosen.kept_lists)

    @get("/dashboard/api/users/{user_id:str}", guards=reading)
    async def get_user(user_id: Id) -> User:
        """Return what is known of a user."""
        accept(validate.check_user_id(user_id, limits))
        made, before = lists.find(user_id), lists.find_before(user_id)
        n = len(made.items) if made is not None and made.items else LIST_N
        user = await replica.ask("user", lambda ranker: show_user(ranker, user_id, made, before, n))
        if user is None:
            raise problem(404, f"nothing is known of a user {user_id[:256]!r}: no event, no profile, no list")
        return user

    @post("/dashboard/api/users/{user_id:str}/what-if", guards=reading, status_code=HTTP_200_OK)
    async def post_what_if(user_id: Id, data: JSONBody[WhatIf]) -> Imagined:
        """Return what would change in a user's list. Nothing is kept of it, and nobody's list changes."""
        accept(validate.check_user_id(user_id, limits))
        if data.query is not None:
            accept(validate.check_query(data.query))
        if data.rule is not None:
            _check_rule(data.rule)
        imagined = await replica.ask("what-if", lambda ranker: imagine(ranker, user_id, data))
        if imagined is None:
            raise problem(404, f"there is no item {(data.item_id or '')[:256]!r}")
        return imagined

    @get("/dashboard/api/items/{item_id:str}", guards=reading)
    async def get_item(item_id: Id) -> ItemPage:
        """Return all that is known of an item."""
        accept(validate.check_id("item_id", item_id, limits))
        shown, n_kept = lists.count_shown(item_id, MOST_USERS), len(lists)
        page = await replica.ask("item", lambda ranker: show_item(ranker.catalog, item_id, shown, n_kept))
        if page is None:
            raise problem(404, f"nobody has heard of an item {item_id[:256]!r}")
        return page

    @get("/dashboard/api/search", guards=reading)
    async def get_search(
        q: Annotated[str, QueryParameter()], n: Annotated[int, QueryParameter(ge=1, le=MOST_FOUND)] = 20
    ) -> Found:
        """Return items by words and meaning, and the one whose id this is."""
        accept(validate.check_query(q))
        return await replica.ask("search", lambda ranker: search_items(ranker, q, n))

    @get("/dashboard/api/rules", guards=reading)
    async def get_rules() -> RulesPage:
        """Return all rules, and what became of them lately."""
        states = await replica.ask("rules", lambda ranker: list_rules(ranker.catalog))
        return RulesPage(states, changes.newest(100))

    @post("/dashboard/api/rules/check", guards=reading, status_code=HTTP_200_OK)
    async def post_check(request: Request[Any, Any, Any], data: JSONBody[Rule]) -> Preview:
        """Return what a rule would be about, or what is wrong with it."""
        refuse_unknown(await request.json(), Rule)
        _check_rule(data)
        return await replica.ask("rules", lambda ranker: preview_rule(ranker.catalog, data))

    @put("/dashboard/api/rules/{rule_id:str}", guards=writing, status_code=HTTP_202_ACCEPTED)
    async def put_rule(rule_id: Id, data: JSONBody[Rule]) -> Accepted:
        """Put a rule in force, or replace it."""
        key, value = rule_id.encode(), msgspec.json.encode(data)
        accept(validate.rule(key, value, limits=limits))
        return Accepted(1, await writer.write([Record("rules", key, value)]))

    @delete("/dashboard/api/rules/{rule_id:str}", guards=writing, status_code=HTTP_202_ACCEPTED)
    async def delete_rule(rule_id: Id) -> Accepted:
        """Take a rule out of force."""
        key = rule_id.encode()
        accept(validate.id_in_key(key, limits=limits))
        return Accepted(1, await writer.write([Record("rules", key, None)]))

    @get("/healthz", sync_to_thread=False)
    def get_health() -> State:
        """Return that the process lives."""
        return State("ok")

    @get("/readyz", sync_to_thread=False)
    def get_readiness() -> Response[State]:
        """Return 200 when all is read, else 503 and why."""
        why = find_why_not_ready()
        return Response(State("not ready", why) if why else State("ok"), status_code=503 if why else 200)

    def _check_rule(rule: Rule) -> None:
        accept(validate.rule(rule.rule_id.encode(), msgspec.json.encode(rule), limits=limits))

    @asynccontextmanager
    async def running(_: Litestar) -> AsyncIterator[None]:
        ticking = asyncio.create_task(live.run())
        try:
            yield
        finally:
            ticking.cancel()
            with suppress(asyncio.CancelledError):
                await ticking

    app = Litestar(
        [
            *(get_page, get_file, get_about, get_live, get_users, get_user, post_what_if, get_item, get_search),
            *(get_rules, post_check, put_rule, delete_rule, get_health, get_readiness, PrometheusController),
        ],
        lifespan=[running] if process is None else [running, process.lifespan],
        middleware=[counting().middleware, decode_ids],
        openapi_config=None,
        plugins=[ProblemDetailsPlugin(PROBLEMS)],
        request_max_body_size=BODY_BYTES,
        logging_config=None,
    )
    return Gate(
        with_headers(app),
        keys,
        section="dashboard",
        concurrency=chosen.concurrency,
        requests_per_s=chosen.requests_per_s,
        has_pages=True,
    )


def with_headers(app: Callable[..., Any]) -> Callable[..., Any]:
    """Return the app with what every answer tells the browser."""
    headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        async def send_with(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                has_cache = any(name.lower() == b"cache-control" for name, _ in message.get("headers", []))
                more = headers if has_cache else [*headers, (b"cache-control", b"no-store")]
                message = {**message, "headers": [*message.get("headers", []), *more]}
            await send(message)

        await app(scope, receive, send_with if scope["type"] == "http" else send)

    return answer


def _answer_file(file: PageFile | None, known_etag: str) -> Response[bytes]:
    if file is None:
        raise problem(404, "the page has no such file")
    headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
    if known_etag == file.etag:
        return Response(b"", status_code=304, headers=headers, media_type=file.media_type)
    return Response(file.body, headers=headers, media_type=file.media_type)
