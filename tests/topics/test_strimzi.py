"""What Strimzi's operators would make is what `topics create` and `topics acls` make."""

from __future__ import annotations

import re

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from stream_rec.cli import cli
from stream_rec.config import Settings, override
from stream_rec.topics.acls import PURPOSE, grants, user_of
from stream_rec.topics.definition import all_topics
from stream_rec.topics.strimzi import as_topics, as_users, resource_name

PLAIN = Settings()
PREFIXED = override(PLAIN, {"kafka.topic_prefix": "Shop_", "kafka.partitions": 8, "kafka.replication_factor": 3})
NAME = {
    "type": "string",
    "maxLength": 253,
    "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
}

each_settings = pytest.mark.parametrize("settings", [PLAIN, PREFIXED], ids=["plain", "prefixed"])


def an_object(**properties: object) -> dict[str, object]:
    """Return the schema of an object with these properties, of which those that end in `_` may lack, and no others."""
    required = [name for name in properties if not name.endswith("_")]
    return {
        "type": "object",
        "properties": {name.rstrip("_"): schema for name, schema in properties.items()},
        "required": required,
        "additionalProperties": False,
    }


def a_resource(kind: str, spec: dict[str, object]) -> dict[str, object]:
    """Return the schema of a resource, closed: what Strimzi does not document is not written."""
    return an_object(
        apiVersion={"const": "kafka.strimzi.io/v1"},
        kind={"const": kind},
        metadata=an_object(
            name=NAME,
            labels={"type": "object", "properties": {"strimzi.io/cluster": NAME}, "required": ["strimzi.io/cluster"]},
            annotations_={"type": "object", "additionalProperties": {"type": "string"}},
        ),
        spec=spec,
    )


TEXT = {"type": "string", "minLength": 1}
TOPIC = a_resource(
    "KafkaTopic",
    an_object(
        topicName_=TEXT,
        partitions={"type": "integer", "minimum": 1},
        replicas={"type": "integer", "minimum": 1, "maximum": 32_767},
        config={"type": "object", "additionalProperties": {"type": "string"}},
    ),
)
OPERATIONS = [
    *("Read", "Write", "Create", "Delete", "Alter", "Describe", "ClusterAction"),
    *("AlterConfigs", "DescribeConfigs", "IdempotentWrite", "All"),
]
ACL = an_object(
    resource=an_object(
        type={"enum": ["topic", "group", "cluster", "transactionalId"]},
        name=TEXT,
        patternType={"enum": ["literal", "prefix"]},
    ),
    operations={"type": "array", "items": {"enum": OPERATIONS}, "minItems": 1, "uniqueItems": True},
)
USER = a_resource(
    "KafkaUser",
    an_object(
        userName_=TEXT,
        authentication=an_object(type={"const": "scram-sha-512"}),
        authorization=an_object(type={"const": "simple"}, acls={"type": "array", "items": ACL, "minItems": 1}),
    ),
)


def named(resource: dict, field: str) -> str:
    """Return what a resource is called in Kafka."""
    return resource["spec"].get(field, resource["metadata"]["name"])


@each_settings
def test_each_topic_is_a_resource_that_strimzi_takes(settings):
    """With the partitions, replicas and configuration that `topics create` gives it."""
    resources = list(yaml.safe_load_all(as_topics(settings, "events")))

    for resource in resources:
        jsonschema.validate(resource, TOPIC)
        assert resource["metadata"]["labels"] == {"strimzi.io/cluster": "events"}
    made = {
        (
            named(one, "topicName"),
            one["spec"]["partitions"],
            one["spec"]["replicas"],
            tuple(one["spec"]["config"].items()),
        )
        for one in resources
    }
    assert made == {(t.name, t.partitions, t.replication_factor, tuple(t.config.items())) for t in all_topics(settings)}
    assert len({one["metadata"]["name"] for one in resources}) == len(resources)


def test_a_name_that_yaml_takes_for_something_else_stays_a_name():
    """A cluster may be called `on`."""
    (first, *_) = yaml.safe_load_all(as_topics(PLAIN, "on"))

    assert first["metadata"]["labels"] == {"strimzi.io/cluster": "on"}


def test_who_logs_in_with_tokens_gets_no_password():
    """Permissions alone: the OIDC provider knows who they are."""
    tokens = {"kafka.security_protocol": "SASL_SSL", "kafka.sasl_mechanism": "OAUTHBEARER"}
    users = list(yaml.safe_load_all(as_users(override(PLAIN, tokens), "events")))

    assert [user for user in users if "authentication" in user["spec"]] == []
    assert len(users) == len(list(yaml.safe_load_all(as_users(PLAIN, "events"))))


@each_settings
def test_each_principal_is_a_user_with_all_its_grants(settings):
    """And no other: what is granted comes to the same as what kafka-acls.sh is told."""
    resources = list(yaml.safe_load_all(as_users(settings, "events")))

    for resource in resources:
        jsonschema.validate(resource, USER)
    made = {
        (
            named(one, "userName"),
            acl["resource"]["type"],
            acl["resource"]["name"],
            acl["resource"]["patternType"],
            operation,
        )
        for one in resources
        for acl in one["spec"]["authorization"]["acls"]
        for operation in acl["operations"]
    }
    expected = {
        (user_of(grant.principal, settings), kind, name, "prefix" if grant.is_prefix else "literal", operation)
        for grant in grants(settings)
        for kind, names in (("topic", grant.topics), ("group", grant.groups))
        for name in names
        for operation in grant.operations
    }
    assert made == expected
    assert len(resources) == len(PURPOSE)


@pytest.mark.parametrize("name", ["Shop_views", "shop_views", "shop.-views", "-views", "v" * 300, "_", "a..b"])
def test_what_kubernetes_does_not_take_gets_a_name_that_it_does(name):
    """Two names never become one."""
    assert re.fullmatch(NAME["pattern"], resource_name(name))
    assert len(resource_name(name)) <= 253
    assert resource_name(name) != resource_name(f"{name}_")


@pytest.mark.parametrize(("command", "kind"), [("list", "KafkaTopic"), ("acls", "KafkaUser")])
def test_the_commands_print_them(command, kind):
    """No broker is asked."""
    shown = CliRunner().invoke(cli, ["topics", command, "--strimzi", "events"])

    assert shown.exit_code == 0
    assert {one["kind"] for one in yaml.safe_load_all(shown.stdout)} == {kind}


@pytest.mark.parametrize("arguments", [["list", "--json"], ["acls", "--table"]])
def test_two_forms_at_once_are_refused(arguments):
    """Rather than one of them silently."""
    shown = CliRunner().invoke(cli, ["topics", *arguments, "--strimzi", "events"])

    assert shown.exit_code == 2
    assert "choose one" in shown.stderr
