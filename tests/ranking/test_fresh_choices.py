"""How the share of fresh choices is learned."""

from __future__ import annotations

import pytest

from stream_rec.ranking.fresh_choices import HALF_LIFE_EVENTS, PRIOR, FreshChoices, count, fresh_share


def test_the_share_is_learned_by_history():
    """5 fresh of 50 choices on top of the prior; other histories keep the prior."""
    state = count(FreshChoices(), 2, n_choices=50, n_fresh=5)

    assert fresh_share(state, 2) == pytest.approx((5 + PRIOR[0]) / (50 + PRIOR[1]))
    assert fresh_share(state, 0) == PRIOR[0] / PRIOR[1]


def test_counts_fade():
    """After a half-life of other choices half is left."""
    state = count(FreshChoices(), 0, n_choices=100, n_fresh=100)
    for _ in range(int(HALF_LIFE_EVENTS)):
        state = count(state, 1, n_choices=1, n_fresh=0)

    assert state.fresh[0] == pytest.approx(50)
    assert state.choices[0] == pytest.approx(50)
