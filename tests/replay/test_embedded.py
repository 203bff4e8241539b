"""What was embedded once is not embedded again, and a damaged cache costs time only."""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import suppress
from pathlib import Path
from threading import BrokenBarrierError

import msgspec
import numpy as np
import pytest

from stream_rec.embedding.hashing import HashingEncoder
from stream_rec.embedding.onnx_models import ONNX_MODELS, name_identity
from stream_rec.embedding.random_encoder import RandomEncoder
from stream_rec.embedding.settings import EmbedderSettings
from stream_rec.errors import EncoderUnavailable, SettingsError
from stream_rec.events.item import Item
from stream_rec.events.validate import InputLimits
from stream_rec.replay import vector_cache
from stream_rec.replay.embedded import ITEMS_AT_ONCE, MOST_UNKEPT, EmbeddedItems, embed_items

pytestmark = pytest.mark.slow

SETTINGS = EmbedderSettings(encoder="hashing", hashing_dimensions=16)
ITEMS = [Item("a", title="red lamp"), Item("b"), Item("c", title="blue lamp"), Item("d", title="red lamp")]


class Counting(HashingEncoder):
    """Keeps the texts that it was given."""

    def __init__(self, revision: str = "") -> None:
        super().__init__(dimensions=16, revision=revision)
        self.texts: list[str] = []

    def encode_passages(self, texts):
        """Encode as ever."""
        self.texts += texts
        return super().encode_passages(texts)


def made(
    cache: Path, items=ITEMS, encoder: Counting | None = None, settings=SETTINGS
) -> tuple[EmbeddedItems, list[str]]:
    """Return the items and the texts that were encoded for them."""
    encoder = encoder or Counting()
    result = embed_items(items, settings, InputLimits(), cache=cache, build_encoder=lambda settings: encoder)
    return result, encoder.texts


def test_each_text_is_embedded_once(tmp_path):
    """Two items with one text share it; an item without text has no vector."""
    result, texts = made(tmp_path)

    assert sorted(texts) == ["blue lamp", "red lamp"]
    assert list(result.embeddings) == ["a", "c", "d"]
    assert (result.n_embedded, result.n_without_text, result.encoder) == (2, 1, Counting().identity)
    assert np.linalg.norm(result.vectors, axis=1) == pytest.approx([1, 0, 1, 1])
    assert result.vectors[0].tolist() == result.vectors[3].tolist()


def test_a_second_run_embeds_nothing_and_has_the_same_vectors(tmp_path):
    """Also when it uses a part of the items, and then again all and more."""
    first, _ = made(tmp_path)
    part, texts = made(tmp_path, ITEMS[2:3])
    more, texts_of_more = made(tmp_path, [*ITEMS, Item("e", title="cup")])

    assert (texts, texts_of_more) == ([], ["cup"])
    assert part.vectors.tolist() == first.vectors[2:3].tolist()
    assert more.vectors[:4].tolist() == first.vectors.tolist()
    assert made(tmp_path, ITEMS)[1] == []


def test_the_last_record_of_an_item_counts(tmp_path):
    """At the place of its first."""
    result, _ = made(tmp_path, [Item("a", title="old"), Item("b", title="x"), Item("a", title="new")])

    assert [(item.item_id, item.title) for item in result.items] == [("a", "new"), ("b", "x")]


def test_another_encoder_has_its_own_vectors(tmp_path):
    """Vectors of two revisions are never mixed."""
    made(tmp_path)
    _, texts = made(tmp_path, encoder=Counting("2"))

    assert len(texts) == 2


def test_a_model_is_not_loaded_when_all_is_known(tmp_path):
    """Its folder says which it is; a changed file in it means another model."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights").write_text("1")
    settings = EmbedderSettings(encoder=str(folder))
    made(tmp_path / "cache", settings=settings)

    def refuse(settings: EmbedderSettings):
        raise AssertionError("loaded")

    known = embed_items(ITEMS, settings, InputLimits(), cache=tmp_path / "cache", build_encoder=refuse)
    (folder / "weights").write_text("22")

    assert known.vectors.tolist() == made(tmp_path / "other")[0].vectors.tolist()
    with pytest.raises(AssertionError, match="loaded"):
        embed_items(ITEMS, settings, InputLimits(), cache=tmp_path / "cache", build_encoder=refuse)


@pytest.mark.parametrize("name", ONNX_MODELS)
def test_a_named_model_is_not_loaded_when_all_is_known(tmp_path, name):
    """Its identity is known without its files; another prefix is another identity."""
    settings = EmbedderSettings(encoder=name)

    class Named(Counting):
        """Says it is the model."""

        def __init__(self) -> None:
            super().__init__()
            self.identity = name_identity(ONNX_MODELS[name], settings)

    made(tmp_path, encoder=Named(), settings=settings)

    def refuse(settings: EmbedderSettings):
        raise AssertionError("loaded")

    known = embed_items(ITEMS, settings, InputLimits(), cache=tmp_path, build_encoder=refuse)

    assert (known.n_embedded, len(known.embeddings)) == (0, 3)
    other = EmbedderSettings(encoder=name, passage_prefix="passage: ")
    with pytest.raises(AssertionError, match="loaded"):
        embed_items(ITEMS, other, InputLimits(), cache=tmp_path, build_encoder=refuse)


def test_a_model_that_turns_out_to_be_another_embeds_everything(tmp_path):
    """Its folder looks the same, but the loaded encoder says that it is not."""
    (tmp_path / "model").mkdir()
    settings = EmbedderSettings(encoder=str(tmp_path / "model"))
    made(tmp_path / "cache", settings=settings)
    more = [*ITEMS, Item("e", title="cup")]
    result, texts = made(tmp_path / "cache", more, Counting("2"), settings)

    assert sorted(texts) == ["blue lamp", "cup", "red lamp"]
    assert {one.identities for one in result.embeddings.values()} == {(Counting("2").identity,)}


def test_two_encoders_have_a_file_each(tmp_path):
    """What one has embedded alone is known when another comes beside it; its file is the same."""
    alone = embed_items(ITEMS, SETTINGS, InputLimits(), cache=tmp_path)
    [file] = tmp_path.iterdir()
    whole = file.read_bytes()
    progress: list[tuple[int, int]] = []
    both = embed_items(
        ITEMS,
        msgspec.structs.replace(SETTINGS, encoder="random+hashing"),
        InputLimits(),
        cache=tmp_path,
        on_progress=lambda *done: progress.append(done),
    )

    assert (both.n_embedded, progress) == (2, [(2, 2)])
    assert len(list(tmp_path.iterdir())) == 2 and file.read_bytes() == whole
    assert both.encoder == f"random@1-64-0+{alone.encoder}"
    assert {one.identities for one in both.embeddings.values()} == {both.identities}
    assert both.embeddings["a"].vectors[1].vector.tolist() == alone.embeddings["a"].vectors[0].vector.tolist()


def test_progress_counts_on_over_the_encoders(tmp_path):
    """Two texts, two encoders: four to do."""
    progress: list[tuple[int, int]] = []
    settings = msgspec.structs.replace(SETTINGS, encoder="random+hashing")
    embed_items(ITEMS, settings, InputLimits(), cache=tmp_path, on_progress=lambda *done: progress.append(done))

    assert progress == [(2, 4), (4, 4)]


def test_vectors_of_two_encoders_stand_side_by_side(tmp_path):
    """Rows of unit length, whose cosine is the mean of the two cosines."""
    settings = msgspec.structs.replace(SETTINGS, encoder="random+hashing")
    items = embed_items(ITEMS, settings, InputLimits(), cache=tmp_path)
    a, c = (items.embeddings[item_id].vectors for item_id in "ac")

    assert items.vectors.shape == (4, 64 + 16)
    assert np.linalg.norm(items.vectors, axis=1) == pytest.approx([1, 0, 1, 1])
    cosines = [x.vector @ y.vector for x, y in zip(a, c)]
    assert items.vectors[0] @ items.vectors[2] == pytest.approx(np.mean(cosines), abs=1e-6)


class Picky(Counting):
    """Fails for what is blue."""

    def encode_passages(self, texts):
        """Encode as ever, or fail."""
        if any("blue" in text for text in texts):
            raise ValueError("no blue")
        return super().encode_passages(texts)


@pytest.mark.parametrize(
    ("encoder", "identities"), [("random+hashing", ("random@1-64-0", "")), ("hashing+random", ("", "random@1-64-0"))]
)
def test_an_item_that_one_encoder_fails_for_has_the_vector_of_the_other(tmp_path, encoder, identities):
    """In its own place; its row is of unit length too, and the failure is counted."""
    settings = msgspec.structs.replace(SETTINGS, encoder=encoder)
    items = embed_items(
        ITEMS,
        settings,
        InputLimits(),
        cache=tmp_path,
        build_encoder=lambda one: Picky() if one.encoder == "hashing" else RandomEncoder(),
    )

    assert items.rejected == {"encoding_failed": 1}
    assert items.embeddings["c"].identities == identities
    assert np.linalg.norm(items.vectors, axis=1) == pytest.approx([1, 0, 1, 1])
    of_hashing = slice(64, None) if identities[0] else slice(-64)
    assert not items.vectors[2, of_hashing].any() and items.vectors[0, of_hashing].any()


def test_one_encoder_under_two_names_is_refused(tmp_path):
    """Two names, and both say that they are the same."""
    settings = EmbedderSettings(encoder="a/b+c/d")

    with pytest.raises(SettingsError, match="more than once"):
        embed_items(ITEMS, settings, InputLimits(), cache=tmp_path, build_encoder=lambda one: Counting())


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "empty", "other arrays"])
def test_a_damaged_cache_is_a_warning(tmp_path, caplog, damage):
    """The items are embedded again, and the cache is whole afterwards."""
    first, _ = made(tmp_path)
    [file] = tmp_path.iterdir()
    whole = file.read_bytes()
    if damage == "other arrays":
        np.savez(file, vectors=np.zeros(3))
    else:
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :]
        file.write_bytes({"cut": whole[:middle], "flipped": flipped, "text": b"hello", "empty": b""}[damage])
    again, texts = made(tmp_path)

    assert len(texts) == 2
    assert "cache_unreadable" in caplog.text
    assert again.vectors.tolist() == first.vectors.tolist()
    assert made(tmp_path)[1] == []
    assert os.listdir(tmp_path) == [file.name]


def test_a_cache_that_cannot_be_written_is_a_warning(tmp_path, caplog):
    """A file stands where the folder should be."""
    (tmp_path / "taken").write_text("")
    result, _ = made(tmp_path / "taken")

    assert len(result.embeddings) == 3
    assert "cache_unwritable" in caplog.text


def test_items_without_any_text_need_no_encoder(tmp_path):
    """There is nothing to be embedded, and no dimension."""
    result, texts = made(tmp_path, [Item("a"), Item("b")])

    assert (texts, result.vectors.shape, result.encoder, list(tmp_path.iterdir())) == ([], (2, 0), "", [])


class Stopped(Counting):
    """Encodes so many batches, then does something else."""

    def __init__(self, n_batches: int, stop) -> None:
        super().__init__()
        self.n_left, self.stop = n_batches, stop

    def encode_passages(self, texts):
        """Encode as ever until it is time to stop."""
        if not self.n_left:
            self.stop()
        self.n_left -= 1
        return super().encode_passages(texts)


MANY = [Item(f"i{n}", title=f"lamp number {n}") for n in range(5 * ITEMS_AT_ONCE)]


def interrupt() -> None:
    raise KeyboardInterrupt


def fail() -> None:
    raise EncoderUnavailable("out of memory")


@pytest.mark.parametrize("stop", [interrupt, fail])
def test_an_interrupted_run_keeps_what_it_has_embedded(tmp_path, stop):
    """All batches before Ctrl-C, or before the encoder fails, are known to the next run; the result is the same."""
    with pytest.raises((KeyboardInterrupt, EncoderUnavailable)):
        made(tmp_path / "cache", MANY, Stopped(4, stop))
    again, texts = made(tmp_path / "cache", MANY)

    assert len(texts) == ITEMS_AT_ONCE
    assert again.vectors.tolist() == made(tmp_path / "other", MANY)[0].vectors.tolist()
    assert [file.suffix for file in (tmp_path / "cache").iterdir()] == [".npz"]


def killed_while_embedding(cache: Path) -> None:
    """Embed until the process is killed in its fifth batch."""
    made(cache, MANY, Stopped(4, lambda: os.kill(os.getpid(), signal.SIGKILL)))


def test_a_killed_run_loses_a_fifth_at_most(tmp_path):
    """Nothing is run at the end of a killed process: the cache was written on the way."""
    process = multiprocessing.get_context("spawn").Process(target=killed_while_embedding, args=(tmp_path,))
    process.start()
    process.join()
    _, texts = made(tmp_path, MANY)

    assert process.exitcode == -signal.SIGKILL
    assert len(texts) <= len(MANY) - 4 * ITEMS_AT_ONCE + MOST_UNKEPT * len(MANY)


def test_what_another_run_has_written_meanwhile_is_kept(tmp_path):
    """The second to write adds to the file; what it has not seen is not lost."""
    others = [Item("x", title="green cup")]
    made(tmp_path, encoder=Stopped(0, lambda: made(tmp_path, others)))

    assert made(tmp_path, [*ITEMS, *others])[1] == []


def embed_and_write_at_once(cache: Path, item: Item, both_are_there) -> None:
    """Write when the other process has read what there is, too, or after a second: the lock keeps it from that."""
    replace = vector_cache._replace

    def wait_and_replace(*arguments) -> None:
        with suppress(BrokenBarrierError):
            both_are_there.wait(1.0)
        replace(*arguments)

    vector_cache._replace = wait_and_replace
    made(cache, [item])


def test_two_processes_that_write_at_once_lose_nothing(tmp_path):
    """One after the other reads the file and replaces it."""
    spawn = multiprocessing.get_context("spawn")
    both_are_there, items = spawn.Barrier(2), [Item("x", title="cup"), Item("y", title="plate")]
    processes = [spawn.Process(target=embed_and_write_at_once, args=(tmp_path, i, both_are_there)) for i in items]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0, 0]
    assert made(tmp_path, items)[1] == []
    assert [file.suffix for file in tmp_path.iterdir()] == [".npz"]


def test_a_large_cache_is_not_written_for_each_batch(tmp_path, monkeypatch):
    """The bytes written in all stay a small multiple of the file."""
    monkeypatch.setattr("stream_rec.replay.embedded.ITEMS_AT_ONCE", 4)
    written: list[int] = []
    monkeypatch.setattr(
        "stream_rec.replay.vector_cache.write", lambda file, identity, vectors: written.append(len(vectors))
    )
    made(tmp_path, MANY)

    assert written[-1] == len(MANY)
    assert sum(written) < 7 * len(MANY)
