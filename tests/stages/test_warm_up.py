"""The worker compiles before it says that it is ready."""

from __future__ import annotations

import itertools
import logging

from stream_rec import kernels
from stream_rec.kernels import Step
from stream_rec.stages import warm_up


def test_how_long_it_took_is_said(caplog):
    """Minutes on a slow machine: whoever waits should see for what. (That all is compiled: tests/test_kernels.py.)"""
    with caplog.at_level(logging.INFO, "stream_rec"):
        warm_up.compile_kernels()

    assert "compiled took_ms=" in caplog.text


def test_that_it_compiles_is_said_at_once_and_how_far_it_is_every_other_second(caplog, monkeypatch):
    """On an overloaded machine it takes minutes. Another process that compiles is waited for, and that is said."""
    steps = [Step(number, 5, f"kernel_{number}") for number in range(6)]

    def compile_slowly(tell):
        for step in steps:
            tell(step)

    monkeypatch.setattr(kernels, "compile_kernels", compile_slowly)
    seconds = itertools.count()  # one at each look at the clock

    with caplog.at_level(logging.INFO, "stream_rec"):
        warm_up.compile_kernels(clock=lambda: float(next(seconds)))

    said = [record.message for record in caplog.records]
    assert said[0].startswith("waits_for_compiled_kernels: another process compiles them, 1 s")
    assert said[1].startswith("compiling 5 kernels")
    assert [line for line in said if line.startswith("compiling kernel ")] == [
        "compiling kernel 2 of 5 (kernel_2), 5 s so far",
        "compiling kernel 3 of 5 (kernel_3), 8 s so far",
        "compiling kernel 4 of 5 (kernel_4), 11 s so far",
        "compiling kernel 5 of 5 (kernel_5), 14 s so far",
    ]
