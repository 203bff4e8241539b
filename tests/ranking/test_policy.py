"""The policy's name."""

import pytest

from stream_rec.ranking.policy import RankingConfig


def test_equal_settings_have_equal_names():
    """In every process: a list says which policy made it."""
    assert RankingConfig().policy == RankingConfig().policy
    assert RankingConfig().policy.startswith("blend-")


@pytest.mark.parametrize("changed", [{"n": 5}, {"recency": 0.5}, {"repeat_weight": 0.1}, {"seed": 1}])
def test_any_setting_changes_the_name(changed):
    """Lists of two policies must be told apart."""
    assert RankingConfig(**changed).policy != RankingConfig().policy
