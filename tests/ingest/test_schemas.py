"""Records of Avro and Protobuf, by a schema registry: what they become, and what is said where they cannot be read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pytest
from confluent_kafka.schema_registry import (
    SchemaRegistryClient,
    header_schema_id_serializer,
    topic_subject_name_strategy,
)
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.type import money_pb2
from hypothesis import given
from hypothesis import strategies as st

from stream_rec.errors import RegistryRefused, RegistryUnavailable, SettingsError
from stream_rec.events.validate import InputLimits, Rejection
from stream_rec.ingest import registry as asking
from stream_rec.ingest import schemas
from stream_rec.ingest.foreign_record import ForeignRecord
from stream_rec.ingest.formats import Decoder, JsonDecoder, read_content
from stream_rec.ingest.mapping import Mapper
from stream_rec.ingest.schemas import ASK_AGAIN_AFTER, KEY_HEADER, VALUE_HEADER, open_decoder
from stream_rec.ingest_settings import AdoptedTopic, RegistrySettings
from tests.ingest.apicurio import apicurio
from tests.ingest.fake_registry import FakeRegistry, fake_registry
from tests.security.secured_broker import certificates

TOPIC = "shop.clicks"
BY_TOPIC = {"subject.name.strategy": topic_subject_name_strategy}
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried again is at once."""
    monkeypatch.setattr(asking, "RETRY_WAIT_MS", 1)


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with fake_registry() as registry:
        yield registry


@pytest.fixture(scope="module")
def shared_registry() -> Iterator[FakeRegistry]:
    """One for all examples of a property."""
    with fake_registry() as registry:
        yield registry


def opened(registry: FakeRegistry | RegistrySettings, format: Any) -> Decoder:
    settings = registry if isinstance(registry, RegistrySettings) else registry.settings
    return open_decoder(AdoptedTopic(name=TOPIC, format=format), settings)


def framed(schema_id: int, payload: bytes) -> bytes:
    return b"\0" + schema_id.to_bytes(4, "big") + payload


def rejection(value: Any) -> tuple[str, str]:
    assert isinstance(value, Rejection), value
    return value.reason, value.detail


def record(name: str = "Click", /, **fields: Any) -> dict[str, Any]:
    """Return a schema of Avro."""
    return {"type": "record", "name": name, "fields": [{"name": n, "type": t} for n, t in fields.items()]}


def avro_serializer(registry: FakeRegistry, schema: Any, **conf: Any) -> Callable[..., bytes]:
    """Return what a producer with Confluent's library calls."""
    client = SchemaRegistryClient({"url": registry.url})
    serializer = AvroSerializer(client, json.dumps(schema), conf=BY_TOPIC | conf)

    def serialize(value: Any, field: str = MessageField.VALUE, headers: dict[str, bytes] | None = None) -> bytes:
        return bytes(serializer(value, SerializationContext(TOPIC, field, headers)) or b"")

    return serialize


# Avro

RICH = record(
    user={"type": "record", "name": "User", "fields": [{"name": "id", "type": "long"}, {"name": "of", "type": "Kind"}]},
    at={"type": "long", "logicalType": "timestamp-millis"},
    day=["null", {"type": "int", "logicalType": "date"}],
    price=["null", {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}],
    session={"type": "string", "logicalType": "uuid"},
    tags={"type": "array", "items": "string"},
    facts={"type": "map", "values": ["null", "double", "string"]},
    picture="bytes",
    first="boolean",
)
RICH["fields"].insert(
    0, {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["VIEW", "CLICK", "PURCHASE"]}}
)
KINDS = st.sampled_from(["VIEW", "CLICK", "PURCHASE"])
RICH_VALUES = st.fixed_dictionaries(
    {
        "kind": KINDS,
        "user": st.fixed_dictionaries({"id": st.integers(-(2**63), 2**63 - 1), "of": KINDS}),
        "at": st.integers(0, 4 * 10**12).map(lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)),
        "day": st.none() | st.dates(),
        "price": st.none() | st.integers(-(10**11), 10**11).map(lambda cents: Decimal(cents).scaleb(-2)),
        "session": st.uuids(),
        "tags": st.lists(st.text(), max_size=5),
        "facts": st.dictionaries(st.text(), st.none() | st.floats(allow_nan=False) | st.text(), max_size=5),
        "picture": st.binary(max_size=50),
        "first": st.booleans(),
    }
)


@pytest.fixture(scope="module")
def rich(shared_registry: FakeRegistry) -> tuple[Callable[..., bytes], Decoder]:
    return avro_serializer(shared_registry, RICH), opened(shared_registry, "avro")


class TestAvro:
    @given(value=RICH_VALUES)
    def test_a_record_is_read_as_it_was_written(self, rich: tuple[Callable[..., bytes], Decoder], value: Any):
        """By Confluent's own serializer: unions, records in records, lists, maps, enumerations and logical types."""
        serialize, decoder = rich

        assert decoder.value(TOPIC, serialize(value)) == value

    def test_each_record_is_read_by_the_schema_that_wrote_it(self, registry: FakeRegistry):
        """Old and new ones stand side by side on a topic; each schema is asked for once."""
        versions = [record(id="long"), record(id="long", name="string"), record(name="string", id="string")]
        values = [{"id": 5}, {"id": 6, "name": "pot"}, {"name": "cup", "id": "7"}]
        written = [avro_serializer(registry, schema)(value) for schema, value in zip(versions, values)]
        registry.asked.clear()
        decoder = opened(registry, "avro")

        assert [decoder.value(TOPIC, each) for each in (*written, *reversed(written))] == [*values, *reversed(values)]
        assert registry.asked == ["/schemas/ids/1", "/schemas/ids/2", "/schemas/ids/3"]

    def test_a_topic_of_several_types_is_a_union_of_references(self, registry: FakeRegistry):
        """What references bring with them can be used too, and what they refer to themselves."""
        user = record("com.shop.User", id="long", of={"type": "enum", "name": "Kind", "symbols": ["A", "B"]})
        view = record("com.shop.View", user="com.shop.User", of="com.shop.Kind")
        user_id = registry.register(json.dumps(user))
        view_id = registry.register(json.dumps(view), **{"com.shop.User": user_id})
        both = registry.register('["com.shop.View", "string"]', **{"com.shop.View": view_id})
        decoder = opened(registry, "avro")

        assert decoder.value(TOPIC, framed(both, b"\x00\x0a\x02\x00")) == {"user": {"id": 5, "of": "B"}, "of": "A"}
        assert decoder.value(TOPIC, framed(both, b"\x02\x06pot")) == "pot"

    def test_a_schema_may_stand_in_itself(self, registry: FakeRegistry):
        """Records of it are read too, as deep as JSON may be."""
        tree = registry.register(json.dumps(record("Tree", name="string", parts={"type": "array", "items": "Tree"})))
        decoder = opened(registry, "avro")

        assert decoder.value(TOPIC, framed(tree, b"\x02a\x02\x02b\x00\x00")) == {
            "name": "a",
            "parts": [{"name": "b", "parts": []}],
        }

    @pytest.mark.parametrize("levels", [101, 200, 60_000])
    def test_what_is_nested_too_deep_is_rejected(self, registry: FakeRegistry, levels: int):
        """The C of fastavro would end the process, at 20 KB, as often as it reads the record."""
        chain = registry.register(json.dumps(record("Chain", next=["null", "Chain"])))
        decoder = opened(registry, "avro")

        reason, detail = rejection(decoder.value(TOPIC, framed(chain, b"\x02" * levels + b"\x00")))

        assert reason == "not_avro"
        assert "nested" in detail or "RecursionError" in detail
        assert isinstance(decoder.value(TOPIC, framed(chain, b"\x02" * 50 + b"\x00")), dict)

    def test_bytes_that_are_left_or_lack_are_no_record(self, registry: FakeRegistry):
        """Avro says nothing of where a record ends: else any bytes could be one of some schema."""
        schema = registry.register(json.dumps(record(id="long", name="string")))
        decoder = opened(registry, "avro")

        assert decoder.value(TOPIC, framed(schema, b"\x0a\x06pot")) == {"id": 5, "name": "pot"}
        reason, detail = rejection(decoder.value(TOPIC, framed(schema, b"\x0a\x06pots")))
        assert reason == "not_avro" and "1 bytes are left" in detail
        assert rejection(decoder.value(TOPIC, framed(schema, b"\x0a\x06po")))[0] == "not_avro"
        assert rejection(decoder.value(TOPIC, framed(schema, b"")))[0] == "not_avro"

    def test_a_record_without_any_bytes_is_one(self, registry: FakeRegistry):
        assert opened(registry, "avro").value(TOPIC, framed(registry.register(json.dumps(record())), b"")) == {}

    def test_a_time_that_no_calendar_has_is_rejected(self, registry: FakeRegistry):
        """As of one who writes the greatest number for never."""
        schema = registry.register(json.dumps(record(at={"type": "long", "logicalType": "timestamp-millis"})))
        never = b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"

        assert rejection(opened(registry, "avro").value(TOPIC, framed(schema, never)))[0] == "not_avro"

    def test_a_schema_may_stand_in_a_header(self, registry: FakeRegistry):
        """By its GUID, as serializers of 2025 can write it; the record then is nothing but Avro."""
        serialize = avro_serializer(
            registry, record(id="long"), **{"schema.id.serializer": header_schema_id_serializer}
        )
        headers: dict[str, bytes] = {}
        value = serialize({"id": 5}, headers=headers)
        key = serialize({"id": 6}, MessageField.KEY, headers)
        decoder = opened(registry, "avro")

        assert value == b"\x0a" and headers.keys() == {VALUE_HEADER, KEY_HEADER}
        assert decoder.value(TOPIC, value, headers) == {"id": 5}
        assert decoder.key(TOPIC, key, headers) == {"id": 6}
        assert "/schemas/guids/" in registry.asked[-1]

    def test_keys_are_of_a_schema_or_texts(self, registry: FakeRegistry):
        """Whatever the values are: many who write Avro leave keys as they are."""
        serialize = avro_serializer(registry, {"type": "long"})
        as_text = registry.register('"string"')
        decoder = opened(registry, "avro")

        assert decoder.key(TOPIC, serialize(5, MessageField.KEY)) == 5
        assert decoder.key(TOPIC, framed(as_text, b"\x06ann")) == "ann"
        assert decoder.key(TOPIC, b"ann") == "ann"
        assert decoder.key(TOPIC, b'{"id": 5}') == {"id": 5}
        assert decoder.key(TOPIC, (5).to_bytes(8, "big")) == "\0\0\0\0\0\0\0\5"

    def test_a_change_of_debeziums_becomes_an_item(self, registry: FakeRegistry):
        """As Kafka Connect writes it with the converter for Avro; its times and numbers are what they were."""
        row = record("Value", id="int", name="string", price=RICH["fields"][4]["type"], stock="int")
        change = record("Envelope", before=["null", row], after=["null", "Value"], op="string")
        after = {"id": 5, "name": "Blue teapot", "price": Decimal("34.90"), "stock": 0}
        value = avro_serializer(registry, change)({"before": None, "after": after, "op": "u"})
        topic = AdoptedTopic(
            name=TOPIC,
            format="avro",
            holds="items",
            envelope="debezium",
            fields={"item_id": "id", "title": "name", "attributes.price": "price", "available": "stock"},
        )
        foreign = ForeignRecord(TOPIC, 0, 7, 1000, None, value)
        content = read_content(foreign, open_decoder(topic, registry.settings), InputLimits())
        assert not isinstance(content, Rejection)

        [made] = Mapper(topic, InputLimits()).map(foreign, content, 2000).made

        assert json.loads(made.value or b"") == {
            "item_id": "5",
            "title": "Blue teapot",
            "available": False,
            "attributes": {"price": 34.9},
        }


# Protobuf

SHOP = """
syntax = "proto3";
package shop;

import "google/protobuf/timestamp.proto";

enum Kind { NONE = 0; VIEW = 1; CLICK = 2; }

message Other { string x = 1; }

message Event {
  message User { int64 id = 1; optional string name = 2; repeated User friends = 3; }
  User user = 1;
  Kind kind = 2;
  google.protobuf.Timestamp at = 3;
  double value = 4;
  bool first = 5;
  repeated string tags = 6;
  map<string, int64> counts = 7;
  uint64 big = 8;
  bytes picture = 9;
  oneof item { string sku = 10; int32 number = 11; }
  repeated Kind kinds = 12;
  optional bool seen = 13;
  float from = 14;
}
"""


def message_class(text: str, name: str) -> Any:
    """Return the class that protoc makes for a message, as an app would have it."""
    with TemporaryDirectory() as folder:
        Path(folder, "shop.proto").write_text(text)
        options = [
            "-I.",
            f"-I{Path(money_pb2.__file__).parents[2]}",
            "--include_imports",
            "--descriptor_set_out=out",
            "shop.proto",
        ]
        subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *options], cwd=folder, check=True)
        files = FileDescriptorSet.FromString(Path(folder, "out").read_bytes()).file
    pool = DescriptorPool()
    for file in files:
        pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(name))


INT64 = st.integers(-(2**63), 2**63 - 1)
USERS: st.SearchStrategy[dict[str, Any]] = st.deferred(
    lambda: st.fixed_dictionaries(
        {"id": INT64, "friends": st.lists(USERS, max_size=2)}, optional={"name": st.text(max_size=5)}
    )
)
EVENTS = st.builds(
    lambda event, item: event | item,
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["NONE", "VIEW", "CLICK"]),
            "value": st.floats(allow_nan=False),
            "first": st.booleans(),
            "tags": st.lists(st.text(), max_size=3),
            "counts": st.dictionaries(st.text(), INT64, max_size=3),
            "big": st.integers(0, 2**64 - 1),
            "picture": st.binary(max_size=20),
            "kinds": st.lists(st.sampled_from(["VIEW", "CLICK"]), max_size=3),
            "from": st.floats(width=32, allow_nan=False),
        },
        optional={
            "user": USERS,
            "at": st.datetimes(timezones=st.just(UTC)),
            "seen": st.booleans(),
        },
    ),
    st.sampled_from([{}, {"sku": ""}, {"sku": "a"}, {"number": 0}, {"number": -5}]),
)


@pytest.fixture(scope="module")
def shop(shared_registry: FakeRegistry) -> tuple[Any, ProtobufSerializer, list[Decoder]]:
    """What an app has, and decoders: one finds the schema as it was registered, the other as text."""
    event = message_class(SHOP, "shop.Event")
    client = SchemaRegistryClient({"url": shared_registry.url})
    serializer = ProtobufSerializer(event, client, BY_TOPIC | {"use.deprecated.format": False})
    data = serializer(event(), SerializationContext(TOPIC, MessageField.VALUE))
    decoders = [opened(shared_registry, "protobuf") for _ in range(2)]
    registered = shared_registry.schemas[int.from_bytes(data[1:5], "big") - 1]
    assert isinstance(decoders[0].value(TOPIC, data), dict)
    assert "syntax" not in registered["schema"]
    registered["schema"] = SHOP
    return event, serializer, decoders


class TestProtobuf:
    @given(value=EVENTS)
    def test_a_message_is_read_as_it_was_written(self, shop: tuple[Any, ProtobufSerializer, list[Decoder]], value: Any):
        """By Confluent's own serializer, without the app's classes: with the fields' own names, and whole numbers."""
        event_class, serializer, decoders = shop
        message = event_class(**value)
        data = serializer(message, SerializationContext(TOPIC, MessageField.VALUE))

        for decoder in decoders:
            assert decoder.value(TOPIC, data) == value

    def test_what_was_not_set_has_its_default_unless_one_can_tell(self, registry: FakeRegistry):
        """A message of which nothing was set is no bytes at all: false and 0 are what it says."""
        schema = registry.register(SHOP, "PROTOBUF")

        assert opened(registry, "protobuf").value(TOPIC, framed(schema, b"\x02\x02")) == {
            "kind": "NONE",
            "value": 0.0,
            "first": False,
            "tags": [],
            "counts": {},
            "big": 0,
            "picture": b"",
            "kinds": [],
            "from": 0.0,
        }

    def test_the_message_is_the_one_that_its_indexes_name(self, registry: FakeRegistry):
        """The first of the schema, another, or one within another."""
        schema = registry.register(SHOP, "PROTOBUF")
        decoder = opened(registry, "protobuf")

        assert decoder.value(TOPIC, framed(schema, b"\x00\x0a\x03pot")) == {"x": "pot"}
        assert decoder.value(TOPIC, framed(schema, b"\x02\x00\x0a\x03pot")) == {"x": "pot"}
        assert decoder.value(TOPIC, framed(schema, b"\x04\x02\x00\x08\x05")) == {"id": 5, "friends": []}
        for indexes in (b"\x02\x04", b"\x02\x01", b"\x04\x00\x00", b"\xff\xff\xff\xff\x0f", b"\x04\x02", b""):
            reason, detail = rejection(decoder.value(TOPIC, framed(schema, indexes)))
            assert reason == "not_protobuf"
            assert "no message at" in detail or "no message indexes" in detail

    def test_a_number_of_an_enumeration_that_has_no_name_stays_one(self, registry: FakeRegistry):
        """As of a newer version that has more of them."""
        schema = registry.register(SHOP, "PROTOBUF")
        assert opened(registry, "protobuf").value(TOPIC, framed(schema, b"\x02\x02\x10\x09"))["kind"] == 9

    def test_well_known_types_are_what_they_mean(self, registry: FakeRegistry):
        """Times are times, wrapped values are values, JSON is JSON; what may be imported anywhere is known here."""
        text = """
            syntax = "proto3";
            import "confluent/meta.proto";
            import "confluent/type/decimal.proto";
            import "google/protobuf/any.proto";
            import "google/protobuf/duration.proto";
            import "google/protobuf/struct.proto";
            import "google/protobuf/timestamp.proto";
            import "google/protobuf/wrappers.proto";
            import "google/type/money.proto";
            message All {
              google.protobuf.Timestamp at = 1;
              google.protobuf.Duration took = 2;
              google.protobuf.Int64Value id = 3;
              google.protobuf.StringValue nothing = 4;
              google.protobuf.Struct json = 5;
              repeated google.protobuf.Any any = 6;
              google.type.Money money = 7;
              confluent.type.Decimal price = 8 [(confluent.field_meta).doc = "with tax"];
              map<bool, google.protobuf.Timestamp> times = 9;
            }"""
        plain = re.sub(r"(?m)^.*confluent.*$", "", text)
        message = message_class(plain, "All")()
        message.at.FromDatetime(NOON)
        message.took.FromMilliseconds(1500)
        message.id.value = 2**60 + 1
        message.json.update({"a": 5, "b": 0.5, "c": [None, True, {"d": "x"}]})
        message.any.add().Pack(message.at)
        message.any.add(type_url="shop/Unknown", value=b"\x01")
        message.money.units = 34
        message.times[True].FromDatetime(NOON)
        price = b"\x42\x08\x0a\x02\x0d\xa2\x10\x04\x18\x02"  # 3490, 4 digits, 2 of them behind

        found = opened(registry, "protobuf").value(
            TOPIC, framed(registry.register(text, "PROTOBUF"), b"\x00" + message.SerializeToString() + price)
        )

        assert found == {
            "at": NOON,
            "took": 1.5,
            "id": 2**60 + 1,
            "json": {"a": 5, "b": 0.5, "c": [None, True, {"d": "x"}]},
            "any": [
                {"@type": "type.googleapis.com/google.protobuf.Timestamp", "value": NOON},
                {"@type": "shop/Unknown", "value": b"\x01"},
            ],
            "money": {"currency_code": "", "units": 34, "nanos": 0},
            "price": Decimal("34.90"),
            "times": {"true": NOON},
        }
        assert isinstance(found["json"]["a"], int)

    def test_older_syntax_is_read_too(self, registry: FakeRegistry):
        """Of proto2 each field says whether it was set, and editions say so themselves."""
        two = registry.register("message A { optional int32 x = 1 [default = 7]; repeated int32 y = 2; }", "PROTOBUF")
        edition = registry.register('edition = "2023"; message A { int32 x = 1; }', "PROTOBUF")
        decoder = opened(registry, "protobuf")

        assert decoder.value(TOPIC, framed(two, b"\x00")) == {"y": []}
        assert decoder.value(TOPIC, framed(two, b"\x00\x08\x05\x10\x06\x10\x07")) == {"x": 5, "y": [6, 7]}
        assert decoder.value(TOPIC, framed(edition, b"\x00")) == {}
        assert decoder.value(TOPIC, framed(edition, b"\x00\x08\x00")) == {"x": 0}

    def test_schemas_refer_to_others(self, registry: FakeRegistry):
        """By the names of their imports; these to others in turn, whether registered as text or as descriptors."""
        money = registry.register('syntax = "proto3"; package shop; message Money { int64 cents = 1; }', "PROTOBUF")
        line = registry.register(
            'syntax = "proto3"; package shop; import "shop/money.proto"; message Line { Money price = 1; }',
            "PROTOBUF",
            shop__money__proto=money,
        )
        registry.schemas[line - 1]["references"][0]["name"] = "shop/money.proto"
        order = registry.register(
            'syntax = "proto3"; import "shop/line.proto"; message Order { repeated shop.Line lines = 1; }', "PROTOBUF"
        )
        registry.schemas[order - 1]["references"] = [
            {"name": "shop/line.proto", "subject": registry.schemas[line - 1]["subject"], "version": line}
        ]
        data = framed(order, b"\x00\x0a\x04\x0a\x02\x08\x05")

        assert opened(registry, "protobuf").value(TOPIC, data) == {"lines": [{"price": {"cents": 5}}]}
        registry.deleted.add(money)
        assert rejection(opened(registry, "protobuf").value(TOPIC, data))[0] == "unknown_schema"

    @pytest.mark.parametrize("name", ["-Ox", "a=b", "a:b", "", "a\0b"])
    def test_a_reference_is_no_option_of_the_compiler(self, registry: FakeRegistry, name: str):
        schema = registry.register("message A {}", "PROTOBUF", x=registry.register("message B {}", "PROTOBUF"))
        registry.schemas[schema - 1]["references"][0]["name"] = name

        reason, detail = rejection(opened(registry, "protobuf").value(TOPIC, framed(schema, b"\x00")))

        assert reason == "bad_schema" and "cannot be the name of a file" in detail

    @pytest.mark.parametrize("name", ["../../shop.proto", "/etc/shop.proto", "schema", "given", "made"])
    def test_a_reference_may_have_any_other_name(self, registry: FakeRegistry, name: str, tmp_path: Path):
        """No file is called by it; what may not be imported is the compiler's to say."""
        schema = registry.register(
            "message A { optional int32 x = 1; }", "PROTOBUF", x=registry.register("", "PROTOBUF")
        )
        registry.schemas[schema - 1]["references"][0]["name"] = name

        assert opened(registry, "protobuf").value(TOPIC, framed(schema, b"\x00\x08\x05")) == {"x": 5}


# What cannot be read


TREE = record("Tree", n="long", parts={"type": "array", "items": "Tree"})


@pytest.fixture(scope="module")
def decoders(shared_registry: FakeRegistry) -> list[tuple[int, Decoder]]:
    """With the schemas that they have."""
    avro, protobuf = opened(shared_registry, "avro"), opened(shared_registry, "protobuf")
    return [
        (shared_registry.register(json.dumps(RICH)), avro),
        (shared_registry.register(json.dumps(TREE)), avro),
        (shared_registry.register(SHOP, "PROTOBUF", "again"), protobuf),
    ]


class TestRejections:
    @given(garbage=st.binary(max_size=200))
    def test_no_bytes_raise_anything(self, decoders: list[tuple[int, Decoder]], garbage: bytes):
        """With an id and without, in a value, a key and a header."""
        for schema, decoder in decoders:
            for data in (garbage, framed(schema, garbage), framed(schema, b"\x02\x02" + garbage)):
                decoder.value(TOPIC, data)
                decoder.key(TOPIC, data)
            decoder.value(TOPIC, garbage, {VALUE_HEADER: framed(schema, garbage)})
            decoder.value(TOPIC, garbage, {VALUE_HEADER: garbage})

    @pytest.mark.parametrize("format", ["avro", "protobuf"])
    @pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0\0", b'{"id": 5}', b"\1" + b"x" * 20])
    def test_a_record_that_names_no_schema(self, registry: FakeRegistry, format: str, data: bytes):
        """It says of which topic the format is wrong, and asks the registry nothing."""
        reason, detail = rejection(opened(registry, format).value(TOPIC, data))

        assert reason == f"not_{format}"
        assert f"[ingest.topics] can say that {TOPIC} has another format" in detail
        assert ("looks like json" in detail) is (data[:1] == b"{")
        assert registry.asked == []

    @pytest.mark.parametrize("format", ["avro", "protobuf"])
    def test_a_schema_that_nobody_knows(self, registry: FakeRegistry, format: str):
        """It is asked for again from time to time: it may be registered again."""
        decoder = opened(registry, format)

        for _ in range(1 + ASK_AGAIN_AFTER):
            reason, detail = rejection(decoder.value(TOPIC, framed(1, b"\x00")))
            assert reason == "unknown_schema" and registry.url in detail and "no schema 1," in detail
        assert registry.asked == ["/schemas/ids/1"]
        registry.register('"null"' if format == "avro" else "message A {}", format.upper())
        assert not isinstance(decoder.value(TOPIC, framed(1, b"" if format == "avro" else b"\x00")), Rejection)

    def test_a_schema_of_another_kind(self, registry: FakeRegistry):
        """It says which, as it is to be set."""
        ids = {kind: registry.register("{}", kind.upper()) for kind in ("avro", "protobuf", "json")}

        for format in ("avro", "protobuf"):
            for kind, schema in ids.items():
                if kind != format:
                    reason, detail = rejection(opened(registry, format).value(TOPIC, framed(schema, b"\x80")))
                    assert (reason, f"schema {schema} is of {kind}: say so" in detail) == (f"not_{format}", True)

    @pytest.mark.parametrize(
        ("kind", "text", "said"),
        [
            ("AVRO", '{"type": "record"}', "SchemaParseException"),
            ("AVRO", '["com.shop.Nowhere"]', "Nowhere"),
            ("AVRO", "{", "JSONDecodeError"),
            ("PROTOBUF", 'syntax = "proto3"; message A { strin x = 1; }', '"strin" is not defined'),
            ("PROTOBUF", 'syntax = "proto3"; import "shop.proto";', "shop.proto"),
            ("PROTOBUF", "QUJD", ""),
        ],
    )
    def test_a_schema_that_cannot_be_compiled(self, registry: FakeRegistry, kind: str, text: str, said: str):
        """It is compiled once, and says what is wrong with it."""
        decoder = opened(registry, kind.lower())
        schema = registry.register(text, kind)

        for _ in range(2):
            reason, detail = rejection(decoder.value(TOPIC, framed(schema, b"\x00")))
            assert reason == "bad_schema" and said in detail
        assert registry.asked == ["/schemas/ids/1"]

    def test_schemas_that_are_kept_are_bounded(self, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch):
        """Of more, each is made again; unknown ones are no more either."""
        monkeypatch.setattr(schemas, "MOST_SCHEMAS", 2)
        ids = [registry.register(json.dumps(record(f"R{number}", id="long"))) for number in range(3)]
        decoder = opened(registry, "avro")

        for _ in range(2):
            assert [decoder.value(TOPIC, framed(each, b"\x0a")) for each in ids] == [{"id": 5}] * 3
        assert len(registry.asked) == 6
        for number in range(100, 110):
            decoder.value(TOPIC, framed(number, b""))
        assert len(decoder._ready) == len(decoder._unknown) == 2  # type: ignore[attr-defined]


# The registry


class TestRegistry:
    DATA = framed(1, b"\x0a")

    @pytest.fixture
    def registry(self, registry: FakeRegistry) -> FakeRegistry:
        """It has one schema."""
        registry.register(json.dumps(record(id="long")))
        return registry

    def refused(self, settings: FakeRegistry | RegistrySettings, error: type[Exception] = RegistryUnavailable) -> str:
        with pytest.raises(error) as caught:
            opened(settings, "avro").value(TOPIC, self.DATA)
        return str(caught.value)

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (500, b'{"error_code": 50001, "message": "store is away"}'),
            (503, b"<html>try later</html>"),
            (404, b"<html>no such page</html>"),
            (404, b'{"error_code": 404, "message": "HTTP 404 Not Found"}'),
            (404, b""),
            (302, b""),
            (200, b"<html>log in here</html>"),
            (200, b'{"schemas": []}'),
            (200, b'{"schema": 5}'),
            (200, b"[]"),
            (200, b""),
        ],
    )
    def test_no_record_is_skipped_for_what_a_registry_answers(self, registry: FakeRegistry, status: int, body: bytes):
        """A proxy, another service, or a registry that is broken: it is an error, and all is well once that is."""
        decoder = opened(registry, "avro")
        registry.instead = status, body
        with pytest.raises(RegistryUnavailable, match=r"\[registry\] url") as caught:
            decoder.value(TOPIC, self.DATA)
        with pytest.raises(RegistryUnavailable):
            decoder.key(TOPIC, self.DATA)
        registry.instead = None

        assert registry.url in str(caught.value)
        assert caught.value.exit_code == 75
        assert decoder.value(TOPIC, self.DATA) == {"id": 5}

    def test_it_is_asked_again_before_that_is_said(self, registry: FakeRegistry):
        """As one that just restarts may answer."""
        registry.instead = 503, b""
        self.refused(registry)

        assert registry.asked == ["/schemas/ids/1"] * 3

    def test_one_that_does_not_answer_in_time(self, registry: FakeRegistry):
        """The setting that says how long that is, is named."""
        registry.holds.clear()
        said = self.refused(RegistrySettings(url=registry.url, timeout_s=0.2))

        assert "3 tries of 0.2 s ([registry] timeout_s)" in said and "$HTTPS_PROXY" in said

    def test_one_that_is_not_there(self):
        """Nothing listens."""
        with fake_registry() as registry:
            url = registry.url
        assert url in self.refused(RegistrySettings(url=url))

    def test_a_login(self, registry: FakeRegistry):
        """Whoever has a wrong one is told which settings, and nobody is told the password."""
        registry.login = "ann", "Tr0ub4dor&3:"
        wrong = RegistrySettings(url=registry.url, username="ann", password="hunter2")

        for settings in (registry.settings, wrong):
            said = self.refused(settings, RegistryRefused)
            assert "HTTP 401" in said and "[registry] username and password" in said and "hunter2" not in said
        right = RegistrySettings(url=registry.url, username="ann", password="Tr0ub4dor&3:")
        assert opened(right, "avro").value(TOPIC, self.DATA) == {"id": 5}
        assert "Tr0ub4dor" not in repr(right) and "(hidden)" in repr(right)

    def test_who_may_not_read_is_told(self, registry: FakeRegistry):
        registry.instead = 403, b'{"error_code": 40301, "message": "User is denied operation"}'
        assert "User is denied operation" in self.refused(registry, RegistryRefused)

    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({}, "url is not set"),
            ({"url": "https://ann:hunter2@registry:8081"}, r"\[registry\] username and password"),
            ({"url": "https://a:1,ftp://b"}, "cannot be used"),
            ({"url": "https://a:1", "ssl_cafile": "/nowhere.pem"}, "/nowhere.pem"),
        ],
    )
    def test_a_setting_that_cannot_be_used(self, settings: dict[str, str], named: str):
        """Before any record is read."""
        with pytest.raises(SettingsError, match=named) as caught:
            opened(RegistrySettings(**settings), "avro")
        assert "hunter2" not in str(caught.value)

    def test_tls(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        """The authority is the settings', else the system's; where it is unknown, the setting is named."""
        if which("openssl") is None:
            pytest.skip("no openssl")
        authority = certificates(tmp_path)
        with ExitStack() as stack:
            registry = stack.enter_context(fake_registry(tmp_path / "broker.pem"))
            registry.register(json.dumps(record(id="long")))

            said = self.refused(registry, RegistryRefused)
            assert "[registry] ssl_cafile" in said and "CERTIFICATE_VERIFY_FAILED" in said
            trusting = RegistrySettings(url=registry.url, ssl_cafile=str(authority))
            assert opened(trusting, "avro").value(TOPIC, self.DATA) == {"id": 5}
            monkeypatch.setenv("SSL_CERT_FILE", str(authority))
            assert opened(registry, "avro").value(TOPIC, self.DATA) == {"id": 5}


def test_json_needs_no_registry():
    """Nor the extra; a schema's id that Confluent's serializer for JSON Schema writes before it is passed over."""
    decoder = opened(RegistrySettings(), "json")

    assert isinstance(decoder, JsonDecoder)
    assert decoder.value(TOPIC, b'{"id": 5}') == decoder.value(TOPIC, framed(7, b'{"id": 5}')) == {"id": 5}
    assert rejection(decoder.value(TOPIC, framed(7, b"\x0a")))[0] == "not_json"


@pytest.mark.parametrize("module", ["confluent_kafka.schema_registry", "fastavro", "grpc_tools"])
def test_who_lacks_the_extra_is_told(module: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SettingsError, match=r"pip install 'stream-rec\[registry\]'"):
        opened(RegistrySettings(url="http://registry:8081"), "avro")


@pytest.mark.interop
def test_a_real_registry(tmp_path: Path):
    """Apicurio: what Confluent's serializers register there and write is read, and texts with their references."""
    with apicurio(tmp_path) as url:
        settings = RegistrySettings(url=url, timeout_s=60)
        real = FakeRegistry(url)
        avro, protobuf = opened(settings, "avro"), opened(settings, "protobuf")

        value = {"id": 5, "at": NOON, "day": date(2024, 5, 1), "session": UUID(int=7)}
        rich = {field["name"]: field["type"] for field in RICH["fields"]}
        schema = record(id="long", at=rich["at"], day=rich["day"], session=rich["session"])
        assert avro.value(TOPIC, avro_serializer(real, schema)(value)) == value
        assert avro.key(TOPIC, avro_serializer(real, {"type": "string"})("ann", MessageField.KEY)) == "ann"

        client = SchemaRegistryClient({"url": url})
        event = message_class(SHOP, "shop.Event")
        message = event(user={"id": 2**60 + 1}, kind="CLICK", at=NOON)
        serializer = ProtobufSerializer(event, client, BY_TOPIC | {"use.deprecated.format": False})
        found = protobuf.value("other", serializer(message, SerializationContext("other", MessageField.VALUE)))
        assert (found["user"]["id"], found["kind"], found["at"]) == (2**60 + 1, "CLICK", NOON)

        order = _register_with_reference(client)
        data = framed(order, b"\x00\x0a\x02\x08\x05")
        assert protobuf.value(TOPIC, data) == {"price": {"cents": 5}}
        assert rejection(avro.value(TOPIC, data))[0] == "not_avro"
        assert rejection(avro.value(TOPIC, framed(4711, b"\x00")))[0] == "unknown_schema"
        with pytest.raises(RegistryUnavailable, match="/apis/ccompat/v7"):
            opened(RegistrySettings(url=url.removesuffix("/apis/ccompat/v7")), "avro").value(TOPIC, data)


def _register_with_reference(client: SchemaRegistryClient) -> int:
    """Return the id of a schema of Protobuf, registered as text, that imports another."""
    from confluent_kafka.schema_registry import Schema, SchemaReference

    money = Schema('syntax = "proto3";\npackage shop;\nmessage Money { int64 cents = 1; }\n', "PROTOBUF")
    client.register_schema("money", money)
    text = 'syntax = "proto3";\npackage shop;\nimport "shop/money.proto";\nmessage Order { Money price = 1; }\n'
    return client.register_schema("order", Schema(text, "PROTOBUF", [SchemaReference("shop/money.proto", "money", 1)]))
