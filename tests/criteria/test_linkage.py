import numpy as np
import pytest

from rndcfl.common.errors import InputError
from rndcfl.criteria.linkage import cluster, group, in_order_of_appearance

CHAIN = np.array([[0, 1, 9, 9], [1, 0, 2, 9], [9, 2, 0, 9], [9, 9, 9, 0]])


@pytest.mark.parametrize(
    "threshold, components, cliques",
    [
        (0.5, [0, 1, 2, 3], [0, 1, 2, 3]),
        (1, [0, 0, 1, 2], [0, 0, 1, 2]),
        (2, [0, 0, 0, 1], [0, 0, 1, 2]),
        (8, [0, 0, 0, 1], [0, 0, 1, 2]),  # the mean of 2 and 9 would do, their maximum does not
        (9, [0, 0, 0, 0], [0, 0, 0, 0]),
    ],
)
def test_a_chain_is_one_component_but_no_clique(threshold, components, cliques):
    assert group(CHAIN, threshold, "components").tolist() == components
    assert group(CHAIN, threshold, "cliques").tolist() == cliques


def test_the_diagonal_is_ignored():
    assert group(CHAIN + 5 * np.eye(4), 1).tolist() == [0, 0, 1, 2]


@pytest.mark.parametrize("threshold, labels", [(-2, [0, 1, 0]), (-3, [0, 1, 2]), (0, [0, 0, 0])])
def test_dissimilarities_and_thresholds_may_be_negative(threshold, labels):
    dissimilarity = np.array([[0, -1, -2], [-1, 0, -1], [-2, -1, 0.0]])
    assert group(dissimilarity, threshold).tolist() == labels


@pytest.mark.parametrize("grouping", ["components", "cliques"])
def test_labels_are_numbered_in_order_of_first_appearance(grouping):
    far = 1 - np.eye(5)
    far[0, 3] = far[3, 0] = far[1, 4] = far[4, 1] = 0
    labels = group(far, 0.5, grouping)
    assert labels.tolist() == [0, 1, 2, 0, 1]
    assert labels.dtype == np.int64


def test_a_single_client_is_its_own_federation():
    assert group(np.zeros((1, 1)), 1.0).tolist() == [0]


@pytest.mark.parametrize("n_clusters", [1, 2, 3, 5])
def test_a_number_of_clusters_is_reached_also_where_distances_tie(n_clusters):
    for method in ("single", "average", "complete"):
        labels = cluster(1 - np.eye(5), method, n_clusters=n_clusters)
        assert labels.max() + 1 == n_clusters


def test_unknown_grouping():
    with pytest.raises(InputError, match="unknown grouping 'clique'; did you mean 'cliques'"):
        group(CHAIN, 1, "clique")


@pytest.mark.parametrize(
    "labels, expected",
    [([5, 2, 5, 9], [0, 1, 0, 2]), ([0, 1, 2], [0, 1, 2]), ([2, 1, 0], [0, 1, 2]), ([3], [0])],
)
def test_in_order_of_appearance(labels, expected):
    found = in_order_of_appearance(np.array(labels))
    assert found.tolist() == expected and found.dtype == np.int64
