"""A real Redis and a real PostgreSQL do what a target has to: all of a change with its bookmark, or nothing."""

from __future__ import annotations

import json
import os
import signal
import threading
import time

import msgspec
import pytest

from stream_rec.errors import SettingsError, TargetUnavailable
from stream_rec.events.slate import Slate
from stream_rec.events.surfaces import Surfaces
from stream_rec.sink.copying import Copier, CopyCounts
from stream_rec.sink.known_targets import new_target
from stream_rec.sink.target import BookmarkChanged, Change, Target, Turn
from stream_rec.sink_settings import SinkSettings
from tests.sink.conftest import settings_for
from tests.sink.fakes import TOPICS, FakeCluster, FakeSource, list_of, surfaces_of
from tests.sink.held import PostgresqlStore, RedisStore, Store, new_store
from tests.sink.servers import Server

FIRST, SECOND, THIRD = Turn(None, b'{"n":1}'), Turn(b'{"n":1}', b'{"n":2}'), Turn(b'{"n":2}', b'{"n":3}')


@pytest.fixture
def target(store: Store):
    target = new_target(store.settings)
    target.open()
    yield target
    target.close()


def put(user: str, value: bytes | None, *, topic: str = "recommendations", generation: int = 1, whole: bool = True):
    kind = Slate if topic == "recommendations" else Surfaces
    made = None if value is None else msgspec.json.decode(value, type=kind)
    return Change(topic, user, value, made, generation, whole)


def test_values_are_put_deleted_and_put_over(store: Store, target: Target):
    """Whatever ids are: text of any language, what a pattern or a key would take for something else, the default."""
    users = ("ann", "*", "a:b", "Jürgen", "山", "a%b'c\\d\"e", "[x]?")
    target.write([put(user, list_of(user, "cup")) for user in users], FIRST)
    assert store.held() == {("recommendations", user): list_of(user, "cup") for user in users}

    pushed = put("ann", surfaces_of("ann", "jug"), topic="surfaces")
    target.write([put("ann", list_of("ann", "pot")), put("*", None), put("nobody", None), pushed], SECOND)

    assert target.read_bookmark() == SECOND.after
    rest = {("recommendations", user): list_of(user, "cup") for user in users if user not in ("ann", "*")}
    assert store.held() == rest | {
        ("recommendations", "ann"): list_of("ann", "pot"),
        ("surfaces", "ann"): surfaces_of("ann", "jug"),
    }


@pytest.mark.parametrize("turn", [Turn(None, b"x"), Turn(b'{"n":7}', b"x")])
def test_nothing_changes_where_the_bookmark_is_another(store: Store, target: Target, turn: Turn):
    """Whatever was to be done."""
    target.write([put("ann", list_of("ann"), whole=False)], FIRST)
    held = store.held()

    for act in (
        lambda: target.write([put("ann", list_of("ann", "pot")), put("bob", list_of("bob"))], turn),
        lambda: target.begin("recommendations", turn),
        lambda: target.sweep("recommendations", 9, Turn(b"other", b"x")),
    ):
        with pytest.raises(BookmarkChanged):
            act()

    assert (store.held(), target.read_bookmark()) == (held, FIRST.after)


def test_of_two_that_write_at_once_one_does(store: Store):
    """The other one's values are not there."""
    targets = [new_target(store.settings) for _ in range(2)]
    targets[0].open()
    targets[0].write([], FIRST)
    began, moved = threading.Barrier(2), []

    def write(number: int) -> None:
        targets[number].open()
        for n in range(30):
            turn = Turn(b'{"n":%d}' % (n + 1), b'{"n":%d}' % (n + 2))
            began.wait()
            try:
                targets[number].write([put(user, list_of(user, str(number), str(n))) for user in "abc"], turn)
            except BookmarkChanged:
                moved.append((number, n))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(n for _, n in moved) == list(range(30))
    winner = 1 - next(number for number, n in moved if n == 29)
    assert store.held() == {("recommendations", user): list_of(user, str(winner), "29") for user in "abc"}
    for target in targets:
        target.close()


def test_a_sweep_deletes_what_a_generation_has_not_put(store: Store, target: Target):
    """Of its topic alone, and nothing that is not the sink's."""
    target.write([put(user, list_of(user)) for user in ("ann", "bob", "eve")], FIRST)
    target.write([put("ann", surfaces_of("ann"), topic="surfaces")], SECOND)
    target.begin("recommendations", THIRD)
    turns = [Turn(b'{"n":%d}' % n, b'{"n":%d}' % (n + 1)) for n in range(3, 9)]
    new = [put(user, list_of(user, "new"), generation=2, whole=False) for user in ("bob", "fay", "gus")]
    target.write(new, turns[0])
    target.write([put("gus", None, generation=2, whole=False)], turns[1])
    assert len(store.held()) == 5

    target.sweep("recommendations", 2, turns[2])

    kept = {("recommendations", user): list_of(user, "new") for user in ("bob", "fay")}
    assert store.held() == kept | {("surfaces", "ann"): surfaces_of("ann")}
    assert target.read_bookmark() == turns[2].after
    target.begin("recommendations", turns[3])
    target.sweep("recommendations", 3, turns[4])
    assert store.held() == {("surfaces", "ann"): surfaces_of("ann")}


def test_a_generation_that_was_given_up_leaves_nothing(store: Store, target: Target):
    """As where a topic is made again while it is read for the first time."""
    target.write([], FIRST)
    turns = [Turn(b'{"n":%d}' % n, b'{"n":%d}' % (n + 1)) for n in range(1, 6)]
    for generation, user in ((1, "ann"), (2, "bob")):
        target.begin("recommendations", turns[2 * generation - 2])
        target.write([put(user, list_of(user), generation=generation, whole=False)], turns[2 * generation - 1])

    target.sweep("recommendations", 2, turns[4])

    assert store.held() == {("recommendations", "bob"): list_of("bob")}


def test_a_sweep_of_many_goes_through_all(store: Store, target: Target, monkeypatch: pytest.MonkeyPatch):
    """A part at a time."""
    monkeypatch.setattr("stream_rec.sink.postgresql_target.SWEPT_ROWS", 7)
    monkeypatch.setattr("stream_rec.sink.redis_target.SCAN_KEYS", 7)
    target.write([put(f"u{n}", list_of(f"u{n}")) for n in range(50)], FIRST)
    target.begin("recommendations", SECOND)
    target.write([put(f"u{n}", list_of(f"u{n}"), generation=2, whole=False) for n in range(0, 50, 3)], THIRD)

    target.sweep("recommendations", 2, Turn(THIRD.after, b'{"n":4}'))

    assert {user for _, user in store.held()} == {f"u{n}" for n in range(0, 50, 3)}


def test_topics_that_come_to_be_and_go_are_equal_in_a_real_target(store: Store):
    """The whole way: fill, begin anew, sweep, and heal what was lost with its bookmark."""
    cluster, target = FakeCluster(), new_target(store.settings)
    copier = Copier(FakeSource(cluster), target, TOPICS, CopyCounts(), now_ms=lambda: cluster.now_ms)

    def copy() -> None:
        target.open()
        copier.resume()
        for _ in range(20):
            copier.step(0.0)
        assert copier.is_current and store.held() == cluster.newest()

    for n in range(9):
        cluster.lists.put(f"u{n}", list_of(f"u{n}"))
        cluster.surfaces.put(f"u{n}", surfaces_of(f"u{n}", "cup"))
    copy()
    cluster.lists.put("u1", None)
    cluster.lists.put("*", list_of("*"))
    copy()
    cluster.make_again("t-recommendations")
    cluster.lists.put("u2", list_of("u2", "new"))
    copy()
    store.forget_all()
    copy()
    target.close()


def test_what_an_earlier_sink_left_without_a_bookmark_goes(store: Store):
    """A first reading ends with a sweep, too."""
    cluster, target = FakeCluster(), new_target(store.settings)
    target.open()
    store.put("recommendations", "left", list_of("left"))
    copier = Copier(FakeSource(cluster), target, TOPICS, CopyCounts(), now_ms=lambda: cluster.now_ms)

    copier.resume()
    assert store.held() == {}
    target.close()


def test_a_list_in_a_row_can_be_asked_for(postgresql_one: Server):
    """Its items are JSON to the database, also where a word of a user holds a NUL."""
    settings = settings_for(postgresql_one)
    store, target = PostgresqlStore(settings), new_target(settings)
    target.open()
    value = list_of("ann", "cup", "pot").replace(b'"similar","item_id":"cup"', b'"interest","interest":"\\\\\\u0000x"')
    assert b"u0000" in value
    target.write([put("ann", value), put("ann", surfaces_of("ann", "jug"), topic="surfaces")], FIRST)

    [(list_id, at, ids, word)] = store.ask(
        "SELECT list_id, extract(epoch FROM generated_at), jsonb_path_query_array(items, '$[*].item_id'), "
        f"items #>> '{{0,reason,interest}}' FROM {settings.table} WHERE topic = 'recommendations' AND user_id = 'ann'"
    )
    [(again,)] = store.ask(
        f"SELECT items #>> '{{again,0,item_id}}' FROM {settings.table} WHERE topic = 'surfaces' AND user_id = 'ann'"
    )

    assert (list_id, at, ids, word) == (
        "ann-1700000000000-cup-pot",
        1_700_000_000,
        ["cup", "pot"],
        "\\\N{REPLACEMENT CHARACTER}x",
    )
    assert again == "jug" and store.held()["recommendations", "ann"] == value
    store.close()
    target.close()


def test_lists_expire_where_they_are_to_and_the_default_list_does_not(redis_one: Server):
    """Nor does the bookmark."""
    settings = settings_for(redis_one, ttl_s=100)
    store, target = RedisStore(settings), new_target(settings)
    target.open()
    target.write([put("ann", list_of("ann")), put("*", list_of("*"))], FIRST)

    ttl = {name: store.client.ttl(f"{settings.prefix}{name}") for name in ("recommendations:ann", "recommendations:*")}
    assert 90 < ttl["recommendations:ann"] <= 100 and ttl["recommendations:*"] == -1
    assert store.client.ttl(f"{settings.prefix}sink:bookmark") == -1
    store.close()
    target.close()


def test_a_prefix_is_no_pattern(redis_one: Server):
    """A sweep deletes nothing of another pipeline's."""
    settings = msgspec.structs.replace(settings_for(redis_one), prefix="[ab]*?\\:")
    other = RedisStore(msgspec.structs.replace(settings, prefix="axx:"))
    other.put("recommendations", "ann", b"{}")
    other.client.set("a:\\:recommendations:ann", b"{}")
    store, target = RedisStore(settings), new_target(settings)
    target.open()
    target.write([put("ann", list_of("ann"))], FIRST)
    target.begin("recommendations", SECOND)
    target.sweep("recommendations", 2, THIRD)

    assert store.client.get("[ab]*?\\:recommendations:ann") is None
    assert other.held() == {("recommendations", "ann"): b"{}"} and other.client.get("a:\\:recommendations:ann")
    for each in (store, other, target):
        each.close()


def test_who_may_not_make_tables_writes_to_those_that_are_there(postgresql_one: Server):
    """As an operator has it who makes them beforehand."""
    settings = settings_for(postgresql_one)
    owner, table = PostgresqlStore(settings), settings.table
    target = new_target(settings)
    target.open()
    target.close()
    owner.ask("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    owner.ask(f"CREATE USER {table} PASSWORD 'other'")
    owner.ask(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table}, {table}_bookmark TO {table}")
    url = settings.url.replace("//lists@", f"//{table}@")

    with_less = new_target(msgspec.structs.replace(settings, url=url, password="other"))
    with_less.open()
    with_less.write([put("ann", list_of("ann"))], FIRST)
    with_less.close()
    without = new_target(msgspec.structs.replace(settings, url=url, password="other", table=f"{table}_x"))
    with pytest.raises(TargetUnavailable, match="permission denied"):
        without.open()

    assert owner.held() == {("recommendations", "ann"): list_of("ann")}
    owner.close()


def test_a_database_that_cannot_hold_every_id_is_refused(postgresql_one: Server):
    """Before the first user whose name has other letters comes."""
    settings = settings_for(postgresql_one)
    owner, name = PostgresqlStore(settings), settings.table
    owner.ask(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0")
    owner.close()

    with pytest.raises(SettingsError, match="SQL_ASCII"):
        new_target(msgspec.structs.replace(settings, url=settings.url.replace("/postgres", f"/{name}"))).open()


@pytest.mark.parametrize("kind", ["redis", "postgresql"])
def test_a_target_that_says_nothing_is_given_up(kind: str, request: pytest.FixtureRequest):
    """In its time: a server that hangs, with its connections open."""
    server: Server = request.getfixturevalue(f"{kind}_one")
    settings = settings_for(server, timeout_s=1.0)
    target, store = new_target(settings), new_store(settings)
    target.open()
    target.write([], FIRST)
    pid = server.process.pid if isinstance(store, RedisStore) else target._connection.info.backend_pid
    began = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(TargetUnavailable):
            target.write([put("ann", list_of("ann"))], SECOND)
        took_s = time.monotonic() - began
    finally:
        os.kill(pid, signal.SIGCONT)
    target.open()

    assert took_s < 10
    assert target.read_bookmark() in (FIRST.after, SECOND.after)
    store.close()
    target.close()


@pytest.mark.parametrize("kind", ["redis", "postgresql"])
def test_a_target_says_why_it_does_not_let_us_in(kind: str, request: pytest.FixtureRequest):
    """And never with which password it was asked."""
    server: Server = request.getfixturevalue(f"{kind}_one")
    settings = settings_for(server)
    away = settings.url.rpartition(":")[0] + ":1/0"

    for wrong, words in (({"password": "hunter2"}, "password|WRONGPASS"), ({"url": away}, "refused|Connection")):
        with pytest.raises(TargetUnavailable, match=words) as raised:
            new_target(msgspec.structs.replace(settings, **wrong)).open()
        assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "sink.url is not set"),
        ({"url": "postgresql://h/d", "ttl_s": 5}, "ttl_s is for Redis"),
        ({"url": "postgresql://h/d?colour=red"}, "colour"),
        ({"url": "redis://h?db=red"}, "db"),
        ({"url": "redis://h?colour=red"}, "colour"),
    ],
)
def test_what_is_no_target_is_a_wrong_setting(values: dict[str, object], words: str):
    """A person must correct it."""
    pytest.importorskip("redis")
    pytest.importorskip("psycopg")
    with pytest.raises(SettingsError, match=words):
        new_target(SinkSettings(**values)).open()


def test_the_bookmark_can_be_read_by_a_person(store: Store):
    """It is JSON, and says how far each partition is."""
    cluster, target = FakeCluster(n_partitions=1), new_target(store.settings)
    target.open()
    cluster.lists.put("ann", list_of("ann"))
    copier = Copier(FakeSource(cluster), target, TOPICS, CopyCounts(), now_ms=lambda: cluster.now_ms)
    copier.resume()
    copier.step(0.0)

    [reached, _] = json.loads(target.read_bookmark())["readings"]["t-recommendations"]["partitions"]["0"]
    assert reached == 1
    target.close()
