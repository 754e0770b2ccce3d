"""The picture of a workflow in Chromium: zoomed, moved, walked through by keys."""

import re

import pytest
from playwright.sync_api import expect

from django_workflows import asl, graph
from django_workflows.graph import NodeStatus, Status
from tests.browser.middleware import POLICY
from tests.workflows import call, machine

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Graph</title>
<link rel="stylesheet" href="/static/django_workflows/graph.css">
<script src="/static/django_workflows/graph.js" defer></script></head><body>
<div data-wf-graph id="graph">
<div class="wf-graph-tools" hidden>
<button type="button" data-wf-zoom="in" aria-label="Zoom in">+</button>
<button type="button" data-wf-zoom="out" aria-label="Zoom out">−</button>
<button type="button" data-wf-zoom="fit">Fit</button>
</div>
<div class="wf-graph-frame" tabindex="0" role="region" aria-label="Graph">SVG</div>
</div></body></html>"""


@pytest.fixture
def drawn(browse):
    """Opens a page with the picture of thirty states, the twentieth of which runs."""
    names = [f"Step {number}" for number in range(30)]
    workflow = asl.parse(machine(**{name: call("work") for name in names}))
    status = {"Step 20": NodeStatus(status=Status.RUNNING, entered=1, running=1)}
    svg = graph.svg(
        graph.layout(workflow), status=status, link=lambda name: f"?state={name[5:]}", title="Steps"
    )

    def open_page(**options):
        page = browse(None, **options)
        page.route(
            re.compile(r"/drawn/"),
            lambda route: route.fulfill(
                body=PAGE.replace("SVG", svg),
                content_type="text/html; charset=utf-8",
                headers={"Content-Security-Policy": POLICY},
            ),
        )
        page.goto("/drawn/")
        return page

    return open_page


def height(page):
    return page.locator("svg.wf-graph").bounding_box()["height"]


def test_the_picture_is_styled_and_what_runs_is_in_sight(drawn):
    page = drawn()

    box = page.locator(".wf-graph-is-running .wf-graph-box")
    assert box.evaluate("box => getComputedStyle(box).strokeWidth") == "2.8px"
    expect(box).to_be_in_viewport()


def test_buttons_and_keys_zoom(drawn):
    page = drawn()
    whole = height(page)

    page.get_by_role("button", name="Zoom in").click()
    assert height(page) == pytest.approx(whole * 1.25, rel=0.01)

    frame = page.locator(".wf-graph-frame")
    frame.press("0")
    assert height(page) <= frame.bounding_box()["height"]

    frame.press("1")
    assert height(page) == pytest.approx(whole, rel=0.01)


def test_the_mouse_moves_the_picture_and_does_not_click(drawn):
    page = drawn()
    frame = page.locator(".wf-graph-frame")
    before = frame.evaluate("frame => frame.scrollTop")
    box = page.locator(".wf-graph-is-running .wf-graph-box").bounding_box()

    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 20, box["y"] + 80, steps=4)
    page.mouse.up()

    assert frame.evaluate("frame => frame.scrollTop") == pytest.approx(before - 60, abs=2)
    assert page.url.endswith("/drawn/")


def test_states_are_links_that_tab_goes_through(drawn):
    page = drawn()

    page.get_by_role("link", name="Step 0, Task: work").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    page.wait_for_url("**/drawn/?state=1")


def test_a_new_picture_keeps_the_zoom(drawn):
    page = drawn()
    page.get_by_role("button", name="Zoom out").click()
    chosen = height(page)

    page.evaluate(
        """() => {
          const old = document.querySelector("svg.wf-graph");
          const fresh = old.cloneNode(true);
          delete fresh.dataset.wfReady;
          fresh.setAttribute("height", fresh.viewBox.baseVal.height);
          old.replaceWith(fresh);
        }"""
    )

    page.wait_for_function("document.querySelector('svg.wf-graph').dataset.wfReady === '1'")
    assert height(page) == pytest.approx(chosen, rel=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_file_brings_its_own_colours(chromium, tmp_path, scheme):
    path = tmp_path / "order.svg"
    layout = graph.layout(asl.parse(machine(Pay=call("pay"))))
    path.write_text(graph.svg(layout, standalone=True), encoding="utf-8")
    page = chromium.new_page(color_scheme=scheme)

    page.goto(path.as_uri())

    paper = page.locator(".wf-graph-paper").evaluate("rect => getComputedStyle(rect).fill")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 24, 28)"}[scheme]
    page.close()
