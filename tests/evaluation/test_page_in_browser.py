"""The pages of an evaluation in a real Chromium: on a phone and on a desk, by day and by night."""

from __future__ import annotations

import pytest

from stream_rec.evaluation.comparison_page import render_comparison
from stream_rec.evaluation.report import render_page
from tests.evaluation.evaluated import compared, hostile_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module", params=["page", "comparison"])
def address(request, tmp_path_factory) -> str:
    """Return the address of a page of every section, whose titles and names are as bad as can be."""
    tmp_path = tmp_path_factory.mktemp(request.param)
    if request.param == "page":
        found, more = hostile_page(tmp_path)
        text = render_page(found, **more)
    else:
        text = render_comparison(compared(tmp_path))
    file = tmp_path / "index.html"
    file.write_text(text, encoding="utf-8")
    return file.as_uri()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1440, "dark")], ids=["phone by day", "desk by night"])
def test_a_page_is_in_order(browser, address, width, scheme):
    """Nothing is wider than the screen, nothing is said to the console or fetched, and axe finds no fault."""
    from axe_playwright_python.sync_playwright import Axe

    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    said: list[str] = []
    fetched: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(address)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    faults = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"][:120] for node in one["nodes"][:2]]) for one in faults] == []
    assert (said, fetched) == ([], [address])
    context.close()


def test_a_picture_fits_the_screen_that_it_is_on(browser, address):
    """On a phone the narrow variant is there and legible, on a desk the wide one."""
    for width, kind, other in ((390, "narrow-only", "wide-only"), (1440, "wide-only", "narrow-only")):
        page = browser.new_page(viewport={"width": width, "height": 844})
        page.goto(address)
        heights = page.evaluate(
            f"[...document.querySelectorAll('svg.{kind} text')].map(one => one.getBoundingClientRect().height)"
            ".filter(height => height > 0)"
        )

        assert page.locator(f"svg.{kind}").first.is_visible() and not page.locator(f"svg.{other}").first.is_visible()
        assert min(heights) >= 9, kind
        page.close()


def test_a_wide_table_scrolls_by_keyboard(browser, address):
    """Its box takes the focus, and the arrow moves it, not the page."""
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(address)
    box = page.locator(".wide:visible").nth(1)
    box.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.activeElement.scrollLeft > 0")

    assert page.evaluate("document.documentElement.scrollLeft") == 0
    page.close()


def test_print_shows_no_box_that_scrolls(browser, address):
    """On paper nothing can be moved: tables are whole, and on white."""
    page = browser.new_page(color_scheme="dark")
    page.goto(address)
    page.emulate_media(media="print", color_scheme="dark")

    assert page.evaluate("getComputedStyle(document.querySelector('.wide')).overflowX") == "visible"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.close()
