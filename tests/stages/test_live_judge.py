"""Lists are judged by what was chosen before anything learns from it, and are the same for that."""

from __future__ import annotations

import msgspec
import pytest

from stream_rec.events.interaction import Interaction, Kind
from stream_rec.stages.live_judge import LiveJudge
from stream_rec.telemetry.counts import Counts
from stream_rec.user.state import COLD
from tests.stages.stage import ITEMS, Stage, message

METHODS = ["lists", "popularity", "own_items"]


def test_each_choice_is_judged_by_each_method(run):
    """The first of all is a miss: nothing was known before it."""

    async def scenario(stage: Stage) -> None:
        await stage.handle(message(1, "ann"))
        first = {method: sums.judged() for method, sums in stage.counts.judged.items()}
        for number in range(2, 20):
            await stage.handle(message(number))

        assert list(first) == METHODS
        assert [each.hits for each in first.values()] == [0, 0, 0]
        judged = {method: sums.judged() for method, sums in stage.counts.judged.items()}
        assert {each.n for each in judged.values()} == {19}
        assert judged["popularity"].hits == 19 - len({number * number % 7 for number in range(1, 20)})

    run(scenario)


def test_lists_are_the_same_whether_they_are_judged_or_not(run):
    """Byte for byte, the head that learns among it."""

    async def scenario(stage: Stage) -> None:
        other = Stage(stage.published._directory)
        other.stage._judge = LiveJudge(other.counts, 0)
        for number in range(60):
            one, two = await stage.handle(message(number)), await other.handle(message(number))
            assert [msgspec.structs.replace(each, generated_at_ms=0, list_id="") for each in one.lists] == [
                msgspec.structs.replace(each, generated_at_ms=0, list_id="") for each in two.lists
            ]
        assert stage.counts.judged["lists"].n == 60 and not other.counts.judged

    run(scenario)


@pytest.mark.parametrize(("per_second", "expected"), [(0, 0), (3, 6), (100, 20)])
def test_no_more_choices_than_so_many_a_second(run, per_second: int, expected: int):
    """Ten in each of two seconds; the next second has its own."""

    async def scenario(stage: Stage) -> None:
        now_s = [5.9]
        stage.stage._judge = LiveJudge(stage.counts, per_second, clock=lambda: now_s[0])
        for number in range(20):
            now_s[0] = 5.9 if number < 10 else 6.0
            await stage.handle(message(number))

        assert sum(stage.counts.judged[method].n for method in METHODS) == 3 * expected

    run(scenario)


def test_an_item_that_is_in_no_catalog_is_a_miss(run):
    """As an evaluation has it."""

    async def scenario(stage: Stage) -> None:
        await stage.handle(message(0, "bob"))
        ranked = stage.recommender.rank("ann", COLD, now_ms=1000)
        counts = Counts()
        events = [Interaction("e", "ann", item_id, 1000) for item_id in ("nowhere", ITEMS[0])]
        LiveJudge(counts, 10).judge(ranked, [(Kind.VIEW, event) for event in events], stage.recommender.catalog)

        assert (counts.judged["lists"].n, counts.judged["lists"].hits) == (2, 1)

    run(scenario)
