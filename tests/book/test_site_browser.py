"""The copy for reading in a browser: nothing is loaded, everything fits, keys and links work."""

import pytest
from browser import chromium

from rndcfl.book import paths
from rndcfl.book.site import folder, pages

DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
NOTEBOOKS = ("01_novelty", "02_discovery", "05_non_iid_ablation")
PAGES = ("index.html", "02_discovery.html", "05_non_iid_ablation.html", "slides/02_discovery.html")


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def copy(browser, tmp_path_factory):
    """A copy of some of the notebooks; that of all is read in test_site."""
    out = tmp_path_factory.mktemp("copy") / "site"
    some = {name: paths.notebooks()[name] for name in NOTEBOOKS}
    with pytest.MonkeyPatch.context() as patched, folder.replaced(out) as new:
        patched.setattr(paths, "notebooks", lambda: some)
        list(pages.build(new, "paper"))
    return out


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def page(browser, request):
    """A tab without network; the test fails if anything but a file was asked for."""
    context = browser.new_context(viewport=request.param, offline=True)
    asked, said = [], []
    tab = context.new_page()
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    yield tab
    context.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert said == []


def width_to_spare(page):
    return page.evaluate("innerWidth - document.documentElement.scrollWidth")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_and_its_pictures_are_there(copy, page, name):
    page.goto((copy / name).as_uri())
    assert width_to_spare(page) >= 0
    widths = page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert widths and min(widths) > 0
    for summary in page.locator("details > summary").all():
        summary.click()
    assert width_to_spare(page) >= 0


def test_next_and_back_to_the_index(copy, page):
    page.goto((copy / "index.html").as_uri())
    page.get_by_role("link", name="01 Novelty", exact=True).first.click()
    page.locator("header [rel=next]").click()
    assert page.url == (copy / "02_discovery.html").as_uri()
    page.locator("header").get_by_role("link", name="All notebooks").click()
    assert page.url == (copy / "index.html").as_uri()


def test_a_figure_of_the_gallery_leads_to_its_place(copy, page):
    page.goto((copy / "index.html").as_uri())
    page.locator(".gallery a[href^='02_discovery.html#']").nth(1).click()
    page.wait_for_function("document.querySelector(':target') && scrollY > 0")
    top = page.evaluate("document.querySelector(':target').getBoundingClientRect().top")
    assert 0 <= top < page.viewport_size["height"] / 2


def test_formulas_are_drawn(copy, page):
    page.goto((copy / "02_discovery.html").as_uri())
    box = page.locator("math[display=block] mfrac").first.bounding_box()
    inline = page.locator("math[display=inline]").first.bounding_box()
    assert box["height"] > inline["height"] > 5


def test_the_keyboard_reaches_the_skip_link_first(copy, page):
    page.goto((copy / "02_discovery.html").as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0


def at(page):
    """The number of the slide at the top of the screen, when scrolling has ended."""
    page.wait_for_function(
        """() => new Promise(resolve => {
            const before = scrollY;
            setTimeout(() => resolve(scrollY === before), 150);
        })"""
    )
    return page.evaluate(
        """() => {
            const slides = [...document.querySelectorAll("section")];
            const tops = slides.map(slide => Math.abs(slide.getBoundingClientRect().top));
            return tops.indexOf(Math.min(...tops)) + 1;
        }"""
    )


def test_keys_move_the_slides(copy, page):
    page.goto((copy / "slides" / "02_discovery.html").as_uri())
    height = page.evaluate("document.querySelector('section').offsetHeight")
    assert height >= page.viewport_size["height"]
    seen = [at(page)]
    for key in ("ArrowRight", "Space", "PageDown", "ArrowLeft", "PageUp", "Shift+Space", "ArrowUp"):
        page.keyboard.press(key)
        seen.append(at(page))
    assert seen == [1, 2, 3, 4, 3, 2, 1, 1]


def test_every_slide_is_reached(copy, page):
    page.goto((copy / "slides" / "02_discovery.html").as_uri())
    total, seen = page.locator("section").count(), [1]
    for _ in range(total + 10):  # a slide higher than the screen takes more than one step
        page.keyboard.press("PageDown")
        seen.append(at(page))
    assert sorted(set(seen)) == list(range(1, total + 1)) and seen == sorted(seen)
