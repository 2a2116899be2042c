"""The page in a real Chromium: it draws, asks nobody, follows light and dark, obeys the keyboard, and is not taken over."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from tlsearch.reports import summarize
from tlsearch.reports.html.report import render_report
from tlsearch.reports.look import render
from tlsearch.search.data.inspection import inspect_folder

from .factory import busy_study, photographed

pytestmark = pytest.mark.slow

NASTY = (
    "<script>alert(1)</script>",
    "[red]x[/red]",
    "a \"quoted\" & 'quoted' name",
    "line\nbreak",
    "🐈 عربي \u202egnp.exe",
    "{{ 7 * 7 }} ${alert(1)}",
    "</script><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    '"><svg onload=alert(1)>',
)


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    """A page with everything on it."""
    folder = tmp_path_factory.mktemp("page")
    store = photographed(folder / "photos", folder / "data", ("cats", "dogs"), test=40, study=busy_study)
    return render_report(summarize(store))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A page over a data set of 200 classes whose names try things."""
    folder = tmp_path_factory.mktemp("hostile")
    classes = sorted([name for name in NASTY if "/" not in name] + [f"class {number:03}" for number in range(200 - len(NASTY))])
    store = photographed(folder / "photos", folder / "data", classes, test=1)
    found = summarize(store)
    # What a folder cannot be called is put in afterwards.
    data = dataclasses.replace(found.settings.data, classes=(*NASTY, *classes)[: len(classes)])
    return render_report(dataclasses.replace(found, settings=dataclasses.replace(found.settings, data=data, name=NASTY[0])))


@pytest.mark.parametrize(("width", "dark"), [(390, False), (820, False), (1400, False), (1400, True)])
def test_every_chart_is_drawn_and_nothing_is_asked_for(visit, html, width, dark):
    opened = visit(html, width, dark)
    charts = opened.page.locator(".chart")
    assert charts.count() == opened.drawn() == 9
    for place in range(charts.count()):
        chart = charts.nth(place)
        assert chart.locator("svg").count() == 1
        pixels = np.asarray(Image.open(io.BytesIO(chart.screenshot())).convert("RGB")).reshape(-1, 3)
        # A blank one has one colour; axes alone have but a few.
        assert len(np.unique(pixels, axis=0)) > 20, chart.get_attribute("id")
        box, outer = chart.locator("svg").bounding_box(), chart.bounding_box()
        assert box["width"] <= outer["width"] + 1
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.quiet() is True


def test_the_policy_forbids_requests_and_foreign_scripts(visit, html):
    opened = visit(html)
    outcome = opened.page.evaluate(
        """async () => {
            const failed = await fetch("https://example.org/").then(() => "loaded", () => "refused");
            const script = document.createElement("script");
            script.textContent = "window.taken = true";
            document.body.append(script);
            const style = document.createElement("style");
            style.textContent = "body { display: none }";
            document.head.append(style);
            return [failed, window.taken === undefined, getComputedStyle(document.body).display];
        }"""
    )
    assert outcome == ["refused", True, "block"]


def test_light_and_dark_by_the_system_and_by_the_button(visit, html):
    opened = visit(html, dark=True)

    def ground():
        return opened.page.evaluate("getComputedStyle(document.body).backgroundColor")

    assert ground() == "rgb(17, 19, 24)"
    opened.page.click("#theme")
    assert ground() == "rgb(245, 246, 248)"
    opened.page.click("#theme")
    assert ground() == "rgb(17, 19, 24)"


def test_the_keyboard_reaches_everything_and_focus_is_seen(visit, html):
    opened = visit(html)
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.textContent") == "To the content"
    reached = set()
    for _ in range(120):
        kind, seen = opened.page.evaluate(
            "(({id, tagName}, style) => [id || tagName, style.outlineStyle])"
            "(document.activeElement, getComputedStyle(document.activeElement))"
        )
        if kind == "BODY":
            break
        assert seen == "solid"
        reached.add(kind)
        opened.page.keyboard.press("Tab")
    assert {"A", "theme", "SUMMARY", "INPUT", "DIV"} <= reached
    # A table opens by key, and a technique leaves the charts.
    opened.page.focus("#cost summary")
    opened.page.keyboard.press("Enter")
    assert opened.page.locator("#cost table").is_visible()
    points = opened.page.locator("#chart-rates .mark-symbol path")
    before = points.count()
    opened.page.focus("input[value=frozen]")
    opened.page.keyboard.press("Space")
    opened.page.wait_for_function(f"document.querySelectorAll('#chart-rates .mark-symbol path').length < {before}")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_stands_in_the_way_of_assistive_technology(visit, html, dark):
    from axe_playwright_python.sync_playwright import Axe

    opened = visit(html, dark=dark)
    opened.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = Axe().run(opened.page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []


@pytest.mark.parametrize("width", [390, 1400])
def test_hostile_names_do_nothing_but_show(visit, hostile, width):
    opened = visit(hostile, width)
    text = opened.page.inner_text("body")
    for name in NASTY:
        assert name.replace("\n", "\\n").replace("\u202e", "\\u202e") in text
    assert (
        "\u202e" not in opened.page.content()
        and opened.page.locator("main script, main svg[onload], img[onerror]").count() == 0
    )
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.quiet() is True
    assert len(hostile.encode()) < 5e6


def test_what_is_under_the_pointer_is_told_as_text(visit, html):
    opened = visit(html)
    opened.page.locator("#chart-cost .mark-symbol path").first.hover()
    opened.page.wait_for_selector("#tip:not([hidden])")
    assert "technique" not in opened.page.inner_text("#tip") and "\n" in opened.page.inner_text("#tip")
    opened.page.keyboard.press("Escape")
    assert opened.page.locator("#tip").is_hidden()


@pytest.mark.parametrize("width", [390, 1400])
def test_the_contact_sheet_is_whole_too(visit, make_folder, width):
    from axe_playwright_python.sync_playwright import Axe

    folder = make_folder({"train/[red]x": 9, "train/<b>bold": 4, "test/[red]x": 2, "test/<b>bold": 2})
    (folder / "train" / "<b>bold" / "same.png").write_bytes((folder / "train" / "<b>bold" / "0.png").read_bytes())
    opened = visit(render(inspect_folder(folder, size=32), None, "html"), width)
    assert opened.drawn() == 1 and opened.page.locator("main b").count() == 0 and "<b>bold" in opened.page.inner_text("main")
    assert opened.page.evaluate("[...document.images].every((one) => one.naturalWidth > 0)")
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.quiet() is True
    assert [one["id"] for one in Axe().run(opened.page).response["violations"]] == []
