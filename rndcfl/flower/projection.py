"""What one discovery costs among many sites, from messages as they are and work as measured here.

Bytes are those of the records that would be sent, made and weighed. Seconds of a site and of the
server are measured on a few predictors and clients and scaled by what they grow with; seconds on
the wire are bytes over the server's line, as if it were always full.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
import torch

from rndcfl.common.errors import check_number
from rndcfl.common.ledger import Ledger
from rndcfl.common.seeding import numpy_rng
from rndcfl.criteria import Calibrated
from rndcfl.flower.records import count_bytes, record_of
from rndcfl.novelty import MAX_PROFILE
from rndcfl.predictors import RND, embed, frozen_target, squared_errors, untrained_predictors
from rndcfl.protocol.letters import Letter
from rndcfl.protocol.packing import packed_width
from rndcfl.reports import Report, Reports
from rndcfl.scale.grouping import group_reports

TIMED_PREDICTORS = 16
TIMED_CLIENTS = 64


def project(
    sites: list[int],
    landmarks: int,
    shape: tuple[int, ...],
    samples: int,
    megabits: float,
    rnd: RND | None = None,
) -> pd.DataFrame:
    """Costs of one discovery by number of sites, all to all and with landmarks.

    Parameters
    ----------
    sites : numbers of sites.
    landmarks : predictors that all sites score with landmark discovery.
    shape : of a sample, as the networks read it.
    samples : held-out samples that a site scores with.
    megabits : of the server's line, per second.
    rnd : networks and budget; None: the default.

    Returns
    -------
    pandas.DataFrame
        Per mode and number of sites: kb_up and kb_down of a site, gb in all, wire_seconds,
        site_seconds (scoring), server_seconds (grouping), server_mb (bank, rows and what they are
        unpacked to).

    Raises
    ------
    InputError
        Unless landmarks is between 2 and :data:`~rndcfl.novelty.MAX_PROFILE`.
    """
    check_number("landmarks", landmarks, 2, MAX_PROFILE, whole=True)
    rnd = rnd or RND()
    width, each = packed_width(shape, rnd), _scoring_seconds(shape, samples, rnd)
    pair, client = _grouping_seconds(landmarks)
    rows = []
    for mode in ("all to all", "landmarks"):
        for n in sites:
            m = min(n, landmarks)
            bank, profile = (n, min(n, MAX_PROFILE)) if mode == "all to all" else (m, m)
            novelty = bank if mode == "all to all" else 0
            up = _weigh(row=_row(novelty, profile)) + _weigh(predictor=_bank(1, width)) * bank / n
            down = _weigh(bank=_bank(bank, width)) + _weigh() * bank / n
            total = n * (up + down)
            held = 4 * width * bank + 8 * n * (novelty + profile + profile**2)
            server = pair * n**2 if mode == "all to all" else client * n
            rows.append(
                dict(
                    mode=mode,
                    sites=n,
                    kb_up=up / 1e3,
                    kb_down=down / 1e3,
                    gb=total / 1e9,
                    wire_seconds=8 * total / megabits / 1e6,
                    site_seconds=each * bank,
                    server_seconds=server,
                    server_mb=held / 1e6,
                )
            )
    return pd.DataFrame(rows)


def _weigh(**arrays: np.ndarray) -> int:
    return count_bytes(record_of(Letter(dict(round=0, run_seed=0), arrays)))


def _bank(n: int, width: int) -> np.ndarray:
    return np.zeros((n, width), dtype=np.float32)


def _row(n: int, m: int) -> np.ndarray:
    return Report(0, np.zeros(m), np.zeros((m, m)), np.zeros(n)).pack()


def _scoring_seconds(shape: tuple[int, ...], samples: int, rnd: RND) -> float:
    """Of one predictor on a site's held-out samples, the fastest of three."""
    stack = untrained_predictors(shape, TIMED_PREDICTORS, rnd, 0)
    x = torch.zeros(samples, *shape)
    wanted = embed(frozen_target(shape, rnd, 0), x)
    return _fastest(lambda: squared_errors(stack, x, wanted)) / TIMED_PREDICTORS


def _grouping_seconds(landmarks: int) -> tuple[float, float]:
    """The server's, all to all per pair of sites (N squared of them), with landmarks per site."""
    rng, n, m = numpy_rng(0, "projection"), TIMED_CLIENTS, MAX_PROFILE
    samples, profile = np.full(n, 1000), rng.normal(size=(n, m)) * 0.01
    covariance = np.broadcast_to(np.eye(m), (n, m, m))
    reports = Reports(samples, profile, covariance, np.arange(n), np.ones((n, n)))
    pair = _fastest(lambda: Calibrated().judge(reports, Ledger())) / n**2
    narrow = profile[:, :landmarks], covariance[:, :landmarks, :landmarks]
    few = Reports(samples, *narrow, np.arange(min(landmarks, n)))
    return pair, _fastest(lambda: group_reports(few)) / n


def _fastest(work: Any, times: int = 3) -> float:
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)
