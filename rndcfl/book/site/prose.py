"""Markdown of cells and captions as HTML: formulas as MathML, and no dead links."""

from __future__ import annotations

import base64
import mimetypes
import re
from dataclasses import dataclass, field
from html import escape, unescape
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from nbconvert.filters.markdown_mistune import (
    IPythonRenderer,
    MarkdownWithMath,
    MathBlockParser,
    MathInlineParser,
)

from rndcfl.book import paths
from rndcfl.book.site.mathematics import formula

ELSEWHERE = re.compile(r"(https?|mailto):", re.IGNORECASE)


@dataclass(frozen=True)
class Heading:
    """A heading of a page: its level (1 to 6), HTML and id."""

    level: int
    html: str
    anchor: str


@dataclass
class Prose:
    """The prose of one page, heading by heading.

    Parameters
    ----------
    root : from the page's folder to that of the index: ``""`` or ``"../"``.
    title_apart : whether the title is left out of the text, because the page has it elsewhere.
    """

    root: str = ""
    title_apart: bool = False
    headings: list[Heading] = field(default_factory=list)

    def html(self, source: str, attachments: dict[str, Any] | None = None) -> str:
        """HTML of Markdown; its headings go to `headings`."""
        renderer = _Renderer(self, attachments)
        return str(MarkdownWithMath(renderer, MathBlockParser(), _Inline()).render(source))

    def title(self) -> str:
        """HTML of the first heading of level 1."""
        return next((h.html for h in self.headings if h.level == 1), "")


class _Inline(MathInlineParser):
    """A dollar on each side of a code span makes no formula of it."""

    SPECIFICATION = {  # noqa: RUF012 (as in the class above)
        **MathInlineParser.SPECIFICATION,
        "inline_math_tex": r"(?s:(?<![$\\])\$(?P<math_inline_tex>[^`]+?)(?<![$\\])\$)",
    }


class _Renderer(IPythonRenderer):
    def __init__(self, prose: Prose, attachments: dict[str, Any] | None) -> None:
        super().__init__(escape=False, attachments=attachments)
        self.prose = prose

    def inline_math(self, body: str) -> str:
        return formula(body)

    def block_math(self, body: str) -> str:
        return formula(body, display=True)

    def latex_environment(self, name: str, body: str) -> str:
        return formula(rf"\begin{{{name}}}{body}\end{{{name}}}", display=True)

    def table(self, text: str) -> str:
        return scrolling(f"<table>\n{text}</table>")

    def heading(self, text: str, level: int, **attrs: Any) -> str:
        headings = self.prose.headings
        first = level == 1 and not any(h.level == 1 for h in headings)
        if level == 1 and not first:
            level = 2  # a page has one title
        words = "-".join(unescape(re.sub("<[^>]+>", "", text)).split())  # an anchor as Jupyter's
        taken = {h.anchor for h in headings}
        anchor = next(a for a in _numbered(words) if a not in taken)
        headings.append(Heading(level, text, anchor))
        if first and self.prose.title_apart:
            return ""
        return f'<h{level} id="{escape(anchor)}">{text}</h{level}>\n'

    def link(self, text: str, url: str, title: str | None = None) -> str:
        if ELSEWHERE.match(url) or url.startswith("#"):
            return str(super().link(text, url, title))
        path, _, anchor = url.partition("#")
        name = PurePosixPath(unquote(path)).stem
        if path.endswith(".ipynb") and name in paths.notebooks():
            page = f"{self.prose.root}{name}.html" + (f"#{anchor}" if anchor else "")
            return str(super().link(text, page, title))
        where = escape(re.sub(r"^(\.\./)+", "", path))
        inside = "in the repository" if where in text else f"in the repository: {where}"
        return f'{text} <span class="elsewhere">({inside})</span>'

    def image(self, text: str, url: str, title: str | None = None) -> str:
        if url.startswith(("attachment:", "data:")):
            return str(super().image(text, url, title))
        if ELSEWHERE.match(url):  # nothing is loaded from elsewhere
            return str(self.link(text or escape(url), url, title))
        file = paths.sources() / unquote(url)
        if not file.is_file():
            return self.link(text or escape(url), url, title)
        return str(super().image(text, _data_url(file), title))


def scrolling(table: str) -> str:
    """A table in a box of its own that scrolls where it is too wide for the page."""
    return f'<div class="scroll" role="region" aria-label="Table" tabindex="0">{table}</div>\n'


def _numbered(words: str) -> Any:
    yield words
    number = 2
    while True:
        yield f"{words}-{number}"
        number += 1


def _data_url(file: Path) -> str:
    kind = mimetypes.guess_type(file.name)[0] or "image/png"
    return f"data:{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"
