"""Settings of `stream-rec dashboard`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from stream_rec.names import Name
from stream_rec.serve_settings import Count


class DashboardSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The dashboard."""

    host: str = "127.0.0.1"
    """Address to listen at. Without keys_file only this machine's own: whoever reaches it sees what users did."""
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8090
    """Port to listen at; 0: any free one, which the log names."""
    keys_file: str = ""
    """TOML file of API keys, as for serve; empty: none are needed. Reading needs `read`, rules need `admin`."""
    tls_cert: str = ""
    """PEM file of the certificate, and what is above it; empty: no TLS."""
    tls_key: str = ""
    """PEM file of its key."""
    listeners: Annotated[int, Meta(ge=1, le=1000)] = 16
    """Pages that show live figures at once; one more is answered 503."""
    kept_lists: Annotated[int, Meta(ge=1, le=10_000_000)] = 20_000
    """Users whose list is kept, with the one before it: those whose list changed last. Some 10 KB for each."""
    requests_per_s: Annotated[int, Meta(ge=0)] = 0
    """Of each client, by its key or else its address, in any second of the clock; 0: no bound."""
    concurrency: Count = 64
    """Requests under way at once, live pages among them; one more is answered 503."""
    data_dir: str = ".stream-rec/dashboard"
    """Users' states lie in data_dir/instance_id. Losing it costs time, not data."""
    instance_id: Name = "dashboard-1"
    """Stable name of this process on the topic `status` and in data_dir: each copy has its own."""
    ack_timeout_s: Annotated[float, Meta(gt=0)] = 10.0
    """How long a rule that is put waits for the broker's acknowledgement."""
