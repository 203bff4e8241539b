"""One HTTP server, within the bounds of its settings, until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import uvicorn

from stream_rec.dashboard_settings import DashboardSettings
from stream_rec.errors import SettingsError
from stream_rec.serve_settings import ServeSettings
from stream_rec.serving.connection import Connection
from stream_rec.serving.http_process import HttpProcess
from stream_rec.stop_signals import handle_stop_signals

CONNECTIONS = 16
"""Open ones at the most, for each request that is worked on at once: most of them wait for their client."""


def run_server(
    app: Any,
    chosen: ServeSettings | DashboardSettings,
    process: HttpProcess,
    on_stop: Callable[[], None] = lambda: None,
) -> None:
    """Serve an ASGI app until a stop signal.

    Args:
        process: Opens and closes with the app.
        on_stop: Called at the signal, before what is open is waited for.

    Raises:
        SettingsError: it cannot listen where the settings say.
        StreamRecError: what the process needs could not be opened.
    """
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=chosen.host,
            port=chosen.port,
            ssl_certfile=chosen.tls_cert or None,
            ssl_keyfile=chosen.tls_key or None,
            limit_concurrency=CONNECTIONS * chosen.concurrency,
            timeout_graceful_shutdown=int(chosen.ack_timeout_s) + 1,
            http=Connection,
            log_config=None,
            access_log=False,
            server_header=False,
        )
    )

    def stop(*_: object) -> None:
        process.stopping()
        on_stop()
        server.should_exit = True

    process.end_with(stop)
    handle_stop_signals(stop)  # uvicorn, which knows two of the three, raises its signal once more at the end
    server.run()
    if process.failure is not None:
        raise process.failure
    if not server.started:
        raise SettingsError(f"nothing is served at {chosen.host}:{chosen.port}: the log says why")
