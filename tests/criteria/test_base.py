"""What all criteria share: whom they judge, who is set apart, and that anybody may add one."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from rndcfl.common.errors import InputError
from rndcfl.common.ledger import Ledger
from rndcfl.criteria import CRITERIA, Calibrated, Criterion, Paper
from rndcfl.criteria.base import set_apart, usable
from rndcfl.discovery import discover
from rndcfl.federations import Discovery
from rndcfl.predictors import RND
from rndcfl.simulation import simulate


def test_criteria_of_the_contract():
    assert CRITERIA == {"calibrated": Calibrated, "paper": Paper}


def test_who_is_refused_is_farther_than_anybody(reports):
    given = replace(reports(), refused={2: "why"})
    among = np.array([[0, 1, 5.0], [1, 0, -2], [5, -2, 0]])
    everybody = set_apart(among, given, 2.0)
    np.testing.assert_array_equal(everybody[np.ix_([0, 1, 3], [0, 1, 3])], among)
    assert (np.delete(everybody[2], 2) == 6).all() and everybody[2, 2] == 0
    assert set_apart(among, reports((0.0,) * 3), 2.0) is among


def test_without_a_defence_reports_are_judged_as_they_are(reports):
    given = reports()
    given.profile[1] = np.nan
    assert usable(given, "none") is given
    for defence in ("checked", "robust"):
        assert list(usable(given, defence).refused) == [1]


@pytest.mark.parametrize("criterion", [Calibrated(), Paper(0.5)])
@pytest.mark.parametrize("part", ["profile", "covariance", "novelty"])
def test_every_criterion_leaves_alone_who_sends_what_cannot_be(reports, criterion, part):
    given = reports()
    given.novelty[~np.eye(4, dtype=bool)] += np.random.default_rng(0).random(12) / 9
    getattr(given, part)[1] = np.nan
    found = criterion.judge(given, Ledger())
    assert list(found.refused) == [1] and "left alone [1]" in repr(found)
    assert found.labels[1] not in np.delete(found.labels, 1)
    assert len(found.explain()) == 4


# --- one's own ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Nearest(Criterion):
    """Clients whose own scores are within `factor` of the first client's are its federation."""

    factor: float = 2.0

    budget: ClassVar[RND] = RND(steps=3, batch_size=8, train_share=0.5)
    most_peers: ClassVar[int] = 0

    def judge(self, reports, ledger):
        own = np.log(reports.novelty.diagonal())
        apart = np.abs(own[:, None] - own)
        labels = (apart[0] > np.log(self.factor)).astype(np.int64)
        return Discovery(labels, apart, np.log(self.factor), None, "nearest", reports, ledger)


def test_a_criterion_of_ones_own_is_taken(stripe_clients):
    clients = stripe_clients(4, n=20)
    found = discover(clients, Nearest(1e9))
    assert (found.criterion, found.labels.tolist()) == ("nearest", [0] * 4)
    assert found.reports.samples.tolist() == [10] * 4  # by its own budget
    assert found.reports.profile.shape == (4, 0)
    assert discover(clients, Nearest(1.0)).labels.tolist() == [0, 1, 1, 1]
    history = simulate(clients, "rnd", 1, criterion=Nearest(1.0), progress=False)
    assert history.labels[0].tolist() == [0, 1, 1, 1]


def test_a_criterion_of_ones_own_needs_samples_to_score_with(stripe_clients):
    with pytest.raises(InputError, match="left to compare; at least 2 must be"):
        discover(stripe_clients(3, n=12), Nearest(), train_share=0.95)


def test_what_a_criterion_does_about_liars_is_one_of_the_known(stripe_clients):
    class Careless(Nearest):
        defence = "carless"

    with pytest.raises(InputError, match="unknown defence 'carless'"):
        discover(stripe_clients(3, n=12), Careless())
