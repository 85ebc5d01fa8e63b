"""Pictures of a discovery: distances with the groups outlined, and means of the federations."""

from __future__ import annotations

import base64
import io

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from rndcfl.book.figures.style import COLOURS, LINES, STYLE, TEXT, outline_groups, panels, styled

NAMED = 40  # clients from which on a heat map names none of them
SHOWN = 12  # federations whose means are shown


@styled
def heat_map(values: np.ndarray, labels: np.ndarray, names: tuple[str, ...], title: str) -> Figure:
    """A matrix among clients, federations together and outlined."""
    order = np.argsort(labels, kind="stable")
    size = float(np.clip(1.6 + 0.28 * len(labels), 3.0, TEXT))
    figure, (ax,) = panels(1, size + 1.0, size)
    few = len(labels) <= NAMED
    shown = [names[i] for i in order] if few else False
    sns.heatmap(
        values[np.ix_(order, order)],
        ax=ax,
        cmap="cividis_r",
        square=True,
        annot=len(labels) <= 12,
        fmt=".1f",
        annot_kws={"size": 7},
        xticklabels=shown,
        yticklabels=shown,
        cbar_kws={"label": title, "shrink": 0.8},
    )
    ax.tick_params(length=0)
    ax.tick_params(axis="x", rotation=90)
    ax.tick_params(axis="y", rotation=0)
    outline_groups(ax, labels[order])
    return figure


@styled
def mean_images(means: np.ndarray) -> Figure:
    """The mean image of each federation, and below it how it differs from the mean of all."""
    k = min(len(means), SHOWN)
    common = means.mean(0)
    figure = Figure(figsize=(max(2.0, min(TEXT, 1.2 * k)), 2.6))
    axes = figure.subplots(2, k, squeeze=False)
    most = float(np.abs(means[:k] - common).max()) or 1.0
    for f in range(k):
        image = np.clip(means[f].transpose(1, 2, 0), 0, 1)
        gray = image.shape[2] not in (3, 4)
        axes[0, f].imshow(image[:, :, 0] if gray else image[:, :, :3], cmap="gray", vmin=0, vmax=1)
        change = (means[f] - common).mean(0)
        axes[1, f].imshow(change, cmap="PuOr", vmin=-most, vmax=most)
        axes[0, f].set_title(f"federation {f}")
    axes[0, 0].set_ylabel("mean")
    axes[1, 0].set_ylabel("less the mean of all")
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
    return figure


@styled
def mean_series(means: np.ndarray) -> Figure:
    """The mean series of each federation, a panel for each of the first channels."""
    channels = min(means.shape[1], 6)
    figure = Figure(figsize=(TEXT, 1.1 + 0.9 * channels))
    axes = figure.subplots(channels, 1, squeeze=False, sharex=True)[:, 0]
    for c, ax in enumerate(axes):
        for f, mean in enumerate(means[:SHOWN]):
            look = dict(color=COLOURS[f % len(COLOURS)], ls=LINES[f // len(COLOURS) % len(LINES)])
            ax.plot(mean[c], label=f"federation {f}", **look)
        ax.set_ylabel(f"channel {c}")
    axes[-1].set_xlabel("step")
    axes[0].legend(ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
    return figure


def embedded(figure: Figure) -> str:
    """A figure as the text of an SVG within a page's source, the same for the same figure."""
    file = io.BytesIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": "rndcfl", "svg.fonttype": "path"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()
