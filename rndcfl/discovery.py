"""Discover federations before any training: profile -> reports -> criterion -> federations.

Algorithms 1 and 2 of Domini et al., arXiv 2606.30499, with the paper's criterion (Eq. 9) or the
calibrated one, a two-sample test that needs no tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, check_name, check_number
from rndcfl.common.ledger import Ledger
from rndcfl.criteria import CRITERIA, Calibrated, Criterion
from rndcfl.engine.inputs import check_characters
from rndcfl.federations import Discovery
from rndcfl.novelty import Novelty, Profile, Tamper, exchange
from rndcfl.predictors import RND


class Privacy(Protocol):
    """A policy that makes all that clients send private: :class:`rndcfl.Privacy`."""

    @property
    def budget(self) -> RND:
        """Networks and budget where the user names none."""

    def check(self) -> None:
        """Raise :class:`InputError` for values that cannot be meant."""

    def profile(self, rnd: RND, labels: bool) -> Profile:
        """What clients are compared by, made private."""

    def promise(self, found: Discovery) -> Discovery:
        """The discovery with the promise that it keeps."""


def discover(
    clients: Clients,
    criterion: str | Criterion = "calibrated",
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
        needs `tolerance`; or a :class:`~rndcfl.criteria.Criterion`, which holds its parameters.
    tolerance : epsilon of Eq. 9. The paper does not publish its value.
    seed : of the shared target network and everything else that is random.
    alpha, min_effect : of :class:`~rndcfl.criteria.Calibrated`: probability of splitting off
        anybody when all clients are alike; smallest distance between two clients that counts.
    labels : train and score predictors on inputs *and labels*, to see concept shift (same inputs,
        other labels) as well. Predictors then disclose something about labels too.
    reading, grouping : of :class:`~rndcfl.criteria.Paper`: how two directed compatibilities become
        one, and compatible pairs federations.
    defence : against clients that lie: ``"checked"`` leaves alone whoever sends what cannot be;
        ``"robust"`` (calibrated only) also bounds what a claim weighs; ``"none"``.
    tamper : clients that do not send what they should, to see what happens.
    privacy : calibrated: make all that clients send differentially private, e.g. ``Privacy(1.0)``.
        Needs some hundreds of samples per client (notebook 12). None promises nothing.
    rnd : networks and budget; default ``RND()``, for the paper's criterion the same with all
        samples used to train and to score, and with privacy that of the policy.
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
    how = Discoverer.of(
        criterion,
        tolerance,
        labels=labels,
        privacy=privacy,
        rnd=rnd,
        alpha=alpha,
        min_effect=min_effect,
        reading=reading,
        grouping=grouping,
        defence=defence,
        **budget,
    )
    return how.discover(clients, seed, tamper)


@dataclass(frozen=True)
class Discoverer:
    """How to discover: what :func:`discover` is asked for, once, for as many times as wanted.

    Attributes
    ----------
    criterion : judges the reports.
    rnd : networks and budget.
    labels, privacy : as for :func:`discover`.
    """

    criterion: Criterion
    rnd: RND
    labels: bool = False
    privacy: Privacy | None = None

    @classmethod
    def of(
        cls,
        criterion: str | Criterion = "calibrated",
        tolerance: float | None = None,
        *,
        labels: bool = False,
        privacy: Privacy | None = None,
        rnd: RND | None = None,
        **params: Any,
    ) -> Discoverer:
        """From the arguments of :func:`discover`, checked; `params` are a criterion's and RND's."""
        for name in params:
            check_name("parameter of discover", name, PARAMETERS)
        own = {name: value for name, value in params.items() if name in JUDGED}
        made = _criterion(criterion, tolerance, own)
        if not isinstance(labels, bool):
            raise InputError(f"labels must be True or False, got {labels!r}")
        if privacy is not None:
            _check_privacy(privacy, made)
            made = replace(made, defence="none")  # type: ignore[type-var]
        default = made.budget if privacy is None else privacy.budget
        budget = {name: value for name, value in params.items() if name not in JUDGED}
        rnd = replace(rnd or default, **budget)
        rnd.check()
        return cls(made, rnd, labels, privacy)

    def check(self, clients: Clients) -> None:
        """Raise :class:`InputError` unless these clients can be discovered like this."""
        if self.labels and any(client.y is None for client in clients):
            raise InputError(
                "labels=True needs clients with labels; leave it out to use inputs only"
            )
        if clients.kind == "text":
            if self.labels:
                raise InputError("labels=True is for images and tables; text is compared as it is")
            for i, client in enumerate(clients):
                check_characters(i, client.x)
        self.criterion.check(clients, self.rnd)

    def discover(self, clients: Clients, seed: int = 0, tamper: Tamper | None = None) -> Discovery:
        """As :func:`discover`."""
        self.check(clients)
        check_number("seed", seed, 0, whole=True)
        if self.privacy is not None and tamper is not None:
            raise InputError("attacks on private discoveries are not simulated; leave out tamper")
        ledger = Ledger()
        reports = exchange(clients, self.profile, seed, ledger, tamper)
        found = self.criterion.judge(reports, ledger)
        return found if self.privacy is None else self.privacy.promise(found)

    @property
    def profile(self) -> Profile:
        """What clients are compared by."""
        if self.privacy is not None:
            return self.privacy.profile(self.rnd, self.labels)
        screen = self.criterion.defence != "none"
        return Novelty(self.rnd, self.labels, self.criterion.most_peers, screen)


JUDGED = {f.name: f.default for kind in CRITERIA.values() for f in fields(kind)}  # type: ignore[arg-type]
JUDGED.pop("tolerance")  # is named on its own
PARAMETERS = (*JUDGED, "labels", "privacy", "rnd", *(f.name for f in fields(RND)))


def _criterion(
    given: str | Criterion, tolerance: float | None, params: dict[str, Any]
) -> Criterion:
    """The criterion of this name with its parameters; others must not have been set."""
    named = not isinstance(given, Criterion)
    kind = CRITERIA[check_name("criterion", given, CRITERIA)] if named else None
    own = {f.name for f in fields(kind)} if kind else set()  # type: ignore[arg-type]
    for name, value in params.items():
        if name not in own and value != JUDGED[name]:
            raise InputError(f"{name}={value!r} is no parameter of criterion {given!r}")
    if tolerance is not None and "tolerance" not in own:
        raise InputError(f"criterion {given!r} takes no tolerance")
    if kind is None:
        assert isinstance(given, Criterion)
        return given
    values = {**params, "tolerance": tolerance}
    return kind(**{name: value for name, value in values.items() if name in own})


def _check_privacy(privacy: Any, criterion: Criterion) -> None:
    if not callable(getattr(privacy, "promise", None)):
        raise InputError(f"privacy must be a Privacy, e.g. Privacy(1.0), got {privacy!r}")
    if not isinstance(criterion, Calibrated):
        raise InputError("privacy is for criterion 'calibrated', which knows about noise")
    if criterion.defence == "robust":
        raise InputError("defence 'robust' knows nothing of noise; leave it or privacy out")
    privacy.check()
