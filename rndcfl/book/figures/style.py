"""How our figures look, and how notebooks show them.

Widths are those of a journal: one column (3.25 in) or the text (6.75 in). Colours differ for
colour-blind readers too, and markers, hatches or positions repeat them for print in grey.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import wraps
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import Image, Markdown, display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

COLUMN, TEXT = 3.25, 6.75  # inches
COLOURS = sns.color_palette("colorblind").as_hex()
MARKERS = "osD^vPX*<>"
LINES = ("-", "--", "-.", ":")
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "hatch.linewidth": 0.5,
    "pdf.fonttype": 42,
    "savefig.dpi": 300,
    "figure.dpi": 150,
    "figure.constrained_layout.use": True,
}


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Draw with our style and leave matplotlib's settings alone."""

    @wraps(draw)
    def wrapper(*args: Any, **kwargs: Any) -> Figure:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return wrapper


def show(figure: Figure, caption: str, alt: str) -> None:
    """Show a figure in a notebook with its caption below and its alt text for screen readers."""
    content, width = screen_picture(figure)
    display(Image(content, format="png", width=width, alt=alt))
    display(Markdown(f"*{caption}*"))


def screen_picture(figure: Figure) -> tuple[bytes, int]:
    """A figure as PNG for the screen, and its width in CSS pixels: as wide as in print."""
    picture = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(picture, format="png", dpi=150)
    return picture.getvalue(), round(96 * figure.get_figwidth())


def show_table(table: pd.DataFrame, caption: str) -> None:
    """Show a table in a notebook with its caption below; numbers to three digits."""
    display(table.style.format(precision=3).hide(axis="index"))
    display(Markdown(f"*{caption}*"))


def panels(columns: int, width: float, height: float, **kwargs: Any) -> tuple[Figure, list[Axes]]:
    """A figure of `width` x `height` inches with `columns` axes side by side.

    `kwargs` go to :meth:`matplotlib.figure.Figure.subplots`.
    """
    figure = Figure(figsize=(width, height))
    axes = figure.subplots(1, columns, squeeze=False, **kwargs)[0]
    return figure, list(axes)


def outline_groups(ax: Axes, groups: np.ndarray) -> None:
    """Frame the blocks of a heat map whose rows are sorted by `groups` [N]."""
    for group in np.unique(groups):
        where = np.flatnonzero(groups == group)
        size = len(where)
        box = Rectangle((where[0], where[0]), size, size, fill=False, edgecolor=COLOURS[0])
        box.set(linewidth=1.6, clip_on=False)
        ax.add_patch(box)
