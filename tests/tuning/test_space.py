"""What can be searched, and what is said of what cannot."""

from __future__ import annotations

import tomllib

import pytest

from stream_rec.config import Settings
from stream_rec.errors import SettingsError
from stream_rec.tuning.space import DEFAULTS, Choices, Range, includes, parse_space, read_space


def parsed(text: str):
    """Return the space that a file says."""
    return parse_space(tomllib.loads(text), "space.toml")


def test_ranges_and_choices():
    """Whole numbers where the setting is one; of others both ends are floats."""
    space = parsed(
        "[head]\nrate = {low = 0.02, high = 1, log = true}\nhidden = {low = 8, high = 48, step = 8}\n"
        "memory = [0.99, 1]\n[ranking]\ntail_every = [0, 10]"
    )

    assert space == {
        "head.rate": Range(0.02, 1.0, log=True),
        "head.hidden": Range(8, 48, step=8),
        "head.memory": Choices((0.99, 1.0)),
        "ranking.tail_every": Choices((0, 10)),
    }
    assert isinstance(space["head.rate"].high, float) and isinstance(space["head.hidden"].high, int)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no setting"),
        ("rate = 1", "[rate] in space.toml cannot be searched"),
        ("head = 1", "stands outside a [section]"),
        ("[haed]\nrate = [1]", "[haed] in space.toml cannot be searched; did you mean head?"),
        ("[kafka]\npartitions = [1, 2]", "[kafka] in space.toml cannot be searched"),
        ("[head]\nraet = [0.1]", "[head] raet in space.toml: there is no such setting; did you mean rate?"),
        (
            "[ranking]\nseed = [1, 2]",
            "[ranking] seed in space.toml: it cannot be searched: the best seed is the luckiest",
        ),
        ("[head]\nrate = 0.1", "give a range, {low = 1, high = 8}, or a list of values; came 0.1"),
        ("[head]\nrate = []", "give at least one value"),
        ("[head]\nrate = [0.1, 0.1]", "a value stands there twice"),
        ("[head]\nrate = [0.1, 2.0]", "came 2.0: Expected `float` <= 1.0"),
        ("[head]\nrate = ['fast']", "Expected `float`, got `str`"),
        ("[head]\nrate = {low = 0.1, hihg = 0.2}", "a range has no 'hihg'; did you mean high?"),
        ("[head]\nrate = {low = 0.1}", "a range needs high"),
        ("[head]\nrate = {low = 0.2, high = 0.1}", "low has to be below high; came 0.2 and 0.1"),
        ("[head]\nrate = {low = 0.0, high = 0.1}", "[head] rate in space.toml, low: came 0.0: Expected `float` > 0.0"),
        ("[head]\nhidden = {low = 1.5, high = 8}", "Expected `int`, got `float`"),
        ("[head]\nhidden = {low = 8, high = 16, step = 9}", "step has to be above 0 and at most 8; came 9"),
        ("[head]\nhidden = {low = 8, high = 16, step = 2, log = true}", "a range has step or log = true, not both"),
        ("[head]\nrate = {low = 0.1, high = 0.2, log = 1}", "log is true or false; came 1"),
        ("[ranking]\ndiversity = {low = 0, high = 1, log = true}", "with log = true low has to be above 0"),
        ("[head]\nriver = {low = 1, high = 2}", "this setting is no number: give a list of values"),
        ("[head]\naction_weights = [{a = 1}]", "only numbers, texts and true or false can be searched"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, says: str):
    """As of settings; a slip is answered with a guess."""
    with pytest.raises(SettingsError) as raised:
        parsed(text)

    assert says in str(raised.value)


def test_a_file_that_is_none(tmp_path):
    """It is missing, or no TOML."""
    (tmp_path / "bad.toml").write_text("[head")

    with pytest.raises(SettingsError, match=r"missing\.toml cannot be read: No such file"):
        read_space(str(tmp_path / "missing.toml"))
    with pytest.raises(SettingsError, match=r"bad\.toml is not TOML"):
        read_space(str(tmp_path / "bad.toml"))


def test_the_default_space_has_the_default_settings():
    """So what is known of them guides the search; and each of its ends is one that the setting may have."""
    space = read_space("defaults")
    settings = Settings()

    values = {name: getattr(getattr(settings, name.split(".")[0]), name.split(".")[1]) for name in space}
    assert includes(space, values)
    assert len(space) == len(tomllib.loads(DEFAULTS)["head"])
    assert not includes(space, values | {"head.rate": 0.5})
    assert not includes(space, values | {"head.hidden": 25})
    assert not includes(space, values | {"head.memory": 0.5})
