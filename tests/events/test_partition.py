"""Keys belong where every producer of ours, and Java's, puts them."""

from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as another_murmur2

from stream_rec.events import partition
from stream_rec.events.partition import LONGEST_KNOWN, murmur2, partition_of


def test_the_hash_is_that_of_java():
    """Some vectors of Kafka's own UtilsTest."""
    vectors = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536, b"abc": 479470107}

    assert {key: murmur2(key) for key in vectors} == {key: number % 2**32 for key, number in vectors.items()}


@given(st.binary(max_size=600))
def test_the_hash_is_that_of_the_clients(key: bytes):
    """Whatever the length; remembered or not."""
    assert murmur2(key) == another_murmur2(key) % 2**32
    assert partition_of(key, 7) == (another_murmur2(key) & 0x7FFFFFFF) % 7


def test_long_keys_are_not_remembered():
    """What is remembered is bounded in bytes too: a stranger may send keys of any length."""
    known = partition._known.cache_info().currsize
    partition_of(b"x" * (LONGEST_KNOWN + 1), 4)

    assert partition._known.cache_info().currsize == known
