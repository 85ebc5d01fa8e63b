"""One self-contained page about a discovery, to be read in any browser, also without a network."""

from __future__ import annotations

from typing import Any

import jinja2
import numpy as np
import pandas as pd

from rndcfl import __version__
from rndcfl.book.finding import differences, pictures, told
from rndcfl.clients import Clients
from rndcfl.federations import Discovery, ProfileDiscovery

MATRIX = 30  # clients up to which the distances are also shown as a table


def report(clients: Clients, found: Discovery) -> str:
    """The page as HTML.

    Parameters
    ----------
    clients : those that were discovered; what tells the federations apart is calculated from their
        samples.
    found : their federations.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rndcfl.book.finding"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    values, what = _matrix(found)
    names = clients.names
    shares = differences.label_shares(clients, found.labels)
    return environment.get_template("report.html.j2").render(
        version=__version__,
        clients=clients,
        found=found,
        members=found.federations,
        calibrated=isinstance(found, ProfileDiscovery),
        what=what,
        picture=pictures.embedded(pictures.heat_map(values, found.labels, names, what)),
        matrix=_rows(pd.DataFrame(values, index=names, columns=names).reset_index(names=""))
        if len(names) <= MATRIX
        else None,
        table=_rows(told.table(clients, found)),
        unseen=told.unseen(found),
        cost=told.cost(found),
        shares=None if shares is None else _rows(shares),
        apart=_apart(clients, found),
    )


def _matrix(found: Discovery) -> tuple[np.ndarray, str]:
    """What is drawn: distances by the calibrated criterion, else what was grouped."""
    if isinstance(found, ProfileDiscovery):
        return found.distance, "distance (standard deviations)"
    return found.dissimilarity, "dissimilarity (Eq. 9)"


def _apart(clients: Clients, found: Discovery) -> dict[str, Any]:
    """What tells the federations apart: a table of columns, or a picture of means."""
    if found.n_federations == 1 or clients.kind == "text":
        return {}
    if clients.kind == "table":
        return dict(columns=_rows(differences.columns(clients, found.labels)))
    means = differences.mean_samples(clients, found.labels)
    draw = pictures.mean_images if clients.kind == "images" else pictures.mean_series
    return dict(picture=pictures.embedded(draw(means)))


def _rows(table: pd.DataFrame) -> dict[str, Any]:
    """A table as a page shows it: header, and cells of text."""
    cells = [[_cell(value) for value in row] for row in table.itertuples(index=False)]
    return dict(head=list(map(str, table.columns)), rows=cells)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        if np.isnan(value):
            return "-"
        return (
            "always" if np.isinf(value) else f"{value:.3g}" if abs(value) < 1e4 else f"{value:.0f}"
        )
    return str(value)
