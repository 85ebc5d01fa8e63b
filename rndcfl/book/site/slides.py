"""Which cells of a notebook are on which slide, by the metadata that Jupyter has for it."""

from __future__ import annotations

from nbformat import NotebookNode

FULL = 900  # letters of prose from which on a slide has smaller ones


def kind(cell: NotebookNode) -> str:
    """The slide type of a cell: ``"-"`` continues the slide before; ``"skip"`` without one."""
    if "slideshow" not in cell.metadata:
        return "skip"
    return str(cell.metadata.slideshow.get("slide_type") or "-")


def arrange(notebook: NotebookNode) -> NotebookNode | None:
    """The notebook's slides; None if it has none.

    Returns
    -------
    The cells that are shown, in order; ``metadata.slide`` holds for each its slide's number
    (from 1), whether it opens and closes it, whether that is full of text, and whether the cell
    is the speaker's notes.
    """
    groups: list[list[NotebookNode]] = []
    for cell in notebook.cells:
        if kind(cell) in ("slide", "subslide") or (kind(cell) != "skip" and not groups):
            groups.append([cell])
        elif kind(cell) != "skip":
            groups[-1].append(cell)
    groups = [cells for cells in groups if any(map(_shows, cells))]
    for number, cells in enumerate(groups, start=1):
        full = _letters(cells) > FULL
        for cell in cells:
            cell.metadata["slide"] = dict(
                number=number,
                opens=cell is cells[0],
                closes=cell is cells[-1],
                full=full,
                notes=kind(cell) == "notes",
            )
    shown = [cell for cells in groups for cell in cells]
    return NotebookNode(notebook, cells=shown) if shown else None


def _shows(cell: NotebookNode) -> bool:
    """Whether anything of a cell is seen: the code of one that was not run is hidden as well."""
    if cell.cell_type == "code":
        return bool(cell.outputs) or "show-code" in cell.metadata.get("tags", [])
    return kind(cell) != "notes"


def _letters(cells: list[NotebookNode]) -> int:
    prose = (c for c in cells if c.cell_type == "markdown" and kind(c) != "notes")
    return sum(len(cell.source) for cell in prose)
