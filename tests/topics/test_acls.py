"""Permissions on the broker: each program has what it needs, no app more, and no topic is forgotten."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from stream_rec.config import Settings, override
from stream_rec.ingest_settings import AdoptedTopic, IngestSettings
from stream_rec.serving.replica import FOLLOWED, changelog_of
from stream_rec.snapshot.sections import KNOWLEDGE, SECTIONS
from stream_rec.snapshot.take import READ_BY_WORKERS, topic_of
from stream_rec.topics.acls import (
    ADMIN,
    CATALOG,
    EMBEDDER,
    EVENTS,
    EXPORT,
    HTTP,
    HTTP_RANKING,
    IMPORT,
    INGEST,
    LISTS,
    OPERATOR,
    PURPOSE,
    ROLES,
    SERVICES,
    WORKER,
    as_commands,
    as_table,
    grants,
)
from stream_rec.topics.definition import all_topics, changelogs, load

ROOT = Path(__file__).parents[2]
SETTINGS = Settings()
DEFINITIONS = [*load(), *changelogs(SETTINGS.worker.app_id)]
TOPICS = {topic.name for topic in all_topics(SETTINGS)}


def allowed(operation: str, settings: Settings = SETTINGS) -> dict[str, set[str]]:
    """Return the topics on which each principal may do something."""
    found: dict[str, set[str]] = {principal: set() for principal in PURPOSE}
    for grant in grants(settings):
        if operation in grant.operations:
            found[grant.principal] |= set(grant.topics)
    return found


def test_the_script_in_the_tree_is_what_the_command_prints():
    """After a change to topics/ or to the rules: `stream-rec topics acls > deploy/security/acls.sh`."""
    assert (ROOT / "deploy" / "security" / "acls.sh").read_text(encoding="utf-8") == as_commands(SETTINGS)


def test_the_table_in_the_tree_is_what_the_command_prints():
    """As `stream-rec topics acls --table` does."""
    assert as_table(SETTINGS) in (ROOT / "deploy" / "security" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("topic", DEFINITIONS, ids=lambda topic: topic.name)
def test_whoever_the_definition_names_may_and_no_other_program_of_ours(topic):
    """The rules follow `written_by` and `read_by`; a role that nobody has would be a topic that nobody can use."""
    roles = {role for names in ROLES.values() for role in names} | {"apps", *SERVICES.values()}
    assert {*topic.written_by, *topic.read_by} <= roles
    for principal, names in ROLES.items():
        assert (topic.name in allowed("Write")[principal]) == bool(names & set(topic.written_by))
        assert (topic.name in allowed("Read")[principal]) == bool(names & set(topic.read_by))


def test_whoever_runs_until_it_is_told_to_stop_may_say_how_it_is():
    """Workers, embedders and services; nobody else can speak for them."""
    writers = {principal for principal, topics in allowed("Write").items() if "status" in topics}

    assert writers == ROLES.keys() | SERVICES.keys()
    for principal, service in SERVICES.items():
        assert {topic.name for topic in DEFINITIONS if service in topic.written_by} <= allowed("Write")[principal]


def test_each_topic_is_written_by_some_principal_and_made_by_the_admin_alone():
    """None is forgotten; nobody else makes topics."""
    assert set().union(*allowed("Write").values()) == TOPICS
    assert allowed("Create") == {principal: TOPICS if principal == ADMIN else set() for principal in PURPOSE}


def test_each_topic_that_is_for_apps_is_read_by_some_principal():
    """Receipts, too: who has a user forgotten waits for them."""
    of_apps = {topic.name for topic in DEFINITIONS if "apps" in topic.read_by}

    assert of_apps <= set().union(*(allowed("Read")[principal] for principal in PURPOSE.keys() - ROLES.keys()))


def test_a_snapshot_is_taken_by_who_writes_nothing_and_written_by_who_reads_nothing():
    """Each reaches the topics of its command, as ``stream_rec/snapshot`` names them, and no other."""
    contents = {topic_of(section, SETTINGS.worker.app_id) for section in SECTIONS}

    assert allowed("Read")[EXPORT] == contents
    assert allowed("Write")[IMPORT] == contents | {KNOWLEDGE}
    assert allowed("Write")[EXPORT] == allowed("Read")[IMPORT] == set()
    assert allowed("Describe")[EXPORT] == set(READ_BY_WORKERS)


def test_who_may_delete_a_user():
    """Who speaks for users; not who copies or moves a pipeline, and no app that sends items or shows lists."""
    assert {principal for principal, topics in allowed("Write").items() if "forget" in topics} == {
        EVENTS,
        HTTP,
        HTTP_RANKING,
        INGEST,
        OPERATOR,
    }


def test_apps_reach_no_internal_topic():
    """What the stages tell each other is binary and trusted: no app writes or reads it, nor the lists of others."""
    internal = {topic.name for topic in DEFINITIONS if topic.is_binary} | {"recommendations"}
    for principal in (EVENTS, CATALOG, OPERATOR, LISTS, HTTP):
        assert not allowed("Write")[principal] & internal
        assert allowed("Read")[principal] & internal <= {"recommendations"}
    assert allowed("Read")[EVENTS] == allowed("Read")[CATALOG] == allowed("Write")[LISTS] == set()


def test_who_ranks_over_http_reads_what_a_worker_ranks_from_and_writes_no_more_than_who_does_not():
    """Users' states among it; nothing that stages tell each other is written, and no group is joined."""
    own = f"{SETTINGS.worker.app_id}-user-state-changelog"

    assert allowed("Write")[HTTP_RANKING] == allowed("Write")[HTTP]
    assert allowed("Read")[HTTP_RANKING] - allowed("Read")[HTTP] == {*FOLLOWED, changelog_of(SETTINGS)} - {"items"}
    assert changelog_of(SETTINGS) == own
    assert allowed("Read")[HTTP_RANKING] - {"recommendations"} <= allowed("Read")[WORKER]


def test_the_programs_of_two_pipelines_stay_apart():
    """With a prefix, users, topics and groups all begin with it."""
    settings = override(SETTINGS, {"kafka.topic_prefix": "acme."})

    for grant in grants(settings):
        assert all(name.startswith("acme.") for name in (*grant.topics, *grant.groups))
    assert "User:stream-rec" not in as_commands(settings)
    assert "User:acme.stream-rec-worker" in as_commands(settings)


def test_who_ingests_may_read_what_is_adopted():
    """By the full names of those topics, whatever the prefix of ours."""
    adopted = IngestSettings(topics={"orders": AdoptedTopic(name="shop.orders")})
    settings = msgspec.structs.replace(override(SETTINGS, {"kafka.topic_prefix": "acme."}), ingest=adopted)

    reads = [grant.topics for grant in grants(settings) if grant.principal == INGEST and grant.operations == ("Read",)]
    assert reads == [("shop.orders",), ()]


def test_groups_are_those_that_the_programs_use():
    """The worker's by its name; an embedder's begins so, for its end depends on the encoder. Others join none."""
    groups = {grant.principal: (grant.operations, grant.groups) for grant in grants(SETTINGS) if grant.groups}

    assert {grant.principal for grant in grants(SETTINGS) if grant.is_prefix} == {EMBEDDER}
    assert groups == {
        WORKER: (("Read",), ("stream-rec",)),
        EMBEDDER: (("Read",), ("embedder-",)),
        INGEST: (("Read",), ("ingest",)),
        **dict.fromkeys((LISTS, OPERATOR, EXPORT, IMPORT), (("Describe",), ("stream-rec",))),
    }
