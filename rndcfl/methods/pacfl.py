"""PACFL (Vahidian et al., arXiv 2209.10526): angles between the subspaces of clients' data."""

from __future__ import annotations

import numpy as np
from scipy.linalg import orth

from rndcfl.clients import Client, Clients
from rndcfl.common.errors import InputError, check_name, check_number
from rndcfl.common.ledger import Stopwatch
from rndcfl.methods.base import Method
from rndcfl.methods.run import Run
from rndcfl.methods.updates import LINKAGES, agglomerate, check_threshold, nearest_peer_threshold


def basis(client: Client, n_vectors: int) -> np.ndarray:
    """The first left singular vectors of the client's inputs, class by class.

    Parameters
    ----------
    client : x [n, \\*shape], flattened to d inputs; y gives the class.
    n_vectors : K, vectors per class; fewer where a class has fewer samples or inputs.

    Returns
    -------
    float64 [d, about K * classes], orthonormal within a class.
    """
    return np.hstack(
        [np.linalg.svd(a, full_matrices=False)[0][:, :n_vectors] for a in _by_class(client)]
    )


def smallest_angle(bases: list[np.ndarray]) -> np.ndarray:
    """Smallest principal angle between the subspaces spanned by bases [d, p], degrees [N, N].

    cos of the principal angles = singular values of Q_i' Q_j, with Q orthonormal.
    """
    q = [orth(u) for u in bases]
    cosines = [[np.linalg.norm(a.T @ b, 2) for b in q] for a in q]
    return np.degrees(np.arccos(np.clip(cosines, 0, 1)))


def summed_angles(bases: list[np.ndarray]) -> np.ndarray:
    """Sum of the angles between corresponding vectors of bases [d, p], degrees [N, N].

    trace(arccos(U_i' U_j)), up to the vectors' signs, which are arbitrary; over as many vectors as
    the smaller basis has.
    """
    angles = [[np.arccos(np.clip(np.abs(a.T @ b), 0, 1)).trace() for b in bases] for a in bases]
    return np.degrees(angles)


MEASURES = {"smallest": smallest_angle, "sum": summed_angles}


class PACFL(Method):
    """Federations by hierarchical clustering of angles between data subspaces, before training.

    Each client sends, per class it holds, the first K left singular vectors of its raw flattened
    inputs: 4 d K bytes per class, once. **This uses labels, and discloses a basis of each class's
    raw data.** The server clusters the angles between all pairs; FedAvg follows in each cluster.

    The authors' code takes the least *entry* of arccos(U_i' U_j) for the smallest angle, which
    depends on the basis and is never smaller; here it is the principal angle, as in the paper.
    They tune beta by hand: 3.5 degrees where nothing is given, 4.9 for CIFAR-10 with two classes
    per client, 9.88 for CIFAR-100 with twenty, 42 for a mix of four datasets, all with that entry.
    None carries over to other data, so that without `beta` the threshold is **ours**: `nearest`
    times the median angle from a client to the one nearest to it.

    Parameters
    ----------
    n_vectors : K per class (the paper: 3 to 5; authors' scripts: 3).
    beta : clusters this far apart stay apart, degrees.
    measure : ``"smallest"`` principal angle (Eq. 2), or ``"sum"`` of the angles between
        corresponding vectors (Eq. 3).
    linkage : ``"average"`` (authors' code), ``"complete"`` or ``"single"``.
    nearest : factor of our threshold, at least 1.
    """

    def __init__(
        self,
        n_vectors: int = 3,
        beta: float | None = None,
        measure: str = "smallest",
        linkage: str = "average",
        nearest: float = 1.25,
    ) -> None:
        check_number("n_vectors", n_vectors, 1, whole=True)
        check_threshold(beta, nearest, "beta")
        self.n_vectors, self.beta, self.nearest = n_vectors, beta, nearest
        self.angles = MEASURES[check_name("measure", measure, MEASURES)]
        self.linkage = check_name("linkage", linkage, LINKAGES)

    def check(self, clients: Clients) -> None:
        if clients.kind == "text":
            raise InputError("pacfl needs numbers; words [n, length] span no subspace")

    def assign(self, round: int, run: Run) -> np.ndarray:
        if round > 0:
            return run.labels
        bases = []
        for i, client in enumerate(run.clients):
            watch = Stopwatch()
            with watch.running():
                bases.append(basis(client, self.n_vectors))
            run.ledger.add(
                "discovery/subspaces",
                i,
                round,
                bytes_up=4 * bases[i].size,
                multiply_adds=_svd_cost(client),
                seconds=watch.seconds,
            )
        apart = self.angles(bases)
        np.fill_diagonal(apart, 0)
        beta = nearest_peer_threshold(apart, self.nearest) if self.beta is None else self.beta
        return agglomerate(apart, self.linkage, beta)


def _by_class(client: Client) -> list[np.ndarray]:
    """Flattened inputs of each class the client holds, float64 [d, n_c]."""
    assert client.y is not None
    x = client.x.reshape(len(client), -1).astype(np.float64)
    return [x[client.y == c].T for c in np.unique(client.y)]


def _svd_cost(client: Client) -> int:
    """Multiply-adds of thin SVDs of [d, n_c], about 3 a b^2 + 10 b^3 with a >= b.

    Half the operations of the R-SVD in Golub and Van Loan, Matrix Computations, section 8.6.
    """
    shapes = [(max(a.shape), min(a.shape)) for a in _by_class(client)]
    return sum(3 * a * b**2 + 10 * b**3 for a, b in shapes)
