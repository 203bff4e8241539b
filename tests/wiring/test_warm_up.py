"""The worker compiles before it says that it is ready."""

from __future__ import annotations

import logging

from stream_rec.wiring import warm_up


def test_how_long_it_took_is_said(caplog):
    """Minutes on a slow machine: whoever waits should see for what. (That all is compiled: replay/test_kernels.py.)"""
    with caplog.at_level(logging.INFO, "stream_rec"):
        warm_up.compile_kernels()

    assert "compiled took_ms=" in caplog.text
