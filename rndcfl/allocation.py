"""Who gets which samples: sharing a dataset out by size and class."""

from __future__ import annotations

import numpy as np

from rndcfl.errors import InputError


def allocate(
    labels: np.ndarray,
    sizes: np.ndarray,
    shares: np.ndarray | None,
    wanted: int | None,
    rng: np.random.Generator,
    part: str,
) -> list[np.ndarray]:
    """Share samples out to clients, none given twice.

    Parameters
    ----------
    labels : of the dataset's samples, int64 [n].
    sizes : relative number of samples per client, [N].
    shares : P(y) per client, [N, n_classes]; None leaves classes as they fall.
    wanted : samples of a client of size 1; None for as many as everybody can have.
    rng : of the order in which samples are given out.
    part : what the samples are, for the error message.

    Returns
    -------
    list of N int64 index arrays. Clients are served in order, so that a client's samples do not
    depend on those that come after it.

    Raises
    ------
    InputError
        If there are not enough samples.
    """
    pool_of = np.zeros(len(labels), dtype=np.int64) if shares is None else labels
    per_client = np.ones((len(sizes), 1)) if shares is None else shares
    pools = [rng.permutation(np.flatnonzero(pool_of == c)) for c in range(per_client.shape[1])]
    available = np.array([len(pool) for pool in pools])

    def counts(n: int) -> np.ndarray:
        total = np.maximum(1, np.rint(n * sizes)).astype(np.int64)
        return np.array([_round_shares(m, p) for m, p in zip(total, per_client, strict=True)])

    most = int(len(labels) // sizes.sum())
    while most > 0 and (counts(most).sum(0) > available).any():
        most -= max(1, most // 200)
    while 0 < most < len(labels) and (counts(most + 1).sum(0) <= available).all():
        most += 1
    if most == 0 or (wanted is not None and (counts(wanted).sum(0) > available).any()):
        raise InputError(
            f"{len(sizes)} clients of {wanted or 1} {part} samples need more than the dataset's "
            f"{len(labels)}; this setting can give each at most {most}"
        )
    ends = counts(most if wanted is None else wanted).cumsum(0)
    starts = np.vstack([np.zeros_like(ends[:1]), ends[:-1]])
    return [
        np.concatenate([pool[s:e] for pool, s, e in zip(pools, starts[i], ends[i], strict=True)])
        for i in range(len(sizes))
    ]


def _round_shares(n: int, shares: np.ndarray) -> np.ndarray:
    """Whole counts that sum to `n` in proportion to `shares` (largest remainders)."""
    exact = n * shares / shares.sum()
    counts = np.floor(exact).astype(np.int64)
    counts[np.argsort(counts - exact, kind="stable")[: n - counts.sum()]] += 1
    return counts
