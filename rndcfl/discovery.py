"""Discover federations: predictors -> novelty -> criterion -> labels, before any training.

Algorithms 1 and 2 of Domini et al., arXiv 2606.30499, with the paper's criterion (Eq. 9) or the
calibrated one, a two-sample test that needs no tolerance.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Protocol

import numpy as np

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, check_name, check_number
from rndcfl.common.ledger import Ledger
from rndcfl.criteria.judging import judge, judge_paper
from rndcfl.criteria.linkage import GROUPINGS, READINGS
from rndcfl.criteria.robust import DEFENCES, score_checked
from rndcfl.federations import Discovery
from rndcfl.novelty import MAX_PROFILE, Reports, check_characters, fit, profile_peers, score
from rndcfl.predictors import RND, Predictors
from rndcfl.privacy.promise import PRIVATE, Privacy, PrivateDiscovery
from rndcfl.privacy.reports import private_exchange

CRITERIA = ("calibrated", "paper")
PARAMETERS = (
    "alpha",
    "min_effect",
    "labels",
    "reading",
    "grouping",
    "defence",
    "privacy",
    "rnd",
    *(f.name for f in fields(RND)),
)
MIN_SAMPLES = 3  # of a client for the calibrated criterion: one to train, two to score


class Tamper(Protocol):
    """Clients that do not send what they should, such as :class:`rndcfl.hostile.Attackers`."""

    def predictors(
        self, trained: Predictors, clients: Clients, rnd: RND, seed: int, labels: bool
    ) -> Predictors:
        """The predictors that are sent in place of those `trained`."""

    def reports(self, true: Reports) -> Reports:
        """What is reported in place of what is `true`."""


def discover(
    clients: Clients,
    criterion: str = "calibrated",
    tolerance: float | None = None,
    seed: int = 0,
    *,
    alpha: float = 0.01,
    min_effect: float = 0.1,
    labels: bool = False,
    reading: str = "average",
    grouping: str = "cliques",
    defence: str = "checked",
    tamper: Tamper | None = None,
    privacy: Privacy | None = None,
    rnd: RND | None = None,
    **budget: Any,
) -> Discovery:
    """Group clients whose data look alike, before any training (Algorithms 1 and 2).

    Parameters
    ----------
    clients : who takes part; test data are not looked at.
    criterion : ``"calibrated"``, a two-sample test at level `alpha`, or ``"paper"``, Eq. 9, which
        needs `tolerance`.
    tolerance : epsilon of Eq. 9. The paper does not publish its value.
    seed : of the shared target network and everything else that is random.
    alpha : calibrated: probability of splitting off anybody when all clients are alike.
    min_effect : calibrated: smallest distance between two clients that counts, in standard
        deviations of a sample's log errors (:mod:`rndcfl.twosample`). With enough samples any two
        real clients differ; at the default of 0.1 the best guess whose sample one is looking at is
        right in 52 of 100 cases.
    labels : train and score predictors on inputs *and labels*, to see concept shift (same inputs,
        other labels) as well. Predictors then disclose something about labels too.
    reading : paper: how two directed compatibilities become one; ``"mutual"`` (both directions),
        ``"either"``, ``"average"`` (of the two scores) or ``"two_sided"`` (the authors' code,
        |s_ij - s_ii| < eps s_ii). The paper does not say; the default serves it best (notebook 04).
    grouping : paper: ``"components"`` (chains of compatible clients) or ``"cliques"`` (all pairs).
    defence : against clients that lie (:mod:`rndcfl.criteria.robust`): ``"checked"`` leaves alone
        whoever sends what cannot be; ``"robust"`` (calibrated only) also bounds what a claim weighs
        and joins what liars tear apart, at the price of groups that are hardly told apart;
        ``"none"``.
    tamper : clients that do not send what they should, to see what happens.
    privacy : calibrated: make all that clients send differentially private, e.g. ``Privacy(1.0)``,
        see :class:`~rndcfl.privacy.promise.Privacy`. Needs some hundreds of samples per client
        (notebook 12). None promises nothing.
    rnd : networks and budget; default ``RND()``, for the paper's criterion the same with all
        samples used to train and to score, and with privacy
        :data:`~rndcfl.privacy.promise.PRIVATE`.
    **budget : single fields of :class:`~rndcfl.predictors.RND`, e.g. ``steps=300``.

    Returns
    -------
    Discovery

    Raises
    ------
    InputError
        For unknown names, a missing or needless tolerance, or clients with too few samples.

    Examples
    --------
    >>> from rndcfl import discover, make_clients
    >>> clients = make_clients("fashion-mnist-mini", "rotation", n_clients=4, n_groups=2)
    >>> discover(clients).labels.tolist()
    [0, 1, 0, 1]
    """
    rnd = check_discovery(
        clients,
        criterion,
        tolerance,
        alpha=alpha,
        min_effect=min_effect,
        labels=labels,
        reading=reading,
        grouping=grouping,
        defence=defence,
        privacy=privacy,
        rnd=rnd,
        **budget,
    )
    check_number("seed", seed, 0, whole=True)
    ledger = Ledger()
    if privacy is not None:
        if tamper is not None:
            raise InputError("attacks on private discoveries are not simulated; leave out tamper")
        reports = private_exchange(clients, rnd, seed, ledger, privacy, labels)
        found = judge(reports, ledger, alpha, min_effect, 1 - rnd.train_share, "none")
        return PrivateDiscovery(**vars(found), privacy=privacy)
    predictors, held_out = fit(clients, rnd, seed, ledger, labels)
    if tamper is not None:
        predictors = tamper.predictors(predictors, clients, rnd, seed, labels)
    most = MAX_PROFILE if criterion == "calibrated" else 0
    if defence == "none":
        reports = score(predictors, held_out, ledger, profile_peers(len(clients), seed, most))
    else:
        reports = score_checked(predictors, held_out, ledger, seed, most)
    if tamper is not None:
        reports = tamper.reports(reports)
    if criterion == "calibrated":
        return judge(reports, ledger, alpha, min_effect, 1 - rnd.train_share, defence)
    assert tolerance is not None
    return judge_paper(reports, ledger, tolerance, reading, grouping, defence)


def check_discovery(
    clients: Clients,
    criterion: str = "calibrated",
    tolerance: float | None = None,
    *,
    alpha: float = 0.01,
    min_effect: float = 0.1,
    labels: bool = False,
    reading: str = "average",
    grouping: str = "cliques",
    defence: str = "checked",
    privacy: Privacy | None = None,
    rnd: RND | None = None,
    **budget: Any,
) -> RND:
    """Check the arguments of :func:`discover` before any work; return the budget they amount to."""
    check_name("criterion", criterion, CRITERIA)
    check_name("reading", reading, READINGS)
    check_name("grouping", grouping, GROUPINGS)
    check_name("defence", defence, DEFENCES)
    if defence == "robust" and criterion == "paper":
        raise InputError("defence 'robust' goes with criterion 'calibrated'; take 'checked'")
    check_number("alpha", alpha, 1e-12, 0.5)
    check_number("min_effect", min_effect, 0.0, 100.0)
    if not isinstance(labels, bool):
        raise InputError(f"labels must be True or False, got {labels!r}")
    if labels and any(client.y is None for client in clients):
        raise InputError("labels=True needs clients with labels; leave it out to use inputs only")
    for name in budget:
        check_name("parameter of discover", name, PARAMETERS)
    default = RND(train_share=1.0) if criterion == "paper" else RND()
    if privacy is not None:
        if not isinstance(privacy, Privacy):
            raise InputError(f"privacy must be a Privacy, e.g. Privacy(1.0), got {privacy!r}")
        if criterion != "calibrated":
            raise InputError("privacy is for criterion 'calibrated', which knows about noise")
        if defence == "robust":
            raise InputError("defence 'robust' knows nothing of noise; leave it or privacy out")
        privacy.check()
        default = PRIVATE
    rnd = replace(rnd or default, **budget)
    rnd.check()
    if clients[0].x.dtype == np.int64:
        if labels:
            raise InputError("labels=True is for images and tables; text is compared as it is")
        for i, client in enumerate(clients):
            check_characters(i, client.x)
    if criterion == "paper":
        _check_paper(clients, tolerance)
    else:
        _check_calibrated(clients, tolerance, rnd)
    needed = 2 if criterion == "calibrated" else 1  # a variance needs two
    for i, client in enumerate(clients):
        if rnd.n_scored(len(client)) < needed:
            raise InputError(
                f"client {i}: of {len(client)} samples {rnd.n_train(len(client))} would train and "
                f"fewer than {needed} be left to score; take a smaller train_share"
            )
    return rnd


def _check_paper(clients: Clients, tolerance: float | None) -> None:
    if tolerance is None:
        raise InputError(
            "criterion 'paper' needs tolerance=epsilon (the paper does not publish one); "
            "criterion 'calibrated' needs none"
        )
    check_number("tolerance", tolerance, -1e9, 1e9)
    if len(clients) < 3:
        raise InputError(f"criterion 'paper' needs at least 3 clients, got {len(clients)}")


def _check_calibrated(clients: Clients, tolerance: float | None, rnd: RND) -> None:
    if tolerance is not None:
        raise InputError("criterion 'calibrated' takes no tolerance; its level is alpha=0.01")
    if rnd.train_share >= 1:
        raise InputError("criterion 'calibrated' scores on held-out samples; take train_share < 1")
    for i, client in enumerate(clients):
        if len(client) < MIN_SAMPLES:
            raise InputError(
                f"client {i} has {len(client)} samples; criterion 'calibrated' needs at least "
                f"{MIN_SAMPLES} to train and to test with"
            )
