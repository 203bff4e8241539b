"""What each address answers: to good requests, to bad ones, and to who may not ask."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from typing import Any

import msgspec
import pytest

from stream_rec.config import Settings, override
from stream_rec.errors import BrokerUnavailable
from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import Interaction
from stream_rec.events.item import Item
from stream_rec.events.profile import Profile
from stream_rec.events.rule import Rule, Target
from stream_rec.events.search import Search
from stream_rec.events.slate import DEFAULT_LIST, Reason, Slate, SlateItem

testing = pytest.importorskip("litestar.testing")

from stream_rec.events.over_http import Position  # noqa: E402
from stream_rec.serving.app import build_app  # noqa: E402
from stream_rec.serving.keys import ApiKey, ApiKeys  # noqa: E402
from stream_rec.serving.writer import Record  # noqa: E402
from tests.serving.shop import COLOURS, ITEMS, THINGS, AtHand, Shop  # noqa: E402

PROBLEM = "application/problem+json"


class FakeLists(dict[str, Slate]):
    """Lists that are there."""

    why = ""

    def own(self, user_id: str) -> Slate | None:
        return self.get(user_id)

    def find_why_not_ready(self) -> str:
        return self.why


class FakeWriter:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.is_away = False

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def write(self, records: list[Record]) -> list[Position]:
        if self.is_away:
            raise BrokerUnavailable("the broker has not acknowledged 1 records: send them again")
        self.records += records
        return [Position(record.topic, 2, number) for number, record in enumerate(records, start=5)]


def slate(user_id: str, *item_ids: str) -> Slate:
    items = [SlateItem(item_id, 0.5, 1.0, {}, Reason("trending")) for item_id in item_ids]
    return Slate(f"list-of-{user_id}", user_id, 7, None, {"views": 3}, "p", items)


class Service:
    """The app with lists of Ann's and of everybody's."""

    def __init__(
        self,
        keys: ApiKeys | None = None,
        replica: AtHand | None = None,
        surfaces: dict[str, Any] | None = None,
        **flags: Any,
    ) -> None:
        self.lists = FakeLists({"ann": slate("ann", "a", "b", "c"), DEFAULT_LIST: slate(DEFAULT_LIST, "x", "y")})
        self.writer = FakeWriter()
        settings = override(Settings(), {f"serve.{name}": value for name, value in flags.items()})
        settings = override(settings, {"surfaces.declared": surfaces})
        self.app = app = build_app(self.lists, self.writer, keys, settings, replica)
        self.client = testing.TestClient(app, base_url="http://127.0.0.1:8080", raise_server_exceptions=False)

    def ask(self, method: str, path: str, body: object = None, key: str = "", **headers: str) -> Any:
        headers |= {"Authorization": f"Bearer {key}"} if key else {}
        with self.client as client:
            return client.request(method, path, json=body, headers=headers)


@pytest.fixture
def service() -> Service:
    return Service()


def event(**changed: object) -> dict[str, object]:
    return {"event_type": "click", "event_id": "e1", "user_id": "ann", "item_id": "a", **changed}


def test_a_user_gets_their_own_list(service):
    """Less what they leave out, and no longer than they ask for."""
    answer = service.ask("GET", "/v1/users/ann/recommendations?n=1&exclude=a&exclude=z")

    assert answer.status_code == 200
    found = answer.json()
    assert (found["user_id"], found["list_id"], found["is_default"]) == ("ann", "list-of-ann", False)
    assert found["seen"] == {"views": 3}
    assert [(item["item_id"], item["reason"]["kind"]) for item in found["items"]] == [("b", "trending")]


@pytest.mark.parametrize("user_id", ["bob", "empty", "b%C3%A9a%20%3F", "a%2Fb", "%2F", "recommendations"])
def test_who_has_no_list_gets_the_default_one(service, user_id):
    """Also who has one in which nothing is left; an id may hold anything."""
    service.lists["empty"] = slate("empty")
    found = service.ask("GET", f"/v1/users/{user_id}/recommendations").json()

    assert (found["list_id"], found["is_default"]) == ("list-of-*", True)
    assert [item["item_id"] for item in found["items"]] == ["x", "y"]
    assert service.ask("GET", "/v1/popular?n=1").json()["items"][0]["item_id"] == "x"


def test_so_many_items_may_be_left_out(service):
    """Each is looked for in the list: more than that is refused, before it takes time."""
    for address in ("/v1/users/ann/recommendations", "/v1/popular"):
        assert service.ask("GET", f"{address}?{'exclude=a&' * 1000}").status_code == 200
        answer = service.ask("GET", f"{address}?{'exclude=a&' * 1001}")
        assert (answer.status_code, answer.json()["reason"]) == (422, "too_large")


def test_without_any_list_the_answer_says_why(service):
    """A service that has just started, or a pipeline without workers."""
    service.lists.clear()
    answer = service.ask("GET", "/v1/users/ann/recommendations")
    assert (answer.status_code, answer.headers["content-type"]) == (503, PROBLEM)
    assert "no worker has published a list yet" in answer.json()["detail"]

    service.lists.why = "reading"
    assert service.ask("GET", "/v1/popular").json()["detail"] == "reading"
    assert service.ask("GET", "/readyz").status_code == 503
    assert service.ask("GET", "/readyz").json() == {"status": "not ready", "why": "reading"}
    assert service.ask("GET", "/healthz").json() == {"status": "ok"}


def test_events_are_written_as_apps_write_them(service):
    """One or several, on the topic of their kind; one without a time is of now."""
    answer = service.ask("POST", "/v1/events", [event(timestamp_ms=5, value=2.5), event(event_type="view")])

    positions = [
        {"topic": record.topic, "partition": 2, "offset": 5 + n} for n, record in enumerate(service.writer.records)
    ]
    assert (answer.status_code, answer.json()) == (202, {"n_records": 2, "positions": positions})
    assert service.ask("POST", "/v1/events", event(event_type="purchase")).json()["n_records"] == 1
    assert [(record.topic, record.key) for record in service.writer.records] == [
        *[("clicks", b"ann"), ("views", b"ann"), ("purchases", b"ann")]
    ]
    first, second, _ = (msgspec.json.decode(record.value, type=Interaction) for record in service.writer.records)
    assert first == Interaction("e1", "ann", "a", 5, 2.5)
    assert second.timestamp_ms > 1_700_000_000_000


def test_searches_are_written(service: Service):
    """About an item, or about none; beside other events."""
    searches = [event(event_type="search", query="cheaper", timestamp_ms=5), event(event_id="e2")]
    alone = {"event_type": "search", "event_id": "e3", "user_id": "ann", "query": "tea pot", "timestamp_ms": 6}

    assert service.ask("POST", "/v1/events", searches).json()["n_records"] == 2
    assert service.ask("POST", "/v1/events", alone).status_code == 202
    assert [record.topic for record in service.writer.records] == ["searches", "clicks", "searches"]
    first, _, last = service.writer.records
    assert msgspec.json.decode(first.value, type=Search) == Search("e1", "ann", "cheaper", 5, "a")
    assert msgspec.json.decode(last.value, type=Search) == Search("e3", "ann", "tea pot", 6)


SHOWN = [{"item_id": "a", "position": 1, "propensity": 0.5}, {"item_id": "b", "position": 3}]


def seen(**changed: object) -> dict[str, object]:
    made = {"event_type": "impression", "event_id": "s1", "user_id": "ann", "list_id": "3fb0", "items": SHOWN}
    return {**made, **changed}


def test_impressions_are_written(service: Service):
    """Beside other events; of a list that is none of ours, too."""
    events = [seen(timestamp_ms=5, surface="home"), event(), seen(event_id="s2", list_id="", items=SHOWN[1:])]

    assert service.ask("POST", "/v1/events", events).json()["n_records"] == 3
    first, other, last = service.writer.records
    assert [first.topic, other.topic, last.topic] == ["impressions", "clicks", "impressions"]
    shown = [ShownItem("a", 1, 0.5), ShownItem("b", 3)]
    assert msgspec.json.decode(first.value, type=Impression) == Impression("s1", "ann", "3fb0", shown, 5, "home")
    assert msgspec.json.decode(last.value, type=Impression).items == shown[1:]


WRONG = [
    ([event(), event(event_id="e2", user_id="*")], 422, "event 1: user_id '*' is the default list"),
    ([event(timestamp_ms=1_767_225_600)], 422, "looks like seconds"),
    ([event(item_id="a\0b")], 422, "NUL"),
    ([], 422, "0 events"),
    ([event()] * 4, 422, "4 events; 1 to 3"),
    ([event(event_type="like")], 400, "event_type"),
    ([event(colour="red")], 400, "colour"),
    ([event(event_id="")], 400, "event_id"),
    ([event(event_type="search")], 422, "event 0: a search needs `query`"),
    ([event(), event(event_type="search", query=" ")], 422, "event 1: query is blank"),
    ([event(event_type="search", query="tea", value=2.0)], 422, "a search has no `value`"),
    ([event(query="tea")], 422, "a click has no `query`"),
    ([event(surface="home", items=SHOWN)], 422, "a click has no `items` and no `surface`"),
    ([{"event_type": "view", "event_id": "e", "user_id": "ann"}], 422, "a view needs `item_id`"),
    ([seen(list_id=None, items=[])], 422, "event 0: an impression needs `list_id` and `items`"),
    ([seen(item_id="a", value=0.0, context={"a": 1})], 422, "has no `context` and no `item_id` and no `value`"),
    ([event(), seen(items=[SHOWN[0], SHOWN[0]])], 422, "event 1: item 'a' is shown in two slots"),
    ([seen(items=[{"item_id": "a", "position": 0}])], 400, "items"),
    ([seen(items=[{"item_id": "a", "position": 1, "propensty": 1}])], 400, "propensty"),
    ([seen(items=[{"item_id": f"i{n}", "position": n} for n in range(1, 202)])], 400, "items"),
    ([{"event_type": "view"}], 400, "event_id"),
    ("x" * 10_000, 413, ""),
]


@pytest.mark.parametrize(("body", "status", "words"), WRONG)
def test_a_bad_request_is_refused_as_a_whole(body, status, words):
    """With a problem that says what and where; nothing of it is written."""
    service = Service(most_events=3, body_bytes=8192)
    answer = service.ask("POST", "/v1/events", body)

    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
    assert words in json.dumps(answer.json())
    assert service.writer.records == []


def test_what_the_broker_does_not_acknowledge_is_not_accepted(service):
    """The app sends it again."""
    service.writer.is_away = True
    answer = service.ask("POST", "/v1/events", event())

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.headers["content-type"] == PROBLEM and "send them again" in answer.json()["detail"]


def test_the_owner_changes_items_and_rules_and_forgets_users(service):
    """Each as a record on its topic; an id in the path and another in the body are refused."""
    item, rule = Item("a b", title="Tea"), Rule("r1", "ban", "ann", "recalled", Target(item_ids=["a"]))
    for path, body in (("/v1/items/a%20b", item), ("/v1/rules/r1", rule)):
        assert service.ask("PUT", path, msgspec.to_builtins(body)).status_code == 202
        assert service.ask("DELETE", path).status_code == 202
        refused = service.ask("PUT", f"{path}x", msgspec.to_builtins(body))
        assert (refused.status_code, refused.json()["reason"]) == (422, "key_mismatch")
    request_id = service.ask("DELETE", "/v1/users/ann").json()["request_id"]

    items, no_item, rules, no_rule, forget = service.writer.records
    assert msgspec.json.decode(items.value, type=Item) == item and msgspec.json.decode(rules.value, type=Rule) == rule
    assert (no_item, no_rule) == (Record("items", b"a b", None), Record("rules", b"r1", None))
    assert (forget.topic, json.loads(forget.value)["request_id"]) == ("forget", request_id)
    assert service.ask("PUT", "/v1/rules/r2", {"rule_id": "r2", "action": "ban"}).status_code == 400
    assert service.ask("DELETE", "/v1/users/*").status_code == 422


def test_a_profile_is_written_as_apps_write_it(service):
    """Without a time it is of now; what is taken back is a null value."""
    said = {"interests": ["tea", "long hikes"], "language": "pt-BR", "birth_year": 1985}
    assert service.ask("PUT", "/v1/users/b%C3%A9a/profile", {**said, "timestamp_ms": 5}).json()["n_records"] == 1
    assert service.ask("PUT", "/v1/users/ann/profile", {"interests": ["tea"]}).status_code == 202
    assert service.ask("DELETE", "/v1/users/ann/profile").status_code == 202

    full, short, nothing = service.writer.records
    assert (full.topic, full.key) == ("profiles", "béa".encode())
    assert msgspec.json.decode(full.value, type=Profile) == Profile("béa", 5, said["interests"], "pt-BR", 1985)
    assert abs(msgspec.json.decode(short.value, type=Profile).timestamp_ms - time.time() * 1000) < 60_000
    assert nothing == Record("profiles", b"ann", None)


@pytest.mark.parametrize(
    ("user_id", "body", "status", "words"),
    [
        ("ann", {"interests": ["tea", " "]}, 422, "an interest is blank"),
        ("ann", {"birth_year": 9000}, 422, "birth_year is 9000"),
        ("ann", {"timestamp_ms": 1_767_225_600}, 422, "looks like seconds"),
        ("*", {"interests": ["tea"]}, 422, "default list"),
        ("ann", {"interests": "tea"}, 400, "interests"),
        ("ann", {"interests": ["x"] * 17}, 400, "interests"),
        ("ann", {"interests": ["x" * 101]}, 400, "interests"),
        ("ann", {"language": "English"}, 400, "language"),
        ("ann", {"birth_year": 85}, 400, "birth_year"),
        ("ann", {"user_id": "ann", "intrests": ["tea"]}, 400, "no such field: 'intrests', 'user_id'"),
        ("ann", [{"interests": ["tea"]}], 400, "object"),
    ],
)
def test_a_wrong_profile_is_refused(service, user_id, body, status, words):
    """With what is wrong; nothing is written."""
    answer = service.ask("PUT", f"/v1/users/{user_id}/profile", body)

    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
    assert words in answer.json()["detail"]
    if words.startswith(("an interest", "birth_year is")):
        assert answer.json()["reason"] == "bad_profile"
    assert service.ask("DELETE", "/v1/users/*/profile").status_code == 422
    assert service.writer.records == []


def test_a_key_may_do_what_its_scopes_say():
    """Without one nothing but health and metrics; what it may not is another answer than who it is not."""
    digest = hashlib.sha256(b"secret").hexdigest()
    service = Service(ApiKeys([ApiKey(name="shop", sha256=digest, scopes=["read", "write"])]))
    list_of_ann = "/v1/users/ann/recommendations"

    assert service.ask("GET", list_of_ann, key="secret").status_code == 200
    assert service.ask("POST", "/v1/events", event(), key="secret").status_code == 202
    for body in ({"method": "PUT", "body": {}}, {"method": "DELETE"}):
        assert service.ask(**body, path="/v1/users/ann/profile", key="secret").status_code == 202
    assert service.ask("GET", "/v1/users/ann/profile", key="secret").status_code == 501
    forbidden = service.ask("DELETE", "/v1/users/ann", key="secret")
    assert (forbidden.status_code, forbidden.json()["detail"]) == (403, "this key may not admin")
    for key in ("", "wrong", digest):
        refused = service.ask("GET", list_of_ann, key=key)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert refused.headers["content-type"] == PROBLEM
    assert [service.ask("GET", path).status_code for path in ("/healthz", "/readyz", "/metrics")] == [200] * 3
    assert len(service.writer.records) == 3


def test_a_client_that_asks_too_often_has_to_wait():
    """However the seconds fall: of a hundred requests at once some are answered and some are not; health always is."""
    with Service(requests_per_s=3).client as client:
        found = [client.get("/v1/popular").status_code for _ in range(100)]
        health = {client.get("/healthz").status_code for _ in range(20)}

    assert set(found) == {200, 429} and found[:3] == [200] * 3
    assert health == {200}


def test_pages_of_other_origins_may_ask_where_that_is_said():
    """By default none: without keys they are refused, whatever the browser makes of the answer."""
    other = "https://shop.example"
    for flags, status, allowed in (({}, 403, None), ({"cors_origins": [other]}, 200, other)):
        answer = Service(**flags).ask("GET", "/v1/popular", Origin=other)
        assert (answer.status_code, answer.headers.get("access-control-allow-origin")) == (status, allowed)
    rebound = Service().ask("DELETE", "/v1/users/ann", Host="evil.example")
    assert (rebound.status_code, rebound.headers["content-type"]) == (403, PROBLEM)


@pytest.mark.parametrize(
    ("path", "id_"),
    [
        *[("ann%2F", "ann/"), ("%2Fann", "/ann"), ("a%2fb", "a/b"), ("%2F", "/"), ("a%252Fb", "a%2Fb"), ("a+b", "a+b")],
        *[("..%2Fann", "../ann"), ("%E2%82%AC", "€"), ("a%3Fb", "a?b"), ("a;b=c", "a;b=c"), ("recommendations",) * 2],
    ],
)
def test_an_id_may_hold_a_slash(service, path, id_):
    """Encoded, and decoded once."""
    service.lists[id_] = slate(id_, "a")
    found = service.ask("GET", f"/v1/users/{path}/recommendations").json()
    assert (found["user_id"], found["list_id"]) == (id_, f"list-of-{id_}")
    for address in (f"/v1/users/{path}", f"/v1/items/{path}", f"/v1/rules/{path}"):
        assert service.ask("DELETE", address).status_code == 202, address
    assert service.ask("PUT", f"/v1/items/{path}", {"item_id": id_}).status_code == 202
    assert [record.key for record in service.writer.records] == 4 * [id_.encode()]


@pytest.mark.parametrize("path", ["/ann", "ann/", "a/b", "a%2Fb/"])
def test_an_id_is_never_taken_for_another(service, path):
    """A slash that is not encoded ends a part of an address."""
    for address in (f"/v1/users/{path}", f"/v1/items/{path}", f"/v1/rules/{path}"):
        answer = service.ask("DELETE", address)
        assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM), address
    assert service.ask("GET", f"/v1/users/{path}/recommendations").status_code == 404
    assert service.ask("DELETE", "/v1/users/%FF").status_code == 400
    assert service.writer.records == []


def test_a_body_is_json_and_not_too_deep(service):
    """What a form of another page can send is refused; a bomb is no fault of ours."""
    with service.client as client:
        for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
            answer = client.post("/v1/events", content=json.dumps(event()), headers={"Content-Type": kind})
            assert (answer.status_code, answer.headers["content-type"]) == (415, PROBLEM)
        for body in ("[" * 100_000, '{"context":' * 2000, b'{"event_id": "\xff"}'):
            answer = client.post("/v1/events", content=body, headers={"Content-Type": "application/json"})
            assert (answer.status_code, answer.headers["content-type"]) == (400, PROBLEM), answer.text
    assert service.writer.records == []


def test_a_misspelt_field_of_a_rule_or_item_is_named(service):
    """Or a ban would never end."""
    rule = msgspec.to_builtins(Rule("r1", "ban", "ann", "recalled", Target(item_ids=["a"])))
    for changed in (rule | {"endsms": 5}, rule | {"target": {"item_id": "a"}}):
        answer = service.ask("PUT", "/v1/rules/r1", changed)
        assert answer.status_code == 400 and "unknown field" in answer.json()["detail"]
    refused = service.ask("PUT", "/v1/items/a", {"item_id": "a", "titel": "Tea"})
    assert refused.status_code == 400 and "titel" in refused.json()["detail"]
    assert service.writer.records == []


def test_a_fault_of_ours_is_a_problem_and_in_the_log(service, caplog):
    """Without what it is: that may be a secret."""
    service.lists.own = lambda user_id: 1 / 0
    answer = service.ask("GET", "/v1/popular")

    assert (answer.status_code, answer.headers["content-type"]) == (500, PROBLEM)
    assert "division" not in answer.text and "request_failed" in caplog.text


def test_too_many_requests_under_way_are_answered_at_once():
    """But for health, by which a process is judged."""
    service = Service(concurrency=1)
    service.app._n_under_way = 1
    answer = service.ask("GET", "/v1/popular")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert service.ask("GET", "/healthz").status_code == 200


def test_the_contract_describes_every_address(service):
    """As OpenAPI 3.1, with the topics' own types."""
    document = service.ask("GET", "/v1/openapi.json").json()

    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {
        *("/v1/users/{user_id}/recommendations", "/v1/popular", "/v1/events", "/v1/users/{user_id}"),
        *("/v1/items/{item_id}", "/v1/rules/{rule_id}", "/healthz", "/readyz", "/metrics"),
        *("/v1/rank", "/v1/items/{item_id}/similar", "/v1/search", "/v1/users/{user_id}/profile"),
    }
    assert {"Event", "Item", "Rule", "Recommendations"} <= {
        name.split("_")[-1] for name in document["components"]["schemas"]
    }


def test_the_contract_says_how_each_address_refuses(service):
    """As problem details, all of one schema, with a status for each way of it."""
    paths = service.ask("GET", "/v1/openapi.json").json()["paths"]
    operations = [(f"{method} {path}", one) for path, of in paths.items() for method, one in of.items() if "v1" in path]

    schemas = set()
    for name, operation in operations:
        refusals = {int(status): answer for status, answer in operation["responses"].items() if int(status) >= 400}
        assert refusals.keys() >= {400, 401, 403, 422, 429, 503}, name
        assert {413, 415} <= refusals.keys() or name.startswith("get"), name
        schemas |= {json.dumps(answer["content"][PROBLEM]["schema"]) for answer in refusals.values()}
    assert len(schemas) == 1 and len(operations) == 14


def test_metrics_count_requests_by_address(service):
    """For Prometheus; ids are not in them."""
    service.ask("GET", "/v1/users/ann/recommendations")
    text = service.ask("GET", "/metrics").text

    assert 'path="/v1/users/{user_id}/recommendations"' in text
    assert "stream_rec_users 2.0" in text and "ann" not in text
    assert "stream_rec_ready 1.0" in text and 'role="serve"' in text


@pytest.fixture(scope="module")
def ranking() -> Service:
    return Service(replica=AtHand(Shop().ranker()))


def test_a_filtered_list_is_ranked_on_the_spot(ranking):
    """Of what is wanted; without a filter it is the list on its topic, unless it is asked for otherwise."""
    found = ranking.ask("GET", "/v1/users/u1/recommendations?tag=red&price_max=3&exclude=red-lamp").json()

    assert found["is_on_the_spot"] and not found["is_default"]
    assert {item["item_id"] for item in found["items"]} == {"red-teapot", "red-cup", "red-kettle"}
    assert ranking.ask("GET", "/v1/users/ann/recommendations").json()["list_id"] == "list-of-ann"
    on_the_spot = ranking.ask("GET", "/v1/users/ann/recommendations?on_the_spot=true").json()
    assert on_the_spot["is_on_the_spot"] and on_the_spot["is_default"]


def test_pages_follow_each_other(ranking):
    """By their cursors, until nothing is left; none of them shows what another has shown."""
    shown, address, cursor = [], "/v1/users/u1/recommendations?category=tea&n=5", ""
    for _ in range(5):
        page = ranking.ask("GET", address + cursor).json()
        shown += [item["item_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert len(shown) == len(set(shown)) == 12


def test_given_items_are_ranked_for_a_user(ranking):
    """With scores and reasons, none of them lost."""
    body = {"user_id": "u1", "item_ids": ["red-cup", "nothing", "blue-lamp", "red-cup"]}
    answer = ranking.ask("POST", "/v1/rank", body)

    assert answer.status_code == 200
    found = answer.json()
    assert ({item["item_id"] for item in found["items"]}, found["unknown"]) == ({"red-cup", "blue-lamp"}, ["nothing"])
    assert found["items"][0]["score"] >= found["items"][1]["score"] and found["items"][0]["reason"]["kind"]


def test_what_is_promoted_stands_in_its_slot(ranking):
    """The best of it, and the reason says by which promotion."""
    every = {"user_id": "u1", "item_ids": ["red-cup", "blue-lamp", "green-hose", "white-kettle"]}
    plain = [item["item_id"] for item in ranking.ask("POST", "/v1/rank", every).json()["items"]]
    promotions = [{"label": "sale", "item_ids": plain[2:], "slots": [1]}]
    found = ranking.ask("POST", "/v1/rank", {**every, "promotions": promotions}).json()["items"]

    assert [item["item_id"] for item in found] == [plain[2], plain[0], plain[1], plain[3]]
    assert [item["reason"].get("promotion") for item in found] == ["sale", None, None, None]


def test_a_list_is_as_varied_as_is_asked_for(ranking):
    """At 0 by likelihood alone, at 1 of other colours and things next to each other; so are given items."""

    def first(query: str) -> list[str]:
        items = ranking.ask("GET", f"/v1/users/u1/recommendations?n=12&{query}").json()["items"]
        return [item["item_id"] for item in items]

    assert ranking.ask("GET", "/v1/users/u1/recommendations?diversity=0.2").json()["is_on_the_spot"]
    assert first("diversity=0") != first("diversity=1")
    body = {"user_id": "u1", "item_ids": [*first("diversity=0"), *first("diversity=1")], "n": 8}
    ranked, varied = (ranking.ask("POST", "/v1/rank", {**body, "diversity": each}).json()["items"] for each in (0, 1))
    assert ranked == ranking.ask("POST", "/v1/rank", body).json()["items"] != varied
    assert [i["score"] for i in ranked] == sorted((i["score"] for i in ranked), reverse=True)


def test_a_list_is_asked_for_with_a_context(ranking):
    """It is ranked on the spot then; what is no context is refused."""
    found = ranking.ask("GET", "/v1/users/ann/recommendations?context=country:FR&context=hour:7").json()
    assert found["is_on_the_spot"] and found["items"]
    body = {"user_id": "u1", "item_ids": ["red-cup"], "context": {"country": "FR", "hour": 7}}
    assert ranking.ask("POST", "/v1/rank", body).status_code == 200

    for refused, reason in (("context=country", "bad_context"), ("&".join(["context=a:b"] * 21), "too_large")):
        answer = ranking.ask("GET", f"/v1/users/ann/recommendations?{refused}")
        assert (answer.status_code, answer.json()["reason"]) == (422, reason)


def test_similar_items_and_answers_are_found(ranking):
    """Reading writes nothing: no search becomes an event."""
    similar = ranking.ask("GET", "/v1/items/red-cup/similar?n=4&category=tea").json()["items"]
    answers = ranking.ask("GET", "/v1/search?q=kettle&user_id=u1&n=4").json()["items"]

    assert len(similar) == 4 and all(item["item_id"] != "red-cup" for item in similar)
    assert all(item["item_id"].endswith("kettle") for item in answers)
    assert ranking.ask("GET", "/v1/search?q=white&item_id=red-cup").status_code == 200
    assert ranking.writer.records == []


TEA, LATE = THINGS[:3], COLOURS[2:]
VIEWED_BY_U1 = [("green", "lamp"), ("green", "teapot"), ("red", "lamp")]


@pytest.mark.parametrize(
    ("asked", "is_wanted"),
    [
        (
            "not_category=home&not_tag=red&not_tag=blue",
            lambda colour, thing: thing in TEA and colour in LATE,
        ),
        ("any_tag=red&any_tag=blue&category=tea", lambda colour, thing: thing in TEA and colour not in LATE),
        ("attribute=brand:Acme&attribute=brand:Bolt&not_attribute=price:3", lambda *item: item != ("red", "lamp")),
        ("attribute_min=price:20&attribute_max=price:25", lambda colour, _: colour == "green"),
        ("had=click&not_had=purchase&not_had=view", lambda *item: False),
        ("had=view&not_had=click&not_shown_hours=1", lambda *item: item in VIEWED_BY_U1),
    ],
)
def test_a_list_is_filtered(ranking, asked, is_wanted):
    """By what is not wanted, too, by any of several, by numbers, and by what the user had."""
    found = ranking.ask("GET", f"/v1/users/u1/recommendations?n=50&{asked}").json()
    wanted = {item.item_id for item in ITEMS if is_wanted(*item.item_id.split("-"))}

    assert found["is_on_the_spot"]
    assert {item["item_id"] for item in found["items"]} == wanted


def test_given_items_are_filtered(ranking):
    """What is not wanted is left out, by name; one text stands for a list of one."""
    item_ids = ["red-cup", "blue-cup", "blue-lamp", "white-kettle"]
    body = {"user_id": "u1", "item_ids": item_ids, "filters": {"category": "tea", "not_tag": ["red"]}}
    found = ranking.ask("POST", "/v1/rank", body | {"not_had": ["view", "click", "purchase"]}).json()

    assert ([item["item_id"] for item in found["items"]], found["unknown"]) == (["white-kettle"], [])
    assert sorted(found["left_out"]) == ["blue-cup", "blue-lamp", "red-cup"]
    few = ranking.ask("POST", "/v1/rank", {"user_id": "u1", "item_ids": item_ids, "min_score": 0.9}).json()
    assert all(item["score"] >= 0.9 for item in few["items"]) and few["left_out"] == []


WRONGLY_ASKED = [
    ("GET", "/v1/users/u1/recommendations?price_min=9&price_max=3", None, 422, "price_min=9 is above price_max=3"),
    ("GET", "/v1/users/u1/recommendations?attribute=brand", None, 422, "write it as name:value"),
    ("GET", "/v1/users/u1/recommendations?attribute_min=size:big", None, 422, "size:big is no bound"),
    ("GET", "/v1/users/u1/recommendations?attribute_max=size:nan", None, 422, "write it as name:number"),
    (
        *("GET", "/v1/users/u1/recommendations?attribute_min=size:3&attribute_max=size:2", None, 422),
        "attribute_min=size:3 is above attribute_max=size:2",
    ),
    ("GET", "/v1/users/u1/recommendations?not_tag=a" + "&not_tag=b" * 20, None, 422, "21 values of `not_tag`"),
    ("GET", "/v1/users/u1/recommendations?had=like", None, 400, "had"),
    ("GET", "/v1/users/u1/recommendations?within_days=3", None, 422, "say which"),
    ("GET", "/v1/users/u1/recommendations?not_had=view&within_days=0", None, 400, "within_days"),
    ("GET", "/v1/users/u1/recommendations?not_shown_hours=-1", None, 400, "not_shown_hours"),
    ("GET", "/v1/users/u1/recommendations?min_score=2", None, 400, "min_score"),
    ("POST", "/v1/rank", {"user_id": "u1", "item_ids": ["a"], "filters": {"colour": "red"}}, 400, "colour"),
    ("POST", "/v1/rank", {"user_id": "u1", "item_ids": ["a"], "filters": {"attribute": "red"}}, 422, "name:value"),
    ("POST", "/v1/rank", {"user_id": "u1", "item_ids": ["a"], "within_days": 3}, 422, "say which"),
    ("GET", "/v1/users/u1/recommendations?cursor=xyz", None, 422, "next_cursor"),
    ("GET", "/v1/users/u1/recommendations?tag=a" + "&tag=b" * 20, None, 422, "21 values of `tag`; 20 at most"),
    ("GET", "/v1/users/u1/recommendations?n=0&tag=a", None, 400, "n"),
    ("GET", "/v1/users/*/recommendations?tag=a", None, 422, "default list"),
    ("GET", "/v1/items/nothing/similar", None, 404, "no item 'nothing'"),
    ("GET", "/v1/search", None, 400, "q"),
    ("GET", "/v1/search?q=%20", None, 422, "query is blank"),
    ("GET", f"/v1/search?q={'tea%20' * 501}", None, 422, "query has 2004 characters"),
    ("GET", "/v1/search?q=%FF", None, 400, "not UTF-8"),
    ("GET", "/v1/users/u1/recommendations?price_min=nan", None, 422, "a price is a number"),
    ("GET", "/v1/users/u1/recommendations?price_max=inf", None, 422, "a price is a number"),
    ("GET", "/v1/search?q=tea&item_id=nothing", None, 404, "no item 'nothing'"),
    ("GET", "/v1/search?q=tea&price_max=cheap", None, 400, "price_max"),
    ("POST", "/v1/rank", {"user_id": "u1", "item_ids": []}, 400, "item_ids"),
    ("POST", "/v1/rank", {"user_id": "u1", "item_ids": ["a"] * 1001}, 400, "item_ids"),
    ("POST", "/v1/rank", {"user_id": "*", "item_ids": ["a"]}, 422, "default list"),
    ("POST", "/v1/rank", {"user_id": "u1", "item_ids": ["a"], "now_ms": 5}, 400, "now_ms"),
    ("GET", "/v1/users/u1/recommendations?diversity=1.1", None, 400, "diversity"),
    ("POST", "/v1/rank", {"user_id": "u1", "item_ids": ["a"], "promotions": [{"label": "x"}]}, 400, "promotions"),
    (
        *("POST", "/v1/rank"),
        {"user_id": "u1", "item_ids": ["a"], "promotions": [{"label": "x", "item_ids": ["b"], "slots": [1]}]},
        *(422, "not among `item_ids`"),
    ),
    (
        *("POST", "/v1/rank"),
        {"user_id": "u1", "item_ids": ["a"], "promotions": [{"label": "x", "item_ids": ["a"], "slots": [1, 1]}]},
        *(422, "slot 1 is promised twice"),
    ),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "words"), WRONGLY_ASKED)
def test_a_wrong_question_is_answered_with_what_is_wrong(ranking, method, path, body, status, words):
    """As a problem that names the place."""
    answer = ranking.ask(method, path, body)

    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
    assert words in json.dumps(answer.json())


def test_no_question_goes_to_a_thread(ranking, monkeypatch):
    """And back: where all cores are busy that takes longer than the answer."""

    def refuse(*_: object) -> None:
        raise AssertionError("a thread")

    monkeypatch.setattr(asyncio.BaseEventLoop, "run_in_executor", refuse)
    for address in ("/v1/users/ann/recommendations", "/v1/popular", "/v1/items/red-cup/similar", "/healthz", "/readyz"):
        assert ranking.ask("GET", address).status_code == 200, address
    assert ranking.ask("POST", "/v1/rank", {"user_id": "u1", "item_ids": ["red-cup"]}).status_code == 200
    assert ranking.ask("POST", "/v1/events", event()).status_code == 202


def test_what_cannot_be_ranked_yet_is_told_how_far_it_is():
    """503, as the readiness probe; lists are read out all the same."""
    replica = AtHand(Shop().ranker())
    replica.why = "reading users' states: 7 offsets to go"
    service = Service(replica=replica)
    waiting = service.ask("POST", "/v1/rank", {"user_id": "u1", "item_ids": ["red-cup"]})

    assert (waiting.status_code, waiting.headers["retry-after"]) == (503, "1")
    assert waiting.headers["content-type"] == PROBLEM and "7 offsets" in waiting.json()["detail"]
    assert service.ask("GET", "/readyz").json() == {"status": "not ready", "why": replica.why}
    assert service.ask("GET", "/v1/users/ann/recommendations").status_code == 200


def test_without_ranking_its_addresses_say_so(service):
    """And which setting it is."""
    for method, path, body in (
        ("GET", "/v1/users/u1/recommendations?tag=red", None),
        ("POST", "/v1/rank", {"user_id": "u1", "item_ids": ["a"]}),
        ("GET", "/v1/items/a/similar", None),
        ("GET", "/v1/search?q=tea", None),
        ("GET", "/v1/users/ann/profile", None),
    ):
        answer = service.ask(method, path, body)
        assert (answer.status_code, answer.headers["content-type"]) == (501, PROBLEM)
        assert "serve.ranks" in answer.json()["detail"]


def test_a_surface_is_ranked_on_the_spot():
    """By its name, with as many items as it has; what is about items is asked for with theirs."""
    ranking = Service(replica=AtHand(Shop().ranker()), surfaces={"garden": {"base": "discover", "n": 2}})
    discover = ranking.ask("GET", "/v1/users/u1/recommendations?surface=discover&n=2").json()
    garden = ranking.ask("GET", "/v1/users/u1/recommendations?surface=garden").json()
    cart = "/v1/users/u1/recommendations?surface=cart&item_id=red-cup&item_id=blue-cup&n=3"

    assert discover["is_on_the_spot"] and garden["items"] == discover["items"]
    assert len(ranking.ask("GET", cart).json()["items"]) == 3
    assert ranking.ask("GET", "/v1/users/ann/recommendations?surface=home").json()["list_id"] == "list-of-ann"


def test_a_surface_has_filters_of_its_own():
    """They hold together with those of the request."""
    green = {
        "base": "home",
        "not_tags": ["red"],
        "any_tags": ["green", "white"],
        "not_attributes": {"price": "35"},
        "attribute_min": {"price": 20},
        "not_had": ["view"],
        "not_shown_hours": 1,
    }
    ranking = Service(
        replica=AtHand(Shop().ranker()), surfaces={"green": green, "sure": {"base": "home", "min_score": 1}}
    )

    def ids(query: str) -> set[str]:
        found = ranking.ask("GET", f"/v1/users/u1/recommendations?n=50&{query}").json()
        return {item["item_id"] for item in found["items"]}

    expected = {f"{colour}-{thing}" for colour in LATE for thing in THINGS} - {
        "white-hose",
        "green-lamp",
        "green-teapot",
    }
    assert ids("surface=green") == expected
    assert ids("surface=green&not_category=home") == {each for each in expected if each.split("-")[1] in TEA}
    assert ids("surface=green&had=view") == set() == ids("surface=sure")


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("surface=nope", 422, "there are buy_again, cart, discover, home, new"),
        ("surface=similar", 422, "surface similar is about one `item_id`; 0 came"),
        ("surface=with&item_id=a&item_id=b", 422, "one `item_id`; 2 came"),
        ("surface=new&item_id=a", 422, "no `item_id`; 1 came"),
        ("item_id=a", 422, "surface home is about no `item_id`"),
        ("surface=cart", 422, "1 to 20 of `item_id`; 0 came"),
        ("surface=cart&" + "&".join(f"item_id={n}" for n in range(21)), 422, "21 came"),
        ("surface=with&item_id=nothing", 404, "'nothing'"),
        (f"surface=with&item_id={'x' * 300}", 422, "item_id has 300 bytes"),
    ],
)
def test_a_surface_that_cannot_be_is_refused(ranking, query, status, words):
    """With what there is."""
    answer = ranking.ask("GET", f"/v1/users/u1/recommendations?{query}")

    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    assert words in answer.json()["detail"]
    if status == 422 and "x" * 300 not in query:
        assert answer.json()["reason"] == "bad_surface"


def test_an_age_is_asked_for_on_the_spot(ranking):
    """A list on its topic is made without it; one that cannot be an age is refused."""
    shop = Shop()
    rule = Rule("r", "exclude", "ann", "the law", Target(tag="red"), relation="underage", min_age=18)
    shop.catalog.put_rule(rule)
    service = Service(replica=AtHand(shop.ranker()))

    def reds(query: str) -> int:
        items = service.ask("GET", f"/v1/users/u1/recommendations?{query}").json()["items"]
        return sum(item["item_id"].startswith("red") for item in items)

    assert reds("age=18&n=50") == 6 and reds("age=17&n=50") == reds("on_the_spot=true&n=50") == 0
    assert service.ask("GET", "/v1/users/u1/recommendations?age=200").status_code == 400
    body = {"user_id": "u1", "item_ids": ["red-cup"]}
    assert service.ask("POST", "/v1/rank", body).json()["left_out"] == ["red-cup"]
    assert service.ask("POST", "/v1/rank", {**body, "age": 18}).json()["left_out"] == []
    for address in ("items/blue-cup/similar?n=50", "search?q=red&n=50"):
        counts = [
            sum(item["item_id"].startswith("red") for item in service.ask("GET", f"/v1/{address}{age}").json()["items"])
            for age in ("", "&age=30")
        ]
        assert counts[0] == 0 < counts[1]


def test_what_was_said_is_read_and_ranked_with():
    """Given items, filtered lists and searches are all of the profile; a pure list is read out as before."""
    shop = Shop()
    service = Service(replica=AtHand(shop.ranker()))
    body = {"user_id": "ann", "item_ids": ["red-lamp", "green-cup", "blue-chair"]}

    def first(query: str) -> dict[str, Any]:
        return service.ask("GET", f"/v1/users/ann/recommendations?{query}").json()["items"][0]

    assert service.ask("GET", "/v1/users/ann/profile").status_code == 404
    shop.declare(Profile("ann", 1_000, [" green cup ", "green cup"], "de", 1985))
    said = service.ask("GET", "/v1/users/ann/profile").json()

    assert said == {"interests": ["green cup"], "language": "de", "birth_year": 1985, "timestamp_ms": 1_000}
    for item in (
        first("on_the_spot=true"),
        first("tag=green"),
        first("surface=discover"),
        service.ask("POST", "/v1/rank", body).json()["items"][0],
    ):
        assert item["item_id"] == "green-cup"
        assert (item["reason"]["kind"], item["reason"]["interest"]) == ("interest", "green cup")
    assert service.ask("GET", "/v1/search?q=green&user_id=ann").json()["items"][0]["item_id"] == "green-cup"
    assert service.ask("GET", "/v1/users/ann/recommendations").json()["list_id"] == "list-of-ann"

    shop.declare(Profile("ann", 2_000))
    assert service.ask("GET", "/v1/users/ann/profile").status_code == 404
    assert service.ask("GET", "/v1/users/*/profile").status_code == 422
