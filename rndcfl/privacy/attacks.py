"""What a predictor gives away: was this sample in its training data, and what did they look like?

*Membership inference*: a predictor's error is its own sign of "seen before". Two attacks; the
second knows how hard a sample is (calibration as in Watson et al., arXiv 2111.08440):

    error        - log ||f_i(x) - f(x)||^2                                low error = seen
    calibrated   mean over peers j of i's group of log ||f_j(x) - f(x)||^2, minus the victim's own

*Reconstruction*: gradient descent on an input until the predictor knows it best. Both are attacks
by one who holds the predictors, as every participant does. Better ones may exist: what these
find is a lower bound of what is disclosed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.stats import multivariate_normal
from sklearn.metrics import roc_auc_score, roc_curve
from torch import Tensor, nn

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError
from rndcfl.common.ledger import Ledger
from rndcfl.novelty import fit
from rndcfl.predictors import RND, Predictors, embed, frozen_target, squared_errors, used_samples
from rndcfl.privacy.promise import Privacy, PrivateNovelty
from rndcfl.reports import Report, Reports


@dataclass(frozen=True, eq=False)
class Exposed:
    """Predictors, and what an attacker is measured against.

    Attributes
    ----------
    predictors : a stack of N.
    target : the frozen network they imitate.
    members, others : per client, the samples that trained its predictor, and as many of its own
        that did not (of each the first, where there are fewer of the other).
    """

    predictors: Predictors
    target: nn.Module
    members: list[Tensor]
    others: list[Tensor]


def expose(clients: Clients, rnd: RND, seed: int, privacy: Privacy | None = None) -> Exposed:
    """Train predictors as discovery does, and keep who trained them.

    Raises
    ------
    InputError
        Where all samples train and none are left to compare with, or for a `privacy` out of
        range.
    """
    if any(rnd.n_scored(len(c)) == 0 or rnd.train_share == 1 for c in clients):
        raise InputError("membership is measured against held-out samples; take train_share < 1")
    if privacy is None:
        predictors, _ = fit(clients, rnd, seed, Ledger())
    else:
        privacy.check()
        profile = PrivateNovelty(rnd, privacy, privacy.secret())
        predictors, _ = profile.prepare(clients, seed, Ledger())
    members, others = [], []
    for i, client in enumerate(clients):
        x, cut = used_samples(client, i, rnd, seed), rnd.n_train(len(client))
        n = min(cut, len(x) - cut)
        members.append(x[:n])
        others.append(x[cut : cut + n])
    target = frozen_target(tuple(members[0].shape[1:]), rnd, seed)
    return Exposed(predictors, target, members, others)


def membership(exposed: Exposed, groups: np.ndarray) -> pd.DataFrame:
    """How well each attack separates a client's training samples from its other ones.

    Parameters
    ----------
    groups : group of each client, int64 [N]; peers are those of one's own.

    Returns
    -------
    One row per client and attack: client, attack, auc (chance: 0.5), tpr (share of training samples
    found where 1 % of the others are taken for such; chance: 0.01).
    """
    rows = []
    for i, (own, other) in enumerate(zip(exposed.members, exposed.others, strict=True)):
        x = torch.cat([own, other])
        logs = np.log(squared_errors(exposed.predictors, x, embed(exposed.target, x)))
        peers = np.flatnonzero((groups == groups[i]) & (np.arange(len(groups)) != i))
        scores = {"error": -logs[i]}
        if len(peers):
            scores["calibrated"] = logs[peers].mean(0) - logs[i]
        for attack, score in scores.items():
            rows.append(dict(client=i, attack=attack, **_separated(score, len(own))))
    return pd.DataFrame(rows)


def told_by_reports(
    members: list[np.ndarray], others: list[np.ndarray], reports: Reports, groups: np.ndarray
) -> pd.DataFrame:
    """How well the reports themselves separate the samples that they are about from other ones.

    An attack by whoever sees the reports, such as the server: a sample that is in a report is
    likelier under the normal distribution of its mean and covariance than under that of its peers'
    reports. A mean of m numbers is known to tell (Homer et al., PLoS Genetics 4, 2008), more so the
    fewer samples are in it; a covariance holds m (m + 1) / 2 more.

    Parameters
    ----------
    members, others : per client the values of the profile's functions on the samples that it
        reported on and on others of its distribution, float64 [m, n].
    reports : what the clients reported.
    groups : group of each client, int64 [N]; peers are those of one's own.

    Returns
    -------
    As :func:`membership`, with attack ``"report"``.
    """
    rows = []
    for i, (own, other) in enumerate(zip(members, others, strict=True)):
        peers = np.flatnonzero((groups == groups[i]) & (np.arange(len(groups)) != i))
        known = reports[peers].pooled(np.zeros(len(peers), dtype=np.int64))[0]
        values = np.hstack([own, other])
        score = _likelihood(values, reports[i]) - _likelihood(values, known)
        rows.append(dict(client=i, attack="report", **_separated(score, own.shape[1])))
    return pd.DataFrame(rows)


def _likelihood(values: np.ndarray, about: Report) -> np.ndarray:
    """Log density of values [m, n] under the normal distribution that a report describes, [n]."""
    m = len(values)
    ridge = 1e-4 * np.trace(about.covariance) / m * np.eye(m)  # of few samples it is singular
    normal = multivariate_normal(about.profile, about.covariance + ridge)
    return np.atleast_1d(normal.logpdf(values.T))


def _separated(score: np.ndarray, n: int) -> dict[str, float]:
    """AUC, and true positives at 1 % false ones, of scores whose first `n` should be larger."""
    truth = np.arange(len(score)) < n
    false, true, _ = roc_curve(truth, score)
    return dict(auc=roc_auc_score(truth, score), tpr=float(true[false <= 0.01].max()))


def auc_bound(epsilon: float) -> float:
    """The largest AUC that any attack on an epsilon-differentially private predictor can have.

    The AUC is the probability p that of two samples, one of which trained the predictor, the right
    one scores higher. With the two exchanged, two changes of the data, it would be 1 - p; hence
    p <= exp(2 epsilon) (1 - p). With delta, up to about 2 delta more.
    """
    return float(1 / (1 + np.exp(-2 * epsilon)))


def reconstruct(
    exposed: Exposed,
    victim: int,
    start: np.ndarray,
    smooth: float = 0.0,
    steps: int = 200,
    lr: float = 0.05,
) -> np.ndarray:
    """Images that the victim's predictor knows best: gradient descent from `start`.

    Minimises log ||f_i(x) - f(x)||^2 / ||f(x)||^2 within [0, 1] (the plain error is least for an
    empty image, to which target and predictor hardly respond), plus `smooth` times the mean
    absolute difference of neighbouring pixels: the attacker knows what images are like.

    Parameters
    ----------
    victim : number of the client whose predictor is attacked.
    start : images [n, C, H, W].
    steps, lr : of Adam.

    Returns
    -------
    float32 [n, C, H, W], the best known first.
    """
    x = torch.tensor(start, device=exposed.members[victim].device, requires_grad=True)
    predictor, optimiser = exposed.predictors.only([victim]), torch.optim.Adam([x], lr=lr)

    def relative(x: Tensor) -> Tensor:
        wanted = exposed.target(x)
        return (predictor.forward(x)[0] - wanted).square().sum(1) / wanted.square().sum(1)

    for _ in range(steps):
        optimiser.zero_grad()
        rough = sum(torch.diff(x, dim=axis).abs().mean((1, 2, 3)) for axis in (2, 3))
        (relative(x).log() + smooth * rough).sum().backward()
        optimiser.step()
        with torch.no_grad():
            x.clamp_(0.0, 1.0)
    with torch.no_grad():
        return x[relative(x).argsort()].cpu().numpy()


def nearest(x: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each x [n, \\*shape], which of `among` [k, \\*shape] is nearest, int64 [n], and how far
    (root mean square), float64 [n]."""
    a, b = x.reshape(len(x), 1, -1), among.reshape(1, len(among), -1)
    apart = np.sqrt(np.square(a - b, dtype=np.float64).mean(-1))
    return apart.argmin(1), apart.min(1)
