"""What natural federations are worth: FedAvg inside them against other ways to group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from rndcfl import simulate
from rndcfl.book.studies.real_tasks import Task
from rndcfl.clients import Clients
from rndcfl.common.metrics import ari, mean_ci, top_k
from rndcfl.simulation import History

Trained = dict[Any, History]  # what was trained already, by its federations and learning rate


def auroc(clients: Clients, logits: Sequence[np.ndarray]) -> float:
    """Mean over groups of the area under the curve of all test patients of each.

    Groups whose test patients are all ill, or none, are left out.
    """
    from sklearn.metrics import roc_auc_score  # a second to import: only where needed

    margins = [own[:, 1] - own[:, 0] for own in logits]
    groups, areas = np.array(clients.groups), []
    for group in np.unique(groups):
        mine = np.flatnonzero(groups == group)
        ill = np.concatenate([clients[int(i)].y_test for i in mine])
        if 0 < ill.mean() < 1:
            areas.append(roc_auc_score(ill, np.concatenate([margins[i] for i in mine])))
    return float(np.mean(areas))


def scores(task: Task, clients: Clients, history: History) -> dict[str, float]:
    """Scores of the last round, means over clients."""
    last, logits = history.final(), history.outputs(clients)
    score = {"accuracy": last["accuracy"].mean(), "worst_client": last["accuracy"].min()}
    if "auroc" in task.metrics:
        score["auroc"] = auroc(clients, logits)
    if "top3" in task.metrics:
        wanted = [np.asarray(client.y_test) for client in clients]
        score["top1"] = score["accuracy"]
        score["top3"] = np.mean([top_k(x, y, 3) for x, y in zip(logits, wanted, strict=True)])
        score["bits_per_character"] = (last["loss"] / np.log(2)).mean()
    return score


def one_run(task: Task, method: str, seed: int, lr: float, trained: Trained) -> dict[str, object]:
    """Final scores and costs of one run, in one row.

    Methods that find the same federations are the same computation from there on: they share what
    is in `trained`, to which a new one is added.
    """
    clients = task.clients(seed)
    own: dict[str, dict[str, Any]] = {
        "ifca": {"n_clusters": task.groups},
        "rnd": {"min_effect": task.effect},
    }
    options: dict[str, Any] = {
        "model": task.model,
        "lr": lr,
        "batch_size": task.batch_size,
        "seed": seed,
        "progress": False,
        **own.get(method, {}),
    }
    first = None if method == "ifca" else simulate(clients, method, 1, **options)
    key = method if first is None else (tuple(first.labels[0]), lr)
    if key not in trained:
        trained[key] = simulate(clients, method, task.rounds, **options)
    history = trained[key]
    labels = history.labels[-1]
    spent = history.ledger.total("training"), (first or history).ledger.total("discovery")
    sent = sum(cost["bytes_up"] + cost["bytes_down"] for cost in spent)
    return {
        "dataset": task.dataset,
        "method": method,
        "seed": seed,
        "lr": lr,
        "clients": len(clients),
        **scores(task, clients, history),
        "ari": None if clients.groups is None else ari(clients.groups, labels),
        "federations": len(np.unique(labels)),
        "mb": sent / 1e6 / len(clients),
    }


def best_rate(tried: pd.DataFrame, task: Task, method: str) -> float:
    """The learning rate of a method's best score; bits are better when fewer."""
    rows = tried[(tried["dataset"] == task.dataset) & (tried["method"] == method)]
    metric = task.metrics[0]
    order = rows[metric] if metric == "bits_per_character" else -rows[metric]
    return float(rows["lr"].iloc[int(order.argmin())])


def compared(runs: pd.DataFrame, task: Task, method: str, metric: str) -> dict[str, object]:
    """A method's score over seeds, and rnd's score less it, paired by seed, with 95 % intervals."""
    of = {
        name: runs[(runs["dataset"] == task.dataset) & (runs["method"] == name)].set_index("seed")
        for name in (method, "rnd")
    }
    own = of[method]
    mean, half = mean_ci(own[metric])
    gain, gain_half = mean_ci(of["rnd"][metric] - own[metric])
    return {
        "dataset": task.dataset,
        "method": method,
        "seeds": len(own),
        "clients": int(own["clients"].iloc[0]),
        "metric": metric,
        "score_mean": mean,
        "score_ci95": half,
        "rnd_minus_mean": gain,
        "rnd_minus_ci95": gain_half,
        "worst_client_mean": own["worst_client"].mean(),
        "ari_mean": own["ari"].mean(),
        "exact": (own["ari"] == 1).mean() if own["ari"].notna().all() else np.nan,
        "federations_mean": own["federations"].mean(),
        "mb_per_client": own["mb"].mean(),
        "lr": own["lr"].iloc[0],
    }
