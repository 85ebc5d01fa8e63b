"""What discovery costs, side by side: the authors' evaluation order, ours, our default, IFCA.

All on clients of the paper's setting, in turns, in one run on one machine (what takes minutes is
timed on fewer images, and scaled):

- ``naive``: the authors' networks, epochs and evaluation order (:mod:`rndcfl.book.bench.naive`);
- ``same_work``: the same networks, weights, batches and epochs, computed our way;
- ``default``: :func:`rndcfl.discover` as a user calls it;
- ``features``: the same with ``by="features"``, which trains nothing;
- ``ifca`` and ``ifca_cifar``: one round of IFCA's assignment, k models run over all training data,
  for ResNet-18 with the ImageNet and the CIFAR stem; timed on a sample of images, and scaled.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import torch

from rndcfl.book.bench.timing import alternate, clock, matrix_product_gflops
from rndcfl.book.bench.works import K, Sizes, Works
from rndcfl.clients import Clients
from rndcfl.common.ledger import Ledger
from rndcfl.common.metrics import ari, exact
from rndcfl.criteria import Calibrated
from rndcfl.discovery import discover
from rndcfl.engine.networks import device
from rndcfl.novelty import Novelty
from rndcfl.predictors import RND, embed, frozen_target, used_samples

RATIOS = {
    "naive_over_same_work": ("naive", "same_work"),
    "naive_over_default": ("naive", "default"),
    "default_over_features": ("default", "features"),
    "ifca_round_over_default": ("ifca", "default"),
    "ifca_cifar_round_over_default": ("ifca_cifar", "default"),
}


def ratios(seconds: dict[str, float]) -> dict[str, float]:
    """Seconds of one work over those of another, for each of :data:`RATIOS`."""
    return {key: seconds[upper] / seconds[lower] for key, (upper, lower) in RATIOS.items()}


WORKS = ("naive", "same_work", "default", "features", "ifca", "ifca_cifar")


def measure(sizes: Sizes) -> dict[str, Any]:
    """Measure everything; a dictionary ready for JSON.

    At its top level the ratios of median seconds: ``naive_over_same_work``, ``naive_over_default``,
    ``default_over_features``, ``ifca_round_over_default`` (ImageNet stem) and
    ``ifca_cifar_round_over_default``, and ``exact_recovery`` (``exact_recovery_features``), the
    share of seeds in which the default found the true groups; ``cpu`` has the ratios of the
    processor's seconds.
    """
    works = Works.of(sizes)
    discover(works.clients, steps=5)  # warm up
    peaks = [matrix_product_gflops()]
    timed = alternate({name: getattr(works, name) for name in WORKS}, sizes.repeats)
    timed = {name: own.scaled(works.scale(name)) for name, own in timed.items()}
    peaks.append(matrix_product_gflops())
    details = {}
    for name, own in timed.items():
        gflops = 2 * own.value.multiply_adds / own.median / 1e9
        details[name] = dict(
            seconds=own.summary(),
            multiply_adds=own.value.multiply_adds,
            bytes_per_client=own.value.bytes_per_client,
            scaled_by=works.scale(name),
            gflops=gflops,
            share_of_peak=gflops / max(peaks),
        )

    wall = {name: own.median for name, own in timed.items()}
    cpu = {name: own.cpu_median for name, own in timed.items()}
    truth = [np.asarray(clients.groups) for clients in works.several]
    pairs = list(zip(truth, timed["default"].value.answer, strict=True))
    by_features = list(zip(truth, timed["features"].value.answer, strict=True))
    apart = timed["naive"].value.answer / timed["same_work"].value.answer - 1
    return dict(
        **ratios(wall),
        cpu=ratios(cpu),
        exact_recovery=float(np.mean([exact(*pair) for pair in pairs])),
        exact_recovery_features=float(np.mean([exact(*pair) for pair in by_features])),
        ari=[ari(*pair) for pair in pairs],
        largest_relative_difference=float(np.abs(apart).max()),
        **asdict(sizes)
        | dict(
            dataset=works.clients.dataset,
            samples=len(works.clients[0]),
            naive_samples=len(works.few[0]),
        ),
        n_groups=K,
        device=str(device()),
        threads=torch.get_num_threads(),
        cores=os.cpu_count(),
        matrix_product_gflops=max(peaks),
        works=details,
        parts_of_default=parts(works.clients),
    )


def parts(clients: Clients, seed: int = 0) -> dict[str, float]:
    """Seconds of a default discovery spent on the target, on training, scoring and the test."""
    rnd, ledger, times = RND(), Ledger(), [clock()]
    target = frozen_target(clients.input_shape, rnd, seed)
    for i, client in enumerate(clients):
        embed(target, used_samples(client, i, rnd, seed))
    times.append(clock())
    profile = Novelty(rnd)
    predictors, held_out = profile.prepare(clients, seed, ledger)
    times.append(clock())
    reports = profile.reports(predictors, held_out, seed, ledger)
    times.append(clock())
    Calibrated().judge(reports, ledger)
    times.append(clock())
    evaluated, fitted, scored, tested = map(float, np.diff(times))
    return dict(target=evaluated, training=fitted - evaluated, scoring=scored, test=tested)


def table(result: dict[str, Any]) -> pd.DataFrame:
    """What :func:`measure` returned of each work, one row each."""
    rows = []
    for name, own in result["works"].items():
        seconds = own["seconds"]
        rows.append(
            dict(
                work=name,
                seconds=seconds["median"],
                least=seconds["least"],
                most=seconds["most"],
                gflops=own["gflops"],
                of_peak=own["share_of_peak"],
                kb_per_client=own["bytes_per_client"] / 1e3,
                scaled_by=own["scaled_by"],
            )
        )
    return pd.DataFrame(rows)
