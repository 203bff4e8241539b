"""What is sold out leaves every published list within seconds, whatever happens to the worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from stream_rec.client.reader import TopicReader
from stream_rec.events.item import Item
from stream_rec.events.slate import DEFAULT_LIST, Slate
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.testing.pipeline import RunningPipeline
from tests.kafka.outcome import wait_until
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka

PROMISED_S = 5.0
N_ITEMS, N_USERS = 30, 300
GONE = "item-0"
_SLATE = msgspec.json.Decoder(Slate)


class Newest(threading.Thread):
    """The newest list of each user as the topic has it, read by a consumer of the test's own."""

    def __init__(self, kafka: KafkaSettings) -> None:
        super().__init__(daemon=True)
        self._reader = TopicReader(kafka, "recommendations")
        self._is_over = threading.Event()
        self.lists: dict[str, Slate] = {}
        self.gone_back: list[str] = []
        """Lists that have seen less than the one before."""

    def run(self) -> None:
        while not self._is_over.is_set():
            for record in self._reader.poll(0.05):
                user_id = record.key.decode()
                if record.value is None:
                    self.lists.pop(user_id, None)
                    continue
                slate, before = _SLATE.decode(record.value), self.lists.get(user_id)
                if before is not None and any(slate.seen.get(t, -1) < offset for t, offset in before.seen.items()):
                    self.gone_back.append(slate.list_id)
                self.lists[user_id] = slate

    def showing(self, item_id: str) -> list[str]:
        """Users whose newest list shows an item."""
        lists = list(self.lists.items())
        return [user_id for user_id, slate in lists if any(item.item_id == item_id for item in slate.items)]

    def close(self) -> None:
        self._is_over.set()
        self.join()
        self._reader.close()


@contextmanager
def newest_lists(running: RunningPipeline) -> Iterator[Newest]:
    """Follow the topic from its beginning."""
    newest = Newest(running.settings.kafka)
    newest.start()
    try:
        yield newest
    finally:
        newest.close()


@contextmanager
def live_events(running: RunningPipeline) -> Iterator[None]:
    """Events of some of the users, steadily."""
    is_over = threading.Event()

    def send() -> None:
        with running.producer() as producer:
            number = 0
            while not is_over.wait(0.02):
                number += 1
                producer.view(f"user-{number * 7 % (N_USERS // 3)}", f"item-{1 + number % (N_ITEMS - 1)}")

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def fill(running: RunningPipeline, newest: Newest) -> None:
    """Let every user have a list, nearly all with the item that will be gone."""
    with running.producer() as producer:
        for number in range(N_ITEMS):
            producer.item(Item(f"item-{number}", title=f"thing {number}", category=f"kind {number % 3}"))
        for number in range(N_ITEMS):
            producer.view("first", f"item-{number}")
        producer.flush()
        wait_until(lambda: DEFAULT_LIST in newest.lists and len(newest.lists[DEFAULT_LIST].items) == 20)
    click_all(running)
    wait_until(lambda: len(newest.lists) > N_USERS)
    assert len(newest.showing(GONE)) > N_USERS / 2


def click_all(running: RunningPipeline) -> bool:
    """Let every user click the item, and return when the lists for that are sent."""
    with running.producer() as producer:
        for number in range(N_USERS):
            producer.click(f"user-{number}", GONE)
    running.wait_until_settled()
    return True


def sell_out(running: RunningPipeline) -> None:
    with running.producer() as producer:
        producer.item(Item(GONE, title="thing 0", category="kind 0", available=False))


def test_what_is_sold_out_is_gone_from_all_lists(bootstrap: str):
    """Under load, a live worker, a killed one, and one that was away when it happened: nobody's newest list shows it.

    The lists are full again afterwards, though most of their users are quiet, and none has seen less than the one
    before it.
    """
    with (
        RunningPipeline(bootstrap, quick_settings(worker={"refresh_share": 0.5}), embedder=False) as running,
        newest_lists(running) as newest,
        running.producer() as producer,
    ):
        fill(running, newest)
        with live_events(running):
            sell_out(running)
            wait_until(lambda: not newest.showing(GONE), PROMISED_S)
            wait_until(lambda: all(len(slate.items) == 20 for slate in newest.lists.values()), 60.0)
            assert not newest.showing(GONE)

            producer.item(Item(GONE, title="thing 0", category="kind 0"))
            producer.flush()
        wait_until(lambda: click_all(running) and len(newest.showing(GONE)) > N_USERS / 2)

        with live_events(running):
            sell_out(running)
            running.children["worker-1"].kill()
            running.start_worker()
            wait_until(lambda: not newest.showing(GONE), PROMISED_S)
            time.sleep(1.0)  # nothing brings it back
            assert not newest.showing(GONE)
        running.wait_until_settled()
        assert not newest.gone_back


def test_a_deleted_item_is_gone_from_lists_of_a_partition_that_moved(bootstrap: str):
    """A worker that takes partitions over knows whom they show what."""
    settings = quick_settings(worker={"refresh_share": 0.0})
    with RunningPipeline(bootstrap, settings, embedder=False) as running, newest_lists(running) as newest:
        fill(running, newest)
        running.start_worker("worker-2")
        wait_until(lambda: "read_lists" in running.children["worker-2"].log.read_text())
        with running.producer() as producer:
            producer.delete_item(GONE)
        wait_until(lambda: not newest.showing(GONE), PROMISED_S)
        assert not newest.gone_back
