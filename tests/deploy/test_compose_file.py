"""deploy/compose.yaml as a text: what needs no engine to be seen."""

from __future__ import annotations

import re

from stream_rec.config import Settings, load
from tests.deploy.stack import COMPOSE


def test_what_compose_is_told_by_variables_is_no_setting():
    """Who exports them can call stream-rec all the same, which refuses unknown names that begin as its settings do."""
    variables = re.findall(r"\$\{(\w+)", COMPOSE.read_text(encoding="utf-8"))

    assert {"KAFKA_IMAGE", "ENCODER"} <= set(variables)
    assert load(environ=dict.fromkeys(variables, "x")) == Settings()
