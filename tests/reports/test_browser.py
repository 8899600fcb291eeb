"""The site in a real browser, from disk, without a network, on a desk and on a phone.

Needs a Chromium (Debian: ``apt-get install chromium``); ``HAVIR_CHROMIUM`` names another.
"""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.reports.test_site import EXPLORER, front, made  # noqa: F401  (made: a fixture)

CHROMIUM = os.environ.get("HAVIR_CHROMIUM") or next(
    (found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
SIZES = {"desk": (1280, 900), "phone": (390, 844)}
RICH = {
    **EXPLORER,
    "methods": ["HAVIR", "ridge"],
    "images": [
        {"id": k, "caption": text, "complexity": 0.1 * k, "group": group}
        for k, (text, group) in enumerate(
            [("a cat", "home"), ("a </script> dog", "park"), ("a tree", "park")]
        )
    ],
    "seen": {"subj01": [0, 1, 2], "subj02": [1, 2]},
    "scores": {
        "subj01": {
            "HAVIR": {0: [0.1], 1: [0.9], 2: [0.5]},
            "ridge": {0: [0.3], 1: [0.2], 2: [0.1]},
        },
        "subj02": {"HAVIR": {1: [0.4], 2: [0.6]}},
    },
}


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def site(made, tmp_path):  # noqa: F811
    from havir_lib.reports.site import build_site

    folder = build_site(tmp_path / "site", *made, front(), RICH).parent
    picture = Image.fromarray(np.full((9, 9, 3), 120, np.uint8))
    for place in ("stimuli", "subj01/0", "subj01/1", "subj02/0"):
        (folder / "explorer" / place).mkdir(parents=True)
        for k in range(3):
            picture.save(folder / "explorer" / place / f"{k}.webp")
    return folder


@pytest.fixture(params=SIZES)
def page(request, browser):
    width, height = SIZES[request.param]
    context = browser.new_context(viewport={"width": width, "height": height}, offline=True)
    opened, said = context.new_page(), []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("requestfailed", lambda request: said.append(request.url))
    yield opened
    assert said == []
    context.close()


@pytest.mark.parametrize("name", ["index", "06_reconstruction", "explorer", "methods"])
def test_pages_load_and_fit(page, site, name):
    page.goto(f"file://{site}/{name}.html")
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    lost = page.evaluate("[...document.images].filter(x => x.complete && !x.naturalWidth "
                         "&& !x.src.startsWith('data:')).map(x => x.src)")  # fmt: skip
    assert lost == []


@pytest.mark.parametrize("name", ["06_reconstruction", "notebooks/06_reconstruction"])
def test_formulas_are_drawn(page, site, name):
    page.goto(f"file://{site}/{name}.html")
    assert page.locator("math").count() > 0
    for formula in page.locator("math").all():
        assert formula.locator("mi, mn").count() > 0
        assert formula.bounding_box()["width"] > 5


def test_tables_sort_both_ways(page, site):
    page.goto(f"file://{site}/06_reconstruction.html")
    header = page.locator(".scroll th").first
    for direction in ("ascending", "descending"):
        header.locator("button").press("Enter")
        assert header.get_attribute("aria-sort") == direction


def test_a_figure_enlarges_and_closes_by_keyboard(page, site):
    page.goto(f"file://{site}/06_reconstruction.html")
    page.locator(".enlarge").first.press("Enter")
    assert page.locator("#large").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#large").is_visible()


def test_the_slider_uncovers_the_reconstruction(page, site):
    page.goto(f"file://{site}/explorer.html")
    slider = page.locator("#edge")
    before = page.locator("#drawn").evaluate("x => x.style.clipPath")
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    after = page.locator("#drawn").evaluate("x => x.style.clipPath")
    assert before != after
    assert after == "inset(0px 0px 0px 45%)"


def shown(page):
    return [int(x) for x in page.locator("#images button").evaluate_all(
        "all => all.map(x => x.dataset.image)")]  # fmt: skip


def test_images_are_sorted_filtered_and_searched(page, site):
    page.goto(f"file://{site}/explorer.html")
    assert shown(page) == [0, 1, 2]
    page.select_option("select[name=sort]", "PixCorr")
    assert shown(page) == [1, 2, 0]  # the best first
    page.select_option("select[name=method]", "ridge")
    assert shown(page) == [0, 1, 2]
    page.select_option("select[name=group]", "park")
    assert shown(page) == [1, 2]
    page.fill("input[name=words]", "tree")
    assert shown(page) == [2]
    assert page.locator("#count").inner_text() == "1 of 3 images"


def test_another_subject_has_its_own_images_and_methods(page, site):
    page.goto(f"file://{site}/explorer.html")
    page.select_option("select[name=method]", "ridge")
    page.select_option("select[name=subject]", "subj02")
    assert shown(page) == [1, 2]
    assert page.locator("select[name=method]").input_value() == "HAVIR"
    page.locator("#images button").nth(1).press("Enter")
    assert page.locator("#about").inner_text().startswith("a tree")
    assert page.locator("#scores tbody tr").first.inner_text().split("\t")[1:] == [
        "0.600",
        "1 of 2",
    ]
    assert page.locator("#drawn").get_attribute("src") == "explorer/subj02/0/2.webp"


def test_text_can_be_read(page, site):
    """Contrast of all text with what lies behind it, by the browser's own colours."""
    pale = """
    () => {
      const light = c => { const v = c.match(/[\\d.]+/g).slice(0, 3).map(x => x / 255).map(
        x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
        return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
      const ground = x => {
        for (; x; x = x.parentElement) {
          const c = getComputedStyle(x).backgroundColor;
          if (!/rgba\\(.*, 0\\)/.test(c)) return c;
        }
        return "rgb(255,255,255)"; };
      return [...document.querySelectorAll("main *, header *")].filter(
        x => [...x.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && x.offsetParent
      ).filter(x => { const [a, b] = [light(getComputedStyle(x).color), light(ground(x))];
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5; }).map(x => x.outerHTML);
    }"""
    for name in ("index", "06_reconstruction", "explorer"):
        page.goto(f"file://{site}/{name}.html")
        assert page.evaluate(pale) == []
