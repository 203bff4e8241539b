"""The examples in docstrings are true: each runs, and prints what stands below it."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "stream_rec"
WITH_EXAMPLES = sorted(
    ".".join(("stream_rec", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
"""Modules in which a docstring, or a comment, shows an example."""


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_module_are_true(name: str):
    """A module that shows an example shows one that doctest finds, and what it prints is what stands there."""
    module = importlib.import_module(name)

    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)

    assert result.attempted > 0, f"{name} has >>> where doctest does not look: only docstrings are run"
    assert result.failed == 0, f"{result.failed} of {result.attempted} examples of {name} failed; see the output above"


def test_there_are_examples():
    """So that the tests above are not empty."""
    assert WITH_EXAMPLES
