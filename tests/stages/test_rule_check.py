"""The rule check: what is wrong is said, and a rule survives a bad record in its place."""

from __future__ import annotations

import msgspec
import pytest

from stream_rec.catalog import rules as module
from stream_rec.catalog.rules import Rules
from stream_rec.events.rejected import Rejected
from stream_rec.events.rule import Rule, Target
from stream_rec.stages import rule_check
from stream_rec.stages.rule_check import LatestRules, check
from stream_rec.telemetry.counts import Counts
from tests.stages.stage import SETTINGS, Message

BAN = Rule("r", "ban", "ann", "recalled", Target(tag="x"))
BAD = b'{"rule_id": "r", "action": "cap"}'


def message(value: bytes | None, offset: int = 0, key: bytes = b"r", **fields: object) -> Message:
    return Message(key, value, offset, "rules", **fields)


def known(*rules: Rule) -> Rules:
    found = Rules(lambda target: ())
    for rule in rules:
        found.put(rule)
    return found


def checked(rules: Rules, *messages: Message, latest: LatestRules | None = None) -> tuple[list[Rule], list[Rejected]]:
    """Return what was put again, and what was said."""
    sends = check(messages, rules, latest or LatestRules(), SETTINGS, Counts())
    assert all(send.key == b"r" for send in sends if send.topic == "rules")
    return (
        [msgspec.json.decode(send.value, type=Rule) for send in sends if send.topic == "rules"],
        [msgspec.json.decode(send.value, type=Rejected) for send in sends if send.topic == "rejected"],
    )


def test_good_records_cause_nothing():
    """Nor does a rule's end."""
    assert checked(known(), message(msgspec.json.encode(BAN)), message(None, 1)) == ([], [])


def test_a_rule_is_put_again_behind_a_bad_record():
    """Else the topic would hold the bad one alone, and a worker that starts after it no ban."""
    put_again, said = checked(known(BAN), message(BAD))

    assert put_again == [BAN]
    assert [each.reason for each in said] == ["wrong_type"]
    assert said[0].detail.endswith("; the last good record of r is put again")


def test_where_no_rule_was_there_is_none_to_be_put():
    """A bad record is set aside all the same."""
    put_again, said = checked(known(), message(BAD))

    assert put_again == [] and [each.reason for each in said] == ["wrong_type"]


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([message(BAD), message(None, 1)], []),
        ([message(None), message(BAD, 1)], []),
        ([message(BAD), message(msgspec.json.encode(BAN), 1)], []),
        ([message(msgspec.json.encode(msgspec.structs.replace(BAN, reason="new"))), message(BAD, 1)], ["new"]),
        ([message(BAD), message(BAD, 1)], ["recalled"]),
    ],
)
def test_what_comes_with_a_bad_record_counts(messages, expected):
    """What stands behind it is newer, and what stands before it is the last good one, whatever the catalog knows."""
    put_again, _ = checked(known(BAN), *messages)

    assert [rule.reason for rule in put_again] == expected


NEWER = msgspec.structs.replace(BAN, reason="newer")


@pytest.mark.parametrize(("value", "expected"), [(msgspec.json.encode(NEWER), [NEWER]), (None, [])])
def test_what_was_read_here_counts_though_the_catalog_is_behind(value, expected):
    """Its own reader may still know the rule of before; a rule that is over does not come back."""
    latest, behind = LatestRules(), known(BAN)
    assert checked(behind, message(value, 7), latest=latest) == ([], [])

    assert checked(behind, message(BAD, 8), latest=latest)[0] == expected
    assert checked(behind, message(BAD, 9), latest=latest)[0] == expected


def test_where_others_have_read_meanwhile_the_catalog_counts():
    """A gap before a record says so: the partition may have been another worker's."""
    latest = LatestRules()
    checked(known(), message(msgspec.json.encode(BAN), 7), latest=latest)

    assert checked(known(NEWER), message(BAD, 20), latest=latest)[0] == [NEWER]


def test_what_is_remembered_of_rules_is_bounded(monkeypatch):
    """The oldest is forgotten, and asked of the catalog again."""
    monkeypatch.setattr(rule_check, "REMEMBERED", 2)
    latest = LatestRules()
    for offset, key in enumerate("abc"):
        rule = msgspec.structs.replace(BAN, rule_id=key)
        check([message(msgspec.json.encode(rule), offset, key.encode())], known(), latest, SETTINGS, Counts())

    assert list(latest._found[0]) == [b"b", b"c"]


def test_a_bad_record_in_a_partition_of_another_key_displaces_nothing():
    """The good one is not there."""
    settings = msgspec.structs.replace(SETTINGS, kafka=msgspec.structs.replace(SETTINGS.kafka, partitions=64))
    sends = check(
        [message(BAD, partition=partition) for partition in range(64)], known(BAN), LatestRules(), settings, Counts()
    )

    assert sum(send.topic == "rules" for send in sends) == 1
    assert sum(send.topic == "rejected" for send in sends) == 64


def test_a_rule_beyond_the_bound_says_who_waits(monkeypatch):
    """It itself, or one that yields to it."""
    monkeypatch.setattr(module, "MOST", 2)
    others = [msgspec.structs.replace(BAN, rule_id="a"), Rule("b", "boost", "ann", "x", Target(tag="x"), factor=2.0)]
    ban = message(msgspec.json.encode(BAN))
    _, said = checked(known(*others), ban)
    assert said[0].reason == "bad_rule" and "this is one more: b must wait" in said[0].detail

    _, said = checked(known(*others, BAN), ban)  # the catalog was sooner
    assert "b must wait" in said[0].detail
    _, said = checked(known(others[0], msgspec.structs.replace(others[0], rule_id="b")), ban)
    assert "r must wait" in said[0].detail
    assert checked(known(others[0]), ban) == ([], [])
