from dataclasses import replace

import numpy as np
import pytest

from rndcfl.common.errors import InputError
from rndcfl.common.ledger import Ledger
from rndcfl.criteria.judging import judge
from rndcfl.criteria.robust import (
    bounded,
    clearly_different,
    mended,
    refused_rows,
    screened,
    set_apart,
    without,
)
from rndcfl.discovery import discover
from rndcfl.novelty import LARGEST_ERROR, Reports, report_row
from rndcfl.predictors import untrained_predictors

N = 4


def reports(means=(0.0, 0.0, 0.0, 0.0), samples=100):
    """Clients with profiles of three equal entries and errors that scatter by 1."""
    n = len(means)
    return Reports(
        np.full(n, samples),
        np.ones((n, n)),
        np.arange(3),
        np.outer(means, np.ones(3)),
        np.broadcast_to(np.eye(3), (n, 3, 3)).copy(),
    )


def spoiled(part, value, i=1):
    given = reports()
    array = getattr(given, part).copy()
    array[i] = value
    return replace(given, **{part: array})


def found(given, defence="checked"):
    return judge(given, Ledger(), 0.01, 0.1, 0.8, defence)


# --- checks -------------------------------------------------------------------------------------


def test_honest_rows_are_accepted_and_stay_as_they_are():
    given = reports()
    assert refused_rows(given) == {}
    assert without(given, {}) is given


@pytest.mark.parametrize(
    "part, value, reason",
    [
        ("novelty", np.nan, "NaN"),
        ("profile", np.inf, "NaN"),
        ("covariance", np.nan, "NaN"),
        ("samples", 1, "too few"),
        ("novelty", -1.0, "beyond"),
        ("profile", 1e4, "beyond"),
        ("covariance", 1e9 * np.eye(3), "none"),
        ("covariance", -np.eye(3), "semidefinite"),
        ("covariance", [[1, 2, 0], [0, 1, 0], [0, 0, 1]], "none"),
        ("covariance", [[1, 2, 0], [2, 1, 0], [0, 0, 1]], "semidefinite"),
    ],
)
def test_what_cannot_be_is_refused_and_left_alone(part, value, reason):
    given = spoiled(part, value)
    assert reason in refused_rows(given)[1]
    result = found(given)
    assert list(result.refused) == [1]
    assert result.labels.tolist() == [0, 1, 0, 0]
    assert "refused [1]" in repr(result)
    assert len(result.explain()) == N


@pytest.mark.parametrize("error", [0.0, 1e-300, 1e12, np.inf])
def test_no_predictor_can_make_an_honest_row_be_refused(error):
    """Whatever errors somebody's predictor makes, on all samples or on one."""
    for all_samples in (True, False):
        errors = np.abs(np.random.default_rng(0).standard_normal((3, 50)))
        errors[1, slice(None) if all_samples else 0] = error
        novelty, profile, covariance = report_row(errors, np.arange(3))
        own = Reports(np.array([50]), novelty[None], np.arange(3), profile[None], covariance[None])
        assert refused_rows(own) == {}
        assert novelty.max() <= LARGEST_ERROR


def test_a_predictor_of_nan_is_refused_and_in_nobodys_profile(small_rnd):
    stack = untrained_predictors((1, 8, 8), 3, small_rnd, 0)
    next(iter(stack.parameters.values()))[1] = np.nan
    safe, refused = screened(stack)
    assert list(refused) == [1]
    for name, p in safe.parameters.items():
        assert not p[1].any()
        assert (p[[0, 2]] == stack.parameters[name][[0, 2]]).all()
    again, refused = screened(safe)
    assert again is safe and not refused


def test_who_is_refused_is_farther_than_anybody():
    given = replace(reports(), refused={2: "why"})
    among = np.array([[0, 1, 5.0], [1, 0, -2], [5, -2, 0]])
    everybody = set_apart(among, given, 2.0)
    np.testing.assert_array_equal(everybody[np.ix_([0, 1, 3], [0, 1, 3])], among)
    assert (np.delete(everybody[2], 2) == 6).all() and everybody[2, 2] == 0


def test_nobody_left_is_an_error():
    given = reports()
    with pytest.raises(InputError, match="nobody's report"):
        without(given, dict.fromkeys(range(N), "why"))


# --- bounds and mending --------------------------------------------------------------------------


def test_samples_count_at_most_twice_the_median():
    given = replace(reports(), samples=np.array([100, 90, 110, 10**6]))
    assert bounded(given).samples.tolist() == [100, 90, 110, 210]


def test_a_narrow_liar_tears_one_client_away_and_mending_undoes_it():
    given = reports((0.0, 0.1, -0.1, 2.0, 0.0))
    given.covariance[4] *= 1e-6  # like client 0 exactly, and with no scatter
    given.samples[4] = 10**6
    assert found(given).labels.tolist() == [0, 1, 1, 2, 0]
    assert found(given, "robust").labels.tolist() == [0, 0, 0, 1, 0]


def test_two_liars_in_two_halves_cannot_keep_them_apart():
    given = reports((0.0, 0.1, 2.0, 2.1, 0.0, 0.1))
    given.covariance[4:] *= 1e-6
    assert found(given).labels[:4].tolist() == [0, 1, 2, 2]
    assert found(given, "robust").labels[:4].tolist() == [0, 0, 1, 1]


def test_liars_who_are_like_everybody_glue_nothing():
    given = reports((0.0, 0.1, 2.0, 2.1, 1.0, 1.0))
    given.covariance[4:] *= 1e6
    for defence in ("checked", "robust"):
        assert found(given, defence).labels[:4].tolist() == [0, 0, 1, 1]


def test_mending_by_hand():
    """Compatible: 0 with 1 and 2, 1 with 2; 3 with 0 only, which it has been joined with."""
    given = reports((0.0, 0.1, 0.1, -0.1))
    far = np.where(np.eye(4, dtype=bool), 0.0, 9.0)
    for i, j in ((0, 1), (0, 2), (1, 2), (0, 3)):
        far[i, j] = far[j, i] = -1.0
    torn = np.array([0, 1, 1, 0])
    assert mended(torn, far, 2.0, given, 0.1).tolist() == [0, 0, 0, 0]
    far[0, 2] = far[2, 0] = far[0, 1] = far[1, 0] = 9.0  # nobody is compatible with half of them
    assert mended(torn, far, 2.0, given, 0.1).tolist() == [0, 1, 1, 0]


def test_clearly_different_needs_a_larger_difference_than_different():
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


def test_wrong_defences_are_named(stripe_clients):
    with pytest.raises(InputError, match="did you mean 'robust'"):
        discover(stripe_clients(3), defence="robus")
    with pytest.raises(InputError, match="goes with criterion 'calibrated'"):
        discover(stripe_clients(3), "paper", 0.5, defence="robust")
