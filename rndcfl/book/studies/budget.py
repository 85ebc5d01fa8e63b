"""The default budget of the predictors: what more training finds, and what it gives away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from rndcfl.book.studies.distillation import SKEWS
from rndcfl.common.ledger import Ledger
from rndcfl.common.metrics import ari, exact
from rndcfl.discovery import discover
from rndcfl.features import Features
from rndcfl.novelty import fit
from rndcfl.predictors import RND, embed, frozen_target, squared_errors, used_samples
from rndcfl.privacy.attacks import expose, membership, told_by_reports
from rndcfl.reports import Report, Reports
from rndcfl.settings.partition import make_clients

HARD = ("noise", "rotation, weak", "contrast, weak", "classes, weak", "dirichlet, weak")


def found_with(
    dataset: str, seed: int, budgets: Sequence[RND], samples: int, skews: Sequence[str] = HARD
) -> Iterator[dict[str, Any]]:
    """How well weak skews are found with each budget; one row for each skew and budget."""
    for skew in skews:
        setting, params = SKEWS[skew]
        clients = make_clients(dataset, setting, 12, 4, seed, samples, test_per_client=1, **params)
        truth = np.asarray(clients.groups)
        for rnd in budgets:
            found = discover(clients, seed=seed, rnd=rnd)
            score = dict(exact=int(exact(truth, found.labels)), ari=ari(truth, found.labels))
            seconds = found.ledger.total()["seconds"]
            yield dict(
                setting=skew, steps=rnd.steps, share=rnd.train_share, **score, seconds=seconds
            )


def leaked_with(dataset: str, seed: int, budgets: Sequence[RND], samples: int) -> pd.DataFrame:
    """AUC of the calibrated membership attack on predictors of each budget (six clients).

    See :mod:`rndcfl.privacy.attacks`; columns steps, share, auc, tpr.
    """
    clients = make_clients(dataset, "rotation", 6, 2, seed, samples, test_per_client=1)
    rows = []
    for rnd in budgets:
        told = membership(expose(clients, rnd, seed), np.asarray(clients.groups))
        own = told[told["attack"] == "calibrated"]
        auc, tpr = own["auc"].mean(), own["tpr"].mean()
        rows.append(dict(steps=rnd.steps, share=rnd.train_share, auc=auc, tpr=tpr))
    return pd.DataFrame(rows)


def told_by_report(dataset: str, seed: int, samples: int, by: str) -> pd.DataFrame:
    """AUC of the attack on the reports themselves, by novelty or by features (six clients).

    See :func:`rndcfl.privacy.attacks.told_by_reports`; the samples that are not in a report are
    others of the same clients.
    """
    clients, fresh = (
        make_clients(dataset, "rotation", 6, 2, seed, samples, test_per_client=1, draw=draw)
        for draw in (0, 1)
    )
    if by == "features":
        shared, _ = Features().prepare(clients, seed, Ledger())
        own, other = ([shared.outputs(c, i) for i, c in enumerate(who)] for who in (clients, fresh))
    else:
        predictors, held_out = fit(clients, RND(), seed, Ledger())
        target = frozen_target(clients.input_shape, RND(), seed)
        new = [used_samples(c, i, RND(), seed) for i, c in enumerate(fresh)]
        own = [np.log(squared_errors(predictors, x, wanted)) for x, wanted in held_out]
        other = [np.log(squared_errors(predictors, x, embed(target, x))) for x in new]
    reports = Reports.of(map(Report.of, own), len(own), np.full(len(own[0]), -1), most=np.inf)
    found = told_by_reports(own, other, reports, np.asarray(clients.groups))
    return found.assign(by=by, functions=len(own[0]))
