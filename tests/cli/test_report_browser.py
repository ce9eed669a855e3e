"""The report in a real browser: drawn whole, without a word to the network, sorted, dark, narrow, on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from aiida_seireact.cli.report import write_report, write_reports
from tests.browser import browser

from . import loop_graph
from .report_graph import finished_study

DRAWN = "document.documentElement.dataset.drawn === 'all'"


@pytest.fixture(scope="module")
def report(study, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_report(finished_study(study), folder, formats=())
    return folder / "report.html"


@pytest.fixture(scope="module")
def loop_report(aiida_profile, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("loop")
    write_report(loop_graph.whole_loop(), folder, formats=())
    return folder / "report.html"


@pytest.fixture(scope="module")
def runs_report(study, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    write_reports([finished_study(study), loop_graph.whole_loop()], folder, formats=())
    return folder / "report.html"


# playwright's loop of events is running while a browser is open: what runs a calcfunction comes before.
@pytest.fixture(scope="module")
def chromium(report, loop_report, runs_report) -> Iterator[Browser]:
    with browser() as chromium:
        yield chromium


class Opened:
    """A page with all it said and asked for."""

    def __init__(self, chromium: Browser, path: Path, **options: object) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self.context = chromium.new_context(**options)
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_function(DRAWN, timeout=60_000)

    @property
    def errors(self) -> list[str]:
        return [line for line in self.said if line.startswith("error") and "WebGL" not in line]

    @property
    def fetched(self) -> list[str]:
        return [url for url in self.asked if url.split(":")[0] not in ("file", "data", "blob")]


@pytest.fixture(scope="module")
def opened(chromium, report) -> Iterator[Opened]:
    opened = Opened(chromium, report, viewport={"width": 1200, "height": 900}, color_scheme="light")
    yield opened
    opened.context.close()


def test_the_page_has_no_error_and_asks_nobody(opened, report):
    assert opened.errors == []
    assert opened.fetched == []
    assert opened.asked[0] == report.as_uri()


def unfold(page: Page) -> None:
    """Open all that is folded up, and wait until it is drawn."""
    page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
    page.wait_for_function("!document.querySelector('figure:not(.live) [data-plot]')", timeout=60_000)
    page.wait_for_function("!document.querySelector('[data-plot]:empty')", timeout=60_000)


def test_every_figure_is_drawn(opened):
    assert n_drawn(opened.page) >= 5


def n_drawn(page: Page) -> int:
    """Unfold a page; return how many figures it has, each of them drawn and none empty."""
    unfold(page)
    n_figures = page.evaluate("Object.keys(JSON.parse(document.getElementById('figures').textContent)).length")
    assert page.locator("[data-plot]").count() == n_figures
    assert page.locator("[data-plot] > .plot-container svg.main-svg:first-child").count() == n_figures
    # A figure without a trace is an empty frame.
    empty = "[...document.querySelectorAll('[data-plot]')].filter((at) => !at.querySelector('.trace, .hm, .points'))"
    assert page.evaluate(f"{empty}.map((at) => at.dataset.plot)") == []
    return int(n_figures)


def test_the_cell_is_there_in_3d_at_both_moments(opened):
    page = opened.page
    count = "document.getElementById('viewer')._viewer.getModel().selectedAtoms({}).length"
    assert page.evaluate(count) == 3
    # Pixels that are not of the paper are of atoms.
    drawn = """() => {
      const viewer = document.getElementById('viewer')._viewer;
      viewer.render();
      const canvas = document.querySelector('.stage canvas'), copy = document.createElement('canvas');
      [copy.width, copy.height] = [canvas.width, canvas.height];
      const paint = copy.getContext('2d');
      paint.drawImage(canvas, 0, 0);
      const { data } = paint.getImageData(0, 0, copy.width, copy.height);
      const paper = data.slice(0, 3);
      let unlike = 0;
      for (let at = 0; at < data.length; at += 4)
        if ([0, 1, 2].some((of) => Math.abs(data[at + of] - paper[of]) > 40)) unlike += 1;
      return unlike / (data.length / 4);
    }"""
    assert page.evaluate(drawn) > 0.01
    where = "document.getElementById('viewer')._viewer.getModel().selectedAtoms({})[0].x"
    end = page.evaluate(where)
    page.get_by_role("radio", name="start, 0.1 ps").check()
    assert page.evaluate(where) != end
    page.get_by_role("button", name="Nearer").click()
    assert opened.errors == []


def test_tables_sort_by_mouse_and_by_keyboard(opened):
    page = opened.page
    table = page.locator("table", has=page.get_by_text("fractions of Li environments"))
    column = lambda: table.locator("tbody td:nth-child(2)").all_inner_texts()  # noqa: E731
    before = column()
    head = table.get_by_role("button", name="start")
    head.click()
    assert [float(text.split()[0]) for text in column()] == sorted(float(text.split()[0]) for text in before)
    assert table.locator("th:nth-child(2)").get_attribute("aria-sort") == "ascending"
    head.focus()
    page.keyboard.press("Enter")
    assert table.locator("th:nth-child(2)").get_attribute("aria-sort") == "descending"
    page.keyboard.press("Enter")
    assert column() == before


def test_dark_follows_the_system_and_the_switch_and_figures_follow(chromium, report):
    opened = Opened(chromium, report, color_scheme="dark")
    page = opened.page
    paper = lambda: page.evaluate("getComputedStyle(document.body).backgroundColor")  # noqa: E731
    ink = lambda: page.evaluate(  # noqa: E731
        "getComputedStyle(document.querySelector('[data-plot] .xtick text')).fill"
    )
    dark_paper, dark_ink = paper(), ink()
    page.get_by_role("button", name="Show the page light").click()
    page.wait_for_timeout(300)
    assert paper() != dark_paper
    assert ink() != dark_ink
    assert sum(map(int, paper()[4:-1].split(","))) > 700
    assert opened.errors == []
    opened.context.close()


@pytest.mark.parametrize("page", ["report", "runs_report"])
def test_nothing_overflows_a_telephone(chromium, page, request):
    opened = Opened(chromium, request.getfixturevalue(page), viewport={"width": 400, "height": 800})
    assert opened.page.evaluate("document.scrollingElement.scrollWidth") <= 400
    opened.context.close()


def test_paper_gets_pictures_and_no_buttons(opened):
    page = opened.page
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("[data-plot]:visible, .stage:visible, .bar button:visible").count() == 0
    assert page.locator(".still:visible").count() == page.locator(".still").count()
    assert page.pdf()[:4] == b"%PDF"
    page.emulate_media(media="screen")


def test_a_number_tells_the_node_it_is_from(opened):
    page = opened.page
    page.get_by_role("button", name="Where is it from?").click()
    number = page.locator(".card b[data-key=md_atoms]")
    number.click()
    told = page.locator("#source")
    assert number.get_attribute("data-uuid") in told.inner_text()
    assert "aiida-seireact trace md_atoms --in " in told.inner_text()
    page.keyboard.press("Escape")
    assert not told.is_visible()


def test_without_scripts_every_figure_is_a_picture(chromium, report):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    folded = page.locator("details:not([open]) .still").count()
    assert page.locator(".still svg:visible").count() == page.locator(".still").count() - folded > 0
    context.close()


def test_the_report_of_a_whole_loop_is_drawn_too(chromium, loop_report):
    opened = Opened(chromium, loop_report, viewport={"width": 1000, "height": 800})
    unfold(opened.page)
    assert opened.errors == []
    opened.context.close()


def test_the_page_of_several_runs_is_drawn_sorted_and_dark_too(chromium, runs_report):
    opened = Opened(chromium, runs_report, viewport={"width": 1000, "height": 800}, color_scheme="dark")
    page = opened.page
    assert n_drawn(page) >= 5
    assert page.locator(".stage canvas").count() == 1
    head = page.locator("main table th button").first
    head.click()
    assert page.locator("main table th[aria-sort=ascending]").count() == 1
    page.get_by_role("button", name="Show the page light").click()
    assert opened.errors == []
    assert opened.fetched == []
    opened.context.close()


def test_every_number_of_a_table_or_a_card_has_a_node_behind_it(opened):
    orphans = """[...document.querySelectorAll("main td.n, .card b")]
      .filter((at) => /\\d/.test(at.textContent) && !at.closest("[data-uuid]")).map((at) => at.textContent)"""
    assert opened.page.evaluate(orphans) == []
