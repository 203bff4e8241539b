"""The dashboard in a real browser, on a real pipeline: true figures, hostile titles, a broker that comes back."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from stream_rec.broker.lifecycle import start_broker, stop_broker
from stream_rec.config import BrokerSettings, Settings, override
from stream_rec.events.item import Item
from stream_rec.events.rule import Rule, Target
from stream_rec.testing.pipeline import RunningPipeline
from stream_rec.testing.services import running_service
from tests.kafka.outcome import wait_until
from tests.kafka.settings import quick_settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

pytestmark = [pytest.mark.thorough, pytest.mark.kafka, pytest.mark.browser]

HOSTILE = '<script>document.title = "taken"</script><img src=x onerror="document.title = \'taken\'">'
TURNED = "\u202egnp.pot\u2066 \u200f\u05d0"
LONG = "x" * 3_000
ODD = 'a/b?c#d%20 "é"'
ITEMS = [
    *(Item(f"i{n}", title=f"copper kettle {n}", category="tea" if n % 2 else "home", tags=["t"]) for n in range(12)),
    Item(ODD, title=HOSTILE, description=HOSTILE, category=TURNED, attributes={HOSTILE: HOSTILE}),
    Item("turned", title=TURNED, category="tea", relations={"near": ["i1", ODD]}),
    Item("long", title=LONG, category="tea", description=LONG),
]
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
SIZES, SCHEMES = (390, 1440), ("light", "dark")


@pytest.fixture(scope="module")
def running(bootstrap: str) -> Iterator[RunningPipeline]:
    """A pipeline on which some users have done something, one of them with an odd name."""
    with RunningPipeline(bootstrap, quick_settings()) as started:
        with started.producer() as producer:
            for item in ITEMS:
                producer.item(item)
            producer.rule(Rule("r/1", "cap", HOSTILE, TURNED, Target(category="tea"), count=5))
            for number in range(60):
                producer.view(("ann", "bob", ODD)[number % 3], ITEMS[number * 7 % len(ITEMS)].item_id)
        started.wait_until_settled()
        yield started


@pytest.fixture(scope="module")
def address(running: RunningPipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_service(running.settings, tmp_path_factory.mktemp("page"), role="dashboard") as found:
        yield found


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails the test if anything goes wrong in it."""
    opened = browser.new_page()
    said = watch(opened)
    yield opened
    opened.close()
    assert said == []


def watch(opened: Page) -> list[str]:
    """Return what will be said on the console, less the browser's own word on answers that refuse."""
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        is_refusal = message.text.startswith("Failed to load") and "/dashboard/api/" in message.location["url"]
        if message.type in ("error", "warning") and not is_refusal:
            said.append(message.text)

    opened.on("console", hear)
    opened.on("pageerror", lambda error: said.append(str(error)))
    return said


def views() -> dict[str, str]:
    odd = quote(ODD, safe="")
    return {
        "#/": "table",
        "#/users": ".links a",
        f"#/users/{odd}": "table",
        "#/items": ".empty",
        "#/items?q=kettle": "table",
        f"#/items/{odd}": "table",
        "#/items/turned": "table",
        "#/items/long": "table",
        "#/rules": "table",
        "#/nowhere": "main a",
    }


def taken(page: Page, topic: str) -> int:
    cell = page.locator(f'[data-topic="{topic}"]')
    return int(cell.inner_text().replace(",", "")) if cell.count() else 0


def test_figures_are_what_was_sent(running: RunningPipeline, address: str, page: Page):
    """While events stream, the page comes to the very counts that were sent, and says how good and how fast."""
    page.goto(address)
    page.wait_for_selector("[data-topic=views]")
    views_before, clicks_before = taken(page, "views"), taken(page, "clicks")
    with running.producer() as producer:
        for number in range(200):
            (producer.view if number % 2 else producer.click)(f"u{number % 9}", f"i{number % 12}")
    wait_until(lambda: (taken(page, "views"), taken(page, "clicks")) == (views_before + 100, clicks_before + 100))
    page.wait_for_selector("#pulse:text-is('Live')")
    page.wait_for_selector("dt:text-is('Waiting') + dd:has-text('nothing is behind')")
    assert (taken(page, "views"), taken(page, "clicks")) == (views_before + 100, clicks_before + 100)
    choices = page.locator("tr", has_text="stream-rec's lists").last.locator("td").last
    wait_until(lambda: int(choices.inner_text().replace(",", "")) > 50)
    assert page.locator("tr", has_text="worker-1").inner_text().split()[2] == "ready"
    assert page.locator(".uplot canvas").count() == 4


def test_a_list_changes_as_its_user_clicks(running: RunningPipeline, address: str, page: Page):
    """The page of a user follows: the new event, and what it changed."""
    with running.producer() as producer:
        producer.click("cem", "i1")
    running.wait_until_settled()
    page.goto(f"{address}/#/users/cem")
    page.wait_for_selector("text=copper kettle 1")
    with running.producer() as producer:
        producer.purchase("cem", "i5")
    page.wait_for_selector("text=After the purchase of copper kettle 5")
    assert page.locator("text=0 views, 1 click, 1 purchase").count() == 1
    page.fill("[name=query]", "kettle 7")
    page.click("text=See what would change")
    page.wait_for_selector("text=answers what you searched for")
    page.fill("[name=query]", "")
    page.click("summary:has-text('with a rule')")
    page.select_option("form [name=action]", "ban")
    page.fill("form [name=category]", "tea")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Would change")
    page.wait_for_selector("summary:has-text('that leave')")


def test_a_rule_is_put_and_ended_by_keyboard_alone(running: RunningPipeline, address: str, page: Page):
    """From the skip link on; what is wrong with it is said where it is put, and lists obey what is right."""
    page.goto(f"{address}/#/rules")
    page.wait_for_selector("text=r/1")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.focus("form [name=rule_id]")
    page.keyboard.type("no-3")
    page.select_option("form [name=action]", "cap")
    page.focus("form [name=item_ids]")
    page.keyboard.type("i3")
    page.focus("form [name=author]")
    page.keyboard.type("ann")
    page.keyboard.press("Tab")
    page.keyboard.type("sold by mistake")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]:has-text('a cap needs `count`')")
    page.select_option("form [name=action]", "ban")
    page.focus("form [name=author]")
    page.keyboard.press("Enter")
    row = page.locator("tr", has_text="no-3").first
    page.wait_for_selector("th:has-text('no-3')")
    assert "in force" in row.inner_text() and "sold by mistake" in row.inner_text()
    end = row.locator("button", has_text="End")
    end.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.wait_for_selector("td:has-text('ended')")
    wait_until(lambda: page.locator("th", has_text="no-3").count() == 0)


def test_titles_are_text_and_ids_may_be_anything(running: RunningPipeline, address: str, page: Page):
    """Markup is shown as it is written, and what turns the direction turns nothing but itself."""
    odd = quote(ODD, safe="")
    for hash_ in (f"#/items/{odd}", f"#/users/{odd}", "#/rules", "#/items?q=script", "#/items/turned"):
        page.goto(f"{address}/{hash_}")
        page.wait_for_selector("main table")
        assert page.locator("main script, main img").count() == 0
        assert "taken" not in page.title() or page.title().startswith("<script>")
        assert page.evaluate("[...document.querySelectorAll('main bdi')].every(e => !e.children.length)")
    page.goto(f"{address}/#/items/{odd}")
    page.wait_for_selector("text=Near in text")
    assert page.locator("h1").inner_text() == HOSTILE
    page.click("nav >> text=Users")
    page.fill("[name=user]", "a/b")
    page.click(f".links a:has-text('{ODD.split('?')[0]}')")
    page.wait_for_selector("h1:has-text('User')")
    assert page.locator("h1").inner_text() == f"User {ODD}"
    page.go_back()
    page.wait_for_selector("text=Whose lists changed last")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", SIZES)
def test_every_view_can_be_read_by_everybody(address: str, browser: Browser, width: int, scheme: str):
    """No violation that axe finds, no line wider than the screen, no error, on any view, in light and in dark."""
    from axe_playwright_python.sync_playwright import Axe

    axe = Axe()
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme, reduced_motion="reduce")
    said = watch(page)
    wrong = {}
    for hash_, awaited in views().items():
        page.goto(f"{address}/{hash_}")
        page.reload()
        page.wait_for_selector(f"main {awaited}" if not awaited.startswith("main") else awaited)
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        found = axe.run(page, options={"runOnly": AXE_TAGS}).response["violations"]
        n_wide = page.evaluate("document.documentElement.scrollWidth")
        titles = page.locator("h1").count() == 1 and page.title().endswith("stream-rec")
        said_of = [(each["id"], [node["html"][:200] for node in each["nodes"]][:3]) for each in found]
        if said_of or n_wide > width or not titles:
            wrong[hash_] = (said_of, n_wide, titles)
    page.close()
    assert wrong == {}
    assert said == []


def test_a_key_opens_the_page(running: RunningPipeline, browser: Browser, tmp_path: Path):
    """One that is wrong does not, and says so; one that may only look puts no rules."""
    keys = tmp_path / "keys.toml"
    digest = hashlib.sha256(b"looks").hexdigest()
    keys.write_text(f'[[key]]\nname = "looks"\nsha256 = "{digest}"\nscopes = ["read"]\n')
    with running_service(
        override(running.settings, {"dashboard.keys_file": str(keys)}), tmp_path, role="dashboard"
    ) as address:
        page = browser.new_page()
        page.goto(f"{address}/#/rules")
        for key, awaited in (("wrong", "[role=alert]:has-text('an API key is needed')"), ("looks", "text=What holds")):
            page.fill("[name=key]", key)
            page.keyboard.press("Enter")
            page.wait_for_selector(awaited)
        assert page.locator("button:has-text('Put the rule')").is_disabled()
        page.wait_for_selector("#pulse:has-text('Live')")
        page.close()


def test_who_was_forgotten_is_not_found(running: RunningPipeline, address: str, page: Page):
    """Neither by id nor among those whose lists changed."""
    with running.producer() as producer:
        producer.click("zoe-forgotten", "i2")
    running.wait_until_settled()
    page.goto(f"{address}/#/users/zoe-forgotten")
    page.wait_for_selector("text=0 views, 1 click")
    with running.producer() as producer:
        producer.forget("zoe-forgotten")
    page.wait_for_selector("text=nothing is known of a user 'zoe-forgotten'")
    page.goto(f"{address}/#/users")
    page.fill("[name=user]", "zoe")
    page.wait_for_selector("text=None of those whose lists are kept")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def test_a_broker_and_a_worker_come_back(browser: Browser, tmp_path: Path):
    """The page says what is gone, keeps what it knew, and goes on by itself, without a reload."""
    broker = BrokerSettings(data_dir=str(tmp_path / "broker"), port=free_port(), preferred_port=0, controller_port=0)
    settings = Settings(broker=broker)
    address_of_broker = start_broker(settings, {}).bootstrap
    try:
        with RunningPipeline(address_of_broker, quick_settings(), directory=tmp_path / "pipeline") as running:
            send(running, 20)
            with running_service(running.settings, tmp_path, role="dashboard") as address:
                page = browser.new_page()
                page.goto(address)
                page.wait_for_selector("#pulse:text-is('Live')", timeout=90_000)
                running.children["worker-1"].stop()
                page.wait_for_selector("text=No worker has said anything for 10 seconds", timeout=30_000)
                assert page.locator("#pulse").inner_text() == "No worker"
                running.start_worker()
                page.wait_for_selector("#pulse:text-is('Live')", timeout=60_000)
                stop_broker(broker)
                page.wait_for_selector("text=no Kafka broker answers", timeout=60_000)
                start_broker(settings, {})
                deadline = time.monotonic() + 180
                while page.locator("#pulse").inner_text() != "Live":  # processes that ended wait for their supervisor
                    for child in [each for each in running.children.values() if each.process.poll() is not None]:
                        start = running.start_worker if child.role == "worker" else running.start_embedder
                        start(child.name, wait=False)
                    assert time.monotonic() < deadline, page.locator("main").inner_text()[:1000]
                    page.wait_for_timeout(200)
                before = taken(page, "views")
                send(running, 30)
                wait_until(lambda: taken(page, "views") >= before + 30 or taken(page, "views") == 30)
                page.goto(f"{address}/#/users/u1")
                page.wait_for_selector("main table", timeout=60_000)
                page.close()
    finally:
        stop_broker(broker)


def send(running: RunningPipeline, n: int) -> None:
    with running.producer() as producer:
        for number in range(n):
            producer.view(f"u{number % 3}", f"i{number % 5}")
            producer.item(Item(f"i{number % 5}", title=f"lamp {number % 5}"))
    running.wait_until_settled()
