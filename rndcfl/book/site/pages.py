"""The pages of a copy: an index, a page for each notebook, and slides."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from rndcfl.book import paths
from rndcfl.book.course.copies import question
from rndcfl.book.site import outputs, published, slides
from rndcfl.book.site.prose import Prose
from rndcfl.common.files import write_whole

HERE = Path(__file__).parent
LIGHT, DARK = "xcode", "lightbulb"  # Pygments styles, all of whose colours can be read on ours


@dataclass(frozen=True)
class Page:
    """A page that has been made: what the index and its neighbours show of it."""

    reading: published.Reading
    title: str
    question: str
    pictures: list[outputs.Picture]
    has_slides: bool


def build(folder: Path, profile: str) -> Iterator[Page]:
    """Write a copy into `folder`, page by page; the index comes last.

    Yields
    ------
    Each notebook's page when it has been written.
    """
    names = list(paths.notebooks())
    pages = []
    for name in names:
        page = _write_page(folder, published.find(name, profile), names, profile)
        pages.append(page)
        yield page
    html = _exporter("index.html.j2").template.render(pages=pages, profile=profile, root="")
    write_whole(folder / "index.html", html)
    write_whole(folder / "style.css", style())


def _write_page(folder: Path, reading: published.Reading, names: list[str], profile: str) -> Page:
    html, prose, pictures = render_page(reading, names, profile)
    write_whole(folder / f"{reading.name}.html", html)
    for picture, content in pictures.items():
        write_whole(folder / picture.file, content)
    shown = render_slides(reading)
    if shown:
        write_whole(folder / "slides" / f"{reading.name}.html", shown)
    asked = Prose().html(question(reading.notebook))
    return Page(reading, prose.title() or reading.name, asked, list(pictures), shown is not None)


def render_page(
    reading: published.Reading, names: list[str], profile: str
) -> tuple[str, Prose, dict[outputs.Picture, bytes]]:
    """HTML of a notebook's page, its headings, and its pictures as files.

    Parameters
    ----------
    reading : the notebook.
    names : of all notebooks, in order.
    profile : whose runs are shown.
    """
    notebook, prose = copy.deepcopy(reading.notebook), Prose(title_apart=True)
    pictures = _prepare(notebook, reading.name, prose)
    at = names.index(reading.name)
    about = dict(
        reading=reading,
        profile=profile,
        title=prose.title() or reading.name,
        headings=prose.headings,
        previous=names[at - 1] if at else None,
        next=names[at + 1] if at + 1 < len(names) else None,
        has_slides=any(slides.kind(cell) != "skip" for cell in notebook.cells),
    )
    return _export("page.html.j2", notebook, prose, about), prose, pictures


def render_slides(reading: published.Reading) -> str | None:
    """HTML of a notebook's slides, or None if no cell is on one."""
    notebook = slides.arrange(copy.deepcopy(reading.notebook))
    if notebook is None:
        return None
    prose = Prose(root="../")
    _prepare(notebook, reading.name, prose)
    about = dict(reading=reading, title=prose.title() or reading.name)
    return _export("slides.html.j2", notebook, prose, about)


def style() -> str:
    """The style sheet of all pages, with the colours of code."""
    light, dark = (HtmlFormatter(style=name).get_style_defs(".highlight") for name in (LIGHT, DARK))
    own = (HERE / "style.css").read_text(encoding="utf-8")
    return f"{own}\n{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def _prepare(notebook: NotebookNode, name: str, prose: Prose) -> dict[outputs.Picture, bytes]:
    """Render prose into ``metadata.html`` of its cells, and arrange outputs."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.metadata["html"] = prose.html(cell.source, cell.get("attachments"))
    return outputs.arrange(notebook, name, prose.html)


def _export(template: str, notebook: NotebookNode, prose: Prose, about: dict[str, Any]) -> str:
    exporter = _exporter(template, prose)
    html, _ = exporter.from_notebook_node(notebook, resources={"page": about, "root": prose.root})
    return str(html)


def _exporter(template: str, prose: Prose | None = None) -> HTMLExporter:
    return HTMLExporter(
        template_name="base",
        template_file=template,
        extra_loaders=[jinja2.FileSystemLoader(HERE / "templates")],
        filters={"markdown2html": prose.html} if prose else {},
        preprocessors=["nbconvert.preprocessors.CoalesceStreamsPreprocessor"],
    )
