"""Both clients against the service's app: what they ask, what they give, and what they raise."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

pytest.importorskip("litestar")

from stream_rec.client.http import (
    AsyncHttpClient,
    Filters,
    HttpClient,
    HttpProblem,
    NoAnswer,
    Retries,
)
from stream_rec.client.over_http.answers import retry_after_of
from stream_rec.client.over_http.calls import get_health, get_popular, get_similar, in_batches
from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.item import Item
from stream_rec.events.over_http import Event, Recommendations, Shown, State, UserProfile
from stream_rec.events.profile import Profile
from stream_rec.events.rule import Rule, Target
from stream_rec.serving.keys import ApiKey, ApiKeys
from tests.serving.shop import AtHand, Shop
from tests.serving.test_app import Service

URL = "http://127.0.0.1:8080"
AT_ONCE = Retries(first_pause_s=0.0)
CLICK = Event(event_type="click", event_id="e1", user_id="ann", item_id="a")

Ask = Callable[..., Any]


def blocking(transport: httpx.BaseTransport, **options: Any) -> Ask:
    """Return what calls a method of ``HttpClient``."""
    client = HttpClient(URL, http=httpx.Client(transport=transport), **options)
    return lambda name, *args, **kwargs: getattr(client, name)(*args, **kwargs)


def awaited(transport: httpx.AsyncBaseTransport, **options: Any) -> Ask:
    """Return what calls a method of ``AsyncHttpClient``, and waits for it."""
    client = AsyncHttpClient(URL, http=httpx.AsyncClient(transport=transport), **options)
    return lambda name, *args, **kwargs: asyncio.run(finish(getattr(client, name)(*args, **kwargs)))


async def finish(asked: Any) -> Any:
    return [page async for page in asked] if hasattr(asked, "__aiter__") else await asked


class InThread(httpx.BaseTransport):
    """An ASGI app for a client that waits."""

    def __init__(self, app: Any) -> None:
        self.app = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def ask() -> httpx.Response:
            answer = await self.app.handle_async_request(
                httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
            )
            return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

        return asyncio.run(ask())


@pytest.fixture(params=["blocking", "awaited"])
def asking(request: pytest.FixtureRequest) -> Callable[..., Ask]:
    """Return how a service, or a function from requests to answers, is asked: by each of the two clients."""
    is_blocking = request.param == "blocking"

    def make(asked: Service | Callable[[httpx.Request], httpx.Response], **options: Any) -> Ask:
        if not isinstance(asked, Service):
            return (blocking if is_blocking else awaited)(httpx.MockTransport(asked), **options)
        return (
            blocking(InThread(asked.app), **options)
            if is_blocking
            else awaited(httpx.ASGITransport(asked.app), **options)
        )

    return make


@pytest.fixture(scope="module")
def ranking() -> Service:
    return Service(replica=AtHand(Shop().ranker()))


def test_lists_are_read(asking):
    """As the types of the contract."""
    ask = asking(Service())
    own, popular = ask("get_recommendations", "ann", n=1, exclude=["a", "z"]), ask("get_popular", n=1, exclude="x")

    assert isinstance(own, Recommendations) and (own.list_id, own.items[0].item_id) == ("list-of-ann", "b")
    assert popular.is_default and [item.item_id for item in popular.items] == ["y"]
    assert ask("get_health") == State("ok")


def test_a_service_that_is_not_ready_says_why(asking):
    """That is an answer, and is not waited for."""
    service = Service()
    service.lists.why = "reading"

    assert asking(service)("get_readiness") == State("not ready", "reading")


def test_events_of_each_kind_are_taken(asking):
    """One, or several."""
    service = Service()
    ask = asking(service)
    search = Event(event_type="search", event_id="e2", user_id="ann", query="tea")
    shown = [Shown("a", 1, 0.5), Shown("b", 2)]
    seen = Event(event_type="impression", event_id="e3", user_id="ann", list_id="l", items=shown, surface="home")

    assert ask("post_events", CLICK).n_records == 1
    assert ask("post_events", [search, seen]).n_records == 2
    *_, last = service.writer.records
    assert [record.topic for record in service.writer.records] == ["clicks", "searches", "impressions"]
    assert msgspec.json.decode(last.value, type=Impression).items == [ShownItem("a", 1, 0.5), ShownItem("b", 2)]


def test_any_number_of_events_is_sent_in_batches(asking):
    """As many at once as the service takes; all in their order."""
    service = Service(most_events=3, body_bytes=1024)
    events = [msgspec.structs.replace(CLICK, event_id=f"e{number}") for number in range(8)]

    assert asking(service)("send_events", iter(events), most_events=3, body_bytes=1024) == 8
    assert [msgspec.json.decode(record.value)["event_id"] for record in service.writer.records] == [
        f"e{number}" for number in range(8)
    ]


def test_a_batch_is_no_larger_than_it_may_be():
    """In bytes, and in events."""
    events = [msgspec.structs.replace(CLICK, event_id=f"e{number}") for number in range(10)]
    size = len(msgspec.json.encode(events[:4]))

    assert [len(msgspec.json.decode(call.body)) for call in in_batches(events, 100, size)] == [4, 4, 2]
    assert all(len(call.body) <= size for call in in_batches(events, 100, size))
    assert [len(msgspec.json.decode(call.body)) for call in in_batches(events, 6, 10**6)] == [6, 4]
    assert list(in_batches([], 6, 10**6)) == []
    with pytest.raises(ValueError, match="value=nan of event 'e1' is not a number"):
        list(in_batches([msgspec.structs.replace(CLICK, value=float("nan"))], 6, 10**6))


def test_the_owner_changes_items_rules_and_users(asking):
    """Ids hold anything, a slash too."""
    service = Service()
    ask = asking(service)
    item, rule = Item("ä b?/%2F&c", title="Tea"), Rule("r1", "ban", "ann", "recalled", Target(item_ids=["a"]))
    ask("put_item", item)
    ask("delete_item", item.item_id)
    ask("put_rule", rule)
    ask("delete_rule", "r1")
    request_id = ask("delete_user", "ann").request_id

    put, deleted, put_rule, _, forget = service.writer.records
    assert put.key == deleted.key == item.item_id.encode() and msgspec.json.decode(put.value, type=Item) == item
    assert msgspec.json.decode(put_rule.value, type=Rule) == rule
    assert msgspec.json.decode(forget.value)["request_id"] == request_id


def test_a_profile_is_put_read_and_taken_back(asking):
    """What was read can be put again as it is."""
    shop = Shop()
    service = Service(replica=AtHand(shop.ranker()))
    ask = asking(service)
    said = UserProfile(interests=["blue teapots"], language="de", birth_year=1985, timestamp_ms=5)
    ask("put_profile", "ann b", said)
    ask("delete_profile", "ann b")
    put, deleted = service.writer.records
    profile = msgspec.json.decode(put.value, type=Profile)
    assert profile == Profile("ann b", 5, ["blue teapots"], "de", 1985)
    assert put.key == deleted.key == b"ann b" and deleted.value is None

    shop.declare(profile)
    assert ask("get_profile", "ann b") == said
    with pytest.raises(HttpProblem, match="404 Not Found: there is no profile of 'nobody'"):
        ask("get_profile", "nobody")


@pytest.mark.parametrize("item_id", ["", ".", ".."])
def test_an_id_that_would_be_another_address_is_not_sent(asking, item_id):
    """A library may take `..` for the folder above."""
    with pytest.raises(ValueError, match="cannot stand in an address"):
        asking(Service())("delete_item", item_id)


def test_what_is_ranked_on_the_spot_is_asked_for(asking, ranking):
    """With every filter."""
    ask = asking(ranking)
    filters = Filters(category="tea", tag=["red"], attribute="brand:Acme", price_min=0, price_max=1.5)
    made = ask("get_recommendations", "u1", filters=filters)
    ranked = ask("post_rank", "u1", ["red-cup", "nothing", "blue-lamp"], n=1)

    assert {item.item_id for item in made.items} == {"red-teapot", "red-cup"} and made.is_on_the_spot
    assert len(ranked.items) == 1 and ranked.unknown == ["nothing"]
    assert {item.item_id for item in ask("get_similar", "red-cup", filters=filters).items} == {"red-teapot"}
    found = ask("get_search", "kettle", user_id="u1", item_id="red-cup", n=3, exclude="red-kettle")
    assert found.items and "red-kettle" not in {item.item_id for item in found.items}


def test_pages_follow_each_other(asking, ranking):
    """Until nothing is left."""
    pages = list(asking(ranking)("get_pages", "u1", n=5, filters=Filters(category="tea")))
    shown = [item.item_id for page in pages for item in page.items]

    assert len(shown) == len(set(shown)) == 12 and len(pages) >= 3


def test_a_problem_is_raised_with_what_the_service_says(asking):
    """Status, reason and words; nothing is asked again that is wrong."""
    service = Service()
    with pytest.raises(HttpProblem, match=r"422 .* a click has no `query`") as caught:
        asking(service)("post_events", msgspec.structs.replace(CLICK, query="tea"))

    problem = caught.value
    assert (problem.status, problem.reason, problem.retry_after_s) == (422, "wrong_type", None)
    assert problem.detail == "event 0: a click has no `query`"
    with pytest.raises(HttpProblem) as caught:
        asking(service)("get_similar", "a")
    assert caught.value.status == 501 and "serve.ranks" in caught.value.detail


def test_a_key_is_shown(asking):
    """To a service that asks for one."""
    digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"  # of "secret"
    service = Service(ApiKeys([ApiKey(name="shop", sha256=digest, scopes=["read"])]))

    assert asking(service, api_key="secret")("get_popular").is_default
    with pytest.raises(HttpProblem) as caught:
        asking(service)("get_popular")
    assert caught.value.status == 401


def script(*outcomes: object) -> tuple[list[httpx.Request], Callable[[httpx.Request], httpx.Response]]:
    """Return what was asked, and what answers with each of these in turn, the last one for ever."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        outcome = outcomes[min(len(asked), len(outcomes)) - 1]
        if isinstance(outcome, Exception):
            raise outcome
        assert isinstance(outcome, httpx.Response)
        return outcome

    return asked, answer


def taken() -> httpx.Response:
    return httpx.Response(202, json={"n_records": 1})


@pytest.mark.parametrize("trouble", [httpx.ConnectError("refused"), httpx.ReadTimeout("late"), *(429, 502, 503, 504)])
def test_what_may_pass_is_asked_again(asking, trouble):
    """The same events, with the same ids: they count once."""
    outcome = trouble if isinstance(trouble, Exception) else httpx.Response(trouble)
    asked, answer = script(outcome, outcome, taken())

    assert asking(answer, retries=AT_ONCE)("post_events", CLICK).n_records == 1
    assert [request.content for request in asked] == [asked[0].content] * 3


def test_it_is_given_up_in_the_end(asking):
    """After as many tries as were asked for; with what the service said last, or why nothing came."""
    problem = {"status": 503, "title": "Service Unavailable", "detail": "reading"}
    asked, answer = script(httpx.Response(503, json=problem, headers={"Retry-After": "0"}))
    with pytest.raises(HttpProblem, match="503 Service Unavailable: reading") as caught:
        asking(answer, retries=AT_ONCE)("get_popular")
    assert (len(asked), caught.value.retry_after_s) == (4, 0.0)

    asked, answer = script(httpx.ConnectError("refused"))
    with pytest.raises(NoAnswer, match=r"no answer to GET /v1/popular \(ConnectError: refused\)") as lost:
        asking(answer, retries=Retries(most=0))("get_popular")
    assert len(asked) == 1 and isinstance(lost.value.__cause__, httpx.ConnectError)


def test_what_is_not_the_service_is_told_apart(asking):
    """A login page of a proxy's, or a proxy that has no service behind it."""
    _, answer = script(httpx.Response(200, text="<html>please log in"))
    with pytest.raises(NoAnswer, match="is not the service, or an older one"):
        asking(answer)("get_popular")
    _, answer = script(httpx.Response(200, content=b'{"user_id": "\xff"}'))
    with pytest.raises(NoAnswer):
        asking(answer)("get_popular")
    _, answer = script(httpx.Response(404, text="<html>nothing here"))
    with pytest.raises(HttpProblem, match="404 Not Found: <html>nothing here"):
        asking(answer)("get_popular")
    _, answer = script(httpx.Response(503, text="<html>no upstream"))
    with pytest.raises(HttpProblem, match="no upstream"):
        asking(answer)("get_readiness")


def test_pauses_grow_and_have_a_bound():
    """What the service says counts where it is longer; what it says too long is left to the app."""
    retries = Retries(most=10, first_pause_s=1.0, longest_pause_s=5.0)
    lost = httpx.ConnectError("refused")
    pauses = [retries.find_pause(get_popular(), lost, n_tried) for n_tried in range(1, 12)]

    for n_tried, most_s in ((1, 1), (2, 2), (3, 4), (4, 5), (10, 5)):
        assert most_s / 2 <= pauses[n_tried - 1] <= most_s
    assert pauses[10] is None

    def after(said: str) -> float | None:
        return retries.find_pause(get_popular(), httpx.Response(503, headers={"Retry-After": said}), 1)

    assert after("3") == 3.0 and after("6") is None and after("Sun, 29 Nov 2026 10:00:00 GMT") <= 1.0
    assert retries.find_pause(get_health(), lost, 1) is None
    assert retries.find_pause(get_popular(), httpx.UnsupportedProtocol("ftp"), 1) is None
    assert retry_after_of(httpx.Response(503)) is None


def test_an_address_is_as_it_is_meant():
    """One value stands once, several are repeated, nothing is left out that was said."""
    call = get_similar("a b", n=3, exclude=["x&y", "z"], filters=Filters(tag="red", price_min=0.0))

    assert call.address == "/v1/items/a%20b/similar?n=3&exclude=x%26y&exclude=z&tag=red&price_min=0.0"
    for url in ("127.0.0.1:8080", "ftp://host", "http://host:port", ""):
        with pytest.raises(ValueError, match="is no address of the service"):
            HttpClient(url)


PAGE = (Path(__file__).parents[3] / "docs/guides/http.md").read_text(encoding="utf-8")


def test_what_the_page_shows_works(monkeypatch, capsys):
    """Both programs, as they stand there."""
    service = Service(replica=AtHand(Shop().ranker()))
    over_asgi = httpx.ASGITransport(service.app)
    waiting, awaiting = httpx.Client(transport=InThread(service.app)), httpx.AsyncClient(transport=over_asgi)
    monkeypatch.setattr("stream_rec.client.http.httpx.Client", lambda **_: waiting)
    monkeypatch.setattr("stream_rec.client.http.httpx.AsyncClient", lambda **_: awaiting)

    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, {})

    (written,) = service.writer.records
    assert [shown.item_id for shown in msgspec.json.decode(written.value, type=Impression).items] == ["a", "b", "c"]
    assert len(re.findall(r"'\w+-(?:teapot|cup|kettle)'", capsys.readouterr().out)) == 7


def test_it_needs_no_framework():
    """Nor what only the service needs; and who speaks to Kafka alone needs no HTTP."""
    heavy = "{'litestar', 'faust', 'numpy', 'torch', 'aiokafka', 'prometheus_client'}"
    code = f"import sys, stream_rec.client.http; print(sorted({heavy} & set(sys.modules)))"
    kafka = "import sys, stream_rec.client; print(sorted({'httpx'} & set(sys.modules)))"

    for each in (code, kafka):
        assert subprocess.run([sys.executable, "-c", each], capture_output=True, text=True).stdout.strip() == "[]"
