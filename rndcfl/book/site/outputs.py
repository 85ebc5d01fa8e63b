"""Outputs for a page: pictures and tables with their captions, nothing that needs JavaScript."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass

from nbformat import NotebookNode

WIDGET = "application/vnd.jupyter.widget-view+json"
KINDS = {"image/png": "png", "image/jpeg": "jpg", "image/svg+xml": "svg"}
LOADS = re.compile(r"<(script|link|iframe|object|embed)\b|\bsrc\s*=\s*[\"']?(https?:)?//", re.I)
CAPTION = re.compile(r"\s*\*(?!\*).*\S\*\s*", re.DOTALL)


@dataclass(frozen=True)
class Picture:
    """A picture of a page.

    Parameters
    ----------
    file : where it is put, below the folder of the index.
    anchor : id of the figure on its page.
    alt : what it shows, in words.
    caption : HTML; empty without one.
    width, height : CSS pixels; None where they are not known.
    """

    file: str
    anchor: str
    alt: str
    caption: str
    width: int | None
    height: int | None


def arrange(notebook: NotebookNode, name: str, html: Callable[[str], str]) -> dict[Picture, bytes]:
    """Put captions to their pictures and tables, in place; pictures are taken out as files.

    Parameters
    ----------
    notebook : its outputs are changed: those that are pictures or HTML get ``metadata.shown``.
    name : of the notebook, for the names of the files.
    html : renders the Markdown of captions.

    Returns
    -------
    The pictures in order, and what is to be written to their files.
    """
    pictures: dict[Picture, bytes] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = _arranged(cell, name, html, pictures)
    return pictures


def _arranged(
    cell: NotebookNode, name: str, html: Callable[[str], str], pictures: dict[Picture, bytes]
) -> list[NotebookNode]:
    outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
    arranged = []
    while outputs:
        output = outputs.pop(0)
        data = output.get("data", {})
        if LOADS.search(data.get("text/html", "")):
            del data["text/html"]
        kind = next((kind for kind in KINDS if kind in data and "text/html" not in data), None)
        if kind or "text/html" in data:
            caption = html(_inner(outputs.pop(0))) if _is_caption(outputs) else ""
            if kind:
                number = 1 + sum(p.anchor.startswith(f"fig-{cell.id}-") for p in pictures)
                picture, content = _picture(output, kind, name, f"{cell.id}-{number}", caption)
                pictures[picture] = content
                output.metadata["shown"] = asdict(picture)
                output.data = NotebookNode({"image/png": ""})  # the page links to the file
            else:
                output.metadata["shown"] = {"caption": caption}
        arranged.append(output)
    return arranged


def _is_caption(outputs: list[NotebookNode]) -> bool:
    """Whether the next output is a caption: Markdown, all of it emphasised."""
    text = outputs[0].get("data", {}).get("text/markdown", "") if outputs else ""
    return bool(CAPTION.fullmatch(text))


def _inner(caption: NotebookNode) -> str:
    """The words of a caption, which may hold asterisks themselves."""
    return str(caption.data["text/markdown"]).strip()[1:-1]


def _picture(
    output: NotebookNode, kind: str, name: str, number: str, caption: str
) -> tuple[Picture, bytes]:
    given = output.data[kind]
    content = given.encode() if kind == "image/svg+xml" else base64.b64decode(given)
    about = output.metadata.get(kind, {})
    width, height = about.get("width"), about.get("height")
    if kind == "image/png" and width and not height:
        pixels = [int.from_bytes(content[at : at + 4], "big") for at in (16, 20)]  # of its header
        height = round(width * pixels[1] / pixels[0])
    picture = Picture(
        file=f"images/{name}-{number}.{KINDS[kind]}",
        anchor=f"fig-{number}",
        alt=about.get("alt", "") or re.sub("<[^>]+>", "", caption).strip() or "Picture",
        caption=caption,
        width=width,
        height=height,
    )
    return picture, content
