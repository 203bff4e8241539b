"""What a record of a shop's own topic costs to read: CPU time of decoding, mapping and checking, without Kafka.

    python benchmarks/ingest.py

Each kind of record is read in turn, several times over; the least of these is printed, in microseconds a record.
"""

from __future__ import annotations

import json
import time
from typing import Any

import click
import msgspec

from stream_rec.events.validate import InputLimits, Rejection
from stream_rec.ingest.foreign_record import ForeignRecord
from stream_rec.ingest.formats import JsonDecoder, read_content
from stream_rec.ingest.mapping import Mapper
from stream_rec.ingest_settings import AdoptedTopic

NOW_MS = 1_800_000_000_000
ROUNDS = 5
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "our own names": (
        {"event_type": "click"},
        {"event_id": "e1", "user_id": "ann", "item_id": "a-1", "timestamp_ms": 1_714_564_800_000},
    ),
    "mixed types, nested": (
        {
            "fields": {
                "user_id": ["session.customer", "session.visitor"],
                "item_id": "product.sku",
                "timestamp": "at",
                "event_type": "name",
            },
            "types": {"product_viewed": "view"},
        },
        {
            "name": "product_viewed",
            "session": {"visitor": "v1", "customer": None},
            "product": {"sku": "a-1", "price": 34.9},
            "at": "2024-05-01T12:00:00Z",
        },
    ),
    "an order of 3 lines": (
        {"event_type": "purchase", "each": "lines", "fields": {"user_id": "customer", "item_id": "each.sku"}},
        {"customer": "ann", "timestamp": 1_714_564_800, "lines": [{"sku": "a"}, {"sku": "b"}, {"sku": "c"}]},
    ),
    "a row of Debezium's": (
        {"holds": "items", "envelope": "debezium", "fields": {"item_id": "id", "title": "name", "available": "stock"}},
        {"op": "u", "before": None, "after": {"id": 5, "name": "Blue teapot", "stock": 3}, "source": {"table": "p"}},
    ),
    "UBI, an event": (
        {"holds": "ubi_events"},
        {
            "action_name": "click",
            "client_id": "c1",
            "query_id": "q1",
            "timestamp": "2024-05-01T12:00:05Z",
            "event_attributes": {"object": {"object_id": "b"}, "position": {"ordinal": 2}},
        },
    ),
    "UBI, a query with 20 results": (
        {"holds": "ubi_queries"},
        {
            "query_id": "q1",
            "client_id": "c1",
            "user_query": "blue teapot",
            "timestamp": "2024-05-01T12:00:00Z",
            "query_response_hit_ids": [f"item-{n}" for n in range(20)],
        },
    ),
}


@click.command(help=__doc__)
@click.option("--records", default=5000, show_default=True, help="Of each kind, in one round.")
def main(records: int) -> None:
    """Print what each kind costs."""
    limits, decoder = InputLimits(), JsonDecoder()
    for name, (says, value) in KINDS.items():
        mapper = Mapper(msgspec.convert({"name": "shop", **says}, AdoptedTopic).resolved("shop"), limits)
        data = json.dumps(value).encode()
        sample = [ForeignRecord("shop", 0, offset, NOW_MS, b"k", data) for offset in range(records)]
        took = []
        for _ in range(ROUNDS):
            began = time.process_time()
            for record in sample:
                content = read_content(record, decoder, limits)
                if isinstance(content, Rejection) or not mapper.map(record, content, NOW_MS).made:
                    raise click.ClickException(f"{name}: a record is nothing of ours")
            took.append((time.process_time() - began) / records)
        click.echo(f"{name:30} {1e6 * min(took):6.1f} us")


if __name__ == "__main__":
    main()
