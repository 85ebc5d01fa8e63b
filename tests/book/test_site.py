"""Pages and slides for reading: hand-sized notebooks, and one copy of the real ones."""

import base64
import copy
import json
import subprocess
import sys
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from rndcfl.book import paths
from rndcfl.book.cli import main
from rndcfl.book.site import folder, outputs, pages, published, slides
from rndcfl.book.site.mathematics import formula
from rndcfl.book.site.prose import Prose
from rndcfl.common.errors import InputError

PNG = base64.b64encode(  # the smallest there is: one pixel
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c020000000b4944415478da63"
        "64f80f00010501012718e3660000000049454e44ae426082"
    )
).decode()


def markdown(source, id, **metadata):
    return new_markdown_cell(source, id=id, metadata=metadata)


def code(source, id, *outputs, **metadata):
    return new_code_cell(source, id=id, outputs=list(outputs), metadata=metadata)


def picture(alt="A dot."):
    about = {"image/png": {"alt": alt, "width": 100}}
    return new_output("display_data", {"image/png": PNG, "text/plain": "<Image>"}, metadata=about)


def table(html="<table><tr><td>1</td></tr></table>"):
    return new_output("display_data", {"text/html": html, "text/plain": "1"})


def caption(text):
    return new_output("display_data", {"text/markdown": f"*{text}*", "text/plain": "<Markdown>"})


def page_of(*cells, names=("00_a",)):
    """The page of a notebook, parsed."""
    reading = published.Reading(names[0], new_notebook(cells=list(cells)))
    html, _, _ = pages.render_page(reading, list(names), "paper")
    return BeautifulSoup(html, "html.parser")


def slides_of(*cells):
    html = pages.render_slides(published.Reading("00_a", new_notebook(cells=list(cells))))
    return html and BeautifulSoup(html, "html.parser")


# --- formulas -----------------------------------------------------------------------------------


def test_formulas_in_lines_and_on_their_own_become_mathml():
    html = Prose().html("Let $x_i$ be.\n\n$$ \\frac{a}{b} $$\n\n\\begin{align} c \\end{align}")
    inline, display, environment = BeautifulSoup(html, "html.parser").find_all("math")
    assert (inline["display"], display["display"]) == ("inline", "block")
    assert inline.find("msub").get_text() == "xi"
    assert display.find("mfrac").get_text() == "ab"
    assert environment["display"] == "block"
    assert "$" not in html


@pytest.mark.parametrize(
    "source, code",
    [
        ("a span `$x$` of code", "$x$"),
        ("a span `$$x$$` of code", "$$x$$"),
        ("costs $5 here, `$x` and `y$` there", "$x"),
        ("```\n$$x$$\n```", "$$x$$\n"),
        ("    $x$", "$x$"),
    ],
)
def test_code_is_no_formula(source, code):
    soup = BeautifulSoup(Prose().html(source), "html.parser")
    assert not soup.find("math")
    assert soup.find("code").get_text() == code


@pytest.mark.parametrize("latex", [r"\nonsense{a<b}", r"\left( x", "{", ""])
def test_what_is_no_formula_stays_readable(latex):
    for display, dollars in ((False, "$"), (True, "$$")):
        soup = BeautifulSoup(formula(latex, display), "html.parser")
        assert soup.code.get_text() == f"{dollars}{latex}{dollars}"


def test_dollars_that_are_escaped_are_dollars():
    assert Prose().html(r"\$5 and \$6") == "<p>$5 and $6</p>\n"


# --- links and headings -------------------------------------------------------------------------


@pytest.mark.parametrize("root", ["", "../"])
def test_links_to_notebooks_lead_to_their_pages(root):
    html = Prose(root).html("[a](02_discovery.ipynb) [b](../notebooks/05_non_iid_ablation.ipynb#x)")
    links = [link["href"] for link in BeautifulSoup(html, "html.parser").find_all("a")]
    assert links == [f"{root}02_discovery.html", f"{root}05_non_iid_ablation.html#x"]


def test_links_elsewhere_stay_and_links_to_files_say_where_they_are():
    html = Prose().html("[p](https://arxiv.org) [threats](../SECURITY.md) [no](99_none.ipynb)")
    soup = BeautifulSoup(html, "html.parser")
    assert [link["href"] for link in soup.find_all("a")] == ["https://arxiv.org"]
    assert "threats (in the repository: SECURITY.md)" in soup.get_text()


def test_pictures_in_prose_are_embedded_or_words():
    html = Prose().html(
        "![here](../figures/fig_drift.png) ![there](https://x.org/a.png) ![n](n.png)"
    )
    images = BeautifulSoup(html, "html.parser").find_all("img")
    assert [image["alt"] for image in images] == ["here"]
    assert images[0]["src"].startswith("data:image/png;base64,")


def test_one_title_and_anchors_that_are_unique():
    prose = Prose()
    html = prose.html("# A\n## B's $x$\n## C\n") + prose.html("# D\n## C\n")
    soup = BeautifulSoup(html, "html.parser")
    assert [h.get_text() for h in soup.find_all("h1")] == ["A"]
    assert [h["id"] for h in soup.find_all("h2")] == ["B's-x", "C", "D", "C-2"]
    assert prose.title() == "A"


# --- a page -------------------------------------------------------------------------------------

TITLE = markdown("# 00 A\n\n**Question.** *Why?*\n\nMore.", "00-00")


def test_a_page_is_semantic_and_says_that_there_is_no_run():
    soup = page_of(TITLE, markdown("## One\n\n### Two", "00-01"), names=("00_a", "01_b"))
    assert soup.html["lang"] == "en"
    assert [h.get_text() for h in soup.find_all("h1")] == ["00 A"]
    assert [a["href"] for a in soup.select(".contents a")] == ["#One"]
    assert soup.find("main") and soup.select_one("a.skip")["href"] == f"#{soup.find('main')['id']}"
    assert "rndcfl reproduce --profile paper --only 00" in soup.find("main").get_text()
    assert {a["href"] for a in soup.select("header a")} == {"index.html", "01_b.html"}
    assert not soup.find_all("script")


def test_a_picture_has_its_caption_its_alt_text_and_its_size():
    cell = code("draw()", "00-01", picture('A "dot"'), caption("A dot, ** and *all*."))
    notebook = new_notebook(cells=[copy.deepcopy(cell)])
    (found,) = (pictures := outputs.arrange(notebook, "00_a", Prose().html))
    assert pictures[found] == base64.b64decode(PNG)
    assert (found.alt, found.width, found.height) == ('A "dot"', 100, 100)
    figure = page_of(TITLE, cell).find("figure")
    assert figure["id"] == found.anchor
    assert figure.img["alt"] == 'A "dot"'
    assert figure.img["src"] == found.file == "images/00_a-00-01-1.png"
    assert figure.figcaption.get_text().strip() == "A dot, ** and all."
    assert "<Markdown>" not in str(figure)


def test_a_picture_without_alt_text_takes_its_caption():
    figure = page_of(code("x", "00-01", picture(alt=""), caption("Words *here*."))).find("figure")
    assert figure.img["alt"] == "Words here."


def test_tables_scroll_in_a_box_with_their_caption():
    soup = page_of(code("x", "00-01", table(), caption("Ones.")), markdown("|a|\n|-|\n|1|", "00-2"))
    assert soup.select_one("figure figcaption").get_text().strip() == "Ones."
    assert len(soup.find_all("table")) == 2
    assert all(found.parent["class"] == ["scroll"] for found in soup.find_all("table"))


def test_other_markdown_is_no_caption():
    bold = new_output("display_data", {"text/markdown": "**Note.** Not *a caption*"})
    soup = page_of(code("x", "00-01", picture(), bold))
    assert not soup.find("figcaption")
    assert soup.select_one(".output strong").get_text() == "Note."


@pytest.mark.parametrize(
    "html", ["<script>1</script>", '<img src="https://x.org/a.png">', '<link href="//x.org/a.css">']
)
def test_outputs_that_load_or_run_something_are_shown_as_text(html):
    soup = page_of(code("x", "00-01", table(html)))
    assert soup.select_one(".output").get_text().strip() == "1"
    assert not soup.select(".output script, .output img, .output link")


def test_interactive_cells_show_their_static_figure_and_a_note():
    widget = new_output(
        "display_data", {outputs.WIDGET: {"model_id": "m"}, "text/plain": "interactive(...)"}
    )
    soup = page_of(code("play()", "00-01", picture(), widget, tags=["interactive"]))
    assert soup.find("figure").img
    assert "Interactive in JupyterLab" in soup.select_one(".code .note").get_text()
    assert "interactive(" not in soup.get_text()


@pytest.mark.parametrize("lines, folded", [(25, False), (26, True)])
def test_long_code_is_folded(lines, folded):
    soup = page_of(code("\n".join(["x = 1"] * lines), "00-01"))
    (box,) = soup.select(".input")
    assert (box.name == "details") == folded
    if folded:
        assert box.summary.get_text() == f"Code, {lines} lines"
        assert not box.has_attr("open")


def test_solutions_are_closed_and_starters_and_checks_are_not():
    soup = page_of(
        code("def f(): ...", "00-e1-starter", tags=["starter"]),
        code("def f(): return 1", "00-e1-solution", tags=["solution"]),
        markdown("**Answer.** One.", "00-e1-answer", tags=["solution"]),
        code("assert f() == 1", "00-e1-check", tags=["check"]),
        markdown("Between.", "00-e2"),
        code("g = 2", "00-e2-solution", tags=["solution"]),
    )
    first, second = soup.select("details.solution")
    assert first.summary.get_text() == "Solution" and not first.has_attr("open")
    assert "return 1" in first.get_text() and "Answer." in first.get_text()
    assert second.get_text().strip().endswith("g = 2")
    for found in (first, second):
        found.extract()
    assert "return 1" not in soup.get_text() and "g = 2" not in soup.get_text()
    assert "def f(): ..." in soup.get_text() and "assert f() == 1" in soup.get_text()


def test_what_is_printed_in_pieces_is_one_text():
    pieces = [new_output("stream", name="stdout", text=t) for t in ("a <b>\n", "c\n")]
    (shown,) = page_of(code("x", "00-01", *pieces)).select(".output pre")
    assert shown.get_text() == "a <b>\nc\n"


# --- slides -------------------------------------------------------------------------------------


def slide(kind):
    return {"slideshow": {"slide_type": kind}}


def test_slides_in_order_without_what_has_no_slide():
    soup = slides_of(
        markdown("# 00 A", "00-00", **slide("slide")),
        code("secret = 1", "00-01"),
        markdown("left out", "00-02", **slide("skip")),
        markdown("continued", "00-03", **slide("-")),
        markdown("piece", "00-04", **slide("fragment")),
        markdown("## Next", "00-05", **slide("subslide")),
        code("hidden = 1", "00-06", picture(), caption("Dot."), **slide("-")),
        code("shown = 1", "00-07", tags=["show-code"], **slide("-")),
        markdown("said, not shown", "00-08", **slide("notes")),
    )
    first, second = soup.find_all("section")
    assert first.h1.get_text() == "00 A"
    assert "continued" in first.get_text() and "piece" in first.get_text()
    assert "1 / 2" in first.footer.get_text() and "2 / 2" in second.footer.get_text()
    assert second.find("img")["src"].startswith("../images/")
    assert second.select_one("aside.notes").get_text().strip() == "said, not shown"
    assert "shown = 1" in second.get_text()
    for left_out in ("secret", "left out", "hidden"):
        assert left_out not in soup.get_text()


def test_no_slides_without_metadata_and_none_that_are_empty():
    assert slides_of(TITLE, code("x = 1", "00-01")) is None
    soup = slides_of(
        markdown("# 00 A", "00-00", **slide("-")),
        code("not_run()", "00-01", **slide("subslide")),
        markdown("of nothing", "00-02", **slide("notes")),
    )
    assert len(soup.find_all("section")) == 1


def test_a_slide_full_of_prose_has_smaller_letters():
    cells = [markdown("a " * n, f"00-{n}", **slide("slide")) for n in (10, slides.FULL)]
    assert [s.get("class") for s in slides_of(*cells).find_all("section")] == [None, ["full"]]


# --- what was published -------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Two notebooks, the first with a published run."""
    parameters = code("n = 1", "00-01", tags=["parameters"])
    cells = [TITLE, parameters, code("draw(n)", "00-02")]
    write(tmp_path / "notebooks" / "00_a.ipynb", *cells)
    write(tmp_path / "notebooks" / "01_b.ipynb", markdown("# 01 B", "01-00"))
    (tmp_path / "notebooks" / "profiles.yaml").touch()
    injected = code("n = 9", "x", tags=["injected-parameters"])
    ran = code("draw(n)", "00-02", picture(), caption("Nine."))
    run = tmp_path / "papermill_runs" / "paper" / "00_a"
    write(run / "notebook.ipynb", TITLE, parameters, injected, ran)
    about = dict(status="ok", started="2026-11-02T10:00:00", seconds=65.4, parameters={"n": 9})
    (run / "run.json").write_text(json.dumps(about))
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    return tmp_path


def write(path, *cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=list(cells)), path)


def test_a_run_is_shown_with_todays_prose(checkout):
    source = checkout / "notebooks" / "00_a.ipynb"
    notebook = nbformat.read(source, as_version=4)
    notebook.cells[0].source += "\n\nNew words."
    notebook.cells.append(code("answer", "00-e1-solution", tags=["solution"]))
    nbformat.write(notebook, source)
    reading = published.find("00_a", "paper")
    assert not reading.changed
    assert (reading.day, reading.took) == ("2 November 2026", "65 seconds")
    assert "New words." in reading.notebook.cells[0].source
    assert [cell.source for cell in reading.notebook.cells[1:]] == [
        "n = 1",
        "n = 9",
        "draw(n)",
        "answer",
    ]
    assert len(reading.notebook.cells[3].outputs) == 2


def test_a_run_of_other_code_is_shown_as_it_was_and_says_so(checkout):
    source = checkout / "notebooks" / "00_a.ipynb"
    write(source, TITLE, code("other()", "00-02", **slide("slide")))
    reading = published.find("00_a", "paper")
    assert reading.changed
    assert [cell.source for cell in reading.notebook.cells[1:]] == ["n = 1", "n = 9", "draw(n)"]
    assert slides.kind(reading.notebook.cells[3]) == "slide"
    html, _, _ = pages.render_page(reading, ["00_a"], "paper")
    assert "has changed since" in html


def test_without_a_run_that_ended_well_it_is_the_source(checkout):
    assert published.find("00_a", "demo").run is None
    run = checkout / "papermill_runs" / "paper" / "00_a" / "run.json"
    run.write_text(json.dumps({"status": "failed"}))
    assert published.find("00_a", "paper").run is None


# --- the command --------------------------------------------------------------------------------


def html_(*arguments):
    return CliRunner().invoke(main, ["html", *map(str, arguments)])


def tree(out):
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def test_a_copy_is_made_and_made_anew(checkout, tmp_path):
    out = tmp_path / "site"
    result = html_(out)
    assert result.exit_code == 0, result.output
    assert f"open {out / 'index.html'}" in result.stdout
    made = tree(out)
    assert set(made) == {
        folder.MARKER,
        "index.html",
        "style.css",
        "00_a.html",
        "01_b.html",
        "images/00_a-00-02-1.png",
    }
    index = BeautifulSoup(made["index.html"], "html.parser")
    assert index.select_one(".question").get_text().strip() == "Why?"
    link = index.select_one(".gallery a")
    assert link["href"] == "00_a.html#fig-00-02-1" and link.img["alt"] == "A dot."
    (out / "left_over.html").touch()
    assert html_(out).exit_code == 0
    assert tree(out) == made  # the same bytes, and nothing left over
    assert sorted(p.name for p in tmp_path.iterdir()) == ["notebooks", "papermill_runs", "site"]


def test_what_is_not_a_copy_is_not_touched(checkout, tmp_path):
    mine = tmp_path / "mine" / "notes.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    for given in (mine.parent, mine):
        result = html_(given)
        assert result.exit_code == 2
        assert result.stderr == f"rndcfl: {given} exists; name another folder or remove it\n"
    assert tree(mine.parent) == {"notes.txt": b"mine"}
    mine.unlink()
    assert html_(mine.parent).exit_code == 0  # an empty folder is as good as none


def test_a_copy_that_fails_leaves_the_one_before(tmp_path):
    out = tmp_path / "site"
    with folder.replaced(out) as new:
        (new / "page").write_text("old")
    with pytest.raises(InputError, match="stop"), folder.replaced(out) as new:
        (new / "page").write_text("new")
        raise InputError("stop")
    assert (out / "page").read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_that_cannot_be_made_is_said_in_a_line(checkout, tmp_path):
    (tmp_path / "file").touch()
    result = html_(tmp_path / "file" / "site")
    assert result.exit_code == 2
    assert result.stderr.startswith("rndcfl: cannot write ")
    assert len(result.stderr.splitlines()) == 1


def test_the_command_line_starts_without_what_makes_pages():
    check = "import sys, rndcfl.book.cli; print('nbconvert' in sys.modules, 'bs4' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert result.stdout == "False False\n", result.stderr


# --- the real notebooks -------------------------------------------------------------------------


@pytest.fixture(scope="session")
def real_copy(tmp_path_factory):
    out = tmp_path_factory.mktemp("copy") / "site"
    result = html_(out)
    assert result.exit_code == 0, result.output
    return out


def test_a_copy_of_the_real_notebooks_is_whole_and_loads_nothing(real_copy):
    files = sorted(real_copy.rglob("*.html"))
    parsed = {path: BeautifulSoup(path.read_bytes(), "html.parser") for path in files}
    assert {f"{name}.html" for name in paths.notebooks()} < {path.name for path in files}
    assert (real_copy / "slides" / "02_discovery.html") in files
    anchors = {path: {tag["id"] for tag in soup.select("[id]")} for path, soup in parsed.items()}
    dead = []
    for path, soup in parsed.items():
        ids = [tag["id"] for tag in soup.select("[id]")]
        assert len(ids) == len(set(ids)), path
        assert len(soup.find_all("h1")) == 1, path
        assert all(image.get("alt") for image in soup.find_all("img")), path
        assert all(not link["href"].startswith("http") for link in soup.find_all("link"))
        assert not soup.select("script[src], iframe, object, embed")
        for tag in soup.select("[href], [src]"):
            given = urlsplit(tag.get("href") or tag.get("src"))
            if (given.scheme in ("http", "https") and tag.name == "a") or given.scheme == "data":
                continue
            to = (path.parent / unquote(given.path)).resolve() if given.path else path
            if given.scheme or not to.is_file():
                dead.append((path.name, str(tag)[:80]))
            elif given.fragment and unquote(given.fragment) not in anchors[to]:
                dead.append((path.name, str(tag)[:80]))
    assert dead == []
    assert "url(" not in (real_copy / "style.css").read_text().replace("url(data:", "")


def test_five_notebooks_have_slides_of_every_figure_they_show(real_copy):
    made = {path.stem: path for path in (real_copy / "slides").iterdir()}
    assert {name[:2] for name in made} >= {"00", "02", "05", "08", "11"}
    for name, path in made.items():
        shown = BeautifulSoup(path.read_bytes(), "html.parser").find_all("img")
        in_page = BeautifulSoup((real_copy / f"{name}.html").read_bytes(), "html.parser")
        figures = {f"../{image['src']}" for image in in_page.select("figure img")}
        to_play_with = {src for src in figures if f"{name}-{name[:2]}-w" in src}
        assert {image["src"] for image in shown} == figures - to_play_with


def test_a_copy_of_the_real_notebooks_has_their_formulas_and_figures(real_copy):
    soups = [BeautifulSoup(p.read_bytes(), "html.parser") for p in real_copy.glob("*.html")]
    assert sum(len(soup.find_all("math")) for soup in soups) > 50
    assert [code for soup in soups for code in soup.select("code.tex")] == []
    index = BeautifulSoup((real_copy / "index.html").read_bytes(), "html.parser")
    shown = {image["src"] for image in index.select(".gallery img")}
    assert shown == {f"images/{path.name}" for path in (real_copy / "images").iterdir()}
    assert len(index.select(".question")) == len(paths.notebooks())
