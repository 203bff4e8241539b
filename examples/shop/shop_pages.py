"""The shop's web pages: one page, and the addresses that it asks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from litestar import Litestar, Request, Response, delete, get, post, put
from litestar.datastructures import State
from litestar.exceptions import ValidationException
from litestar.params import Parameter
from litestar.static_files import create_static_files_router
from shop import Done, Shelf, Shop

from stream_rec.client.http import AsyncHttpClient, HttpProblem, RequestFailed
from stream_rec.events.item import Item
from stream_rec.events.rule import Rule

PAGE = Path(__file__).parent / "page"
Person = Annotated[str, Parameter(min_length=1, max_length=100)]


@get("/api/categories", sync_to_thread=False)
def list_categories(state: State) -> list[str]:
    """Return what the catalog is sorted by."""
    return _shop(state).categories()


@get("/api/browse", sync_to_thread=False)
def browse(state: State, category: str = "") -> list[Shelf]:
    """Return the catalog, or one category."""
    return [_shop(state).browse(category)]


@get("/api/home")
async def show_home(state: State, person: Person) -> list[Shelf]:
    """Return the shelves of the first page."""
    return await _shop(state).show_home(person)


@get("/api/products/{item_id:str}")
async def show_product(state: State, item_id: str, person: Person) -> list[Shelf]:
    """Return a product, and what goes with it."""
    return await _shop(state).show_product(person, item_id)


@get("/api/search")
async def search(state: State, person: Person, q: str, category: str = "") -> list[Shelf]:
    """Return what answers a query."""
    return [await _shop(state).search(person, q, category)]


@post("/api/done")
async def tell(state: State, person: Person, data: Done) -> bool:
    """Tell what a person has done; return whether their list knows it."""
    return await _shop(state).tell(person, data)


@get("/api/rules", sync_to_thread=False)
def list_rules(state: State) -> list[Rule]:
    """Return what the owner has said here."""
    return list(_shop(state).rules.values())


@put("/api/rules")
async def put_rule(state: State, data: Rule) -> Rule:
    """Have every list obey a rule."""
    await _shop(state).put_rule(data)
    return data


@delete("/api/rules/{rule_id:str}")
async def end_rule(state: State, rule_id: str) -> None:
    """Have it obeyed no more."""
    await _shop(state).end_rule(rule_id)


def make_app(products: list[Item], open_service: Callable[[], AsyncHttpClient]) -> Litestar:
    """Return the shop as an ASGI app; ``open_service`` is called when it starts."""

    async def open_shop(app: Litestar) -> None:
        app.state.service = open_service()
        app.state.shop = Shop(products, app.state.service)

    async def close_shop(app: Litestar) -> None:
        await app.state.service.close()

    return Litestar(
        [
            *(list_categories, browse, show_home, show_product, search, tell, list_rules, put_rule, end_rule),
            create_static_files_router("/", [PAGE], html_mode=True),
        ],
        on_startup=[open_shop],
        on_shutdown=[close_shop],
        exception_handlers={
            HttpProblem: _answer_problem,
            RequestFailed: _answer_away,
            KeyError: _answer_missing,
            ValidationException: _answer_wrong,
        },
    )


def _shop(state: State) -> Shop:
    shop: Shop = state.shop
    return shop


def _answer_problem(_: Request[Any, Any, Any], problem: HttpProblem) -> Response[dict[str, str]]:
    return Response({"detail": problem.detail}, status_code=problem.status)


def _answer_away(_: Request[Any, Any, Any], error: RequestFailed) -> Response[dict[str, str]]:
    return Response({"detail": f"recommendations are away for the moment: {error}"}, status_code=503)


def _answer_missing(_: Request[Any, Any, Any], error: KeyError) -> Response[dict[str, str]]:
    return Response({"detail": f"there is no product {error.args[0]!r}"}, status_code=404)


def _answer_wrong(_: Request[Any, Any, Any], error: ValidationException) -> Response[dict[str, str]]:
    what = "; ".join(f"{one.get('key', 'body')}: {one['message']}" for one in error.extra or [])  # type: ignore[index, union-attr]
    return Response({"detail": what or error.detail}, status_code=422)
