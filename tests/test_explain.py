"""The sentence for a reason."""

from __future__ import annotations

import pytest

from stream_rec.events.slate import Reason
from stream_rec.explain import why

NOON_MS = 1_714_564_800_000


def related(relation: str, value: str) -> Reason:
    return Reason("related", "i1", "e1", "view", relation=relation, value=value)


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        (Reason("similar", "i1", "e1", "view"), "similar to The Rink, which you viewed"),
        (Reason("similar", "i1"), "similar to The Rink"),
        (Reason("similar", "i1", "e1", "view", modality="image"), "similar image to The Rink, which you viewed"),
        (Reason("successors", "i1", "e1", "click"), "people who clicked The Rink went on to this"),
        (Reason("successors", "i1"), "people who chose The Rink went on to this"),
        (Reason("followers", "i1", "e1", "click"), "people who clicked The Rink went on to this"),  # as it was called
        (Reason("repeat", "i1", "e1", "purchase", 1, NOON_MS), "again: you bought this on 2024-05-01"),
        (Reason("repeat", "i1", "e1", "purchase", 3, NOON_MS), "again: you bought this 3 times, last on 2024-05-01"),
        (Reason("repeat", "i1", times=2, last_ms=NOON_MS), "again: you chose this 2 times, last on 2024-05-01"),
        (Reason("repeat", "i1", "e1", "view"), "again: you viewed this before"),  # of an older pipeline
        (Reason("category", "i1", "e1", "click"), "of the same kind as The Rink, which you clicked"),
        (Reason("catalog"), "from the catalog"),
        (Reason("neighbours", "i1", "e1", "view"), "people like you, who viewed things such as The Rink, came to this"),
        (Reason("neighbours"), "people like you came to this"),
        (Reason("trending"), "popular right now"),
        (Reason("fresh"), "new here: few have seen it yet"),
        (Reason("asked", None, "q1", "search"), "answers what you searched for"),
        (Reason("asked", "i1", "q1", "search"), "answers what you asked of The Rink"),
        (Reason("interest", interest="jazz"), "you said that you like jazz"),
        (related("brand", "Acme"), "also by Acme, as The Rink, which you viewed"),
        (related("material", "oak"), "also material oak, as The Rink, which you viewed"),
        (related("tag", "ice"), "ice, as The Rink, which you viewed"),
        (related("family", "rink"), "goes with The Rink, which you viewed"),
        (related("accessory_of", "i1"), "accessory of: The Rink, which you viewed"),
        (related("series", "i3"), "also series The Tramp, as The Rink, which you viewed"),
        (related("series", "i4"), "also series i4, as The Rink, which you viewed"),
        (Reason("explore"), "shown to find out who likes it"),
        (Reason("similar", "i2", "e1", "view"), "similar to i2, which you viewed"),
        (Reason("moonphase", "i1"), "because of The Rink"),
        (Reason("moonphase"), "recommended for you"),
    ],
)
def test_every_reason_is_a_sentence(reason: Reason, sentence: str):
    """Each kind names its evidence, by id where it has no title; kinds of newer pipelines have a sentence, too."""
    assert why(reason, {"i1": "The Rink", "i3": "The Tramp"}.get) == sentence
