import numpy as np
import pytest
import torch
from test_methods import new_run
from torch import nn

from rndcfl.methods.updates import agglomerate, distances, nearest_peer_threshold, updates

LINE = np.abs(np.subtract.outer([0.0, 1.0, 3.0, 9.0], [0.0, 1.0, 3.0, 9.0]))


def test_updates_are_differences_of_parameters_from_the_own_federations_model(stripe_clients):
    network = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 4))
    before = [{k: v.detach().clone() for k, v in network.state_dict().items()} for _ in (0, 1)]
    for v in before[1].values():
        v += 5
    run = new_run(stripe_clients(3), network, [0, 1, 1], dict(enumerate(before)))
    after = {i: {k: v + i for k, v in before[run.labels[i]].items()} for i in (0, 2)}
    moved = updates(run, after)
    assert moved.shape == (2, 2 * 64 + 64 * 4 + 4)  # BatchNorm's buffers stay out
    np.testing.assert_allclose(moved, [[0], [2]] * np.ones_like(moved), atol=1e-5)
    after[2]["2.bias"][:] = torch.nan
    assert np.isfinite(updates(run, after)).all()


@pytest.mark.parametrize("metric, expected", [("l1", 7.0), ("l2", 5.0), ("cosine", 1.0)])
def test_distances(metric, expected):
    d = distances(np.array([[0.0, 0.0], [3.0, 4.0]]), metric)
    np.testing.assert_allclose(d, [[0, expected], [expected, 0]])
    assert distances(np.array([[1.0, 1.0], [-2.0, -2.0]]), "cosine")[0, 1] == pytest.approx(2)


@pytest.mark.parametrize(
    "linkage, threshold, labels",
    [
        ("complete", 3.1, [0, 0, 0, 1]),
        ("complete", 3.0, [0, 0, 1, 2]),  # at the threshold they stay apart
        ("average", 2.6, [0, 0, 0, 1]),  # (3 + 2) / 2
        ("single", 2.1, [0, 0, 0, 1]),
        ("single", 0.5, [0, 1, 2, 3]),
    ],
)
def test_clusters_up_to_a_threshold(linkage, threshold, labels):
    assert agglomerate(LINE, linkage, threshold).tolist() == labels


def test_a_number_of_clusters_and_labels_in_order_of_appearance():
    backwards = LINE[::-1, ::-1]
    for k, labels in [(1, [0, 0, 0, 0]), (2, [0, 1, 1, 1]), (4, [0, 1, 2, 3])]:
        assert agglomerate(backwards, "complete", n_clusters=k).tolist() == labels
    assert agglomerate(np.zeros((1, 1)), "complete", 1.0).tolist() == [0]


def test_our_threshold_keeps_alike_clients_together_and_groups_apart():
    noise = np.random.default_rng(0).uniform(0.95, 1.05, size=(8, 8))
    alike = np.triu(noise, 1) + np.triu(noise, 1).T
    groups = alike * np.where(np.equal.outer(np.arange(8) % 2, np.arange(8) % 2), 1, 2)
    for d, expected in ((alike, [0] * 8), (groups, [0, 1] * 4)):
        threshold = nearest_peer_threshold(d, 1.25)
        assert agglomerate(d, "complete", threshold).tolist() == expected


def test_the_threshold_is_a_multiple_of_the_median_distance_to_the_nearest_peer():
    assert nearest_peer_threshold(LINE, 1.5) == 1.5 * np.median([1, 1, 2, 6])
    assert nearest_peer_threshold(100 * LINE, 1.5) == 100 * nearest_peer_threshold(LINE, 1.5)
    assert nearest_peer_threshold(np.zeros((1, 1)), 1.5) == np.inf
