"""What a discovery found, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from rndcfl.common.errors import check_number
from rndcfl.common.ledger import Ledger
from rndcfl.reports import Reports
from rndcfl.twosample import detectable, n_pairs, samples_needed

CLEAR = 1.0  # a distance no client's samples should be too few for; best guess right in 69 of 100


@dataclass(frozen=True, eq=False, repr=False)
class Discovery:
    """What :func:`~rndcfl.discovery.discover` found.

    Attributes
    ----------
    labels : federation of each client, int64 [N], numbered in order of first appearance.
    dissimilarity : what was grouped, float64 [N, N]. Calibrated: adjusted p-values as -log10(p),
        those above 1 negative; paper: novelty above the own score in units of sigma_i
        (``two_sided``: its distance to the own score s_ii, in units of s_ii).
    threshold : pairs with a larger dissimilarity are incompatible.
    tolerance : the knob as given: epsilon of Eq. 9, or None for the calibrated criterion.
    criterion : its full name, e.g. ``"calibrated"`` or ``"paper_mutual"``.
    reports : all that the clients reported.
    ledger : bytes, multiply-adds and seconds of the discovery.
    names : of the clients, where they have any.
    notices : what was said of the data, when they were read and when they were compared.
    """

    labels: np.ndarray
    dissimilarity: np.ndarray
    threshold: float
    tolerance: float | None
    criterion: str
    reports: Reports
    ledger: Ledger
    names: tuple[str, ...] = field(default=(), kw_only=True)
    notices: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def federations(self) -> list[list[str]]:
        """The clients of each federation, by name, or by number where they have none."""
        names = self.names or tuple(map(str, range(len(self.labels))))
        members = [np.flatnonzero(self.labels == f) for f in range(self.n_federations)]
        return [[names[i] for i in who] for who in members]

    @property
    def novelty(self) -> np.ndarray | None:
        """s_ij (Eq. 8), float64 [N, N]: predictor j on the data of client i; None without any."""
        return self.reports.novelty

    @property
    def excess(self) -> np.ndarray | None:
        """Log-novelty in excess of both own scores, float64 [N, N], see :func:`log_excess`."""
        return None if self.novelty is None else log_excess(self.novelty)

    @property
    def refused(self) -> dict[int, str]:
        """Clients that are left alone, and why: they sent what cannot be, or have too little."""
        return dict(self.reports.refused)

    @property
    def n_federations(self) -> int:
        """Number of federations found."""
        return int(self.labels.max()) + 1

    def explain(self) -> pd.DataFrame:
        """One row per client: how well it fits where it is, and where else it might belong.

        Columns: client, name (where clients have any), federation, scored (held-out samples; 0 of
        who is left alone), inside (largest dissimilarity to a member of its own federation),
        nearest (the other federation it is least unlike; -1 where there is none), outside (largest
        dissimilarity to a member of that one), margin (distance of the nearer of the two to the
        threshold; negative where the grouping overruled a pair).
        """
        rows = []
        for i, own in enumerate(self.labels):
            others = np.arange(len(self.labels)) != i
            worst = {
                int(f): self.dissimilarity[i, others & (self.labels == f)].max(initial=-np.inf)
                for f in range(self.n_federations)
            }
            inside = worst.pop(int(own))
            nearest = min(worst, key=lambda f: worst[f]) if worst else -1
            outside = worst.get(nearest, np.inf)
            rows.append(
                dict(
                    client=i,
                    federation=int(own),
                    scored=0 if i in self.refused else int(self.reports.samples[i]),
                    inside=inside,
                    nearest=nearest,
                    outside=outside,
                    margin=min(self.threshold - inside, outside - self.threshold),
                )
            )
        table = pd.DataFrame(rows)
        if self.names:
            table.insert(1, "name", self.names)
        return table.replace([np.inf, -np.inf], np.nan)

    def __repr__(self) -> str:
        return (
            f"Discovery({self.n_federations} federations of {len(self.labels)} clients, "
            f"criterion {self.criterion}, labels {self.labels.tolist()}"
            + (f", left alone {list(self.refused)}" if self.refused else "")
            + ")"
        )


@dataclass(frozen=True, eq=False, repr=False)
class ProfileDiscovery(Discovery):
    """A discovery by the calibrated criterion, which knows what it could not have seen.

    Attributes
    ----------
    distance : estimated distance between clients in standard deviations of a sample,
        float64 [N, N], see :class:`~rndcfl.twosample.ProfileTest`.
    alpha, min_effect : as given.
    """

    distance: np.ndarray
    alpha: float
    min_effect: float

    @property
    def p_values(self) -> np.ndarray:
        """Adjusted p-value of each pair, float64 [N, N], at most 1."""
        return np.minimum(1.0, 10.0**-self.dissimilarity)

    @property
    def detectable(self) -> np.ndarray:
        """The smallest distance each client would be told apart at, float64 [N].

        With probability .8, from a client with as many samples as clients have at the median. What
        is nearer than that may share a federation because there are too few samples to tell.
        """
        n = self.reports.samples
        typical = np.full_like(n, int(np.median(n)))
        return detectable(n, typical, len(self.reports.peers), self._level, self.min_effect)

    @property
    def uninformative(self) -> list[int]:
        """Clients with too few samples to be told apart even at a clear distance of 1."""
        return np.flatnonzero(self.detectable > CLEAR).tolist()

    def samples_needed(self, distance: float = CLEAR) -> int | None:
        """Samples per client (to train and to score) with which `distance` would be detected.

        With probability .8, for as many clients; None if no number is enough, because `distance`
        hardly exceeds `min_effect`.
        """
        check_number("distance", distance, 0.0)
        scored = samples_needed(distance, len(self.reports.peers), self._level, self.min_effect)
        return None if scored is None else int(np.ceil(scored / self.reports.share))

    def explain(self) -> pd.DataFrame:
        """As :meth:`Discovery.explain`, with one more column: detectable."""
        seen = ~np.isin(np.arange(len(self.labels)), list(self.refused))
        return super().explain().assign(detectable=np.where(seen, self.detectable, np.nan))

    def __repr__(self) -> str:
        low, high = self.detectable.min(), self.detectable.max()
        span = f"{low:.2f}" if high - low < 0.005 else f"{low:.2f} to {high:.2f}"
        text = super().__repr__()[:-1] + f", would miss distances below {span}"
        if self.uninformative:
            few = self.uninformative
            who = "all clients" if len(few) == len(self.labels) else f"clients {few}"
            text += (
                f", too few samples to rule out more for {who}: "
                f"{self.samples_needed()} each would show a distance of {CLEAR:g}"
            )
        return text + ")"

    @property
    def _level(self) -> float:
        return self.alpha / n_pairs(len(self.labels))


def log_excess(novelty: np.ndarray) -> np.ndarray:
    """How much two clients' predictors do worse on each other's data than on their own.

    e_ij = (log s_ij + log s_ji - log s_ii - log s_jj) / 2

    Symmetric, zero for equal distributions, and free of scale: the quality of a predictor, which
    shifts a whole column of s, cancels.

    Parameters
    ----------
    novelty : s_ij, [N, N]; 0 counts as the smallest number there is.

    Returns
    -------
    float64 [N, N]
    """
    logs = np.log(np.maximum(novelty, np.finfo(np.float64).tiny))
    own = np.diag(logs)
    return (logs + logs.T - own[:, None] - own[None, :]) / 2
