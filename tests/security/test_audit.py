"""`make audit` never takes silence for an all-clear."""

from __future__ import annotations

import json
from pathlib import Path
from runpy import run_path

import pytest

AUDIT = run_path(str(Path(__file__).parents[2] / "deploy" / "security" / "audit.py"))
SOUND = {"name": "sound", "version": "1", "vulns": []}
SKIPPED = {"name": "skipped", "skip_reason": "Dependency not found on PyPI"}
HURT = {"name": "hurt", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([SOUND, SOUND], 0, "2 of 2 packages looked up, 0 vulnerabilities"),
        ([SOUND, HURT], 1, "hurt 2: PYSEC-1, fixed in 3\n2 of 2 packages looked up, 1 vulnerabilities"),
        ([SOUND, SKIPPED], 0, "not looked up: skipped\n1 of 2 packages looked up, 0 vulnerabilities"),
        ([SKIPPED, SKIPPED], 0, "NOT AUDITED: the vulnerability service knows none of 2 packages: not reachable?"),
    ],
)
def test_what_was_looked_up_is_said(packages: list, code: int, said: str):
    """A vulnerability fails; what could not be looked up does not, and is named."""
    assert AUDIT["verdict"](json.dumps({"dependencies": packages, "fixes": []})) == (said, code)


@pytest.mark.parametrize("output", ["", "no JSON", "[]"])
def test_an_audit_that_broke_off_is_no_all_clear(output: str):
    """The last line of its errors says why."""
    said, code = AUDIT["verdict"](output, "Traceback\nConnectionError: no such host\n")

    assert (said, code) == ("NOT AUDITED: pip-audit did not come to an end: ConnectionError: no such host", 0)
