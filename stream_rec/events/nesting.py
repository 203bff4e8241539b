"""How deep JSON may be nested: as deep in every process, whatever its Python's own limit is (1,000 to 10,000)."""

from __future__ import annotations

import re

MOST_LEVELS = 100
TOO_DEEP = f"objects and arrays are nested more than {MOST_LEVELS} deep"
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def is_nested_too_deep(text: bytes) -> bool:
    """Return whether objects and arrays are nested more than ``MOST_LEVELS`` deep, in JSON or what is meant to be.

    Example:
        >>> is_nested_too_deep(b"[" * 100 + b"]" * 100), is_nested_too_deep(b"[" * 101 + b"]" * 101)
        (False, True)
        >>> is_nested_too_deep(b'["' + b"[" * 101 + b'"]')
        False
    """
    if text.count(b"{") + text.count(b"[") <= MOST_LEVELS:
        return False
    level = 0
    for token in _TOKENS.findall(text):
        if token in b"[{":
            level += 1
            if level > MOST_LEVELS:
                return True
        elif token in b"]}":
            level -= 1
    return False
