"""The sentence for a reason."""

from __future__ import annotations

import pytest

from stream_rec.events.slate import Reason
from stream_rec.explain import why


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        (Reason("similar", "i1", "e1", "view"), "similar to The Rink, which you viewed"),
        (Reason("similar", "i1"), "similar to The Rink"),
        (Reason("followers", "i1", "e1", "click"), "people who clicked The Rink went on to this"),
        (Reason("followers", "i1"), "people who chose The Rink went on to this"),
        (Reason("repeat", "i1", "e1", "purchase"), "because you bought The Rink"),
        (Reason("neighbours", "i1", "e1", "view"), "people like you, who viewed things such as The Rink, came to this"),
        (Reason("neighbours"), "people like you came to this"),
        (Reason("trending"), "popular right now"),
        (Reason("fresh"), "new here"),
        (Reason("explore"), "something new to discover"),
        (Reason("similar", "i2", "e1", "view"), "similar to i2, which you viewed"),
        (Reason("moonphase", "i1"), "because of The Rink"),
        (Reason("moonphase"), "recommended for you"),
    ],
)
def test_every_reason_is_a_sentence(reason: Reason, sentence: str):
    """Each kind names its evidence, by id where it has no title; kinds of newer pipelines have a sentence, too."""
    assert why(reason, {"i1": "The Rink"}.get) == sentence
