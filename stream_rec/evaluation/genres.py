"""What a list's mixture is compared by with the user's: the items' categories, or their tags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation.scan import ScannedLog
from stream_rec.events.item import Item


@dataclass(frozen=True, slots=True)
class Genres:
    """The genres of every item of a log."""

    of_item: list[NDArray[np.int64]]
    """Genre numbers by item number; none for an item that only events name. Empty where there are no genres."""
    n: int
    source: str | None
    """``category`` or ``tags``; None where there are no genres, so that nothing can be calibrated."""


def find_genres(items: Sequence[Item], log: ScannedLog) -> Genres:
    """Return the genres of a log's items.

    They are the categories where the items that carry events have at least two, else the tags where those have.

    Args:
        items: Those of the item file, in the order of ``log.item_ids``.
    """
    sources: dict[str, Callable[[Item], list[str]]] = {
        "category": lambda item: [item.category],
        "tags": lambda item: item.tags,
    }
    with_events = set(np.unique(log.items).tolist())
    for source, words_of in sources.items():
        words = [sorted({word.strip() for word in words_of(item)} - {""}) for item in items]
        if len({word for number, of_item in enumerate(words) if number in with_events for word in of_item}) < 2:
            continue
        number_of = {word: number for number, word in enumerate(sorted({w for of_item in words for w in of_item}))}
        numbers = [np.array([number_of[word] for word in of_item], np.int64) for of_item in words]
        numbers += [np.zeros(0, np.int64)] * (len(log.item_ids) - len(items))
        return Genres(numbers, len(number_of), source)
    return Genres([], 0, None)
