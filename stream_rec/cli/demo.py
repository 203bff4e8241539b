"""`stream-rec demo`: the whole pipeline on a real log, in one command."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import click
import msgspec
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from stream_rec.broker.find import external_bootstrap
from stream_rec.cli.compile import compile_with_progress
from stream_rec.cli.interrupt import EXIT_CODE, interrupt_flag
from stream_rec.client import EventProducer
from stream_rec.client.reader import TopicReader
from stream_rec.config import Settings, override
from stream_rec.errors import FileProblem
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.item import Item
from stream_rec.events.rule import Rule, Target
from stream_rec.events.search import Search
from stream_rec.events.slate import Slate
from stream_rec.events.source import Source
from stream_rec.explain import PAST_TENSE, why
from stream_rec.logs.log import BadLine, read_events, read_items, usable
from stream_rec.package_data import find_folder
from stream_rec.testing.arrivals import Arrivals, Latency
from stream_rec.testing.broker import kafka_broker
from stream_rec.testing.pipeline import RunningPipeline

EXAMPLE = find_folder("examples/entree_chicago")
BUNDLED = "of the bundled log"
SHOWN_OF_LOG = 6_000
"""Half of the bundled log: who tries it for the first time waits a minute for all of it."""
SHOWN_USERS = 3
SHOWN_EVENTS = 4
SHOWN_ITEMS = 5
STEADY_SHARE = 0.05
"""Share of the log that is sent at a steady rate, to time events: a flood would time the queue."""
STEADY_RATE = 100.0
ANSWER_PATIENCE_S = 60.0
LIVE_TIMEOUT_S = 30.0


class Interrupted(Exception):
    """Ctrl-C: end in order."""


class Measured(Struct, frozen=True, kw_only=True):
    """What `--json` writes."""

    events: int
    lists: int
    event_to_list_ms: Latency
    """At the steady rate."""
    events_per_s: float
    """While the log was sent as fast as it goes, from the first event to the last list."""
    click_to_list_ms: float
    new_item_to_list_ms: float
    search_to_list_ms: float
    """Of a user of whom nothing is known."""
    ban_to_list_ms: float
    """Until a banned item has left the list of a user who does nothing."""
    lost_events: int
    """Events that are not in the states, or that no list has seen."""
    duplicate_lists: int
    encoder: str


@click.command()
@click.option(
    "--items", "items_file", type=click.Path(path_type=Path), default=EXAMPLE / "items.jsonl.gz", show_default=BUNDLED
)
@click.option(
    "--events",
    "events_file",
    type=click.Path(path_type=Path),
    default=EXAMPLE / "events.jsonl.gz",
    show_default=BUNDLED,
)
@click.option("--limit", type=click.IntRange(min=200), default=SHOWN_OF_LOG, help="Events to take, from the first.")
@click.option("--encoder", help="As of `embedder`. [default: setting embedder.encoder]")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write what was measured to this file.")
@click.pass_obj
def demo(
    settings: Settings,
    items_file: Path,
    events_file: Path,
    limit: int,
    encoder: str | None,
    json_file: Path | None,
) -> None:
    """Start Kafka, an embedder and a worker, stream a real log through them, show what happens, and clean up.

    A Kafka that is named (--bootstrap, $KAFKA_BOOTSTRAP) is used instead of one of its own, with topics under a prefix.
    """
    settings = override(settings, {"embedder.encoder": encoder})
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise FileProblem(f"{json_file} cannot be written: its folder does not exist")
    console = Console()
    bad: Counter[str] = Counter()

    def on_bad(line: BadLine) -> None:
        bad[line.reason] += 1

    items = list(usable(read_items(items_file, limits=settings.limits), on_bad))
    log = read_events(events_file, limits=settings.limits, received_ms=time.time_ns() // 1_000_000)
    records = list(usable(itertools.islice(log, limit), on_bad))
    events = [record for record in records if isinstance(record, LoggedEvent)]
    if n_searches := len(records) - len(events):
        console.print(f"{n_searches} searches not used: the demo shows events", style="yellow")
    for reason, count in bad.items():
        console.print(f"{count} lines not used: {reason}", style="yellow")
    if not items or len(events) < SHOWN_USERS:
        raise FileProblem(f"{items_file} and {events_file} hold {len(items)} items and {len(events)} events: too few")
    with ExitStack() as stack:
        interrupted = stack.enter_context(interrupt_flag())
        try:
            measured = _Demo(settings, items, events, console, interrupted.is_set).run(stack)
        except Interrupted:
            console.print("interrupted; everything is being shut down", style="yellow")
            stack.close()
            sys.exit(EXIT_CODE)
        with console.status("shutting down"):
            stack.close()
    if json_file is not None:
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(measured), indent=2) + b"\n")
    console.print("everything is shut down; nothing is left behind", style="green")
    sys.exit(1 if measured.lost_events else 0)


class _Demo:
    """The demo's steps; each prints what it does."""

    def __init__(
        self,
        settings: Settings,
        items: list[Item],
        events: list[LoggedEvent],
        console: Console,
        is_interrupted: Callable[[], bool],
    ) -> None:
        self._settings = settings
        self._items = {item.item_id: item for item in items}
        self._events = events
        self._console = console
        self._is_interrupted = is_interrupted
        self._history: dict[str, list[LoggedEvent]] = defaultdict(list)

    def run(self, stack: ExitStack) -> Measured:
        """Do all of it; what was started ends with ``stack``."""
        named = external_bootstrap(self._settings, os.environ)
        compiler = stack.enter_context(_compiling())
        with self._console.status("starting Kafka (the first time its jars are fetched, 43 MB)"):
            bootstrap = stack.enter_context(kafka_broker(os.environ | {"KAFKA_BOOTSTRAP": named}))
        self._say("Kafka", f"answers at {bootstrap}")
        with self._console.status("creating topics, starting an embedder"):
            pipeline = stack.enter_context(RunningPipeline(bootstrap, self._settings, workers=0))
        self._say("embedder", f"is ready; all topics begin with {pipeline.settings.kafka.topic_prefix}")
        self._check()
        with pipeline.producer() as producer:
            for item in self._items.values():
                producer.item(item)
        self._wait_for_kernels(compiler)
        worker = pipeline.start_worker(wait=False)  # not before: it gives up where it is not ready in time
        self._wait_for_embeddings(pipeline)
        with self._console.status("starting a worker"):
            worker.wait_until_ready()
        self._say("worker", "is ready")
        self._check()
        arrivals = stack.enter_context(Arrivals(pipeline.settings.kafka))
        rate = self._flood(arrivals)
        pipeline.wait_until_settled()
        latency = self._steady(arrivals)
        self._show_users(arrivals)
        clicked_ms = self._click(arrivals)
        new_item_ms = self._new_item(pipeline, arrivals)
        search_ms = self._search(arrivals)
        ban_ms = self._ban(pipeline, arrivals)
        with self._console.status("comparing the states with what was sent"):
            pipeline.wait_until_settled()
            n_unseen = arrivals.wait_until_answered(ANSWER_PATIENCE_S, lambda n_waiting: self._check())
            n_counted = sum(sum(state.counts) for state in pipeline.user_states().values())
        n_sent = sum(map(len, self._history.values()))
        measured = Measured(
            events=n_sent,
            lists=arrivals.n_lists,
            event_to_list_ms=latency,
            events_per_s=round(rate, 1),
            click_to_list_ms=round(clicked_ms, 1),
            new_item_to_list_ms=round(new_item_ms, 1),
            search_to_list_ms=round(search_ms, 1),
            ban_to_list_ms=round(ban_ms, 1),
            lost_events=max(n_sent - n_counted, n_unseen),
            duplicate_lists=arrivals.n_duplicates,
            encoder=self._settings.embedder.encoder,
        )
        self._summarize(measured)
        return measured

    def _wait_for_kernels(self, compiler: subprocess.Popen[str]) -> None:
        """Pass on what is said of a compilation; where it failed, fail here and say why."""
        assert compiler.stderr is not None
        with self._console.status("compiling, once") as status:
            for line in compiler.stderr:
                status.update(line.strip())
                if not self._console.is_terminal:
                    click.echo(line, nl=False, err=True)
                self._check()
        failed = compiler.wait() != 0
        self._check()  # Ctrl-C ends the compiler too
        if failed:
            compile_with_progress()

    def _wait_for_embeddings(self, pipeline: RunningPipeline) -> None:
        """Watch the items' embeddings come."""
        reader = TopicReader(pipeline.settings.kafka, "item-embeddings")
        embedded: set[bytes] = set()
        with self._progress() as progress:
            task = progress.add_task("embedding items", total=len(self._items))
            while len(embedded) < len(self._items):
                self._check()
                pipeline.raise_if_ended()
                embedded.update(record.key for record in reader.poll(0.1))
                progress.update(task, completed=len(embedded))
        reader.close()

    def _flood(self, arrivals: Arrivals) -> float:
        """Send most of the log as fast as it goes; return events per second up to the last list."""
        flood = self._events[: int(len(self._events) * (1 - STEADY_SHARE))]
        began = time.monotonic()
        with arrivals.producer() as producer, self._progress() as progress:
            sending = progress.add_task("events sent", total=len(flood))
            seeing = progress.add_task("events in lists", total=len(flood))
            for n, logged in enumerate(flood, 1):
                self._send(producer, arrivals, logged)
                if n % 200 == 0:
                    progress.update(sending, completed=n)
                    progress.update(seeing, completed=n - arrivals.n_waiting)
                    self._check()
            progress.update(sending, completed=len(flood))
            producer.flush()

            def show(n_waiting: int) -> None:
                progress.update(seeing, completed=len(flood) - n_waiting)
                self._check()

            arrivals.wait_until_answered(ANSWER_PATIENCE_S, show)
        return len(flood) / (time.monotonic() - began)

    def _steady(self, arrivals: Arrivals) -> Latency:
        """Send the rest at a steady rate; return how long its events took to their lists."""
        rest = self._events[int(len(self._events) * (1 - STEADY_SHARE)) :]
        n_before = len(arrivals.took_ms)
        with arrivals.producer() as producer, self._progress() as progress:
            began = time.monotonic()
            for n, logged in enumerate(progress.track(rest, description=f"events at {STEADY_RATE:.0f}/s")):
                time.sleep(max(0.0, began + n / STEADY_RATE - time.monotonic()))
                self._send(producer, arrivals, logged)
                self._check()
            producer.flush()
            arrivals.wait_until_answered(ANSWER_PATIENCE_S, lambda n_waiting: self._check())
        return Latency.of(arrivals.took_ms[n_before:])

    def _show_users(self, arrivals: Arrivals) -> None:
        """Print the last events and the list of some users."""
        for user_id in self._chosen_users():
            slate = arrivals.newest(user_id)
            if slate is not None:
                self._show(user_id, slate)

    def _click(self, arrivals: Arrivals) -> float:
        """Click on something that a user was shown; print the changed list and return how long it took to come."""
        user_id = self._chosen_users()[0]
        before = arrivals.newest(user_id)
        if before is None:
            raise RuntimeError(f"{user_id} has no list to click in")
        fresh = [item.item_id for item in before.items if item.reason.kind != "repeat"]
        item_id = (fresh or [before.items[0].item_id])[0]
        with arrivals.producer() as producer:
            took_ms, slate = self._live(producer, arrivals, user_id, item_id, lambda slate: True)
        self._console.print(Text(f"\n{user_id} clicks on {self._title(item_id)}: a new list {took_ms:.0f} ms later"))
        self._show(user_id, slate)
        return took_ms

    def _new_item(self, pipeline: RunningPipeline, arrivals: Arrivals) -> float:
        """Add an item, let a newcomer click on one like it; return the time from the item to a list that has it."""
        like = self._items[Counter(logged.event.item_id for logged in self._events).most_common(1)[0][0]]
        new = msgspec.structs.replace(like, item_id="new-item", title=f"{like.title} No. 2")
        reader = TopicReader(pipeline.settings.kafka, "item-embeddings")
        reader.read_to_end(LIVE_TIMEOUT_S)
        with arrivals.producer() as producer:
            began = time.monotonic()
            producer.item(new)
            self._items[new.item_id] = new
            while not any(record.key == b"new-item" for record in reader.poll(0.02)):
                self._check()
                if time.monotonic() - began > LIVE_TIMEOUT_S:
                    raise RuntimeError(f"the new item was not embedded within {LIVE_TIMEOUT_S:.0f} s")
            embedded_ms = 1000 * (time.monotonic() - began)

            def has_it(slate: Slate) -> bool:
                return any(item.item_id == new.item_id for item in slate.items)

            _, slate = self._live(producer, arrivals, "newcomer", like.item_id, has_it)
            took_ms = 1000 * (time.monotonic() - began)
        reader.close()
        self._console.print(
            Text(
                f"\na new item, {new.title}, is embedded {embedded_ms:.0f} ms after it was produced, and in the list "
                f"of a new user who clicks on {like.title} after {took_ms:.0f} ms"
            )
        )
        self._show("newcomer", slate, highlight=new.item_id)
        return took_ms

    def _search(self, arrivals: Arrivals) -> float:
        """Let somebody of whom nothing is known search for something; return how long the list took to come."""
        user_id, query = "searcher", self._choose_query()
        search = Search("demo-search", user_id, query, time.time_ns() // 1_000_000)
        with arrivals.producer() as producer:
            began = time.monotonic()
            arrivals.expect(Source.SEARCH, user_id)
            producer.send_search(search)
            came = arrivals.wait_for_list(user_id, partial(_answers, search.event_id), LIVE_TIMEOUT_S)
        if came is None:
            raise RuntimeError(f"no list came for {user_id} within {LIVE_TIMEOUT_S:.0f} s of a search")
        took_ms = 1000 * (came[1] - began)
        self._console.print(Text(f'\na new user searches for "{query}": a list {took_ms:.0f} ms later'))
        self._show(user_id, came[0])
        return took_ms

    def _choose_query(self) -> str:
        """Return two tags that few items share and some item has, the same ones every time; a title where none do."""
        items = self._items.values()
        counts = Counter(tag for item in items for tag in set(item.tags))
        few = {tag for tag, count in counts.items() if 3 <= count <= 0.1 * len(items)}
        tags = max(([tag for tag in item.tags if tag in few] for item in items), key=len, default=[])
        return " ".join(tags[:2]) if tags else self._title(next(iter(self._items)))

    def _ban(self, pipeline: RunningPipeline, arrivals: Arrivals) -> float:
        """Let the owner ban what the newcomer's list begins with; return the time until it has left the list."""
        before = arrivals.newest("newcomer")
        if before is None:
            raise RuntimeError("newcomer has no list to ban from")
        banned = before.items[0].item_id
        with pipeline.producer() as producer:
            began = time.monotonic()
            producer.rule(Rule("demo-ban", "ban", "the demo", "to show it", Target(item_ids=[banned])))
            producer.flush()
            came = arrivals.wait_for_list("newcomer", partial(_lacks, banned), LIVE_TIMEOUT_S)
            if came is None:
                raise RuntimeError(f"{banned} was still in a list {LIVE_TIMEOUT_S:.0f} s after it was banned")
        took_ms = 1000 * (came[1] - began)
        self._console.print(
            Text(f"\nthe owner bans {self._title(banned)}: it has left the newcomer's list after {took_ms:,.0f} ms")
        )
        return took_ms

    def _live(
        self,
        producer: EventProducer,
        arrivals: Arrivals,
        user_id: str,
        item_id: str,
        fits: Callable[[Slate], bool],
    ) -> tuple[float, Slate]:
        """Send clicks on one item until a list fits; return the time to the list of the last one, and that list."""
        deadline = time.monotonic() + LIVE_TIMEOUT_S
        n = 0
        while True:
            event = Interaction(f"demo-{user_id}-{n}", user_id, item_id, time.time_ns() // 1_000_000)
            began = time.monotonic()
            self._send(producer, arrivals, LoggedEvent(Kind.CLICK, event))
            came = arrivals.wait_for_list(user_id, partial(_answers, event.event_id), LIVE_TIMEOUT_S)
            if came is not None and fits(came[0]):
                return 1000 * (came[1] - began), came[0]
            if came is None or time.monotonic() > deadline:
                raise RuntimeError(f"no fitting list came for {user_id} within {LIVE_TIMEOUT_S:.0f} s")
            self._check()
            n += 1

    def _send(self, producer: EventProducer, arrivals: Arrivals, logged: LoggedEvent) -> None:
        arrivals.expect(logged.kind, logged.event.user_id)
        producer.send_interaction(logged.kind, logged.event)
        self._history[logged.event.user_id].append(logged)

    def _show(self, user_id: str, slate: Slate, highlight: str | None = None) -> None:
        last = [
            f"{PAST_TENSE[logged.kind.label]} {self._title(logged.event.item_id)}"
            for logged in self._history[user_id][-SHOWN_EVENTS:]
        ]
        title = Text(f"{user_id}: {', '.join(last) or 'no events'}")
        table = Table(title=title, title_justify="left", title_style="bold")
        for name in ("#", "item", "why"):
            table.add_column(name, overflow="fold")
        for position, item in enumerate(slate.items, start=1):
            if position <= SHOWN_ITEMS or item.item_id == highlight:
                style = "bold green" if item.item_id == highlight else ""
                reason = Text(why(item.reason, self._title))
                table.add_row(str(position), Text(self._title(item.item_id)), reason, style=style)
        self._console.print(table)

    def _summarize(self, measured: Measured) -> None:
        table = Table(title="measured", title_justify="left", show_header=False)
        latency = measured.event_to_list_ms
        for name, value in (
            ("events sent / lists that came", f"{measured.events:,} / {measured.lists:,}"),
            ("event to list, at a steady rate", f"p50 {latency.p50} ms, p95 {latency.p95} ms, p99 {latency.p99} ms"),
            ("events per second, as fast as it goes", f"{measured.events_per_s:,.0f}"),
            ("new item to list", f"{measured.new_item_to_list_ms:,.0f} ms"),
            ("search to list, of a user without any event", f"{measured.search_to_list_ms:,.0f} ms"),
            ("ban to list, of a user who does nothing", f"{measured.ban_to_list_ms:,.0f} ms"),
            ("events lost / lists that came twice", f"{measured.lost_events} / {measured.duplicate_lists}"),
        ):
            table.add_row(name, value)
        self._console.print(table)

    def _chosen_users(self) -> list[str]:
        """Return some users with a history that can be read at a glance, the same ones every time."""
        readable = [user_id for user_id, events in self._history.items() if 6 <= len(events) <= 20]
        return (readable or list(self._history))[-SHOWN_USERS:]

    def _title(self, item_id: str) -> str:
        item = self._items.get(item_id)
        return item.title if item is not None and item.title else item_id

    def _progress(self) -> Progress:
        columns = (TextColumn("{task.description:>16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        return Progress(*columns, console=self._console)

    def _say(self, what: str, fact: str) -> None:
        self._console.print(Text.assemble((f"{what} ", "bold"), fact))

    def _check(self) -> None:
        if self._is_interrupted():
            raise Interrupted


@contextmanager
def _compiling() -> Iterator[subprocess.Popen[str]]:
    """Have the kernels compiled in a process of its own, beside what else is to be started; it ends with the block."""
    command = [sys.executable, "-m", "stream_rec", "compile"]
    compiler = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    with compiler:
        try:
            yield compiler
        finally:
            compiler.kill()


def _lacks(item_id: str, slate: Slate) -> bool:
    """Return whether a list does not show an item."""
    return all(item.item_id != item_id for item in slate.items)


def _answers(event_id: str, slate: Slate) -> bool:
    """Return whether a list was made after an event."""
    return slate.as_of is not None and slate.as_of.event_id == event_id
