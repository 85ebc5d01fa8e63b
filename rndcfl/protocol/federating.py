"""Federations over several discoveries: they keep their names and models while clients change."""

from __future__ import annotations

import numpy as np

from rndcfl.engine.local import copy_state
from rndcfl.engine.networks import build_model, device
from rndcfl.evolving.watching import same_names
from rndcfl.protocol.checkpoint import Progress
from rndcfl.protocol.config import Config
from rndcfl.protocol.discovering import Found


def adopt(progress: Progress, found: Found, config: Config, r: int) -> dict[int, int]:
    """Enter a discovery of round `r` in the progress; client -> federation of those found."""
    before, after = progress.labels, renamed(progress.labels, found.labels)
    for federation in sorted(set(after.values()) - set(progress.models)):
        came_from = [before[c] for c, f in after.items() if f == federation and c in before]
        _start(progress, federation, came_from, config)
    progress.labels = before | after
    named = set(progress.labels.values())  # a name that comes back begins anew
    for kept in (progress.models, progress.versions):
        for federation in set(kept) - named:
            del kept[federation]
    progress.discoveries.append(
        dict(
            round=r,
            clients=sorted(after),
            labels=[after[c] for c in sorted(after)],
            novelty=found.novelty.tolist(),
            seconds=found.seconds,
        )
    )
    return after


def renamed(before: dict[int, int], after: dict[int, int]) -> dict[int, int]:
    """`after` with the names of `before`: a federation keeps its name, see :func:`same_names`.

    Clients come and go: only those in both say which federation is which. A new federation gets a
    name that no client has, present or absent.
    """
    stay = sorted(set(before) & set(after))
    names: dict[int, int] = {}
    if stay:
        old, new = (np.array([labels[c] for c in stay]) for labels in (before, after))
        kept = set(old.tolist())
        pairs = zip(new.tolist(), same_names(old, new).tolist(), strict=True)
        names = {label: name for label, name in pairs if name in kept}
    fresh = max(before.values(), default=-1) + 1
    for label in sorted(set(after.values()) - set(names)):
        names[label], fresh = fresh, fresh + 1
    return {client: names[label] for client, label in after.items()}


def _start(progress: Progress, federation: int, came_from: list[int], config: Config) -> None:
    """A new federation takes over the model that most of its members had, or a new one."""
    models, versions = progress.models, progress.versions
    known = [f for f in came_from if f in models]
    if known:
        most = max(sorted(set(known)), key=known.count)
        models[federation], versions[federation] = dict(models[most]), versions[most]
    else:
        n_classes = progress.about["n_classes"]
        network = build_model(config.model, progress.sample_shape, n_classes, config.seed)
        models[federation], versions[federation] = copy_state(network.to(device())), ""
