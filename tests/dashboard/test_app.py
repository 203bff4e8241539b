"""What each address of the dashboard answers, and to whom."""

from __future__ import annotations

import asyncio
import hashlib
import json
from urllib.parse import quote

import msgspec
import pytest

pytest.importorskip("litestar.testing")

from stream_rec.dashboard.app import POLICY
from stream_rec.dashboard.live import Live, TooManyListeners
from stream_rec.dashboard.pages import FOLDER, TYPES
from stream_rec.events.item import Item
from stream_rec.events.rejected import Origin, Rejected
from stream_rec.events.rule import Rule, Target
from stream_rec.serving.keys import ApiKey, ApiKeys
from tests.dashboard.shop_page import Page, record, slate_of
from tests.dashboard.test_figures import status

API = "/dashboard/api"
BAN = {"rule_id": "no-tea", "action": "ban", "author": "ann", "reason": "recalled", "target": {"category": "tea"}}
ODD = 'a/b?c#d "é" <script>'


@pytest.fixture(scope="module")
def page() -> Page:
    return Page()


def test_the_page_and_its_files_need_nothing_from_elsewhere(page: Page):
    """Each file is served with its type, a policy that lets nothing else in, and no address of another host."""
    for file in sorted(path for path in FOLDER.rglob("*") if path.is_file()):
        name = file.relative_to(FOLDER).as_posix()
        answer = page.ask("GET", f"/static/{name}")
        said = answer.headers
        assert answer.status_code == 200 and said["content-type"].partition(";")[0] == TYPES[file.suffix], name
        assert said["content-security-policy"] == POLICY and said["x-content-type-options"] == "nosniff"
        if "vendor" not in name and file.suffix != ".svg":
            assert "://" not in file.read_text(), name
    assert page.ask("GET", "/").text == (FOLDER / "index.html").read_text()
    for name in ("nothing.js", "..%2Fapp.py", "../app.py"):
        assert page.ask("GET", f"/static/{name}").status_code == 404


def test_a_file_that_is_known_is_not_sent_again(page: Page):
    """By its tag."""
    etag = page.ask("GET", "/").headers["etag"]
    again = page.ask("GET", "/", if_none_match=etag)
    assert (again.status_code, again.content) == (304, b"")


def test_a_user_is_shown_with_history_list_and_what_changed():
    """Titles, reasons in words, and one list against the other."""
    page = Page()
    page.publish(slate_of("u1", ["red-cup", "blue-cup", "red-hose"], "e1"))
    newest = page.shop.users["u1"].recent_events[-1]
    page.publish(slate_of("u1", ["blue-cup", "red-cup", "green-lamp"], newest.event_id, "purchases"))
    user = page.ask("GET", f"{API}/users/u1").json()

    assert sum(user["counts"].values()) == 18
    assert user["history"][0]["item"]["item_id"] == newest.item_id
    times = [did["at_ms"] for did in user["history"]]
    assert times == sorted(times, reverse=True)
    assert [listed["item"]["title"] for listed in user["published"]["items"]] == ["blue cup", "red cup", "green lamp"]
    assert {listed["why"] for listed in user["published"]["items"]} == {"popular right now"}
    change = user["change"]
    assert (change["n_came"], change["n_left"], change["n_reordered"]) == (1, 1, 2)
    assert [(row["listed"]["item"]["item_id"], row["before"], row["after"]) for row in change["rows"]] == [
        ("blue-cup", 2, 1), ("red-cup", 1, 2), ("green-lamp", None, 3), ("red-hose", 3, None)
    ]  # fmt: skip
    assert user["changed_by"]["item"]["item_id"] == newest.item_id
    assert len(user["on_the_spot"]) == 3


def test_who_is_not_known_is_not_found(page: Page):
    """Nobody, and who was forgotten; the default list is no user."""
    answer = page.ask("GET", f"{API}/users/nobody")
    assert answer.status_code == 404 and "nothing is known" in answer.json()["detail"]
    assert page.ask("GET", f"{API}/users/*").status_code == 422


def test_ids_with_anything_in_them_work():
    """Slashes, quotes, markup and other scripts: encoded in the address, and as they are in the answer."""
    page = Page()
    page.shop.catalog.put_item(Item(ODD, title="<b>\u202eodd"))
    page.shop.see(ODD, ODD, at_ms=500_000)
    page.publish(slate_of(ODD, [ODD]))

    user = page.ask("GET", f"{API}/users/{quote(ODD, safe='')}").json()
    assert user["user_id"] == ODD and user["history"][0]["item"]["title"] == "<b>\u202eodd"
    item = page.ask("GET", f"{API}/items/{quote(ODD, safe='')}").json()
    assert item["item"]["item_id"] == ODD and item["users"] == [ODD] and item["n_lists"] == 1


def test_what_if_is_what_the_next_list_would_be():
    """A click, a search and a context, imagined; the state is as it was."""
    page = Page()
    before = page.shop.users["u1"]
    first = page.ask("POST", f"{API}/users/u1/what-if", {"query": "lamp", "n": 5}).json()["comparison"]
    assert first["rows"][0]["listed"]["item"]["item_id"].endswith("lamp")
    assert first["rows"][0]["listed"]["why"] == "answers what you searched for"
    clicked = page.ask("POST", f"{API}/users/new/what-if", {"item_id": "red-cup", "event_type": "purchase"}).json()
    assert any("red cup" in row["listed"]["why"] for row in clicked["comparison"]["rows"])
    nothing = page.ask("POST", f"{API}/users/u1/what-if", {}).json()["comparison"]
    assert (nothing["n_came"], nothing["n_left"], nothing["n_reordered"]) == (0, 0, 0)
    assert page.shop.users["u1"] is before
    assert page.ask("POST", f"{API}/users/u1/what-if", {"context": {"device": "phone"}}).status_code == 200
    assert page.ask("POST", f"{API}/users/u1/what-if", {"item_id": "nothing"}).status_code == 404
    assert page.ask("POST", f"{API}/users/u1/what-if", {"colour": 1}).status_code == 400


def test_a_rule_is_tried_without_being_put():
    """In force for one answer, in place of one with its id; then all is as it was, and nothing was written."""
    page = Page()
    catalog = page.shop.catalog
    catalog.put_rule(Rule("no-tea", "ban", "ann", "no", Target(["red-hose"])), put_ms=3)
    listed, rules = catalog.is_listed.copy(), catalog.rules.every
    tried = page.ask("POST", f"{API}/users/u1/what-if", {"rule": BAN}).json()["comparison"]

    after = [row["listed"]["item"] for row in tried["rows"] if row["after"] is not None]
    assert after and all(item["category"] == "home" for item in after)
    assert any(item["item_id"] == "red-hose" for item in after)
    assert (catalog.is_listed == listed).all() and catalog.rules.every == rules
    assert catalog.rules.put_ms("no-tea") == 3
    pin = {**BAN, "rule_id": "p", "action": "pin", "slot": 2, "target": {"item_ids": ["white-hose"]}}
    pinned = page.ask("POST", f"{API}/users/u1/what-if", {"rule": pin}).json()["comparison"]["rows"][1]["listed"]
    assert (pinned["item"]["item_id"], pinned["rule"]) == ("white-hose", "p")
    ended = page.ask("POST", f"{API}/users/u1/what-if", {"ended_rule": "no-tea", "n": 50}).json()["comparison"]
    assert [row["listed"]["item"]["item_id"] for row in ended["rows"] if row["before"] is None] == ["red-hose"]
    assert (catalog.is_listed == listed).all() and catalog.rules.every == rules
    assert page.writer.records == []


def test_a_wrong_rule_is_refused_in_words(page: Page):
    """By the check, by the try and by the put alike."""
    wrong = {**BAN, "action": "boost"}
    for method, path, body in (
        ("POST", f"{API}/rules/check", wrong),
        ("POST", f"{API}/users/u1/what-if", {"rule": wrong}),
        ("PUT", f"{API}/rules/no-tea", wrong),
    ):
        answer = page.ask(method, path, body)
        assert (answer.status_code, answer.json()["detail"]) == (422, "a boost needs `factor` and `ends_ms`")
    assert page.ask("PUT", f"{API}/rules/other", BAN).status_code == 422
    assert page.ask("POST", f"{API}/rules/check", {**BAN, "colour": 1}).status_code == 400
    assert page.writer.records == []


def test_rules_are_put_previewed_listed_and_ended():
    """With what each does in words, whether it holds, and what became of it."""
    page = Page()
    seen = page.ask("POST", f"{API}/rules/check", BAN).json()
    assert (seen["effect"], seen["target"], seen["n_items"], seen["replaces"]) == ("ban", "category tea", 12, False)
    assert page.ask("PUT", f"{API}/rules/no-tea", BAN).json()["n_records"] == 1
    assert page.ask("DELETE", f"{API}/rules/a%2Fb").status_code == 202
    put, ended = page.writer.records
    assert (put.topic, put.key, json.loads(put.value)) == ("rules", b"no-tea", BAN)
    assert (ended.key, ended.value) == (b"a/b", None)

    now_ms = page.shop.catalog.now_ms
    for number, (starts_ms, ends_ms) in enumerate(((0, None), (now_ms + 1, None), (0, 5))):
        rule = Rule(f"r{number}", "cap", "ann", "no", Target(tag="red"), count=1, starts_ms=starts_ms, ends_ms=ends_ms)
        page.shop.catalog.put_rule(rule, put_ms=number)
    page.rule_log.take(record("rules", "no-tea", put.value, 5), True)
    page.rule_log.take(record("rules", "no-tea", None, 6), True)
    bad = Rejected(Origin("rules", 0, 1), "bad_rule", "a boost needs `factor`", b"")
    page.rule_log.take(record("rejected", "r9", msgspec.json.encode(bad), 7), True)
    other = Rejected(Origin("views", 0, 1), "bad_json", "no", b"")
    page.rule_log.take(record("rejected", "ann", msgspec.json.encode(other), 8), True)
    page.rule_log.take(record("rules", "r9", b"{", 9), True)
    answer = page.ask("GET", f"{API}/rules").json()

    assert [(each["rule"]["rule_id"], each["state"], each["put_ms"]) for each in answer["states"]["rules"]] == [
        ("r0", "in force", 0), ("r1", "not begun", 1), ("r2", "over", 2)
    ]  # fmt: skip
    assert [(each["what"], each["rule_id"], each["at_ms"]) for each in answer["changes"]] == [
        ("refused", "r9", 7), ("ended", "no-tea", 6), ("put", "no-tea", 5)
    ]  # fmt: skip


def test_an_item_is_shown_with_all_that_is_near_it(page: Page):
    """By text, before and after, how popular, and why it is in no list."""
    item = page.ask("GET", f"{API}/items/red-cup").json()
    [space] = item["spaces"]
    cosines = [near["amount"] for near in space["items"]]
    assert space["encoder"].startswith("hashing") and cosines == sorted(cosines, reverse=True)
    state = page.shop.catalog.knowledge.find_state(page.shop.catalog.find("red-cup"))
    heaviest = max(state.predecessors, key=state.predecessors.get)
    assert item["predecessors"][0]["item"]["item_id"] == heaviest
    assert 0 < item["successors"][0]["amount"] <= 1
    assert [each["half_life_h"] for each in item["popularity"]] == [1, 6, 24, 72, 168, 720, 2160]
    assert item["popularity"][-1]["events"] == pytest.approx(sum(item["counts"].values()), rel=0.01)
    assert item["why_not_listed"] == ""
    assert page.ask("GET", f"{API}/items/nothing").status_code == 404


def test_an_item_that_is_banned_says_by_what():
    """Or that its record says that it is not available."""
    page = Page()
    page.shop.catalog.put_rule(Rule("b", "ban", "ann", "no", Target(["red-cup"])))
    page.shop.catalog.put_item(Item("gone", available=False))
    banned = page.ask("GET", f"{API}/items/red-cup").json()
    assert banned["why_not_listed"] == "banned by b"
    assert [each["rule"]["rule_id"] for each in banned["rules"]] == ["b"]
    assert "not available" in page.ask("GET", f"{API}/items/gone").json()["why_not_listed"]


def test_items_are_found_by_words_and_by_id(page: Page):
    """The query may be an id."""
    found = page.ask("GET", f"{API}/search?q=white%20hose").json()
    answers = {answer["listed"]["item"]["item_id"]: answer for answer in found["answers"]}
    assert "white-hose" in [*answers][:3] and found["item_id"] is None
    assert answers["white-hose"]["words"] == 1.0 and answers["white-hose"]["meaning"] > 0.4
    assert answers["white-cup"]["words"] < 1.0 and answers["white-cup"]["meaning"] < 0.4
    assert page.ask("GET", f"{API}/search?q=white-hose").json()["item_id"] == "white-hose"
    assert page.ask("GET", f"{API}/search?q=%20").status_code == 422
    assert page.ask("GET", f"{API}/search?q=a&n=51").status_code == 400


def test_pages_of_others_get_nothing(page: Page):
    """Neither by another name of this machine, nor from another origin, nor by what needs no answer."""
    assert page.ask("GET", f"{API}/users", Host="evil.example").status_code == 403
    assert page.ask("PUT", f"{API}/rules/no-tea", BAN, Origin="http://evil.example").status_code == 403
    assert page.ask("PUT", f"{API}/rules/no-tea", BAN, Origin="http://127.0.0.1:3000").status_code == 403
    assert page.ask("GET", f"{API}/live", Sec_Fetch_Site="cross-site").status_code == 403
    assert page.ask("GET", f"{API}/users", Sec_Fetch_Site="same-site").status_code == 403
    assert page.writer.records == []
    own = page.ask("PUT", f"{API}/rules/no-tea", BAN, Origin="http://127.0.0.1:8090", Sec_Fetch_Site="same-origin")
    assert own.status_code == 202
    assert page.ask("GET", "/", Sec_Fetch_Site="cross-site").status_code == 200
    page.writer.records.clear()


def test_keys_say_who_may_look_and_who_may_rule():
    """The page itself is for everybody: it says nothing."""
    scopes = {"looks": ["read"], "rules": ["read", "admin"], "writes": ["write"]}
    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in scopes}
    keys = ApiKeys([ApiKey(name=name, sha256=digests[name], scopes=scopes[name]) for name in scopes])
    page = Page(keys)
    assert page.ask("GET", "/").status_code == 200
    assert page.ask("GET", f"{API}/about").json()["needs_key"]
    for path in ("users", "users/u1", "items/red-cup", "search?q=tea", "rules", "live"):
        assert page.ask("GET", f"{API}/{path}").status_code == 401
        assert page.ask("GET", f"{API}/{path}", key="writes").status_code == 403
    assert page.ask("GET", "/metrics", Host="dashboard:8090").status_code == 200
    assert page.ask("GET", f"{API}/users", key="looks").status_code == 200
    assert page.ask("POST", f"{API}/users/u1/what-if", {"rule": BAN}, key="looks").status_code == 200
    assert page.ask("PUT", f"{API}/rules/no-tea", BAN, key="looks").status_code == 403
    assert page.ask("DELETE", f"{API}/rules/no-tea", key="looks").status_code == 403
    assert page.writer.records == []
    assert page.ask("PUT", f"{API}/rules/no-tea", BAN, key="rules").status_code == 202
    assert [page.ask("GET", f"{API}/about", key=key).json()["may_write"] for key in ("looks", "rules")] == [False, True]


def test_while_it_begins_it_says_so():
    """503, and the page asks again."""
    page = Page()
    page.replica.why = "reading users' states: 5 offsets to go"
    assert page.ask("GET", f"{API}/users/u1").status_code == 503
    assert page.ask("GET", "/readyz").json()["why"] == page.replica.why
    assert page.ask("GET", "/healthz").status_code == 200


def test_metrics_are_those_of_the_process_and_what_it_answered():
    """As of `serve`, without a key; deploy/ has Prometheus ask for them."""
    page = Page()
    page.ask("GET", f"{API}/users/u1")
    answer = page.ask("GET", "/metrics")

    assert answer.status_code == 200
    assert 'role="dashboard"' in answer.text and "stream_rec_ready 1.0" in answer.text
    assert f'path="{API}/users/{{user_id}}"' in answer.text and "u1" not in answer.text


def test_listeners_hear_each_second_once_and_all_that_is_kept_at_first():
    """However late they come; so many at once, and their ends make room."""
    page = Page(listeners=2)
    live = page.live

    async def listen() -> None:
        page.hear(status(taken={"views": 3}))
        live.tick()
        live.tick()
        streams = [live.listen(), live.listen()]
        first = [json.loads((await anext(stream)).removeprefix(b"data: ")) for stream in streams]
        assert [len(moment["points"]) for moment in first] == [2, 2]
        assert first[0]["now"]["taken"] == {"views": 3}
        with pytest.raises(TooManyListeners, match="2 pages listen"):
            live.listen()
        live.tick()
        assert len(json.loads((await anext(streams[0])).removeprefix(b"data: "))["points"]) == 1
        await streams[0].aclose()
        assert live.n_listeners == 1
        live.listen()
        live.close()
        live.tick()
        assert [chunk async for chunk in streams[1]] == []
        assert live.n_listeners == 0

    asyncio.run(listen())


def test_the_stream_is_one_of_events(page: Page):
    """It ends when the dashboard does."""
    live = Live(page.statuses, 1)
    live.tick()

    async def first() -> bytes:
        return await anext(live.listen())

    said = asyncio.run(first())
    assert said.startswith(b"data: {") and said.endswith(b"}\n\n") and said.count(b"\n") == 2
