"""Open the shop: `python examples/shop`. A Kafka, a pipeline and the HTTP service start with it and end with it."""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
from pathlib import Path

from stream_rec.config import override
from stream_rec.extras import needs_extra
from stream_rec.stop_signals import end_with_0
from stream_rec.testing.choice import read_settings
from stream_rec.testing.program import own_pipeline, run_program
from stream_rec.testing.services import running_service

SETTINGS = Path(__file__).parent / "settings.toml"


def require_free(port: int) -> None:
    """End, and say what to do, where something listens on the port already."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            sys.exit(f"error: port {port} cannot be had ({error}): name another, --port 8001")


def main() -> None:
    """Open the shop until Ctrl-C, which closes it: that is no failure."""
    end_with_0()
    asked = argparse.ArgumentParser(prog="python examples/shop", description=__doc__)
    asked.add_argument("--port", type=int, default=8000, help="of the shop's page, on this machine only (%(default)s)")
    asked.add_argument(
        "--encoder",
        default="hashing",
        help="reads titles: %(default)s needs no model; others: stream-rec encoders list",
    )
    chosen = asked.parse_args()
    with needs_extra("serve,http"):
        import uvicorn
        from shop import fill, read_products
        from shop_pages import make_app

        from stream_rec.client.http import AsyncHttpClient
    require_free(chosen.port)
    settings = override(read_settings(SETTINGS), {"embedder.encoder": chosen.encoder})
    print("starting Kafka, a worker and an embedder ...", flush=True)
    with own_pipeline(settings) as pipeline, tempfile.TemporaryDirectory(prefix="shop-") as folder:
        print("telling them 292 products and 4,000 sales ...", flush=True)
        with pipeline.running.producer() as producer:
            fill(producer)
        pipeline.wait_until_settled()
        with running_service(pipeline.settings, Path(folder), "--ranks") as service:
            app = make_app(read_products(), lambda: AsyncHttpClient(service))
            print(f"the shop is open: http://127.0.0.1:{chosen.port}  (Ctrl-C closes it)", flush=True)
            uvicorn.run(app, host="127.0.0.1", port=chosen.port, log_level="warning")


if __name__ == "__main__":
    run_program(main)
