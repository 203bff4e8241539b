"""Wrong values are refused with the name of the setting."""

from __future__ import annotations

import pytest

from stream_rec.config import load
from stream_rec.errors import SettingsError


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "70000"),
        ("STATUS_INTERVAL_S", "-1"),
        ("JUDGED_PER_SECOND", "-5"),
        ("TRACE_SHARE", "2"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_value_out_of_range(variable: str, value: str):
    """Before anything starts."""
    with pytest.raises(SettingsError, match=f"STREAM_REC_TELEMETRY_{variable}"):
        load(environ={f"STREAM_REC_TELEMETRY_{variable}": value})
