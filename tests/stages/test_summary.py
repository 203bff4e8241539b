"""A worker says how far it is behind."""

from __future__ import annotations

import logging
import time

import pytest

from stream_rec.stages import user_stage
from stream_rec.stages.user_stage import Summary
from tests.stages.stage import Message, Stage, message

NOW_S = 2_000_000_000.0


def seconds_ago(*ages_s: float) -> list[Message]:
    """Records that the broker took so long ago."""
    return [Message(b"u", b"{}", number, timestamp=NOW_S - age_s) for number, age_s in enumerate(ages_s)]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    """What was logged by now, with an interval that is over at once."""
    monkeypatch.setattr(user_stage, "SUMMARY_INTERVAL_S", 0.0)
    monkeypatch.setattr(time, "time", lambda: NOW_S)
    caplog.set_level(logging.INFO)
    return lambda: [record.getMessage() for record in caplog.records if record.getMessage().startswith("served ")]


def test_the_ages_of_all_records_of_an_interval(said):
    """Half of them and all of them; from the broker's time to when all that they caused was acknowledged."""
    summary = Summary(lambda: 4321)
    summary.took(seconds_ago(0.02, 9.0))
    summary.took(seconds_ago(0.03))
    summary.count(events=3)

    (line,) = said()
    assert line.startswith("served events=3 interval_s=")
    assert line.endswith(" age_p50_ms=30 age_max_ms=9000 open_records=4321")


def test_each_interval_has_its_own(said):
    """A burst is over when it is; a broker whose clock is ahead makes no event younger than new."""
    summary = Summary(lambda: 0)
    summary.took(seconds_ago(60.0))
    summary.count(events=1)
    summary.took(seconds_ago(-5.0))
    summary.count(events=1)
    summary.count(events=0)

    assert [line[line.index("age_p50") :] for line in said()] == [
        "age_p50_ms=60000 age_max_ms=60000 open_records=0",
        "age_p50_ms=0 age_max_ms=0 open_records=0",
        "age_p50_ms=0 age_max_ms=0 open_records=0",
    ]


def test_the_user_stage_counts_what_it_has_committed(run, said, monkeypatch: pytest.MonkeyPatch):
    """All records of a batch, once each."""
    monkeypatch.setattr(time, "time", lambda: NOW_S + 7.0)

    async def scenario(stage: Stage) -> None:
        stage.stage._summary = Summary(lambda: 0)
        await stage.handle(message(0), message(1))

    run(scenario)

    assert " age_max_ms=7000 " in said()[-1]
