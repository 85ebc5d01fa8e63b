"""Is it a test where it is hard, and does it keep its promise of power? What notebook 06 asks.

The level is looked at inside groups, while there are other groups; with copied samples; among many
clients; and where the test's own assumption fails, that samples of two clients scatter alike.
The power is that which a distance promises, and the distance comes from other, large samples: an
estimate from the clients' own would be the statistic that decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import special, stats

from rndcfl import load_dataset, make_clients
from rndcfl.clients import Client, Clients
from rndcfl.common.ledger import Ledger
from rndcfl.common.metrics import exact_interval
from rndcfl.common.seeding import numpy_rng
from rndcfl.criteria import Calibrated
from rndcfl.features import Features, Frozen
from rndcfl.novelty import Novelty, Profile, exchange, score
from rndcfl.predictors import RND, embed, frozen_target, used_samples
from rndcfl.reports import Report, Reports
from rndcfl.twosample import n_pairs, profile_size, profile_test

ALPHA, SINGLE = 0.01, 0.05  # levels of a discovery, and of one pair
EFFECT = 0.1  # smallest distance that counts, the default
SAMPLES = 150  # of a client, where a case says nothing else
PROFILES: dict[str, Profile] = {"novelty": Novelty(), "features": Features()}
SHOWN = {"by": "compared by", "min_effect": "smallest distance that counts"}
FUNCTIONS = {"novelty": 12, "features": 64}  # in a profile of 12 clients
# Of twelve clients in four groups by turns: one pair for each two groups, no client in two pairs.
PAIRS = ((0, 1), (4, 2), (8, 3), (5, 6), (9, 7), (10, 11))

# --- the level ----------------------------------------------------------------------------------


def alike(dataset: str, seed: int, n_clients: int = 12, samples: int = SAMPLES) -> Clients:
    """Clients that all draw from one distribution; of a small dataset they have fewer samples."""
    n = min(samples, len(load_dataset(dataset).x_train) // n_clients)
    return make_clients(dataset, "iid", n_clients, 1, seed, n, 1)


def cut(clients: Clients, who: Iterable[int], n: int) -> Clients:
    """Clients of which some keep their first `n` samples only."""
    members = list(clients)
    for i in who:
        members[i] = Client(members[i].x[:n], group=members[i].group)
    return replace(clients, members=tuple(members))


def copied(clients: Clients, share: float, seed: int, of_others: bool = False) -> Clients:
    """Clients of which a share of the samples are copies of other samples of the same client.

    `of_others` : only every second client's, and of the one before it, so that two hold them.
    """
    members = list(clients)
    for i, client in enumerate(clients):
        k, source = round(share * len(client)), clients[i - 1] if of_others else client
        order = numpy_rng(seed, "copies", i).permutation(len(client))
        if not of_others or i % 2:
            x = client.x.copy()
            x[order[:k]] = source.x[order[k : 2 * k]]
            members[i] = replace(client, x=x)
    return replace(clients, members=tuple(members))


CASES: dict[str, Callable[[str, int], Clients]] = {
    "in four groups": lambda name, seed: make_clients(name, "rotation", 12, 4, seed, SAMPLES, 1),
    "60 and 600 samples": lambda name, seed: cut(alike(name, seed, 12, 600), range(1, 12, 2), 60),
    "1 % own copies": lambda name, seed: copied(alike(name, seed), 0.01, seed),
    "3 % own copies": lambda name, seed: copied(alike(name, seed), 0.03, seed),
    "10 % own copies": lambda name, seed: copied(alike(name, seed), 0.1, seed),
    "10 % held by two": lambda name, seed: copied(alike(name, seed), 0.1, seed, of_others=True),
    "30 clients": lambda name, seed: alike(name, seed, 30),
    "60 clients": lambda name, seed: alike(name, seed, 60),
}
SCATTER = {  # samples of two clients, and standard deviations of the functions on them
    "drawn: alike, 60 and 600": (60, 600, 1.0, 1.0),
    "drawn: 60 scatter 1.25 times": (60, 600, 1.25, 1.0),
    "drawn: 60 scatter twice": (60, 600, 2.0, 1.0),
    "drawn: 600 scatter 1.25 times": (60, 600, 1.0, 1.25),
    "drawn: 600 scatter twice": (60, 600, 1.0, 2.0),
    "drawn: 300 and 300, one twice": (300, 300, 1.0, 2.0),
}


def hard_levels(
    seed: int, dataset: str, by: str, cases: Sequence[str] = tuple(CASES), draws: int = 50
) -> pd.DataFrame:
    """False alarms in one draw of each case, and in `draws` pairs for each of :data:`SCATTER`.

    Returns
    -------
    DataFrame
        case, by, seed, clients, min_effect; runs, and in how many of them anybody was split off
        inside a group at level .01; pairs of one group with no client in two, and how many of them
        have p below .05, each taken alone. A pair of :data:`SCATTER` is a run of two clients.
    """
    rows: list[dict[str, Any]] = []
    for name in cases:
        clients = CASES[name](dataset, seed)
        reports = exchange(clients, PROFILES[by], seed, Ledger())
        for effect in (0.0, EFFECT):
            found = false_alarms(reports, np.array(clients.groups), effect)
            rows.append(dict(case=name, clients=len(clients), min_effect=effect, **found))
    for name in SCATTER:
        for effect in (0.0, EFFECT):
            found = scatter_level(seed, by, name, effect, draws)
            rows.append(dict(case=name, clients=2, min_effect=effect, **found))
    return pd.DataFrame(rows).assign(by=by, seed=seed)


def false_alarms(reports: Reports, groups: np.ndarray, min_effect: float) -> dict[str, int]:
    """Counts of one run: runs, split, pairs, below; see :func:`hard_levels`."""
    found = Calibrated(ALPHA, min_effect).judge(reports, Ledger())
    log_p = -found.dissimilarity - np.log10(n_pairs(len(groups)))  # of each pair alone
    members = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    i, j = (np.concatenate([m[k : len(m) // 2 * 2 : 2] for m in members]) for k in (0, 1))
    split = any(len(np.unique(found.labels[m])) > 1 for m in members)
    below = int((log_p[i, j] < np.log10(SINGLE)).sum())
    return dict(runs=1, split=int(split), pairs=len(i), below=below)


def scatter_level(seed: int, by: str, name: str, min_effect: float, draws: int) -> dict[str, int]:
    """As :func:`false_alarms`, of pairs exactly `min_effect` apart whose samples scatter unlike.

    Values of the functions are drawn: normal, independent, of one standard deviation per client.
    The distance is in units of the covariance that the test pools, as its own definition has it.
    """
    n_i, n_j, scale_i, scale_j = SCATTER[name]
    rng, m, p = numpy_rng(seed, "scatter", name, by), FUNCTIONS[by], np.empty(draws)
    pooled = ((n_i - 1) * scale_i**2 + (n_j - 1) * scale_j**2) / (n_i + n_j - 2)
    for k in range(draws):
        one, other = (s * rng.standard_normal((m, n)) for s, n in ((scale_i, n_i), (scale_j, n_j)))
        other[0] += min_effect * np.sqrt(pooled)
        reports = Reports.of([Report.of(one), Report.of(other)], 2, np.full(m, -1))
        p[k] = 10 ** -profile_test(reports, min_effect).evidence[0, 1]
    split, below = int((p < ALPHA).sum()), int((p < SINGLE).sum())
    return dict(runs=draws, split=split, pairs=draws, below=below)


def level_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Shares over seeds and their exact 95 % intervals, in words."""
    keys = ["case", "clients", "by", "min_effect"]
    table = rows.groupby(keys, sort=False)[["runs", "split", "pairs", "below"]].sum().reset_index()
    shown = table[[*keys, "runs"]].rename(columns=SHOWN)
    for wrong, tried, words in (
        ("split", "runs", "anybody split off"),
        ("below", "pairs", f"pairs with p below {SINGLE}"),
    ):
        shown[words] = (table[wrong] / table[tried]).map("{:.3f}".format)
        ends = [exact_interval(a, b) for a, b in zip(table[wrong], table[tried], strict=True)]
        shown[words] += [f" ({low:.3f} to {high:.3f})" for low, high in ends]
    return shown


# --- the power ----------------------------------------------------------------------------------


def predicted_power(
    distance: Any, n_i: Any, n_j: Any, n_peers: int, level: float, min_effect: float = 0.0
) -> np.ndarray:
    """Probability that the test finds a `distance`, the inverse of
    :func:`~rndcfl.twosample.detectable`: at the detectable distance it is .8.

    Arguments are as there; `distance`, `n_i` and `n_j` arrays of one shape, as is what is returned.
    """
    p, freedom, weight = profile_size(n_i, n_j, n_peers), n_i + n_j - 2, n_i * n_j / (n_i + n_j)
    critical = stats.ncf.isf(level, p, freedom - p + 1, min_effect**2 * weight)
    missed = special.ncfdtr(p, freedom - p + 1, np.square(distance) * weight, critical)
    return 1 - np.nan_to_num(missed)  # NaN where it vanishes: the series does not converge


def calibration(
    seed: int,
    dataset: str,
    by: str,
    setting: str,
    params: dict[str, Any],
    samples: int = SAMPLES,
    large: int = 2500,
    fewer: int | None = None,
) -> pd.DataFrame:
    """Twelve clients in four groups: are pairs found as often as their distance promises?

    Parameters
    ----------
    setting, params : how groups differ.
    samples : of a client, 60 or more; the first of each of :data:`PAIRS` has `fewer`, if given.
    large : images of each group that no client holds, and that give the distances.

    Returns
    -------
    DataFrame
        A row for each of :data:`PAIRS`: distance; scatter, how many times as much the functions
        scatter in the first client's group; predicted, the power; detected; and what was asked for.
    """
    turns = [*range(4)] * (3 + -(-large // samples))
    everybody = make_clients(dataset, setting, 12, 4, seed, samples, 1, turns, **params)
    clients = cut(everybody[:12], [i for i, _ in PAIRS] if fewer else [], fewer or samples)
    profile = PROFILES[by]
    shared, looked_at = profile.prepare(clients, seed, Ledger())
    reports = profile.reports(shared, looked_at, seed, Ledger())
    others = [Client(np.concatenate([c.x for c in everybody[12 + g :: 4]])) for g in range(4)]
    known = population(shared, others, reports.peers, seed)
    found = Calibrated(ALPHA, EFFECT).judge(reports, Ledger())
    m, level, rows = len(reports.peers), ALPHA / n_pairs(12), []
    for i, j in PAIRS:
        n = reports.samples[[i, j]]
        distance, scatter = true_distance(known[[i % 4, j % 4]], n)
        power = float(predicted_power(distance, n[0], n[1], m, level, EFFECT))
        detected = int(found.dissimilarity[i, j] > found.threshold)
        rows.append(dict(distance=distance, scatter=scatter, predicted=power, detected=detected))
    about: dict[str, Any] = dict(
        by=by, setting=setting, seed=seed, samples=samples, fewer=fewer or samples
    )
    return pd.DataFrame(rows).assign(**about)


def population(shared: Any, others: list[Client], peers: np.ndarray, seed: int) -> Reports:
    """What the groups would report, of many samples that none of their clients holds."""
    rnd = replace(RND(), max_samples=None)
    if isinstance(shared, Frozen):
        network = replace(shared, rnd=rnd)
        rows = [network.report(own, g, Ledger()) for g, own in enumerate(others)]
    else:
        samples = [used_samples(own, g, rnd, seed) for g, own in enumerate(others)]
        target = frozen_target(tuple(samples[0].shape[1:]), rnd, seed)
        rows = score(shared, [(x, embed(target, x)) for x in samples], Ledger(), peers)
    return Reports.of(rows, len(rows), peers)


def true_distance(known: Reports, n: np.ndarray) -> tuple[float, float]:
    """Distance of two populations as two clients of them see it, and how unlike they scatter.

    Clients of `n` [2] samples are compared by the first p functions, in units of the covariance
    that they pool; the bias of a squared distance, p (1 / N_i + 1 / N_j), is removed.
    """
    p = int(profile_size(n[0], n[1], len(known.peers)))
    covariance, apart = known.covariance[:, :p, :p], np.diff(known.profile[:, :p], axis=0)[0]
    pooled = np.tensordot((n - 1) / (n.sum() - 2), covariance, 1)
    squared = apart @ np.linalg.solve(pooled, apart) - p * (1 / known.samples).sum()
    one, other = np.linalg.slogdet(covariance)[1]
    return float(np.sqrt(max(0.0, squared))), float(np.exp((one - other) / (2 * p)))
