"""Changelogs: in any interleaving the records of the owners count, each in turn, and no others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rec.errors import NewerVersion
from stream_rec.runtime import changelog
from stream_rec.runtime.changelog import CLAIMS, MOST_CLAIMS, NOBODY, OWNER_HEADER, UNCLAIMED, Claim, Reading

ANN, BOB, EVE = b"A" * 8, b"B" * 8, b"E" * 8
WRITERS = st.sampled_from([ANN, BOB, EVE])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("state"), WRITERS),
        st.tuples(st.just("claim"), WRITERS),  # having read all there is
        st.tuples(st.just("late claim"), WRITERS),  # with the number of one that came in between
        st.tuples(st.just("mark"), WRITERS),
    ),
    max_size=40,
)


def written_by(owner: bytes) -> list[tuple[str, bytes]]:
    return [("other", b"x"), (OWNER_HEADER, owner)]


def records_of(steps: list[tuple[str, bytes]]) -> tuple[list[tuple[bytes, bytes, list]], list[bool]]:
    """Return the records of a history, and which of them are states by the owner of their time: the model."""
    records, count = [], []
    owner, epoch = None, 0
    for what, who in steps:
        if what == "state":
            records.append((b"key", b"value", written_by(who)))
            count.append(owner in (None, who))
            continue
        claim = Claim({"claim": epoch + 1, "late claim": epoch, "mark": 0}[what], who)
        records.append((claim.key, claim.value, written_by(who)))
        count.append(False)
        if what == "claim":
            owner, epoch = who, epoch + 1
    return records, count


@given(STEPS)
def test_only_what_the_owner_wrote_counts(steps: list[tuple[str, bytes]]):
    """From a claim to the next that counts; before the first every state does, as after an import."""
    records, count = records_of(steps)
    reading = Reading()

    assert [reading.counts(*record) for record in records] == count


@given(STEPS, st.integers(0, 40))
def test_a_reader_may_stop_and_go_on(steps: list[tuple[str, bytes]], at: int):
    """With the claim that it had when it stopped: a database keeps no more."""
    records, count = records_of(steps)
    first = Reading()
    counted = [first.counts(*record) for record in records[:at]]
    then = Reading(first.claim)

    assert counted + [then.counts(*record) for record in records[at:]] == count
    whole = Reading()
    for record in records:
        whole.counts(*record)
    assert then.claim == whole.claim


@given(STEPS)
def test_all_readers_agree_on_the_owner(steps: list[tuple[str, bytes]]):
    """Of those that claim at once one succeeds: its claim is the last of the highest number to be the first of it."""
    records, _ = records_of(steps)
    reading = Reading()
    for record in records:
        reading.counts(*record)
    claims = [changelog.claim_of(value) for key, value, _ in records if changelog.is_claim(key)]
    highest = max((claim.epoch for claim in claims), default=0)

    first = next((claim for claim in claims if claim.epoch == highest > 0), UNCLAIMED)
    assert reading.claim == first


def test_of_two_claims_with_one_number_the_first_counts():
    """And a lower one never does, whoever makes it."""
    reading = Reading()
    for claim in (Claim(3, ANN), Claim(3, BOB), Claim(2, EVE)):
        assert not reading.counts(claim.key, claim.value, written_by(claim.owner))
    assert reading.claim == Claim(3, ANN)
    assert reading.counts(b"key", b"1", written_by(ANN))
    assert not reading.counts(b"key", b"1", written_by(BOB))
    assert not reading.counts(b"key", b"1", [])


@given(st.integers(0, MOST_CLAIMS), st.binary(min_size=8, max_size=8))
def test_a_claim_is_read_as_it_was_written(epoch: int, owner: bytes):
    """And its key is never that of a state."""
    claim = Claim(epoch, owner)

    assert changelog.claim_of(claim.value) == claim
    assert changelog.is_claim(claim.key) and claim.key.startswith(b"\0")


def test_the_last_claims_have_keys_of_their_own():
    """Compaction leaves them; older ones share them. A mark takes the key of no claim."""
    keys = [Claim(epoch, ANN).key for epoch in range(1, CLAIMS + 1)]

    assert len(set(keys)) == CLAIMS
    assert Claim(CLAIMS + 1, BOB).key == keys[0]
    assert Claim(0, ANN).key not in keys


@given(st.binary(max_size=40))
def test_what_is_no_claim_claims_nothing(value: bytes):
    """Whatever its bytes; what says that it is newer is refused."""
    if value[:1] > b"\1":
        with pytest.raises(NewerVersion, match=r"reads up to 1: update it"):
            changelog.claim_of(value)
    else:
        claim = changelog.claim_of(value)
        assert claim == UNCLAIMED or claim.value == value
        assert 0 <= claim.epoch <= MOST_CLAIMS


@pytest.mark.parametrize("epoch", [-1, MOST_CLAIMS + 1, 2**63 - 1])
def test_a_number_that_nobody_reaches_claims_nothing(epoch: int):
    """Else nobody could claim the partition any more: there is no higher number."""
    reading = Reading(Claim(5, ANN))
    claim = Claim(epoch, EVE)
    reading.counts(claim.key, claim.value, written_by(EVE))

    assert reading.claim == Claim(5, ANN)


def test_the_owner_is_named_by_one_header():
    """Others are not ours; without it nobody wrote the record."""
    assert changelog.owner_of(written_by(ANN)) == ANN
    assert changelog.owner_of([("other", ANN)]) == NOBODY
