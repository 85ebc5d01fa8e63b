import numpy as np
import pytest

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError
from rndcfl.common.ledger import Ledger
from rndcfl.discovery import discover
from rndcfl.federations import Discovery, log_excess
from rndcfl.reports import Reports
from rndcfl.twosample import detectable

D = np.array(
    [[0.0, -1.0, 7.0, 9.0], [-1.0, 0.0, 3.0, 5.0], [7.0, 3.0, 0.0, 2.5], [9.0, 5.0, 2.5, 0.0]]
)


# Rows: whose data; columns: whose predictor.
NOVELTY = np.array([[1.0, 2.0, 4.0], [3.0, 2.0, 7.0], [6.0, 8.0, 4.0]])


def by_hand(labels, threshold=2.0, novelty=None):
    reports = Reports(np.array([8, 8, 8, 6]), D, np.zeros((4, 4, 4)), np.arange(4), novelty)
    return Discovery(np.array(labels), D, threshold, None, "by hand", reports, Ledger())


# --- log excess ---------------------------------------------------------------------------------


def test_log_excess_by_hand():
    excess = log_excess(NOVELTY)
    # (log 2 + log 3 - log 1 - log 2) / 2 and so on.
    np.testing.assert_allclose(excess[0, 1], np.log(3) / 2)
    np.testing.assert_allclose(excess[0, 2], np.log(6) / 2)
    np.testing.assert_allclose(excess[1, 2], np.log(7) / 2)
    np.testing.assert_allclose(excess, excess.T)
    np.testing.assert_allclose(excess.diagonal(), 0, atol=1e-15)


def test_the_quality_of_predictors_and_the_difficulty_of_data_are_no_excess():
    quality, difficulty = np.array([1.0, 5.0, 0.2]), np.array([3.0, 1.0, 0.5])
    np.testing.assert_allclose(log_excess(np.tile(quality, (3, 1))), 0, atol=1e-12)
    np.testing.assert_allclose(log_excess(np.outer(difficulty, quality)), 0, atol=1e-12)
    np.testing.assert_allclose(log_excess(NOVELTY * quality), log_excess(NOVELTY), atol=1e-12)


def test_without_novelty_there_is_no_excess():
    bare = by_hand([0, 0, 1, 2])
    assert bare.novelty is None and bare.excess is None
    sent = by_hand([0, 0, 1, 2], novelty=D + 10)
    np.testing.assert_array_equal(sent.excess, log_excess(D + 10))


# --- who fits where -----------------------------------------------------------------------------


def test_how_well_each_client_fits_where_it_is():
    table = by_hand([0, 0, 1, 2]).explain()
    assert table["federation"].tolist() == [0, 0, 1, 2]
    assert table["scored"].tolist() == [8, 8, 8, 6]
    np.testing.assert_array_equal(table["inside"], [-1, -1, np.nan, np.nan])
    assert table["nearest"].tolist() == [1, 1, 2, 1]
    assert table["outside"].tolist() == [7, 3, 2.5, 2.5]
    # What is nearer to the threshold: for client 1 the stranger 2, at 3.
    assert table["margin"].tolist() == [3, 1, 0.5, 0.5]


def test_a_pair_that_was_overruled_has_a_negative_margin():
    table = by_hand([0, 0, 1, 1]).explain()
    assert table["inside"].tolist() == [-1, -1, 2.5, 2.5]
    assert table["margin"].tolist()[2:] == [-0.5, -0.5]


def test_a_single_federation_has_nothing_outside():
    table = by_hand([0, 0, 0, 0], threshold=9.0).explain()
    assert table["nearest"].tolist() == [-1] * 4
    assert table["outside"].isna().all()
    assert table["margin"].tolist() == [0, 4, 2, 0]


# --- how sure -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found(stripe_clients):
    return discover(stripe_clients(4, n=60))


def test_p_values_belong_to_the_evidence(found):
    np.testing.assert_array_equal(found.p_values < 0.01, found.dissimilarity > 2)
    assert found.p_values.max() == 1
    assert (found.p_values.diagonal() == 1).all()


def test_what_could_not_have_been_seen(found):
    n = np.array(48)
    assert found.detectable == pytest.approx(4 * [float(detectable(n, n, 4, 0.01 / 6, 0.1))])
    assert found.explain()["detectable"].tolist() == found.detectable.tolist()
    needed = found.samples_needed(0.5)
    assert detectable(*2 * [np.array(round(0.8 * needed))], 4, 0.01 / 6, 0.1) <= 0.5
    assert found.samples_needed(0.1) is None
    with pytest.raises(InputError, match="distance must be a number"):
        found.samples_needed("far")


def test_it_says_so_if_there_are_too_few_samples_to_tell(found, stripe_clients):
    assert "would miss distances below 1.0" in repr(found)
    few = discover(stripe_clients(4, n=12))
    assert few.n_federations == 1
    assert few.uninformative == [0, 1, 2, 3]
    assert f"too few samples to rule out more for all clients: {few.samples_needed()}" in repr(few)
    many = discover(stripe_clients(4, n=100))
    assert many.uninformative == [] and "too few" not in repr(many)


def test_a_small_client_among_large_ones_is_named(stripe_clients):
    alike = stripe_clients(4, n=200, one_group=True)
    arrays = [(client.x[: 12 if i == 2 else 200], None) for i, client in enumerate(alike)]
    few = discover(Clients.from_arrays(arrays))
    assert few.uninformative == [2] and "more for clients [2]: " in repr(few)
    assert few.labels.tolist() == [0, 0, 0, 0]


def test_the_papers_criterion_explains_itself_too(stripe_clients, small_rnd):
    found = discover(stripe_clients(4, n=60), "paper", 0.4, rnd=small_rnd)
    assert found.explain()["federation"].tolist() == found.labels.tolist()
    assert repr(found).endswith(f"labels {found.labels.tolist()})")
