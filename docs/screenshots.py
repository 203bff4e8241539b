"""Take pictures of every view of the dashboard, 390 and 1440 px wide, light and dark: on a pipeline of the bundled log.

    python docs/screenshots.py                 # into docs/assets/dashboard/, some 4 minutes
    python docs/screenshots.py --out FOLDER    # elsewhere, to look at

Needs the extras `broker`, `serve` and `test`, and Chromium: $CHROMIUM, one on the path, or Playwright's own.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import threading
import time
from collections import Counter
from io import BytesIO
from pathlib import Path
from urllib.parse import quote, unquote

from PIL import Image
from playwright.sync_api import Browser, Page

sys.path.insert(0, str(Path(__file__).parents[1]))

from stream_rec.config import Settings, override
from stream_rec.events.interaction import LoggedEvent
from stream_rec.events.item import Item
from stream_rec.events.rule import Rule, Target
from stream_rec.logs.log import read_events, read_items
from stream_rec.package_data import find_folder
from stream_rec.testing.broker import kafka_broker
from stream_rec.testing.pipeline import RunningPipeline
from stream_rec.testing.services import running_service
from tests.browser import chromium

OUT = Path(__file__).parent / "assets" / "dashboard"
FIRST_EVENTS, RATE, LIVE_S = 4_000, 20, 150
VIEWS = {
    "overview": "#/",
    "users": "#/users",
    "user": "#/users/{user}",
    "items": "#/items",
    "search": "#/items?q=romantic%20italian",
    "item": "#/items/{item}",
    "rules": "#/rules",
}
SIZES = ((1440, 800), (390, 844))
HIGHEST_PX = 1600
"""A longer page is cut off there."""
N_COLOURS = 256
"""A third of the bytes, and no difference to the eye: rare colours are kept."""
RULES = (
    Rule("autumn-menus", "pin", "ann", "the autumn campaign", Target(["C0044"]), slot=3),
    Rule("few-without-wine", "cap", "ben", "guests ask for wine", Target(tag="No Liquor Served"), count=2),
    Rule("closed", "ban", "ann", "closed for the season", Target(["C0019"])),
)

RULE_IN_EDITOR = {
    "rule_id": "romantic-evenings",
    "count": "4",
    "tag": "Romantic",
    "author": "ann",
    "reason": "the week of Valentine's Day",
}


def main() -> None:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the pictures (%(default)s)")
    folder = parser.parse_args().out
    settings = override(Settings(), {"embedder.encoder": "hashing"})
    with (
        tempfile.TemporaryDirectory() as state,
        kafka_broker() as bootstrap,
        RunningPipeline(bootstrap, settings) as running,
    ):
        events = send_first(running)
        is_over = threading.Event()
        sending = threading.Thread(target=send_on, args=(running, events, is_over))
        with running_service(running.settings, Path(state), role="dashboard") as address, chromium() as browser:
            sending.start()
            try:
                time.sleep(LIVE_S)
                busy = Counter(
                    logged.event.user_id for logged in events[FIRST_EVENTS : FIRST_EVENTS + RATE * LIVE_S // 2]
                )
                user_id = busy.most_common(1)[0][0]
                chosen = {"user": quote(user_id, safe=""), "item": quote(events[FIRST_EVENTS].event.item_id, safe="")}
                take(browser, address, chosen, folder)
            finally:
                is_over.set()
                sending.join()


def take(browser: Browser, address: str, chosen: dict[str, str], folder: Path) -> None:
    """Take the pictures of a dashboard that runs."""
    folder.mkdir(parents=True, exist_ok=True)
    for (width, height), scheme in itertools.product(SIZES, ("light", "dark")):
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        for name, hash_ in VIEWS.items():
            page.goto(f"{address}/{hash_.format(**chosen)}")
            page.reload()
            page.wait_for_selector("main table, main .empty, main .links")
            if name == "rules":
                fill_editor(page, chosen["user"])
            page.wait_for_timeout(2500)
            save(page.screenshot(full_page=True), folder / f"{name}-{width}-{scheme}.png")
        page.close()


def save(screenshot: bytes, file: Path) -> None:
    """Write a picture, cut off and with few colours."""
    picture = Image.open(BytesIO(screenshot)).convert("RGB")
    cut = picture.crop((0, 0, picture.width, min(picture.height, HIGHEST_PX)))
    cut.quantize(N_COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(file, optimize=True)
    print(file, file.stat().st_size)


def fill_editor(page: Page, user: str) -> None:
    """Have the editor show what a rule would do."""
    page.select_option("form [name=action]", "floor")
    for name, value in RULE_IN_EDITOR.items():
        page.fill(f"form [name={name}]", value)
    page.fill("form [name=user]", unquote(user))
    page.click("button:text-is('Preview')")
    page.wait_for_selector("text=In the list of")


def send_first(running: RunningPipeline) -> list[LoggedEvent]:
    """Send the catalog, some events and the rules; return all events."""
    folder = find_folder("examples/entree_chicago")
    limits = running.settings.limits
    log = read_events(folder / "events.jsonl.gz", limits=limits, received_ms=time.time_ns() // 1_000_000)
    items = [item for item in read_items(folder / "items.jsonl.gz", limits=limits) if isinstance(item, Item)]
    events = [logged for logged in log if isinstance(logged, LoggedEvent)]
    with running.producer() as producer:
        for item in items:
            producer.item(item)
        for logged in events[:FIRST_EVENTS]:
            producer.send_interaction(logged.kind, logged.event)
        for rule in RULES:
            producer.rule(rule)
    running.wait_until_settled()
    return events


def send_on(running: RunningPipeline, events: list[LoggedEvent], is_over: threading.Event) -> None:
    """Send events at a steady pace until it is over; a user's own come as they are."""
    with running.producer() as producer:
        for logged in itertools.islice(events, FIRST_EVENTS, None):
            if is_over.wait(1 / RATE):
                return
            producer.send_interaction(logged.kind, logged.event)


if __name__ == "__main__":
    main()
