"""Discover federations before any training: profile -> reports -> criterion -> federations.

Algorithms 1 and 2 of Domini et al., arXiv 2606.30499, with the paper's criterion (Eq. 9) or the
calibrated one, a two-sample test that needs no tolerance; by the novelty of samples to everybody's
predictors, as in the paper, or by features, the outputs of the frozen network alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

from torch import nn

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, check_name, check_number, notice
from rndcfl.common.ledger import Ledger
from rndcfl.criteria import Calibrated, Criterion
from rndcfl.criteria.named import JUDGED, named
from rndcfl.engine.inputs import averaged, check_characters
from rndcfl.features import OF_TRAINING, Features
from rndcfl.federations import Discovery
from rndcfl.given.hints import left_alone
from rndcfl.novelty import Novelty, Profile, Tamper, exchange
from rndcfl.predictors import RND


class Privacy(Protocol):
    """A policy that makes all that clients send private: :class:`rndcfl.Privacy`."""

    def budget(self, by: str) -> RND:
        """Networks and budget where the user names none."""

    def check(self) -> None:
        """Raise :class:`InputError` for values that cannot be meant."""

    def profile(self, open: Novelty | Features) -> Profile:
        """What clients are compared by, made private."""

    def promise(self, found: Discovery) -> Discovery:
        """The discovery with the promise that it keeps."""


def discover(
    clients: Clients,
    criterion: str | Criterion = "calibrated",
    tolerance: float | None = None,
    seed: int = 0,
    *,
    by: str = "novelty",
    alpha: float = 0.01,
    min_effect: float = 0.1,
    labels: bool = False,
    network: nn.Module | None = None,
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
    by : what clients are compared by: ``"novelty"`` of their samples to everybody's predictors, as
        in the paper, or ``"features"``, the outputs of the frozen network alone, with nothing
        trained and one message from each (calibrated only; notebook 06 compares the two).
    alpha, min_effect : of :class:`~rndcfl.criteria.Calibrated`: probability of splitting off
        anybody when all clients are alike; smallest distance between two clients that counts.
    labels : look at inputs *and labels*, to see concept shift (same inputs, other labels) as well.
        What clients send then discloses something about labels too.
    network : with ``by="features"``, a frozen network that all clients have, in place of one drawn
        from the seed, see :class:`~rndcfl.features.Features`.
    reading, grouping : of :class:`~rndcfl.criteria.Paper`: how two directed compatibilities become
        one, and compatible pairs federations.
    defence : against clients that lie: ``"checked"`` leaves alone whoever sends what cannot be;
        ``"robust"`` (calibrated only) also bounds what a claim weighs; ``"none"``.
    tamper : clients that do not send what they should, to see what happens.
    privacy : calibrated: make all that clients send differentially private, e.g. ``Privacy(1.0)``.
        Needs some hundreds of samples per client (notebook 12). None promises nothing.
    rnd : networks and budget; default ``RND()``, for the paper's criterion the same with all
        samples used to train and to score, and with privacy that of the policy.
    **budget : single fields of :class:`~rndcfl.predictors.RND`, e.g. ``steps=300``; those of
        training have no use by features.

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
        by=by,
        labels=labels,
        network=network,
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
    profile : what clients are compared by.
    privacy : as for :func:`discover`.
    """

    criterion: Criterion
    profile: Novelty | Features
    privacy: Privacy | None = None

    @classmethod
    def of(
        cls,
        criterion: str | Criterion = "calibrated",
        tolerance: float | None = None,
        *,
        by: str = "novelty",
        labels: bool = False,
        network: nn.Module | None = None,
        privacy: Privacy | None = None,
        rnd: RND | None = None,
        **params: Any,
    ) -> Discoverer:
        """From the arguments of :func:`discover`, checked; `params` are a criterion's and RND's."""
        for name in params:
            check_name("parameter of discover", name, PARAMETERS)
        own = {name: value for name, value in params.items() if name in JUDGED}
        made = named(criterion, tolerance, own)
        if not isinstance(labels, bool):
            raise InputError(f"labels must be True or False, got {labels!r}")
        if privacy is not None:
            _check_privacy(privacy, made)
            made = replace(made, defence="none")  # type: ignore[type-var]
        _check_by(by, made, labels, network, params)
        default = made.budget if privacy is None else privacy.budget(by)
        budget = {name: value for name, value in params.items() if name not in JUDGED}
        rnd = replace(rnd or default, **budget)
        rnd.check()
        if by == "features":
            return cls(made, Features(rnd, labels, network), privacy)
        screen = made.defence != "none"
        return cls(made, Novelty(rnd, labels, made.most_peers, screen), privacy)

    @property
    def rnd(self) -> RND:
        """Networks and budget."""
        return self.profile.rnd

    def check(self, clients: Clients) -> None:
        """Raise :class:`InputError` unless these clients can be discovered like this."""
        labels = self.profile.labels
        if labels and any(client.y is None for client in clients):
            raise InputError(
                "labels=True needs clients with labels; leave it out to use inputs only"
            )
        if clients.kind == "text":
            if labels:
                raise InputError("labels=True is for images and tables; text is compared as it is")
            for i, client in enumerate(clients):
                check_characters(i, client.x)
        self.criterion.check(clients, self.profile)

    def discover(self, clients: Clients, seed: int = 0, tamper: Tamper | None = None) -> Discovery:
        """As :func:`discover`."""
        self.check(clients)
        check_number("seed", seed, 0, whole=True)
        if self.privacy is not None and tamper is not None:
            raise InputError("attacks on private discoveries are not simulated; leave out tamper")
        said = self.said(clients)
        notice(said)
        profile = self.profile if self.privacy is None else self.privacy.profile(self.profile)
        ledger, few = Ledger(), self.criterion.too_few(clients, self.profile)
        reports = exchange(clients, profile, seed, ledger, tamper).without(few)
        found = self.criterion.judge(reports, ledger)
        if self.privacy is not None:
            found = self.privacy.promise(found)
        named = any(client.name for client in clients)
        names = clients.names if named else ()
        return replace(found, names=names, notices=(*clients.notices, *said))

    def said(self, clients: Clients) -> list[str]:
        """What a reader should know about how these clients are compared."""
        few, said = self.criterion.too_few(clients, self.profile), []
        if few:
            said.append(left_alone([f"client {clients.names[i]} ({len(clients[i])})" for i in few]))
        own = getattr(self.profile, "network", None) is not None
        if not own:
            said += averaged(clients.input_shape, clients.kind, self.rnd.max_side)
        return said


PARAMETERS = (
    *(*JUDGED, "by", "labels", "network", "privacy", "rnd"),
    *(f.name for f in fields(RND)),
)
BY = ("novelty", "features")


def _check_by(
    by: str, criterion: Criterion, labels: bool, network: Any, params: dict[str, Any]
) -> None:
    check_name("by", by, BY)
    if by == "novelty":
        if network is not None:
            raise InputError("network goes with by='features'; predictors imitate the seed's own")
        return
    if not criterion.most_peers:
        raise InputError(
            "criterion 'paper' judges novelty, and by='features' has none; take 'calibrated'"
        )
    for name in params:
        if name in OF_TRAINING:
            raise InputError(f"{name} is of the predictors, and by='features' trains none")
    if network is not None and labels:
        raise InputError("labels=True shows labels to the seed's network; leave out network")
    if network is not None and not isinstance(network, nn.Module):
        raise InputError(f"network must be a torch.nn.Module, got {type(network).__name__}")


def _check_privacy(privacy: Any, criterion: Criterion) -> None:
    if not callable(getattr(privacy, "promise", None)):
        raise InputError(f"privacy must be a Privacy, e.g. Privacy(1.0), got {privacy!r}")
    if not isinstance(criterion, Calibrated):
        raise InputError("privacy is for criterion 'calibrated', which knows about noise")
    if criterion.defence == "robust":
        raise InputError("defence 'robust' knows nothing of noise; leave it or privacy out")
    privacy.check()
