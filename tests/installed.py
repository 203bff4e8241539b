"""What an environment has that is smaller than the one of the tests, for programs that are to run in it."""

from __future__ import annotations

from collections.abc import Collection
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HIDE = """
import sys
from importlib.machinery import PathFinder
HIDDEN = set({modules!r})
class Rest(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in HIDDEN else super().find_spec(name, path, target)
sys.meta_path = [Rest if finder is PathFinder else finder for finder in sys.meta_path]
"""


def hide_all_but(requirement: str, *, left_out: Collection[str] = ()) -> str:
    """Return Python that hides, from the process that runs it, every module that a requirement does not bring.

    Args:
        requirement: As pip takes it, with extras.
        left_out: Names of distributions that are left out, though something asks for them.
    """
    wanted, found = [Requirement(requirement)], set()
    while wanted:
        one = wanted.pop()
        key = canonicalize_name(one.name), frozenset(one.extras)
        if key in found or key[0] in left_out:
            continue
        found.add(key)
        for said in map(Requirement, metadata.requires(one.name) or ()):
            if said.marker is None or any(said.marker.evaluate({"extra": extra}) for extra in (one.extras or {""})):
                wanted.append(said)
    names = {name for name, _ in found}
    hidden = sorted(
        module
        for module, brought_by in metadata.packages_distributions().items()
        if not names & {canonicalize_name(name) for name in brought_by}
    )
    return HIDE.format(modules=hidden)
