import numpy as np
import pytest
from scipy.linalg import subspace_angles

from rndcfl import Clients, InputError, simulate
from rndcfl.common.metrics import exact
from rndcfl.methods import PACFL
from rndcfl.methods.pacfl import basis, smallest_angle, summed_angles


def client(x, y):
    return Clients.from_arrays([(np.array(x, dtype=float), np.array(y))])[0]


def test_a_basis_holds_the_first_left_singular_vectors_class_by_class():
    # Class 0 lies on the first axis; class 1 mostly on the third, a little on the second.
    x = [[2, 0, 0], [0, 0, 3], [1, 0, 0], [0, 1, 0], [0, 0, 5]]
    u = basis(client(x, [0, 1, 0, 1, 1]), 2)
    # Class 0 has two samples, so two vectors, although the second is arbitrary.
    assert u.shape == (3, 4)
    np.testing.assert_allclose(
        np.abs(u[:, [0, 2, 3]]).T, [[1, 0, 0], [0, 0, 1], [0, 1, 0]], atol=1e-12
    )
    assert basis(client(x, [0, 1, 2, 3, 4]), 2).shape == (3, 5)  # one sample, one vector


def rotated(degrees):
    a = np.radians(degrees)
    return np.array([[np.cos(a)], [np.sin(a)], [0]])


def test_angles_by_hand():
    bases = [rotated(0), rotated(30), rotated(90)]
    expected = [[0, 30, 90], [30, 0, 60], [90, 60, 0]]
    np.testing.assert_allclose(smallest_angle(bases), expected, atol=1e-5)
    np.testing.assert_allclose(summed_angles(bases), expected, atol=1e-5)
    # The sign of a singular vector is arbitrary.
    np.testing.assert_allclose(summed_angles([-bases[0], *bases[1:]]), expected, atol=1e-5)


def test_the_smallest_angle_is_scipys_and_does_not_depend_on_the_basis():
    rng = np.random.default_rng(0)
    bases = [rng.standard_normal((10, p)) for p in (2, 3, 4)]
    angles = smallest_angle(bases)
    for i, a in enumerate(bases):
        for j, b in enumerate(bases):
            expected = np.degrees(subspace_angles(a, b)[-1])
            assert angles[i, j] == pytest.approx(expected, abs=1e-5)
    mixed = [u @ rng.standard_normal((u.shape[1],) * 2) for u in bases]
    np.testing.assert_allclose(smallest_angle(mixed), angles, atol=1e-5)


def test_the_sum_is_over_corresponding_vectors():
    eye = np.eye(4)
    a, b = eye[:, [0, 1, 2]], eye[:, [0, 2]]  # 0, then 90 degrees; the third has no counterpart
    np.testing.assert_allclose(summed_angles([a, b]), [[0, 90], [90, 0]], atol=1e-5)
    assert smallest_angle([a, b])[0, 1] == pytest.approx(0)


@pytest.fixture(scope="module")
def clients(stripe_clients):
    return stripe_clients(6)


@pytest.mark.parametrize("params", [{}, dict(measure="sum"), dict(linkage="complete")])
def test_finds_two_groups_before_training(clients, params):
    labels = simulate(clients, "pacfl", 2, progress=False, **params).labels
    assert exact(clients.groups, labels[0]) and (labels[1] == labels[0]).all()


@pytest.mark.parametrize("beta, federations", [(0.0, 6), (91.0, 1)])
def test_a_given_threshold_is_taken(clients, beta, federations):
    history = simulate(clients, "pacfl", 1, beta=beta, progress=False)
    assert len(set(history.labels[0])) == federations


def test_bases_go_up_once(clients):
    history = simulate(clients, "pacfl", 3, n_vectors=2, progress=False)
    ledger = history.ledger.table.query("phase == 'discovery/subspaces'")
    assert ledger["client"].tolist() == list(range(6)) and set(ledger["round"]) == {0}
    assert set(ledger["bytes_up"]) == {4 * 64 * 2 * 4}  # 4 d K bytes for each of four classes
    assert set(ledger["bytes_down"]) == {0} and (ledger["multiply_adds"] > 0).all()
    assert set(history.ledger.table["phase"]) == {"discovery/subspaces", "training"}


def test_only_classes_held_are_sent():
    x = np.random.default_rng(0).random((2, 12, 5))
    clients = Clients.from_arrays([(x[0], np.arange(12) % 3), (x[1], np.arange(12) % 2)])
    sent = simulate(clients.with_test(), "pacfl", 1, beta=90, progress=False).ledger.table
    held = [len(set(c.y.tolist())) for c in clients.with_test()]
    sent = sent.query("phase == 'discovery/subspaces'")["bytes_up"].tolist()
    assert sent == [4 * 5 * 3 * k for k in held]


@pytest.mark.parametrize(
    "params, message",
    [
        (dict(n_vectors=0), "n_vectors must be a whole number of at least 1"),
        (dict(beta=-1), "beta must be a number of at least 0"),
        (dict(measure="least"), "unknown measure 'least'"),
        (dict(linkage="ward"), "unknown linkage 'ward'"),
        (dict(nearest=0.5), "nearest must be a number of at least 1"),
    ],
)
def test_unusable_arguments(clients, params, message):
    with pytest.raises(InputError, match=message):
        simulate(clients, "pacfl", 1, **params)


def test_words_span_no_subspace():
    words = Clients.from_arrays(
        [(np.zeros((4, 3), dtype=int), np.zeros(4, dtype=int))], kind="text"
    )
    with pytest.raises(InputError, match="pacfl needs numbers"):
        PACFL().check(words)
