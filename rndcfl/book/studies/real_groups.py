"""Are natural groups found, by what, and at which scale: what notebook 08 calculates.

Beside discovery stand baselines that need neither networks nor tests: column means, clustered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage

from rndcfl import Ledger, discover
from rndcfl.book.studies.real_texts import PERSONS
from rndcfl.book.studies.real_variants import VARIANTS, Variant, variant_of
from rndcfl.clients import Clients
from rndcfl.common.metrics import ari, exact, exact_interval
from rndcfl.criteria import Calibrated
from rndcfl.federations import ProfileDiscovery
from rndcfl.reports import Reports

FAR = 100  # standard deviations; where nothing varies inside a client they can be any number
DATASETS = {"heart-disease": "patients", "digits": "digits", "sms": "text messages"}
METHODS = {
    "novelty": "discovery by novelty",
    "features": "discovery by features",
    "means": "column means, k by silhouette",
    "means_known": "column means, k known",
}


def column_means(clients: Clients) -> np.ndarray:
    """What a client's samples are on average, float64 [N, d].

    Of tables each column's mean (on the marks these are rates of missing values), of images each
    pixel's, of text the share of each character.
    """
    if clients[0].kind != "text":
        return np.stack([c.x.reshape(len(c), -1).mean(0, dtype=np.float64) for c in clients])
    return np.stack(
        [np.bincount(c.x.ravel(), minlength=clients.n_classes) / c.x.size for c in clients]
    )


def cluster(points: np.ndarray, k: int | None = None) -> np.ndarray:
    """Ward's clusters of points [N, d], each column standardised over the clients, int64 [N].

    Without `k` the number is that of the best mean silhouette (Rousseeuw, 1987) from 2 to N - 1:
    it never says that all are alike, nor that none are.
    """
    from sklearn.metrics import silhouette_score  # a second to import: only where needed

    spread = points.std(0)
    scaled = (points - points.mean(0)) / np.where(spread > 1e-12, spread, 1)
    tree = linkage(scaled, "ward")
    cuts = {n: fcluster(tree, n, "maxclust") for n in ([k] if k else range(2, len(points)))}
    split = [cut for cut in cuts.values() if k or 1 < len(np.unique(cut)) < len(points)]
    if not split:
        return np.zeros(len(points), dtype=np.int64)
    best = split[0] if k else max(split, key=lambda cut: silhouette_score(scaled, cut))
    return best.astype(np.int64) - 1


def group_rows(
    dataset: str, effect: float, seed: int, variants: Sequence[Variant] = (), **taken: int
) -> Iterator[dict[str, object]]:
    """Rows of all variants and methods for one seed.

    Parameters
    ----------
    dataset : one of :data:`~rndcfl.book.studies.real_variants.VARIANTS`.
    effect : smallest distance that counts, where a variant has no other.
    seed : of the clients and of discovery.
    variants : default all of the dataset's.
    taken : of :func:`~rndcfl.settings.natural.natural_clients`.

    Yields
    ------
    dict
        dataset, variant, method, seed, min_effect, exact, ari, federations; and for discovery
        inside and between, the mean distances of clients of one group and of two, in standard
        deviations.
    """
    for variant in variants or VARIANTS[dataset]:
        clients = variant.clients(dataset, seed, **taken)
        least = effect if variant.effect is None else variant.effect
        groups = np.array(clients.groups)
        for method, (labels, distance) in _grouped(clients, groups, least, seed).items():
            yield {
                "dataset": dataset,
                "variant": variant.name,
                "method": method,
                "seed": seed,
                "min_effect": None if distance is None else least,
                "exact": exact(groups, labels),
                "ari": ari(groups, labels),
                "federations": len(np.unique(labels)),
                **({} if distance is None else mean_distances(groups, distance)),
            }


def _grouped(
    clients: Clients, groups: np.ndarray, least: float, seed: int
) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    """Labels by every method, and the distances of those that have any."""
    found = {}
    for by in ("novelty", "features"):
        own = discover(clients, seed=seed, by=by, min_effect=least)
        assert isinstance(own, ProfileDiscovery)  # the calibrated criterion's
        found[by] = own.labels, own.distance
    points, k = column_means(clients), len(np.unique(groups))
    return {**found, "means": (cluster(points), None), "means_known": (cluster(points, k), None)}


def mean_distances(groups: np.ndarray, distance: np.ndarray) -> dict[str, float]:
    """Mean distance [N, N] of two clients of one group, and of two; nan without such a pair."""
    apart = groups[:, None] != groups
    inside = ~apart & ~np.eye(len(groups), dtype=bool)
    return {
        name: float(distance[pairs].mean()) if pairs.any() else np.nan
        for name, pairs in (("inside", inside), ("between", apart))
    }


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Over seeds: share that is exact with its exact 95 % interval, and means of the rest."""
    table = []
    for key, own in rows.groupby(["dataset", "variant", "method"], sort=False):
        low, high = exact_interval(int(own["exact"].sum()), len(own))
        table.append(
            {
                **dict(zip(("dataset", "variant", "method"), key, strict=True)),
                "min_effect": own["min_effect"].iloc[0],
                "seeds": len(own),
                "exact": own["exact"].mean(),
                "exact_low": low,
                "exact_high": high,
                "ari_mean": own["ari"].mean(),
                "federations_mean": own["federations"].mean(),
                "inside_mean": own["inside"].mean(),
                "between_mean": own["between"].mean(),
            }
        )
    return pd.DataFrame(table)


def in_words(table: pd.DataFrame) -> pd.DataFrame:
    """:func:`summary` as it is shown: a row for each variant, a column for each method."""
    shown = []
    for key, own in table.groupby(["dataset", "variant"], sort=False):
        dataset, name = map(str, key)
        by = {str(row["method"]): row for row in own.to_dict("records")}
        far = [_distance(row["between_mean"]) for row in by.values()]
        shown.append(
            {
                "data": DATASETS[dataset],
                "what clients hold": variant_of(dataset, name).words,
                **{METHODS[method]: _result(row) for method, row in by.items()},
                "distance of groups": " and ".join(d for d in far if d) or "-",
            }
        )
    return pd.DataFrame(shown)


def _result(row: Mapping[Any, Any]) -> str:
    count = f"{row['exact'] * row['seeds']:.0f} of {row['seeds']:.0f}"
    interval = f"{row['exact_low']:.2f} to {row['exact_high']:.2f}"
    return f"{count} ({interval}); {row['ari_mean']:.2f}; {row['federations_mean']:.1f}"


def _distance(mean: float) -> str:
    return "" if np.isnan(mean) else f"{mean:.1f}" if mean < FAR else f"over {FAR}"


def tree(reports: Reports, effects: Sequence[float]) -> pd.DataFrame:
    """Which clients share a federation, by the smallest distance that counts.

    Returns
    -------
    DataFrame
        client, min_effect, federation; a row for each client and effect.
    """
    rows = []
    for effect in effects:
        labels = Calibrated(min_effect=effect).judge(reports, Ledger()).labels
        own = {"client": range(len(labels)), "min_effect": effect, "federation": labels}
        rows.append(pd.DataFrame(own))
    return pd.concat(rows, ignore_index=True)


def named_tree(
    dataset: str, variant: str, effects: Sequence[float], seed: int, **taken: int
) -> pd.DataFrame:
    """:func:`tree` of a variant's clients, with the column group, and name: of people no more."""
    chosen = variant_of(dataset, variant)
    clients, origin = chosen.clients(dataset, seed, **taken), chosen.data(dataset).origin
    assert origin is not None and clients.groups is not None  # every variant has both
    groups, found = np.array(clients.groups), discover(clients, seed=seed)
    names = np.array([client.name for client in clients])
    if dataset in PERSONS:
        names = np.array(origin.group_names)[groups]
    rows = tree(found.reports, effects)
    return rows.assign(name=names[rows["client"]], group=groups[rows["client"]])
