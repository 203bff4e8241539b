"""The end of an import, where the broker may go as at any other moment."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest
from kafka.errors import KafkaTimeoutError

from stream_rec.errors import BrokerUnavailable
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.snapshot import restore


def test_a_broker_that_goes_at_the_very_end_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch):
    """All was taken, and whether by these topics alone nobody says: the import is not called done."""

    def silent(*_: object) -> dict[str, int]:
        raise KafkaTimeoutError("nothing came")

    monkeypatch.setattr(restore, "connect", lambda *_, **__: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(restore, "kept_records", silent)

    with pytest.raises(BrokerUnavailable, match=r"did not say whether others wrote.*topics create"):
        restore._require_alone(KafkaSettings(bootstrap="one:9092"), Counter({"items": 3}))
