"""The tree at the head of ``errors.py`` is the family as it is."""

from __future__ import annotations

import inspect
import re

from stream_rec import errors
from stream_rec.errors import StreamRecError

LINE = re.compile(r"^((?: {4})+)(\w+) {2,}\S.*$", re.MULTILINE)
"""Indentation and name; a phrase follows."""


def test_the_tree_names_every_error_below_the_one_that_it_is_a_kind_of():
    """Each class once, with its parent, in the order of the file."""
    tree: dict[str, str] = {}
    branch = ["Exception"]
    for indentation, name in LINE.findall(errors.__doc__ or ""):
        depth = len(indentation) // 4
        del branch[depth:]
        tree[name] = branch[-1]
        branch.append(name)
    classes = [
        each
        for _, each in inspect.getmembers(errors, inspect.isclass)
        if each.__module__ == errors.__name__ and issubclass(each, Exception)
    ]
    classes.sort(key=lambda each: inspect.getsourcelines(each)[1])

    assert tree == {each.__name__: each.__base__.__name__ for each in classes}
    assert list(tree) == [each.__name__ for each in classes]


def test_all_are_caught_as_one_and_end_the_command_line_with_a_code_of_their_own():
    """0 would say that all went well."""
    for _, each in inspect.getmembers(errors, inspect.isclass):
        assert issubclass(each, StreamRecError)
        assert each.exit_code > 0
