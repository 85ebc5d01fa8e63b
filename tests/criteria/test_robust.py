from dataclasses import replace

import numpy as np
import pytest

from rndcfl.common.ledger import Ledger
from rndcfl.criteria import Calibrated
from rndcfl.criteria.robust import bounded, clearly_different, mended
from rndcfl.discovery import discover


def found(given, defence="checked"):
    return Calibrated(defence=defence).judge(given, Ledger())


def test_samples_count_at_most_twice_the_median(reports):
    given = replace(reports(), samples=np.array([100, 90, 110, 10**6]))
    assert bounded(given).samples.tolist() == [100, 90, 110, 210]


def test_a_narrow_liar_tears_one_client_away_and_mending_undoes_it(reports):
    given = reports((0.0, 0.1, -0.1, 2.0, 0.0))
    given.covariance[4] *= 1e-6  # like client 0 exactly, and with no scatter
    given.samples[4] = 10**6
    assert found(given).labels.tolist() == [0, 1, 1, 2, 0]
    assert found(given, "robust").labels.tolist() == [0, 0, 0, 1, 0]


def test_two_liars_in_two_halves_cannot_keep_them_apart(reports):
    given = reports((0.0, 0.1, 2.0, 2.1, 0.0, 0.1))
    given.covariance[4:] *= 1e-6
    assert found(given).labels[:4].tolist() == [0, 1, 2, 2]
    assert found(given, "robust").labels[:4].tolist() == [0, 0, 1, 1]


def test_liars_who_are_like_everybody_glue_nothing(reports):
    given = reports((0.0, 0.1, 2.0, 2.1, 1.0, 1.0))
    given.covariance[4:] *= 1e6
    for defence in ("checked", "robust"):
        assert found(given, defence).labels[:4].tolist() == [0, 0, 1, 1]


def test_mending_by_hand(reports):
    """Compatible: 0 with 1 and 2, 1 with 2; 3 with 0 only, which it has been joined with."""
    given = reports((0.0, 0.1, 0.1, -0.1))
    far = np.where(np.eye(4, dtype=bool), 0.0, 9.0)
    for i, j in ((0, 1), (0, 2), (1, 2), (0, 3)):
        far[i, j] = far[j, i] = -1.0
    torn = np.array([0, 1, 1, 0])
    assert mended(torn, far, 2.0, given, 0.1).tolist() == [0, 0, 0, 0]
    far[0, 2] = far[2, 0] = far[0, 1] = far[1, 0] = 9.0  # nobody is compatible with half of them
    assert mended(torn, far, 2.0, given, 0.1).tolist() == [0, 1, 1, 0]


def test_clearly_different_needs_a_larger_difference_than_different(reports):
    threshold = 2.0
    seen = []
    for apart in np.arange(0.0, 1.5, 0.05):
        given = reports((0.0, apart, 0.0, 0.0))
        different = found(given).dissimilarity[0, 1] > threshold
        clearly = clearly_different(np.array([0]), np.array([1]), given, threshold, 0.1)[0, 0]
        seen.append((different, bool(clearly)))
    assert set(seen) == {(False, False), (True, False), (True, True)}
    first = [next(k for k, s in enumerate(seen) if s[part]) for part in (0, 1)]
    assert first[1] / first[0] == pytest.approx(1.5, abs=0.15)


# --- in discover ---------------------------------------------------------------------------------


def test_defences_change_nothing_where_nobody_lies(stripe_clients):
    clients = stripe_clients(4, n=60)
    plain, checked, robust = (discover(clients, defence=d) for d in ("none", "checked", "robust"))
    np.testing.assert_array_equal(plain.dissimilarity, checked.dissimilarity)
    assert plain.labels.tolist() == checked.labels.tolist() == robust.labels.tolist()
    assert checked.refused == {}
