"""The status of a process, as it stands on ``status``: what it has done, how good its lists are, and how it is."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from stream_rec.events.interaction import TimestampMs

EVENT_TO_LIST_BOUNDS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 60_000)
"""Upper bounds of the buckets of ``Status.event_to_list``, each inclusive; one more bucket counts what is above."""

JUDGED_ITEMS = 20
"""Of a list, when it is judged."""

FRESH_EVENTS = 5
"""An item with fewer events than that is fresh in ``Status.fresh_share``."""

MOST_FEATURES = 20
"""Weights of the linear expert in a ``HeadStatus``."""

Count = Annotated[int, Meta(ge=0)]


class Judged(Struct, frozen=True):
    """How one method's lists stood up to what users then chose: sums, so that two of them can be taken apart."""

    n: Count = 0
    """Choices that were judged."""
    hits: Count = 0
    """Of them in the method's 20 best items: hit rate@20 is ``hits / n``."""
    dcg: float = 0.0
    """Sum of 1 / log2(1 + position) of those: NDCG@20 is ``dcg / n``."""


class HeadStatus(Struct, frozen=True):
    """The head in words."""

    choices: Count
    """Choices that all workers' heads have learned from, as far as this one has heard."""
    experts: dict[str, float] = {}
    """Weight of each expert in the mixture, of 1 in all."""
    features: dict[str, float] = {}
    """Weight of a feature in the linear expert, the 20 largest by amount."""
    loss: float = 0.0
    """Mean loss, in nats, of the newest choices."""
    drifts: Count = 0
    """How often the head has forgotten in part because choices had changed, since the process began."""
    drifted_ms: TimestampMs = 0
    """When it last did; 0: never."""
    actions: dict[str, float] = {}
    """By type of an app's own, as its events say in `action`, how much they teach next to what their kind does: as
    learned."""


class Status(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record on ``status`` (compacted), without user data; the key is ``role/instance_id``.

    Counts are since the process began, so a reader takes differences of two records with one ``started_ms``; another
    ``started_ms`` is another process. What is not in a record is its default. A reader takes a record much older than
    now for a process that is gone.
    """

    role: Annotated[str, Meta(description="worker | embedder | ingest | serve | dashboard | sink")]
    instance_id: str
    version: str
    """Of stream-rec."""
    started_ms: TimestampMs
    written_ms: TimestampMs
    state: Annotated[str, Meta(description="starting | ready | stopping")]
    why: str = ""
    """Why it is not ready, for an operator; of a sink that is, whether it stands by."""
    partitions: list[int] = []
    """Those that it owns."""
    taken: dict[str, int] = {}
    """Records finished, by topic without prefix."""
    lag: dict[str, int] = {}
    """Records not finished yet, by topic without prefix."""
    rejected: dict[str, int] = {}
    """Records rejected, by reason."""
    lists: Count = 0
    """Lists made on events."""
    surfaces: Count = 0
    """Records of pushed surfaces made on events."""
    learned: Count = 0
    """Choices that the process itself has learned from."""
    duplicates: Count = 0
    """Events that had been known."""
    forgotten: Count = 0
    """Erasure requests carried out."""
    event_to_list: list[int] = []
    """Events by the time from their arrival at the broker until their list was there: a count for each bucket of up to
    1, 2, 5, 10, 20, 50, 100, 200, 500 ms, 1, 2, 5, 10, 60 s, and above."""
    event_to_list_ms: float = 0.0
    """Sum of those times."""
    judged: dict[str, Judged] = {}
    """By method: `lists` (the head's ranking), `popularity` (decayed), `own_items` (filled up with popularity)."""
    items: Count = 0
    """Items in the catalog."""
    embedded: Count = 0
    """Of them with vectors."""
    users: Count = 0
    """Users whose lists are kept fresh."""
    shown_items: Count = 0
    """Items that were in a list since the process began."""
    coverage: float = 0.0
    """Share of the catalog's items that were."""
    gini: float = 0.0
    """Gini coefficient of how often they were: 0 all alike, 1 one alone."""
    fresh_share: float = 0.0
    """Share of slots with items of fewer than 5 events, in the newest lists."""
    head: HeadStatus | None = None
    """Null where there is no head."""
    rss_mb: float = 0.0
    """Memory of the process."""
    cpu_s: float = 0.0
    """CPU time of the process."""
    embedded_items: Count = 0
    """Of an embedder: items that it has embedded."""
    ingested: dict[str, Count] = {}
    """Of ingest: records that it has made, by topic without prefix."""
    ignored: Count = 0
    """Of ingest: records that settings tell it to leave out."""
    encoder: str = ""
    """Of an embedder: its encoders, with their revisions."""
    device: str = ""
    """Of an embedder: what they run on."""
    written: dict[str, Count] = {}
    """Of a sink: values that it has put into its target, by topic without prefix."""
    deleted: dict[str, Count] = {}
    """Of a sink: values that it has deleted there, by topic without prefix."""
    target_failures: Count = 0
    """Of a sink: how often its target did not do what it was asked."""
    requests: dict[str, Count] = {}
    """Of serve and dashboard: requests that came to a route, by method, route and class of status, as
    `GET /v1/popular 2xx`."""


def key_of(status: Status) -> bytes:
    """Return the key of its record."""
    return f"{status.role}/{status.instance_id}".encode()
