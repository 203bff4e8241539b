"""The canonical text of an item."""

from hypothesis import given
from hypothesis import strategies as st

from stream_rec.embedding.text import MAX_ATTRIBUTES, canonical_text, content_hash
from stream_rec.events.item import Item


def test_short_parts_stand_before_the_description():
    """Encoders cut long texts at the end, so the end is the description's."""
    item = Item(
        "1",
        title="Merlot",
        description="Dry and round.",
        category="Wine",
        tags=["red", "2019"],
        attributes={"origin": "France", "grapes": ["Merlot", "Malbec"]},
    )

    assert canonical_text(item) == "Merlot\nWine\nred, 2019\ngrapes: Merlot, Malbec\norigin: France\nDry and round."


def test_numbers_urls_and_blobs_are_no_text():
    """A new price does not have an item embedded again."""
    attributes = {"price": 9.5, "sku": "0042", "url": "https://a.b/c", "blob": "x" * 101, "is_new": True, "none": None}

    assert canonical_text(Item("1", title="Merlot", attributes={**attributes, "nested": {"a": "b"}})) == "Merlot"


def test_attributes_are_bounded():
    """An item with a thousand attributes still has room for its description."""
    item = Item("1", attributes={f"a{i:03}": "word" for i in range(1000)}, description="last")

    assert canonical_text(item).count("\n") == MAX_ATTRIBUTES


def test_writing_the_same_text_differently_changes_nothing():
    """Composed or decomposed letters, line breaks, control characters and attribute order are no content."""
    plain = Item("1", title="Café au lait", attributes={"a": "one", "b": "two"})
    other = Item("1", title=" Cafe\u0301\tau \x00\r\n lait\u200b", attributes={"b": "two", "a": "one"})

    assert canonical_text(other) == canonical_text(plain)


def test_a_tag_that_repeats_is_said_once():
    """Neither a doubled tag nor the category as a tag adds anything."""
    assert canonical_text(Item("1", category="Wine", tags=["Wine", "red", "", "red"])) == "Wine\nred"


def test_an_item_without_words_has_no_text():
    """The caller decides what to do with an item that says nothing."""
    assert canonical_text(Item("1", title=" \u200b\n", tags=["", " "], attributes={"price": 3})) == ""


@given(st.builds(Item, item_id=st.just("1"), title=st.text(), description=st.text(), tags=st.lists(st.text())))
def test_any_text_can_be_written_as_utf8(item):
    """No input leaves a lone surrogate or a control character, which tokenizers refuse."""
    text = canonical_text(item)

    assert "\x00" not in text.encode().decode()


def test_hashes_are_16_bytes_that_tell_texts_apart():
    """The hash is stored with every embedding and compared after restarts: it may never change."""
    assert content_hash("Merlot").hex() == "574b5534b9238c6440b372938bfc8585"
    assert content_hash("Merlot ") != content_hash("Merlot")
    assert len(content_hash("\ud800")) == 16
