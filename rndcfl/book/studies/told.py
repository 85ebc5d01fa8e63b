"""Rivals that are told something, and all rivals side by side on the same clients.

What no server knows: the number of groups (average linkage told k), or the tolerance and reading of
Eq. 9 that turn out best. Silhouettes (Rousseeuw, J. Comput. Appl. Math. 20 (1987) 53-65) choose the
number of groups without being told, and can never choose one. One federation (setting ``iid``) is
scored as it comes: who is told k = 1 is right, who looks at silhouettes always wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from rndcfl.book.studies.centralised import c2st_p, centralised_labels, mmd_p
from rndcfl.book.studies.rivals import Gap, Pooled, Welch
from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, check_name
from rndcfl.common.ledger import Ledger, Stopwatch
from rndcfl.common.metrics import ari, exact
from rndcfl.criteria import Criterion, Paper
from rndcfl.criteria.linkage import GROUPINGS, cluster, group
from rndcfl.criteria.paper import READINGS, paper_dissimilarity
from rndcfl.discovery import discover
from rndcfl.novelty import Novelty, exchange
from rndcfl.predictors import RND

_STEPS = np.geomspace(1e-4, 30, 32)
TOLERANCES = np.concatenate([-_STEPS[::-1], [0.0], _STEPS])  # readings differ in scale and in sign

LEAST = 4  # samples of a client: two to learn from and two to test on
AUTHORS_SAMPLES = 4166  # of a client in the paper; 10 epochs of them are 326 steps

Labels = np.ndarray | dict[str, np.ndarray]  # what a rival finds, or what for each of its choices


# --- how many groups: told, or by silhouette ----------------------------------------------------


def told(dissimilarity: np.ndarray, k: int) -> np.ndarray:
    """Average linkage, told the number of groups, int64 [N].

    Parameters
    ----------
    dissimilarity : symmetric [N, N]; the diagonal is ignored, values may be negative.
    k : how many groups.
    """
    return cluster(dissimilarity, "average", n_clusters=k)


def by_silhouette(dissimilarity: np.ndarray) -> np.ndarray:
    """Average linkage, with the number of groups whose mean silhouette is largest, int64 [N].

    From 2 to N - 1 (the smallest of several as good): a silhouette compares a client's own group
    with the nearest other one, so that it can neither say that all clients are alike nor that
    nobody is like anybody.

    Parameters
    ----------
    dissimilarity : as for :func:`told`, of at least 3 clients.
    """
    from sklearn.metrics import silhouette_score  # a second to import: only where needed

    n = len(dissimilarity)
    if n < 3:
        raise InputError(f"silhouettes need at least 3 clients, got {n}")
    apart = dissimilarity - min(0.0, dissimilarity[~np.eye(n, dtype=bool)].min())
    np.fill_diagonal(apart, 0)
    cuts = [told(dissimilarity, k) for k in range(2, n)]
    return max(cuts, key=lambda cut: silhouette_score(apart, cut, metric="precomputed"))


def mutual(novelty: np.ndarray) -> np.ndarray:
    """Raw novelty as a symmetric dissimilarity: the mean of s_ij and s_ji, [N, N]."""
    return (novelty + novelty.T) / 2


# --- Eq. 9 with every knob ----------------------------------------------------------------------


def every_choice(novelty: np.ndarray) -> dict[str, np.ndarray]:
    """What Eq. 9 finds in every reading, grouping and tolerance: "reading, grouping, tolerance".

    Whoever looks for the best one afterwards must take the same for all sets of clients that are
    to be counted together; chosen on what is reported, it flatters.
    """
    return {
        f"{reading}, {grouping}, {tolerance:.3g}": group(dissimilarity, tolerance, grouping)
        for reading in READINGS
        for dissimilarity in [paper_dissimilarity(novelty, reading)]
        for grouping in GROUPINGS
        for tolerance in TOLERANCES
    }


# --- all rivals ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rival:
    """One row of the comparison.

    Attributes
    ----------
    words : what it is, for people.
    sees : ``"novelty"`` or ``"features"`` (a discovery by it); ``"authors"``, ``"authors_steps"``
        or ``"ours"`` (novelty [N, N] of predictors that are trained and scored with all samples, of
        the authors' networks for 10 epochs or for as many steps as in the paper, or of our
        networks); or ``"samples"`` (the clients themselves).
    labels : (what it sees, true number of groups) -> what it finds.
    """

    words: str
    sees: str
    labels: Callable[[Any, int], Labels]


def _judged(criterion: Criterion) -> Callable[[Any, int], np.ndarray]:
    return lambda found, k: criterion.judge(found.reports, Ledger()).labels


def _every(novelty: np.ndarray, k: int) -> dict[str, np.ndarray]:
    return every_choice(novelty)


RIVALS = {
    "calibrated": Rival("calibrated, by novelty", "novelty", lambda found, k: found.labels),
    "features": Rival("calibrated, by features", "features", lambda found, k: found.labels),
    "welch": Rival("Welch tests of single predictors", "novelty", _judged(Welch())),
    "pooled": Rival("groups tested as they grow", "novelty", _judged(Pooled())),
    "gap": Rival("largest jump of log excess", "novelty", _judged(Gap())),
    "eq9": Rival("Eq. 9, our networks, 150 steps", "ours", _every),
    "eq9_authors": Rival("Eq. 9, authors' networks, 10 epochs", "authors", _every),
    "eq9_steps": Rival("Eq. 9, authors' networks, 326 steps", "authors_steps", _every),
    "told_raw": Rival(
        "told k, raw novelty", "novelty", lambda found, k: told(mutual(found.novelty), k)
    ),
    "told_excess": Rival("told k, log excess", "novelty", lambda found, k: told(found.excess, k)),
    "told_novelty": Rival(
        "told k, distance by novelty", "novelty", lambda found, k: told(found.distance, k)
    ),
    "told_features": Rival(
        "told k, distance by features", "features", lambda found, k: told(found.distance, k)
    ),
    "silhouette_excess": Rival(
        "k by silhouette, log excess", "novelty", lambda found, k: by_silhouette(found.excess)
    ),
    "silhouette_novelty": Rival(
        "k by silhouette, distance by novelty",
        "novelty",
        lambda found, k: by_silhouette(found.distance),
    ),
    "silhouette_features": Rival(
        "k by silhouette, distance by features",
        "features",
        lambda found, k: by_silhouette(found.distance),
    ),
    "mmd": Rival(
        "MMD test of all samples", "samples", lambda clients, k: centralised_labels(clients, mmd_p)
    ),
    "c2st": Rival(
        "classifier test of all samples",
        "samples",
        lambda clients, k: centralised_labels(clients, c2st_p),
    ),
}


def rival_rows(
    clients: Clients, seed: int, which: Sequence[str] = tuple(RIVALS)
) -> Iterator[dict[str, Any]]:
    """What each rival makes of the same clients.

    Parameters
    ----------
    clients : with their true groups, whose number k some rivals are told. Those of fewer than
        :data:`LEAST` samples, at whom some rivals cannot look, sit out.
    seed : of everything that is random.
    which : names in :data:`RIVALS`.

    Yields
    ------
    Columns rival, choice (of Eq. 9 a row for each reading, grouping and tolerance; otherwise
    "-"), exact (0 or 1), ari, federations, seconds (on this machine, of all that the rival needs,
    also where it is shared: exchange and judgement; of Eq. 9 for all choices together).
    """
    for name in which:
        check_name("rival", name, RIVALS)
    clients = replace(clients, members=tuple(c for c in clients if len(c) >= LEAST))
    truth = clients.groups
    if truth is None:
        raise InputError("rivals are scored by the true groups, which these clients do not have")
    k = len(np.unique(truth))
    seen = cache(lambda sees: _timed(_seen, sees, clients, seed))
    scored = cache(lambda labels: (int(exact(truth, labels)), ari(truth, labels)))
    for name in which:
        rival = RIVALS[name]
        material, before = seen(rival.sees)
        found, after = _timed(rival.labels, material, k)
        for choice, labels in (found if isinstance(found, dict) else {"-": found}).items():
            right, agreement = scored(tuple(labels.tolist()))
            yield dict(
                rival=name,
                choice=choice,
                exact=right,
                ari=agreement,
                federations=int(labels.max()) + 1,
                seconds=before + after,
            )


def at_best(rows: pd.DataFrame, case: Sequence[str]) -> pd.DataFrame:
    """The rows of each rival's best choice in each case: most often exact, then largest mean ARI.

    Parameters
    ----------
    rows : of :func:`rival_rows`, with further columns such as the setting.
    case : columns that tell cases apart; none chooses once for all rows together.
    """
    score = rows.groupby([*case, "rival", "choice"], sort=False)[["exact", "ari"]].mean()
    ranked = score.sort_values(["exact", "ari"], kind="stable").reset_index()
    best = ranked.groupby([*case, "rival"], sort=False).tail(1)
    return rows.merge(best[[*case, "rival", "choice"]])


def _seen(sees: str, clients: Clients, seed: int) -> Any:
    """What rivals look at, see :class:`Rival`."""
    if sees == "samples":
        return clients
    if sees in ("novelty", "features"):
        return discover(clients, by=sees, seed=seed)
    samples = round(np.mean([len(client) for client in clients]))
    authors = RND.authors(AUTHORS_SAMPLES if sees == "authors_steps" else samples)
    rnd = Paper.budget if sees == "ours" else authors
    return exchange(clients, Novelty(rnd, most_peers=0), seed, Ledger()).novelty


def _timed(function: Callable[..., Any], *given: Any) -> tuple[Any, float]:
    watch = Stopwatch()
    with watch.running():
        made = function(*given)
    return made, watch.seconds
