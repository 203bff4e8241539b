"""The Python client knows every operation and parameter of the contract, and no other."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest

pytest.importorskip("httpx")

from stream_rec.client.http import Operation, Operations
from stream_rec.client.over_http import calls
from stream_rec.client.over_http.calls import Call
from stream_rec.events import over_http
from stream_rec.events.item import Item
from stream_rec.events.over_http import Event, Filters, UserProfile
from stream_rec.events.promotion import Promotion
from stream_rec.events.rule import Rule, Target
from stream_rec.topics.definition import FOLDER

DOCUMENT = json.loads((FOLDER / "openapi.json").read_text(encoding="utf-8"))
NOT_FOR_APPS = {"/metrics"}
"""What Prometheus asks for."""
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    if path not in NOT_FOR_APPS
    for method, operation in methods.items()
}
EACH: dict[str, Any] = {
    "user_id": "ann",
    "item_id": "a",
    "rule_id": "r",
    "item_ids": ["a"],
    "q": "tea",
    "n": 5,
    "exclude": ["b"],
    "cursor": "c",
    "on_the_spot": True,
    "surface": "discover",
    "age": 30,
    "context": ["country:de"],
    "had": ["view", "click"],
    "not_had": "purchase",
    "within_days": 7.0,
    "not_shown_hours": 12.0,
    "min_score": 0.1,
    "diversity": 0.4,
    "promotions": [Promotion("sale", ["a"], [1])],
    "filters": Filters(
        category="tea",
        not_category="home",
        tag=["red"],
        any_tag=["red", "blue"],
        not_tag="old",
        attribute=["brand:Acme"],
        not_attribute="colour:grey",
        attribute_min="size:3",
        attribute_max="size:5",
        price_min=1.0,
        price_max=2.0,
    ),
    "events": [Event(event_type="click", event_id="e", user_id="ann", item_id="a")],
    "item": Item("a"),
    "profile": UserProfile(interests=["tea"]),
    "rule": Rule("r", "ban", "ann", "recalled", Target(item_ids=["a"])),
}
"""A value for each argument, none of which is left out of a request."""


def test_every_operation_is_a_method():
    """Of both clients, made of the function of its name."""
    methods = {name: each.make for name, each in vars(Operations).items() if isinstance(each, Operation)}

    assert methods == {name: getattr(calls, name) for name in OPERATIONS}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_asks_what_the_contract_says(name: str):
    """The same address, every parameter, a body where there is one, and the answer's type."""
    method, path, operation = OPERATIONS[name]
    make = getattr(calls, name)
    call: Call[object] = make(**{argument: EACH[argument] for argument in inspect.signature(make).parameters})

    assert (call.method, call.path) == (method, path)
    assert call.ids.keys() | call.query.keys() == {each["name"] for each in operation.get("parameters", [])}
    assert (call.body is not None) == ("requestBody" in operation)
    (success,) = (answer for status, answer in operation["responses"].items() if status.startswith("2"))
    reference = success["content"]["application/json"]["schema"]["$ref"]
    assert call.answer is getattr(over_http, reference.rpartition("/")[2])
    assert call.is_probe == ("429" not in operation["responses"])
