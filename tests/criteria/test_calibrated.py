from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from rndcfl.common.errors import InputError
from rndcfl.common.ledger import Ledger
from rndcfl.criteria import Calibrated
from rndcfl.criteria.linkage import group
from rndcfl.twosample import adjusted, profile_test


def test_it_groups_adjusted_evidence_at_its_level(reports):
    given, ledger = reports((0.0, 0.1, 2.0, 0.0)), Ledger()
    found = Calibrated(alpha=0.1, min_effect=0.2).judge(given, ledger)
    test = profile_test(given, 0.2)
    np.testing.assert_array_equal(found.dissimilarity, adjusted(test.evidence))
    np.testing.assert_array_equal(found.distance, test.distance)
    assert found.labels.tolist() == [0, 0, 1, 0]
    assert found.threshold == pytest.approx(1)  # -log10 of alpha
    assert (found.alpha, found.min_effect, found.tolerance) == (0.1, 0.2, None)
    assert found.criterion == "calibrated" and found.ledger is ledger and found.reports is given


def test_it_keeps_strangers_apart(reports, monkeypatch):
    chain = np.array([[0, 1, 9, 9], [1, 0, 2, 9], [9, 2, 0, 9], [9, 9, 9, 0.0]])
    monkeypatch.setattr("rndcfl.criteria.calibrated.adjusted", lambda evidence: chain)
    assert Calibrated(alpha=0.01).judge(reports(), Ledger()).labels.tolist() == [0, 0, 1, 2]


def test_the_most_similar_are_joined_first():
    """0 and 1, 2 and 3 are most alike; that 1 and 2 cannot be told apart must not join them."""
    evidence = np.array([[0, 0.1, 9, 9], [0.1, 0, 0.3, 9], [9, 0.3, 0, 0.1], [9, 9, 0.1, 0]])
    found = adjusted(evidence)
    assert (found[evidence < 1] <= 0).all()  # adjusted, they would all count as 1
    assert group(found, 2.0, "cliques").tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("part", ["profile", "covariance", "novelty"])
def test_who_is_refused_changes_nothing_for_the_others(reports, part):
    given = reports((0.0, 0.0, 2.0, 0.0))
    honest = Calibrated().judge(given, Ledger())
    getattr(given, part)[1] = np.nan
    found = Calibrated().judge(given, Ledger())
    assert found.labels.tolist() == [0, 1, 2, 0] and list(found.refused) == [1]
    others = np.ix_([0, 2, 3], [0, 2, 3])
    np.testing.assert_array_equal(found.dissimilarity[others], honest.dissimilarity[others])


def test_noise_that_was_added_makes_differences_smaller(reports):
    given = reports((0.0, 0.0, 1.0, 1.0))
    noisy = replace(given, noise=np.full(4, 1.0))
    plain, found = (Calibrated().judge(r, Ledger()) for r in (given, noisy))
    assert plain.labels.tolist() == [0, 0, 1, 1] and found.labels.tolist() == [0] * 4
    assert found.distance[0, 2] < plain.distance[0, 2]


@pytest.mark.parametrize(
    "given, says",
    [
        (dict(alpha=0), "alpha must be a number from 1e-12 to 0.5, got 0"),
        (dict(alpha=0.9), "alpha must be a number from 1e-12 to 0.5, got 0.9"),
        (dict(min_effect=-1.0), "min_effect must be a number from 0.0 to 100.0, got -1.0"),
        (dict(min_effect="much"), "min_effect must be a number"),
        (dict(defence="robus"), "unknown defence 'robus'; did you mean 'robust'"),
    ],
)
def test_parameters_are_checked_when_it_is_made(given, says):
    with pytest.raises(InputError, match=says):
        Calibrated(**given)


def test_parameters_stay_what_they_are():
    made = Calibrated(alpha=0.05)
    assert made == Calibrated(0.05, 0.1, "checked") and made != Calibrated()
    with pytest.raises(FrozenInstanceError):
        made.alpha = 0.1
