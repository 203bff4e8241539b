"""Settings of `stream-rec serve`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from stream_rec.names import Name

Count = Annotated[int, Meta(ge=1)]


class ServeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The HTTP service."""

    host: str = "127.0.0.1"
    """Address to listen at. Without keys_file only this machine's own: whoever reaches it may do everything."""
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8080
    """Port to listen at; 0: any free one, which the log names."""
    keys_file: str = ""
    """TOML file of API keys, see docs/guides/http.md; empty: none are needed."""
    tls_cert: str = ""
    """PEM file of the certificate, and what is above it; empty: no TLS."""
    tls_key: str = ""
    """PEM file of its key."""
    cors_origins: tuple[str, ...] = ()
    """Web pages' origins that may ask, as https://shop.example; "*" is any."""
    body_bytes: Annotated[int, Meta(ge=1024, le=1 << 26)] = 1 << 20
    """Largest body of a request."""
    most_events: Annotated[int, Meta(ge=1, le=10_000)] = 1_000
    """Events in one request."""
    requests_per_s: Annotated[int, Meta(ge=0)] = 0
    """Of each client, by its key or else its address, in each process, in any second of the clock; 0: no bound."""
    concurrency: Count = 512
    """Requests under way at once; one more is answered 503."""
    ranks: bool = False
    """Whether it ranks on the spot, too. Off, it needs the lists alone; on, it holds the catalog in memory as a worker
    does, keeps users' states on its disk, reads them all before it is ready, and needs permissions to do so."""
    data_dir: str = ".stream-rec/serve"
    """What it ranks from lies in data_dir/instance_id. Losing it costs time, not data."""
    instance_id: Name = "serve-1"
    """Stable name of this process on the topic `status`, in metrics and in data_dir: each copy has its own."""
    ack_timeout_s: Annotated[float, Meta(gt=0)] = 10.0
    """How long a request waits for the broker's acknowledgement."""
